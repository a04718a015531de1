"""Claims about abstracts in other words, true and false: how many true ones are flagged, how many false ones caught?

    python -m benchmarks.paraphrases DATA [--show]

DATA holds arxiv/ (see benchmarks.data). The claims in paraphrases.jsonl were written by a language model, four on an
abstract, two of them with an error that such models make: a number given to the wrong thing ("swap"), one that is not
there ("number"), another name ("name"), more for less ("direction"), a denial ("negation"), something made up
("added") or an overclaim ("over"). The rules of rag/verify.py were chosen on the "dev" part; nobody has looked at the
"test" part. Far harder than benchmarks.planted: whole sentences are put otherwise.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.data import arxiv_paper, arxiv_records
from rag.held import Passage, names_of
from rag.verify import verify

CLAIMS = Path(__file__).with_suffix(".jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--show", action="store_true", help="print what of the dev part was flagged and missed")
    arguments = parser.parse_args()
    claims = [json.loads(line) for line in CLAIMS.read_text(encoding="utf-8").splitlines()]
    wanted = {claim["paper"] for claim in claims}
    papers = map(arxiv_paper, arxiv_records(arguments.data))
    passages = {paper.paper_id: Passage(paper) for paper in papers if paper.paper_id in wanted}
    for part in ("dev", "test"):
        report(part, [claim for claim in claims if claim["part"] == part], passages, arguments.show and part == "dev")


def report(part: str, claims: list[dict[str, Any]], passages: dict[str, Passage], show: bool) -> None:
    """Print the shares flagged of one part, and with `show` where they are wrong."""
    asked, flagged = Counter[str](), Counter[str]()
    for claim in claims:
        passage = passages[claim["paper"]]
        why = verify(claim["claim"], passage, names_of([passage])).why
        kind = claim["error"] or "true"
        asked[kind] += 1
        flagged[kind] += bool(why)
        if show and bool(why) != bool(claim["error"]):
            print(f"{why or 'MISSED ' + kind}: {claim['paper']}: {claim['claim']}")
    errors = sorted(asked.keys() - {"true"})
    wrong, caught = (sum(counts[kind] for kind in errors) for counts in (asked, flagged))
    print(f"{part}: {flagged['true'] / asked['true']:.3f} of {asked['true']} true claims flagged", end=", ")
    print(f"{caught / wrong:.3f} of {wrong} false ones caught: ", end="")
    print(", ".join(f"{kind} {flagged[kind]} of {asked[kind]}" for kind in errors))


if __name__ == "__main__":
    main()
