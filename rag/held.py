"""A paper -> what it holds, read once for all claims (pure)."""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

from rag.facts import Token, plain, tokens
from rag.lexical import words
from rag.text import sentences
from rag.types import Paper


class Passage:
    """A paper's title and abstract, read once for all claims."""

    def __init__(self, paper: Paper) -> None:
        self.sentences = sentences(paper.abstract)
        self.head = paper.title.partition(":")[0] if ":" in paper.title else ""
        """What a title such as "Mercury: A Small Model" names."""
        self.title = tokens(paper.title)
        self.tokens = [tokens(sentence) for sentence in self.sentences]
        self.text = plain(f"{paper.title}\n{paper.abstract}").lower()

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of all tokens."""
        return frozenset(token.key for read in (self.title, *self.tokens) for token in read)

    @cached_property
    def places(self) -> dict[str, list[tuple[int, int]]]:
        """By key, the sentences it stands in, and where."""
        found: dict[str, list[tuple[int, int]]] = {}
        for number, sentence in enumerate(self.tokens):
            for at, token in enumerate(sentence):
                found.setdefault(token.key, []).append((number, at))
        return found

    @cached_property
    def numbers(self) -> list[tuple[Sequence[Token], int]]:
        """Every number: the sentence (or the title) it stands in, and where."""
        return [
            (read, position)
            for read in (self.title, *self.tokens)
            for position, token in enumerate(read)
            if token.kind == "number"
        ]

    @cached_property
    def initials(self) -> str:
        """The initials of its words, a blank for each stop word and break, in which an acronym may be found."""
        found = re.findall(r"[^\W_]+|[^\w\s-]", self.text)
        return "".join(word[0] if words(word) else " " for word in found)


@lru_cache(maxsize=256)
def read_passage(paper: Paper) -> Passage:
    """A paper as `verify` reads it."""
    return Passage(paper)


def names_of(passages: Iterable[Passage]) -> frozenset[str]:
    """What is known as a name in any of the passages: by it a claim's first word, always a capital, is told for one."""
    return frozenset(
        token.key
        for passage in passages
        for read in (tokens(f"the {passage.head}"), *passage.tokens)
        for token in read
        if token.kind == "name"
    )
