"""A query + retrieved papers -> the papers that answer best, their ranked sentences, and what these tell."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.lexical import LexicalIndex, words
from rag.text import sentences
from rag.types import Evidence, Logits, Paper, Reader, ScoredPaper

# So many papers are read, of which the best are kept.
READ = 8
# So many at a time, some 120 ms on two cores: a stop waits no longer. All eight take as long as at once on free cores;
# on busy ones nearly twice as long.
_AT_ONCE = 2
# A paper's score = its own + READER_WEIGHT times the logit of any of its sentences, which is worth no less than
# LEAST_LOGIT. A sentence's = its logit + PAPER_WEIGHT times its paper's. Chosen among some forty on 1,762 questions:
# those that rag/refusal.py is fitted on, names.jsonl, and some on the clusters held out of train.jsonl, all in
# training/evidence/questions. There a right paper is first for 97% (98% to 99% where questions ask for one paper).
READER_WEIGHT = 0.05
LEAST_LOGIT = -4.0
PAPER_WEIGHT = 16.0
# Of a paper with more sentences than this, the ones that share most words with the query are looked at; an
# abstract has at most some twenty, but a dump may hold full texts.
_MOST_CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class Weighed:
    """What was read for a query: the papers, best first, and all their sentences, best first."""

    passages: tuple[ScoredPaper, ...]
    evidence: tuple[Evidence, ...]
    signals: "Signals"


@dataclass(frozen=True, slots=True)
class Signals:
    """What tells whether a query can be answered; higher is likelier."""

    logit: float
    """Log-sum-exp of the logits of all sentences: above 0 the evidence model thinks that one answers."""
    cosine: float
    """The highest of the query and a paper, -1 to 1."""


def weigh(
    query: str,
    found: Sequence[ScoredPaper],
    reader: Reader,
    lexical: LexicalIndex,
    top_k: int,
    stop: threading.Event | None = None,
) -> Weighed:
    """Read the papers found, rank them anew and keep the `top_k` best. About 40 ms a paper on two cores.

    Once `stop` is set no more papers are read; those that were not have no sentences.
    """
    if not found:
        return Weighed((), (), Signals(LEAST_LOGIT, 0.0))
    rarity = {word: lexical.idf(word) for word in words(query)}
    cut = [_candidates(hit.paper, rarity) for hit in found]
    passages = [(hit.paper.title, c) for hit, c in zip(found, cut, strict=True)]
    read = list[Logits]()
    while len(read) < len(found) and not (stop and stop.is_set()):
        read += reader.read(query, passages[len(read) : len(read) + _AT_ONCE])
    unread = len(found) - len(read)
    cut[len(read) :] = [()] * unread
    read += [np.empty(0, dtype=np.float32)] * unread
    scored = [
        replace(hit, score=hit.score + READER_WEIGHT * anything(row)) for hit, row in zip(found, read, strict=True)
    ]
    order = sorted(range(len(found)), key=lambda row: -scored[row].score)[:top_k]
    evidence = [
        Evidence(
            rank, found[row].paper, scored[row].score, sentence,
            float(logit) + PAPER_WEIGHT * scored[row].score, float(logit),
        )
        for rank, row in enumerate(order, 1)
        for sentence, logit in zip(cut[row], read[row], strict=True)
    ]  # fmt: skip
    signals = Signals(anything(np.concatenate([read[row] for row in order])), max(found[row].cosine for row in order))
    ranked = tuple(sorted(evidence, key=lambda item: -item.score))
    return Weighed(tuple(scored[row] for row in order), ranked, signals)


def anything(logits: Logits) -> float:
    """The logit of any of some sentences: their log-sum-exp, or LEAST_LOGIT if that is higher."""
    return max(LEAST_LOGIT, float(np.logaddexp.reduce(logits))) if len(logits) else LEAST_LOGIT


def _candidates(paper: Paper, rarity: dict[str, float]) -> Sequence[str]:
    """The sentences of an abstract; of very many, those that hold the largest share of the query's rarity."""
    found = sentences(paper.abstract)
    if len(found) <= _MOST_CANDIDATES:
        return found
    return sorted(found, key=lambda sentence: -share(rarity, words(sentence)))[:_MOST_CANDIDATES]


def share(rarity: dict[str, float], held: Sequence[str]) -> float:
    """How much of the query's rarity the words of a text hold, 0 to 1."""
    total = sum(rarity.values())
    return sum(rarity[word] for word in rarity.keys() & set(held)) / total if total else 0.0
