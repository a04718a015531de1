"""Dump files -> records. The format of a file is found by its content; its name does not matter.

Each format is a module with `looks_like(head)` and a pure `parse(lines, ...)`. What cannot be used
comes out as `Rejected`, with its file, line and reason, in its place between the records.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rag.dumps import jsonl, listing
from rag.dumps.lines import read_lines
from rag.errors import DumpError
from rag.types import Paper, Rejected

_HEAD_LINES = 100


@dataclass(frozen=True, slots=True)
class Dump:
    """What was read from one file."""

    path: str
    format: str
    """"unknown" if nothing in it was recognised."""
    sha256: str
    papers: tuple[Paper, ...]
    rejected: tuple[Rejected, ...]


def find_dumps(paths: list[Path]) -> list[Path]:
    """The files to read: each path that is a file, and the files below each that is a folder.

    Hidden files are left out, and a file named twice is read once. Raises DumpError for a path that does not exist and
    for a folder without files.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p
                for p in path.rglob("*")
                if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts)
            )
            if not inside:
                raise DumpError(
                    f"No dumps in the folder {path}.", "Put dumps there, or name another path: footnote rebuild PATH"
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DumpError(f"There is no dump at {path}.", "Name a file or folder that exists: footnote rebuild PATH")
    return list(dict.fromkeys(found))


def read_dump(path: Path) -> Dump:
    """Read one dump whole. Raises DumpError if the file cannot be read or changes while it is read."""
    before = _sha256(path)
    head = list(islice(read_lines(path), _HEAD_LINES))
    name = jsonl.looks_like(head) or listing.looks_like(head) or "unknown"
    records: Iterator[Paper | Rejected]
    if name.startswith("listing"):
        records = listing.parse(
            read_lines(path), str(path), name != "listing-compact", listing.page_year(read_lines(path))
        )
    elif name == "jsonl":
        records = jsonl.parse(read_lines(path), str(path))
    else:
        fault = next((line for line in head if line.fault), None)
        why = (
            fault.fault if fault else "empty" if not any(line.text.strip() for line in head) else "no known dump format"
        )
        records = iter([Rejected(str(path), fault.number if fault else 1, why)])
    papers, rejected = [], []
    for record in records:
        if isinstance(record, Paper):
            papers.append(record)
        else:
            rejected.append(record)
    if _sha256(path) != before:
        raise DumpError(f"{path} changed while it was read.", "Run the rebuild again once it is complete.")
    return Dump(str(path), name, before, tuple(papers), tuple(rejected))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise DumpError(
            f"Cannot read {path}: {exc.strerror or exc}.", "Check the path, then run the rebuild again."
        ) from exc
