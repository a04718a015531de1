"""The pipeline: question -> query -> passages -> evidence -> prompt -> tokens -> citations -> answer.

Yields what happens as it happens, so that a surface can show the nearest papers before the model starts
and the words as they are written. Knows no surface.
"""

import threading
import time
from collections import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.cite import cite
from rag.evidence import compose, find_evidence, why_unanswered
from rag.filters import Filter
from rag.prompt import Prompt, build_prompt, is_refusal, refusal
from rag.query import read_history, read_question, standalone_query
from rag.retrieve import Retriever
from rag.text import printable
from rag.types import Answer, Cited, Claim, Dropped, FinishReason, Generator, ScoredPaper, Timings


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest papers are known; the answer is still to come."""

    query: str
    passages: tuple[ScoredPaper, ...]


@dataclass(frozen=True, slots=True)
class Wrote:
    """The next piece of the answer, as it is written and before it is checked."""

    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The next sentence is complete and was checked; `Wrote` has all of its words before."""

    claim: Claim


Event = Found | Wrote | Checked | Answer


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers questions from one generation of the store, with a model or, without one, with evidence."""

    retriever: Retriever
    generator: Generator | None
    top_k: int = 5
    max_tokens: int = 320
    filter: Filter | None = None

    def answer(self, question: str, history: Sequence[str] = (), stop: threading.Event | None = None) -> Answer:
        """The finished answer. Raises as `stream` does."""
        *_, last = self.stream(question, history, stop)
        assert isinstance(last, Answer)
        return last

    def stream(
        self, question: str, history: Sequence[str] = (), stop: threading.Event | None = None
    ) -> Iterator[Event]:
        """Yield what was found, then what is written, and last the answer.

        `history` is the earlier questions, oldest first. Setting `stop` ends the answer between two
        tokens; what was written until then is checked and returned. Raises QuestionError for a question
        that cannot be asked, ModelError if the model fails.
        """
        clock = _Clock()
        question, history = read_question(question), read_history(history)
        query = standalone_query(question, history)
        among = self.filter.among(self.retriever.store.rows.years) if self.filter else None
        passages = tuple(self.retriever.search(query, self.top_k, among))
        retrieve_ms = clock.lap()
        yield Found(query, passages)

        clock.lap()
        evidence = find_evidence(query, passages, self.retriever.embedder, self.retriever.store.lexical)
        reason = why_unanswered(evidence)
        if self.filter and not passages:
            reason = f"No paper here is left by the filter {self.filter}."
        evidence_ms = clock.lap()

        cited = Cited("")
        finish: FinishReason = "stop"
        if reason is None and self.generator is None:
            cited = compose(question, evidence)
            yield Wrote(cited.text)
            yield from map(Checked, cited.claims)
        elif reason is None and self.generator is not None:
            papers = [found.paper for found in passages]
            room = self.generator.n_ctx - self.max_tokens
            prompt = build_prompt(question, papers, history, self.generator.count_prompt, room)
            clock.prompt_tokens = self.generator.count_prompt(prompt.messages)
            written, finish = yield from self._write(self.generator, prompt, stop or threading.Event(), clock)
            cited = cite(written, {marker: papers[marker - 1] for marker in prompt.markers})
            if is_refusal(cited.text) and not cited.citations:
                reason = "The model found no answer in the nearest papers."
                cited = Cited("", dropped=(*cited.dropped, *_after_refusal(cited.text)))
            elif not cited.text and finish != "stopped":
                reason = "The model wrote nothing."
        yield Answer(
            question=question,
            query=query,
            text=refusal() if reason else cited.text,
            abstained=reason is not None,
            reason=reason,
            claims=cited.claims,
            citations=cited.citations,
            dropped=cited.dropped,
            passages=passages,
            evidence=tuple(evidence),
            mode="write" if self.generator else "evidence",
            model=self.generator.name if self.generator else None,
            generation=self.retriever.store.manifest.generation,
            finish_reason=finish,
            timings=clock.timings(retrieve_ms, evidence_ms),
        )

    def _write(
        self, generator: Generator, prompt: Prompt, stop: threading.Event, clock: "_Clock"
    ) -> abc.Generator[Wrote, None, tuple[str, FinishReason]]:
        """Yield the pieces the model writes; return all of them joined, and why it ended."""
        text = ""
        tokens = generator.stream(prompt.messages, prompt.markers, self.max_tokens, stop)
        while True:
            try:
                piece = printable(next(tokens))
            except StopIteration as end:
                return text, end.value
            clock.token()
            text += piece
            if piece:
                yield Wrote(piece)


def _after_refusal(text: str) -> list[Dropped]:
    """What the model wrote on after it had refused."""
    rest = text[len(refusal()) :].strip()
    return [Dropped(rest, "it followed the refusal")] if rest else []


class _Clock:
    """Times one answer, in milliseconds."""

    def __init__(self) -> None:
        self._start = self._lap = time.perf_counter()
        self._first: float | None = None
        self._last = self._start
        self._tokens = 0
        self.prompt_tokens = 0

    def lap(self) -> float:
        """Milliseconds since the lap before."""
        before, self._lap = self._lap, time.perf_counter()
        return (self._lap - before) * 1000

    def token(self) -> None:
        """Note that a token was written."""
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self._tokens += 1

    def timings(self, retrieve_ms: float, evidence_ms: float) -> Timings:
        spent = self._last - self._first if self._first else 0.0
        return Timings(
            retrieve_ms=retrieve_ms,
            evidence_ms=evidence_ms,
            first_token_ms=(self._first - self._start) * 1000 if self._first else None,
            total_ms=(time.perf_counter() - self._start) * 1000,
            tokens=self._tokens,
            prompt_tokens=self.prompt_tokens,
            tokens_per_s=(self._tokens - 1) / spent if spent else None,
        )
