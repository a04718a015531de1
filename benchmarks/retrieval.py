"""How well papers are found: vectors, BM25, reciprocal rank fusion, and the sum at several weights.

    python -m benchmarks.retrieval DATA [--questions FILE --store DIR]

DATA holds SciFact (see benchmarks.data). Embedding its abstracts takes minutes on two cores. With a question set
(objects with "question", "history", "gold_titles") and the store it is about, that is measured as well.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.data import scifact_claims, scifact_papers
from rag.embed import SentenceEmbedder
from rag.manifest import Embedding
from rag.passages import dense_text
from rag.query import standalone_query
from rag.retrieve import LEXICAL_WEIGHT
from rag.store import Store, open_store, write_generation
from rag.text import title_key

WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
Scores = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--store", type=Path, default=Path("store"))
    arguments = parser.parse_args()
    embedder = SentenceEmbedder()
    with tempfile.TemporaryDirectory() as folder:
        papers, claims = scifact_papers(arguments.data), scifact_claims(arguments.data)
        vectors = embedder.embed_passages([dense_text(paper) for paper in papers])
        write_generation(Path(folder), papers, vectors, Embedding.of(embedder), [], len(papers))
        _report(
            "SciFact", open_store(Path(folder)), embedder, [c.text for c in claims], [set(c.paper_ids) for c in claims]
        )
    if arguments.questions:
        store = open_store(arguments.store)
        ids = {title_key(paper.title): paper.paper_id for paper in store.papers(range(len(store.rows.ids)))}
        asked = [json.loads(line) for line in arguments.questions.read_text().splitlines()]
        asked = [question for question in asked if question["gold_titles"]]
        gold = [{ids[title_key(title)] for title in question["gold_titles"]} for question in asked]
        _report(
            arguments.questions.name,
            store,
            embedder,
            [standalone_query(q["question"], q["history"]) for q in asked],
            gold,
        )


def _report(
    name: str, store: Store, embedder: SentenceEmbedder, queries: Sequence[str], gold: Sequence[set[str]]
) -> None:
    dense = np.asarray(embedder.embed_queries(queries) @ store.rows.vectors.T, dtype=np.float64)
    lexical = np.array([store.lexical.scores(query) for query in queries], dtype=np.float64)
    share = lexical / np.maximum(lexical.max(axis=1, keepdims=True), 1e-9)
    ways = {"vectors": dense, "BM25": lexical, "rank fusion": 1 / (60 + _ranks(dense)) + 1 / (60 + _ranks(lexical))}
    ways |= {
        f"sum, BM25 x {weight}" + (" (used)" if weight == LEXICAL_WEIGHT else ""): dense + weight * share
        for weight in WEIGHTS
    }
    print(f"{name}: {len(queries)} queries, {len(store.rows.ids)} papers\n{'':22} nDCG@10  hit@1  recall@5")
    for way, scores in ways.items():
        print(f"{way:22} {_figures(scores, store.rows.ids, gold)}")


def _ranks(scores: Scores) -> Scores:
    return np.argsort(np.argsort(-scores, axis=1), axis=1).astype(np.float64) + 1


def _figures(scores: Scores, ids: Sequence[str], gold: Sequence[set[str]]) -> str:
    """nDCG at 10, share of queries with a right paper first, share of the right papers among five."""
    ndcg, first, recall = [], [], []
    for row, right in zip(scores, gold, strict=True):
        best = [ids[i] in right for i in np.argsort(-row, kind="stable")[:10]]
        ideal = sum(1 / np.log2(rank + 2) for rank in range(min(10, len(right))))
        ndcg.append(sum(hit / np.log2(rank + 2) for rank, hit in enumerate(best)) / ideal)
        first.append(best[0])
        recall.append(sum(best[:5]) / len(right))
    return f"{np.mean(ndcg):.3f}    {np.mean(first):.3f}  {np.mean(recall):.3f}"


if __name__ == "__main__":
    main()
