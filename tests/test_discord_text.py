"""What the bot shows and understands: splitting, conversion, cards, parsing, rules, logs. Plain functions."""

import json
import logging
import random
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot import cli
from bot.discord_app import wording
from bot.discord_app.cards import (
    answer_posts,
    check_post,
    evidence_post,
    paper_post,
    shorter_text,
    source_menu,
    source_post,
    waiting_post,
    writing_post,
)
from bot.discord_app.kept import Asked, Kept, evaluation_row
from bot.discord_app.logs import JsonLines
from bot.discord_app.markdown import code_block, disarmed, escaped, plain_math, shown
from bot.discord_app.parsing import custom_id, read_custom_id, rebuild_step, token_problem
from bot.discord_app.rules import Rules
from bot.discord_app.split import LONGEST, open_fence, split
from bot.queue import Limits, QueueRefused
from rag.types import Answer, Citation, Claim, Evidence, Paper, ScoredPaper, Timings

ABSTRACT = "Mercury is small. It reaches 71.5% accuracy on Tides. It trains in 3 hours."
PAPER = Paper(
    "p1",
    "Mercury: A *Small* Model",
    ABSTRACT,
    authors=("Ada Lovelace", "Bo Li"),
    date="2024-05-06",
    url="https://a.b/1",
)
OTHER = Paper("p2", "Venus", "Venus has clouds.", date="2023")


def answer_of(text: str = "It reaches 71.5% [1]. It is loved [2].", abstained: bool = False) -> Answer:
    claims = (
        Claim("It reaches 71.5%.", (1,), True, "It reaches 71.5% accuracy on Tides."),
        Claim("It is loved.", (2,), False, "Venus has clouds.", "no passage says “loved”"),
    )
    quotes = ("It reaches 71.5% accuracy on Tides.",)
    citations = (Citation(1, PAPER, quotes, True), Citation(2, OTHER, ("Venus has clouds.",), False))
    evidence = (
        Evidence(1, PAPER, 1.0, quotes[0], 1.0, 0.9),
        Evidence(2, OTHER, 0.5, "Venus has clouds.", 0.2, 0.3),
    )
    return Answer(
        "What?", "What?", text, abstained, "No paper is close." if abstained else None, () if abstained else claims,
        () if abstained else citations, (), (ScoredPaper(PAPER, 1, 1, 1, 1), ScoredPaper(OTHER, 1, 1, 2, 2)), evidence, 0.9,
        "write", "tiny", "gen-1", "stop", Timings(total_ms=900),
    )  # fmt: skip


# --- splitting ---


def test_parts_fit_and_hold_everything() -> None:
    text = "\n\n".join(f"Paragraph {n} says that it reaches {n}.5% on Tides [1][{n}]. It holds." for n in range(200))
    parts = split(text)
    assert all(len(part) <= LONGEST for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "whole", ["https://example.org/" + "a" * 60, "[12][13]", "`some inline code here`", "**bold words in here**"]
)
@pytest.mark.parametrize("before", range(60, 100, 3))
def test_no_part_begins_or_ends_inside_a_link_a_marker_or_code(whole: str, before: int) -> None:
    text = "word " * (before // 5) + "x" * (before % 5) + f" {whole} and more words after it, as many as it takes"
    assert any(whole in part for part in split(text, 110))


def test_no_part_begins_with_the_marker_of_the_sentence_before() -> None:
    for length in range(80, 120):
        parts = split("a " * 40 + "sentence [1]. " + "b " * 60, length)
        assert not any(part.startswith("[") for part in parts)


def test_code_block_that_must_be_cut_is_closed_and_opened_again() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(40))
    parts = split(f"Before.\n```python\n{code}\n```\nAfter.", 200)
    assert all(open_fence(part) is None for part in parts)
    assert sum(part.count("line_") for part in parts) == 40
    assert all(part.startswith("```python") for part in parts[1:-1])
    assert parts[-1].endswith("After.")


def test_code_block_that_fits_into_a_message_is_not_cut() -> None:
    block = "```\n" + "\n".join("x" * 20 for _ in range(6)) + "\n```"
    assert any(block in part for part in split("word " * 30 + "\n" + block, 200))


@pytest.fixture
def _in_time() -> Iterator[None]:
    """What never returned would hold up all tests."""

    def give_up(*_: object) -> None:
        raise AssertionError("it never returned")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_in_time")
