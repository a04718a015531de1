"""Examples of the evidence model -> what the writer reads and decides, in the product's own prompt and formats.

`quote`: the prompt of `rag.prompt`, then the right sentences as `rag.compose.line` writes them, or the refusal.
It is trained on the tokens at which `rag.trie` leaves a choice, the end among them, as a choice among what is open
there, and on nothing that is forced.
`write`: the prompt with the abstracts, and the same answer, trained on every token of it.
`text`: an abstract and nothing else, every token of it.
"""

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from rag.compose import MOST_SENTENCES, SCORE_WEIGHT, asks_for_papers, choices, line, offered
from rag.errors import QuestionError
from rag.prompt import MOST_SHOWN, build_prompt, refusal
from rag.trie import Walk
from rag.types import Evidence, Paper
from rag.untrusted import as_data
from training.evidence.data import Example
from training.writer.tokenizer import encode, prompt_tokens

END = 0
# How far ahead of a wrong sentence a right one stands, in deviations of what ranks them: so a right one is first, and
# among the first three, about as often as by the evidence model (78% and 93%).
_AHEAD = 2.7
# The log-odds of ending that the model learns beside; the product's are fitted to what it learnt.
_STOPPING = -3.0


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Tokens, and for each what the model is to choose it from: None if it need not learn that.

    The options have log-weights, as the product adds them to the model's logits; no options means any token.
    """

    tokens: list[int]
    options: list[dict[int, float] | None]


def quote_example(example: Example, tokenizer: Tokenizer, rng: random.Random, room: int) -> Sequenced:
    """The example as `LlamaGenerator.quote` would go through it."""
    evidence, right = _evidence(example, rng)
    best = choices(example.question, evidence, MOST_SHOWN)
    prompt = build_prompt("quote", example.question, best, (), (), lambda m: len(prompt_tokens(tokenizer, m)), room)
    tokens = prompt_tokens(tokenizer, prompt.messages)
    options: list[dict[int, float] | None] = [None] * len(tokens)
    choice = offered(example.question, prompt.evidence)
    listing = asks_for_papers(example.question)
    fitting = {item.rank for item in evidence if item.sentence in right}
    chosen = [
        number
        for number, item in enumerate(prompt.evidence)
        if (item.rank in fitting if listing else item.sentence in right)
    ][: choice.most]
    left = dict(enumerate(choice.texts))
    for place, number in enumerate([*chosen, None] if chosen else [None]):
        before = choice.separator if place else ""
        sequences = {n: encode(tokenizer, before + text) for n, text in left.items()}
        last = [END] if place else encode(tokenizer, choice.refusal)
        sequences[len(choice.texts)] = last
        aim = last if number is None else sequences[number]
        if place == choice.most or not left:
            break  # the product ends here without asking
        walk = Walk(sequences, dict(enumerate(choice.priors)) | {len(choice.texts): _STOPPING})
        for token in aim:
            tokens.append(token)
            open_ = dict(zip(walk.options, walk.priors.tolist(), strict=True))
            options.append(open_ if len(open_) > 1 else None)
            walk.accept(token)
        if number is not None:
            del left[number]
    return Sequenced(tokens, options)


def write_example(example: Example, tokenizer: Tokenizer, rng: random.Random, room: int) -> Sequenced:
    """The example as `LlamaGenerator.stream` would go through it."""
    evidence, right = _evidence(example, rng)
    papers = list({item.rank: item.paper for item in sorted(evidence, key=lambda item: item.rank)}.values())
    prompt = build_prompt(
        "write", example.question, evidence, papers, (), lambda m: len(prompt_tokens(tokenizer, m)), room
    )
    tokens = prompt_tokens(tokenizer, prompt.messages)
    said = [line(item, with_title=False, shown=as_data) for item in prompt.evidence if item.sentence in right]
    answer = [*encode(tokenizer, " ".join(said[:MOST_SENTENCES]) or refusal()), END]
    return Sequenced(tokens + answer, [None] * len(tokens) + [{}] * len(answer))


def text_example(text: str, tokenizer: Tokenizer, room: int) -> Sequenced:
    """Plain text, ended."""
    tokens = [*encode(tokenizer, text)[: room - 1], END]
    return Sequenced(tokens, [None] + [{}] * (len(tokens) - 1))


def sequences(
    examples: Sequence[Example], tokenizer: Tokenizer, rng: random.Random, shares: tuple[float, float], room: int
) -> Iterator[Sequenced]:
    """The examples of a step; one that is too long for the room is left out.

    `shares` is what part is to be of `write` and of `text`; the rest is of `quote`.
    """
    for example in examples:
        kind = rng.random()
        with contextlib.suppress(QuestionError):
            if kind < shares[0]:
                yield write_example(example, tokenizer, rng, room)
            elif kind < sum(shares):
                yield text_example(" ".join(example.passages[0].sentences), tokenizer, room)
            else:
                yield quote_example(example, tokenizer, rng, room)


def _evidence(example: Example, rng: random.Random) -> tuple[list[Evidence], frozenset[str]]:
    """The sentences of its passages as evidence, ranked about as well as the product ranks, and the right ones."""
    right = frozenset(p.sentences[place] for p in example.passages for place in p.right)
    passages = rng.sample(example.passages, len(example.passages))
    found = []
    for rank, p in enumerate(passages, 1):
        paper = Paper(str(rank), p.title, " ".join(p.sentences))
        for sentence in dict.fromkeys(p.sentences):
            # So drawn, the right sentence is this one with a probability that is the softmax of _AHEAD times these.
            drawn = _AHEAD * rng.gauss(_AHEAD * (sentence in right))
            found.append(Evidence(rank, paper, 1.0, sentence, drawn / SCORE_WEIGHT, 1.0))
    return sorted(found, key=lambda item: -item.score), right
