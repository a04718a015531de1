"""A question's life at the desk: what it follows, and what is kept of it. Discord and the model are the test's own."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.discord_app import wording
from bot.discord_app.asking import TURNS, Desk, Draft, Style
from bot.discord_app.cards import Post, answer_posts
from bot.discord_app.kept import Asked, Kept
from bot.discord_app.library import Library
from bot.discord_app.rules import Rules
from bot.discord_app.watch import Watch
from bot.queue import Limits
from bot.sessions import MOST_TURNS, Key, Sessions
from rag.shelf import Shelf
from rag.store import Store
from rag.types import Answer
from tests.conftest import WordEmbedder
from tests.test_discord_text import answer_of

ADA, BEN, SERVER, PLACE = 1, 2, 3, 4


class Posted:
    """A reply whose final posts Discord takes once `taken` is set."""

    message_id = None

    def __init__(self, taken: bool = True) -> None:
        self.posting, self.taken = asyncio.Event(), asyncio.Event()
        if taken:
            self.taken.set()

    async def show(self, post: Post) -> None:
        """Nothing is looked at on the way."""

    async def finish(self, posts: Sequence[Post]) -> None:
        self.question_id = posts[-1].question_id
        self.posts = list(posts)
        self.posting.set()
        await self.taken.wait()


@pytest.fixture
def histories() -> list[tuple[str, list[str]]]:
    """Each question with the ones that were given as those before it."""
    return []


@pytest.fixture
def desk(
    tmp_path: Path, planets: Store, embedder: WordEmbedder, histories: list[tuple[str, list[str]]]
) -> Iterator[Desk]:
    def answering(question: str, history: Sequence[str], _: bool, __: Draft, ___: threading.Event) -> Answer:
        histories.append((question, list(history)))
        return replace(answer_of(), question=question)

    library = Library(Shelf(tmp_path / "store", embedder), top_k=3)
    kept = Kept(tmp_path / "kept" / "discord.db")
    yield Desk(library, answering, kept, Sessions(tmp_path / "kept" / "sessions.db"), Watch(), log_text=False)
    kept.close()


async def ask(desk: Desk, question: str, person: int = ADA, again: Asked | None = None) -> Asked:
    """Ask a question, or one again as its button does; returns what is kept of it."""
    reply = Posted()
    await desk.ask(question, person, SERVER, PLACE, reply, Style(Limits()), history=again.history if again else None)
    found = desk.kept.find(reply.question_id)
    assert found is not None
    return found[0]


def test_question_asked_again_follows_what_it_first_followed(
    desk: Desk, histories: list[tuple[str, list[str]]]
) -> None:
    async def talk() -> None:
        await ask(desk, "one?")
        two = await ask(desk, "two?")
        await ask(desk, "two?", again=two)
        await ask(desk, "three?")
        await ask(desk, "two?", again=two)
        await ask(desk, "two?", BEN, again=two)

    asyncio.run(talk())
    assert histories == [
        ("one?", []),
        ("two?", ["one?"]),
        ("two?", ["one?"]),
        ("three?", ["one?", "two?"]),
        ("two?", ["one?"]),
        ("two?", ["one?"]),
    ]


def test_long_conversation_is_read_in_part_and_kept_whole(desk: Desk, histories: list[tuple[str, list[str]]]) -> None:
    conversation = desk.sessions.begin(Key("discord", str(PLACE), str(ADA)))
    for number in range(TURNS + 5):
        desk.sessions.append(conversation.id, replace(answer_of(), question=f"{number}?"))
    asyncio.run(ask(desk, "and then?"))
    assert histories[-1][1] == [f"{number}?" for number in range(5, TURNS + 5)]
    assert len(desk.sessions.turns(conversation.id)) == TURNS + 6 < MOST_TURNS


def test_question_forgotten_while_its_reply_is_posted_is_in_no_file(desk: Desk, tmp_path: Path) -> None:
    async def forget_meanwhile() -> None:
        reply = Posted(taken=False)
        asking = asyncio.create_task(desk.ask("secret?", ADA, SERVER, PLACE, reply, Style(Limits())))
        await reply.posting.wait()
        assert desk.kept.find(reply.question_id) is not None
        assert await desk.forget(PLACE, ADA) > 0
        reply.taken.set()
        await asking

    asyncio.run(forget_meanwhile())
    assert desk.sessions.recent() == []
    assert b"secret" not in b"".join(file.read_bytes() for file in (tmp_path / "kept").iterdir())


@pytest.mark.parametrize("answered", [True, False])
def test_question_left_open_gets_its_answer_if_there_was_one(desk: Desk, answered: bool) -> None:
    left = Asked("a" * 16, "one?", ADA, SERVER, PLACE, 0)
    desk.kept.accept(left, None)
    desk.kept.set_rules(SERVER, Rules(show_model=False))
    if answered:
        desk.kept.answered(left.id, answer_of())
    reply = Posted()
    asyncio.run(desk.tell_restarted(left, reply))
    if answered:
        assert reply.posts == answer_posts(left.id, answer_of(), show_model=False)
    else:
        assert [post.text for post in reply.posts] == [wording.RESTARTED]
    assert desk.kept.open_questions() == []


@pytest.mark.parametrize("late", ["_history", "_accept", "_keep"])
def test_nothing_is_kept_of_a_question_that_was_forgotten_before_it_was_written_down(
    late: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgotten just before each of the steps that another thread does."""
    off_loop = desk.off_loop

    async def forget_first(function: Callable[..., Any], *arguments: Any) -> Any:
        if function.__name__ == late:
            await desk.forget(PLACE, ADA)
        return await off_loop(function, *arguments)

    monkeypatch.setattr(desk, "off_loop", forget_first)
    reply = Posted()
    asyncio.run(desk.ask("secret?", ADA, SERVER, PLACE, reply, Style(Limits())))
    assert desk.kept.find(reply.question_id) is None
    assert desk.sessions.recent() == []
