"""The bot end to end: its own process, the real client, a strict Discord, the real store, embedder and llama.cpp.

One process answers most of the scenarios; what ends a process has its own in test_discord_ends.py.
"""

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.discord_app import wording
from bot.discord_app.cards import cited_papers, shorter_text
from bot.discord_app.kept import Asked, Kept
from bot.discord_app.parsing import custom_id
from bot.references import bibliography
from bot.sessions import Key, Sessions
from tests.discord_bot import BotProcess, free_port
from tests.discord_server import (
    ADA,
    BEN,
    GENERAL,
    GUILD,
    MANAGER,
    OTHER,
    OTHER_BOT,
    ROLE,
    DiscordServer,
    Interaction,
    actions,
    components,
    is_final,
)
from tests.discord_soak import footprint, metrics, round_of_events
from tests.test_discord_text import answer_of

pytestmark = pytest.mark.slow

Json = dict[str, Any]
QUESTION = "What accuracy does Mercury reach on the Tides benchmark?"


@pytest.fixture(scope="module")
def discord() -> Iterator[DiscordServer]:
    with DiscordServer() as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bot")


@pytest.fixture(scope="module")
def port(discord: DiscordServer, discord_shelf: tuple[Path, Path]) -> int:
    """Where the bot gives its metrics: a port that is free once all others have theirs."""
    return free_port()


@pytest.fixture(scope="module")
def bot(
    folder: Path, discord: DiscordServer, discord_shelf: tuple[Path, Path], tiny_gguf: Path, port: int
) -> Iterator[BotProcess]:
    store, dump = discord_shelf
    many = {"discord_waiting_per_person": 10, "discord_waiting_per_server": 200, "discord_waiting": 200}
    process = BotProcess(
        folder, discord, store, tiny_gguf, max_tokens=24, n_ctx=2048, temperature=1, discord_metrics_port=port, **many
    )
    process.start(dump)
    try:
        yield process
    finally:
        process.end()


@pytest.fixture(autouse=True)
def _nothing_refused(discord: DiscordServer, bot: BotProcess) -> Iterator[None]:
    """After each scenario: nothing was sent that Discord would refuse, and nothing failed in the bot."""
    failures = len(bot.logged("failed"))
    yield
    assert discord.violations == []
    assert len(bot.logged("failed")) == failures, bot.printed[-4000:]


@pytest.fixture(scope="module")
def answer(discord: DiscordServer, bot: BotProcess) -> Json:
    """The message of an answer that Ada got."""
    return discord.answered(discord.slash("ask", question=QUESTION))


def whispered(discord: DiscordServer, interaction: Interaction) -> Json:
    """What an interaction was answered with, for that person alone."""
    discord.until(lambda: interaction.acknowledged is not None, "acknowledged")
    if interaction.acknowledged == 5:
        discord.until(lambda: interaction.message and interaction.message["shown"], "answered")
        assert interaction.data["flags"] == 64
        assert interaction.message is not None
        return interaction.message
    assert interaction.data["flags"] == 64, "everybody could read it"
    return interaction.data


def last_in(discord: DiscordServer, channel: int, after: int = 0) -> Json:
    """The final reply in a channel that comes after so many messages of the bot."""

    def final() -> Json | None:
        return next((message for message in discord.in_channel(channel)[after:] if is_final(message)), None)

    found = discord.until(final, f"a final reply in {channel}")
    assert found is not None
    return found


# --- asking ---


def test_slash_ask_is_acknowledged_shows_papers_first_and_ends_with_an_answer(
    discord: DiscordServer, bot: BotProcess
) -> None:
    asked = discord.slash("ask", question=QUESTION)
    message = discord.answered(asked)
    assert asked.acknowledged == 5
    assert message["shown"][0].startswith("**Nearest papers**\n- Mercury: A Small Model (2024-05-06)")
    assert actions(message) >= {"source", "evidence", "retry", "shorter", "good", "bad"}
    assert "sentences supported" in message["content"]
    assert "-# noise" in message["content"]


