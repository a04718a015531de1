"""The terminal chat: one line after another is read, and answered or done.

Loads its papers and model behind the prompt. Knows neither argv nor how anything is loaded.
"""

import contextlib
import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bot.terminal.commands import BY_NAME, Call, read_line, usage
from bot.terminal.complete import Known, complete
from bot.terminal.files import write_file
from bot.terminal.keyboard import PlainInput, PromptInput, can_edit, edit
from bot.terminal.library import Cancelled, Library, Loaders
from bot.terminal.screen import Output, silent_keys, stop_on_interrupt
from bot.terminal.status import Status, status_line
from rag.errors import FootnoteError, QuestionError, SessionError

if TYPE_CHECKING:
    from bot.terminal.talk import Talk
    from rag.filters import Filter
    from rag.retrieve import Retriever
    from rag.settings import Settings

T = TypeVar("T")
LEFT, INTERRUPTED = 0, 130
# What /set takes, with some values to choose from.
_SETTINGS = {
    "top_k": ("3", "5", "10"),
    "max_tokens": ("160", "320", "1000"),
    "temperature": ("0", "0.7"),
    "seed": ("0", "1"),
}
# Titles of so many papers are kept for completion: seconds to read, and some megabytes.
_MOST_TITLES = 50_000
# Of a conversation that goes on so many turns are shown.
_TURNS_SHOWN = 3


