"""What is shown, and how: answers as they are written, on a terminal or in a pipe.

No text that is shown may hold a control sequence: everything goes through `lines_of`, which takes them out.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from rag.answer import Event
    from rag.types import Answer

# The last lines of an answer may still change, by Markdown that closes or a word that does not fit.
_LIVE_LINES = 4
_SECONDS_BETWEEN_DRAWS = 0.05
# Longer lines are hard to read.
_WIDEST = 100
_INDENT = 2
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def is_plain(stream: TextIO) -> bool:
    """Whether to use neither colours nor cursor tricks."""
    return not stream.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb"


class Output:
    """Shows things on standard output, and notes beside it on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.plain = is_plain(self.stream)

    @property
    def width(self) -> int:
        """Columns that may be used."""
        return min(self._size().columns - 1, _WIDEST + _INDENT) if self.stream.isatty() else self._size().columns

    def show(self, shown: "RenderableType") -> None:
        """Print something, and a blank line before it."""
        from bot.terminal.markdown import lines_of

        lines = lines_of(shown, self.width, 0 if self.plain else self._indent)
        self._write("\n" + "".join(self._ansi(line) + "\n" for line in lines))

    def note(self, text: str) -> None:
        """Say something that is no part of an answer."""
        if not text:
            return
        if self.plain:
            from rag.text import printable

            print(f"\n{printable(text)}", file=sys.stderr, flush=True)
        else:
            from rich.text import Text

            self.show(Text(text, "dim"))

    def print(self, text: str) -> None:
        """Print a text as it is, neither wrapped nor styled, and a blank line before it."""
        from rag.text import printable

        self._write(f"\n{printable(text)}\n")

    def clear(self) -> None:
        """Empty the screen; what was on it stays in the scrollback where the terminal keeps it."""
        if not self.plain:
            self._write("\x1b[2J\x1b[H")

    def play(
        self,
        events: "Iterable[Event | None]",
        verbatim: Callable[[], bool],
        loading: Callable[[], str] = lambda: "searching",
        stop: threading.Event | None = None,
    ) -> "Answer":
        """Show an answer as it is written; returns it finished.

        Asked once something is written, `verbatim` says whether it is the papers' own text and so no Markdown.
        `loading` says what is waited for before anything is found, `stop` whether the answer is to end.
        """
        return self._play_plain(events) if self.plain else self._play_live(events, verbatim, loading, stop)

    def show_below(self, answer: "Answer", unanswered: str = "") -> None:
        """The sources of an answer, and what else a reader should know: `unanswered` where there is no answer.

        Below small talk stands nothing.
        """
        from rag.refusal import FRIENDLY

        if answer.text == FRIENDLY:
            return
        if self.plain:
            from bot.render import notes_text, sources_text

            self.print(sources_text(answer))
            self.note(notes_text(answer))
        else:
            from bot.terminal.views import footer, sources

            self.show(sources(answer))
            self.show(footer(answer))
        if answer.abstained:
            self.note(unanswered)

    def copy(self, text: str) -> bool:
        """Put a text into the clipboard by the program that does so here; False where there is none."""
        import base64
        import subprocess

        for command in (["pbcopy"], ["wl-copy"], ["xclip", "-selection", "clipboard"], ["xsel", "-ib"], ["clip.exe"]):
            if shutil.which(command[0]):
                with contextlib.suppress(OSError, subprocess.SubprocessError):
                    subprocess.run(command, input=text.encode(), check=True, timeout=5, capture_output=True)
                    return True
        if self.plain:
            return False
        self._write(f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07")  # the terminal's own, also over SSH
        return True

    def browse(self, address: str) -> bool:
        """Open a web page where there is a desktop to open it on."""
        import webbrowser

        desktop = sys.platform in {"darwin", "win32"} or {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys()
        return bool(desktop) and address.startswith(("https://", "http://")) and webbrowser.open(address)

    def _play_plain(self, events: "Iterable[Event | None]") -> "Answer":
        """Pieces as they come on a terminal; in a pipe, where nothing can be taken back, only the checked answer."""
        from rag.answer import Found, Wrote
        from rag.text import printable
        from rag.types import Answer

        written = ""
        for event in events:
            if isinstance(event, Found) and self.stream.isatty():
                titles = "\n".join(f"  {i} {found.paper.title}" for i, found in enumerate(event.passages, 1))
                print(printable(titles), file=sys.stderr, flush=True)
            elif isinstance(event, Wrote) and self.stream.isatty():
                written += event.text
                self._write(printable(event.text))
            elif isinstance(event, Answer):
                changed = "\n\nChecked:\n" if written else ""
                self._write((f"{changed}{printable(event.text)}" if written.strip() != event.text else "") + "\n")
                return event
        raise AssertionError("a stream ends with its answer")

    def _play_live(
        self,
        events: "Iterable[Event | None]",
        verbatim: Callable[[], bool],
        loading: Callable[[], str],
        stop: threading.Event | None,
    ) -> "Answer":
        from rich.text import Text

        from bot.terminal.markdown import answer_lines, lines_of
        from bot.terminal.views import nearest
        from rag.answer import Found, Wrote
        from rag.types import Answer

        live, written, began, drawn = _Live(self), "", time.monotonic(), 0.0
        found: Found | None = None

        def lines_now(text: str) -> "list[Text]":
            return answer_lines(text, self.width, verbatim=verbatim(), indent=self._indent)

        def papers() -> "list[Text]":
            return lines_of(nearest(found.passages), self.width, self._indent) if found else []

        def waiting() -> "list[Text]":
            seconds = time.monotonic() - began
            sign = _SPINNER[int(seconds * 5) % len(_SPINNER)]
            doing = f"reading {len(found.passages)} papers" if found else loading().removesuffix(" …")
            if stop and stop.is_set():
                doing = "stopping"
            return papers() + lines_of(Text(f"{sign} {doing} … {seconds:.0f} s", "dim"), self.width, self._indent)

        with live, silent_keys():
            try:
                for event in events:
                    if isinstance(event, Answer):
                        live.finish(lines_now(event.text))
                        return event
                    if isinstance(event, Found):
                        found = event
                    if isinstance(event, Wrote):
                        written += event.text
                    now = time.monotonic()
                    if isinstance(event, Found) or now - drawn >= _SECONDS_BETWEEN_DRAWS:
                        drawn = now
                        if written.strip():
                            live.draw(lines_now(written), _LIVE_LINES)
                        else:
                            live.draw(waiting())
            except Exception:
                if not written.strip():
                    live.finish(papers())  # nothing is waited for any more
                raise
        raise AssertionError("a stream ends with its answer")

    @property
    def _indent(self) -> int:
        return _INDENT if self._size().columns >= 60 else 0

    def _size(self) -> os.terminal_size:
        try:
            return os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return shutil.get_terminal_size()

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

    def _ansi(self, line: "Text") -> str:
        if self.plain:
            return line.plain
        from rich.color import ColorSystem
        from rich.console import Console

        segments = line.render(Console(color_system="standard", force_terminal=True))
        return "".join(
            segment.style.render(segment.text, color_system=ColorSystem.STANDARD) if segment.style else segment.text
            for segment in segments
        )


class _Live:
    """Lines at the bottom that are drawn again and again; the finished ones above them stay.

    If the terminal is resized, what is finished is written once more in the new width, below: a terminal may
    have wrapped or cut the old lines, and none can be asked which.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._finished: list[str] = []
        self._drawn = 0
        self._width = output.width

    def __enter__(self) -> "_Live":
        self._output._write("\n\x1b[?25l")
        return self

    def __exit__(self, *_: object) -> None:
        self._output._write(("\n" if self._drawn else "") + "\x1b[?25h")

    def draw(self, lines: "Sequence[Text]", live: int | None = None) -> None:
        """Show these lines; the last `live` ones (or all) may change at the next call."""
        if self._width != self._output.width:
            self._width, self._finished = self._output.width, []
        stays = len(self._finished)
        finished = max(stays, len(lines) - live) if live is not None else stays
        self._write(lines[stays:finished], lines[finished:][-max(self._output._size().lines - 2, 1) :])

    def finish(self, lines: "Sequence[Text]") -> None:
        """Show all of these lines for good; once more from the first, if what is finished already differs."""
        stays = len(self._finished)
        if self._width != self._output.width or self._finished != [line.plain for line in lines[:stays]]:
            self._write([], [])
            self._output._write("\n" if stays else "")
            stays = 0
        self._write(lines[stays:], [])
        if not lines:  # the blank line that is to stand above them
            self._output._write("\x1b[A")

    def _write(self, finished: "Sequence[Text]", live: "Sequence[Text]") -> None:
        up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
        text = f"\r{up}\x1b[J" if self._drawn else ""
        text += "".join(self._output._ansi(line) + "\n" for line in finished)
        text += "\n".join(map(self._output._ansi, live))
        self._output._write(text)
        self._finished += [line.plain for line in finished]
        self._drawn = len(live)


@contextlib.contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Within, Ctrl-C sets the event that is yielded; a second one raises KeyboardInterrupt."""
    stop = threading.Event()

    def interrupt(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def silent_keys() -> Iterator[None]:
    """What is typed while an answer is written is not echoed into it; the next prompt reads it.

    That prompt must open within: a Ctrl-D that is typed where the terminal reads lines is lost to it.
    """
    try:
        import termios

        before = termios.tcgetattr(sys.stdin)
    except (ImportError, OSError, ValueError, AttributeError):  # no terminal, or none of this kind
        yield
        return
    quiet: list[Any] = [*before]
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(sys.stdin, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