def test_direct_message_is_answered(discord: DiscordServer, bot: BotProcess) -> None:
    channel = discord.direct(BEN)
    discord.say(QUESTION, user=BEN, channel=channel)
    message = last_in(discord, channel)
    assert message["message_reference"]["channel_id"] == channel
    assert message["shown"][0] == wording.ACKNOWLEDGED


def test_slash_ask_works_in_direct_messages(discord: DiscordServer, bot: BotProcess) -> None:
    asked = discord.slash("ask", user=BEN, channel=discord.direct(BEN), question=QUESTION)
    assert "source" in actions(discord.answered(asked))


@pytest.fixture(scope="module")
def thread(discord: DiscordServer, bot: BotProcess) -> int:
    """The thread of a mention."""
    said = discord.say(QUESTION, mention=True)
    channel = int(said["id"])
    discord.until(lambda: channel in discord.channels, "a thread")
    last_in(discord, channel)
    return channel


def test_mention_is_answered_in_a_thread_of_its_own(discord: DiscordServer, thread: int) -> None:
    assert discord.channels[thread]["name"] == QUESTION
    assert "source" in actions(last_in(discord, thread))


def test_follow_up_in_its_thread_needs_no_mention_and_is_understood(
    discord: DiscordServer, thread: int, folder: Path
) -> None:
    before = len(discord.in_channel(thread))
    discord.say("and how long does it train?", channel=thread)
    last_in(discord, thread, before)
    sessions = Sessions(folder / "sessions.db")
    conversation = sessions.newest(Key("discord", str(thread), str(ADA)))
    assert conversation is not None
    queries = [turn.query for turn in sessions.turns(conversation.id)]
    assert queries[-1] == f"{QUESTION} and how long does it train?"


def test_mention_is_answered_in_the_channel_where_threads_are_not_allowed(
    discord: DiscordServer, bot: BotProcess
) -> None:
    discord.refuse_threads = True
    before = len(discord.in_channel(OTHER))
    said = discord.say(QUESTION, channel=OTHER, mention=True)
    message = last_in(discord, OTHER, before)
    discord.refuse_threads = False
    assert message["message_reference"]["message_id"] == int(said["id"])


@pytest.mark.parametrize(("person", "ping", "mention"), [(780, True, False), (781, False, False), (782, True, True)])
def test_reply_to_the_bot_goes_on_where_it_stands(
    discord: DiscordServer, bot: BotProcess, folder: Path, person: int, ping: bool, mention: bool
) -> None:
    answer = discord.answered(discord.slash("ask", user=person, question=QUESTION))
    before, threads = len(discord.in_channel(GENERAL)), len(discord.channels)
    discord.say("and how long does it train?", user=person, reply_to=answer, ping=ping, mention=mention)
    assert "source" in actions(last_in(discord, GENERAL, before))
    assert len(discord.channels) == threads
    sessions = Sessions(folder / "sessions.db")
    conversation = sessions.newest(Key("discord", str(GENERAL), str(person)))
    assert conversation is not None
    assert sessions.turns(conversation.id)[-1].query == f"{QUESTION} and how long does it train?"


def test_what_is_not_for_the_bot_is_left_alone(discord: DiscordServer, bot: BotProcess, thread: int) -> None:
    asked = len(bot.logged("asked"))
    said = discord.say("who won the match?")
    discord.say("nobody did", user=BEN, reply_to=said)
    discord.say("I think so too", user=BEN, channel=thread, reply_to=said)
    discord.say("what is attention?", user=OTHER_BOT, mention=True)
    discord.answered(discord.slash("ask", question=QUESTION))  # events are handled in order
    assert len(bot.logged("asked")) == asked + 1


def test_mention_without_a_question_says_what_to_ask(discord: DiscordServer, bot: BotProcess) -> None:
    discord.say("", channel=OTHER, mention=True)
    discord.until(lambda: any(m["content"] == wording.NOT_A_QUESTION for m in discord.in_channel(OTHER)), "help")


def test_question_that_cannot_be_asked_gets_the_reason(discord: DiscordServer, bot: BotProcess) -> None:
    message = discord.answered(discord.slash("ask", question="?!"))
    assert "question is empty" in message["content"]


