"""Figures of a made-up question set, worked out by hand, and the command that prints them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli import main
from rag.answer import Answerer
from rag.errors import QuestionSetError
from rag.evaluate import Outcome, auroc, figures, outcome, read_questions, risk_coverage, speed
from rag.retrieve import Retriever
from rag.store import Store, open_store
from rag.types import Answer, Citation, Claim, Evidence, Paper, ScoredPaper, Timings
from tests.conftest import WordEmbedder, WordReader

MERCURY = Paper("m", "Mercury: A Small Model", "It reaches 71.5% accuracy.  It trains in 3 hours.")
VENUS = Paper("v", "Venus", "Venus is linear. Clouds help.")

QUESTIONS: list[dict[str, object]] = [
    {
        "id": "a",
        "question": "How accurate is Mercury, and how long does it train?",
        "type": "fact",
        "gold_titles": ["MERCURY - a small model"],
        "gold_sentences": ["It trains in 3 hours."],
        "answer_points": [["71.5%", "71.5 %"], ["3 Hours"]],
    },
    {
        "id": "b",
        "question": "And which are linear?",
        "history": ["What is Mercury?"],
        "type": "list",
        "gold_titles": ["Venus", "Mercury: A Small Model"],
        "gold_sentences": ["Venus is linear."],
        "answer_points": [["linear"], ["53"]],
    },
    {"id": "c", "question": "Refused?", "type": "fact", "gold_titles": ["Venus"], "gold_sentences": ["Clouds help."]},
    {"id": "d", "question": "What does Mars cost?", "type": "unanswerable", "gold_titles": []},
    {"id": "e", "question": "Will it rain?", "type": "offtopic"},
]


def answer(text: str, found: list[Paper], cited: list[Citation], evidence: list[tuple[str, float]]) -> Answer:
    return Answer(
        question="",
        query="",
        text=text,
        abstained=not text,
        answerable=max((score for _, score in evidence), default=0.0),
        reason=None if text else "none",
        claims=tuple(Claim("", (citation.marker,), citation.supported) for citation in cited),
        citations=tuple(cited),
        dropped=(),
        passages=tuple(ScoredPaper(paper, 1.0, 1.0, 1, 1) for paper in found),
        evidence=tuple(Evidence(1, MERCURY, 1.0, sentence, score, 0.5) for sentence, score in evidence),
        mode="evidence",
        model=None,
        generation="gen-1",
        finish_reason="stop",
        timings=Timings(retrieve_ms=2.0, evidence_ms=4.0, total_ms=10.0 * (1 + len(evidence))),
    )


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n\n".join(map(json.dumps, QUESTIONS)), encoding="utf-8")
    return path


@pytest.fixture
def outcomes(questions: Path) -> list[Outcome]:
    mercury = Citation(1, MERCURY, ("It trains in 3 hours.",), True)
    answers = [
        # 71.5 stands in 171.5 and is not found; of two papers cited, one is right
        answer(
            "It takes 3 HOURS and 171.5% [1][2].",
            [MERCURY, VENUS],
            [mercury, Citation(2, VENUS, ("Clouds help.",), False)],
            [("It reaches 71.5% accuracy.", 0.9), ("It trains in  3 hours.", 0.8)],
        ),
        # of two gold papers one is found and cited, and not first; 53 is only in 1953
        answer("linearly, since 1953 [1]", [Paper("x", "Other", "")] * 2 + [VENUS], [], [("Venus is linear.", 0.7)]),
        answer("", [MERCURY], [], [("Venus is linear.", 0.2)]),
        answer("Ten euros [1].", [MERCURY], [mercury], [("It trains in 3 hours.", 0.8)]),
        answer("", [MERCURY], [], []),
    ]
    return [outcome(asked, given) for asked, given in zip(read_questions(questions), answers, strict=True)]


def test_figures_are_those_worked_out_by_hand(outcomes: list[Outcome]) -> None:
    assert figures(outcomes) == {
        "hit@1": 0.333,  # a of a, b, c
        "hit@5": 0.667,  # a, b
        "recall@5": 0.5,  # 1, 1/2, 0
        "sentence@1": 0.333,  # b
        "sentence@3": 0.667,  # a, b
        "sentence@5": 0.667,
        "false_refusal": 0.333,  # c
        "point_recall": 0.333,  # 1/2, 1/2, 0
        "words": 5.5,  # 7, 4
        "has_citation": 0.5,  # a of a, b
        "citation_precision": 0.25,  # 1/2, 0
        "citation_recall": 0.5,  # 1, 0
        "quote_hits_gold": 0.5,  # a
        "sentences_supported": 0.5,  # 1/2 of a; b has no claims
        "refused_unanswerable": 0.0,
        "refused_offtopic": 1.0,
    }
    assert [each.lost for each in outcomes] == [
        "50% of the answer points",
        "50% of the answer points, no gold paper cited",
        "refused, though a paper answers it",
        "answered, though no paper answers it",
        "",
    ]


def test_curve_and_speed_are_those_worked_out_by_hand(outcomes: list[Outcome]) -> None:
    # by confidence: a .9 right, d .8 wrong, b .7 right, c .2 wrong (its sentence is not there), e 0 wrong
    assert [(point.threshold, point.coverage, round(point.risk, 3)) for point in risk_coverage(outcomes)] == [
        (0.9, 0.2, 0.0),
        (0.8, 0.4, 0.5),
        (0.7, 0.6, 0.333),
        (0.2, 0.8, 0.5),
        (0.0, 1.0, 0.6),
    ]
    assert auroc(outcomes) == 0.667  # a, b, c against d: 1, 0, 0; against e: 1, 1, 1
    assert auroc(outcomes[:3]) is None
    measured = speed(outcomes)  # 30, 20, 20, 20, 10
    assert (measured["total_ms"], measured["total_ms_max"], measured["retrieve_ms"]) == (20.0, 30.0, 2.0)
    assert "first_token_ms" not in measured


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ("{", "line 2: Expecting property name"),
        ("[]", "line 2: not a JSON object"),
        ('{"id": "b", "type": "fact"}', 'line 2: no "question"'),
        ('{"id": 7, "question": "Why?", "type": "fact"}', 'line 2: no "id"'),
        ('{"id": "b", "question": "\\u0000", "type": "fact"}', "line 2: The question is empty"),
        ('{"id": "b", "question": "Why?", "type": "fact", "gold_titles": "x"}', '"gold_titles" is not a list of texts'),
        ('{"id": "b", "question": "Why?", "type": "fact", "answer_points": ["x"]}', '"answer_points" is not a list of'),
        ('{"id": "a", "question": "Why?", "type": "fact"}', 'line 2: a second question with the id "a"'),
    ],
)
def test_bad_question_is_named_with_its_file_and_line(second: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id": "a", "question": "Why?", "type": "fact"}\n' + second)
    with pytest.raises(QuestionSetError, match=re.escape(why)) as raised:
        read_questions(path)
    assert str(path) in str(raised.value)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], embedder: WordEmbedder, planets: Store
) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["eval", *arguments, "--model", "none"])
        return code, *capsys.readouterr()

    monkeypatch.setattr(
        "bot.cli._answerer",
        lambda settings: Answerer(Retriever(open_store(settings.store), embedder), None, 3, reader=WordReader()),
    )
    return run


def test_command_prints_figures_by_type_and_what_was_lost(run: Run, questions: Path) -> None:
    code, out, _ = run(str(questions))
    assert code == 0
    assert out.startswith("5 questions\n")
    assert re.search(r"^  hit@1 +\d", out, re.M)
    assert re.search(r"^unanswerable +1 ", out, re.M)
    assert re.search(r"questions lost something\n  \w: ", out)


def test_json_of_the_command_is_stable(run: Run, questions: Path) -> None:
    code, out, _ = run(str(questions), "--json")
    evaluation = json.loads(out)
    assert code == 0
    assert evaluation.keys() >= {
        "schema",
        "questions",
        "figures",
        "types",
        "auroc",
        "risk_coverage",
        "speed",
        "lost",
        "outcomes",
    }
    assert (evaluation["schema"], evaluation["questions"], len(evaluation["outcomes"])) == (1, 5, 5)
    assert evaluation["types"]["fact"]["questions"] == 2
    assert {"id", "type", "why", "question"} == evaluation["lost"][0].keys()


def test_report_is_one_page_that_needs_nothing_else(run: Run, questions: Path, tmp_path: Path) -> None:
    rude = '<script>alert("x")</script> costs?'
    with questions.open("a") as file:
        file.write("\n" + json.dumps({"id": "z", "question": rude, "type": "<b>", "gold_titles": ["<i>"]}))
    code, _, _ = run(str(questions), "--report", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert code == 0
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"\b(?:src|href)=|https?:|@import|url\(", page)
    assert not re.search(r"\bnan\b", page)


def test_report_that_cannot_be_written_in_the_end_takes_no_figures_with_it(run: Run, questions: Path) -> None:
    full = Path("/dev/full")  # can be opened
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    code, out, err = run(str(questions), "--report", str(full))
    assert (code, out.splitlines()[0], "Cannot write /dev/full: No space left" in err) == (1, "5 questions", True)
    code, out, _ = run(str(questions), "--report", str(full), "--json")
    assert (code, json.loads(out)["questions"], json.loads(out)["hint"]) == (1, 5, "Name another --report.")


def test_trying_the_report_leaves_no_file_and_changes_none(
    run: Run, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rag.evaluate.outcome", interrupted)
    old, new = tmp_path / "old.html", tmp_path / "new.html"
    old.write_text("of before")
    assert [run(str(questions), "--report", str(file))[0] for file in (old, new)] == [130, 130]
    assert (old.read_text(), new.exists()) == ("of before", False)


def test_what_goes_wrong_has_a_message_and_an_exit_code(run: Run, questions: Path, tmp_path: Path) -> None:
    assert run("gone.jsonl")[0::2] == (
        1,
        "footnote: Cannot read gone.jsonl: [Errno 2] No such file or directory: 'gone.jsonl'. "
        "It must be a UTF-8 file of JSON lines.\n",
    )
    code, out, _ = run("gone.jsonl", "--json")
    assert (code, json.loads(out)["schema"]) == (1, 1)
    code, _, err = run(str(questions), "--report", str(tmp_path / "no" / "report.html"))
    assert (code, "Cannot write" in err, "answer" in err) == (1, True, False)  # nothing was answered in vain
    assert run(str(questions), "--store", "nowhere")[0] == 4
