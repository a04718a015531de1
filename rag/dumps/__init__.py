"""Dump files -> records. The format of a file is found by its content; its name does not matter.

Each format is a module with `looks_like(head)` and a pure `parse(lines, ...)`. What cannot be used
comes out as `Rejected`, with its file, line and reason; what was used otherwise than it stands, as `Note`.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rag.dumps import jsonl, listing
from rag.dumps.lines import read_lines
from rag.errors import DumpError
from rag.types import Note, Paper, Rejected

_HEAD_LINES = 100
_NAME_ANOTHER = "Name a dump or a folder of dumps: footnote rebuild PATH"


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


def find_dumps(paths: list[Path]) -> list[Path]:
    """The files to read: each path that is a file, and the files below each that is a folder.

    Hidden files are left out, and a file named twice is read once. Raises DumpError for what does not
    exist or cannot be looked into, for what is neither file nor folder, and for a folder without files.
    """
    found: list[Path] = []
    for path in paths:
        try:
            if stat.S_ISDIR(path.stat().st_mode):
                found += _below(path)
            else:
                found.append(path)
            irregular = next((file for file in found if not stat.S_ISREG(file.stat().st_mode)), None)
        except FileNotFoundError as exc:
            raise DumpError(f"There is no dump at {exc.filename}.", _NAME_ANOTHER) from exc
        except OSError as exc:
            raise DumpError(f"Cannot read {str(exc.filename)[:200]}: {exc.strerror}.", _NAME_ANOTHER) from exc
        if irregular:
            raise DumpError(f"{irregular} is not a regular file.", _NAME_ANOTHER)
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _below(folder: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise error

    files: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    if not files:
        raise DumpError(f"No dumps in the folder {folder}.", _NAME_ANOTHER)
    return files


def read_dump(path: Path) -> Dump:
    """Read one dump whole. Raises DumpError if the file cannot be read or changes while it is read."""
    before = _sha256(path)
    head = list(islice(read_lines(path), _HEAD_LINES))
    name = jsonl.looks_like(head) or listing.looks_like(head) or "unknown"
    records: Iterator[Paper | Rejected | Note]
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
    found = list(records)
    if _sha256(path) != before:
        raise DumpError(f"{path} changed while it was read.", "Run the rebuild again once it is complete.")
    return Dump(
        path=str(path),
        format=name,
        sha256=before,
        papers=tuple(record for record in found if isinstance(record, Paper)),
        rejected=tuple(record for record in found if isinstance(record, Rejected)),
        notes=tuple(record for record in found if isinstance(record, Note)),
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise DumpError(
            f"Cannot read {path}: {exc.strerror or exc}.", "Check the path, then run the rebuild again."
        ) from exc
