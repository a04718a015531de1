"""The whole pipeline on three imaginary papers, with no model and with a real llama.cpp on noise."""

import re
import threading
from collections import abc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest

from rag.answer import Answerer, Checked, Found, Wrote
from rag.cite import cite
from rag.compose import choices
from rag.errors import QuestionError
from rag.generate import LlamaGenerator
from rag.prompt import refusal
from rag.rebuild import rebuild
from rag.retrieve import Retriever
from rag.store import Store, open_store
from rag.types import Answer, Choices, Chosen, Evidence, FinishReason, Message, Paper
from tests.conftest import WordEmbedder, WordReader
from tests.gguf_models import write_gguf


class Scripted:
    """A generator that writes what a test says, a character a token."""

    name = "scripted"
    sha256: str | None = None
    is_tiny = False
    n_ctx = 4096
    mode: Literal["write", "quote"] = "write"

    def __init__(self, text: str) -> None:
        self.text = text

    def count_prompt(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    def stream(
        self, messages: Sequence[Message], markers: frozenset[int], max_tokens: int, stop: threading.Event
    ) -> abc.Generator[str, None, FinishReason]:
        yield from self.text
        return "stop"

    def quote(
        self, messages: Sequence[Message], choices: Choices, max_tokens: int, stop: threading.Event
    ) -> abc.Generator[Chosen, None, FinishReason]:
        raise NotImplementedError


@pytest.fixture
def retriever(planets: Store, embedder: WordEmbedder) -> Retriever:
    return Retriever(planets, embedder)


@pytest.fixture
def evidence(retriever: Retriever) -> Answerer:
    return Answerer(retriever, None, top_k=3, reader=WordReader())


@pytest.fixture
def noise(retriever: Retriever, generator: LlamaGenerator) -> Answerer:
    return Answerer(retriever, generator, top_k=3, max_tokens=60, reader=WordReader())


def check_contract(answer: Answer) -> None:
    """What holds for every answer, whoever wrote it."""
    assert {int(digits) for digits in re.findall(r"\[(\d+)\]", answer.text)} == {
        citation.marker for citation in answer.citations
    }
    for citation in answer.citations:
        assert citation.paper == answer.passages[citation.marker - 1].paper
        assert all(quote in citation.paper.abstract for quote in citation.quotes)
    if answer.abstained:
        assert (answer.citations, answer.text) == ((), refusal())
        assert answer.reason
    assert answer.passages
    assert [found.score for found in answer.passages] == sorted(
        (found.score for found in answer.passages), reverse=True
    )


def test_without_a_model_the_answer_is_verbatim_sentences_with_markers(evidence: Answerer) -> None:
    answer = evidence.answer("What accuracy does Mercury reach on the Tides benchmark?")
    check_contract(answer)
    assert answer.text.startswith("It reaches 71.5% accuracy on the Tides benchmark [1].")
    assert answer.citations[0].quotes[0] == "It reaches 71.5% accuracy on the Tides benchmark."
    assert (answer.mode, answer.model, answer.finish_reason, answer.abstained) == ("evidence", None, "stop", False)
    assert all(
        claim.supported and claim.text in answer.passages[claim.markers[0] - 1].paper.abstract
        for claim in answer.claims
    )


def test_who_asks_for_papers_gets_their_titles(evidence: Answerer) -> None:
    answer = evidence.answer("Which papers reach some accuracy on the Tides benchmark?")
    check_contract(answer)
    lines = answer.text.splitlines()
    assert {line.split(": It")[0] for line in lines} == {"Mercury: A Small Model", "Venus: Cloudy Attention"}
    assert [int(re.findall(r"\[(\d+)\]", line)[0]) for line in lines] == sorted(
        citation.marker for citation in answer.citations
    )


def test_a_comparison_takes_from_both_papers_by_turns() -> None:
    def sentence(rank: int, number: int) -> Evidence:
        paper = Paper(str(rank), f"Paper {rank}", "")
        return Evidence(rank, paper, 1.0, f"Sentence {number}.", 9.0 - rank - number / 9, 0.0)

    evidence = [sentence(rank, number) for rank in (1, 2, 3) for number in range(4)]
    ranks = [item.rank for item in choices("How do Mercury and Venus differ?", evidence, 5)]
    assert ranks == [1, 2, 1, 2, 1]
    assert [item.rank for item in choices("How fast is Mercury?", evidence, 5)] == [1, 1, 1, 1, 2]
    assert [item.rank for item in choices("How do they differ?", evidence[:3], 5)] == [1, 1, 1]
    for other in ("Is it differentiable?", "What is the differential?", "How fast is it compared with dense models?"):
        assert [item.rank for item in choices(other, evidence, 5)] == [1, 1, 1, 1, 2]


def test_question_far_from_every_paper_is_refused_with_the_nearest(evidence: Answerer) -> None:
    answer = evidence.answer("zyzzyva quokka?")
    check_contract(answer)
    assert answer.abstained
    assert len(answer.passages) == 3


@pytest.mark.parametrize("question", ["zyzzyva quokka?", "thanks!"])
def test_refusing_costs_no_tokens(question: str, retriever: Retriever) -> None:
    class Untouched(Scripted):
        def count_prompt(self, messages: Sequence[Message]) -> int:
            raise AssertionError("the model was asked")

    answer = Answerer(retriever, Untouched("Never."), top_k=3, reader=WordReader()).answer(question)
    assert answer.abstained
    assert (answer.timings.tokens, answer.timings.first_token_ms) == (0, None)


def test_follow_up_is_searched_with_the_question_before(evidence: Answerer) -> None:
    answer = evidence.answer("how long does it train?", ["tell me about Mercury, a small model"])
    assert answer.query == "tell me about Mercury, a small model how long does it train?"
    assert answer.passages[0].paper.title == "Mercury: A Small Model"
    assert "3 hours" in answer.text


def test_events_come_in_order(noise: Answerer) -> None:
    events = list(noise.stream("What accuracy does Mercury reach?"))
    assert isinstance(events[0], Found)
    assert isinstance(events[-1], Answer)
    assert all(isinstance(event, (Wrote, Checked)) for event in events[1:-1])
    written = "".join(event.text for event in events if isinstance(event, Wrote))
    assert len(written) > 20
    assert cite(written, {i: found.paper for i, found in enumerate(events[0].passages, 1)}).text == events[-1].text


def test_answers_of_a_model_hold_the_contract_whatever_it_writes(noise: Answerer, generator: LlamaGenerator) -> None:
    cited = 0
    for seed in range(200):
        generator.seed = seed
        answer = noise.answer(f"What accuracy does Mercury reach in run {seed}?")
        check_contract(answer)
        assert (answer.mode, answer.model) == ("write", "noise")
        assert not any(re.fullmatch(r"\[\d+\]", dropped.text) for dropped in answer.dropped)
        cited += bool(answer.citations)
    assert cited > 100


def test_timings_are_of_this_answer(noise: Answerer) -> None:
    timings = noise.answer("What accuracy does Mercury reach?").timings
    assert timings.first_token_ms is not None
    assert timings.retrieve_ms + timings.evidence_ms <= timings.first_token_ms <= timings.total_ms
    assert 0 < timings.tokens <= 60
    assert timings.tokens_per_s


def test_stopping_keeps_what_came_and_the_next_answer_is_clean(noise: Answerer, generator: LlamaGenerator) -> None:
    generator.seed = 3
    whole = noise.answer("What accuracy does Venus reach?")
    stop, pieces, stopped = threading.Event(), 0, None
    for event in noise.stream("What accuracy does Mercury reach?", stop=stop):
        if isinstance(event, Wrote):
            pieces += 1
            if pieces == 4:
                stop.set()
        elif isinstance(event, Answer):
            stopped = event
    assert stopped is not None
    check_contract(stopped)
    assert (stopped.finish_reason, stopped.abstained) == ("stopped", False)
    assert stopped.timings.tokens >= 4
    assert noise.answer("What accuracy does Venus reach?").text == whole.text


@pytest.mark.parametrize("who", ["evidence", "noise"])
def test_stop_before_a_word_is_written_keeps_the_papers(who: str, request: pytest.FixtureRequest) -> None:
    stop = threading.Event()
    events = request.getfixturevalue(who).stream("What accuracy does Mercury reach?", stop=stop)
    next(events)
    stop.set()
    (last,) = events
    check_contract(last)
    assert (last.finish_reason, last.abstained, last.text, len(last.passages)) == ("stopped", False, "", 3)


def test_model_that_writes_nothing_abstains(retriever: Retriever, tmp_path_factory: pytest.TempPathFactory) -> None:
    mute = LlamaGenerator(write_gguf(tmp_path_factory.mktemp("m") / "mute.gguf", bias={"<|im_end|>": 50.0}))
    answer = Answerer(retriever, mute, top_k=3, reader=WordReader()).answer("What accuracy does Mercury reach?")
    check_contract(answer)
    assert (answer.abstained, answer.reason) == (True, "The model wrote nothing.")


def test_no_control_character_of_a_model_comes_through(
    retriever: Retriever, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rude = LlamaGenerator(
        write_gguf(tmp_path_factory.mktemp("m") / "rude.gguf", bias={"\x1b": 9.0, "\x07": 9.0}), temperature=1.0
    )
    events = list(
        Answerer(retriever, rude, top_k=3, max_tokens=40, reader=WordReader()).stream(
            "What accuracy does Mercury reach?"
        )
    )
    written = "".join(event.text for event in events if isinstance(event, Wrote))
    assert len(written) >= 30
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", written)


def test_lowest_passages_are_dropped_for_a_small_window(
    retriever: Retriever, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_gguf(
        tmp_path_factory.mktemp("m") / "narrow.gguf",
        context=1650,
        bias={"[1": 7.0, "[": 7.0, "]": 7.0, "2": 6.0, "3": 6.0},
    )
    narrow = LlamaGenerator(path, temperature=1.0)
    seen: set[int] = set()
    for seed in range(20):
        narrow.seed = seed
        answer = Answerer(retriever, narrow, top_k=3, max_tokens=200, reader=WordReader()).answer(
            "What accuracy does Mercury reach?"
        )
        check_contract(answer)
        seen |= {citation.marker for citation in answer.citations}
    assert seen == {1, 2}
    assert len(answer.passages) == 3


def test_refusal_of_the_model_abstains_and_what_follows_it_is_reported(retriever: Retriever) -> None:
    answer = Answerer(retriever, Scripted(f"{refusal()} Sorry about that."), top_k=3, reader=WordReader()).answer(
        "What accuracy does Mercury reach?"
    )
    check_contract(answer)
    assert (answer.abstained, answer.reason) == (True, "The model found no answer in the nearest papers.")
    assert [dropped.text for dropped in answer.dropped] == ["Sorry about that."]


def test_refusal_of_a_part_keeps_the_rest_of_the_answer(retriever: Retriever) -> None:
    text = f"{refusal()[:-1]} directly, but Mercury reaches 71.5% accuracy on Tides [1]."
    answer = Answerer(retriever, Scripted(text), top_k=3, reader=WordReader()).answer(
        "What accuracy does Mercury reach?"
    )
    check_contract(answer)
    assert (answer.abstained, answer.text) == (False, text)


def test_follow_up_to_a_request_for_papers_is_no_request_for_papers(evidence: Answerer) -> None:
    answer = evidence.answer("how long does it train?", ["Which papers are about Mercury, a small model?"])
    assert "Mercury: A Small Model:" not in answer.text


def test_abstract_of_a_thousand_sentences_is_no_trouble(
    tmp_path: Path, embedder: WordEmbedder, write_dump: Callable[..., Path]
) -> None:
    long = " ".join(f"Filler number {i} says nothing." for i in range(1_000)) + " Saturn has rings of ice."
    rebuild([write_dump([("Saturn", long)])], tmp_path / "long", embedder)
    answer = Answerer(Retriever(open_store(tmp_path / "long"), embedder), None, reader=WordReader()).answer(
        "What are the rings of Saturn made of?"
    )
    assert answer.evidence[0].sentence == "Saturn has rings of ice."
    assert len(answer.evidence) == 64


def test_question_that_cannot_be_asked_is_refused_before_anything_runs(noise: Answerer) -> None:
    with pytest.raises(QuestionError, match="empty"):
        next(noise.stream("\x00"))


def test_each_sentence_is_told_once_it_is_complete(retriever: Retriever) -> None:
    text = "Mercury reaches 71.5% accuracy on Tides [1]. It trains in 30 hours [1]. It is a small transformer [1]."
    events = list(
        Answerer(retriever, Scripted(text), top_k=3, reader=WordReader()).stream("What accuracy does Mercury reach?")
    )
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert tuple(event.claim for event in events if isinstance(event, Checked)) == answer.claims
    assert [(claim.supported, claim.why) for claim in answer.claims] == [
        (True, ""),
        (False, "30 hours is not in [1]"),
        (True, ""),
    ]
    written = ""
    for event in events:
        if isinstance(event, Wrote):
            written += event.text
        elif isinstance(event, Checked) and event.claim == answer.claims[0]:
            assert "[1]. It" in written
            assert len(written) < text.index("[1]. It is")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{refusal()} Sorry about that.", []),
        (f"{refusal()} But Mercury trains in 3 hours [1].", [refusal(), "But Mercury trains in 3 hours."]),
        (f"Mercury trains in 3 hours [1]. {refusal()}", ["Mercury trains in 3 hours.", refusal()]),
    ],
)
def test_refusal_is_told_as_a_claim_only_beside_an_answer(retriever: Retriever, text: str, told: list[str]) -> None:
    events = list(
        Answerer(retriever, Scripted(text), top_k=3, reader=WordReader()).stream("What accuracy does Mercury reach?")
    )
    assert [event.claim.text for event in events if isinstance(event, Checked)] == told
    assert isinstance(events[-1], Answer)
    assert [claim.text for claim in events[-1].claims] == told
