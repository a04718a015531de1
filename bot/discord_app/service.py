"""Starts the bot and ends it: loading, connecting, signals, housekeeping.

Order: the token's shape, Discord's word on it, the models, the connection. SIGTERM or SIGINT: no more
questions; the running one may end, the others are parked, everybody is told; out within ten seconds.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bot.discord_app.asking import Desk, Draft
from bot.discord_app.client import FootnoteClient
from bot.discord_app.commands import add_commands
from bot.discord_app.connection import log_in, stay_connected
from bot.discord_app.kept import Kept, kept_path
from bot.discord_app.library import Library
from bot.discord_app.logs import log_to
from bot.discord_app.parsing import token_problem
from bot.discord_app.reindex import rebuild_elsewhere
from bot.discord_app.watch import Watch, metrics_text, serve_metrics
from bot.discord_app.wording import span
from bot.queue import Limits
from bot.sessions import Sessions
from rag.answer import Answerer, Wrote
from rag.errors import ConfigurationError, SessionError
from rag.reader import shipped_reader
from rag.settings import Settings
from rag.shelf import Shelf
from rag.types import Answer, Embedder, Generator

_log = logging.getLogger(__name__)

# Of the ten seconds: for the running answer to end by itself, for what is parked to be told (twice: the model's
# thread, then the replies), and for the connection to close.
_GRACE_S, _PARKING_S, _CLOSING_S = 3.0, 2.0, 1.0
_HOUSEKEEPING_S = 3600.0
# "Retry" looks at so many papers more, since the same ones would give the same answer.
_WIDER = 3


class Engine:
    """The language model and the library it answers from; `answer` is for the model's thread alone."""

    def __init__(self, library: Library, load_generator: Callable[[], Generator | None], settings: Settings) -> None:
        self._library = library
        self._load_generator = load_generator
        self._settings = settings
        self._generator: Generator | None = None
        self.loaded = False

    def load(self) -> None:
        """Load everything, so that nobody's first question waits for it."""
        self._generator = self._load_generator()
        self._library.nearest("warm")
        shipped_reader().read("warm", [("", ["warm"])])
        self.loaded = True

    @property
    def model(self) -> str:
        """The language model's name."""
        return self._generator.name if self._generator else "none"

    def answer(self, question: str, history: Sequence[str], wider: bool, draft: Draft, stop: threading.Event) -> Answer:
        """Answer from the generation that serves now, appending to the draft."""
        answerer = Answerer(
            self._library.retriever(),
            self._generator,
            self._settings.top_k + (_WIDER if wider else 0),
            self._settings.max_tokens,
        )
        for event in answerer.stream(question, history, stop):
            if isinstance(event, Wrote):
                draft.text += event.text
            elif isinstance(event, Answer):
                return event
        raise AssertionError("a stream ends with its answer")


def run(
    settings: Settings,
    paths: Sequence[Path],
    open_embedder: Callable[[], Embedder],
    load_generator: Callable[[], Generator | None],
) -> int:
    """Serve until a signal comes; returns the exit code. Raises ConfigurationError and what opening a store raises."""
    token = settings.discord_token.get_secret_value().strip()
    if problem := token_problem(token):
        raise ConfigurationError(
            f"FOOTNOTE_DISCORD_TOKEN is no bot's token: {problem}.",
            "Copy it from the application's page under Bot; docs/discord.md shows where.",
        )
    log_to(sys.stderr, token)
    return asyncio.run(_serve(settings, token, paths, open_embedder, load_generator))


