"""Texts -> files that a person named."""

import contextlib
import os
import secrets
from pathlib import Path

from rag.errors import FootnoteError


def write_file(name: str, text: str, *, append: bool = False) -> Path:
    """Write a file whole, or not at all; `append` adds to one. Raises FootnoteError that names it."""
    path = Path(name).expanduser()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if append and path.exists():
            text = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + text
        if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
            path.write_text(text, encoding="utf-8")
            return path
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, UnicodeError) as exc:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        why = getattr(exc, "strerror", None) or str(exc)
        raise FootnoteError(f"Cannot write {path}: {why}.", "Name another file: > FILE") from exc
    return path
