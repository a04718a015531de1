"""The terminal chat: one question after another, answers printed as they are written.

Follow-ups are resolved against the questions before them. Ctrl-C stops the answer being written and
keeps what came; at the prompt it leaves.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator

from bot.render import NO_MODEL, notes_text, sources_text
from rag.answer import Answerer, Event, Wrote
from rag.errors import FootnoteError
from rag.types import Answer

PROMPT = "\n> "
_LEAVE = {"exit", "quit", "/exit", "/quit"}


def chat(open_answerer: Callable[[], Answerer]) -> int:
    """Ask and answer until the input ends. Returns the exit code.

    `open_answerer` is called before each question, so that a rebuild takes effect between two of them.
    """
    answerer = open_answerer()
    papers = answerer.retriever.store.manifest.papers
    model = f"The language model is {answerer.generator.name}." if answerer.generator else NO_MODEL
    print(f"{papers} papers. {model}\nCtrl-C stops an answer; Ctrl-D leaves.", file=sys.stderr)
    history: list[str] = []
    while True:
        try:
            question = input(PROMPT if sys.stdin and sys.stdin.isatty() else "").strip()
        except (EOFError, KeyboardInterrupt, RuntimeError):  # the last if standard input is closed
            print(file=sys.stderr)
            return 0
        if question.lower() in _LEAVE:
            return 0
        if not question:
            continue
        try:
            with stop_on_interrupt() as stop:
                answer = print_stream(open_answerer().stream(question, history, stop))
        except FootnoteError as error:
            print(error, file=sys.stderr)
            continue
        history.append(answer.question)
        print(f"\n{sources_text(answer)}")
        if notes := notes_text(answer):
            print(f"\n{notes}", file=sys.stderr)


def print_stream(events: Iterable[Event]) -> Answer:
    """Print an answer as it is written; returns it finished.

    What was written is printed again if checking changed it, since a marker that was taken out must not
    be left standing.
    """
    written = ""
    for event in events:
        if isinstance(event, Wrote):
            written += event.text
            print(event.text, end="", flush=True)
        elif isinstance(event, Answer):
            if written:
                print()
            if written.strip() != event.text:
                print(f"\nChecked:\n{event.text}" if written else event.text)
            return event
    raise AssertionError("a stream ends with its answer")


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
