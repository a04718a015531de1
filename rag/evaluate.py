"""Questions with known answers + what was answered -> figures. Knows no surface and runs no model.

A question set has one JSON object a line: `id`, `question`, `type`, and what a right answer rests on, that is
`gold_titles` (papers; none if nothing answers it), `gold_sentences` and `answer_points` (each a list of spellings of
which one must occur); `history`, the earlier questions, if it is a follow-up.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from rag.errors import QuestionError, QuestionSetError
from rag.query import read_history, read_question
from rag.types import Answer

# Answer points are looked for in this many words of an answer, so that printing whole abstracts does not score.
_WORDS_READ = 120
# A question is lost to choosing sentences if none of its gold sentences is among this many; an answer has no more.
SENTENCES_READ = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what a right answer rests on; without gold titles, nothing answers it."""

    id: str
    question: str
    history: tuple[str, ...]
    type: str
    gold_titles: tuple[str, ...]
    gold_sentences: tuple[str, ...]
    answer_points: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question. A measure that does not apply to it is not in `measures`."""

    asked: Asked
    answer: Answer
    measures: Mapping[str, float]
    paper_rank: int | None
    """Rank of the first gold paper, from 1; None if it was not found."""
    sentence_rank: int | None
    """Rank of the first gold sentence among the evidence."""
    confidence: float
    """The probability that the evidence answers; 0 where none was read."""

    @property
    def answerable(self) -> bool:
        """Whether the papers answer it."""
        return bool(self.asked.gold_titles)

    @property
    def would_be_wrong(self) -> bool:
        """Whether an answer from the evidence would be wrong, refused or not."""
        if not self.answerable:
            return True
        return bool(self.asked.gold_sentences) and (self.sentence_rank or SENTENCES_READ + 1) > SENTENCES_READ

    @property
    def lost(self) -> str:
        """What went wrong, for people; empty if nothing did."""
        if not self.answerable:
            return "" if self.answer.abstained else "answered, though no paper answers it"
        if self.answer.abstained:
            return "refused, though a paper answers it"
        wrong = []
        if self.measures["point_recall"] < 1:
            wrong.append(f"{self.measures['point_recall']:.0%} of the answer points")
        if not self.measures["citation_recall"]:
            wrong.append("no gold paper cited")
        return ", ".join(wrong)


@dataclass(frozen=True, slots=True)
class Point:
    """What if the questions of at least this confidence are answered: what share is that, and how many go wrong?"""

    threshold: float
    coverage: float
    risk: float


def read_questions(path: Path) -> list[Asked]:
    """A question set. Raises QuestionSetError naming file and line."""
    asked: list[Asked] = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise QuestionSetError(f"Cannot read {path}: {exc}.", "It must be a UTF-8 file of JSON lines.") from exc
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                asked.append(_asked(json.loads(line)))
                if asked[-1].id in seen:
                    raise ValueError(f'a second question with the id "{asked[-1].id}"')
            except (ValueError, RecursionError, QuestionError) as exc:
                raise QuestionSetError(f"{path}, line {number}: {exc}", "Mend or remove that line.") from exc
            seen.add(asked[-1].id)
    if not asked:
        raise QuestionSetError(f"{path} has no questions.", "It must have one JSON object a line.")
    return asked


def outcome(asked: Asked, answer: Answer) -> Outcome:
    """Measure one answer."""
    gold = {_title_key(title) for title in asked.gold_titles}
    golds = [_normalised(sentence) for sentence in asked.gold_sentences]
    ranked = [_title_key(found.paper.title) for found in answer.passages]
    sentence_rank = _first(_is_among(item.sentence, golds) for item in answer.evidence)
    return Outcome(
        asked,
        answer,
        _answerable(asked, answer, gold, golds, ranked, sentence_rank)
        if gold
        else {f"refused_{asked.type}": answer.abstained},
        _first(title in gold for title in ranked),
        sentence_rank,
        answer.answerable,
    )


def figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The mean of each measure over the questions that it applies to, in the order they are explained in."""
    values: dict[str, list[float]] = defaultdict(list)
    for each in outcomes:
        for name, value in each.measures.items():
            values[name].append(value)
    return {name: round(fmean(found), 3) for name, found in values.items()}


