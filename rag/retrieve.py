"""A query -> ranked papers: the scores of vectors and BM25 summed, and more for a paper that is asked for by name.

Vectors miss acronyms and names, BM25 misses paraphrase. Scores are fused, not ranks: a clear winner of
one side should win by its margin.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.named import asked_by_name
from rag.passages import dense_text
from rag.store import Store
from rag.types import Embedder, Paper, ScoredPaper

# score = cosine + LEXICAL_WEIGHT * bm25 / highest bm25 of the query + NAME_WEIGHT if it is asked for by a rare name.
# The first was chosen by benchmarks/retrieval.py, the second on the questions that rag/refusal.py is fitted on.
LEXICAL_WEIGHT = 0.4
NAME_WEIGHT = 0.3
# Over-fetch both sides, so that the merged pool is large enough after union and re-ranking.
_POOL = 50


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one generation. Raises StoreIncompatible if the embedder is not the one it was built with."""

    store: Store
    embedder: Embedder

    def __post_init__(self) -> None:
        self.store.check_embedder(self.embedder)

    def search(self, query: str, top_k: int, among: npt.NDArray[np.bool_] | None = None) -> list[ScoredPaper]:
        """The `top_k` best papers, best first; with `among`, one truth value a row of the store, only of those."""
        store = self.store
        vector = self.embedder.embed_queries([query])[0]
        lexical = store.lexical.scores(query)
        if among is not None:
            lexical = np.where(among, lexical, 0)
        pool = max(_POOL, top_k)
        dense_rows = store.nearest(vector, pool, among)
        lexical_rows = [int(row) for row in np.argsort(-lexical, kind="stable")[:pool] if lexical[row] > 0]
        rows = list(dict.fromkeys(dense_rows + lexical_rows))
        if not rows:
            return []
        cosines = store.rows.vectors[rows] @ vector
        scores = cosines + LEXICAL_WEIGHT * lexical[rows] / max(float(lexical.max()), 1e-9)
        near = np.argsort(-scores, kind="stable")[:pool]
        rows, cosines = [rows[i] for i in near], cosines[near]
        papers = store.papers(rows)
        scores = scores[near] + NAME_WEIGHT * np.array(asked_by_name(query, papers, store.lexical.rarity))
        dense_ranks = {row: rank for rank, row in enumerate(dense_rows, 1)}
        lexical_ranks = {row: rank for rank, row in enumerate(lexical_rows, 1)}
        return [
            ScoredPaper(
                papers[i], float(scores[i]), float(cosines[i]), dense_ranks.get(rows[i]), lexical_ranks.get(rows[i])
            )
            for i in np.argsort(-scores, kind="stable")[:top_k]
        ]

    def related(self, paper: Paper, top_k: int, among: npt.NDArray[np.bool_] | None = None) -> list[ScoredPaper]:
        """The papers whose vectors are nearest to that of a paper, which need not be in the store itself."""
        store = self.store
        if paper.paper_id in store.rows.ids:
            vector = store.rows.vectors[store.rows.ids.index(paper.paper_id)]
        else:  # a rebuild has removed it since it was shown
            vector = self.embedder.embed_passages([dense_text(paper)])[0]
        rows = [row for row in store.nearest(vector, top_k + 1, among) if store.rows.ids[row] != paper.paper_id]
        rows = rows[:top_k]
        cosines = map(float, store.rows.vectors[rows] @ vector)
        found = zip(store.papers(rows), cosines, strict=True)
        return [ScoredPaper(other, cosine, cosine, rank, None) for rank, (other, cosine) in enumerate(found, 1)]