@pytest.mark.parametrize("text", ["Here is the list:\n```\n" + "[1]" * 900, "``` https://x.y/" + "a" * 2500])
def test_run_without_a_place_to_cut_behind_a_fence_is_cut_all_the_same(text: str) -> None:
    assert len(writing_post("a" * 16, text).text) < 2000


@pytest.mark.usefixtures("_in_time")
def test_whatever_stands_between_fences_comes_in_parts_that_fit_and_hold_everything() -> None:
    draw = random.Random(0)
    runs = ["[1]" * 30, "https://a.b/" + "c" * 50, "`code`", "**bold words**", "[2] ", "word ", "End. ", "x" * 70]
    pieces = ["```\n", "```py\n", "```py about\n", "\n```\n", "```[1]", "``` ", "\n", "\n\n", *runs]

    def bare(text: str) -> str:
        return re.sub(r"[`py\s]", "", text)  # fences are closed and opened again

    for _ in range(3000):
        text = "".join(draw.choices(pieces, k=draw.randint(1, 25)))
        longest = draw.randint(40, 120)
        parts = split(text, longest)
        assert all(0 < len(part) <= longest for part in parts)
        assert all(open_fence(part) is None for part in parts[:-1])
        assert bare("".join(parts)) == bare(text)


def test_text_without_any_place_to_cut_is_cut_all_the_same() -> None:
    assert [len(part) for part in split("x" * 450, 200)] == [200, 200, 50]


# --- conversion ---


def test_table_becomes_aligned_columns() -> None:
    assert shown("T:\n| Model | Top-1 |\n|:--|--:|\n| Mercury [1] | 71.5 |\n| V | 64.2 |\nEnd") == (
        "T:\n```\nModel        Top-1\n───────────  ─────\nMercury [1]  71.5\nV            64.2\n```\nEnd"
    )


def test_wide_table_is_shown_row_by_row() -> None:
    table = f"| A | B |\n|---|---|\n| {'long ' * 20}| 2 |"
    assert shown(table) == f"- A: {('long ' * 20).strip()}; B: 2"


@pytest.mark.parametrize(
    ("latex", "unicode"),
    [
        (r"$\alpha \leq \frac{1}{2}$", "α ≤ 1/2"),
        (r"\(x_{i}^{2} + \sqrt{n}\)", "xᵢ² + √n"),
        (r"$$\mathbb{R}^{d \times k}$$", "ℝ^(d × k)"),
        (r"$\mathrm{softmax}(QK^T)$", "softmax(QKᵀ)"),
        (r"$\frac{a + b}{c}$", "(a + b)/c"),
        ("it costs $5 or $10", "it costs $5 or $10"),
        (r"$\unknown{x}$", r"\unknownx"),
        ("$" + "{" * 300 + "$", "{" * 300),
    ],
)
def test_latex_becomes_unicode(latex: str, unicode: str) -> None:
    assert plain_math(latex) == unicode


@pytest.mark.parametrize(
    "text", ["@everyone", "@here", "<@1>", "<@&2>", "<#3>", "[x](https://e.v)", "# big", "> quote", "-# small"]
)
def test_untrusted_text_is_disarmed(text: str) -> None:
    safe = disarmed(text)
    assert safe != text
    assert not re.search(r"@everyone|@here|<[@#]|\]\(|^(#|>|-#)", safe, re.M)


def test_addresses_are_linked_without_a_preview() -> None:
    assert disarmed("see https://a.b/c_(d). (https://e.f)") == "see <https://a.b/c_(d)>. (<https://e.f>)"


def test_code_cannot_be_closed_from_within_and_is_left_as_it_is() -> None:
    assert code_block("a ``` b").count("```") == 2
    assert shown("`$x_1$ <@1>` and $x_1$") == "`$x_1$ <@1>` and x₁"


# --- posts ---


def test_answer_shows_sources_support_and_model_and_can_be_pressed() -> None:
    (post,) = answer_posts("a" * 16, answer_of())
    assert "-# [1] Mercury: A \\*Small\\* Model (2024-05-06) <https://a.b/1>" in post.text
    assert "1 of 2 sentences supported" in post.text
    assert "-# tiny · 0.9 s" in post.text
    assert [option.value for option in post.menu] == ["1", "2"]
    assert [button.action for button in post.buttons] == ["evidence", "retry", "shorter", "good", "bad"]
    assert "tiny" not in answer_posts("a" * 16, answer_of(), show_model=False)[0].text