async def _serve(
    settings: Settings,
    token: str,
    paths: Sequence[Path],
    open_embedder: Callable[[], Embedder],
    load_generator: Callable[[], Generator | None],
) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    library = Library(Shelf(settings.store, open_embedder()), settings.top_k)
    library.store()  # a missing store is said before anything else
    engine = Engine(library, load_generator, settings)
    kept = Kept(kept_path(settings))
    sessions = Sessions(settings.sessions_path)
    desk = Desk(library, engine.answer, kept, sessions, Watch(), settings.discord_log_text)
    limits = Limits(
        settings.discord_waiting_per_person,
        settings.discord_waiting_per_server,
        settings.discord_waiting,
        settings.discord_wait_s,
        settings.discord_answer_s,
    )
    client = FootnoteClient(desk, limits, settings.discord_read_messages)
    add_commands(
        client,
        lambda: _facts(desk, engine, client.latency),
        lambda tell: rebuild_elsewhere(paths, settings.store, tell),
    )
    client.left_open = kept.open_questions()

    async def connect() -> None:
        await log_in(client, token, settings.discord_api_base, settings.discord_gateway)
        await desk.look_up(engine.load)
        await stay_connected(client)

    ends: list[Callable[[], Any]] = []
    if settings.discord_metrics_port:
        ends.append(await _metrics(settings, desk))
    background = [
        asyncio.create_task(work)
        for work in (desk.watch.run(), desk.keep_time(), _keep_house(desk, settings.discord_forget_days))
    ]
    connected = asyncio.create_task(connect())
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({connected, stopped}, return_when=asyncio.FIRST_COMPLETED)
    _log.info("ending")
    joined = await desk.close(_GRACE_S, _PARKING_S)
    failure = connected.exception() if connected.done() and not connected.cancelled() else None
    for task in (*background, connected, stopped):
        task.cancel()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(client.close(), _CLOSING_S)
    for end in ends:
        await end()
    kept.close()
    _log.info("ended")
    if failure is not None:
        raise failure
    if not (joined and engine.loaded):
        # A thread is inside llama.cpp. Python's own way out would free the model under it.
        sys.stderr.flush()
        os._exit(0)
    return 0


async def _keep_house(desk: Desk, days: float) -> None:
    """Forget what is older than it may be; until cancelled."""
    while True:
        with contextlib.suppress(SessionError):
            await desk.off_loop(desk.sessions.forget_older, days, "discord")
            await desk.off_loop(desk.kept.forget_older, days)
        await asyncio.sleep(_HOUSEKEEPING_S)


async def _metrics(settings: Settings, desk: Desk) -> Callable[[], Any]:
    host, port = settings.discord_metrics_host, settings.discord_metrics_port
    try:
        return await serve_metrics(host, port, lambda: _metrics_text(desk))
    except OSError as exc:
        raise ConfigurationError(
            f"Cannot serve metrics on {host}:{port}: {exc.strerror}.",
            "Set FOOTNOTE_DISCORD_METRICS_PORT to a free one.",
        ) from exc


def _metrics_text(desk: Desk) -> str:
    values = {
        "up_seconds": time.monotonic() - desk.watch.began,
        "waiting": len(desk.queue.order()),
        "running": float(desk.queue.running is not None),
        "loop_lag_seconds": desk.watch.lag_s(0.99),
        "worst_loop_lag_seconds": desk.watch.worst_lag_s,
        "disconnects": desk.watch.disconnects,
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "memory_bytes": _memory_bytes(),
    }
    return metrics_text(values, {"questions": ("state", desk.watch.ended), "requests": ("status", desk.watch.requests)})


def _facts(desk: Desk, engine: Engine, latency_s: float) -> dict[str, Any]:
    manifest = desk.library.store().manifest
    watch = desk.watch
    return {
        "Up for": span(time.monotonic() - watch.began),
        "Papers": f"{manifest.papers} in {manifest.generation}, built {manifest.built_at}",
        "Model": engine.model,
        "Queue": f"{len(desk.queue.order())} waiting, {'one' if desk.queue.running else 'none'} being answered",
        "Questions": ", ".join(f"{count} {state}" for state, count in sorted(watch.ended.items())) or "none yet",
        "Event loop": f"{watch.lag_s(0.99) * 1000:.0f} ms late (99 of 100), at worst {watch.worst_lag_s * 1000:.0f}",
        "Discord": f"heartbeat {latency_s * 1000:.0f} ms, {watch.disconnects} disconnects",
        "Memory": f"{_memory_bytes() / 2**20:.0f} MiB",
    }


def _memory_bytes() -> int:
    """What the process has in memory now, or where that cannot be told, had at most."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
