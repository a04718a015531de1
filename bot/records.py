"""An answer <-> plain JSON values, without loss, each paper written once (pure).

What `bot.sessions` keeps. The JSON for other programs is `bot.render`'s.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from rag.types import Answer, Citation, Claim, Dropped, Evidence, Paper, ScoredPaper, Source, Timings

Json = dict[str, Any]

# Fields that hold papers, or values that do.
_WITH_PAPERS = ("passages", "citations", "evidence")


def to_record(answer: Answer) -> Json:
    """All an answer says; papers stand in `papers` and are named by their place there.

    Any text that SQLite and JSON can hold comes back as it was.
    """
    papers: dict[str, Paper] = {}
    for found in answer.passages:
        papers.setdefault(found.paper.paper_id, found.paper)
    place = {paper_id: index for index, paper_id in enumerate(papers)}

    def plain(value: Any) -> Json:
        return {
            field.name: place[value.paper.paper_id] if field.name == "paper" else getattr(value, field.name)
            for field in fields(value)
        }

    others = (field.name for field in fields(answer) if field.name not in {*_WITH_PAPERS, "claims", "dropped"})
    return {
        **{name: getattr(answer, name) for name in others},
        "timings": asdict(answer.timings),
        "claims": [asdict(claim) for claim in answer.claims],
        "dropped": [asdict(dropped) for dropped in answer.dropped],
        "papers": [asdict(paper) for paper in papers.values()],
        **{name: [plain(value) for value in getattr(answer, name)] for name in _WITH_PAPERS},
    }


def to_answer(record: Mapping[str, Any]) -> Answer:
    """The answer of a record. Raises ValueError for one that this version did not write."""
    try:
        papers = [_paper(paper) for paper in record["papers"]]

        def whole(values: list[Json]) -> list[Json]:
            return [_tuples(value) | {"paper": papers[value["paper"]]} for value in values]

        return Answer(
            **{name: value for name, value in record.items() if name != "papers"}
            | {
                "claims": tuple(Claim(**_tuples(claim)) for claim in record["claims"]),
                "dropped": tuple(Dropped(**dropped) for dropped in record["dropped"]),
                "citations": tuple(Citation(**value) for value in whole(record["citations"])),
                "passages": tuple(ScoredPaper(**value) for value in whole(record["passages"])),
                "evidence": tuple(Evidence(**_known(Evidence, value)) for value in whole(record["evidence"])),
                "timings": Timings(**record["timings"]),
            }
        )
    except (KeyError, TypeError, IndexError, AttributeError) as exc:
        raise ValueError(f"not an answer of this version: {exc!r}") from exc


def _paper(record: Json) -> Paper:
    return Paper(**_tuples(record) | {"sources": tuple(Source(**source) for source in record["sources"])})


def _known(kind: type, record: Json) -> Json:
    """Without what only an earlier version kept."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in record.items() if name in names}


def _tuples(record: Json) -> Json:
    """JSON has lists where our values have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
