"""The values that flow between the stages, and the protocols at the two seams.

All of them are frozen: no stage changes what it was given.
"""

import threading
from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
"""Shape (n, dimension), rows of unit length."""

Logits = npt.NDArray[np.float32]
"""Shape (n,): how well each of n sentences answers; 0 is as likely as "none of these"."""

Mode = Literal["write", "quote", "evidence"]
FinishReason = Literal["stop", "length", "stopped"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record stands: a dump and the line (from 1) it begins on."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something in a dump that could not be used, and why."""

    path: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something in a dump that was used, but not as it stands."""

    path: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper: a single record as read from a dump, or several of them merged."""

    paper_id: str
    """arXiv's id without a version, else the DOI, else what its dump calls it; "" in a record that has none."""
    title: str
    abstract: str
    authors: tuple[str, ...] = ()
    author_count: int | None = None
    date: str | None = None
    """ISO 8601, as precise as the dump was: "2022-12-22", "2022-12" or "2022"."""
    votes: int | None = None
    url: str | None = None
    categories: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Web addresses named in the abstract, in order."""
    sources: tuple[Source, ...] = ()
    doi: str | None = None
    """In lower case and without an address; arXiv's own DOIs are in `arxiv_id`."""
    arxiv_id: str | None = None
    """With its version if the record names it: "2212.11696v2"."""


@dataclass(frozen=True, slots=True)
class ScoredPaper:
    """A paper as found for a query. One paper is one passage: its title and abstract."""

    paper: Paper
    score: float
    """Fused score; higher is better; comparable within one query only."""
    cosine: float
    """Cosine of query and passage, -1 to 1."""
    dense_rank: int | None
    lexical_rank: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a retrieved paper, copied from its abstract, and how well it fits."""

    rank: int
    """Rank of its paper among the retrieved (from 1); also its marker."""
    paper: Paper
    paper_score: float
    sentence: str
    score: float
    """Higher is better; comparable within one query only."""
    logit: float
    """What the evidence model says of it; 0 is as likely as that nothing answers."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker in an answer and the record it stands for."""

    marker: int
    paper: Paper
    quotes: tuple[str, ...]
    """Sentences of `paper.abstract`, verbatim: what the claims that carry the marker rest on, in their order."""
    supported: bool
    """Whether every claim that carries the marker is."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer, without its markers, and whether one of their passages supports it."""

    text: str
    markers: tuple[int, ...]
    supported: bool
    quote: str = ""
    """The sentence of a cited abstract that fits best, verbatim; empty where nothing is cited."""
    why: str = ""
    """What its passages do not hold; empty if it is supported."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something the model wrote that verification took out."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A checked text: its markers are all of the form [n] and all in `citations`, and the other way round."""

    text: str
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a prompt, before the chat template of a model is applied."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What an answer may be made of: at most `most` of the texts, each once, or the refusal alone."""

    texts: tuple[str, ...]
    priors: tuple[float, ...]
    """How likely each text is before the model has its say, as log-weights; they are added to its logits."""
    stopping: float
    """The same of refusing, and of ending after a text."""
    separator: str
    """Between two texts."""
    refusal: str
    most: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the model chose next."""

    number: int | None
    """Which of `Choices.texts`; None for the refusal."""
    tokens: int
    """How many tokens it has."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds, except `tokens` and `prompt_tokens` (counts) and `tokens_per_s`."""

    retrieve_ms: float = 0.0
    evidence_ms: float = 0.0
    first_token_ms: float | None = None
    total_ms: float = 0.0
    tokens: int = 0
    prompt_tokens: int = 0
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question got. `abstained` answers have no citations but still list the nearest papers."""

    question: str
    query: str
    text: str
    abstained: bool
    reason: str | None
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    dropped: tuple[Dropped, ...]
    passages: tuple[ScoredPaper, ...]
    evidence: tuple[Evidence, ...]
    """Every sentence of the passages, best first."""
    answerable: float
    """How likely they answer the question, 0 to 1."""
    mode: Mode
    model: str | None
    generation: str
    finish_reason: FinishReason
    timings: Timings
    model_sha256: str | None = None
    """Of the model's weights; None if unknown."""


class Embedder(Protocol):
    """Turns texts into unit vectors. `fingerprint` identifies the weights, `name` is for people."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def query_prefix(self) -> str: ...
    @property
    def passage_prefix(self) -> str: ...

    def embed_passages(self, texts: Sequence[str]) -> Embeddings: ...

    def embed_many(self, texts: Sequence[str]) -> abc.Iterator[Embeddings]:
        """As `embed_passages`, for any number of texts: yields the vectors of the next ones, run by run."""

    def embed_queries(self, texts: Sequence[str]) -> Embeddings: ...


class Reader(Protocol):
    """Says how well each sentence of some passages answers a question."""

    def read(self, question: str, passages: Sequence[tuple[str, Sequence[str]]]) -> list[Logits]:
        """The logits of each passage's sentences; a passage is a title and its sentences."""


class Generator(Protocol):
    """Turns messages into text. Used by one thread at a time."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str | None:
        """Of its weights, if that is known."""

    @property
    def is_tiny(self) -> bool:
        """Whether it does little more than order the evidence."""

    @property
    def n_ctx(self) -> int: ...
    @property
    def mode(self) -> Literal["write", "quote"]:
        """How it is to answer: in its own words by `stream`, or in the evidence's by `quote`."""

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Number of tokens of the whole prompt, chat template included."""

    def stream(
        self, messages: Sequence[Message], markers: frozenset[int], max_tokens: int, stop: threading.Event
    ) -> abc.Generator[str, None, FinishReason]:
        """Yield one piece of text (it may be empty) a token, and return why it ended.

        Ends when the model does, after `max_tokens`, or once `stop` is set. No marker outside `markers`
        is ever written.
        """

    def quote(
        self, messages: Sequence[Message], choices: Choices, max_tokens: int, stop: threading.Event
    ) -> abc.Generator[Chosen, None, FinishReason]:
        """Yield the texts the model chooses, one by one, and return why it ended.

        Ends when the model does, after `choices.most` texts, where none of them fits in `max_tokens`, or
        once `stop` is set.
        """
