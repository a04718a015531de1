"""BM25 over stemmed words. The only importer of bm25s.

Names such as "DiT-XL/2" count both as their parts and as one word ("ditxl2"), in passages and queries
alike, since people ask for models by name. Knows rows only, not papers.
"""

import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import StoreDamaged

# Measured on SciFact and on questions over the seeds: benchmarks/retrieval.py.
K1, B = 1.5, 0.75

_WORD = re.compile(r"\w+(?:[-./]\w+)*")
_PART = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The stemmed words of a text without stop words.

    >>> words("How fast is DiT-XL/2?")
    ['fast', 'dit', 'xl', '2', 'ditxl2']
    """
    found: list[str] = []
    for match in _WORD.finditer(text.lower()):
        parts = _PART.findall(match.group())
        found += parts
        if len(parts) > 1:
            found.append("".join(parts))
    stopwords, stemmer = _language()
    stems: list[str] = stemmer.stemWords([word for word in found if word not in stopwords])
    return stems


class LexicalIndex:
    """BM25 scores of a query against every text that was indexed, by row."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self.size = int(index.scores["num_docs"])

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """Index at least one text."""
        import bm25s

        index = bm25s.BM25(k1=K1, b=B)
        index.index([words(text) or [""] for text in texts], show_progress=False)  # bm25s divides by the mean length
        return cls(index)

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        """Load what `save` wrote. Raises StoreDamaged if it cannot be read."""
        import bm25s

        try:
            return cls(bm25s.BM25.load(folder, mmap=True))
        except (OSError, ValueError, KeyError, EOFError) as exc:
            raise StoreDamaged(f"Cannot read the word index in {folder}: {exc}.") from exc

    def save(self, folder: Path) -> None:
        """Write the index to a new folder."""
        self._index.save(folder, show_progress=False)

    def scores(self, query: str) -> npt.NDArray[np.float32]:
        """Shape (size,): how well each text fits, 0 where no word is shared."""
        known = [word for word in words(query) if word in self._index.vocab_dict]
        if not known:
            return np.zeros(self.size, dtype=np.float32)
        return np.asarray(self._index.get_scores(known), dtype=np.float32)

    def idf(self, word: str) -> float:
        """How rare a stem of `words` is among the texts: log((n + 1) / (texts with it + 0.5)), at least 0."""
        column = self._index.vocab_dict.get(word)
        starts = self._index.scores["indptr"]
        texts = 0 if column is None else int(starts[column + 1] - starts[column])
        return max(0.0, math.log((self.size + 1) / (texts + 0.5)))

    def rarity(self, word: str) -> float:
        """How rare a stem is: 1 in one text or none, and near 0 in every one of many."""
        return min(1.0, self.idf(word) / math.log((self.size + 1) / 1.5))


@cache
def _language() -> tuple[frozenset[str], Any]:
    import Stemmer
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    return frozenset(STOPWORDS_EN_PLUS), Stemmer.Stemmer("english")
