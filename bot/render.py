"""Answers, search results, reports -> text and JSON for each surface (pure).

The JSON is a contract with other programs: fields may be added; none is renamed or dropped without
raising `SCHEMA`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bot.references import link
from rag.errors import FootnoteError
from rag.manifest import Manifest
from rag.rebuild import Report, Survey
from rag.types import Answer, Note, Paper, Rejected, ScoredPaper, Timings

SCHEMA = 1
NO_MODEL = (
    "No language model is in use: these are the best sentences of the papers, verbatim. "
    "Set FOOTNOTE_MODEL to a GGUF for written answers."
)
TINY_MODEL = "A tiny model chose these sentences. For answers in a model's own words: footnote models list"
_NEAREST_SHOWN = 3
_FIRST_SHOWN = 3
_MOST_PLACES = 20

Json = dict[str, Any]


def answer_json(answer: Answer, id_: object = None) -> Json:
    """An answer as `footnote ask --json` prints it."""
    return {
        "schema": SCHEMA,
        "id": id_,
        "question": answer.question,
        "query": answer.query,
        "answer": answer.text,
        "abstained": answer.abstained,
        "reason": answer.reason,
        "answerable": round(answer.answerable, 4),
        "claims": [asdict(claim) for claim in answer.claims],
        "supported": {
            "sentences": len(answer.claims),
            "supported": sum(claim.supported for claim in answer.claims),
        },
        "citations": [
            {
                "marker": citation.marker,
                "paper_id": citation.paper.paper_id,
                "title": citation.paper.title,
                "date": citation.paper.date,
                "url": citation.paper.url,
                "quote": quote,
                "supported": citation.supported,
            }
            for citation in answer.citations
            for quote in citation.quotes
        ],
        "dropped": [asdict(dropped) for dropped in answer.dropped],
        "passages": [
            {"rank": rank, "paper_id": found.paper.paper_id, "title": found.paper.title, "score": round(found.score, 4)}
            for rank, found in enumerate(answer.passages, 1)
        ],
        "mode": answer.mode,
        "model": answer.model,
        "model_sha256": answer.model_sha256,
        "generation": answer.generation,
        "finish_reason": answer.finish_reason,
        "timings": _rounded(answer.timings),
    }


def search_json(query: str, passages: Sequence[ScoredPaper], retrieve_ms: float, id_: object = None) -> Json:
    """Search results as `footnote search --json` prints them."""
    return {
        "schema": SCHEMA,
        "id": id_,
        "query": query,
        "passages": [
            {
                "rank": rank,
                "paper_id": found.paper.paper_id,
                "title": found.paper.title,
                "score": round(found.score, 4),
                "cosine": round(found.cosine, 4),
                "dense_rank": found.dense_rank,
                "lexical_rank": found.lexical_rank,
                "date": found.paper.date,
                "url": found.paper.url,
                "text": found.paper.abstract,
            }
            for rank, found in enumerate(passages, 1)
        ],
        "timings": {"retrieve_ms": round(retrieve_ms, 1)},
    }


def report_json(report: Report) -> Json:
    """A rebuild's report as `footnote rebuild --json` prints it."""
    return {"schema": SCHEMA, **asdict(report)}


def survey_json(survey: Survey) -> Json:
    """What `footnote rebuild --dry-run --json` prints."""
    return {
        "schema": SCHEMA,
        "dry_run": True,
        "dumps": [
            {
                "path": dump.path,
                "format": dump.format,
                "records": len(dump.papers),
                "rejected": len(dump.rejected),
                "first": [
                    {"line": paper.sources[0].line, "title": paper.title, "date": paper.date}
                    for paper in dump.papers[:_FIRST_SHOWN]
                ],
            }
            for dump in survey.dumps
        ],
        "records": sum(len(dump.papers) for dump in survey.dumps),
        "papers": survey.papers,
        "rejected": [asdict(place) for dump in survey.dumps for place in dump.rejected],
        "notes": [asdict(place) for dump in survey.dumps for place in dump.notes]
        + [asdict(place) for place in survey.notes],
    }


def survey_text(survey: Survey) -> str:
    """What a rebuild would read, for people."""
    lines = []
    for dump in survey.dumps:
        lines.append(f"{dump.path}: {len(dump.papers)} records ({dump.format}), {len(dump.rejected)} rejected")
        lines += [f"  line {paper.sources[0].line}: {_heading(paper)}" for paper in dump.papers[:_FIRST_SHOWN]]
        lines += _places("rejected", dump.rejected) + _places("note", dump.notes)
    lines += _places("note", survey.notes)
    records = sum(len(dump.papers) for dump in survey.dumps)
    return "\n".join([*lines, f"{records} records, {survey.papers} papers. Nothing was written."])