def test_question_of_another_world_is_refused_with_the_nearest_papers(discord: DiscordServer, bot: BotProcess) -> None:
    message = discord.answered(discord.slash("ask", question="how do I bake sourdough bread?"))
    assert "do not answer this" in message["content"]
    assert message["content"].count("\n- ") == 3


# --- other commands ---


def test_search_lists_papers_for_that_person_alone(discord: DiscordServer, bot: BotProcess) -> None:
    message = whispered(discord, discord.slash("search", query="pruning layers"))
    assert message["embeds"][0]["description"].startswith("1. Mars: Red Pruning")


def test_titles_are_offered_while_typing_and_the_chosen_paper_is_shown(discord: DiscordServer, bot: BotProcess) -> None:
    offered = discord.autocomplete("paper", title="red pru")
    assert [choice["name"] for choice in offered] == ["Mars: Red Pruning"]
    shown = whispered(discord, discord.slash("paper", title=offered[0]["value"]))
    card = shown["embeds"][0]
    assert card["title"] == "Mars: Red Pruning"
    assert "loses 1.9 points on Dunes" in card["description"]
    assert shown["content"].startswith("```bibtex\n@misc{lovelace2024mars,")
    assert len(discord.autocomplete("cite", title="")) == 4


def test_unknown_paper_is_said_to_be_unknown(discord: DiscordServer, bot: BotProcess) -> None:
    assert whispered(discord, discord.slash("paper", title="Pluto"))["content"] == wording.NO_PAPER


def test_cite_gives_the_bibtex_of_one_paper(discord: DiscordServer, bot: BotProcess) -> None:
    content = whispered(discord, discord.slash("cite", title="Mercury: A Small Model"))["content"]
    assert "@misc{lovelace2024mercury," in content


def plant(folder: Path, question_id: str, place: int) -> None:
    """Let the bot have given Ada an answer that is known: one sentence supported, one not, two papers cited."""
    with contextlib.closing(Kept(folder / "discord.db")) as kept:
        kept.accept(Asked(question_id, QUESTION, ADA, GUILD, place, time.time()), None)
        kept.answered(question_id, answer_of())
        kept.close_question(question_id)


def test_cite_gives_a_threads_papers_as_a_file(
    discord: DiscordServer, bot: BotProcess, folder: Path, thread: int
) -> None:
    plant(folder, "c" * 16, thread)
    saved = whispered(discord, discord.slash("cite", user=BEN, channel=thread))["files"]["footnotes.bib"]
    assert "@misc{lovelace2024mercury" in saved
    assert "@misc{2023venus," in saved
    with contextlib.closing(Kept(folder / "discord.db")) as kept:  # what the model cited, too, each paper once
        papers = [paper for given in kept.answers(thread, None) for paper in cited_papers(given).values()]
    assert saved == bibliography(papers, "bibtex") + "\n"


def test_cite_says_that_nothing_was_cited(discord: DiscordServer, bot: BotProcess) -> None:
    assert whispered(discord, discord.slash("cite", user=777))["content"] == wording.NO_CITATIONS


def test_help_names_every_command(discord: DiscordServer, bot: BotProcess) -> None:
    content = whispered(discord, discord.slash("help"))["content"]
    slashes = {command["name"] for command in discord.commands if command.get("type", 1) == 1}
    assert slashes - {"help"} == set(re.findall(r"`/(\w+)`", content))
    assert [command["name"] for command in discord.commands if command.get("type") == 3] == ["Check against the papers"]


def test_exported_conversation_is_the_one_that_the_terminal_resumes(
    discord: DiscordServer, folder: Path, thread: int
) -> None:
    content = whispered(discord, discord.slash("export", channel=thread))["content"]
    found = re.search(r"footnote chat --resume (\w+)", content)
    assert found is not None
    assert Sessions(folder / "sessions.db").find(found[1]).title == QUESTION