def test_note_stands_above_the_buttons_however_long_the_answer_is() -> None:
    for length in range(1500, 1900):
        last = answer_posts("a" * 16, answer_of("x" * length), wording.PARKED)[-1]
        assert wording.PARKED in last.text
        assert last.buttons


def test_long_answer_takes_several_messages_and_buttons_are_under_the_last() -> None:
    posts = answer_posts("a" * 16, answer_of("It reaches 71.5% [1]. " * 300))
    assert len(posts) > 2
    assert [bool(post.buttons) for post in posts] == [False] * (len(posts) - 1) + [True]


def test_refusal_gives_the_reason_and_the_nearest_papers() -> None:
    (post,) = answer_posts("a" * 16, answer_of("The papers here do not answer this.", abstained=True))
    assert "*No paper is close.*" in post.text
    assert "**Nearest papers**\n- Mercury" in post.text
    assert [option.label[:3] for option in source_menu(answer_of(abstained=True))] == ["[1]", "[2]"]


def test_card_has_the_evidence_in_bold_and_what_names_the_paper() -> None:
    post = source_post(answer_of(), 1)
    assert post is not None
    assert post.card is not None
    assert post.card.text == "Mercury is small. **It reaches 71.5% accuracy on Tides.** It trains in 3 hours."
    assert dict(post.card.fields) == {"Date": "2024-05-06", "Authors": "Ada Lovelace, Bo Li", "Link": "<https://a.b/1>"}
    assert source_post(answer_of(), 3) is None


def test_card_of_a_very_long_abstract_is_cut_around_its_evidence() -> None:
    quote = "This is the sentence."
    post = paper_post(Paper("x", "T" * 400, "filler words. " * 900 + quote + " filler words." * 900), (quote,))
    assert post.card is not None
    assert f"**{quote}**" in post.card.text
    assert len(post.card.text) <= 4000
    assert len(post.card.title) <= 250


def test_evidence_and_check_name_what_is_not_supported() -> None:
    card = evidence_post(answer_of()).card
    assert card is not None
    assert "⚠️ It is loved. [2]\n> **Venus has clouds.**\n> no passage says “loved”" in card.text
    checked = check_post([(Claim("A.", (), True, "B."), PAPER), (Claim("C.", (), False), None)]).card
    assert checked is not None
    assert checked.title == "1 of 2 sentences supported by the papers"
    assert "⚠️ C.\n> not found in the papers" in checked.text


def test_shorter_keeps_what_is_supported() -> None:
    assert shorter_text(answer_of()) == "It reaches 71.5%. [1]"


def test_waiting_and_writing_fit_a_message_and_can_be_stopped() -> None:
    waiting = waiting_post("a" * 16, answer_of().passages, 3, 100)
    assert "Number 3 in the queue, in about 2 min." in waiting.text
    writing = writing_post("a" * 16, "word " * 1000)
    assert len(writing.text) < 2000
    assert [button.action for button in (*waiting.buttons, *writing.buttons)] == ["stop", "stop"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("person", "as many questions waiting as one person may. Try again in about 2 min."),
        ("server", "This server has as many questions waiting as it may. Try again in about 2 min."),
        ("all", "The queue is full. Try again in about 2 min."),
        ("closed", "press “Ask again” in a minute."),
    ],
)
def test_refusals_say_when_to_come_back(reason: str, said: str) -> None:
    assert wording.refused(QueueRefused(reason, 120)).endswith(said)


# --- parsing ---


@pytest.mark.parametrize("action", ["stop", "source", "evidence"])
def test_custom_id_carries_action_and_question(action: str) -> None:
    assert read_custom_id(custom_id(action, "0123456789abcdef")) == (action, "0123456789abcdef")
    assert read_custom_id(f"footnote:{action}:../../etc") is None


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "not set"),
        ("Bot MTIz.a.b", "Bot"),
        ("abc", "3 characters, 0 dots"),
        ("YWJjZGVmZ2hpamtsbW5vcHFy.GhIjKl.abcdefghijklmnopqrstuvwxyz", "names no bot"),
    ],
)
def test_token_of_another_shape_is_explained_without_showing_it(token: str, why: str) -> None:
    problem = token_problem(token)
    assert problem is not None
    assert why in problem
    assert not token or token not in problem


def test_lines_of_a_rebuild_are_understood() -> None:
    assert rebuild_step("footnote: Another rebuild is writing") is None
    step = rebuild_step("read 40, 9/s")
    assert step is not None
    assert (step.stage, step.done, step.total) == ("read", 40, 0)


