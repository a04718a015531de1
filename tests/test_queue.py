"""The fair queue: whose turn it is, what is refused, and that a job ends once, whatever is stopped."""

import threading
from collections.abc import Callable, Iterator

import pytest

from bot.queue import FairQueue, Job, Limits, QueueRefused, State

PATIENCE_S = 20
WIDE = Limits(waiting_per_person=50, waiting_per_server=500, waiting=500)


class Clock:
    """Time as the test sets it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A queue whose running job ends when the test says so, and a list of the ends."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.queue: FairQueue[str] = FairQueue(self.clock)
        self.changed = threading.Condition()
        self.began: list[str] = []
        self.ended: list[str] = []
        self._go = threading.Semaphore(0)

    def ask(self, name: str, person: int, server: int = 1, limits: Limits = WIDE) -> Job[str]:
        return self.queue.submit(
            person, server, lambda stop: self._work(name, stop), lambda job: self._end(name), limits
        )

    def finish(self, jobs: int = 1) -> None:
        """Let so many jobs end, one after the other."""
        for _ in range(jobs):
            self._go.release()

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S)

    def _work(self, name: str, stop: threading.Event) -> str:
        with self.changed:
            self.began.append(name)
            self.changed.notify_all()
        while not self._go.acquire(timeout=0.01):
            if stop.is_set():
                return f"half of {name}"
        if name == "bad":
            raise ValueError("bad")
        return name

    def _end(self, name: str) -> None:
        with self.changed:
            self.ended.append(name)
            self.changed.notify_all()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.queue.close()
    desk.queue.park_running()
    assert desk.queue.join(PATIENCE_S)


def running(desk: Desk, name: str, person: int) -> Job[str]:
    """A job that has begun."""
    job = desk.ask(name, person)
    desk.until(lambda: name in desk.began)
    return job


def test_least_recently_served_comes_first_and_within_a_person_the_earliest(desk: Desk) -> None:
    running(desk, "a1", 1)
    for name, person in [("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3), ("b2", 2)]:
        desk.ask(name, person)
    assert [desk.queue.place(job) for job in desk.queue.order()] == [1, 2, 3, 4, 5]
    desk.finish(6)
    desk.until(lambda: len(desk.ended) == 6)
    assert desk.ended == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_hundred_jobs_of_twenty_people_end_once_each_in_turn(desk: Desk) -> None:
    running(desk, "first", 0)
    jobs = [desk.ask(f"{person}-{number}", person) for person in range(1, 21) for number in range(5)]
    desk.finish(101)
    desk.until(lambda: len(desk.ended) == 101)
    assert desk.ended[1:] == [f"{person}-{number}" for number in range(5) for person in range(1, 21)]
    assert {job.state for job in jobs} == {State.DONE}


def test_stopping_a_waiting_job_leaves_the_running_one_alone(desk: Desk) -> None:
    first = running(desk, "first", 1)
    waiting = desk.ask("waiting", 2)
    desk.queue.stop(waiting)
    assert (waiting.state, waiting.result) == (State.STOPPED, None)
    assert not first.stop.is_set()
    desk.finish()
    desk.until(lambda: "first" in desk.ended)
    assert (first.state, first.result) == (State.DONE, "first")
    assert desk.began == ["first"]


def test_stopping_the_running_job_keeps_what_came_and_the_next_begins(desk: Desk) -> None:
    first, second = running(desk, "first", 1), desk.ask("second", 2)
    desk.queue.stop(first)
    desk.until(lambda: "second" in desk.began)
    assert (first.state, first.result) == (State.STOPPED, "half of first")
    desk.queue.stop(first)
    desk.finish()
    desk.until(lambda: "second" in desk.ended)
    assert second.state is State.DONE
    assert desk.ended == ["first", "second"]


def test_failing_job_ends_as_failed_and_the_next_has_its_turn(desk: Desk) -> None:
    bad, good = running(desk, "bad", 1), desk.ask("good", 1)
    desk.finish(2)
    desk.until(lambda: len(desk.ended) == 2)
    assert (bad.state, str(bad.error), good.state) == (State.FAILED, "bad", State.DONE)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(waiting_per_person=2), "person"),
        (Limits(waiting_per_person=9, waiting_per_server=2), "server"),
        (Limits(waiting_per_person=9, waiting_per_server=9, waiting=2), "all"),
    ],
)
def test_too_many_waiting_are_refused_with_an_estimate(desk: Desk, limits: Limits, reason: str) -> None:
    running(desk, "first", 1)
    desk.ask("one", 1, limits=limits)
    desk.ask("two", 1, limits=limits)
    with pytest.raises(QueueRefused, match=reason) as refused:
        desk.ask("three", 1, limits=limits)
    assert refused.value.wait_s > 0
    if reason != "all":
        desk.ask("another's", 2, server=2, limits=limits)


def test_estimate_is_the_mean_of_what_answers_took(desk: Desk) -> None:
    running(desk, "first", 1)
    desk.clock.now += 6
    desk.finish()
    desk.until(lambda: "first" in desk.ended)
    running(desk, "second", 1)
    desk.clock.now += 2
    assert (desk.queue.wait_s(1), desk.queue.wait_s(3)) == (4, 16)


def test_waiting_and_running_for_too_long_ends_a_job(desk: Desk) -> None:
    first = running(desk, "first", 1)
    late = desk.ask("late", 2, limits=Limits(wait_s=10))
    desk.clock.now += 11
    desk.queue.expire()
    assert (late.state, first.stop.is_set()) == (State.EXPIRED, False)
    desk.clock.now += 300
    desk.queue.expire()
    desk.until(lambda: "first" in desk.ended)
    assert (first.state, first.result) == (State.EXPIRED, "half of first")
    assert desk.ended == ["late", "first"]


def test_closing_parks_what_waits_and_lets_the_running_job_end(desk: Desk) -> None:
    first, second = running(desk, "first", 1), desk.ask("second", 2)
    desk.queue.close()
    assert second.state is State.PARKED
    with pytest.raises(QueueRefused, match="closed"):
        desk.ask("third", 3)
    assert not desk.queue.join(0)
    desk.finish()
    assert desk.queue.join(PATIENCE_S)
    assert first.state is State.DONE


def test_what_still_runs_after_closing_can_be_parked(desk: Desk) -> None:
    first = running(desk, "first", 1)
    desk.queue.close()
    desk.queue.park_running()
    assert desk.queue.join(PATIENCE_S)
    assert (first.state, first.result) == (State.PARKED, "half of first")
