"""A paper -> the texts that stand for it in an index (pure).

One paper is one passage: title and abstract. The title counts twice among the words, since people ask
for papers by the names in their titles (measured: benchmarks/retrieval.py).
"""

from rag.types import Paper


def dense_text(paper: Paper) -> str:
    """What is embedded."""
    return f"{paper.title}\n{paper.abstract}"


def lexical_text(paper: Paper) -> str:
    """What the words are counted in."""
    return f"{paper.title}\n{paper.title}\n{paper.abstract}"
