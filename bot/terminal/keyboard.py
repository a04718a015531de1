"""What is typed: plain lines, or prompt_toolkit's editor. The only importer of prompt_toolkit."""

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory, ThreadedHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

PROMPT = "› "
_STYLE = Style.from_dict(
    {"bottom-toolbar": "noreverse fg:ansibrightblack", "prompt": "bold", "completion-menu": "noreverse"}
)

Complete = Callable[[str], Iterable[tuple[str, int, str]]]


def can_edit() -> bool:
    """Whether lines can be edited here: on a terminal that can move its cursor."""
    streams = (sys.stdin, sys.stdout)
    return all(stream and stream.isatty() for stream in streams) and os.environ.get("TERM", "dumb") != "dumb"


class PlainInput:
    """Lines of standard input; on a terminal with a prompt and nothing else."""

    def read(self, _default: str = "") -> str:
        """The next line. Raises EOFError at the end of the input."""
        if sys.stdin is None:
            raise EOFError
        if sys.stdin.isatty():
            print(f"\n{PROMPT}", end="", file=sys.stdout if sys.stdout.isatty() else sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    def refresh(self) -> None:
        """Nothing is drawn that could be out of date."""

    def forget(self) -> None:
        """Nothing is remembered."""

    def fail(self, error: BaseException) -> None:
        """Whoever waits for what failed is told then."""


class PromptInput:
    """prompt_toolkit's line editor, with history, completion, several lines and a status line."""

    def __init__(
        self,
        history_file: "Callable[[], Path | None]",
        complete: Complete,
        status: Callable[[int], str],
        shown: Callable[[], None],
        plain: bool,
    ) -> None:
        """`history_file` may wait until it is known where it is; `shown` is called when the prompt first is."""
        self._history_file = history_file
        self._session: PromptSession[str] = PromptSession(
            history=_Typed(_KeptHistory(history_file)),
            completer=_Completions(complete),
            # While a question is typed nothing pops up; Tab completes titles there.
            complete_while_typing=Condition(lambda: self._session.default_buffer.text.startswith("/")),
            bottom_toolbar=lambda: [("class:bottom-toolbar", status(self._session.app.output.get_size().columns - 1))],
            multiline=True,
            prompt_continuation="  ",
            key_bindings=_keys(),
            enable_open_in_editor=True,
            tempfile_suffix=".txt",
            enable_history_search=False,
            style=_STYLE,
            color_depth=ColorDepth.DEPTH_1_BIT if plain else ColorDepth.DEPTH_4_BIT,
            reserve_space_for_menu=6,
        )
        self._shown = shown
        self._session.app.after_render += lambda _: self._shown()

    def read(self, default: str = "") -> str:
        """What was typed, of one or several lines. Raises EOFError or KeyboardInterrupt."""
        print()
        return self._session.prompt([("class:prompt", PROMPT)], default=default)

    def forget(self) -> None:
        """Remember nothing that was typed until now but what is in the file."""
        history = _Typed(_KeptHistory(self._history_file))
        self._session.history = self._session.default_buffer.history = history

    def refresh(self) -> None:
        """Draw the status line again, if a prompt is open; from any thread."""
        app = self._session.app
        loop = app.loop  # of the prompt that is open; it may close at any moment
        if loop:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(app.invalidate)

    def fail(self, error: BaseException) -> None:
        """End a prompt that is open by raising this from it; from any thread."""
        app = self._session.app

        def end() -> None:
            if app.is_running and not (app.future and app.future.done()):
                app.exit(exception=error)

        loop = app.loop  # it may close at any moment; `end` looks again
        if loop:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(end)


def edit(text: str) -> str:
    """Let a person change a text in their editor. Raises FootnoteError if it cannot be run."""
    import shlex
    import subprocess
    import tempfile

    from rag.errors import FootnoteError

    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", suffix=".txt", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            with create_input().cooked_mode():  # an editor may read lines
                subprocess.run([*shlex.split(command), file.name], check=True)
        except (OSError, ValueError, subprocess.SubprocessError) as exc:
            raise FootnoteError(f"Cannot edit with {command!r}: {exc}.", "Set EDITOR to an editor.") from exc
        return Path(file.name).read_text(encoding="utf-8", errors="replace").strip()


class _KeptHistory(History):
    """What was typed, in a file that only its owner can read; without a file until the program ends."""

    def __init__(self, file: "Callable[[], Path | None]") -> None:
        super().__init__()
        self._file = file
        self._kept: History | None = None

    def load_history_strings(self) -> Iterable[str]:
        return self._open().load_history_strings()

    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):  # conversations, which matter, are kept elsewhere and say so
            self._open().store_string(string)

    def _open(self) -> History:
        if self._kept is None:
            path = self._file()
            kept: History = InMemoryHistory()
            if path:
                with contextlib.suppress(OSError):
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                    kept = FileHistory(path)
            self._kept = kept
        return self._kept


class _Typed(ThreadedHistory):
    """Read on a thread once, and at hand at once from then on: Up may be typed as soon as a prompt is there."""

    async def load(self) -> AsyncGenerator[str, None]:
        if not self._loaded:
            async for line in super().load():
                yield line
            return
        for line in list(self._loaded_strings):
            yield line


class _Completions(Completer):
    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:
        for text, start, about in self._complete(document.text_before_cursor):
            yield Completion(text, start, display_meta=about)


def _keys() -> KeyBindings:
    """Enter asks, also one typed ahead, which comes as Ctrl-J; Alt-Enter begins a line.

    A chosen completion is taken by Enter first.
    """
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
