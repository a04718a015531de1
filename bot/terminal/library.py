"""Settings, papers and model, loaded and used on one thread of their own.

A llama.cpp context is not thread-safe, and the prompt must not wait for either: what is asked meanwhile is done
in order once all is loaded. Knows nothing of the terminal.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rag.answer import Answerer, Event
    from rag.filters import Filter
    from rag.generate import LlamaGenerator
    from rag.retrieve import Retriever
    from rag.settings import Settings
    from rag.shelf import Shelf

T = TypeVar("T")
# How often a surface is called while nothing happens, so that it may redraw, or notice Ctrl-C.
_TICK_SECONDS = 0.05


class Cancelled(Exception):
    """Something was stopped before it began."""


class Loaders(Protocol):
    """How the parts are loaded; the command line says so."""

    def settings(self) -> "Settings": ...  # noqa: D102
    def shelf(self, settings: "Settings") -> "Shelf": ...  # noqa: D102
    def generator(self, settings: "Settings") -> "LlamaGenerator | None": ...  # noqa: D102


class Library:
    """The three parts, each a future, and a thread that does what is submitted.

    `changed` is called, on that thread, when a part was loaded or could not be.
    """

    def __init__(self, loaders: Loaders, changed: Callable[[], None] = lambda: None) -> None:
        self.settings: Future[Settings] = Future()
        self.shelf: Future[Shelf] = Future()
        self.generator: Future[LlamaGenerator | None] = Future()
        self.changed = changed
        self._loaders = loaders
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="library", daemon=True)

    def start(self) -> None:
        """Begin to load; again without effect."""
        if self._thread.ident is None:
            self._thread.start()

    @property
    def failure(self) -> BaseException | None:
        """Why a part could not be loaded."""
        parts: tuple[Future[object], ...] = (self.settings, self.shelf, self.generator)  # type: ignore[assignment]
        return next((part.exception() for part in parts if part.done() and part.exception()), None)

    @property
    def is_loading(self) -> bool:
        """Whether a part is still to come."""
        return not self.generator.done()

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Do something on the thread, after what was submitted before."""
        result: Future[T] = Future()

        def run() -> None:
            if result.set_running_or_notify_cancel():
                _settle(result, work)

        self._work.put(run)
        return result

    def search(self, work: "Callable[[Retriever], T]", stop: threading.Event) -> T:
        """Do something with the papers. Raises what it raises, and Cancelled once `stop` is set."""
        job = self.submit(lambda: work(self.shelf.result().retriever()))
        while True:
            try:
                return job.result(timeout=_TICK_SECONDS)
            except TimeoutError:
                if self.failure:
                    raise self.failure from None
                if stop.is_set():
                    job.cancel()
                    raise Cancelled from None

    def ask(
        self,
        question: str,
        history: Sequence[str],
        filter_: "Filter | None",
        settings: "Settings",
        stop: threading.Event,
    ) -> "Iterator[Event | None]":
        """What happens while a question is answered, and None every so often while nothing does.

        Raises what the answerer raises, and Cancelled if `stop` is set before it began.
        """
        events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()

        def work() -> None:
            try:
                for event in self._answerer(filter_, settings).stream(question, history, stop):
                    events.put(event)
            except BaseException as exc:
                events.put(exc)

        job = self.submit(work)
        while True:
            try:
                event = events.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                if self.failure:
                    raise self.failure from None
                if stop.is_set() and job.cancel():
                    raise Cancelled from None
                yield None
                continue
            if isinstance(event, BaseException):
                raise event
            yield event

    def _answerer(self, filter_: "Filter | None", settings: "Settings") -> "Answerer":
        from rag.answer import Answerer

        generator = self.generator.result()
        if generator:
            generator.temperature, generator.seed = settings.temperature, settings.seed
        return Answerer(self.shelf.result().retriever(), generator, settings.top_k, settings.max_tokens, filter=filter_)

    def _load_generator(self) -> "LlamaGenerator | None":
        self.shelf.result()
        return self._loaders.generator(self.settings.result())

    def _run(self) -> None:
        loaders = self._loaders
        # A part that needs one that could not be loaded fails with it.
        _settle(self.settings, loaders.settings)
        self.changed()
        _settle(self.shelf, lambda: loaders.shelf(self.settings.result()))
        self.changed()
        _settle(self.generator, self._load_generator)
        self.changed()
        while True:
            self._work.get()()


def _settle(future: "Future[T]", work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as exc:
        future.set_exception(exc)
