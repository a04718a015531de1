"""Builds the examples of the evidence model.

    python -m training.evidence.data DATA OUT --seeds seeds/ [--half a] [--squad N] [--papers N]

DATA holds the public data sets (see sources.py); OUT gets train.jsonl, valid.jsonl and counts.json. An example is

    {"kind": "squad", "question": "...", "right": [[title, sentence], ...], "wrong": [[title, sentence], ...]}

`right` is empty if nothing answers. Wrong sentences come from the passage itself, from its neighbours (a SQuAD
article's other paragraphs) and from elsewhere, those that BM25 takes for the question. That the answer was taken
away needs no examples of its own: the loss asks every question also without its right sentences.
Papers in the seeds are left out, for the question set is about them.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rag.lexical import LexicalIndex
from training.evidence import sources
from training.evidence.sources import Asked, Half, Passage, holds
from training.evidence.templates import Fact, facts, near_miss, wording

SEED = 1
Candidate = tuple[str, str]
"""Title and sentence."""

# Of the first so many sentences by BM25, the usable ones are taken.
_SEARCHED = 40
# Facts of one kind are at most so many: acronyms would be half of all.
_MOST_OF_A_KIND = 8000
# This share of the templates' facts is asked as near misses as well.
_NEAR_MISSES = 0.6
# People type so: without a question mark, or all lower-case.
_TYPED_CARELESSLY = 0.15


@dataclass(frozen=True, slots=True)
class Example:
    """A question and sentences that do and do not answer it."""

    kind: str
    question: str
    right: tuple[Candidate, ...]
    wrong: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """How many wrong sentences come from the question's own passages, their groups, and elsewhere."""

    own: int
    near: int
    far: int


TRAINED = Share(own=4, near=3, far=2)
VALIDATED = Share(own=99, near=8, far=4)


