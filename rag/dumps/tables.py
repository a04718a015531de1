"""Tables -> papers: CSV, TSV, Parquet, and JSON that is one array of objects. `fields` tells what columns mean.

    Title,Abstract,Authors,Year                  csv: also with ";", "|" or (tsv) tabs between the cells
    "Deep, deeper","We go deep.",A. Author,2022
    [{"title": "...", "abstract": "..."}, ...]                       json
    {"meta": {...}, "results": [{"title": "..."}, ...]}              json

A table without a column for titles and one for abstracts is none of ours. The line of a record is, for CSV
and TSV, the one its row begins on; in Parquet and JSON, which have no lines, its ordinal from 1.
"""

import csv
import importlib
import io
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from rag.dumps import fields, jsonl
from rag.dumps.files import Broken
from rag.dumps.lines import MAX_LINE_BYTES, Line
from rag.text import clean
from rag.types import Note, Paper, Rejected

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = "\t,;|"
_CHUNK = 2**20
_SMALL_FILE = 2**26
_NO_PYARROW = 'install pyarrow to read Parquet: pip install -c constraints.txt -e ".[parquet]"'
_NO_COLUMNS = "no column for titles and one for abstracts"


def looks_like(head: bytes) -> str | None:
    """Name the kind of table by its magic, by the names in its first row, or by how its JSON begins."""
    if head.startswith(b"PAR1"):
        return "parquet"
    head = head.removeprefix(_BOM)
    if head.lstrip()[:1] in (b"[", b"{"):
        return "json" if _is_json(head) else None
    try:
        delimiter = _delimiter(_text(head[: head.find(b"\n") + 1] or head))
    except ValueError:
        return None
    return "tsv" if delimiter == "\t" else "csv"


def read(open_: Callable[[], BinaryIO], name: str, format_: str) -> Iterator[Paper | Rejected | Note]:
    """The records of a table."""
    with open_() as stream:
        if format_ == "parquet":
            yield from _read_parquet(stream, name)
        elif format_ == "json":
            yield from jsonl.parse(_elements(stream), name)
        else:
            yield from _read_csv(stream, name)


