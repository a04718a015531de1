"""Ranked evidence sentences -> an answer made of some of them, verbatim, each with its marker (pure)."""

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np

from rag.prompt import refusal
from rag.text import unmarked, with_marker
from rag.types import Choices, Citation, Cited, Claim, Evidence
from rag.untrusted import as_data, gives_orders

# An answer is at most this many sentences, or one of each paper where papers are asked for. On the dev questions and
# those on the seeds in training/evidence/questions, four hold 2 points less of what was asked, six one point more; five
# make some 120 words.
MOST_SENTENCES = 5
# They come from papers whose score is this close to the best one's. Against 0.2, an answer holds one point more of what
# was asked, and two points fewer of the papers cited are right ones; from here to 0.4 it is the same again.
PAPER_MARGIN = 0.3

# Where a model chooses among the sentences, their scores count for this much in the log-odds; and the log-odds of
# refusing, or of ending, beside all that were offered: the more of these was taken, the likelier the end. Of a dozen
# pairs tried with the model in models/writer, on the dev questions and those on the seeds, the one with the shortest
# answers that hold as much of what was asked as those without a model.
SCORE_WEIGHT = 2.4
STOPPING = -22.0

_ASKS_FOR_PAPERS = re.compile(
    r"\b(?:papers|surveys|articles|studies)\b|\b(?:a|any|which|what|every|some) (?:paper|survey|article|study)\b"
    r"|\b(?:any|other|related|some|these|which|what|is there) (?:work|research|works)\b(?! (?:best|better|well)\b)"
    r"|\b(?:anything|something|everything) (?:on|about)\b|\banything here\b|\blooking for\b"
    r"|\bon (?:the|this|your) shelf\b|(?:^|\b(?:the|that) )(?:work|research) (?:on|about)\b"
    r"|\b(?:is|are) there (?:any|one|ones|anything|something)\b|\b(?:list|name|give me|show me) (?:all|every|some)\b",
    re.I,
)
_COMPARES = re.compile(
    r"\b(?:differ(?:s|ed|ent|ently|ences?)?|compar(?:e|es|ing|isons?)|compared(?! (?:to|with))|versus|vs|which one)\b",
    re.I,
)


def compose(question: str, evidence: Sequence[Evidence]) -> Cited:
    """An answer of the best sentences, as `quoted` writes them."""
    return quoted(question, choices(question, evidence, MOST_SENTENCES))


def choices(question: str, evidence: Sequence[Evidence], most: int) -> list[Evidence]:
    """What an answer may be made of: the best sentences.

    If papers are asked for, one of each paper, by rank; if a comparison is, those of the best two papers by turns.
    """
    best = max((item.paper_score for item in evidence), default=0.0)
    near = [item for item in evidence if item.paper_score >= best - PAPER_MARGIN and not gives_orders(item.sentence)]
    if asks_for_papers(question):
        first = {item.rank: item for item in reversed(near)}
        return [first[rank] for rank in sorted(first)]
    distinct = list({(item.rank, item.sentence): item for item in near}.values())
    ranks = sorted({item.rank for item in distinct})[:2]
    if _COMPARES.search(question) and len(ranks) == 2:
        one, other = ([item for item in distinct if item.rank == rank] for rank in ranks)
        distinct = [item for pair in zip_longest(one, other) for item in pair if item]
    return distinct[:most]


def offered(question: str, evidence: Sequence[Evidence]) -> Choices:
    """What a model chooses among: the evidence that it was shown, as it would stand in an answer."""
    listing = asks_for_papers(question)
    return Choices(
        texts=tuple(line(item, with_title=listing, shown=as_data) for item in evidence),
        priors=priors(evidence),
        stopping=STOPPING,
        separator=separator(question),
        refusal=refusal(),
        most=len(evidence) if listing else MOST_SENTENCES,
    )


def priors(evidence: Sequence[Evidence]) -> tuple[float, ...]:
    """The log-probability of each to be what is wanted, by its score."""
    scores = SCORE_WEIGHT * np.array([item.score for item in evidence])
    return tuple((scores - np.logaddexp.reduce(scores)).tolist()) if len(scores) else ()


def quoted(question: str, chosen: Sequence[Evidence]) -> Cited:
    """An answer of verbatim sentences, each with its marker, in the order given.

    Who asks for papers gets one line a paper, its title before its sentence.
    """
    listing = asks_for_papers(question)
    text = separator(question).join(line(item, with_title=listing) for item in chosen)
    claims = tuple(Claim(item.sentence, (item.rank,), True, item.sentence) for item in chosen)
    papers = {item.rank: item.paper for item in chosen}
    citations = tuple(
        Citation(rank, paper, tuple(item.sentence for item in chosen if item.rank == rank), True)
        for rank, paper in papers.items()
    )
    return Cited(text, claims, citations)


def asks_for_papers(question: str) -> bool:
    """Whether a list of papers is wanted.

    >>> [asks_for_papers(f"{asked} layers?") for asked in ("Which papers prune", "is there any work on pruning")]
    [True, True]
    >>> [asks_for_papers(f"{asked} layers?") for asked in ("What does Mars prune", "explain how it works on deep")]
    [False, False]
    """
    return _ASKS_FOR_PAPERS.search(question) is not None


def separator(question: str) -> str:
    """What stands between two sentences of an answer."""
    return "\n" if asks_for_papers(question) else " "


def line(item: Evidence, *, with_title: bool, shown: Callable[[str], str] = unmarked) -> str:
    """A sentence as it stands in an answer; `shown` rewrites what comes from the paper."""
    with_title = with_title and not gives_orders(item.paper.title)
    head = f"{shown(item.paper.title)}: " if with_title else ""
    return head + with_marker(shown(item.sentence), f"[{item.rank}]")
