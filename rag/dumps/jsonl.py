"""JSON lines, one paper each: lines -> papers (pure).

    {"id": "...", "title": "...", "abstract": "...", "authors": [...], "date": "2022-12-22", "url": "...",
     "doi": "...", "categories": ["cs.CL"]}
    {"_id": "...", "title": "...", "text": "..."}                         BEIR's corpus files

Only a title and an abstract are required; an id is kept as it is. A date or address that is none is left
out, with a note.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from rag.dumps.lines import Line, head_lines, read_lines
from rag.text import clean, links, title_key
from rag.types import Note, Paper, Rejected, Source

_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_DOI_ADDRESS = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", re.I)


def looks_like(head: bytes) -> str | None:
    """Name the format if the first readable line that is not blank begins a JSON object."""
    first = next((line.text for line in head_lines(head) if line.text.strip()), "")
    return "jsonl" if first.lstrip().startswith("{") else None


def read(open_: Callable[[], BinaryIO], name: str, _: str) -> Iterator[Paper | Rejected | Note]:
    """The records of a file."""
    with open_() as stream:
        yield from parse(read_lines(stream), name)


def parse(lines: Iterable[Line], path: str) -> Iterator[Paper | Rejected | Note]:
    """Yield each line as a paper, or as rejected with the reason; before it, notes on what was left out."""
    for line in lines:
        if not line.fault and not line.text.strip():
            continue
        try:
            record = _record(line)
            date, url = _text(record, "date"), _text(record, "url")
            if date and not _DATE.fullmatch(date):
                yield Note(path, line.number, f"the date {date[:40]!r} is left out: it is not like 2022-12-22")
                date = ""
            if url and not re.match(r"https?://", url):
                yield Note(path, line.number, f"the url {url[:40]!r} is left out: it is no web address")
                url = ""
            yield _paper(record, date, url, Source(path, line.number))
        except ValueError as exc:
            yield Rejected(path, line.number, str(exc))


def _record(line: Line) -> dict[str, Any]:
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
    return record


def _paper(record: dict[str, Any], date: str, url: str, source: Source) -> Paper:
    title, abstract = _text(record, "title"), _text(record, "abstract", "text")
    if not title_key(title):
        raise ValueError('no "title"')
    if not abstract:
        raise ValueError('no "abstract"')
    authors = _list(record, "authors", r"\s*;\s*|\s+and\s+|,\s+")
    doi = _DOI_ADDRESS.sub("", _text(record, "doi"))
    return Paper(
        paper_id=_id(record),
        title=title,
        abstract=abstract,
        authors=authors,
        author_count=len(authors) or None,
        date=date or None,
        url=url or (f"https://doi.org/{doi}" if doi else None),
        categories=_list(record, "categories", r"[\s,;]+"),
        links=links(abstract),
        sources=(source,),
    )


def _id(record: dict[str, Any]) -> str:
    """The id as it is; none if there is none."""
    for value in (record.get("id"), record.get("_id")):
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value:
            if not value.strip() or any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
                raise ValueError(f"an id that cannot be kept: {value[:40]!r}")
            return value
        if value is not None and value != "":
            raise ValueError('"id" is not a text')
    return ""


def _text(record: dict[str, Any], *names: str) -> str:
    """The first of these fields that says something, as one clean line; a number counts as text."""
    for name in names:
        value = record.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise ValueError(f'"{name}" is not a text')
        if value and (text := clean(value)):
            return text
    return ""


def _list(record: dict[str, Any], name: str, separator: str) -> tuple[str, ...]:
    """A list of texts, or a text of several with separators between them."""
    value = record.get(name) or []
    items = re.split(separator, value) if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(f'"{name}" is not a list of texts')
    return tuple(text for item in items if (text := clean(item)))
