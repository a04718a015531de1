"""The pipeline: question -> query -> passages -> evidence -> prompt -> tokens -> citations -> answer.

Yields what happens as it happens, so that a surface can show the nearest papers before the model starts
and the words as they are written. Knows no surface.
"""

import threading
import time
from collections import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag.cite import Checker
from rag.compose import choices, compose, offered, quoted
from rag.evidence import READ, weigh
from rag.filters import Filter
from rag.prompt import MOST_SHOWN, Prompt, build_prompt, instructions, is_refusal, refusal
from rag.query import read_history, read_question, standalone_query
from rag.reader import shipped_reader
from rag.refusal import FRIENDLY, answerable, small_talk, why_unanswered
from rag.retrieve import Retriever
from rag.text import printable
from rag.types import (
    Answer,
    Cited,
    Claim,
    Dropped,
    Evidence,
    FinishReason,
    Generator,
    Reader,
    ScoredPaper,
    Timings,
)
from rag.untrusted import echoes


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
    reader: Reader = field(default_factory=shipped_reader)
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

        `history` is the earlier questions, oldest first. Setting `stop` ends the answer while papers are read
        or between two tokens; what was written until then is checked and returned. Raises QuestionError for a
        question that cannot be asked, ModelError if the model fails.
        """
        clock = _Clock()
        question, history = read_question(question), read_history(history)
        query = standalone_query(question, history)
        among = self.filter.among(self.retriever.store.rows.years) if self.filter else None
        found = self.retriever.search(query, max(READ, self.top_k), among)
        retrieve_ms = clock.lap()
        yield Found(query, tuple(found[: self.top_k]))

        clock.lap()
        stop = stop or threading.Event()
        weighed = weigh(query, found, self.reader, self.retriever.store.lexical, self.top_k, stop)
        passages, evidence = weighed.passages, weighed.evidence
        chatting = small_talk(question)
        reason = "Nothing was asked." if chatting else why_unanswered(question, query, weighed)
        if self.filter and not found and not chatting:
            reason = f"No paper here is left by the filter {self.filter}."
        evidence_ms = clock.lap()

        cited = Cited("")
        finish: FinishReason = "stop"
        if stop.is_set():
            reason, finish = None, "stopped"
        elif reason is None and self.generator is None:
            cited = compose(question, evidence)
            yield Wrote(cited.text)
            yield from map(Checked, cited.claims)
        elif reason is None and self.generator is not None:
            papers = [found.paper for found in passages]
            room = self.generator.n_ctx - self.max_tokens
            mode, shown = self.generator.mode, choices(question, evidence, MOST_SHOWN)
            prompt = build_prompt(mode, question, shown, papers, history, self.generator.count_prompt, room)
            clock.prompt_tokens = prompt.tokens
            if mode == "quote":
                cited, finish = yield from self._quote(self.generator, question, prompt, stop, clock)
            else:
                refused = echoes(instructions(mode), (paper.abstract for paper in papers))
                checker = Checker({marker: papers[marker - 1] for marker in prompt.markers}, refused)
                finish = yield from self._write(self.generator, prompt, checker, stop, clock)
                cited = checker.cited()
            if _is_refusal(cited.claims):
                reason = "The model found no answer in the nearest papers."
                cited = Cited("", dropped=(*cited.dropped, *_after_refusal(cited.claims)))
        if reason is None and not cited.text and finish != "stopped":
            reason = "The model wrote nothing." if self.generator else "The nearest papers have no sentence to quote."
        yield Answer(
            question=question,
            query=query,
            text=(FRIENDLY if chatting else refusal()) if reason else cited.text,
            abstained=reason is not None,
            reason=reason,
            claims=cited.claims,
            citations=cited.citations,
            dropped=cited.dropped,
            passages=passages,
            evidence=evidence,
            answerable=answerable(weighed.signals),
            mode=self.generator.mode if self.generator else "evidence",
            model=self.generator.name if self.generator else None,
            model_sha256=self.generator.sha256 if self.generator else None,
            generation=self.retriever.store.manifest.generation,
            finish_reason=finish,
            timings=clock.timings(retrieve_ms, evidence_ms),
        )

    def _quote(
        self, generator: Generator, question: str, prompt: Prompt, stop: threading.Event, clock: "_Clock"
    ) -> abc.Generator[Wrote | Checked, None, tuple[Cited, FinishReason]]:
        """Yield the sentences the model chooses; return the answer they make, and why it ended."""
        chosen: list[Evidence] = []
        choosing = generator.quote(prompt.messages, offered(question, prompt.evidence), self.max_tokens, stop)
        while True:
            try:
                choice = next(choosing)
            except StopIteration as end:
                return quoted(question, chosen), end.value
            clock.wrote(choice.tokens)
            if choice.number is None:
                return Cited(refusal(), (Claim(refusal(), (), False),)), "stop"
            before = quoted(question, chosen)
            chosen.append(prompt.evidence[choice.number])
            now = quoted(question, chosen)
            yield Wrote(now.text.removeprefix(before.text))
            yield Checked(now.claims[-1])

    def _write(
        self, generator: Generator, prompt: Prompt, checker: Checker, stop: threading.Event, clock: "_Clock"
    ) -> abc.Generator[Wrote | Checked, None, FinishReason]:
        """Yield the pieces the model writes, and its sentences as they are checked; return why it ended."""
        tokens = generator.stream(prompt.messages, prompt.markers, self.max_tokens, stop)
        claims: list[Claim] = []
        told = 0
        finish: FinishReason | None = None
        while finish is None:
            try:
                piece = printable(next(tokens))
            except StopIteration as end:
                finish = end.value
                claims += checker.finish()
            else:
                clock.wrote(1)
                claims += checker.feed(piece)
                if piece:
                    yield Wrote(piece)
            if not _is_refusal(claims):  # which is no claim, unless the answer goes on and tells something
                yield from map(Checked, claims[told:])
                told = len(claims)
        return finish


def _is_refusal(claims: Sequence[Claim]) -> bool:
    """Whether an answer begins with the refusal, perhaps after an apology, and nothing in it is supported."""
    begun = " ".join(claim.text for claim in claims[:2])
    return is_refusal(begun) and not any(claim.supported for claim in claims)


def _after_refusal(claims: Sequence[Claim]) -> list[Dropped]:
    """What the model wrote on after it had refused."""
    return [Dropped(claim.text, "it followed the refusal") for claim in claims[1:]]


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

    def wrote(self, tokens: int) -> None:
        """Note that so many tokens were written."""
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self._tokens += tokens

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
