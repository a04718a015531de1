"""One question's life: kept, queued, shown as it goes, and ended by exactly one final reply.

Knows nothing of Discord's library: where a reply stands is a `Reply`. The event loop only waits here; the
model runs on the queue's thread, and what blocks (store, SQLite) on others. The model never waits for
Discord: it appends to a `Draft` that is looked at every second or so.
"""

import asyncio
import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Protocol, TypeVar

from bot.discord_app import wording
from bot.discord_app.cards import AGAIN, Post, answer_posts, waiting_post, writing_post
from bot.discord_app.kept import Asked, Kept
from bot.discord_app.library import Library
from bot.discord_app.markdown import disarmed
from bot.discord_app.watch import Watch
from bot.queue import FairQueue, Job, Limits, QueueRefused, State
from bot.sessions import Conversation, Key, Sessions
from rag.errors import FootnoteError, SessionError
from rag.types import Answer, ScoredPaper

T = TypeVar("T")
_log = logging.getLogger(__name__)

# Discord lets a message be edited about once a second; a queue's places change less often than words are written.
_WRITING_S, _WAITING_S, _SLOWEST_S = 1.2, 4.0, 5.0
# How often the final reply is tried again while Discord is away, and for how long; later it is told after a restart.
_RETRY_S, _SLOWEST_RETRY_S, _GIVE_UP_S = 1.0, 30.0, 1800.0
_EXPIRE_EVERY_S = 1.0
# Earlier questions that a follow-up may lean on.
TURNS = 20


class Unreachable(Exception):
    """Discord did not take what was sent; it may later."""


class Gone(Exception):
    """The message or its channel is no longer there, or closed to the bot: there is nobody to reply to."""


class Reply(Protocol):
    """The message that replies to one question. Raises Unreachable or Gone."""

    async def show(self, post: Post) -> None:
        """Let it show this."""

    async def finish(self, posts: Sequence[Post]) -> None:
        """Let it show the first of these, and further messages the others. Called again if it failed."""

    @property
    def message_id(self) -> int | None:
        """Its id; None if there is no message yet."""


class Draft:
    """What the model has written so far; one thread appends, another reads."""

    def __init__(self) -> None:
        self.text = ""


Answering = Callable[[str, Sequence[str], bool, Draft, threading.Event], Answer]
"""question, earlier questions, whether to look at more papers, draft, stop -> answer; on the model's thread"""


@dataclass(frozen=True, slots=True)
class Style:
    """How one server wants it."""

    limits: Limits
    show_model: bool = True


