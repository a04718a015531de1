"""The parser, the chat's commands -> the sections of the README that list them (pure).

The README calls these through cog; a test holds it to what they say.
"""

import argparse
import textwrap

from bot.completion import subcommands
from bot.terminal.commands import COMMANDS, usage

_WIDTH = 118


def commands_text(parser: argparse.ArgumentParser) -> str:
    """Every command of the command line with its arguments, as a block of code."""
    lines = []
    for name, command in subcommands(parser).items():
        shown = [_shown(action) for action in command._actions if not isinstance(action, argparse._HelpAction)]
        lines += textwrap.wrap(
            f"footnote {name} {' '.join(shown)}",
            _WIDTH,
            subsequent_indent=" " * (10 + len(name)),
            break_on_hyphens=False,
        )
        lines += [f"    {command.description}"]
    return "\n".join(["```", *lines, "```"])


def chat_text() -> str:
    """Every command of the chat, as a table a group."""
    parts = []
    for group in dict.fromkeys(command.group for command in COMMANDS):
        rows = [
            f"| `{usage(command).replace('|', chr(92) + '|')}` | {command.help.replace('|', chr(92) + '|')} |"
            for command in COMMANDS
            if command.group == group
        ]
        parts.append("\n".join([f"| {group} | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def _shown(action: argparse.Action) -> str:
    """An argument as it is written."""
    name = action.metavar if isinstance(action.metavar, str) else "{" + ",".join(map(str, action.choices or ())) + "}"
    if not action.option_strings:
        return {"?": f"[{name}]", "*": f"[{name} ...]"}.get(str(action.nargs), name)
    option = action.option_strings[-1]
    if action.nargs == 0:
        return f"[{option}]"
    return f"[{option} [{name}]]" if action.nargs == "?" else f"[{option} {name}]"
