"""A line that was typed -> a question, or a command and what it is given (pure).

The table below is all there is: `/help`, the completion and the README are made from it.
"""

import difflib
import re
from dataclasses import dataclass

from rag.errors import QuestionError


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as it is explained to people."""

    name: str
    arguments: str
    help: str
    group: str
    writes: bool = False
    """Whether `> FILE` may follow."""


COMMANDS = (
    Command("sources", "", "the sources of the last answer, with what was quoted", "Papers"),
    Command("open", "N", "the abstract of paper N, evidence in bold, and its link in a browser", "Papers"),
    Command("quote", "N", "the sentence of paper N that fits best, ready to paste", "Papers", writes=True),
    Command("cite", "N|all [bibtex|apa|ris]", "an entry for a bibliography; > FILE writes it", "Papers", writes=True),
    Command("search", "QUERY", "list the nearest papers without answering", "Papers"),
    Command("paper", "TITLE", "open a paper by its title", "Papers"),
    Command("more", "", "the next papers of the list", "Papers"),
    Command("related", "N", "papers like paper N", "Papers"),
    Command("compare", "N M", "two papers side by side, by what they say to the question", "Papers"),
    Command("filter", "year>=2024|off", "use only papers of some years, also year=2020..2023", "Papers"),
    Command("why", "", "the query that was searched, scores, evidence, prompt size and timings", "Papers"),
    Command("retry", "", "ask the last question again, with the settings of now", "Conversation"),
    Command("undo", "", "take the last question and its answer back", "Conversation"),
    Command("clear", "", "begin another conversation; this one is kept", "Conversation"),
    Command("edit", "", "write the next question in $EDITOR; also Ctrl-X Ctrl-E", "Conversation"),
    Command("copy", "", "copy the last answer and its sources", "Conversation"),
    Command("export", "md|html|json", "write the conversation; > FILE names the file", "Conversation", writes=True),
    Command("save", "NAME", "give this conversation a name", "Conversation"),
    Command("sessions", "", "list the conversations that are kept", "Conversation"),
    Command("load", "ID|NAME", "go on with one of them", "Conversation"),
    Command("forget", "ID|NAME|all", "remove one of them, or all and what was typed", "Conversation"),
    Command("set", "[NAME VALUE]", "show or change a setting until you leave", "Settings"),
    Command("help", "[COMMAND]", "this list", "Settings"),
    Command("quit", "", "leave; also Ctrl-D, or Ctrl-C twice", "Settings"),
)
BY_NAME = {command.name: command for command in COMMANDS}
_LEAVE = {"exit", "quit", "/exit"}
_COMMAND = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.I | re.S)
_TO_FILE = re.compile(r"(.*?)\s*(>>?)\s*(\S.*)", re.S)


@dataclass(frozen=True, slots=True)
class Call:
    """A command to run; `file` is what to write to, and `append` whether to its end."""

    name: str
    argument: str = ""
    file: str = ""
    append: bool = False


def read_line(line: str) -> Call | str:
    """A command, or the question. Raises QuestionError for a command there is none of.

    >>> read_line("/cite all ris > refs.ris")
    Call(name='cite', argument='all ris', file='refs.ris', append=False)
    >>> read_line("What is a / b?")
    'What is a / b?'
    """
    line = line.strip()
    if line.lower() in _LEAVE:
        return Call("quit")
    match = _COMMAND.fullmatch(line)
    if not match:
        return line
    name, argument = match[1].lower(), (match[2] or "").strip()
    if name not in BY_NAME:
        close = difflib.get_close_matches(name, BY_NAME, 1)
        raise QuestionError(f"There is no /{name}.", f"Did you mean /{close[0]}?" if close else "/help lists them all.")
    if BY_NAME[name].writes and (to_file := _TO_FILE.fullmatch(argument)):
        return Call(name, to_file[1], to_file[3].strip(), to_file[2] == ">>")
    return Call(name, argument)


def read_numbers(call: Call, count: int) -> list[int]:
    """The numbers a command is given, exactly so many. Raises QuestionError that shows how it is used."""
    numbers = re.findall(r"\d{1,6}", call.argument)
    if len(numbers) != count or not re.fullmatch(r"[\[\]\d\s,]+", call.argument):
        raise QuestionError("Which paper?" if count == 1 else "Which papers?", f"Write: {usage(BY_NAME[call.name])}")
    return [int(number) for number in numbers]


def usage(command: Command) -> str:
    """How a command is written.

    >>> usage(BY_NAME["open"])
    '/open N'
    """
    return f"/{command.name} {command.arguments}".rstrip()
