"""Paths -> the dump files in them, decompressed. Knows nothing of formats.

A path may be a file, a folder, or "-" for standard input; a file may be plain, gzip, xz, Zstandard or a zip
of several, told by its first bytes and not by its name. Everything is streamed: nothing is held whole.
"""

import gzip
import io
import lzma
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from rag.errors import DumpError
from rag.text import clean

STANDARD_INPUT = Path("-")
_NAME_ANOTHER = "Name a dump or a folder of dumps: footnote rebuild PATH"
_LONGEST_MAGIC = 6
_ZSTANDARD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # or a frame to skip, as pzstd begins
_CHUNK = 2**12  # compressed; it may swell to 128 MB with Zstandard, to 28 MB with xz


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One dump. `name` is how reports call it; `open` gives its decompressed bytes from the beginning."""

    name: str
    path: Path
    """The file on disk that holds it."""
    open: Callable[[], BinaryIO]


class Broken(Exception):
    """Compressed data that cannot be read on; what was read before it is good."""


def find_dumps(paths: list[Path]) -> Iterator[DumpFile]:
    """The dumps at each path: a file, all files below a folder, all members of a zip, standard input for "-".

    Hidden files are left out, and a file named twice is given once. Raises DumpError for what does not
    exist or cannot be looked into, for what is neither file nor folder, and for a folder without files.
    """
    files = {path: _files_at(path) for path in paths if path != STANDARD_INPUT}  # all of them, before any is read
    seen: set[Path] = set()
    for path in paths:
        for file in _spooled() if path == STANDARD_INPUT else files[path]:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield from _dumps_in(file, "standard input" if path == STANDARD_INPUT else str(file))


def _files_at(path: Path) -> list[Path]:
    try:
        files = _below(path) if stat.S_ISDIR(path.stat().st_mode) else [path]
        irregular = next((file for file in files if not stat.S_ISREG(file.stat().st_mode)), None)
    except FileNotFoundError as exc:
        raise DumpError(f"There is no dump at {exc.filename}.", _NAME_ANOTHER) from exc
    except OSError as exc:
        raise DumpError(f"Cannot read {str(exc.filename)[:200]}: {exc.strerror}.", _NAME_ANOTHER) from exc
    if irregular:
        raise DumpError(f"{irregular} is not a regular file.", _NAME_ANOTHER)
    return files


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


def _spooled() -> Iterator[Path]:
    """Standard input as a file, since a dump is read more than once; gone when the next one is asked for."""
    if sys.stdin is None or sys.stdin.isatty():
        raise DumpError("Standard input is a terminal.", "Pipe a dump in: footnote rebuild - < DUMP")
    with tempfile.NamedTemporaryFile(prefix="footnote-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield Path(file.name)


def _dumps_in(path: Path, name: str) -> Iterator[DumpFile]:
    if not zipfile.is_zipfile(path):
        yield DumpFile(name, path, lambda: _decompressed(_open(path)))
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not _is_hidden(member.filename)]
    except _UNREADABLE as exc:
        raise DumpError(f"Cannot read {name}: {exc}.", "Check the file, then run the rebuild again.") from exc
    if not members:
        raise DumpError(f"No dumps in the archive {name}.", _NAME_ANOTHER)
    for member in members:
        yield DumpFile(f"{name}:{clean(member.filename)}", path, partial(_open_member, path, member))


def _is_hidden(member: str) -> bool:
    return member.endswith("/") or any(part.startswith((".", "__MACOSX")) for part in member.split("/"))


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as exc:
        hint = "Check the path, then run the rebuild again."
        raise DumpError(f"Cannot read {path}: {exc.strerror or exc}.", hint) from exc


def _open_member(path: Path, member: zipfile.ZipInfo) -> BinaryIO:
    archive = zipfile.ZipFile(path)
    try:
        inner = archive.open(member)  # by its entry, since two may have one name
    except _UNREADABLE as exc:
        archive.close()
        raise Broken(f"the archive cannot be read: {exc}") from exc
    return _decompressed(cast(BinaryIO, io.BufferedReader(_Translated(inner, archive))))


def _decompressed(raw: BinaryIO) -> BinaryIO:
    """The stream without its compression, if it has one. Raises Broken for a zip, whose members are to be opened."""
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw))
    magic = buffered.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
    if magic.startswith(b"\x1f\x8b"):
        inner: Any = gzip.GzipFile(fileobj=buffered)
    elif magic.startswith(b"\xfd7zXZ\x00"):
        inner = _Frames(buffered, partial(lzma.LZMADecompressor, lzma.FORMAT_XZ), padding=b"\0")
    elif _ZSTANDARD.match(magic):
        inner = _Frames(buffered, lambda: zstandard.ZstdDecompressor().decompressobj())
    elif magic.startswith(b"PK\x03\x04"):  # what is stored in it could pass for a dump
        buffered.close()
        raise Broken("a zip archive that is cut off, or stands in another")
    else:
        return buffered
    return cast(BinaryIO, io.BufferedReader(_Translated(inner, buffered)))


class _Translated(io.RawIOBase):
    """A decompressing stream that raises Broken and nothing else, and closes what it reads from."""

    def __init__(self, inner: Any, outer: Any) -> None:
        self._inner = inner
        self._outer = outer
        self._read = getattr(inner, "read1", inner.read)  # which gives what it has before it meets damage

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._read(len(buffer))
        except _DAMAGED as exc:
            if "too much memory" in str(exc):  # zstandard has no code for it, and stops at a window of 128 MB
                raise Broken("packed by zstd --long: unpack it first, by zstd -d --long=31") from exc
            raise Broken(f"the compressed data is damaged or ends early: {exc}") from exc
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        self._outer.close()
        super().close()


_DAMAGED = (EOFError, OSError, lzma.LZMAError, zlib.error, zstandard.ZstdError, zipfile.BadZipFile)
# What zipfile raises besides: for another version, for an encrypted member, for a name that is no text.
_UNREADABLE = (*_DAMAGED, NotImplementedError, RuntimeError, ValueError)


class _Frames:
    """Compressed frames one after another, each to its end. The libraries' own readers lose some in silence:

    zstandard's takes a frame that is cut off for the end, lzma's takes a damaged second one for a file's trailing
    garbage. `padding` may stand between frames.
    """

    def __init__(self, raw: BinaryIO, decoder: Callable[[], Any], padding: bytes = b"") -> None:
        self._raw = raw
        self._decoder = decoder
        self._padding = padding
        self._frame: Any = None
        self._ready = io.BytesIO()

    def read(self, size: int) -> bytes:
        while not (given := self._ready.read(size)):
            if self._frame is None or self._frame.eof:
                data = (self._frame.unused_data if self._frame else b"") or self._raw.read(_CHUNK)
                if not data:
                    return b""
                if not (data := data.lstrip(self._padding)):
                    self._frame = None
                    continue
                self._frame = self._decoder()
            elif not (data := self._raw.read(_CHUNK)):
                raise EOFError("a frame is cut off")
            self._ready = io.BytesIO(self._frame.decompress(data))
        return given

    def close(self) -> None:
        self._ready.close()
