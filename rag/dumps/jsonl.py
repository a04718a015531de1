"""JSON lines, one paper each, or as `jq .` spreads them: lines -> papers (pure). `fields` tells what fields mean.

{"id": "...", "title": "...", "abstract": "...", "authors": [...], "date": "2022-12-22", "url": "...",
 "doi": "...", "categories": ["cs.CL"]}
{"_id": "...", "title": "...", "text": "..."}                         BEIR's corpus files
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from rag.dumps import fields
from rag.dumps.lines import MAX_LINE_BYTES, Line, head_lines, read_lines
from rag.types import Note, Paper, Rejected

_NO_END = "an object without an end"
_LINE_COSTS = 64  # bytes of memory for each line of an object, beside its text


def looks_like(head: bytes) -> str | None:
    """Name the format if the first readable line that is not blank begins a JSON object."""
    first = next((line.text for line in head_lines(head) if line.text.strip()), "")
    return "jsonl" if first.lstrip().startswith("{") else None


def read(open_: Callable[[], BinaryIO], name: str, _: str) -> Iterator[Paper | Rejected | Note]:
    """The records of a file."""
    with open_() as stream:
        yield from parse(_objects(read_lines(stream)), name)


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


def _objects(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines, but as one those from a "{" alone to a "}" alone. The next line that begins an object ends it, too."""
    spread: list[Line] = []
    size = 0
    for line in lines:
        if spread and line.text.startswith("{"):
            yield _joined(spread, _NO_END)
            spread = []
        if not spread and line.text.rstrip() != "{":
            yield line
            continue
        size = size + len(line.text) + _LINE_COSTS if spread else 0
        spread.append(line)
        if size > MAX_LINE_BYTES:
            spread = [spread[0]._replace(fault=f"an object of more than {MAX_LINE_BYTES:,} bytes")]
        if line.text.rstrip() == "}":
            yield _joined(spread)
            spread = []
    if spread:
        yield _joined(spread, _NO_END)


def _joined(lines: list[Line], fault: str = "") -> Line:
    first, *rest = lines
    fault = first.fault or next((f"line {line.number}: {line.fault}" for line in rest if line.fault), fault)
    return Line(first.number, "\n".join(line.text for line in lines), fault)


def _record(line: Line) -> dict[str, Any]:
    if line.fault:
        raise ValueError(line.fault)
    try:
        record = json.loads(line.text)
    except json.JSONDecodeError as exc:
        place = f"column {exc.colno}" + (f" of its line {exc.lineno}" if exc.lineno > 1 else "")
        raise ValueError(f"not JSON: {exc.msg} at {place}") from exc
    except RecursionError as exc:
        raise ValueError("not JSON: nested too deeply") from exc
    except ValueError as exc:
        raise ValueError("not JSON: a number of too many digits") from exc
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record