def by_type(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each type of question, in the order of the question set."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        found[each.asked.type].append(each)
    return dict(found)


def speed(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Milliseconds an answer took: in all, median, nine of ten and most; median of each stage; tokens a second."""
    timings = [each.answer.timings for each in outcomes]
    total = sorted(timing.total_ms for timing in timings)
    found = {
        "total_ms": median(total),
        "total_ms_p90": quantiles(total, n=10, method="inclusive")[-1] if len(total) > 1 else total[0],
        "total_ms_max": total[-1],
        "retrieve_ms": median(timing.retrieve_ms for timing in timings),
        "evidence_ms": median(timing.evidence_ms for timing in timings),
    }
    for name in ("first_token_ms", "tokens_per_s"):
        known = [value for timing in timings if (value := getattr(timing, name)) is not None]
        found |= {name: median(known)} if known else {}
    return {name: round(value, 1) for name, value in found.items()}


def risk_coverage(outcomes: Sequence[Outcome]) -> list[Point]:
    """The curve of selective answering (El-Yaniv and Wiener 2010), from the most confident question to all.

    A question goes wrong if nothing answers it, or if none of the sentences that do is among the first few.
    """
    ranked = sorted(outcomes, key=lambda each: -each.confidence)
    points: list[Point] = []
    wrong = 0
    for answered, each in enumerate(ranked, 1):
        wrong += each.would_be_wrong
        if answered == len(ranked) or ranked[answered].confidence < each.confidence:
            points.append(Point(each.confidence, answered / len(ranked), wrong / answered))
    return points


def auroc(outcomes: Sequence[Outcome]) -> float | None:
    """How often an answerable question has more confidence than one that is not; None if either kind is missing."""
    can = [each.confidence for each in outcomes if each.answerable]
    cannot = [each.confidence for each in outcomes if not each.answerable]
    if not can or not cannot:
        return None
    return round(fmean((one > other) + (one == other) / 2 for one in can for other in cannot), 3)


def _answerable(
    asked: Asked, answer: Answer, gold: set[str], golds: Sequence[str], ranked: Sequence[str], sentence_rank: int | None
) -> dict[str, float]:
    """The measures of a question that a paper answers."""
    measures: dict[str, float] = {
        "hit@1": bool(ranked) and ranked[0] in gold,
        "hit@5": bool(gold & set(ranked[:5])),
        "recall@5": len(gold & set(ranked[:5])) / len(gold),
    }
    if golds:
        measures |= {f"sentence@{most}": (sentence_rank or most + 1) <= most for most in (1, 3, SENTENCES_READ)}
    measures["false_refusal"] = answer.abstained
    measures["point_recall"] = 0.0 if answer.abstained else _points_found(asked, answer.text)
    if not answer.abstained:
        cited = list(dict.fromkeys(_title_key(citation.paper.title) for citation in answer.citations))
        quotes = [quote for citation in answer.citations for quote in citation.quotes]
        measures |= {
            "words": len(answer.text.split()),
            "has_citation": bool(cited),
            "citation_precision": fmean(title in gold for title in cited) if cited else 0.0,
            "citation_recall": len(gold & set(cited)) / len(gold),
            "quote_hits_gold": any(_is_among(quote, golds) for quote in quotes),
        }
        if answer.claims:
            measures["sentences_supported"] = fmean(claim.supported for claim in answer.claims)
    return measures


def _points_found(asked: Asked, text: str) -> float:
    """Share of the answer points that occur in what is read of an answer; 1 if there are none."""
    read = _normalised(" ".join(text.split()[:_WORDS_READ]))
    points = [any(_stands_in(_normalised(one), read) for one in spellings) for spellings in asked.answer_points]
    return fmean(points) if points else 1.0


def _stands_in(spelling: str, text: str) -> bool:
    """Whether it occurs by itself.

    >>> _stands_in("53", "in 1953"), _stands_in("linear", "linearly"), _stands_in("linear", "nonlinear")
    (False, True, False)
    """
    left = r"(?<![0-9a-z.])" if re.match(r"[0-9]", spelling) else r"(?<![a-z])" if spelling[:1].isalpha() else ""
    right = r"(?![0-9]|\.[0-9])" if re.search(r"[0-9]$", spelling) else ""
    return re.search(left + re.escape(spelling) + right, text) is not None


def _normalised(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().lower()


def _title_key(title: str) -> str:
    return re.sub(r"\W+", " ", _normalised(title)).strip()


def _is_among(sentence: str, golds: Iterable[str]) -> bool:
    """Whether a sentence is, holds or is held by one of the gold sentences, which are normalised."""
    mine = _normalised(sentence)
    return bool(mine) and any(mine in gold or gold in mine for gold in golds)


def _first(found: Iterable[bool]) -> int | None:
    return next((rank for rank, right in enumerate(found, 1) if right), None)


def _asked(fields: Any) -> Asked:
    """One line of a question set. Raises ValueError or QuestionError saying what is wrong with it."""
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    for name in ("id", "question", "type"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise ValueError(f'no "{name}"')
    history, titles, golds = (_texts(fields, name) for name in ("history", "gold_titles", "gold_sentences"))
    points = fields.get("answer_points") or []
    if not isinstance(points, list) or not all(
        isinstance(spellings, list) and spellings and all(isinstance(one, str) and one for one in spellings)
        for spellings in points
    ):
        raise ValueError('"answer_points" is not a list of lists of spellings')
    return Asked(
        fields["id"],
        read_question(fields["question"]),
        tuple(read_history(history)),
        fields["type"],
        tuple(titles),
        tuple(golds),
        tuple(tuple(spellings) for spellings in points),
    )


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    found = fields.get(name) or []
    if not isinstance(found, list) or not all(isinstance(text, str) and text for text in found):
        raise ValueError(f'"{name}" is not a list of texts')
    return found
