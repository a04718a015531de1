"""A query -> ranked papers: vectors and BM25, their scores summed.

Vectors miss acronyms and names, BM25 misses paraphrase. Scores are fused, not ranks: a clear winner of
one side should win by its margin.
"""

from dataclasses import dataclass

import numpy as np

from rag.store import Store
from rag.types import Embedder, ScoredPaper

# score = cosine + LEXICAL_WEIGHT * bm25 / highest bm25 of the query. See benchmarks/retrieval.py.
LEXICAL_WEIGHT = 0.4
# Over-fetch both sides, so that the merged pool is large enough after union and re-ranking.
_POOL = 50


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one generation. Raises StoreIncompatible if the embedder is not the one it was built with."""

    store: Store
    embedder: Embedder

    def __post_init__(self) -> None:
        self.store.check_embedder(self.embedder)

    def search(self, query: str, top_k: int) -> list[ScoredPaper]:
        """The `top_k` best papers, best first."""
        store = self.store
        vector = self.embedder.embed_queries([query])[0]
        lexical = store.lexical.scores(query)
        pool = max(_POOL, top_k)
        dense_ids = store.nearest(vector, pool)
        lexical_ids = [store.ids[row] for row in np.argsort(-lexical, kind="stable")[:pool] if lexical[row] > 0]
        ids = list(dict.fromkeys(dense_ids + lexical_ids))
        if not ids:
            return []
        cosines = store.vectors(ids) @ vector
        shares = lexical[store.rows(ids)] / max(float(lexical.max()), 1e-9)
        scores = cosines + LEXICAL_WEIGHT * shares
        best = np.argsort(-scores, kind="stable")[:top_k]
        papers = store.papers([ids[i] for i in best])
        dense_ranks = {key: rank for rank, key in enumerate(dense_ids, 1)}
        lexical_ranks = {key: rank for rank, key in enumerate(lexical_ids, 1)}
        return [
            ScoredPaper(paper, float(scores[i]), float(cosines[i]), dense_ranks.get(ids[i]), lexical_ranks.get(ids[i]))
            for i, paper in zip(best, papers, strict=True)
        ]
