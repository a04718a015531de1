"""How well the answering sentence is found, what support and refusal thresholds cost, and what they catch.

    python -m benchmarks.evidence DATA [--questions 700] [--store DIR]

DATA holds SciFact and SQuAD (see benchmarks.data). SQuAD's questions are also asked of the store of the seeds, where
none can be answered: what share is refused? Takes about half an hour on two cores, nearly all of it embedding.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.data import Question, scifact_evidence, scifact_papers, squad
from rag.embed import SentenceEmbedder
from rag.evidence import LEAST_COSINE, OVERLAP_WEIGHT, PAPER_WEIGHT, find_evidence
from rag.lexical import LexicalIndex
from rag.manifest import Embedding
from rag.passages import dense_text, lexical_text
from rag.retrieve import Retriever
from rag.store import open_store, write_generation
from rag.types import Evidence, Paper
from rag.verify import SMALLEST_OVERLAP, read_passage, verify

TOP_K = 5
WEIGHTS = (0.0, 0.25, 0.5, 1.0)
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--questions", type=int, default=700)
    parser.add_argument("--store", type=Path, default=Path("store"))
    arguments = parser.parse_args()
    embedder = SentenceEmbedder()
    paragraphs, questions = squad(arguments.data, arguments.questions)
    _report("SQuAD", paragraphs, questions, embedder)
    _report("SciFact", scifact_papers(arguments.data), scifact_evidence(arguments.data), embedder)
    _report_support(scifact_papers(arguments.data), scifact_evidence(arguments.data))
    foreign = _find(Retriever(open_store(arguments.store), embedder), questions)
    _report_refusals(f"SQuAD's questions asked of {arguments.store}, none answerable", foreign)


def _report(name: str, papers: Sequence[Paper], questions: Sequence[Question], embedder: SentenceEmbedder) -> None:
    with tempfile.TemporaryDirectory() as folder:
        vectors = embedder.embed_passages([dense_text(paper) for paper in papers])
        write_generation(Path(folder), papers, vectors, Embedding.of(embedder), [], len(papers))
        found = _find(Retriever(open_store(Path(folder)), embedder), questions)
    print(f"{name}: {len(questions)} questions, {len(papers)} papers")
    print("overlap  paper   right sentence first / in three / in four")
    for overlap in WEIGHTS:
        for paper in WEIGHTS:
            used = " (used)" if (overlap, paper) == (OVERLAP_WEIGHT, PAPER_WEIGHT) else ""
            print(f"{overlap:7} {paper:6}   {_found(questions, found, overlap, paper)}{used}")
    _report_refusals(f"{name}, answerable", found)


def _report_support(papers: Sequence[Paper], claims: Sequence[Question]) -> None:
    """How much of a claim's words its own abstract holds, and the nearest other one."""
    by_id = {paper.paper_id: paper for paper in papers}
    index = LexicalIndex.build([lexical_text(paper) for paper in papers])
    own, other = [], []
    for claim in claims:
        own.append(max(_overlap(claim, by_id[key]) for key in claim.paper_ids))
        ranked = (papers[row] for row in np.argsort(-index.scores(claim.text)))
        other.append(_overlap(claim, next(paper for paper in ranked if paper.paper_id not in claim.paper_ids)))
    for share in (0.4, 0.5, 0.6, 0.7, 0.8):
        used = " (used)" if share == SMALLEST_OVERLAP else ""
        kept, missed = np.mean(np.array(own) >= share), np.mean(np.array(other) >= share)
        print(f"words held >= {share}{used}: own {kept:.3f}, other {missed:.3f}")


def _overlap(claim: Question, paper: Paper) -> float:
    return verify(claim.text, read_passage(paper)).overlap


def _find(retriever: Retriever, questions: Sequence[Question]) -> list[list[Evidence]]:
    searched = [retriever.search(question.text, TOP_K) for question in questions]
    lexical = retriever.store.lexical
    return [
        find_evidence(question.text, passages, retriever.embedder, lexical)
        for question, passages in zip(questions, searched, strict=True)
    ]


def _found(questions: Sequence[Question], found: Sequence[Sequence[Evidence]], overlap: float, paper: float) -> str:
    """Share of questions with a right sentence among the first one, three, four."""
    ranks = []
    for question, evidence in zip(questions, found, strict=True):
        best = sorted(evidence, key=lambda item: -(item.cosine + overlap * item.overlap + paper * item.paper_score))
        ranks.append(next((rank for rank, item in enumerate(best, 1) if _is_right(item, question)), 10**9))
    return " / ".join(f"{np.mean(np.array(ranks) <= most):.3f}" for most in (1, 3, 4))


def _is_right(item: Evidence, question: Question) -> bool:
    right = any(item.sentence in sentence or sentence in item.sentence for sentence in question.sentences)
    return right and item.paper.paper_id in question.paper_ids


def _report_refusals(name: str, found: Sequence[Sequence[Evidence]]) -> None:
    best = np.array([max(item.cosine for item in evidence) for evidence in found])
    shares = ", ".join(
        f"{threshold}{' (used)' if threshold == LEAST_COSINE else ''}: {np.mean(best < threshold):.3f}"
        for threshold in THRESHOLDS
    )
    print(f"{name}: refused at threshold {shares}")


if __name__ == "__main__":
    main()
