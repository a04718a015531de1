"""Public data sets -> papers and questions with known answers. The folder that holds them is an argument.

scifact/  corpus.jsonl.xz, queries_train.jsonl, qrels_train.tsv
          SciFact (Wadden et al. 2020) as BEIR packs it
arxiv/    *.jsonl.xz               records of arXiv's metadata snapshot, as JSON lines
"""

import json
import lzma
import random
from dataclasses import dataclass
from pathlib import Path

from rag.text import clean
from rag.types import Paper


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the papers that answer it."""

    text: str
    paper_ids: frozenset[str]


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
    return [Question(q["text"], frozenset(relevant[str(q["_id"])])) for q in queries if str(q["_id"]) in relevant]


def arxiv_lines(data: Path, count: int, seed: int = 1) -> list[str]:
    """Some of arXiv's records, each the line it is in the snapshot: write them to a file and it is a dump."""
    return random.Random(seed).sample(arxiv_records(data), count)


def arxiv_paper(line: str) -> Paper:
    """The paper that such a line is about."""
    record = json.loads(line)
    return Paper(record["id"], clean(record["title"]), clean(record["abstract"]))


def arxiv_records(data: Path) -> list[str]:
    """All of arXiv's records, each the line it is in the snapshot."""
    lines: list[str] = []
    for path in sorted((data / "arxiv").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            lines += file
    return lines
