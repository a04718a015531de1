"""Public data sets -> questions whose answering sentences are known. The folder that holds them is an argument.

squad/    squad1.1_train.json.xz, squad1.1_dev.json.xz, squad2.0_dev.json.xz
          SQuAD (Rajpurkar et al. 2016, 2018)
scifact/  corpus.jsonl.xz, queries_train.jsonl, qrels_train.tsv, evidence_train.jsonl
          SciFact (Wadden et al. 2020) as BEIR packs it, with its sentence-level evidence
scitldr/  scitldr_A_train.jsonl.xz     SciTLDR (Cachola et al. 2020), abstracts only
arxiv/    *.jsonl.xz                   records of arXiv's metadata snapshot, as JSON lines

Says also what is held out of training, so that benchmarks can keep to it: `squad_held_out`, `scifact_halves`,
`arxiv_held_out`. Knows nothing of negatives: data.py adds them.
"""

import json
import lzma
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.text import clean, sentences, title_key

Half = Literal["a", "b"]

# SQuAD 2.0's development set has 35 of the 48 articles of SQuAD 1.1's: an article is trained on with all its
# questions or not at all, in both.
_HELD_OUT_ARTICLES = 0.4
# Enough for some hundreds of questions of every kind.
_HELD_OUT_PAPERS = 0.02
# Of the clusters of papers that questions were written on, one in so many is kept for validation.
_HELD_OUT_CLUSTERS = 12
QUESTIONS = Path(__file__).parent / "questions"
# A sentence says what a summary says if its ROUGE is at least this, and if no other's is within the margin.
_LEAST_ROUGE, _ROUGE_MARGIN = 0.45, 0.15


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph or an abstract, cut into sentences."""

    group: str
    """What belongs together: a SQuAD article, a paper."""
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question put to some passages, and the sentences of theirs that answer it; none if it is unanswerable."""

    kind: str
    question: str
    passages: tuple[Passage, ...]
    right: frozenset[str]
    avoid: tuple[str, ...] = ()
    """A sentence elsewhere that holds all of these may answer as well: it is no negative. () = none does."""


def squad_held_out(title: str) -> bool:
    """Whether an article of SQuAD's development sets is kept for validation.

    >>> squad_held_out("Oxygen"), squad_held_out("Steam_engine")
    (False, False)
    """
    return _share(title) < _HELD_OUT_ARTICLES


def arxiv_held_out(arxiv_id: str) -> bool:
    """Whether the questions made from a paper are kept for validation."""
    return _share(arxiv_id) < _HELD_OUT_PAPERS or arxiv_id in paper_ids() | _in_held_out_clusters()


@cache
def paper_ids() -> frozenset[str]:
    """The papers that question_set.py asks about."""
    return frozenset((QUESTIONS / "papers.txt").read_text(encoding="utf-8").split())


@cache
def _in_held_out_clusters() -> frozenset[str]:
    return frozenset(paper_id for cluster in _clusters(held_out=True).values() for paper_id in cluster["papers"])


def _clusters(held_out: bool) -> dict[int, Any]:
    """The clusters of questions/train.jsonl that are held out, or those that are not, by number."""
    lines = enumerate(_json_lines(QUESTIONS / "train.jsonl"))
    return {number: cluster for number, cluster in lines if (number % _HELD_OUT_CLUSTERS == 0) == held_out}


