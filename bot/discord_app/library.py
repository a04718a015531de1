"""What is looked up on the shelf without the language model: nearest papers, titles, checks.

Everything here takes milliseconds and blocks, so it is called off the event loop. The model's thread searches
through it, too, so that the process has one embedder, which one thread uses at a time.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.cite import cite
from rag.query import read_history, read_question, standalone_query
from rag.retrieve import Retriever
from rag.shelf import Shelf
from rag.store import Store
from rag.text import clean, sentences, unmarked
from rag.types import Claim, Paper, ScoredPaper

# Discord offers at most so many while a title is typed.
MOST_TITLES = 25
_LONGEST_NAME = 100
# Of a message so many sentences are checked, each against so many papers: a second's work.
MOST_CHECKED = 10
_PAPERS_A_CHECK = 3
_FEWEST_LETTERS = 12


@dataclass(frozen=True, slots=True)
class Title:
    """A paper by its title, and where its record stands."""

    title: str
    folded: str
    paper_id: str
    row: int


@dataclass(frozen=True)
class _InTurn(Retriever):
    """Waits for its turn: fast tokenizers refuse a second thread ("Already borrowed")."""

    turn: threading.Lock

    def search(self, query: str, top_k: int, among: npt.NDArray[np.bool_] | None = None) -> list[ScoredPaper]:
        """The `top_k` best papers, best first."""
        with self.turn:
            return super().search(query, top_k, among)


class Library:
    """Any number of threads may use it."""

    def __init__(self, shelf: Shelf, top_k: int) -> None:
        self._shelf = shelf
        self._top_k = top_k
        self._turn = threading.Lock()
        self._listing = threading.Lock()
        self._titles: tuple[str, list[Title]] = ("", [])

    def store(self) -> Store:
        """The generation that serves now."""
        return self._shelf.retriever().store

    def retriever(self) -> Retriever:
        """A retriever on the generation that serves now, which any thread may use. Raises as the shelf does."""
        found = self._shelf.retriever()
        return _InTurn(found.store, found.embedder, self._turn)

    def nearest(self, question: str, history: Sequence[str] = ()) -> list[ScoredPaper]:
        """The papers nearest to a question, best first. Raises QuestionError, StoreError."""
        query = standalone_query(read_question(question), read_history(history))
        return self.retriever().search(query, self._top_k)

    def titles(self, typed: str) -> list[Title]:
        """At most 25 papers whose title has a word beginning with each word typed; those that begin so come first."""
        wanted = typed.casefold().split()
        found = [
            title
            for title in self._listed()
            if all(f" {word}" in title.folded for word in wanted) and len(title.paper_id) <= _LONGEST_NAME
        ]
        found.sort(key=lambda title: not title.folded.startswith(" " + typed.casefold().strip()))
        return found[:MOST_TITLES]

    def paper(self, id_or_title: str) -> Paper | None:
        """The paper of this id or title; else the first whose title has these words."""
        listed, folded = self._listed(), f" {id_or_title.casefold().strip()}"
        exact = [title for title in listed if title.paper_id == id_or_title or title.folded == folded]
        found = exact or (self.titles(id_or_title) if id_or_title.strip() else [])
        return self.store().papers([found[0].row])[0] if found else None

    def check(self, text: str) -> list[tuple[Claim, Paper | None]]:
        """Each sentence of a text, checked against the papers nearest to it, and the paper that supports it best."""
        claims = [unmarked(clean(line)) for part in text.splitlines() for line in sentences(part)]
        worth = [claim for claim in claims if sum(map(str.isalpha, claim)) >= _FEWEST_LETTERS]
        return [self._check(claim) for claim in worth[:MOST_CHECKED]]

    def _check(self, sentence: str) -> tuple[Claim, Paper | None]:
        checked: tuple[Claim, Paper | None] = (Claim(sentence, (), False), None)
        for found in self.retriever().search(sentence, _PAPERS_A_CHECK):
            claims = cite(f"{sentence} [1]", {1: found.paper}).claims
            if not claims:
                continue
            # One sentence may be read as several; it is supported if all of them are.
            wanting = next((claim for claim in claims if not claim.supported), None)
            if wanting is None:
                return Claim(sentence, (), True, claims[0].quote), found.paper
            if checked[1] is None:
                checked = (Claim(sentence, (), False, wanting.quote, wanting.why), found.paper)
        return checked

    def _listed(self) -> list[Title]:
        """The titles of the current generation, read once."""
        with self._listing:
            store = self.store()
            if self._titles[0] != store.manifest.generation:
                papers = store.papers(range(store.manifest.papers))
                titles = [Title(p.title, f" {p.title.casefold()}", p.paper_id, row) for row, p in enumerate(papers)]
                self._titles = store.manifest.generation, sorted(titles, key=lambda title: title.folded)
            return self._titles[1]