class _Lines:
    """The lines of a table for csv.reader, which takes as many as a row has: counts them, and bounds the row.

    Bytes that are not UTF-8 become lone surrogates, so that a quote beside them is not lost.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.number = 0
        self._row_bytes = 0

    def start_row(self) -> int:
        """The number of the line that a row beginning now begins on."""
        self._row_bytes = 0
        return self.number + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._stream.readline(MAX_LINE_BYTES + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        self._row_bytes += len(raw)
        if self._row_bytes > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = self._stream.readline(_CHUNK)
            raise ValueError(f"a row of more than {MAX_LINE_BYTES:,} bytes, up to line {self.number}; is a quote open?")
        return _text(raw.removeprefix(_BOM) if self.number == 1 else raw)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _delimiter(header: str) -> str:
    """What stands between the names of the columns. Raises ValueError if a title or abstract is not among them.

    csv.Sniffer guesses from frequencies; that the names are known leaves nothing to guess.
    """
    for delimiter in _DELIMITERS:
        try:
            names = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            continue
        if fields.has_title(names) and fields.has_abstract(names):
            return delimiter
    raise ValueError(_NO_COLUMNS)


def _read_csv(stream: BinaryIO, name: str) -> Iterator[Paper | Rejected | Note]:
    # The limit of the module is for the whole process, so it is only ever raised; `_Lines` bounds a row.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    lines = _Lines(stream)
    try:
        header = next(lines, "")
        delimiter = _delimiter(header)
    except ValueError as exc:
        yield Rejected(name, 1, str(exc))
        return
    names = next(csv.reader([header], delimiter=delimiter))
    rows = csv.reader(lines, delimiter=delimiter, strict=True)  # else an open quote takes the rest in silence
    while True:
        line = lines.start_row()
        try:
            cells = next(rows)
            _check(cells, names)
        except StopIteration:
            return
        except csv.Error as exc:
            extent = f", up to line {lines.number}" if lines.number > line else ""
            why = str(exc).replace("\t", r"\t")  # the delimiter, perhaps
            yield Rejected(name, line, f"not CSV: {why}{extent}")
        except ValueError as exc:
            yield Rejected(name, line, str(exc))
        else:
            if any(cell.strip() for cell in cells):  # a blank line has none
                yield from fields.parse(dict(zip(names, cells, strict=True)), name, line)


def _check(cells: list[str], names: list[str]) -> None:
    for cell in cells:
        if "\0" in cell:
            raise ValueError("not text: a zero byte")
        if undecoded := re.search("[\udc80-\udcff]", cell):
            raise ValueError(f"not UTF-8: byte 0x{ord(undecoded.group()) - 0xDC00:02x}")
    if len(cells) != len(names) and any(cell.strip() for cell in cells):
        raise ValueError(f"{len(cells)} cells under {len(names)} columns")


def _read_parquet(stream: BinaryIO, name: str) -> Iterator[Paper | Rejected | Note]:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise Broken(_NO_PYARROW) from exc
    with tempfile.TemporaryFile(prefix="footnote-") as spool:
        try:
            yield from _rows(parquet, _on_disk(stream, cast(BinaryIO, spool)), name)
        except (arrow.ArrowException, OSError, ValueError) as exc:  # the last: names that are not UTF-8
            raise Broken(f"the Parquet file is damaged: {clean(str(exc))[:200]}") from exc


def _on_disk(stream: BinaryIO, spool: BinaryIO) -> BinaryIO:
    """The stream itself if it is a file; what is decompressed cannot be sought in, or only by starting again."""
    try:
        stream.fileno()
        return stream
    except OSError:
        shutil.copyfileobj(stream, spool)
        return spool


def _rows(parquet: Any, file: BinaryIO, name: str) -> Iterator[Paper | Rejected | Note]:
    # A buffer keeps the columns of a large file out of memory, but grows to whatever size a damaged page gives as its
    # own (2 GB for 3 kB, and 9 seconds); without one a page cannot exceed its file.
    buffer = _CHUNK if file.seek(0, io.SEEK_END) > _SMALL_FILE else 0
    opened = parquet.ParquetFile(file, buffer_size=buffer, pre_buffer=False, page_checksum_verification=True)
    names = [column for column in opened.schema_arrow.names if fields.is_used(column)]
    if not (fields.has_title(names) and fields.has_abstract(names)):
        yield Rejected(name, 1, _NO_COLUMNS)
        return
    # Row by row: a small file can repeat one large value in every row. Costs 8 us a row, of some 300 us in all.
    ordinal = 0
    for ordinal, row in enumerate(opened.iter_batches(1, columns=names, use_threads=False), 1):
        if row.nbytes > MAX_LINE_BYTES:
            yield Rejected(name, ordinal, f"a row of {row.nbytes:,} bytes; the limit is {MAX_LINE_BYTES:,}")
            continue
        try:
            (record,) = row.to_pylist()
        except (ValueError, OverflowError) as exc:  # text that is not UTF-8, a date after the year 9999
            yield Rejected(name, ordinal, f"not readable: {exc}")
        else:
            yield from fields.parse(record, name, ordinal)
    if ordinal != opened.metadata.num_rows:
        raise ValueError(f"{ordinal:,} of {opened.metadata.num_rows:,} rows can be read")


# Brackets and commas outside texts; a text that the end of the chunk cuts is the second group.
_SIGN = re.compile(rb'(?:[^"\[\]{},]++|"(?:[^"\\]++|\\.)*+")*+(?:([\[\]{},])|("(?:[^"\\]++|\\.)*+))?', re.S)
_REST_OF_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+("?)', re.S)
_OBJECTS = re.compile(rb":\s*+\[\s*+\{")
_NAME = re.compile(rb'"([^"\\]{1,40})"\s*+:')


def _is_json(head: bytes) -> bool:
    """Whether an array of objects begins here, or an object that has one of records, and is none itself."""
    if head.lstrip().startswith(b"["):
        return re.match(rb"\s*+\[\s*+\{", head) is not None
    array = _OBJECTS.search(head)
    if not array or fields.has_title(_names(head[: array.start()])):
        return False
    inside = head[array.start() + 1 :]
    try:
        first = next(_elements(io.BytesIO(inside)))
    except (Broken, StopIteration):  # longer than the head
        return fields.has_title(_names(inside))
    names = _names(first.text.encode())
    return fields.has_title(names) and fields.has_abstract(names)


def _names(json: bytes) -> list[str]:
    return [name.decode("utf-8", "replace") for name in _NAME.findall(json)]


def _elements(stream: BinaryIO) -> Iterator[Line]:
    """The elements of an array, or of the arrays right inside an object, as if each were a line of JSON.

    Cut at the commas and not parsed as one, so that an element that is not JSON is the only one lost. A known
    parser of such streams (ijson) stops at the first fault, and took six minutes over an open quote of 300 MB.
    """
    depth = array = number = 0  # array: the depth of the array that is read, if any
    element, length, has_objects, root = bytearray(), 0, False, b""
    in_text = escaped = False
    while chunk := stream.read(_CHUNK):
        at = start = 0
        if in_text:
            rest = cast(re.Match[bytes], _REST_OF_TEXT.match(chunk, int(escaped)))
            in_text, escaped, at = not rest[1], not rest[1] and rest.end() < len(chunk), rest.end()
        while not in_text and at < len(chunk):
            match = cast(re.Match[bytes], _SIGN.match(chunk, at))
            at, sign = match.end(), match[1]
            in_text, escaped = match[2] is not None, match[2] is not None and at < len(chunk)
            if array == depth and array and sign in (b",", b"]"):
                length += at - 1 - start
                element += chunk[start : at - 1]
                text = bytes(element).strip()
                has_objects = has_objects or text.startswith(b"{")
                if has_objects and (text or sign == b","):
                    number += 1
                    yield _line(number, text, length)
                element, length, start = bytearray(), 0, at
            if sign in (b"[", b"{"):
                if depth == 0 and root not in (b"", sign):
                    raise Broken("something else follows the array")
                root, depth = root if depth else sign, depth + 1
                if not array and sign == b"[" and depth <= 2:
                    array, start, has_objects = depth, at, False
            elif sign == b"]" and depth == array:
                depth, array = depth - 1, 0
            elif sign in (b"]", b"}") and depth > array:  # else one too many, which spoils its element alone
                depth -= 1
        if array:
            length += len(chunk) - start
            if length <= MAX_LINE_BYTES:
                element += chunk[start:]
    if array or in_text:
        raise Broken("the JSON ends before its array does")


def _line(number: int, raw: bytes, length: int) -> Line:
    if length > MAX_LINE_BYTES:
        return Line(number, "", f"a record of {length:,} bytes; the limit is {MAX_LINE_BYTES:,}")
    try:
        return Line(number, raw.decode("utf-8"), "" if raw else "nothing between two commas")
    except UnicodeDecodeError as exc:
        return Line(number, "", f"not UTF-8: byte 0x{raw[exc.start]:02x} at byte {exc.start + 1} of the record")
