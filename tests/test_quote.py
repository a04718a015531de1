"""Choosing among sentences: what a sampler of single tokens would write, in a handful of decisions."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.answer import Answerer, Checked, Wrote
from rag.compose import choices, line, quoted
from rag.generate import WRITES_FREELY, LlamaGenerator, mode_of
from rag.prompt import refusal
from rag.retrieve import Retriever
from rag.store import Store
from rag.trie import Walk
from rag.types import Answer, Choices, Chosen, FinishReason, Message
from tests.conftest import WordEmbedder, WordReader
from tests.gguf_models import write_gguf

MESSAGES = (Message("system", "Choose."), Message("user", "What does [1] say?"))
TEXTS = (
    "We show that the answer is 12 [1].",
    "We show that the answer is 10 [2].",
    "We show nothing [1].",
    "the end is [near] [12].",
    "Ünïcode wins [2].",
)
PRIORS = (0.0, -1.0, 0.5, 0.0, -0.5)
CHOICES = Choices(TEXTS, PRIORS, stopping=-0.5, separator=" ", refusal=refusal(), most=4)


def quote(
    generator: LlamaGenerator,
    given: Choices = CHOICES,
    tokens: int = 400,
    stop: threading.Event | None = None,
    messages: tuple[Message, ...] = MESSAGES,
) -> tuple[list[Chosen], FinishReason]:
    """Everything that is chosen, and why it ended."""
    chosen = []
    choosing = generator.quote(messages, given, tokens, stop or threading.Event())
    while True:
        try:
            chosen.append(next(choosing))
        except StopIteration as end:
            return chosen, end.value


def token_by_token(generator: LlamaGenerator) -> list[int | None]:
    """The same constraint, asked of at every token of every text that is written: the plain way to do it."""
    random = np.random.default_rng(generator.seed)
    end, go = sorted(generator.vocabulary.ends), threading.Event()
    written: list[int | None] = []
    tokens, _ = generator._read_prompt(MESSAGES, 400)
    assert generator._evaluate(generator._reuse_prefix(tokens), go)
    while len(written) < CHOICES.most:
        open_: dict[int | None, list[int]] = {
            number: generator._plain(f" {text}" if written else text)
            for number, text in enumerate(TEXTS)
            if number not in written
        }
        open_ |= {-1 - i: [token] for i, token in enumerate(end)} if written else {None: generator._plain(refusal())}
        said: list[int] = []
        while not any(said == sequence for sequence in open_.values()):
            weights: dict[int, float] = {}
            for number, sequence in open_.items():
                if sequence[: len(said)] == said:
                    prior = PRIORS[number] if number is not None and number >= 0 else CHOICES.stopping
                    token = sequence[len(said)]
                    weights[token] = weights.get(token, 0.0) + np.exp(prior)
            options = list(weights)
            odds = generator._logits()[options] + np.log(list(weights.values()))
            token = options[generator._draw(odds, random)]
            said.append(token)
            if token not in end:
                assert generator._evaluate([token], go)
        [found] = [number for number, sequence in open_.items() if sequence == said]
        if found is not None and found < 0:
            break
        written.append(found)
        if found is None:
            break
    return written


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LlamaGenerator]]:
    """Three random models, one of them likely to end."""
    folder = tmp_path_factory.mktemp("quoting")
    made = [
        LlamaGenerator(write_gguf(folder / f"{seed}.gguf", seed=seed, bias=bias), mode="quote", threads=1)
        for seed, bias in [(0, {}), (1, {"W": 2.0, "the": 2.0}), (2, {"<|im_end|>": 6.0})]
    ]
    yield made
    for generator in made:
        generator.close()


def test_same_as_sampling_token_by_token(generators: list[LlamaGenerator]) -> None:
    seen = set()
    for generator in generators:
        for temperature in (0.0, 1.0, 3.0, 9.0):
            for seed in range(20 if temperature else 1):
                generator.temperature, generator.seed = temperature, seed + int(100 * temperature)
                chosen, reason = quote(generator)
                assert reason == "stop"
                assert [choice.number for choice in chosen] == token_by_token(generator)
                seen.add(tuple(choice.number for choice in chosen))
    assert len(seen) > 30
    assert (None,) in seen
    assert {len(numbers) for numbers in seen} == {1, 2, 3, 4}


def test_each_text_is_chosen_once_at_most(generators: list[LlamaGenerator]) -> None:
    generator = generators[1]
    generator.temperature = 1.0
    for seed in range(20):
        generator.seed = seed
        numbers = [choice.number for choice in quote(generator, replace(CHOICES, separator="\n", most=99))[0]]
        assert len(set(numbers)) == len(numbers)


def test_only_decisions_are_waited_for(generators: list[LlamaGenerator], monkeypatch: pytest.MonkeyPatch) -> None:
    generator = generators[1]
    generator.temperature, generator.seed = 0.0, 0
    chosen, _ = quote(generator)
    steps: list[int] = []
    evaluate = generator._llama.eval

    def counted(tokens: list[int]) -> None:
        steps.append(len(tokens))
        evaluate(tokens)

    monkeypatch.setattr(generator._llama, "eval", counted)
    assert quote(generator)[0] == chosen
    assert sum(choice.tokens for choice in chosen) > 60
    assert len(steps) <= 3 * len(chosen)


def test_only_text_is_chosen_without_a_step(generators: list[LlamaGenerator], monkeypatch: pytest.MonkeyPatch) -> None:
    generator = generators[0]
    monkeypatch.setattr(generator._llama, "eval", lambda tokens: pytest.fail("there was nothing to decide"))
    same = replace(CHOICES, texts=(refusal(),), priors=(0.0,))
    assert [choice.number for choice in quote(generator, same)[0]] == [0]


def test_text_that_does_not_fit_is_no_choice(generators: list[LlamaGenerator]) -> None:
    generator = generators[1]
    generator.temperature = 1.0
    shortest = len(TEXTS[2])
    for seed in range(10):
        generator.seed = seed
        chosen, _ = quote(generator, tokens=shortest)
        assert chosen[0].number in {2, 4, None}
    assert quote(generator, tokens=3) == ([], "length")


def test_stopping_ends_between_two_texts(generators: list[LlamaGenerator]) -> None:
    generator = generators[1]
    generator.temperature, generator.seed = 0.0, 0
    whole, _ = quote(generator)
    stop, chosen = threading.Event(), []
    choosing = generator.quote(MESSAGES, CHOICES, 400, stop)
    chosen.append(next(choosing))
    stop.set()
    with pytest.raises(StopIteration) as end:
        next(choosing)
    assert (chosen, end.value.value) == (whole[:1], "stopped")
    assert quote(generator)[0] == whole


class SetAfter(threading.Event):
    """Is found set after it was asked so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_stopping_ends_within_one_batch_of_the_prompt(tiny_gguf: Path) -> None:
    messages = (Message("user", "A long question. " * 25),)
    generator = LlamaGenerator(tiny_gguf, temperature=1.0, threads=1)
    tokens = generator.count_prompt(messages)
    assert tokens < 512, "one batch"
    stop = SetAfter(20)
    assert quote(generator, stop=stop, messages=messages) == ([], "stopped")
    assert stop.left > -10
    assert generator._llama.n_tokens == 0
    fresh = LlamaGenerator(tiny_gguf, temperature=1.0, threads=1)
    assert quote(generator, messages=messages) == quote(fresh, messages=messages)


