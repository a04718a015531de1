"""The parser -> completion for a shell (pure)."""

import argparse
import shlex
from collections.abc import Callable, Iterator


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands, by name."""
    found = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The long options of a command, and what each is for."""
    for action in parser._actions:
        for name in action.option_strings:
            if name.startswith("--"):
                yield name, action.help or ""


def bash(parser: argparse.ArgumentParser) -> str:
    """To be sourced by bash."""
    cases = [
        f"    {name}) words={shlex.quote(' '.join(option for option, _ in options(command)))} ;;"
        for name, command in subcommands(parser).items()
    ]
    return "\n".join(
        [
            "_footnote() {",
            '  local word="${COMP_WORDS[COMP_CWORD]}" words',
            '  case "${COMP_WORDS[1]}" in',
            *cases,
            "  esac",
            f'  [ "$COMP_CWORD" -eq 1 ] && words={shlex.quote(" ".join(subcommands(parser)))}',
            '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
            '  [[ "$word" == -* || "$COMP_CWORD" -eq 1 ]] || COMPREPLY+=($(compgen -f -- "$word"))',
            "}",
            "complete -F _footnote footnote",
        ]
    )


def zsh(parser: argparse.ArgumentParser) -> str:
    """To be sourced by zsh, or put into $fpath as _footnote."""
    commands = [f"    {_zsh_pair(name, command.description or '')}" for name, command in subcommands(parser).items()]
    cases = []
    for name, command in subcommands(parser).items():
        pairs = " ".join(shlex.quote(f"{option}[{_plain(help_)}]") for option, help_ in options(command))
        cases.append(f"    {name}) _arguments {pairs} '*:file:_files' ;;")
    return "\n".join(
        [
            "#compdef footnote",
            "_footnote() {",
            "  local -a commands=(",
            *commands,
            "  )",
            "  if (( CURRENT == 2 )); then _describe command commands; return; fi",
            '  case "${words[2]}" in',
            *cases,
            "  esac",
            "}",
            "compdef _footnote footnote",
        ]
    )


def fish(parser: argparse.ArgumentParser) -> str:
    """To be sourced by fish."""
    lines = []
    for name, command in subcommands(parser).items():
        lines.append(
            f"complete -c footnote -n __fish_use_subcommand -f -a {name} -d {shlex.quote(command.description or '')}"
        )
        lines += [
            f"complete -c footnote -n '__fish_seen_subcommand_from {name}' -l {option[2:]} -d {shlex.quote(help_)}"
            for option, help_ in options(command)
        ]
    return "\n".join(lines)


SHELLS: dict[str, Callable[[argparse.ArgumentParser], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _zsh_pair(name: str, about: str) -> str:
    return shlex.quote(f"{name}:{about}")


def _plain(text: str) -> str:
    """Without what zsh would take for the end of a description."""
    return text.replace("[", "(").replace("]", ")").replace(":", ",")