class Chat:
    """A chat on this terminal; `run` it once.

    `resume` names the conversation to go on with, "" the last one; None begins another. With `keep` false
    nothing is written to disk.
    """

    def __init__(self, loaders: Loaders, *, person: str, resume: str | None = None, keep: bool = True) -> None:
        self.output = Output()
        self.library = Library(loaders)
        self._person = person
        self._resume = resume
        self._keep = keep
        self._talk: Talk | None = None
        self._filter: Filter | None = None
        self._changed: dict[str, str] = {}
        self._titles: Sequence[str] = ()
        self._years: Sequence[int] = ()
        self._tokens_per_s: float | None = None

    def run(self) -> int:
        """Talk until the person leaves; returns the exit code. Raises FootnoteError if a part cannot be loaded."""
        with silent_keys() if can_edit() else contextlib.nullcontext():
            return self._run()

    def _run(self) -> int:
        self._input: PlainInput | PromptInput
        if can_edit():
            self._input = PromptInput(
                self._history_file, self._complete, self._status, self._shown, plain=self.output.plain
            )
            self.library.changed = self._loaded
            self.output.stream.write("Ask the papers. /help lists the rest.\n")
        else:
            self._input = PlainInput()
            self.library.start()
            self.library.generator.result()
            self.output.note(f"{self._status(1000)}\nCtrl-C stops an answer; Ctrl-D leaves.")
        if self._resume is not None:
            self.library.start()
            self._load(Call("load", self._resume or self._newest()))
        code = self._loop()
        if self._talk:
            self._talk.save()
        return code

    @property
    def talk(self) -> "Talk":
        """The conversation; waits until it is known where conversations are kept."""
        if self._talk is None:
            from bot.sessions import Key, Sessions
            from bot.terminal.talk import Talk

            path = self.library.settings.result().sessions_path
            self._talk = Talk(Sessions(path) if self._keep else None, Key("terminal", "", self._person))
        return self._talk

    @property
    def settings(self) -> "Settings":
        """The settings, with what /set changed."""
        loaded = self.library.settings.result()
        if not self._changed:
            return loaded
        from rag.settings import load_settings

        return load_settings(**loaded.model_dump(exclude=set(self._changed)) | self._changed)

    def _loop(self) -> int:
        default, interrupted = "", False
        while True:
            try:
                line = self._input.read(default)
            except EOFError:
                return LEFT
            except KeyboardInterrupt:
                if interrupted:
                    return INTERRUPTED
                default, interrupted = "", True
                self.output.note("Ctrl-C again leaves, as does Ctrl-D.")
                continue
            default, interrupted = "", False
            try:
                read = read_line(line)
                if read == Call("quit"):
                    return LEFT
                if isinstance(read, Call):
                    default = self._do(read)
                elif read:
                    interrupted = self._ask(read)
            except Cancelled:
                self.output.note("Stopped.")
                default, interrupted = line, True
            except KeyboardInterrupt:
                return INTERRUPTED
            except FootnoteError as error:
                if error is self.library.failure:
                    raise
                self.output.note(str(error))

    def _ask(self, question: str, *, instead: bool = False) -> bool:
        """Answer a question; returns whether Ctrl-C stopped it."""
        history = self.talk.history[: -1 if instead else None]
        with stop_on_interrupt() as stop:
            events = self.library.ask(question, history, self._filter, self.settings, stop)
            answer = self.output.play(events, lambda: self.library.generator.result() is None, self._loading, stop)
            if instead and not answer.text:
                self.output.note("Stopped; the answer of before is kept.")
                return True
            self._tokens_per_s = answer.timings.tokens_per_s
            self.output.show_below(answer, unanswered=self._filter_note())
            self.talk.add(answer, instead=instead)
        return stop.is_set()

    def _do(self, call: Call) -> str:
        """Run a command; returns what is to stand at the next prompt."""
        own: dict[str, Callable[[Call], str | None]] = {
            "help": self._help, "edit": self._edit, "filter": self._set_filter, "retry": self._retry,
            "undo": self._undo, "clear": self._clear, "copy": self._copy, "export": self._export, "save": self._save,
            "sessions": self._sessions, "load": self._load, "forget": self._forget, "set": self._set,
        }  # fmt: skip
        return own.get(call.name, self._papers)(call) or ""

    def _papers(self, call: Call) -> None:
        """A command about papers: show what it says, and open the link where there is one."""
        from bot.terminal.papers import run

        shown, address = run(call, self.talk, self._search, self._filter, self.settings.top_k, self.output.width)
        if isinstance(shown, str):
            self._give(shown, call)
        else:
            self.output.show(shown)
        if address and self.output.browse(address):
            self.output.note("Opened in the browser.")

    def _search(self, work: "Callable[[Retriever], T]") -> T:
        with stop_on_interrupt() as stop:
            return self.library.search(work, stop)

    def _give(self, text: str, call: Call) -> None:
        """Show a text that is to be pasted, or write it to the file that was named."""
        if call.file:
            self.output.note(f"Written to {write_file(call.file, f'{text}{chr(10)}', append=call.append)}.")
        else:
            self.output.print(text)

    def _help(self, call: Call) -> None:
        from bot.terminal.views import help_

        one = BY_NAME.get(call.argument.lstrip("/"))
        self.output.show(help_([one] if one else list(BY_NAME.values())))

    def _edit(self, _: Call) -> str:
        return edit(self.talk.history[-1] if self.talk.turns else "")

    def _set_filter(self, call: Call) -> None:
        from rag.filters import read_filter

        self._filter = None if call.argument.lower() in {"", "off"} else read_filter(call.argument)
        self.output.note(self._filter_note() or "All papers are used.")

    def _filter_note(self) -> str:
        return f"Only papers of {self._filter} are used. /filter off ends it." if self._filter else ""

    def _retry(self, _: Call) -> None:
        self.talk.require_turn()
        self._ask(self.talk.history[-1], instead=True)

    def _undo(self, _: Call) -> None:
        self.output.note(f"Taken back: {self.talk.take_back()}")

    def _clear(self, _: Call) -> None:
        self.talk.clear()
        self.output.clear()

    def _copy(self, _: Call) -> None:
        from bot.render import sources_text

        answer = self.talk.answer()
        done = self.output.copy(f"{answer.text}\n\n{sources_text(answer)}\n")
        self.output.note("Copied." if done else "There is no clipboard here. /export md > FILE writes a file.")

    def _export(self, call: Call) -> None:
        from bot.terminal.export import KINDS, file_name

        kind = call.argument.lower() or "md"
        if kind not in KINDS:
            raise QuestionError(f"There is no format {kind!r}.", f"Write: {usage(BY_NAME['export'])}")
        self.talk.require_turn()
        name = call.file or file_name(self.talk.turns, kind)
        if not call.file and Path(name).exists():
            raise QuestionError(f"{name} is there already.", f"To replace it: /export {kind} > {name}")
        path = write_file(name, KINDS[kind](self.talk.turns), append=call.append)
        self.output.note(f"Written to {path}.")

    def _save(self, call: Call) -> None:
        if not call.argument:
            raise QuestionError("Which name?", f"Write: {usage(BY_NAME['save'])}")
        kept = self.talk.kept()
        self.talk.require_turn()
        self.talk.save()
        assert self.talk.conversation
        kept.rename(self.talk.conversation.id, call.argument)
        self.output.note(f"Kept. To go on: footnote chat --resume {shlex.quote(call.argument)}")

    def _sessions(self, _: Call) -> None:
        from bot.terminal.views import conversations

        self.output.show(conversations(self.talk.kept().recent(), time.time()))

    def _load(self, call: Call) -> None:
        from bot.terminal.views import before

        if not call.argument:
            return self._sessions(call)
        self.talk.resume(self.talk.kept().find(call.argument))
        self.output.show(before(self.talk.turns[-_TURNS_SHOWN:], len(self.talk.turns)))

    def _newest(self) -> str:
        newest = self.talk.kept().newest(self.talk.key)
        if newest is None:
            raise SessionError("No conversation is kept yet.", "Begin one: footnote chat")
        return newest.id

    def _forget(self, call: Call) -> None:
        if not call.argument:
            raise QuestionError("Which conversation?", f"Write: {usage(BY_NAME['forget'])}")
        gone = self.talk.forget(call.argument)
        if call.argument.lower() == "all":
            self._forget_typed()
        self.output.note(f"Forgotten: {gone}.")

    def _forget_typed(self) -> None:
        self._input.forget()
        path = self._history_file()
        try:
            if path and path.exists():
                os.truncate(path, 0)
        except OSError as exc:
            raise SessionError(f"Cannot empty {path}: {exc.strerror}.", "Remove it.") from exc

    def _set(self, call: Call) -> None:
        name, _, value = call.argument.partition(" ")
        if name and name not in _SETTINGS:
            raise QuestionError(f"There is no setting {name!r} to set here.", f"There are {', '.join(_SETTINGS)}.")
        before = self._changed
        if value:
            self._changed = before | {name: value.strip()}
        try:
            values = self.settings
        except FootnoteError:
            self._changed = before
            raise
        self.output.note("\n".join(f"{shown} {getattr(values, shown)}" for shown in ([name] if name else _SETTINGS)))

    def _shown(self) -> None:
        """The prompt is there: load, or tell it what failed before it was."""
        self.library.start()
        if failure := self.library.failure:
            self._input.fail(failure)

    def _loaded(self) -> None:
        """On the library's thread: the papers or the model are there, or cannot be had."""
        if failure := self.library.failure:
            self._input.fail(failure)
        elif not self.library.is_loading:
            with contextlib.suppress(FootnoteError):  # the store went away; the next question says so
                self._learn()
        self._input.refresh()

    def _learn(self) -> None:
        """Note what completion offers of the papers."""
        store = self.library.shelf.result().retriever().store
        years = {int(year) for year in store.rows.years} - {0}
        self._years = sorted(years, reverse=True)
        self._input.refresh()
        if store.manifest.papers <= _MOST_TITLES:
            self._titles = [paper.title for paper in store.papers(range(store.manifest.papers))]

    def _history_file(self) -> Path | None:
        """Where what is typed is kept; waits until that is known. None if nowhere, or if the settings are wrong."""
        if not self._keep or self.library.settings.exception():  # the prompt ends with what is wrong
            return None
        return self.library.settings.result().sessions_path.with_name("history")

    def _complete(self, text: str) -> Iterator[tuple[str, int, str]]:
        conversations: list[tuple[str, str]] = []
        if self._talk and self._talk.sessions and text.startswith(("/load", "/forget")):
            with contextlib.suppress(SessionError):  # whoever sends the line is told
                conversations = [(found.name or found.id, found.title) for found in self._talk.sessions.recent()]
        listed = [found.paper.title for found in self._talk.listing] if self._talk else []
        return complete(text, Known(self._titles, listed, _SETTINGS, conversations, self._years))

    def _loading(self) -> str:
        return status_line(self._state(), 1000) if self.library.is_loading else "searching"

    def _status(self, width: int) -> str:
        return status_line(self._state(), width)

    def _state(self) -> Status:
        shelf, generator = self.library.shelf, self.library.generator
        # Asked before the failure: what fails from here on is told at the next drawing.
        is_loading = self.library.is_loading
        if self.library.failure or not shelf.done():
            return Status()
        try:
            manifest = shelf.result().retriever().store.manifest
        except FootnoteError:  # the next question says so
            return Status(is_loading=False)
        model = None if is_loading else generator.result()
        return Status(
            papers=manifest.papers,
            generation=manifest.generation,
            model=model.name if model else None,
            is_loading=is_loading,
            filter=str(self._filter or ""),
            tokens_per_s=self._tokens_per_s,
            unsaved=self._talk.unsaved if self._talk else 0,
        )