def squad(path: Path, kind: str, held_out: bool | None = None) -> tuple[list[Passage], list[Asked]]:
    """A file of SQuAD: its paragraphs and questions; of the articles that are held out, or are not, or of all."""
    with lzma.open(path, "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    passages, asked = [], []
    for article in articles:
        if held_out is not None and squad_held_out(article["title"]) != held_out:
            continue
        title = article["title"].replace("_", " ")
        for paragraph in article["paragraphs"]:
            passage = Passage(article["title"], title, sentences(clean(paragraph["context"])))
            passages.append(passage)
            asked += [a for item in paragraph["qas"] if (a := _squad_question(kind, item, passage))]
    return passages, asked


def _squad_question(kind: str, item: Mapping[str, Any], passage: Passage) -> Asked | None:
    """None if no sentence holds the answer whole.

    The answer's place is of no use: it is the first that the text has, not always the one that was meant. If
    several sentences hold the answer, any of them is right.
    """
    question = clean(item["question"])
    if item.get("is_impossible"):
        return Asked(kind, question, (passage,), frozenset())
    answer = clean(item["answers"][0]["text"])
    right = frozenset(sentence for sentence in passage.sentences if holds(sentence, answer))
    return Asked(kind, question, (passage,), right, (answer,)) if right else None


def holds(text: str, words: str) -> bool:
    """Whether a text has these words, as whole ones.

    >>> holds("Founded in 1950.", "50"), holds("Founded in 1950.", "founded in")
    (False, True)
    """
    text, words = text.casefold(), words.casefold()
    place = text.find(words)
    while place >= 0:
        around = text[place - 1 : place] + text[place + len(words) : place + len(words) + 1]
        if not any(character.isalnum() for character in around):
            return True
        place = text.find(words, place + 1)
    return False


def scifact(data: Path, half: Half) -> tuple[list[Passage], list[Asked]]:
    """One half of SciFact's training claims, and all abstracts but those that the other half's claims cite.

    A claim whose abstracts hold no evidence is unanswerable; contradicting evidence is evidence.
    """
    folder = data / "scifact"
    with lzma.open(folder / "corpus.jsonl.xz", "rt", encoding="utf-8") as file:
        passages = {}
        for record in map(json.loads, file):
            cut = tuple(clean(sentence) for sentence in record["metadata"]["sentences"])
            passages[str(record["_id"])] = Passage(str(record["_id"]), clean(record["title"]), cut)
    cited = _cited(folder / "qrels_train.tsv")
    evidence: dict[str, set[str]] = {}
    for record in _json_lines(folder / "evidence_train.jsonl"):
        document = str(record["doc_id"])
        cited.setdefault(record["claim_id"], set()).add(document)
        right = (passages[document].sentences[number] for number in record["sentences"])
        evidence.setdefault(record["claim_id"], set()).update(right)
    halves = scifact_halves(cited)
    asked = [
        Asked(
            "scifact",
            clean(record["text"]),
            tuple(passages[document] for document in sorted(cited[record["_id"]])),
            frozenset(evidence.get(record["_id"], ())),
        )
        for record in _json_lines(folder / "queries_train.jsonl")
        if halves.get(record["_id"]) == half
    ]
    foreign = {document for claim, documents in cited.items() if halves[claim] != half for document in documents}
    return [passage for document, passage in passages.items() if document not in foreign], asked


def scifact_halves(cited: Mapping[str, set[str]]) -> dict[str, Half]:
    """Claim -> its half, from claim -> documents: no document is cited in both halves, which are of like size.

    >>> scifact_halves({"1": {"x"}, "2": {"x", "y"}, "3": {"z"}, "4": {"y"}})
    {'1': 'a', '2': 'a', '4': 'a', '3': 'b'}
    """
    group: dict[str, list[str]] = {}  # of each document: the claims that are tied to it, one list for all tied ones
    for claim, documents in cited.items():
        lists = {id(group[document]): group[document] for document in documents if document in group}
        tied = [claim]
        for other in lists.values():
            tied += other
        for document in documents.union(*(cited[other] for other in tied)):
            group[document] = tied
    halves: dict[str, Half] = {}
    sizes: dict[Half, int] = {"a": 0, "b": 0}
    for claims in sorted({min(tied): tied for tied in group.values()}.values(), key=lambda tied: (-len(tied), tied)):
        half: Half = "a" if sizes["a"] <= sizes["b"] else "b"
        sizes[half] += len(claims)
        halves |= dict.fromkeys(sorted(claims), half)
    return halves


def scitldr(data: Path, excluded: frozenset[str]) -> tuple[list[Passage], list[Asked]]:
    """Summaries of one line, and the sentence of the abstract that says the same, where one clearly does."""
    passages, asked = [], []
    with lzma.open(data / "scitldr" / "scitldr_A_train.jsonl.xz", "rt", encoding="utf-8") as file:
        for record in map(json.loads, file):
            cut = tuple(clean(sentence) for sentence in record["source"])
            if not record["title"] or title_key(record["title"]) in excluded:
                continue
            passage = Passage(record["paper_id"], clean(record["title"]), cut)
            passages.append(passage)
            best, second, *_ = *sorted(record["rouge_scores"], reverse=True), 0.0, 0.0
            if best >= _LEAST_ROUGE and best - second >= _ROUGE_MARGIN:
                # The scores are those of the summary nearest to the abstract, which stands first.
                right = cut[record["rouge_scores"].index(best)]
                asked.append(Asked("scitldr", clean(record["target"][0]), (passage,), frozenset({right})))
    return passages, asked


def arxiv(data: Path, excluded: frozenset[str]) -> Iterator[Passage]:
    """arXiv's abstracts in order, without those of the excluded titles; their group is their id."""
    for path in sorted((data / "arxiv").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for record in map(json.loads, file):
                title = clean(record["title"])
                if title_key(title) not in excluded:
                    yield Passage(record["id"], title, sentences(clean(record["abstract"])))


def written(papers: Iterable[Passage], held_out: bool, first: int = 0) -> tuple[list[Passage], list[Asked]]:
    """The papers of questions/train.jsonl and its questions; of the clusters held out, or of those that are not.

    Clusters before the `first` (from 0) are passed over.

    A line is a cluster: ten papers on one topic, its group here, of arXiv or of SciFact. That none of the ten answers
    was seen to when the unanswerable ones were written. A question whose papers are not all among those given is left
    out.
    """
    named = {paper.group: paper for paper in papers}
    passages = list[Passage]()
    asked = list[Asked]()
    for number, cluster in _clusters(held_out).items():
        if number < first:
            continue
        own = {i: replace(named[i], group=f"cluster {number}") for i in cluster["papers"] if i in named}
        kind = "scifact written" if cluster["papers"][0].isdecimal() else "written"
        passages += own.values()
        for question in cluster["questions"]:
            if question["papers"].keys() <= own.keys():
                right = {own[i].sentences[place] for i, places in question["papers"].items() for place in places}
                read = tuple(own[i] for i in question["papers"])
                asked.append(Asked(f"{kind} {question['type']}", question["question"], read, frozenset(right)))
    return passages, asked


def titles_in(seeds: Sequence[Path]) -> frozenset[str]:
    """The keys of all titles in some dumps: the papers that must not be trained on."""
    return frozenset(title_key(paper.title) for file in find_dumps(list(seeds)) for paper in read_dump(file).papers)


def _cited(path: Path) -> dict[str, set[str]]:
    cited: dict[str, set[str]] = {}
    for line in path.read_text().splitlines()[1:]:
        claim, document, _ = line.split("\t")
        cited.setdefault(claim, set()).add(document)
    return cited


def _json_lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _share(key: str) -> float:
    """A number from 0 to 1 that depends on nothing but the key."""
    return zlib.crc32(key.encode()) / 2**32