def test_nobody_reaches_anothers_conversation(discord: DiscordServer, bot: BotProcess, thread: int) -> None:
    assert whispered(discord, discord.slash("export", user=BEN, channel=thread))["content"] == wording.forgot(0)
    assert whispered(discord, discord.slash("forget", user=BEN, channel=thread))["content"] == wording.forgot(0)
    assert whispered(discord, discord.slash("stop", user=BEN, channel=thread))["content"] == wording.NOTHING_RUNS
    assert "--resume" in whispered(discord, discord.slash("export", channel=thread))["content"]


def test_forgotten_answers_have_nothing_to_show(discord: DiscordServer, bot: BotProcess, folder: Path) -> None:
    person = 778
    message = discord.answered(discord.slash("ask", user=person, question=QUESTION))
    assert whispered(discord, discord.slash("forget", user=person))["content"] == wording.forgot(1)
    pressed = discord.press(message, "evidence", user=person)
    assert whispered(discord, pressed)["content"] == wording.FORGOTTEN
    assert Sessions(folder / "sessions.db").newest(Key("discord", str(GENERAL), str(person))) is None


def test_message_is_checked_against_the_papers(discord: DiscordServer, bot: BotProcess) -> None:
    said = discord.say(
        "Mercury reaches 71.5% accuracy on the Tides benchmark. Mercury reaches 99.9% accuracy on Tides."
    )
    card = whispered(discord, discord.context_menu("Check against the papers", said))["embeds"][0]
    assert card["title"] == "1 of 2 sentences supported by the papers"
    supported, wrong = card["description"].split("⚠️")
    assert "✅ Mercury reaches 71.5%" in supported
    assert "99.9%" in wrong


def test_message_without_sentences_cannot_be_checked(discord: DiscordServer, bot: BotProcess) -> None:
    said = discord.say("ok!")
    checked = whispered(discord, discord.context_menu("Check against the papers", said))
    assert checked["content"] == wording.NOTHING_TO_CHECK


# --- below an answer ---


def test_menu_opens_the_card_of_a_paper_with_its_evidence_in_bold(discord: DiscordServer, answer: Json) -> None:
    menu = next(part for part in components(answer) if part["type"] == 3)
    for option in menu["options"]:
        shown = whispered(discord, discord.press(answer, "source", user=BEN, values=[option["value"]]))
        card = shown["embeds"][0]
        assert "**" in card["description"]
        assert {"name": "Date", "value": "2024-05-06", "inline": True} in card["fields"]
        assert "@misc{" in shown["content"]


def test_evidence_shows_every_check_and_the_nearest_sentences(discord: DiscordServer, answer: Json) -> None:
    card = whispered(discord, discord.press(answer, "evidence"))["embeds"][0]
    assert "It reaches 71.5% accuracy on the Tides benchmark." in card["description"]


def test_shorter_shows_the_sentences_that_are_supported(discord: DiscordServer, answer: Json, folder: Path) -> None:
    plant(folder, "d" * 16, GENERAL)
    row = {"type": 1, "components": [{"type": 2, "custom_id": custom_id("shorter", "d" * 16)}]}
    planted = discord.press({**answer, "components": [row]}, "shorter")
    assert whispered(discord, planted)["content"] == "It reaches 71.5%. [1]"
    with contextlib.closing(Kept(folder / "discord.db")) as kept:
        found = kept.find(components(answer)[-1]["custom_id"].split(":")[2])
    assert found is not None
    assert found[1] is not None
    assert whispered(discord, discord.press(answer, "shorter"))["content"] == shorter_text(found[1])


def test_retry_asks_again_for_whoever_presses(discord: DiscordServer, answer: Json, bot: BotProcess) -> None:
    again = discord.press(answer, "retry", user=BEN)
    assert "source" in actions(discord.answered(again))
    assert again.acknowledged == 5
    assert bot.logged("asked")[-1]["person"] == BEN


def test_thumbs_become_rows_of_an_evaluation(discord: DiscordServer, answer: Json, folder: Path) -> None:
    assert whispered(discord, discord.press(answer, "good", user=BEN))["content"] == wording.THANKS
    form = discord.press(answer, "bad")
    discord.until(lambda: form.acknowledged == 9, "a form")
    assert whispered(discord, discord.submit(form, "The number is wrong."))["content"] == wording.THANKS
    with contextlib.closing(Kept(folder / "discord.db")) as kept:
        rows = kept.feedback()
    assert [(row["rating"], row["reason"]) for row in rows[-2:]] == [("good", ""), ("bad", "The number is wrong.")]
    assert rows[-1]["question"] == QUESTION