class Desk:
    """Takes questions in; used on the event loop's thread."""

    def __init__(
        self, library: Library, answering: Answering, kept: Kept, sessions: Sessions, watch: Watch, log_text: bool
    ) -> None:
        self.queue: FairQueue[Answer] = FairQueue()
        self.kept = kept
        self.sessions = sessions
        self.library = library
        self._answering = answering
        self.watch = watch
        self._log_text = log_text
        # Two pools, so that a button never waits for the queries of a hundred questions to be embedded.
        self._records = ThreadPoolExecutor(2, "records")
        self._lookups = ThreadPoolExecutor(2, "lookups")
        self._open: dict[str, Asked] = {}
        """The questions until their final reply is shown."""
        self._forgotten: set[str] = set()
        """Those of them of which nothing is to be kept."""
        self._keeping = threading.Lock()
        self._jobs: dict[str, Job[Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def off_loop(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call what blocks for milliseconds, such as SQLite, on another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._records, function, *arguments)

    async def look_up(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call what searches the shelf on another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._lookups, function, *arguments)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a question's life as a task of its own."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ask(
        self,
        question: str,
        person: int,
        server: int,
        place: int,
        reply: Reply,
        style: Style,
        wider: bool = False,
        history: Sequence[str] | None = None,
    ) -> None:
        """From the question to its final reply. It follows the conversation, or `history` if that is given."""
        asked = Asked(secrets.token_hex(8), question, person, server, place, time.time(), tuple(history or ()))
        _log.info("asked", extra={"fields": self._described(asked)})
        self._open[asked.id] = asked
        try:
            await self._answer(asked, history is None, reply, style, wider)
        finally:
            del self._open[asked.id]
            self._forgotten.discard(asked.id)

    async def _answer(self, asked: Asked, follows: bool, reply: Reply, style: Style, wider: bool) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        draft = Draft()

        def on_end(_: Job[Answer]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: the process is on its way out
                loop.call_soon_threadsafe(ended.set)

        try:
            if follows:
                asked = replace(asked, history=await self.off_loop(self._history, asked.place, asked.person))
            await self.off_loop(self._accept, asked, reply.message_id)
            job = self.queue.submit(
                asked.person,
                asked.server,
                lambda stop: self._answering(asked.question, asked.history, wider, draft, stop),
                on_end,
                style.limits,
            )
        except (QueueRefused, FootnoteError) as refusal:
            text = wording.refused(refusal) if isinstance(refusal, QueueRefused) else disarmed(str(refusal))
            self.watch.ended["refused"] += 1
            await self._end(asked, reply, [Post(text, question_id=asked.id, buttons=(AGAIN,))])
            return
        self._jobs[asked.id] = job
        try:
            await self._follow(asked, job, draft, ended, reply)
        finally:
            del self._jobs[asked.id]
        self.watch.ended[str(job.state)] += 1
        _log.info("ended", extra={"fields": self._described(asked) | {"state": str(job.state)} | _figures(job.result)})
        if isinstance(job.error, FootnoteError):
            _log.warning("not answered", extra={"fields": {"question_id": asked.id, "why": str(job.error)}})
        elif job.error is not None:
            _log.error("failed", extra={"fields": {"question_id": asked.id}}, exc_info=job.error)
        if job.result is not None:
            with contextlib.suppress(SessionError):
                await self.off_loop(self._keep, asked, job.result)
        await self._end(asked, reply, final_posts(asked.id, job, style.show_model))

    def stop(self, question_id: str) -> bool:
        """Stop one question; whether it was still waiting or running."""
        if question_id not in self._jobs:
            return False
        self.queue.stop(self._jobs[question_id])
        return True

    async def tell_restarted(self, asked: Asked, reply: Reply) -> None:
        """End a question that a process before this one left open: with its answer, if there was one."""
        found = await self.off_loop(self.kept.find, asked.id)
        answer = found[1] if found else None
        posts = [Post(wording.RESTARTED, question_id=asked.id, buttons=(AGAIN,))]
        if answer and answer.text:
            note = wording.PARKED if answer.finish_reason == "stopped" else ""
            posts = answer_posts(asked.id, answer, note, self.kept.rules(asked.server).show_model)
        await self._end(asked, reply, posts)

    def stop_all(self, place: int, person: int) -> int:
        """Stop a person's questions in a place; returns how many."""
        return sum(map(self.stop, self._theirs(place, person)))

    def conversation(self, place: int, person: int) -> Conversation | None:
        """A person's conversation in a place, if there is one. Blocks."""
        return self.sessions.newest(_key(place, person))

    async def forget(self, place: int, person: int) -> int:
        """Stop a person's questions in a place, and forget conversation and answers; returns how many of all."""
        self._forgotten.update(self._theirs(place, person))
        return self.stop_all(place, person) + await self.off_loop(self._forget, place, person)

    def _theirs(self, place: int, person: int) -> list[str]:
        return [asked.id for asked in self._open.values() if (asked.place, asked.person) == (place, person)]

    def _forget(self, place: int, person: int) -> int:
        with self._keeping:
            gone = self.kept.forget(place, person)
            while conversation := self.conversation(place, person):
                gone += self.sessions.forget(conversation.id)
            return gone

    async def keep_time(self) -> None:
        """End what waits or runs for too long; until cancelled."""
        while True:
            self.queue.expire()
            await asyncio.sleep(_EXPIRE_EVERY_S)

    async def close(self, grace_s: float, parking_s: float) -> bool:
        """Park what waits, give the running question `grace_s` to end before it is parked, and tell everybody.

        Whether the model's thread has ended; if it has not, it is inside llama.cpp.
        """
        self.queue.close()
        joined = await self.off_loop(self.queue.join, grace_s)
        if not joined:
            self.queue.park_running()
            joined = await self.off_loop(self.queue.join, parking_s)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=parking_s)
        for task in self._tasks:
            task.cancel()  # its question stays open, and is told of after the restart
        for pool in (self._records, self._lookups):
            pool.shutdown(wait=False, cancel_futures=True)
        return joined

    async def _follow(
        self,
        asked: Asked,
        job: Job[Answer],
        draft: Draft,
        ended: asyncio.Event,
        reply: Reply,
    ) -> None:
        """Show how a job goes until it has ended: a single edit at a time, and none that changes nothing."""
        nearest: Sequence[ScoredPaper] = ()
        with contextlib.suppress(FootnoteError):  # the job meets the same and explains it
            nearest = await self.look_up(self.library.nearest, asked.question, asked.history)
        shown, slowed = Post(), 1.0
        loop = asyncio.get_running_loop()
        while not ended.is_set():
            post = self._progress(asked.id, job, draft, nearest)
            began = loop.time()
            if post != shown:
                with contextlib.suppress(Unreachable, Gone):
                    await reply.show(post)
                    shown = post
            # An edit that took longer than its interval was rate limited, or Discord is slow: ask less of it.
            interval = _WRITING_S if job.state is State.RUNNING else _WAITING_S
            slowed = min(slowed * 2, _SLOWEST_S / _WRITING_S) if loop.time() - began > interval else slowed
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(interval * slowed, _SLOWEST_S))

    def _progress(self, question_id: str, job: Job[Answer], draft: Draft, nearest: Sequence[ScoredPaper]) -> Post:
        if draft.text.strip():
            return writing_post(question_id, draft.text)
        place = self.queue.place(job)
        return waiting_post(question_id, nearest, place, self.queue.wait_s(place) if place else 0.0)

    async def _end(self, asked: Asked, reply: Reply, posts: Sequence[Post]) -> None:
        """Show the final reply, however long Discord is away; only then the question counts as ended."""
        try:
            await finish(reply, posts)
        except Gone:
            _log.info("nobody to reply to", extra={"fields": {"question_id": asked.id}})
        except Unreachable:
            _log.warning("gave up replying", extra={"fields": {"question_id": asked.id}})
            return
        await self.off_loop(self.kept.close_question, asked.id)

    def _history(self, place: int, person: int) -> tuple[str, ...]:
        """The questions of a conversation; one that was asked again at once counts once."""
        conversation = self.conversation(place, person)
        turns = self.sessions.turns(conversation.id, TURNS) if conversation else []
        return tuple(question for question, _ in groupby(turn.question for turn in turns))

    def _accept(self, asked: Asked, message: int | None) -> None:
        """Keep a question, unless it was forgotten meanwhile."""
        with self._keeping:
            if asked.id not in self._forgotten:
                self.kept.accept(asked, message)

    def _keep(self, asked: Asked, answer: Answer) -> None:
        """Keep what it got, unless it was forgotten meanwhile."""
        with self._keeping:
            if asked.id in self._forgotten:
                return
            self.kept.answered(asked.id, answer)
            if answer.text:
                key = _key(asked.place, asked.person)
                conversation = self.sessions.newest(key) or self.sessions.begin(key)
                self.sessions.append(conversation.id, answer)

    def _described(self, asked: Asked) -> dict[str, object]:
        described: dict[str, object] = {
            "question_id": asked.id,
            "person": asked.person,
            "server": asked.server,
            "place": asked.place,
        }
        return described | ({"question": asked.question} if self._log_text else {})


