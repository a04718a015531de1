"""Dump files -> records. The format of a file is found by its content; its name does not matter.

Each format is a module with two functions:

    looks_like(head)           the first bytes of a file -> the format's name, or None
    read(open_, name, format)  the file -> Paper, Rejected and Note, in order, streamed

What cannot be used comes out as `Rejected`, with its file, line and reason; what was used otherwise than
it stands, as `Note`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rag.dumps import anthology, bibtex, jsonl, listing, pubmed, ris, tables
from rag.dumps.files import Broken, DumpFile
from rag.dumps.lines import read_lines
from rag.errors import DumpError
from rag.types import Note, Paper, Rejected

# In the order they are asked: tables before JSON lines, which also begin with "{"; RIS before BibTeX, which takes
# whatever stands between its entries for a comment; and the listing last, since nearly any text could be one.
_FORMATS = (tables, jsonl, anthology, pubmed, ris, bibtex, listing)
_HEAD_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Dump:
    """What was read from one file."""

    path: str
    format: str
    """"unknown" if nothing in it was recognised."""
    sha256: str
    papers: tuple[Paper, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[Note, ...]


def read_dump(file: DumpFile) -> Dump:
    """Read one dump whole. Raises DumpError if the file cannot be read or changes while it is read."""
    before = _state(file.path)
    digest = _sha256(file.path, before)
    format_, found = "unknown", []
    try:
        format_, records = recognise(file)
        for record in records:
            found.append(record)
    except Broken as exc:
        found.append(Rejected(file.name, _line_after(found), str(exc)))
    if not any(isinstance(record, Paper | Rejected) for record in found):
        found.append(Rejected(file.name, 1, f"no record in it, though it looks like {format_}"))
    if _state(file.path) != before:
        raise DumpError(f"{file.name} changed while it was read.", "Run the rebuild again once it is complete.")
    return Dump(
        path=file.name,
        format=format_,
        sha256=digest,
        papers=tuple(record for record in found if isinstance(record, Paper)),
        rejected=tuple(record for record in found if isinstance(record, Rejected)),
        notes=tuple(record for record in found if isinstance(record, Note)),
    )


def recognise(file: DumpFile) -> tuple[str, Iterator[Paper | Rejected | Note]]:
    """The format of a dump, and its records as they are read. Raises Broken if its compression is damaged."""
    with file.open() as stream:
        head = stream.read(_HEAD_BYTES)
    for format_ in _FORMATS:
        if name := format_.looks_like(head):
            return name, format_.read(file.open, file.name, name)
    return "unknown", iter([_why_unknown(file)])


def _why_unknown(file: DumpFile) -> Rejected:
    blank = True
    with file.open() as stream:
        for line in read_lines(stream):
            if line.fault:
                return Rejected(file.name, line.number, line.fault)
            blank = blank and not line.text.strip()
    return Rejected(file.name, 1, "empty" if blank else "no known dump format")


def _line_after(found: list[Paper | Rejected | Note]) -> int:
    last = next((record for record in reversed(found)), None)
    if last is None:
        return 1
    return (last.sources[0].line if isinstance(last, Paper) else last.line) + 1


@lru_cache(maxsize=1)  # the members of one archive come one after another
def _sha256(path: Path, _: tuple[int, int]) -> str:
    """The hash of a file in a certain state."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        hint = "Check the path, then run the rebuild again."
        raise DumpError(f"Cannot read {path}: {exc.strerror or exc}.", hint) from exc


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return (0, 0)
    return state.st_size, state.st_mtime_ns
