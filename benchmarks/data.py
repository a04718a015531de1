"""Public data sets -> papers and questions with known answers. The folder that holds them is an argument.

scifact/  corpus.jsonl.xz, queries_train.jsonl, qrels_train.tsv, evidence_train.jsonl
          SciFact (Wadden et al. 2020) as BEIR packs it, with its sentence-level evidence
squad/    squad1.1_dev.json.xz     SQuAD 1.1 (Rajpurkar et al. 2016)
arxiv/    *.jsonl.xz               records of arXiv's metadata snapshot, as JSON lines
"""

import json
import lzma
import random
from dataclasses import dataclass
from pathlib import Path

from rag.text import clean, sentences
from rag.types import Paper


@dataclass(frozen=True, slots=True)
class Question:
    """A query, the papers that answer it, and the sentences of theirs that do (may be unknown)."""

    text: str
    paper_ids: frozenset[str]
    sentences: frozenset[str]


def scifact_papers(data: Path) -> list[Paper]:
    """SciFact's 5,183 abstracts."""
    with lzma.open(data / "scifact" / "corpus.jsonl.xz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return [Paper(str(record["_id"]), clean(record["title"]), clean(record["text"])) for record in records]


def scifact_claims(data: Path) -> list[Question]:
    """SciFact's training claims that have a relevant abstract."""
    relevant: dict[str, set[str]] = {}
    for line in (data / "scifact" / "qrels_train.tsv").read_text().splitlines()[1:]:
        query, paper, score = line.split("\t")
        if int(score) > 0:
            relevant.setdefault(query, set()).add(paper)
    queries = map(json.loads, (data / "scifact" / "queries_train.jsonl").read_text().splitlines())
    return [
        Question(q["text"], frozenset(relevant[str(q["_id"])]), frozenset())
        for q in queries
        if str(q["_id"]) in relevant
    ]


def scifact_evidence(data: Path) -> list[Question]:
    """SciFact's training claims with their evidence sentences."""
    with lzma.open(data / "scifact" / "corpus.jsonl.xz", "rt", encoding="utf-8") as file:
        cut = {str(record["_id"]): record["metadata"]["sentences"] for record in map(json.loads, file)}
    claims: dict[str, tuple[set[str], set[str]]] = {}
    for line in (data / "scifact" / "evidence_train.jsonl").read_text().splitlines():
        record = json.loads(line)
        papers, found = claims.setdefault(record["claim"], (set(), set()))
        papers.add(str(record["doc_id"]))
        found |= {clean(cut[str(record["doc_id"])][number]) for number in record["sentences"]}
    return [Question(text, frozenset(papers), frozenset(found)) for text, (papers, found) in claims.items()]


def squad(data: Path, count: int, seed: int = 1) -> tuple[list[Paper], list[Question]]:
    """SQuAD's paragraphs as papers below their article's title, and some of its questions."""
    with lzma.open(data / "squad" / "squad1.1_dev.json.xz", "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    papers: list[Paper] = []
    questions: list[Question] = []
    for article in articles:
        title = article["title"].replace("_", " ")
        for paragraph in article["paragraphs"]:
            paper = Paper(f"p{len(papers)}", title, clean(paragraph["context"]))
            papers.append(paper)
            for item in paragraph["qas"]:
                answer = item["answers"][0]
                before = len(clean(paragraph["context"][: answer["answer_start"]]).split())
                questions.append(
                    Question(clean(item["question"]), frozenset({paper.paper_id}), _sentence_at(paper.abstract, before))
                )
    return papers, random.Random(seed).sample(questions, count)


def arxiv_lines(data: Path, count: int, seed: int = 1) -> list[str]:
    """Some of arXiv's records, each the line it is in the snapshot: write them to a file and it is a dump."""
    lines: list[str] = []
    for path in sorted((data / "arxiv").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            lines += file
    return random.Random(seed).sample(lines, count)


def _sentence_at(text: str, words_before: int) -> frozenset[str]:
    for sentence in sentences(text):
        words_before -= len(sentence.split())
        if words_before < 0:
            return frozenset({sentence})
    return frozenset()
