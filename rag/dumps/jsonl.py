"""JSON lines, one paper each: lines -> papers (pure).

    {"id": "...", "title": "...", "abstract": "...", "authors": [...], "date": "2022-12-22", "url": "...", "doi": "..."}
    {"_id": "...", "title": "...", "text": "..."}                         BEIR's corpus files

Only a title and an abstract are required; an id is kept as it is.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rag.dumps.lines import Line
from rag.text import clean, links, title_key
from rag.types import Paper, Rejected, Source


def looks_like(head: Iterable[Line]) -> str | None:
    """Name the format if the first line that is not blank is a JSON object."""
    first = next((line.text for line in head if line.fault or line.text.strip()), "")
    return "jsonl" if first.lstrip().startswith("{") else None


def parse(lines: Iterable[Line], path: str) -> Iterator[Paper | Rejected]:
    """Yield each line as a paper, or as rejected with the reason."""
    for line in lines:
        if not line.fault and not line.text.strip():
            continue
        try:
            yield _paper(line, path)
        except ValueError as exc:
            yield Rejected(path, line.number, str(exc))


def _paper(line: Line, path: str) -> Paper:
    if line.fault:
        raise ValueError(line.fault)
    try:
        record = json.loads(line.text)
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc.msg} at column {exc.colno}") from exc
    except RecursionError as exc:
        raise ValueError("not JSON: nested too deeply") from exc
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    title, abstract = _text(record, "title"), _text(record, "abstract", "text")
    if not title_key(title):
        raise ValueError('no "title"')
    if not abstract:
        raise ValueError('no "abstract"')
    authors = record.get("authors") or ()
    if isinstance(authors, str):
        authors = [authors]
    if not isinstance(authors, list | tuple) or not all(isinstance(name, str) for name in authors):
        raise ValueError('"authors" is not a list of names')
    names = tuple(clean(name) for name in authors)
    doi = _text(record, "doi")
    return Paper(
        paper_id=_text(record, "id", "_id"),
        title=title,
        abstract=abstract,
        authors=names,
        author_count=len(names) or None,
        date=_text(record, "date") or None,
        url=_text(record, "url") or (f"https://doi.org/{doi}" if doi else None),
        links=links(abstract),
        sources=(Source(path, line.number),),
    )


def _text(record: dict[str, Any], *names: str) -> str:
    """The first of these fields that is there, as one clean line; an id may be a number."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None:
            raise ValueError(f'"{name}" is not a text')
    return ""