def test_button_of_an_unknown_question_says_so_and_a_foreign_one_is_ignored(
    discord: DiscordServer, bot: BotProcess, answer: Json
) -> None:
    row = {"type": 1, "components": [{"type": 2, "custom_id": "footnote:evidence:0123456789abcdef"}]}
    assert (
        whispered(discord, discord.press({**answer, "components": [row]}, "evidence"))["content"] == wording.FORGOTTEN
    )
    foreign = discord.press(
        {**answer, "components": [{"type": 1, "components": [{"type": 2, "custom_id": "x:y:z"}]}]}, "y"
    )
    whispered(discord, discord.slash("help"))
    assert foreign.acknowledged is None


# --- managers ---


@pytest.mark.parametrize("command", ["status", "reindex", "config"])
def test_managers_commands_are_refused_to_others_whatever_discord_hides(
    discord: DiscordServer, bot: BotProcess, command: str
) -> None:
    assert whispered(discord, discord.slash(command))["content"] == wording.NO_MANAGER
    registered = next(entry for entry in discord.commands if entry["name"] == command)
    assert registered["default_member_permissions"] == 1 << 5


def test_status_shows_what_serves_and_no_secret(discord: DiscordServer, bot: BotProcess) -> None:
    content = whispered(discord, discord.slash("status", user=MANAGER))["content"]
    assert "**Papers** 4 in gen-" in content
    assert "**Model** noise" in content
    bot.check_for_secrets()


def test_reindex_tells_progress_and_the_new_papers_serve_without_a_restart(
    discord: DiscordServer, bot: BotProcess, discord_shelf: tuple[Path, Path]
) -> None:
    dump = discord_shelf[1]
    before = dump.read_text()
    dump.write_text(
        before + json.dumps({"id": "p9", "title": "Saturn: Rings", "abstract": "Saturn has seven rings."}) + "\n"
    )
    command = discord.slash("reindex", user=MANAGER)
    discord.until(lambda: command.message, "acknowledged")
    assert whispered(discord, discord.slash("reindex", user=MANAGER))["content"] == wording.BUSY_REINDEX
    assert "source" in actions(discord.answered(discord.slash("ask", question=QUESTION)))
    discord.until(lambda: "Done: 5 papers, 1 added" in command.text, "rebuilt")
    assert command.message is not None
    assert any(shown.startswith("📚 Embedding: 1 of 1") for shown in command.message["shown"])
    assert [choice["name"] for choice in discord.autocomplete("paper", title="saturn")] == ["Saturn: Rings"]


def test_failed_reindex_says_why_and_the_papers_of_before_serve(
    discord: DiscordServer, bot: BotProcess, discord_shelf: tuple[Path, Path]
) -> None:
    dump = discord_shelf[1]
    before = dump.read_text()
    dump.write_text("")
    command = discord.slash("reindex", user=MANAGER)
    discord.until(lambda: "No papers in" in command.text or "Nothing" in command.text, "failed")
    dump.write_text(before)
    assert "source" in actions(discord.answered(discord.slash("ask", question=QUESTION)))


def test_config_limits_channels_and_roles_and_hides_the_model(discord: DiscordServer, bot: BotProcess) -> None:
    def configure(**options: Any) -> str:
        return str(whispered(discord, discord.slash("config", user=MANAGER, given=options))["content"])

    assert "<#300>" in configure(channel=str(GENERAL), show_model=False)
    refused = whispered(discord, discord.slash("ask", channel=OTHER, question=QUESTION))
    assert "may not answer in this channel" in refused["content"]
    asked = len(bot.logged("asked"))
    discord.say(QUESTION, channel=OTHER, mention=True)
    message = discord.answered(discord.slash("ask", question=QUESTION))
    assert len(bot.logged("asked")) == asked + 1
    assert "-# noise" not in message["content"]
    assert "<@&500>" in configure(channel=str(GENERAL), role=str(ROLE))
    assert "only some roles" in whispered(discord, discord.slash("ask", question=QUESTION))["content"]
    discord.roles[ADA] = [str(ROLE)]
    assert "source" in actions(discord.answered(discord.slash("ask", question=QUESTION)))
    assert "1 a person, 3 in this server" in configure(waiting_per_person=1, waiting_per_server=3)
    assert (
        configure(reset=True)
        == "**Channels** all\n**Roles** everybody\n**Waiting questions** 10 a person, 200 in this server\n**Model named** yes"
    )


