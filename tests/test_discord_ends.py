"""What a process's end does to questions, and what stops one while it is written: with a model that never ends by itself."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.discord_app import service, wording
from bot.discord_app.kept import Kept
from tests.discord_bot import BotProcess
from tests.discord_server import ADA, BEN, GENERAL, DiscordServer, Interaction, actions

pytestmark = pytest.mark.slow

QUESTION = "What accuracy does Mercury reach on the Tides benchmark?"


@pytest.fixture(scope="module")
def discord() -> Iterator[DiscordServer]:
    with DiscordServer() as server:
        yield server


@pytest.fixture(scope="module")
def bot(
    tmp_path_factory: pytest.TempPathFactory, discord: DiscordServer, discord_shelf: tuple[Path, Path], endless: Path
) -> Iterator[BotProcess]:
    folder = tmp_path_factory.mktemp("bot")
    process = BotProcess(
        folder,
        discord,
        discord_shelf[0],
        endless,
        max_tokens=60000,
        n_ctx=65536,
        temperature=1,
        discord_waiting_per_person=1,
    )
    process.start()
    try:
        yield process
    finally:
        process.end(signal.SIGKILL)


def writing(discord: DiscordServer, asked: Interaction) -> Interaction:
    """Wait until its answer is being written."""
    discord.until(lambda: asked.text.endswith(" ▌"), "written")
    return asked


def whisper(discord: DiscordServer, interaction: Interaction) -> str:
    discord.until(lambda: interaction.acknowledged is not None, "acknowledged")
    return str(interaction.data.get("content"))


def test_answer_streams_by_edits_and_its_asker_alone_stops_it(discord: DiscordServer, bot: BotProcess) -> None:
    asked = writing(discord, discord.slash("ask", question=QUESTION))
    message = asked.message
    assert message is not None
    edits = len(message["shown"])
    discord.until(lambda: len(message["shown"]) > edits + 1, "streamed")
    assert whisper(discord, discord.press(message, "stop", user=BEN)) == wording.NOT_YOURS
    assert actions(message) == {"stop"}
    discord.press(message, "stop")
    final = discord.answered(asked)
    assert wording.STOPPED in final["content"]
    assert "retry" in actions(final)
    assert discord.violations == []


def test_waiting_question_shows_its_place_and_its_stop_leaves_the_running_one_alone(
    discord: DiscordServer, bot: BotProcess
) -> None:
    first = writing(discord, discord.slash("ask", question=QUESTION))
    second = discord.slash("ask", user=BEN, question=QUESTION)
    discord.until(lambda: "⏳ Next in the queue, in about" in second.text, "its place")
    assert second.text.startswith("**Nearest papers**")
    third = discord.slash("ask", user=BEN, question=QUESTION)
    assert "as many questions waiting as one person may" in discord.answered(third)["content"]
    assert second.message is not None
    discord.press(second.message, "stop", user=BEN)
    assert discord.answered(second)["content"] == wording.STOPPED_WAITING
    assert first.message is not None
    edits = len(first.message["shown"])
    discord.until(lambda: first.message and len(first.message["shown"]) > edits, "the first goes on")
    assert whisper(discord, discord.slash("stop")) == wording.STOPPED
    discord.answered(first)
    assert len([line for line in bot.logged("ended") if line["state"] == "stopped"]) == 3
    assert discord.violations == []


def test_killed_with_ten_waiting_each_is_told_after_the_restart_and_old_buttons_work(
    discord: DiscordServer, bot: BotProcess
) -> None:
    old = writing(discord, discord.slash("ask", question=QUESTION))
    assert old.message is not None
    discord.press(old.message, "stop")
    answer = discord.answered(old)

    writing(discord, discord.slash("ask", user=5000, question=QUESTION))
    waiting = [discord.slash("ask", user=5001 + n, question=QUESTION) for n in range(10)]
    discord.until(lambda: all("⏳" in asked.text for asked in waiting), "all wait")
    bot.end(signal.SIGKILL)
    syncs = discord.syncs
    bot.start()
    for asked in waiting:
        assert discord.answered(asked)["content"] == wording.RESTARTED
    assert discord.syncs == syncs

    shown = discord.press(answer, "source", user=BEN, values=["1"])
    discord.until(lambda: shown.acknowledged == 4, "a card")
    assert shown.data["embeds"][0]["title"] == "Mercury: A Small Model"
    again = writing(discord, discord.press(discord.answered(waiting[0]), "retry", user=5001))
    assert again.message is not None
    discord.press(again.message, "stop", user=5001)
    discord.answered(again)
    assert discord.violations == []


def test_ending_waits_for_nothing_longer_than_ten_seconds_together() -> None:
    """What stops containers and services gives them ten."""
    assert service._GRACE_S + 2 * service._PARKING_S + service._CLOSING_S < 10


def test_sigterm_parks_what_runs_and_waits_tells_everybody_and_ends_within_ten_seconds(
    discord: DiscordServer, bot: BotProcess
) -> None:
    running = writing(discord, discord.slash("ask", user=ADA, question=QUESTION))
    waiting = [discord.slash("ask", user=6001 + n, question=QUESTION) for n in range(10)]
    discord.until(lambda: all("⏳" in asked.text for asked in waiting), "all wait")
    assert bot.end(signal.SIGTERM, within_s=10) == 0
    told = [discord.final(asked) for asked in (running, *waiting)]  # by the end, not later
    assert all(message and wording.PARKED in message["content"] for message in told)
    kept = Kept(bot.folder / "discord.db")
    assert kept.open_questions() == []
    kept.close()
    assert discord.violations == []


@pytest.mark.parametrize(
    ("token", "why"), [("abc", "is no bot's token"), ("MTIzNDU2Nzg5MDEyMzQ1Njc5.GhIjKl." + "x" * 30, "does not know")]
)
def test_wrong_token_ends_with_78_and_is_not_shown(
    discord: DiscordServer, discord_shelf: tuple[Path, Path], tmp_path: Path, token: str, why: str
) -> None:
    process = BotProcess(tmp_path, discord, discord_shelf[0], "none", discord_token=token).spawn()
    assert process.wait() == 78
    assert why in process.printed
    assert token not in process.printed


def test_refused_first_connection_is_tried_again_and_a_missing_intent_is_explained(
    discord: DiscordServer, discord_shelf: tuple[Path, Path], tmp_path: Path
) -> None:
    discord.refuse_gateway, discord.deny_message_content = 1, True
    process = BotProcess(tmp_path, discord, discord_shelf[0], "none").spawn()
    code = process.wait()
    discord.deny_message_content = False
    assert (code, discord.refuse_gateway) == (78, 0)
    assert "Turn on Message Content Intent" in process.printed


def test_question_that_waits_too_long_is_given_up(
    discord: DiscordServer, discord_shelf: tuple[Path, Path], tmp_path: Path, endless: Path
) -> None:
    """Also: an answer that takes too long is cut, and a bot without the Message Content Intent answers mentions."""
    # Far apart: the second must be given up before the first is cut, also where the first words take seconds.
    limits: dict[str, Any] = {"discord_wait_s": 1, "discord_answer_s": 20, "discord_read_messages": "false"}
    process = BotProcess(
        tmp_path, discord, discord_shelf[0], endless, max_tokens=60000, n_ctx=65536, temperature=1, **limits
    ).start()
    try:
        said = discord.say(QUESTION, mention=True)
        thread = int(said["id"])
        discord.until(lambda: any("▌" in m["content"] for m in discord.in_channel(thread)), "written")
        late = discord.slash("ask", user=BEN, channel=GENERAL, question=QUESTION)
        assert discord.answered(late)["content"] == wording.WAITED_TOO_LONG
        discord.until(lambda: any(wording.RAN_TOO_LONG in m["content"] for m in discord.in_channel(thread)), "cut")
    finally:
        assert process.end() == 0
