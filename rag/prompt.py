"""A question, passages and earlier questions -> messages that fit the context window (pure).

The wording lives in `prompts/` as text files with named variables. Knows nothing of models but a way
to count tokens.
"""

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from rag.errors import ModelError, QuestionError
from rag.text import sentences, unmarked
from rag.types import Message, Paper

# Earlier questions shown to the model; older ones seldom matter and cost room.
_EARLIER_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages, and the markers of the passages that are in them."""

    messages: tuple[Message, ...]
    markers: frozenset[int]


def build_prompt(
    question: str,
    papers: Sequence[Paper],
    history: Sequence[str],
    count_tokens: Callable[[Sequence[Message]], int],
    room: int,
) -> Prompt:
    """The prompt of at most `room` tokens, by `count_tokens`, that shows the most passages.

    `papers` come best first and keep their rank as marker, from 1. The lowest are dropped first; if not
    even the best fits whole, its last sentences are dropped one by one; then the earlier questions are.
    Raises QuestionError if the question, or ModelError if the instructions alone, are too long.
    """
    passages = [_passage(rank, paper, paper.abstract) for rank, paper in enumerate(papers, 1)]
    for shown in range(len(passages), 0, -1) or [0]:
        messages = _messages(question, passages[:shown], history)
        if count_tokens(messages) <= room:
            return Prompt(messages, frozenset(range(1, shown + 1)))
    for earlier in (history, ()):
        if papers and (shortened := _shortened(question, papers[0], earlier, count_tokens, room)):
            return Prompt(shortened, frozenset({1}))
    if count_tokens(_messages("", [], ())) <= room // 2:
        raise QuestionError(
            f"The question is too long for the model, which can read {room} tokens at once.", "Shorten it."
        )
    raise ModelError(
        f"The model's context window leaves {room} tokens for the prompt, which is too small.",
        "Raise FOOTNOTE_N_CTX or lower FOOTNOTE_MAX_TOKENS.",
    )


def _shortened(
    question: str, paper: Paper, history: Sequence[str], count_tokens: Callable[[Sequence[Message]], int], room: int
) -> tuple[Message, ...]:
    """Messages with as many sentences of the one paper as fit; none if not even the first does."""
    cut = sentences(paper.abstract)

    def with_first(kept: int) -> tuple[Message, ...]:
        return _messages(question, [_passage(1, paper, " ".join(cut[:kept]))], history)

    # More sentences take more tokens, so the most that fit are found by halving.
    fit = bisect.bisect_right(range(1, len(cut) + 1), room, key=lambda kept: count_tokens(with_first(kept)))
    return with_first(fit) if fit else ()


def refusal() -> str:
    """What the model writes if the passages do not answer."""
    return _text("refusal").strip()


def is_refusal(text: str) -> bool:
    """Whether an answer begins with the refusal, up to case and punctuation.

    >>> is_refusal("the papers here do not answer this")
    True
    """
    return text.strip().casefold().rstrip(".").startswith(refusal().casefold().rstrip("."))


def _messages(question: str, passages: Sequence[str], history: Sequence[str]) -> tuple[Message, ...]:
    earlier = "".join(f"Earlier question: {asked}\n" for asked in history[-_EARLIER_SHOWN:])
    user = Template(_text("question")).substitute(passages="\n\n".join(passages), history=earlier, question=question)
    return Message("system", Template(_text("system")).substitute(refusal=refusal()).strip()), Message(
        "user", user.strip()
    )


def _passage(marker: int, paper: Paper, abstract: str) -> str:
    date = f" ({paper.date[:4]})" if paper.date else ""
    return (
        Template(_text("passage"))
        .substitute(marker=marker, title=unmarked(paper.title), date=date, abstract=unmarked(abstract))
        .strip()
    )


@cache
def _text(name: str) -> str:
    return files("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8")