# --- when Discord fails ---


def test_late_acknowledgement_is_followed_by_a_message_in_the_channel(discord: DiscordServer, bot: BotProcess) -> None:
    before = len(discord.in_channel(OTHER))
    discord.acknowledge_within_s = -1.0
    asked = discord.slash("ask", channel=OTHER, question=QUESTION)
    message = last_in(discord, OTHER, before)
    discord.acknowledge_within_s = 3.0
    assert asked.acknowledged is None
    assert "source" in actions(message)


def test_answer_comes_through_the_channel_when_the_interactions_token_has_died(
    discord: DiscordServer, bot: BotProcess
) -> None:
    discord.token_life_s = -1.0
    asked = discord.slash("ask", question=QUESTION)
    message = discord.answered(asked)
    discord.token_life_s = 900.0
    assert asked.message is message
    assert any(path == f"PATCH /channels/{GENERAL}/messages/{message['id']}" for path, _ in discord.requests)


@pytest.mark.parametrize("status", [429, 503, 500])
def test_final_reply_is_sent_again_until_discord_takes_it(discord: DiscordServer, bot: BotProcess, status: int) -> None:
    discord.fail(r"PATCH /webhooks", status, times=2, retry_after=0.1)
    asked = discord.slash("ask", question=QUESTION)
    message = discord.answered(asked)
    assert not any(failure.times for failure in discord.failures)
    assert len([text for text in message["shown"] if "sentences supported" in text]) == 1
    assert asked.followups == []


def test_deleted_reply_is_written_anew(discord: DiscordServer, bot: BotProcess) -> None:
    channel = discord.direct(779)
    discord.fail(rf"PATCH /channels/{channel}", 404)
    discord.say(QUESTION, user=779, channel=channel)
    assert "source" in actions(last_in(discord, channel, 1))


def test_channel_closed_to_the_bot_harms_nobody_else(discord: DiscordServer, bot: BotProcess) -> None:
    discord.closed_channels.add(OTHER)
    late, gone = len(bot.logged("acknowledged too late")), len(bot.logged("nobody to reply to"))
    discord.acknowledge_within_s = -1.0
    discord.slash("ask", channel=OTHER, question=QUESTION)
    discord.until(lambda: len(bot.logged("acknowledged too late")) > late, "acknowledged too late")
    discord.acknowledge_within_s = 3.0
    assert "source" in actions(discord.answered(discord.slash("ask", question=QUESTION)))
    discord.until(lambda: len(bot.logged("nobody to reply to")) > gone, "given up")
    discord.closed_channels.clear()


@pytest.mark.parametrize("lose", ["close 4000", "close 1006-like", "reconnect"])
def test_lost_connection_is_resumed_and_nothing_asked_meanwhile_is_lost(
    discord: DiscordServer, bot: BotProcess, lose: str
) -> None:
    resumed, identified = discord.resumes, discord.identifies
    lost: dict[str, Callable[[], None]] = {
        "close 4000": lambda: discord.disconnect(4000),
        "close 1006-like": lambda: discord.disconnect(1001),
        "reconnect": discord.ask_to_reconnect,
    }
    lost[lose]()
    asked = discord.slash("ask", question=QUESTION)
    assert "source" in actions(discord.answered(asked))
    discord.until(lambda: discord.resumes > resumed, "resumed")
    assert discord.identifies == identified