def rollback_json(manifest: Manifest) -> Json:
    """The generation that serves again, as `footnote rebuild --rollback --json` prints it."""
    serving = {"generation": manifest.generation, "papers": manifest.papers, "built_at": manifest.built_at}
    return {"schema": SCHEMA, **serving}


def rollback_text(manifest: Manifest) -> str:
    """The generation that serves again, for people."""
    return f"{manifest.generation} is current again: {manifest.papers} papers."


def error_json(error: FootnoteError) -> Json:
    """An error as every `--json` prints it."""
    return {"schema": SCHEMA, "error": error.message, "hint": error.hint}


def sources_text(answer: Answer) -> str:
    """What stands below an answer: its sources, or, where nothing was answered, the nearest papers."""
    if answer.abstained:
        nearest = "\n".join(f"  - {_heading(found.paper)}" for found in answer.passages[:_NEAREST_SHOWN])
        return "\n\n".join(
            part for part in (answer.reason, f"The nearest papers:\n{nearest}" if nearest else "") if part
        )
    lines = []
    for citation in answer.citations:
        lines.append(f"[{citation.marker}] {_heading(citation.paper)}")
        address = link(citation.paper)
        lines += [f"    {address}"] if address else []
        if answer.mode == "write":
            lines += [f"    “{quote}”" for quote in citation.quotes]
            lines += [] if citation.supported else ["    (does not support every sentence that cites it)"]
    return "\n".join([*lines, *([""] if lines else []), supported_text(answer)]).rstrip()


def supported_text(answer: Answer) -> str:
    """How many sentences of an answer its passages hold, for people; empty if it has none."""
    supported, of = sum(claim.supported for claim in answer.claims), len(answer.claims)
    return f"{supported} of {of} {'sentence' if of == 1 else 'sentences'} supported." if of else ""


def notes_text(answer: Answer) -> str:
    """What a reader should know besides the answer: how it ended early, what is unsupported, what was dropped."""
    notes = []
    if answer.finish_reason == "stopped":
        notes.append("Stopped.")
    if answer.finish_reason == "length":
        notes.append("The answer was cut at its longest length. Raise FOOTNOTE_MAX_TOKENS for longer ones.")
    notes += [f"Unsupported: “{claim.text}” ({claim.why})" for claim in answer.claims if not claim.supported]
    notes += [f"Dropped {dropped.text}: {dropped.why}." for dropped in answer.dropped]
    return "\n".join(notes)


def search_text(passages: Sequence[ScoredPaper]) -> str:
    """Search results for people."""
    return "\n\n".join(
        f"{rank}. {_heading(found.paper)}\n   {found.paper.abstract}" for rank, found in enumerate(passages, 1)
    )


def report_text(report: Report) -> str:
    """A rebuild's report for people."""
    lines = [
        f"  {dump.path}: {dump.records} records ({dump.format}), {dump.rejected} rejected" for dump in report.dumps
    ]
    lines += _places("rejected", report.rejected) + _places("note", report.notes)
    seconds = report.seconds
    if report.afresh:
        lines.append(f"  every abstract is embedded afresh: {report.afresh}")
    lines += [
        f"{report.records} records, {report.merged} of them merged ({report.joined} by DOI or title), "
        f"{len(report.rejected)} rejected; "
        f"{report.papers} papers: {report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.removed} removed; {report.embedded} embedded.",
        f"{report.generation} is current, {report.bytes / 2**20:,.1f} MiB. {seconds.total:.1f} s: "
        f"parse {seconds.parse:.1f}, embed {seconds.embed:.1f}, write {seconds.write:.1f}.",
    ]
    return "\n".join(lines)


def _places(kind: str, places: Sequence[Rejected | Note]) -> list[str]:
    """A line a place, at most a screenful; the rest are counted, and `--json` has them all."""
    lines = [f"  {kind} {place.path}:{place.line}: {place.why}" for place in places[:_MOST_PLACES]]
    more = len(places) - len(lines)
    return [*lines, f"  {kind}: {more} more; --json lists them all"] if more else lines


def _heading(paper: Paper) -> str:
    return f"{paper.title} ({paper.date})" if paper.date else paper.title


def _rounded(timings: Timings) -> Json:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in asdict(timings).items()}
