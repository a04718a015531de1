"""A question, evidence, papers and earlier questions -> messages that fit the context window (pure).

The wording lives in `prompts/` as text files with named variables. In the text of a user message a line begins
with a marker or a dash if it is a paper's, or with one of our headings: what comes from outside is never more
than the rest of one line (see `rag.untrusted`). Knows nothing of models but a way to count tokens.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Literal

from rag.errors import ModelError, QuestionError
from rag.types import Evidence, Message, Paper
from rag.untrusted import as_data, gives_orders, without_orders

# Sentences shown to the model, and in `quote` mode those it may choose from. The right one is among the first
# three in 76% of the questions over the seeds; the prompt of a small model must stay short, since two cores
# read some hundred tokens a second of a model of a billion parameters.
MOST_SHOWN = 8
# Earlier questions shown to the model; older ones seldom matter and cost room.
_EARLIER_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages, the sentences shown in them, and the markers of the papers that are."""

    messages: tuple[Message, ...]
    evidence: tuple[Evidence, ...]
    markers: frozenset[int]
    tokens: int
    """How many the messages have."""


def build_prompt(
    mode: Literal["write", "quote"],
    question: str,
    evidence: Sequence[Evidence],
    papers: Sequence[Paper],
    history: Sequence[str],
    count_tokens: Callable[[Sequence[Message]], int],
    room: int,
) -> Prompt:
    """The prompt of at most `room` tokens, by `count_tokens`, that shows the most.

    `evidence` and `papers` come best first; the papers' abstracts are shown in `write` mode only and keep
    their rank as marker, from 1. The lowest abstracts are dropped first, then the earlier questions, then the
    lowest sentences. Raises QuestionError if the question, or ModelError if the instructions alone, are too long.
    """
    abstracts = papers if mode == "write" else ()
    evidence = evidence[:MOST_SHOWN]
    for shown, whole, earlier in _fewer_and_fewer(len(evidence), len(abstracts), history):
        messages = _messages(mode, question, evidence[:shown], abstracts[:whole], earlier)
        if (tokens := count_tokens(messages)) <= room:
            markers = {item.rank for item in evidence[:shown]} | set(range(1, whole + 1))
            return Prompt(messages, tuple(evidence[:shown]), frozenset(markers), tokens)
    if count_tokens(_messages(mode, "", (), (), ())) <= room // 2:
        raise QuestionError(
            f"The question is too long for the model, which can read {room} tokens at once.", "Shorten it."
        )
    raise ModelError(
        f"The model's context window leaves {room} tokens for the prompt, which is too small.",
        "Raise FOOTNOTE_N_CTX or lower FOOTNOTE_MAX_TOKENS.",
    )


def refusal() -> str:
    """What the model writes if the passages do not answer."""
    return _text("refusal").strip()


_APOLOGY = re.compile(r"\W*(?:(?:i'm |i am |we're )?(?:sorry|unfortunately|apologies)\b\W*(?:but\b\W*)?)*", re.I)


def is_refusal(text: str) -> bool:
    """Whether an answer begins with the refusal, up to case, punctuation and an apology.

    >>> is_refusal("Sorry, the papers here do not answer this")
    True
    """
    return _APOLOGY.sub("", text, count=1).casefold().startswith(refusal().casefold().rstrip("."))


def instructions(mode: Literal["write", "quote"]) -> str:
    """What the model is told, without what an answer may well say: when to refuse, and the refusal."""
    return re.sub(r"[^.\n]*\$refusal", "", _text(mode)).strip()


def _fewer_and_fewer(
    sentences: int, abstracts: int, history: Sequence[str]
) -> Iterator[tuple[int, int, Sequence[str]]]:
    """How many sentences and abstracts to try, and with which earlier questions."""
    for earlier in (history, ()):
        for whole in range(abstracts, -1, -1):
            yield sentences, whole, earlier
    for shown in range(sentences - 1, 0, -1):
        yield shown, 0, ()


def _messages(
    mode: Literal["write", "quote"],
    question: str,
    evidence: Sequence[Evidence],
    papers: Sequence[Paper],
    history: Sequence[str],
) -> tuple[Message, ...]:
    by_paper: dict[int, list[Evidence]] = {}
    for item in evidence:
        by_paper.setdefault(item.rank, []).append(item)
    user = Template(_text(f"{mode}_question")).substitute(
        sentences="\n\n".join(
            _passage(rank, items[0].paper, [item.sentence for item in items]) for rank, items in by_paper.items()
        ),
        abstracts="\n\n".join(
            _passage(rank, paper, [without_orders(paper.abstract)]) for rank, paper in enumerate(papers, 1)
        ),
        history="".join(f"Earlier question: {as_data(asked)}\n" for asked in history[-_EARLIER_SHOWN:]),
        question=as_data(question),
    )
    system = Template(_text(mode)).substitute(refusal=refusal())
    return Message("system", system.strip()), Message("user", user.strip())


def _passage(marker: int, paper: Paper, texts: Sequence[str]) -> str:
    """A paper's title and date, and a line for each of the texts."""
    title = "(its title gives orders)" if gives_orders(paper.title) else as_data(paper.title)
    date = f" ({paper.date[:4]})" if paper.date else ""
    return "\n".join([f"[{marker}] {title}{date}", *(f"- {as_data(text)}" for text in texts)])


@cache
def _text(name: str) -> str:
    return files("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8")