def test_refused_session_is_begun_anew(discord: DiscordServer, bot: BotProcess) -> None:
    identified = discord.identifies
    discord.lose_session()
    discord.refuse_gateway = 1
    discord.disconnect(4000)
    discord.until(lambda: discord.identifies > identified, "identified again")
    assert "source" in actions(discord.answered(discord.slash("ask", question=QUESTION)))


# --- safety and load ---


def test_untrusted_text_neither_pings_nor_links_nor_breaks_out(discord: DiscordServer, bot: BotProcess) -> None:
    message = discord.answered(discord.slash("ask", question="Which attack reaches 99% on chat programs?"))
    shown = [message["content"]]
    for value in [option["value"] for part in components(message) if part["type"] == 3 for option in part["options"]]:
        card = whispered(discord, discord.press(message, "source", values=[value]))
        assert card["content"].count("```") == 2  # within a code block nothing is a link or a mention
        shown += [card["embeds"][0]["title"], card["embeds"][0]["description"]]
    assert any("Attack" in text for text in shown)
    for text in shown:
        assert not re.search(r"\]\(https?://|```|@everyone|@here|<@[&!]?\d", text), text


def test_hundred_questions_of_twenty_people_each_end_once_and_fairly(discord: DiscordServer, bot: BotProcess) -> None:
    seen, beats = len(bot.logged("ended")), len(discord.heartbeats)
    people = range(3000, 3020)

    def finals() -> Counter[str]:
        """How many final replies each question has, by its id."""
        shown = [message for message in discord.messages.values() if is_final(message)]
        return Counter(components(message)[-1]["custom_id"].split(":")[2] for message in shown)

    before = finals()
    for person in people:
        for number in range(5):
            discord.slash("ask", user=person, question=f"{QUESTION} ({number})")
    discord.until(lambda: (finals() - before).total() >= 100, "a hundred final replies")
    discord.until(lambda: len(bot.logged("ended")) >= seen + 100, "all logged")
    ended = bot.logged("ended")[seen:]
    assert {finals()[line["question_id"]] for line in ended} == {1}
    assert Counter(line["person"] for line in ended) == dict.fromkeys(people, 5)
    assert {line["state"] for line in ended} == {"done"}
    # While somebody has questions waiting, nobody else is served more often than they are, but for the one under way.
    served: Counter[int] = Counter()
    for line in ended:
        served[line["person"]] += 1
        waiting = [served[person] for person in people if served[person] < 5]
        assert served[line["person"]] <= min(waiting, default=5) + 3
    assert len(discord.heartbeats) > beats
    assert discord.zombies == 0


def test_metrics_count_without_words(discord: DiscordServer, bot: BotProcess, port: int) -> None:
    now = metrics(port)
    assert now['footnote_questions_total{state="done"}'] > 20
    assert now["footnote_waiting"] == 0
    assert now["footnote_loop_lag_seconds"] >= 0


def test_one_embedding_model_serves_all_threads(bot: BotProcess) -> None:
    assert bot.printed.count("Loading SentenceTransformer") == 1


def test_logs_hold_no_words_of_people(bot: BotProcess, discord: DiscordServer, answer: Json) -> None:
    assert QUESTION not in bot.printed
    assert bot.logged("asked")[0].keys() >= {"question_id", "person", "server", "place"}


def test_a_compressed_day_leaves_no_task_or_file_behind(discord: DiscordServer, bot: BotProcess, port: int) -> None:
    rounds = [(False, False), (True, False), (True, True), (False, False), (True, False)]
    for number, (disconnect, reindex) in enumerate(rounds[:2]):
        round_of_events(discord, number, messages=60, questions=3, disconnect=disconnect, reindex=reindex)
    warm = footprint(bot, port)
    for number, (disconnect, reindex) in enumerate(rounds[2:], 2):
        round_of_events(discord, number, messages=60, questions=3, disconnect=disconnect, reindex=reindex)
    discord.until(lambda: footprint(bot, port).tasks <= warm.tasks + 1, "tasks ended")
    after = footprint(bot, port)
    assert after.threads <= warm.threads + 2
    assert after.files <= warm.files + 6
    assert after.memory_bytes < warm.memory_bytes * 1.25
