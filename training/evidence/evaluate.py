"""What the evidence model adds to the mix of cosine, shared words and paper score that needs none.

    python -m training.evidence.evaluate DATA [MODEL] [--half a] [--questions 240] [--set SET]

DATA holds SQuAD and SciFact (see sources.py); MODEL is the folder that train.py wrote, the one in models/ if left out,
and `--half` the half of SciFact's claims that it was trained on: the other is asked. Of SQuAD only articles held out of
training are asked. SET is a folder that question_set.py wrote: its questions are asked too, dev and test apart.
Questions go through the product's own retrieval. Half an hour on two cores, nearly all of it embedding.
"""

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.embed import SentenceEmbedder
from rag.evidence import PAPER_WEIGHT, READ, READER_WEIGHT, anything, share
from rag.lexical import words
from rag.manifest import Embedding
from rag.passages import dense_text
from rag.query import standalone_query
from rag.reader import SHIPPED, EvidenceReader
from rag.retrieve import Retriever
from rag.store import open_store, write_generation
from rag.text import sentences
from rag.types import Logits, Paper, ScoredPaper
from training.evidence import sources
from training.evidence.train import auroc

TOP_K = 5
# Around what rag/evidence.py has.
READER_WEIGHTS = (0.0, 0.02, 0.04, 0.05, 0.06, 0.08)
PAPER_WEIGHTS = (5.0, 10.0, 16.0, 20.0, 40.0)
# What the product had before: cosine of query and "title, sentence" + these times the other signals.
_MIX_OVERLAP, _MIX_PAPER = 0.5, 0.5
_SEED = 1


@dataclass(frozen=True, slots=True)
class Question:
    """A query, the ids of the papers that answer it, and the sentences of theirs that do."""

    query: str
    papers: frozenset[str]
    right: frozenset[str]


@dataclass(frozen=True, slots=True)
class Read:
    """What was found and read for a question, in the order of retrieval: a row a paper, in it a value a sentence."""

    hits: tuple[ScoredPaper, ...]
    cut: tuple[tuple[str, ...], ...]
    logits: tuple[Logits, ...]
    overlaps: tuple[Logits, ...]
    cosines: tuple[Logits, ...]
    seconds: float
    """To read the first TOP_K papers."""


