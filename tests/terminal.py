"""A terminal of the tests' own: the real program on a pseudo-terminal, its screen read by pyte."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyte

from tests.conftest import ROOT

# No wait is this long unless what is waited for never comes.
_PATIENCE = 120.0
# The program with ranking that a test can foresee; everything else is what people run.
PROGRAM = """
import sys
import rag.reader
from bot import cli
from tests.conftest import WordEmbedder, WordReader
rag.reader.shipped_reader = WordReader
cli._embedder = lambda settings: WordEmbedder()
sys.exit(cli.main(sys.argv[1:]))
"""
REAL = "import sys\nfrom bot.cli import main\nsys.exit(main(sys.argv[1:]))"
ENTER, CTRL_C, CTRL_D, TAB, ESCAPE, UP = "\r", "\x03", "\x04", "\t", "\x1b", "\x1b[A"


class _Screen(pyte.HistoryScreen):
    """Keeps what it answers to the program's questions, as where the cursor is."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines, history=5000, ratio=0.5)
        self.replies = ""

    def write_process_input(self, data: str) -> None:
        self.replies += data


class Terminal:
    """Runs `footnote` with these arguments; use it in a `with`, which fails if ever a traceback was shown."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        lines: int = 30,
        environment: Mapping[str, str] | None = None,
        program: str = PROGRAM,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.raw = b""
        self.events: list[tuple[float, str, str]] = []
        self._began = time.monotonic()
        self.screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._size(columns, lines)
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}

        def begin() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=begin,
            close_fds=True,
            env={
                **inherited,
                "TERM": "xterm-256color",
                "PYTHONPATH": str(ROOT),
                "LANG": "C.UTF-8",
                **(environment or {}),
            },
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        assert kind or not any(sign in self.raw for sign in (b"Traceback", b"Unhandled exception")), self.all

    def send(self, keys: str) -> None:
        """Type."""
        data = keys.encode()
        while data:
            ready, writable, _ = select.select([self._ours], [self._ours], [], _PATIENCE)
            if ready:  # or both sides might wait for the other to read
                self._read()
            if writable:
                data = data[os.write(self._ours, data[:1024]) :]

    def ask(self, line: str) -> None:
        """Type a line and Enter."""
        self.send(line + ENTER)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as a person does with the mouse."""
        self.screen.resize(lines, columns)
        self._size(columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, wanted: str | Callable[[str], Any], within: float = _PATIENCE) -> str:
        """Read on until the screen shows it; returns what is on the screen."""
        deadline = time.monotonic() + within
        while True:
            text = self.text
            if wanted in text if isinstance(wanted, str) else wanted(text):
                return text
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(
                    f"{wanted!r} never came; the screen shows:\n{self.text}\nand before it:\n{self.before}"
                )

    def wait_for_end(self) -> int:
        """Read on until the program has ended; returns its exit code."""
        while self._read(_PATIENCE):
            pass
        return self.process.wait(_PATIENCE)

    @property
    def text(self) -> str:
        """What is on the screen, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    @property
    def before(self) -> str:
        """What went off the top."""
        lines = (
            "".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top
        )
        return "\n".join(line.rstrip() for line in lines)

    @property
    def all(self) -> str:
        """Both, as one scrolls back through it."""
        return f"{self.before}\n{self.text}"

    def style_of(self, word: str) -> Any:
        """How the first letter of a word on the screen looks: bold, fg, underscore."""
        for row, line in enumerate(self.screen.display):
            if word in line:
                return self.screen.buffer[row][line.index(word)]
        raise AssertionError(f"{word!r} is not on the screen:\n{self.text}")

    def record(self, path: Path, title: str) -> None:
        """Write what was seen as an asciinema recording."""
        size = {"width": self.screen.columns, "height": self.screen.lines}
        head = {"version": 2, **size, "title": title, "env": {"TERM": "xterm-256color"}}
        path.write_text("\n".join(map(json.dumps, [head, *self.events])) + "\n", encoding="utf-8")

    def _read(self, within: float = 0) -> bool:
        if not select.select([self._ours], [], [], within)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the program has ended
            return False
        self.raw += data
        self.events.append((round(time.monotonic() - self._began, 3), "o", data.decode(errors="replace")))
        self._stream.feed(data)
        if self.screen.replies:
            with contextlib.suppress(OSError):  # the program has ended meanwhile
                os.write(self._ours, self.screen.replies.encode())
            self.screen.replies = ""
        return bool(data)

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
