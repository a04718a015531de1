"""Builds the examples of the evidence model.

    python -m training.evidence.data DATA OUT --seeds seeds/ [--half a] [--squad N] [--papers N] [--written N]

DATA holds the public data sets (see sources.py); OUT gets train.jsonl, valid.jsonl and counts.json. A line is a passage
or an example, whose passages stand in lines before it and are named by their number among these, from 0:

    {"title": "...", "sentences": ["...", ...]}
    {"kind": "squad", "question": "...", "own": 1, "passages": [[17, [3]], [4, []], ...]}

The first `own` passages are those that the question was put to; with each stand the places of its sentences that
answer, in none if nothing does. The others stand near them (a SQuAD article's other paragraphs) or elsewhere, those
that BM25 takes for the question. That the answer was taken away needs no examples of its own: training asks every
question also without its own passages. Papers in the seeds are left out, for the question set is about them.
"""

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.lexical import LexicalIndex
from training.evidence import details, sources
from training.evidence.blanks import Blank, blanks, with_another_name
from training.evidence.sources import Asked, Half, Passage, holds
from training.evidence.templates import Fact, facts, name_in, near_miss, wording

SEED = 1

# Of the first so many passages by BM25, the usable ones are taken.
_SEARCHED = 24
# Questions of one kind are at most so many: acronyms would be half of all.
_MOST_OF_A_KIND = 6000
# This share of the templates' facts is asked as near misses as well.
_NEAR_MISSES = 0.6
# People type so: without a question mark, all lower-case, or with "U-Net" as one or two words.
_TYPED_CARELESSLY = 0.15
# Of the papers, so many are searched for others to put beside.
_POOL_OF_PAPERS = 30_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage, and the places of its sentences that answer."""

    title: str
    sentences: tuple[str, ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A question and passages whose sentences do and do not answer it; the first `own` are its own."""

    kind: str
    question: str
    own: int
    passages: tuple[Candidate, ...]

    @property
    def answerable(self) -> bool:
        """Whether any sentence answers."""
        return any(passage.right for passage in self.passages)

    @property
    def wants_all(self) -> bool:
        """Whether all right sentences are wanted; elsewhere some hold the answer by chance, and any will do."""
        return self.kind == "arxiv pair" or "written" in self.kind


@dataclass(frozen=True, slots=True)
class Share:
    """How many passages beside a question's own come from their groups, and from elsewhere."""

    near: int
    far: int


TRAINED = Share(near=2, far=2)
VALIDATED = Share(near=1, far=3)
WRITTEN = Share(near=4, far=0)  # only of the papers beside was it seen to that they do not answer