def test_blank_before_a_text_is_no_token_twice(tmp_path: Path) -> None:
    generator = LlamaGenerator(write_gguf(tmp_path / "spm.gguf", sentencepiece=True))
    pieces = [generator.vocabulary.pieces[token] for token in generator._continue(".", " the")]
    assert b"".join(pieces) == b" the"
    assert b"".join(generator.vocabulary.pieces[token] for token in generator._plain(" the")) == b"  the"


def test_mode_follows_from_the_size_and_can_be_set(tiny_gguf: Path) -> None:
    assert (mode_of(WRITES_FREELY - 1), mode_of(WRITES_FREELY)) == ("quote", "write")
    assert LlamaGenerator(tiny_gguf, mode="auto").mode == "quote"
    assert LlamaGenerator(tiny_gguf, mode="write").mode == "write"
    assert LlamaGenerator(tiny_gguf).parameters > 10_000


def test_priors_decide_where_the_model_does_not(generators: list[LlamaGenerator]) -> None:
    generator = generators[0]
    generator.temperature = 0.0
    order = (3, 0, 4, 2, 1)
    sure = replace(CHOICES, priors=tuple(-99.0 * order.index(n) for n in range(len(TEXTS))), stopping=-999.0, most=9)
    assert tuple(choice.number for choice in quote(generator, sure)[0]) == order
    assert [choice.number for choice in quote(generator, replace(sure, stopping=999.0))[0]] == [None]


def test_walk_leaves_out_what_begins_with_another() -> None:
    walk = Walk({0: (1, 2), 1: (1, 2, 3), 2: (1,), 3: (4,), 4: ()})
    assert walk.options == [1, 4]
    walk.accept(1)
    assert (walk.found, walk.forced(), walk.options) == (0, [2], [])


@pytest.fixture
def answerer(planets: Store, embedder: WordEmbedder, generators: list[LlamaGenerator]) -> Answerer:
    return Answerer(Retriever(planets, embedder), generators[1], reader=WordReader(), top_k=3)


@pytest.mark.parametrize(
    "question",
    [
        "What accuracy does Mercury reach on the Tides benchmark?",
        "Which papers reach some accuracy on the Tides benchmark?",
    ],
)
def test_answer_is_what_the_evidence_composes_and_every_sentence_is_supported(
    answerer: Answerer, generators: list[LlamaGenerator], question: str
) -> None:
    generators[1].temperature, answered = 5.0, 0
    for seed in range(20):
        generators[1].seed = seed
        *events, answer = answerer.stream(question)
        assert isinstance(answer, Answer)
        assert (answer.mode, answer.finish_reason, answer.dropped) == ("quote", "stop", ())
        offered = {line(item, with_title=False): item for item in choices(question, answer.evidence, 8)}
        chosen = [
            item for claim in answer.claims for item in offered.values()
            if (item.sentence, (item.rank,)) == (claim.text, claim.markers)
        ]  # fmt: skip
        made = quoted(question, chosen)
        answered += not answer.abstained
        assert answer.text == (refusal() if answer.abstained else made.text)
        assert answer.citations == made.citations
        assert all(claim.supported and claim.quote == claim.text for claim in answer.claims)
        assert "".join(event.text for event in events if isinstance(event, Wrote)) == made.text
        assert [event.claim for event in events if isinstance(event, Checked)] == list(answer.claims)
    assert answered > 5


def test_refusal_that_the_model_chooses_abstains(planets: Store, embedder: WordEmbedder, tmp_path: Path) -> None:
    with_refusal = write_gguf(tmp_path / "no.gguf", bias={"T": 90.0})
    answer = Answerer(
        Retriever(planets, embedder),
        LlamaGenerator(with_refusal, mode="quote", threads=1),
        reader=WordReader(),
        top_k=3,
    ).answer("What accuracy does Mercury reach on the Tides benchmark?")
    assert (answer.abstained, answer.text, answer.citations) == (True, refusal(), ())
    assert answer.reason == "The model found no answer in the nearest papers."
