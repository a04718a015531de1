"""A real conversation over the seeds, recorded: `python -m tests.recording` writes docs/chat.cast and docs/chat.svg."""

import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bot.terminal.commands import BY_NAME
from tests.conftest import ROOT
from tests.terminal import CTRL_D, REAL, Terminal

CAST, PICTURE = ROOT / "docs" / "chat.cast", ROOT / "docs" / "chat.svg"
TITLE = "footnote chat"
# What is typed, and what the screen shows when it is done.
CONVERSATION = {
    "What accuracy does RevCol-H reach on ImageNet?": "supported",
    "/open 1": "Reversible Column Networks",
    "how many parameters does it have?": "supported",
    "/why": "searched",
    "/cite 1": "@misc{",
}


def converse(store: Path, data: Path) -> Terminal:
    """Have the conversation in a terminal of 96 columns, a key at a time; returns the terminal at its end."""
    assert all(line.split()[0][1:] in BY_NAME for line in CONVERSATION if line.startswith("/"))
    environment = {"FOOTNOTE_STORE": str(store), "FOOTNOTE_MODEL": "none", "XDG_DATA_HOME": str(data)}
    with Terminal("chat", columns=96, lines=34, environment=environment, program=REAL) as terminal:
        terminal.wait_for("papers ·")
        for line, shown in CONVERSATION.items():
            for key in line:
                terminal.send(key)
            terminal.wait_for(f"› {line}")
            terminal.send("\r")
            terminal.wait_for(shown)
            terminal.wait_for(lambda text: re.search(r"^›$", text, re.M))
            if line == next(iter(CONVERSATION)):
                picture(terminal)
        terminal.send(CTRL_D)
        terminal.wait_for_end()
    return terminal


def picture(terminal: Terminal) -> None:
    """Write the screen as an SVG."""
    console = Console(width=terminal.screen.columns, record=True, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115
    for row, line in enumerate(terminal.screen.display):
        text = Text()
        for column, letter in enumerate(line):
            cell = terminal.screen.buffer[row][column]
            dim = "bright_black" if cell.fg == "brightblack" else cell.fg if cell.fg != "default" else ""
            text.append(letter, f"{'bold ' if cell.bold else ''}{dim}".strip() or None)
        console.print(text, end="\n", no_wrap=True)
    PICTURE.write_text(console.export_svg(title=TITLE), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        converse(Path(sys.argv[1]), Path(folder)).record(CAST, TITLE)
