"""What is typed so far -> how it could go on (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.terminal.commands import BY_NAME, COMMANDS

_MOST = 30
# Fewer letters begin too many titles.
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to choose from at the moment."""

    titles: Sequence[str] = ()
    """Of all papers."""
    listed: Sequence[str] = ()
    """Titles of the numbered list on the screen."""
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names that /set takes, each with some values."""
    conversations: Sequence[tuple[str, str]] = ()
    """Id or name, and title."""
    years: Sequence[int] = ()


def complete(text: str, known: Known) -> Iterator[tuple[str, int, str]]:
    """Each way on: the text, where it begins (0 at the cursor, or before it), and what it is."""
    if not text.startswith("/"):
        yield from _titles_at_the_end(text, known.titles)
        return
    name, blank, argument = text[1:].partition(" ")
    if not blank:
        for command in COMMANDS:
            if command.name.startswith(name.lower()):
                yield f"/{command.name}", -len(text), command.help
        return
    before, _, word = argument.rpartition(" ")
    if name == "paper":
        yield from ((title, -len(argument), "") for title in _matching(argument, known.titles))
        return
    for value, about in _values(name, before.split(), known):
        if value.lower().startswith(word.lower()):
            yield value, -len(word), about


def _values(name: str, before: Sequence[str], known: Known) -> Iterator[tuple[str, str]]:
    numbers = [(str(number), title) for number, title in enumerate(known.listed, 1)]
    if name == "set":
        if not before:
            yield from ((setting, "") for setting in known.settings)
        elif len(before) == 1:
            yield from ((value, "") for value in known.settings.get(before[0], ()))
    elif name == "cite":
        if before:
            yield from ((style, "") for style in ("bibtex", "apa", "ris") if len(before) == 1)
        else:
            yield from [("all", "every source"), *numbers]
    elif name in {"open", "quote", "related", "compare"} and len(before) < (2 if name == "compare" else 1):
        yield from numbers
    elif name == "export" and not before:
        yield from ((kind, "") for kind in ("md", "html", "json"))
    elif name in {"load", "forget"} and not before:
        yield from known.conversations
        if name == "forget":
            yield "all", "every conversation"
    elif name == "filter" and not before:
        yield from ((f"year>={year}", "") for year in known.years)
        yield "off", "use all papers"
    elif name == "help" and not before:
        yield from ((command.name, command.help) for command in BY_NAME.values())


def _titles_at_the_end(text: str, titles: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Titles that begin as the question ends; of all places where a title may begin the first one counts."""
    words = text.split(" ")
    for first in range(max(0, len(words) - 8), len(words)):
        tail = " ".join(words[first:])
        if len(tail) >= _SHORTEST:
            found = [title for title in titles if title.lower().startswith(tail.lower())][:_MOST]
            if found:
                yield from ((title, -len(tail), "") for title in found)
                return


def _matching(part: str, titles: Sequence[str]) -> list[str]:
    """Those that begin with it before those that hold it."""
    wanted = part.lower().strip()
    holding = [title for title in titles if wanted in title.lower()]
    return sorted(holding, key=lambda title: not title.lower().startswith(wanted))[:_MOST]