def main() -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--half", choices=("a", "b"), default="a", help="the half of SciFact that was trained on")
    parser.add_argument("--questions", type=int, default=240, help="of each source")
    parser.add_argument("--set", type=Path, help="a folder that question_set.py wrote")
    arguments = parser.parse_args()
    embedder, reader = SentenceEmbedder(), EvidenceReader(arguments.model)
    squad = sources.squad(arguments.data / "squad" / "squad2.0_dev.json.xz", "squad2", held_out=True)
    report("SQuAD 2.0", *_asked(*squad, arguments.questions), embedder, reader)
    for half in ("b", "a") if arguments.half == "a" else ("a", "b"):
        seen = ", trained on" if half == arguments.half else ""
        scifact = sources.scifact(arguments.data, half)
        report(f"SciFact, half {half}{seen}", *_asked(*scifact, arguments.questions), embedder, reader)
    if arguments.set:
        papers = [paper for file in find_dumps([arguments.set / "papers.jsonl"]) for paper in read_dump(file).papers]
        for part in ("dev", "test"):
            lines = (arguments.set / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
            asked = [_question(json.loads(line), papers) for line in lines]
            report(f"question set, {part}", papers, asked, embedder, reader)


def report(
    name: str, papers: Sequence[Paper], asked: Sequence[Question], embedder: SentenceEmbedder, reader: EvidenceReader
) -> None:
    """Print the figures of one source."""
    read = _read(papers, asked, embedder, reader)
    print(f"\n{name}: {len(asked)} questions, {sum(not q.right for q in asked)} unanswerable, {len(papers)} papers; "
          f"{1000 * np.median([r.seconds for r in read]):.0f} ms to read {TOP_K} of them")  # fmt: skip
    print(f"{'papers':34} nDCG@10  hit@1  recall@5")
    for weight in READER_WEIGHTS:
        used = " (used)" if weight == READER_WEIGHT else ""
        print(f"{f'retrieval + {weight} reader{used}':34} {_papers_found(asked, read, weight)}")
    print(f"{'sentences':34} first / in three / in four")
    print(f"{'mix of cosine, words and paper':34} {_sentences_found(asked, [_mixed(r) for r in read])}")
    print(f"{'model alone':34} {_sentences_found(asked, [_summed(r, 0) for r in read])}")
    for paper in PAPER_WEIGHTS:
        used = " (used)" if paper == PAPER_WEIGHT else ""
        scored = [_summed(r, paper) for r in read]
        print(f"{f'logit + {paper} paper{used}':34} {_sentences_found(asked, scored)}")
    can = np.array([bool(question.right) for question in asked])
    if can.all():
        return
    told = np.array([anything(np.concatenate(r.logits[:TOP_K])) for r in read])
    cosines = np.array([max(row.max() for row in r.cosines[:TOP_K]) for r in read])
    print(f"AUROC of answerable against not: model {auroc(told[can].tolist(), told[~can].tolist()):.3f}, "
          f"best sentence cosine {auroc(cosines[can].tolist(), cosines[~can].tolist()):.3f}")  # fmt: skip
    print(f"evidence F1 of sentences with a logit above 0: {_f1(asked, read):.3f}")


def _read(
    papers: Sequence[Paper], asked: Sequence[Question], embedder: SentenceEmbedder, reader: EvidenceReader
) -> list[Read]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        vectors = np.concatenate(list(embedder.embed_many([dense_text(paper) for paper in papers])))
        write_generation(Path(folder), papers, vectors, Embedding.of(embedder), [], len(papers))
        with contextlib.closing(open_store(Path(folder))) as store:
            retriever = Retriever(store, embedder)
            for question in asked:
                hits = tuple(retriever.search(question.query, max(READ, 10)))
                cut = tuple(sentences(hit.paper.abstract) for hit in hits)
                passages = [(hit.paper.title, row) for hit, row in zip(hits, cut, strict=True)]
                start = time.perf_counter()
                logits = reader.read(question.query, passages[:TOP_K])
                seconds = time.perf_counter() - start
                logits += reader.read(question.query, passages[TOP_K:])
                vector = embedder.embed_queries([question.query])[0]
                texts = [f"{hit.paper.title}\n{text}" for hit, row in zip(hits, cut, strict=True) for text in row]
                ends = np.cumsum([len(row) for row in cut])[:-1]
                cosines = np.split(embedder.embed_passages(texts) @ vector, ends)
                rarity = {word: store.lexical.idf(word) for word in words(question.query)}
                overlaps = [np.array([share(rarity, words(text)) for text in row], dtype=np.float32) for row in cut]
                found.append(Read(hits, cut, tuple(logits), tuple(overlaps), tuple(cosines), seconds))
    return found


def _papers_found(asked: Sequence[Question], read: Sequence[Read], weight: float) -> str:
    """NDCG at 10, share of questions with a right paper first, share of the right papers among five."""
    ndcg, first, recall = [], [], []
    for question, r in zip(asked, read, strict=True):
        if question.papers:
            scores = [h.score + weight * anything(row) for h, row in zip(r.hits, r.logits, strict=True)]
            best = [r.hits[row].paper.paper_id in question.papers for row in np.argsort(-np.array(scores))][:10]
            ideal = sum(1 / np.log2(rank + 2) for rank in range(min(10, len(question.papers))))
            ndcg.append(sum(hit / np.log2(rank + 2) for rank, hit in enumerate(best)) / ideal)
            first.append(best[0])
            recall.append(sum(best[:TOP_K]) / len(question.papers))
    return f"{np.mean(ndcg):.3f}    {np.mean(first):.3f}  {np.mean(recall):.3f}"


def _sentences_found(asked: Sequence[Question], scored: Sequence[Sequence[tuple[float, str, str]]]) -> str:
    """Share of answerable questions with a right sentence among the first one, three, four."""
    ranks = []
    for question, rows in zip(asked, scored, strict=True):
        if question.right:
            best = sorted(rows, key=lambda row: -row[0])
            hits = (rank for rank, (_, paper, text) in enumerate(best) if _is_right(question, paper, text))
            ranks.append(next(hits, len(best) + 4))
    return " / ".join(f"{np.mean(np.array(ranks) < most):.3f}" for most in (1, 3, 4))


def _mixed(r: Read) -> list[tuple[float, str, str]]:
    """Score, paper id and text of each sentence of the papers that retrieval has first, without the model."""
    return [
        (float(cosine) + _MIX_OVERLAP * float(overlap) + _MIX_PAPER * hit.score, hit.paper.paper_id, text)
        for hit, row, cosines, overlaps in list(zip(r.hits, r.cut, r.cosines, r.overlaps, strict=True))[:TOP_K]
        for text, cosine, overlap in zip(row, cosines, overlaps, strict=True)
    ]


def _summed(r: Read, paper_weight: float) -> list[tuple[float, str, str]]:
    """As `rag.evidence.weigh` scores them at this weight, of the papers that retrieval has first."""
    scored = []
    for hit, row, logits in list(zip(r.hits, r.cut, r.logits, strict=True))[:TOP_K]:
        paper = hit.score + READER_WEIGHT * anything(logits)
        scored += [
            (float(logit) + paper_weight * paper, hit.paper.paper_id, text)
            for text, logit in zip(row, logits, strict=True)
        ]
    return scored


def _f1(asked: Sequence[Question], read: Sequence[Read]) -> float:
    """Of all sentences of the papers read, those that the model takes for evidence against those that are."""
    hits = taken = right = 0
    for question, r in zip(asked, read, strict=True):
        right += len(question.right)
        for hit, row, logits in list(zip(r.hits, r.cut, r.logits, strict=True))[:TOP_K]:
            for text, logit in zip(row, logits, strict=True):
                taken += bool(logit > 0)
                hits += bool(logit > 0) and _is_right(question, hit.paper.paper_id, text)
    return 2 * hits / (taken + right)


def _is_right(question: Question, paper: str, text: str) -> bool:
    """A sentence may be cut otherwise here than in its source."""
    return paper in question.papers and any(text in right or right in text for right in question.right)


def _asked(
    passages: Sequence[sources.Passage], asked: Sequence[sources.Asked], most: int
) -> tuple[list[Paper], list[Question]]:
    ids = {passage: str(row) for row, passage in enumerate(passages)}
    papers = [Paper(ids[passage], passage.title, " ".join(passage.sentences)) for passage in passages]
    chosen = random.Random(_SEED).sample(asked, min(most, len(asked)))
    return papers, [Question(a.question, frozenset(ids[p] for p in a.passages if a.right), a.right) for a in chosen]


def _question(fields: dict[str, object], papers: Sequence[Paper]) -> Question:
    titles = set(fields["gold_titles"])  # type: ignore[call-overload]
    return Question(
        standalone_query(str(fields["question"]), list(fields["history"])),  # type: ignore[call-overload]
        frozenset(paper.paper_id for paper in papers if paper.title in titles),
        frozenset(fields["gold_sentences"]),  # type: ignore[call-overload]
    )


if __name__ == "__main__":
    main()
