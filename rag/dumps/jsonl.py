"""JSON lines, one paper each: lines -> papers (pure). What the fields mean is told by `fields`.

{"id": "...", "title": "...", "abstract": "...", "authors": [...], "date": "2022-12-22", "url": "...",
 "doi": "...", "categories": ["cs.CL"]}
{"_id": "...", "title": "...", "text": "..."}                         BEIR's corpus files
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from rag.dumps import fields
from rag.dumps.lines import Line, head_lines, read_lines
from rag.types import Note, Paper, Rejected


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
        except ValueError as exc:
            yield Rejected(path, line.number, str(exc))
        else:
            yield from fields.parse(record, path, line.number)


def _record(line: Line) -> dict[str, Any]:
    if line.fault:
        raise ValueError(line.fault)
    try:
        record = json.loads(line.text)
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc.msg} at column {exc.colno}") from exc
    except RecursionError as exc:
        raise ValueError("not JSON: nested too deeply") from exc
    except ValueError as exc:
        raise ValueError("not JSON: a number of too many digits") from exc
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record
