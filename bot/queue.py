"""Many people's questions -> one at a time, fairly, on the one thread that owns the model.

The next is always the person who was served least recently, and of theirs the one asked first. A job ends
exactly once, in one of the five final states. Knows nothing of models, questions or Discord: a job is any
function that returns early once its stop event is set. Cancelling whoever waits for a job (an asyncio
task, say) stops no thread, so that event is the only way to end one.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")
Work = Callable[[threading.Event], T]

# What an answer is thought to take before any was given; on two cores a small model needs about this long.
_FIRST_GUESS_S = 15.0
# The estimate is the mean of so many last answers.
_TIMED = 20
# When so many people were served, the one served longest ago counts as new again.
_REMEMBERED = 10_000


class State(StrEnum):
    """Where a job stands. All but the first two are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """By whoever asked; `result` is what was there by then, None if it had not begun."""
    EXPIRED = "expired"
    """It waited or ran for too long."""
    PARKED = "parked"
    """The queue was closed before it had ended."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and for how long. The running job counts as none of those waiting."""

    waiting_per_person: int = 2
    waiting_per_server: int = 20
    waiting: int = 50
    wait_s: float = 900.0
    run_s: float = 300.0


class QueueRefused(Exception):
    """A job that was not taken, and why; `wait_s` is how long until it may be."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


class Job(Generic[T]):
    """One question's turn. Only its queue changes it."""

    def __init__(
        self, person: int, server: int, work: Work[T], on_end: "Callable[[Job[T]], None]", limits: Limits, now: float
    ) -> None:
        self.person = person
        self.server = server
        self.state = State.WAITING
        self.result: T | None = None
        self.error: BaseException | None = None
        self.limits = limits
        self.since = now
        """When it began to wait, or to run, by the queue's clock."""
        self.ending = State.DONE
        """The state it will end in unless it fails."""
        self.stop = threading.Event()
        self.work = work
        self.on_end = on_end


class FairQueue(Generic[T]):
    """Runs jobs on a thread of its own. Any thread may call it; nothing here waits for a job, except `close`.

    `on_end` of a job is called once, after its final state is set: on the queue's thread if it ran, else on
    the thread that ended it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: OrderedDict[int, deque[Job[T]]] = OrderedDict()
        self._running: Job[T] | None = None
        self._served: OrderedDict[int, int] = OrderedDict()
        self._ticks = 0
        self._closed = False
        self._took: deque[float] = deque(maxlen=_TIMED)
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def submit(
        self, person: int, server: int, work: Work[T], on_end: Callable[[Job[T]], None], limits: Limits
    ) -> Job[T]:
        """Let a job wait for its turn. Raises QueueRefused if too many wait already."""
        with self._changed:
            if self._closed:
                raise QueueRefused("closed")
            idle = self._running is None and not self._waiting
            if not idle:
                self._refuse_if_full(person, server, limits)
            job = Job(person, server, work, on_end, limits, self._clock())
            self._waiting.setdefault(person, deque()).append(job)
            self._changed.notify()
            return job

    def stop(self, job: Job[T]) -> None:
        """End one job: at once if it waits; if it runs, as soon as its work sees the event. No other is touched."""
        self._end_early([job], State.STOPPED)

    def expire(self) -> None:
        """End what has waited or run beyond its limit. To be called every second or so."""
        with self._changed:
            now = self._clock()
            late = [job for job in self._all_waiting() if now - job.since >= job.limits.wait_s]
            running = self._running
            if running is not None and now - running.since >= running.limits.run_s:
                late.append(running)
        self._end_early(late, State.EXPIRED)

    def order(self) -> list[Job[T]]:
        """The waiting jobs in the order of their turns, if nobody else asks."""
        with self._changed:
            waiting = {person: deque(jobs) for person, jobs in self._waiting.items()}
            served, tick = dict(self._served), self._ticks
        turns = []
        while waiting:
            person = _next_person(waiting, served)
            turns.append(waiting[person].popleft())
            served[person] = tick = tick + 1
            if not waiting[person]:
                del waiting[person]
        return turns

    def place(self, job: Job[T]) -> int:
        """How many turns away a waiting job is: 1 for the next. 0 for any other job."""
        turns = self.order()
        return turns.index(job) + 1 if job in turns else 0

    def wait_s(self, place: int) -> float:
        """About how many seconds until the turn of this place, from 1."""
        with self._changed:
            usual = sum(self._took) / len(self._took) if self._took else _FIRST_GUESS_S
            running = self._running
            rest = max(usual - (self._clock() - running.since), 0.0) if running else 0.0
        return rest + (place - 1) * usual

    @property
    def running(self) -> Job[T] | None:
        """The job whose work is under way."""
        return self._running

    def close(self) -> None:
        """Take no more jobs and park those that wait; the running one goes on."""
        with self._changed:
            self._closed = True
            waiting = self._all_waiting()
            self._changed.notify()
        self._end_early(waiting, State.PARKED)

    def park_running(self) -> None:
        """Stop the running job, if any, as parked."""
        running = self._running
        if running is not None:
            self._end_early([running], State.PARKED)

    def join(self, timeout: float) -> bool:
        """Wait until a closed queue's last job has ended; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _refuse_if_full(self, person: int, server: int, limits: Limits) -> None:
        waiting = self._all_waiting()
        if len(self._waiting.get(person, ())) >= limits.waiting_per_person:
            own = self.place(self._waiting[person][0])
            raise QueueRefused("person", self.wait_s(own))
        if sum(job.server == server for job in waiting) >= limits.waiting_per_server:
            raise QueueRefused("server", self.wait_s(1))
        if len(waiting) >= limits.waiting:
            raise QueueRefused("all", self.wait_s(1))

    def _all_waiting(self) -> list[Job[T]]:
        return [job for jobs in self._waiting.values() for job in jobs]

    def _end_early(self, jobs: list[Job[T]], ending: State) -> None:
        ended = []
        with self._changed:
            for job in jobs:
                if job.state is State.WAITING:
                    self._leave(job)
                    job.state = ending
                    ended.append(job)
                elif job.state is State.RUNNING and not job.stop.is_set():
                    job.ending = ending
                    job.stop.set()
        for job in ended:
            job.on_end(job)

    def _leave(self, job: Job[T]) -> None:
        jobs = self._waiting[job.person]
        jobs.remove(job)
        if not jobs:
            del self._waiting[job.person]

    def _work(self) -> None:
        while job := self._begin_next():
            result, error = None, None
            try:
                result = job.work(job.stop)
            except BaseException as raised:  # whatever it is, the next question must still get its turn
                error = raised
            with self._changed:
                self._running = None
                failed = error is not None and not job.stop.is_set()
                job.result, job.error = result, error
                job.state = State.FAILED if failed else job.ending
                if job.state is State.DONE:
                    self._took.append(self._clock() - job.since)
            job.on_end(job)
            del job, result, error  # an answer is kept by whoever asked for it, not until the next one comes

    def _begin_next(self) -> Job[T] | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            person = _next_person(self._waiting, self._served)
            job = self._waiting[person][0]
            self._leave(job)
            self._ticks += 1
            self._served[person] = self._ticks
            self._served.move_to_end(person)
            if len(self._served) > _REMEMBERED:
                self._served.popitem(last=False)
            job.state, job.since, self._running = State.RUNNING, self._clock(), job
            return job


def _next_person(waiting: "dict[int, deque[Job[T]]]", served: dict[int, int]) -> int:
    """The one served least recently; of those never served, the one who has waited longest."""
    return min(waiting, key=lambda person: served.get(person, 0))