# --- rules, records, logs ---


def test_rules_lower_limits_but_never_raise_them() -> None:
    limits = Rules(waiting_per_person=1, waiting_per_server=999).limits(Limits())
    assert (limits.waiting_per_person, limits.waiting_per_server) == (1, 20)
    assert Rules.of(json.loads(json.dumps(Rules((1,), (2,)).record()))) == Rules((1,), (2,))
    assert Rules().with_toggled(5, None).with_toggled(5, 6) == Rules((), (6,))


def test_what_is_kept_survives_and_is_forgotten(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "discord.db")
    kept.accept(Asked("q1", "What?", 1, 2, 3, 100.0), 77)
    kept.accept(Asked("q2", "Who?", 1, 2, 3, 101.0, ("What?", "Why?")), None)
    kept.answered("q2", answer_of())
    kept.close_question("q2")
    again = Kept(tmp_path / "discord.db")  # as after a SIGKILL: nobody closed the first
    assert [(asked.id, message) for asked, message in again.open_questions()] == [("q1", 77)]
    assert again.find("q2") == (Asked("q2", "Who?", 1, 2, 3, 101.0, ("What?", "Why?")), answer_of())
    assert again.answers(3, None) == [answer_of()]
    assert again.answers(3, 9) == []
    assert again.forget(3, 9) == 0
    assert again.forget(3, 1) == 2
    assert again.open_questions() == []
    kept.close()
    again.close()


@pytest.mark.parametrize("forget", [lambda kept: kept.forget(3, 1), lambda kept: kept.forget_older(1)])
def test_forgotten_words_are_in_no_file(tmp_path: Path, forget: Callable[[Kept], object]) -> None:
    kept = Kept(tmp_path / "discord.db")
    kept.accept(Asked("q1", "secret", 1, 2, 3, 100.0, ("secret before",)), None)
    kept.answered("q1", answer_of("It is secret [1]."))
    kept.close_question("q1")
    assert b"secret" in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    forget(kept)
    assert b"secret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    kept.close()


def test_file_of_an_earlier_version_is_used_on(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "discord.db")
    kept.accept(Asked("q1", "What?", 1, 2, 3, 100.0), None)
    kept.close()
    with sqlite3.connect(tmp_path / "discord.db") as database:
        database.execute("ALTER TABLE questions DROP COLUMN history")
    database.close()
    kept = Kept(tmp_path / "discord.db")
    assert kept.find("q1") == (Asked("q1", "What?", 1, 2, 3, 100.0), None)
    kept.close()


def test_second_rating_replaces_the_first(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "discord.db")
    asked = Asked("q1", "And on Tides?", 1, 2, 3, 100.0)
    for good, reason in [(True, ""), (False, "wrong number")]:
        kept.rate("q1", 1, good, evaluation_row(asked, answer_of(), good, reason))
    assert [(row["rating"], row["reason"]) for row in kept.feedback()] == [("bad", "wrong number")]
    kept.close()


def test_feedback_is_printed_as_lines_for_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_SESSIONS", str(tmp_path / "sessions.db"))
    kept = Kept(tmp_path / "discord.db")
    asked = Asked("q1", "And on Tides?", 1, 2, 3, 100.0, ("How accurate is Mercury?",))
    kept.rate("q1", 1, False, evaluation_row(asked, answer_of(), False, "wrong number"))
    kept.close()
    assert cli.main(["discord", "--feedback"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["id"], row["reason"]) == ("q1", "wrong number")
    assert row["history"] == ["How accurate is Mercury?"]


def test_bot_without_a_token_ends_with_78_and_says_where_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["discord"]) == 78
    assert "it is not set. Copy it from the application's page" in capsys.readouterr().err


def test_log_lines_hold_fields_and_no_secret() -> None:
    formatter = JsonLines(("s3cret",))
    try:
        raise RuntimeError("PATCH https://discord.com/api/v10/webhooks/12/aW50ZXI.x/messages/@original with s3cret")
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed %s", ("s3cret",), sys.exc_info())
    record.fields = {"question_id": "q1"}
    line = formatter.format(record)
    assert json.loads(line)["question_id"] == "q1"
    assert "RuntimeError" in line
    assert "s3cret" not in line
    assert "aW50ZXI" not in line


def test_escaped_text_shows_as_it_is() -> None:
    assert escaped("a_b *c* `d`\n[1](https://e.v)") == r"a\_b \*c\* \`d\` [1] (<https://e.v>)"
