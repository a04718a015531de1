"""A stream -> numbered lines of text. Memory stays at one line, however large the dump is.

Knows nothing of formats. A line that cannot be read comes out with its `fault` instead of its text.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

# An abstract has about 1,500 characters and no record of a listing or JSON-lines dump more than
# some hundred thousand; a longer line is not a record but a file without line ends.
MAX_LINE_BYTES = 8 * 2**20
_CHUNK = 2**20


class Line(NamedTuple):
    """A line of a file, numbered from 1; an unreadable one has a fault and no text."""

    number: int
    text: str
    fault: str = ""


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """Yield the lines of a UTF-8 stream, numbered from 1, without their line ends.

    A line that is not UTF-8 or is longer than `MAX_LINE_BYTES` has an empty text and a fault.
    """
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            length = len(raw) + _skip_line(file)
            yield Line(number, "", f"a line of {length:,} bytes; the limit is {MAX_LINE_BYTES:,}")
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        yield _decode(number, raw.rstrip(b"\r\n"))


def head_lines(head: bytes) -> list[Line]:
    """The whole lines at the beginning of a file; its only one if it has no line end."""
    whole = head[: head.rfind(b"\n") + 1] or head
    return list(read_lines(io.BytesIO(whole)))


def _skip_line(file: BinaryIO) -> int:
    skipped = 0
    while part := file.readline(_CHUNK):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def _decode(number: int, raw: bytes) -> Line:
    if b"\0" in raw:
        return Line(number, "", f"not text: a zero byte at column {raw.index(0) + 1}")
    try:
        return Line(number, raw.decode("utf-8"))
    except UnicodeDecodeError as exc:
        return Line(number, "", f"not UTF-8: byte 0x{raw[exc.start]:02x} at column {exc.start + 1}")