class Pool:
    """All sentences of some passages, found by their words."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._rows = [(passage, sentence) for passage in passages for sentence in passage.sentences]
        self._index = LexicalIndex.build([sentence for _, sentence in self._rows])

    def search(self, asked: Asked) -> Iterator[tuple[Passage, str]]:
        """Sentences that share words with a question but do not answer it, best first."""
        scores = self._index.scores(asked.question)
        count = min(_SEARCHED, len(scores))
        best = np.argpartition(-scores, count - 1)[:count]
        for row in best[np.argsort(-scores[best], kind="stable")]:
            passage, sentence = self._rows[row]
            answers = asked.avoid and all(holds(f"{passage.title} {sentence}", words) for words in asked.avoid)
            if scores[row] > 0 and passage not in asked.passages and sentence not in asked.right and not answers:
                yield passage, sentence


def examples(asked: Iterable[Asked], pool: Pool, share: Share, rng: random.Random) -> Iterator[Example]:
    """Add wrong sentences to questions, in random order."""
    for question in asked:
        own = [(p.title, s) for p in question.passages for s in p.sentences if s not in question.right]
        groups = {passage.group for passage in question.passages}
        found = list(pool.search(question))
        near = [(passage.title, sentence) for passage, sentence in found if passage.group in groups][: share.near]
        far = [(passage.title, sentence) for passage, sentence in found if passage.group not in groups]
        wrong = list(dict.fromkeys(rng.sample(own, min(share.own, len(own))) + near + far[: share.far]))
        rng.shuffle(wrong)
        right = [(p.title, s) for p in question.passages for s in p.sentences if s in question.right]
        if wrong:
            yield Example(question.kind, _as_typed(question.question, rng), tuple(right), tuple(wrong))


def from_templates(papers: Sequence[Passage], rng: random.Random, most: int = _MOST_OF_A_KIND) -> Iterator[Asked]:
    """Questions made from abstracts, and near misses of some."""
    told: dict[str, list[tuple[Passage, Fact]]] = {}
    for paper in papers:
        for fact in facts(paper.title, paper.sentences):
            told.setdefault(f"{fact.kind}{'' if fact.right else ' (none)'}", []).append((paper, fact))
    for kind, found in told.items():
        others: dict[str, list[str]] = {}
        for _, fact in found:
            for slot, value in fact.slots.items():
                others.setdefault(slot, []).append(value)
        for paper, fact in rng.sample(found, min(most, len(found))):
            yield _asked(kind, fact, paper, rng)
            if fact.right and rng.random() < _NEAR_MISSES:
                text = " ".join((paper.title, *paper.sentences))
                if missed := near_miss(fact, text, others, rng):
                    yield _asked(f"{kind} (near miss)", missed, paper, rng)


def without_passage(asked: Iterable[Asked]) -> Iterator[Asked]:
    """The questions put to no passage of their own, so that only what BM25 finds elsewhere is left."""
    for question in asked:
        yield Asked(f"{question.kind} (none)", question.question, (), frozenset(), question.avoid)


def _asked(kind: str, fact: Fact, paper: Passage, rng: random.Random) -> Asked:
    question, slots = wording(fact, rng)
    return Asked(f"arxiv {kind}", question, (paper,), fact.right, tuple(fact.slots[slot] for slot in slots))


def _as_typed(question: str, rng: random.Random) -> str:
    if rng.random() < _TYPED_CARELESSLY:
        question = question.rstrip("?. ")
    return question.lower() if rng.random() < _TYPED_CARELESSLY else question


def training_examples(
    data: Path, excluded: frozenset[str], half: Half, squad: int, papers: int, rng: random.Random
) -> Iterator[Example]:
    """All examples to train on, source by source: `squad` of SQuAD's questions, facts of `papers` abstracts."""
    passages, asked = sources.squad(data / "squad" / "squad1.1_train.json.xz", "squad")
    yield from examples(rng.sample(asked, min(squad, len(asked))), Pool(passages), TRAINED, rng)
    passages, asked = sources.squad(data / "squad" / "squad2.0_dev.json.xz", "squad2", held_out=False)
    yield from examples(asked, Pool(passages), TRAINED, rng)
    passages, asked = sources.scifact(data, half)
    yield from examples(asked, Pool(passages), TRAINED, rng)
    passages, asked = sources.scitldr(data, excluded)
    yield from examples(asked, Pool(passages), TRAINED, rng)
    abstracts = [paper for paper in sources.arxiv(data, excluded) if not sources.arxiv_held_out(paper.group)]
    chosen = rng.sample(abstracts, min(papers, len(abstracts)))
    yield from examples(from_templates(chosen, rng), Pool(chosen[: papers // 4]), TRAINED, rng)


def validation_examples(
    data: Path, excluded: frozenset[str], half: Half, count: int, rng: random.Random
) -> Iterator[Example]:
    """Some `count` questions of each source that training does not see; half of them, or so, unanswerable."""
    passages, asked = sources.squad(data / "squad" / "squad1.1_dev.json.xz", "squad", held_out=True)
    chosen, pool = rng.sample(asked, min(count, len(asked))), Pool(passages)
    yield from examples([*chosen[::2], *without_passage(chosen[1::2])], pool, VALIDATED, rng)
    passages, asked = sources.squad(data / "squad" / "squad2.0_dev.json.xz", "squad2", held_out=True)
    yield from examples(rng.sample(asked, min(count, len(asked))), Pool(passages), VALIDATED, rng)
    passages, asked = sources.scifact(data, "b" if half == "a" else "a")
    yield from examples(rng.sample(asked, min(count, len(asked))), Pool(passages), VALIDATED, rng)
    held_out = [paper for paper in sources.arxiv(data, excluded) if sources.arxiv_held_out(paper.group)]
    asked = list(from_templates(held_out, rng, most=count // 8))
    yield from examples(asked, Pool(held_out), VALIDATED, rng)


def build(data: Path, out: Path, seeds: Sequence[Path], half: Half, squad: int, papers: int, valid: int) -> None:
    """Write the examples and how many there are of each kind."""
    out.mkdir(parents=True, exist_ok=True)
    excluded = sources.titles_in(seeds)
    sets = {
        "train": training_examples(data, excluded, half, squad, papers, random.Random(SEED)),
        "valid": validation_examples(data, excluded, half, valid, random.Random(SEED)),
    }
    counts: dict[str, Counter[str]] = {}
    for name, made in sets.items():
        counts[name] = Counter()
        with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for example in made:
                file.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")
                counts[name][example.kind if example.right else f"{example.kind}, unanswerable"] += 1
        print(name, json.dumps(counts[name], indent=2))
    settings = {"half": half, "squad": squad, "papers": papers, "seed": SEED, "titles_left_out": len(excluded)}
    (out / "counts.json").write_text(json.dumps({**settings, **counts}, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Build from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="dumps whose papers must not be used")
    parser.add_argument("--half", choices=("a", "b"), default="a", help="the half of SciFact's claims to train on")
    parser.add_argument("--squad", type=int, default=60_000, help="questions of SQuAD 1.1")
    parser.add_argument("--papers", type=int, default=120_000, help="arXiv abstracts to make questions from")
    parser.add_argument("--valid", type=int, default=120, help="questions of each source to validate with")
    arguments = parser.parse_args()
    build(**vars(arguments))


if __name__ == "__main__":
    main()