async def finish(reply: Reply, posts: Sequence[Post]) -> None:
    """Let a reply end with these, again and again while Discord is away. Raises Gone, or Unreachable after long."""
    wait, waited = _RETRY_S, 0.0
    while True:
        try:
            return await reply.finish(posts)
        except Unreachable:
            if waited > _GIVE_UP_S:
                raise
        await asyncio.sleep(wait)
        wait, waited = min(wait * 2, _SLOWEST_RETRY_S), waited + wait


def final_posts(question_id: str, job: Job[Answer], show_model: bool) -> list[Post]:
    """What a job that has ended shows."""
    answer = job.result
    if job.state is State.DONE and answer is not None:
        return answer_posts(question_id, answer, show_model=show_model)
    if answer is not None and answer.text and not answer.abstained:
        note = {State.STOPPED: wording.STOPPED, State.EXPIRED: wording.RAN_TOO_LONG}.get(job.state, wording.PARKED)
        return answer_posts(question_id, answer, note, show_model)
    began = answer is not None or job.stop.is_set()
    texts = {
        State.STOPPED: wording.STOPPED_UNWRITTEN if began else wording.STOPPED_WAITING,
        State.EXPIRED: wording.RAN_TOO_LONG if began else wording.WAITED_TOO_LONG,
        State.PARKED: wording.PARKED,
    }
    text = texts.get(job.state) or _failure(question_id, job.error)
    return [Post(text, question_id=question_id, buttons=(AGAIN,))]


def _failure(question_id: str, error: BaseException | None) -> str:
    """What went wrong, in its own words where they are meant for people."""
    return disarmed(error.message) if isinstance(error, FootnoteError) else wording.SOMETHING_FAILED.format(question_id)


def _figures(answer: Answer | None) -> dict[str, object]:
    if answer is None:
        return {}
    return {"ms": round(answer.timings.total_ms), "tokens": answer.timings.tokens, "abstained": answer.abstained}


def _key(place: int, person: int) -> Key:
    return Key("discord", str(place), str(person))
