"""What the terminal shows, as lines: Markdown, papers, sources; and what it exports."""

import json
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from bot.sessions import Turn
from bot.terminal import views
from bot.terminal.commands import COMMANDS
from bot.terminal.export import to_html, to_json, to_markdown
from bot.terminal.markdown import answer_lines, lines_of
from rag.types import Answer, Citation, Claim, Evidence, Paper, ScoredPaper, Timings

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b6n"
WIDE = Paper(
    "1",
    "水星：小さな模型 " * 3,
    f"水星は小さい。 The loss is $\\mathcal{{L}}_{{x}}^{{*}}$ on 水星. <b>It</b> {EVIL} is *small*.",
    date="2024-05-06",
    url="https://example.org/水星?a=1&b=<2>",
    authors=("Ada Lovelace",) * 9,
)


def found(paper: Paper) -> ScoredPaper:
    return ScoredPaper(paper, 1.0, 1.0, 1, None)


QUOTE = "The loss is $\\mathcal{L}_{x}^{*}$ on 水星."
ANSWER = Answer(
    question=f"What is\nthe loss {EVIL}?",
    query="What is the loss?",
    text=f"{QUOTE} [1] It is {EVIL} <i>small</i>.",
    abstained=False,
    reason=None,
    claims=(Claim(QUOTE, (1,), True, QUOTE), Claim("It is <i>small</i>.", (), False, why="nothing is cited")),
    citations=(Citation(1, WIDE, (QUOTE,), True),),
    dropped=(),
    passages=(found(WIDE), found(replace(WIDE, paper_id="2"))),
    evidence=(Evidence(1, WIDE, 1.0, QUOTE, 2.0, 1.0),),
    answerable=0.9,
    mode="write",
    model="small",
    generation="gen-1",
    finish_reason="stop",
    timings=Timings(1.0, 1.0, 1.0, 1.0, 10, 100, 5.0),
)
TURNS = [Turn(ANSWER.question, ANSWER.text, ANSWER.query, 0.0, ANSWER)]


def plain(lines: list[Text]) -> str:
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("It **grows** by *3%* [1].", "It grows by 3% [1]."),
        ("# Results\n\nGood.", "Results\n\nGood."),
        ("- one [1]\n- two", " • one [1]\n • two"),
        ("1. one\n2. two", " 1 one\n 2 two"),
        ("```python\nx = a[1]  # **not bold**\n```", "x = a[1]  # **not bold**"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", " a  b\n ────\n 1  2"),
        # What would make text disappear, or hide where it leads, stays as it was typed.
        ("[click](https://evil.example)", "[click](https://evil.example)"),
        ("![image](x.png) <b>bold</b> <!-- no -->", "![image](x.png) <b>bold</b> <!-- no -->"),
        ("a &lt; b &#27;[2J", "a &lt; b &#27;[2J"),
        ("---", "---"),
        (r"\[1\] and \*no\*", r"\[1\] and \*no\*"),
        # Maths keeps its underscores, asterisks and backslashes.
        (r"$a_i*b_j*c_k$ and $$\sum_x *y*$$", r"$a_i*b_j*c_k$ and $$\sum_x *y*$$"),
        (r"\(x_1*y*\) costs $5 and *$6*", r"\(x_1*y*\) costs $5 and $6"),
        ("snake_case_name stays", "snake_case_name stays"),
        # What is not yet complete while it streams.
        ("It **grows", "It **grows"),
        ("```\nx = 1", "x = 1"),
        (f"a{EVIL}b", "a ]0;owned  [2J 6nb"),
        ("", ""),
    ],
)
def test_markdown_is_shown_and_nothing_disappears(markdown: str, shown: str) -> None:
    assert plain(answer_lines(markdown, 80, verbatim=False)) == shown


def test_markdown_styles_what_it_marks() -> None:
    (line,) = answer_lines("It **grows** by *3%* [1].", 80, verbatim=False)
    styles = {line.plain[span.start : span.end]: str(span.style) for span in line.spans}
    assert (styles["grows"], styles["3%"], styles["[1]"]) == ("bold", "italic", "cyan")