class Pool:
    """Passages found by their words."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._passages = list(passages)
        self._index = LexicalIndex.build([" ".join((p.title, *p.sentences)) for p in self._passages])

    def search(self, asked: Asked) -> Iterator[Passage]:
        """Passages that share words with a question but do not answer it, best first."""
        scores = self._index.scores(asked.question)
        count = min(_SEARCHED, len(scores))
        best = np.argpartition(-scores, count - 1)[:count]
        own = {passage.sentences for passage in asked.passages}  # a paper may stand here twice
        for row in best[np.argsort(-scores[best], kind="stable")]:
            passage = self._passages[row]
            text = " ".join((passage.title, *passage.sentences))
            answers = asked.avoid and all(holds(text, words) for words in asked.avoid)
            if scores[row] > 0 and passage.sentences not in own and not answers:
                yield passage


def examples(asked: Iterable[Asked], pool: Pool, share: Share, rng: random.Random) -> Iterator[Example]:
    """Put questions beside other passages."""
    for question in asked:
        groups = {passage.group for passage in question.passages}
        found = list(pool.search(question))
        near = [passage for passage in found if passage.group in groups][: share.near]
        far = [passage for passage in found if passage.group not in groups][: share.far]
        own = [_candidate(passage, question.right) for passage in question.passages]
        others = [_candidate(passage, frozenset()) for passage in near + far]
        rng.shuffle(others)
        if own or others:
            yield Example(question.kind, _as_typed(question.question, rng), len(own), (*own, *others))


def _candidate(passage: Passage, right: frozenset[str]) -> Candidate:
    places = tuple(place for place, sentence in enumerate(passage.sentences) if sentence in right)
    return Candidate(passage.title, passage.sentences, places)


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


def from_blanks(papers: Sequence[Passage], rng: random.Random, most: int = _MOST_OF_A_KIND) -> Iterator[Asked]:
    """Questions in the words of abstracts, and near misses of some."""
    told: dict[str, list[tuple[Passage, Blank]]] = {}
    for paper in papers:
        one = {blank.kind: blank for blank in blanks(name_in(paper.title), paper.sentences, rng)}  # one of a kind
        for blank in one.values():
            told.setdefault(blank.kind, []).append((paper, blank))
    names = [name for found in told.values() for _, blank in found for name in blank.names]
    for kind, found in told.items():
        for paper, blank in rng.sample(found, min(most, len(found))):
            yield Asked(f"arxiv {kind}", blank.question, (paper,), blank.right, blank.names[:1] or (paper.title,))
            if rng.random() < _NEAR_MISSES:
                text = " ".join((paper.title, *paper.sentences))
                if missed := with_another_name(blank, text, names, rng):
                    yield Asked(f"arxiv {kind} (near miss)", missed.question, (paper,), frozenset())


def from_details(papers: Sequence[Passage], rng: random.Random, most: int = 2 * _MOST_OF_A_KIND) -> Iterator[Asked]:
    """Questions on details of named papers, at most so many that are told and so many that are not."""
    named = [(name, paper) for paper in papers if (name := name_in(paper.title))]
    counts = Counter[bool]()
    for name, paper in rng.sample(named, len(named)):
        for make in (details.told, details.untold):
            asked = make(name, paper.sentences, rng)
            if asked and counts[bool(asked.right)] < most:
                counts[bool(asked.right)] += 1
                yield Asked("arxiv detail", asked.question, (paper,), asked.right, (name,))


def pairs(papers: Sequence[Passage], rng: random.Random, most: int = _MOST_OF_A_KIND) -> Iterator[Asked]:
    """Two named papers to be compared: what defines either is right."""
    named = {}
    for paper in papers:
        for fact in facts(paper.title, paper.sentences):
            if fact.kind == "definition":
                named[fact.slots["name"]] = (paper, fact.right)
    names = sorted(named)
    forms = ("How do {a} and {b} differ?", "compare {a} and {b}", "What is the difference between {a} and {b}?",
             "{a} vs {b}", "What do {a} and {b} have in common?", "Do {a} and {b} solve the same problem?")  # fmt: skip
    for _ in range(min(most // 2, len(names) // 2)):
        a, b = rng.sample(names, 2)
        (first, right), (second, other) = named[a], named[b]
        yield Asked("arxiv pair", rng.choice(forms).format(a=a, b=b), (first, second), right | other, (a,))


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
    if rng.random() < _TYPED_CARELESSLY:
        question = re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", rng.choice(("", " ")), question)
    return question.lower() if rng.random() < _TYPED_CARELESSLY else question


def training_examples(
    data: Path, excluded: frozenset[str], half: Half, squad: int, papers: int, written: int, rng: random.Random
) -> Iterator[Example]:
    """All examples to train on, source by source: `squad` of SQuAD's questions, facts of `papers` abstracts.

    The written questions are those from cluster `written` on.
    """
    passages, asked = sources.squad(data / "squad" / "squad1.1_train.json.xz", "squad")
    yield from examples(rng.sample(asked, min(squad, len(asked))), Pool(passages), TRAINED, rng)
    passages, asked = sources.squad(data / "squad" / "squad2.0_dev.json.xz", "squad2", held_out=False)
    yield from examples(asked, Pool(passages), TRAINED, rng)
    biomedical, asked = sources.scifact(data, half)
    yield from examples(asked, Pool(biomedical), TRAINED, rng)
    passages, asked = sources.scitldr(data, excluded)
    yield from examples(asked, Pool(passages), TRAINED, rng)
    abstracts = [paper for paper in sources.arxiv(data, excluded) if not sources.arxiv_held_out(paper.group)]
    chosen = rng.sample(abstracts, min(papers, len(abstracts)))
    asked = [*from_templates(chosen, rng), *from_blanks(chosen, rng), *from_details(chosen, rng), *pairs(chosen, rng)]
    yield from examples(asked, Pool(chosen[:_POOL_OF_PAPERS]), TRAINED, rng)
    passages, asked = sources.written([*abstracts, *biomedical], held_out=False, first=written)
    if asked:
        yield from examples(asked, Pool(passages), WRITTEN, rng)


def validation_examples(
    data: Path, excluded: frozenset[str], half: Half, count: int, rng: random.Random
) -> Iterator[Example]:
    """Some `count` questions of each source that training does not see; half of them, or so, unanswerable."""
    passages, asked = sources.squad(data / "squad" / "squad1.1_dev.json.xz", "squad", held_out=True)
    chosen, pool = rng.sample(asked, min(count, len(asked))), Pool(passages)
    yield from examples([*chosen[::2], *without_passage(chosen[1::2])], pool, VALIDATED, rng)
    passages, asked = sources.squad(data / "squad" / "squad2.0_dev.json.xz", "squad2", held_out=True)
    yield from examples(rng.sample(asked, min(count, len(asked))), Pool(passages), VALIDATED, rng)
    biomedical, asked = sources.scifact(data, "b" if half == "a" else "a")
    yield from examples(rng.sample(asked, min(count, len(asked))), Pool(biomedical), VALIDATED, rng)
    abstracts = list(sources.arxiv(data, excluded))
    held_out = [paper for paper in abstracts if sources.arxiv_held_out(paper.group)]
    most = count // 8
    asked = [
        made for source in (from_templates, from_blanks, from_details, pairs) for made in source(held_out, rng, most)
    ]
    yield from examples(asked, Pool(held_out), VALIDATED, rng)
    passages, asked = sources.written([*abstracts, *biomedical], held_out=True)
    if asked:
        yield from examples(rng.sample(asked, min(2 * count, len(asked))), Pool(passages), WRITTEN, rng)


def write_examples(path: Path, made: Iterable[Example]) -> Counter[str]:
    """Write examples, each passage once; how many there are of each kind."""
    counts: Counter[str] = Counter()
    numbers: dict[tuple[str, tuple[str, ...]], int] = {}
    with path.open("w", encoding="utf-8") as file:

        def line(fields: object) -> None:
            file.write(json.dumps(fields, ensure_ascii=False) + "\n")

        for example in made:
            for passage in example.passages:
                if (passage.title, passage.sentences) not in numbers:
                    numbers[passage.title, passage.sentences] = len(numbers)
                    line({"title": passage.title, "sentences": passage.sentences})
            places = [(numbers[passage.title, passage.sentences], passage.right) for passage in example.passages]
            line({"kind": example.kind, "question": example.question, "own": example.own, "passages": places})
            counts[example.kind if example.answerable else f"{example.kind}, unanswerable"] += 1
    return counts


def read_examples(path: Path) -> list[Example]:
    """What `write_examples` wrote."""
    passages: list[tuple[str, tuple[str, ...]]] = []
    found = []
    with path.open(encoding="utf-8") as file:
        for fields in map(json.loads, file):
            if "title" in fields:
                passages.append((fields["title"], tuple(fields["sentences"])))
            else:
                chosen = [(passages[number], tuple(right)) for number, right in fields["passages"]]
                candidates = tuple(Candidate(title, cut, right) for (title, cut), right in chosen)
                found.append(Example(fields["kind"], fields["question"], fields["own"], candidates))
    return found


def build(
    data: Path, out: Path, seeds: Sequence[Path], half: Half, squad: int, papers: int, written: int, valid: int
) -> None:
    """Write the examples and how many there are of each kind."""
    out.mkdir(parents=True, exist_ok=True)
    excluded = sources.titles_in(seeds)
    sets = {
        "train": training_examples(data, excluded, half, squad, papers, written, random.Random(SEED)),
        "valid": validation_examples(data, excluded, half, valid, random.Random(SEED)),
    }
    counts: dict[str, Counter[str]] = {}
    for name, made in sets.items():
        counts[name] = write_examples(out / f"{name}.jsonl", made)
        print(name, json.dumps(counts[name], indent=2))
    settings = {
        "half": half, "squad": squad, "papers": papers, "written": written, "seed": SEED,
        "titles_left_out": len(excluded),
    }  # fmt: skip
    (out / "counts.json").write_text(json.dumps({**settings, **counts}, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Build from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="dumps whose papers must not be used")
    parser.add_argument("--half", choices=("a", "b"), default="a", help="the half of SciFact's claims to train on")
    parser.add_argument("--squad", type=int, default=24_000, help="questions of SQuAD 1.1")
    parser.add_argument("--papers", type=int, default=60_000, help="arXiv abstracts to make questions from")
    parser.add_argument(
        "--written", type=int, default=0, help="the first cluster of written questions to ask; those before are known"
    )
    parser.add_argument("--valid", type=int, default=120, help="questions of each source to validate with")
    arguments = parser.parse_args()
    build(**vars(arguments))


if __name__ == "__main__":
    main()
