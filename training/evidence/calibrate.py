"""Fits the one decision of Footnote's refusals: how likely the evidence answers, from two signals.

    python -m training.evidence.calibrate SET SEEDS [MODEL]

SET is the folder that question_set.py wrote, SEEDS the papers that questions/seeds.jsonl is about; MODEL the folder of
an evidence model, the one in models/ if left out. Fits on SET's dev.jsonl and on seeds.jsonl and more.jsonl of
questions/ together. Measures on test.jsonl too, on blind.jsonl and blind2.jsonl, on which nothing was chosen, on
names.jsonl, whose names are written otherwise than in the abstracts, and on hard.jsonl, which has near misses in the
abstracts' own words, and answerable questions in others. Prints the constants of rag/refusal.py, and for each part how
many answerable questions are refused and how many others are; writes MODEL/risk_coverage.json.
"""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.compose import asks_for_papers
from rag.embed import SentenceEmbedder
from rag.evidence import READ, Weighed, weigh
from rag.query import standalone_query
from rag.reader import SHIPPED, EvidenceReader
from rag.rebuild import rebuild
from rag.refusal import LEAST_TO_LIST, small_talk, why_unanswered
from rag.retrieve import Retriever
from rag.store import open_store
from training.evidence.sources import QUESTIONS

TOP_K = 5
# So many of the answerable questions may be refused: one standard error less than the 6% that are aimed at.
_FALSE_REFUSALS = 0.048
# How strongly the weights of standardized signals are held to nought (L2, on the mean loss).
_RIDGE = 0.01
# Files of questions/ that are about SEEDS.
_ON_SEEDS = ("seeds", "more", "names", "hard", "blind", "blind2")
_STEPS = [step / 20 for step in range(1, 20)]
Row = tuple[dict[str, Any], Weighed]
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Fit from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("seeds", type=Path)
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    arguments = parser.parse_args()
    reader, papers = EvidenceReader(arguments.model), arguments.set / "papers.jsonl"
    read = {
        **_read(papers, [arguments.set / "dev.jsonl", arguments.set / "test.jsonl"], reader),
        **_read(arguments.seeds, [QUESTIONS / f"{name}.jsonl" for name in _ON_SEEDS], reader),
    }
    fitted_on = [*read["dev"], *read["seeds"], *read["more"]]
    signals, right = _table(fitted_on)
    bias, weights = fit(signals, right)
    names = ("LOGIT", "COSINE")
    print(f"BIAS = {bias:.2f}", *(f"{name} = {weight:.2f}" for name, weight in zip(names, weights, strict=True)))
    odds = bias + signals @ weights
    likely = 1 / (1 + np.exp(-odds[right]))
    listed = np.array([asks_for_papers(question["question"]) for question, _ in fitted_on])[right]
    print(f"LEAST_ANSWERABLE = {least_answerable(likely, listed)}")
    curves = {}
    for part, rows in read.items():
        signals, right = _table(rows)
        answered = np.array([why_unanswered(q["question"], _query(q), weighed) is None for q, weighed in rows])
        print(f"{part}, as rag/refusal.py has it: {np.mean(~answered[right]):.3f} of {right.sum()} answerable refused, "
              f"{np.mean(~answered[~right]):.3f} of {(~right).sum()} others")  # fmt: skip
        curves[part] = risk_coverage(bias + signals @ weights, right)
    path = arguments.model / "risk_coverage.json"
    path.write_text(json.dumps(curves) + "\n", encoding="utf-8")


def fit(signals: Floats, right: npt.NDArray[np.bool_]) -> tuple[float, Floats]:
    """Bias and weights of a logistic regression of `right` on `signals`, shape (n, k), by Newton's method."""
    mean, scale = signals.mean(axis=0), signals.std(axis=0) + 1e-9
    x = np.hstack([np.ones((len(signals), 1)), (signals - mean) / scale])
    ridge = _RIDGE * len(x) * np.diag([0.0, *np.ones(signals.shape[1])])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, x.T @ (right - p) - ridge @ w)
    weights = w[1:] / scale
    return float(w[0] - weights @ mean), weights


def least_answerable(likely: Floats, listed: npt.NDArray[np.bool_]) -> float:
    """The highest threshold at which few enough of the answerable questions are refused, from what is thought of each.

    Those that ask for papers, `listed`, have a threshold of their own, and count.
    """
    refused = {step: np.mean(likely < np.where(listed, LEAST_TO_LIST, step)) for step in _STEPS}
    return max((step for step in _STEPS if refused[step] <= _FALSE_REFUSALS), default=0)


def risk_coverage(odds: Floats, right: npt.NDArray[np.bool_]) -> list[tuple[float, float]]:
    """(coverage, risk) for every threshold: share of questions answered, and share of these that nothing answers."""
    order = np.argsort(-odds, kind="stable")
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(~right[order]) / answered
    return [(round(float(c), 4), round(float(r), 4)) for c, r in zip(answered / len(order), risk, strict=True)]


def _read(papers: Path, questions: Sequence[Path], reader: EvidenceReader) -> dict[str, list[Row]]:
    """What was read for the questions of each file, but for small talk; by the file's name."""
    embedder = SentenceEmbedder()
    with tempfile.TemporaryDirectory() as folder:
        rebuild([papers], Path(folder), embedder)
        with contextlib.closing(open_store(Path(folder))) as store:
            retriever = Retriever(store, embedder)
            return {
                path.stem: [
                    (question, _weigh(question, retriever, reader))
                    for question in map(json.loads, path.read_text(encoding="utf-8").splitlines())
                    if not small_talk(question["question"])
                ]
                for path in questions
            }


def _query(question: dict[str, Any]) -> str:
    return standalone_query(question["question"], question["history"])


def _weigh(question: dict[str, Any], retriever: Retriever, reader: EvidenceReader) -> Weighed:
    query = _query(question)
    return weigh(query, retriever.search(query, READ), reader, retriever.store.lexical, TOP_K)


def _table(rows: Sequence[Row]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    signals = np.array([(w.signals.logit, w.signals.cosine) for _, w in rows])
    return signals, np.array([bool(question["gold_titles"]) for question, _ in rows])


if __name__ == "__main__":
    main()