def test_a_papers_own_words_are_no_markdown() -> None:
    assert plain(answer_lines("# *a* `b` | 1. $x$", 80, verbatim=True)) == "# *a* `b` | 1. $x$"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_nothing_is_wider_than_the_screen_or_holds_a_control_character(width: int) -> None:
    everything: list[RenderableType] = [
        views.nearest(ANSWER.passages),
        views.sources(ANSWER),
        views.footer(ANSWER),
        views.abstract(WIDE, "loss", [QUOTE], 1),
        views.why(ANSWER, "year>=2024"),
        views.compared([(1, WIDE), (2, WIDE)], "loss", 1.0, width),
        views.before(TURNS, 5),
        views.help_(COMMANDS),
    ]
    lines = [line for shown in everything for line in lines_of(shown, width, indent=2)]
    lines += answer_lines(ANSWER.text, width, verbatim=False) + answer_lines(ANSWER.text, width, verbatim=True)
    assert max(cell_len(line.plain) for line in lines) <= width
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", "".join(line.plain for line in lines))


def test_a_long_title_is_cut_and_its_date_is_not() -> None:
    paper = Paper("1", "A Very Long Title of a Paper", "", date="2024-05-06")
    (line,) = lines_of(views.nearest([found(paper)]), 30)
    assert line.plain == "[1] A Very Long … · 2024-05-06"
    (line,) = lines_of(views.nearest([found(paper)]), 60)
    assert line.plain == "[1] A Very Long Title of a Paper · 2024-05-06"


def test_sources_say_what_is_not_supported_and_what_else_is_near() -> None:
    shown = plain(lines_of(views.sources(ANSWER), 100))
    assert "    ✓ “The loss is $\\mathcal{L}_{x}^{*}$ on 水星.”" in shown
    assert "✗ not supported: “It is <i>small</i>.” (nothing is cited)\n\nAlso near:\n[2] 水星" in shown
    assert not plain(lines_of(views.sources(replace(ANSWER, passages=())), 100)).endswith("\n")
    stopped = replace(ANSWER, text="", claims=(), citations=(), finish_reason="stopped")
    assert plain(lines_of(views.sources(stopped), 100)).startswith("The nearest papers:\n[1] 水星")


def test_markdown_export_has_a_heading_a_question_and_what_was_quoted() -> None:
    text = to_markdown(TURNS)
    assert text.startswith("# What is the loss ]0;owned [2J 6n?\n\n## What is the loss")
    assert f"\n\n> {QUOTE}\n\n*Not supported: “It is <i>small</i>.”*\n" in text
    assert "**[1]** [水星：小さな模型" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_html_export_is_one_page_in_which_nothing_of_an_answer_is_markup() -> None:
    page = to_html(TURNS)
    assert page.startswith("<!doctype html>")
    assert "&lt;i&gt;small&lt;/i&gt;" in page
    assert f"<blockquote>{QUOTE}</blockquote>" in page
    assert '<a href="https://example.org/水星?a=1&amp;b=&lt;2&gt;">' in page
    assert "<sup>[1]</sup>" in page
    assert set(re.findall(r"<(\w+)", page)) <= {
        "html", "meta", "title", "style", "h2", "p", "sup", "br", "a", "blockquote", "footer", "doctype",
    }  # fmt: skip
    script = replace(WIDE, url="javascript:alert(1)")
    turn = replace(TURNS[0], answer=replace(ANSWER, citations=(Citation(1, script, (QUOTE,), True),)))
    assert "javascript:" not in to_html([turn])


def test_json_export_is_the_contract_of_ask() -> None:
    exported = to_json(TURNS)
    (turn,) = json.loads(exported)["turns"]
    assert (turn["question"], turn["citations"][0]["quote"], turn["finish_reason"]) == (ANSWER.question, QUOTE, "stop")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", turn["at"])
    assert exported.isascii()


def test_turn_of_another_version_is_exported_by_its_text() -> None:
    turns = [Turn("Why?", "Because.", "Why?", 0.0, None)]
    assert to_markdown(turns) == "# Why?\n\n## Why?\n\nBecause.\n"
    assert "<p>Because.</p>" in to_html(turns)
    assert json.loads(to_json(turns))["turns"][0]["answer"] == "Because."
