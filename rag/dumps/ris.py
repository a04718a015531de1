"""RIS, as Scopus, EndNote, Zotero and export buttons on PubMed's and publishers' pages give it: lines -> papers (pure).

    TY  - JOUR
    TI  - Attention Is All You Need
    AU  - Vaswani, Ashish
    PY  - 2017/06/12/
    DO  - 10.48550/arXiv.1706.03762
    AB  - The dominant models are complex. We propose
    a simpler one.
    ER  -

A line without a tag goes on where the one before it stopped. A record ends with ER or where the next TY begins
one; what else stands between records (Scopus' "EXPORT DATE", numbers) is no record. The fields ID and AN are no
identity, since libraries number their records 1, 2, ... there; the id is arXiv's, or the DOI.

rispy reads a file into one list, and without line numbers; here one record at a time is held.
"""

import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from rag.dumps.identity import as_paper, iso_date, web_address
from rag.dumps.lines import Line, read_lines
from rag.text import clean, title_key
from rag.types import Note, Paper, Rejected, Source

LONGEST_RECORD = 2**20
"""Characters. The longest abstracts have some ten thousand; more is no record but a file without ER and TY."""

_TAGGED = re.compile(r"([A-Z][A-Z0-9])  -(?: (.*)|\s*)", re.S)
_DATE = re.compile(r"(\d{4})(?:[/-](\d{1,2}))?(?:[/-](\d{1,2}))?(?![\d-])")
_LINES_BEFORE = 5  # Scopus' two lines about itself, for example


def looks_like(head: bytes) -> str | None:
    """Name the format if one of the first lines is a TY and the one after it has a tag, too."""
    filled = [text for line in read_lines(io.BytesIO(head)) if (text := line.text.rstrip())]
    for text, following in itertools.pairwise(filled[: _LINES_BEFORE + 2]):
        if (tagged := _TAGGED.fullmatch(text)) and tagged[1] == "TY" and _TAGGED.fullmatch(following):
            return "ris"
    return None


def read(open_: Callable[[], BinaryIO], name: str, _: str) -> Iterator[Paper | Rejected | Note]:
    """The records of a file."""
    with open_() as stream:
        yield from parse(read_lines(stream), name)


@dataclass(slots=True)
class _Record:
    """A record while it is read: the lines of each field, in the order they stand."""

    line: int
    fields: list[tuple[str, list[str]]] = field(default_factory=list)
    size: int = 0
    fault: str = ""
    ended: bool = False

    def values(self, *tags: str) -> list[str]:
        """What the first of these tags that says something says, once for each time that it stands."""
        for tag in tags:
            found = [clean(" ".join(parts)) for name, parts in self.fields if name == tag]
            if any(found):
                return [value for value in found if value]
        return []


def parse(lines: Iterable[Line], path: str) -> Iterator[Paper | Rejected | Note]:
    """Yield each record as a paper, or as rejected with the reason; before it, notes on what was left out."""
    for record in _records(lines):
        try:
            yield from _paper(record, Source(path, record.line))
        except ValueError as exc:
            yield Rejected(path, record.line, str(exc))


def _records(lines: Iterable[Line]) -> Iterator[_Record]:
    record: _Record | None = None
    for line in lines:
        if line.fault:
            if record:
                record.fault = record.fault or f"line {line.number}: {line.fault}"
            else:
                yield _Record(line.number, fault=line.fault)
            continue
        text = line.text.rstrip()
        tagged = _TAGGED.fullmatch(text)
        tag, value = (tagged[1], tagged[2] or "") if tagged else ("", text)
        if record and tag in {"TY", "ER"}:
            record.ended = tag == "ER"
            yield record
            record = None
        if not record and tag and tag != "ER":
            record = _Record(line.number, fault="" if tag == "TY" else 'no "TY" before it')
        if record:
            _add(record, tag, value)
    if record:
        yield record


def _add(record: _Record, tag: str, value: str) -> None:
    record.size += len(value) + len("TY  - ")
    if record.size > LONGEST_RECORD:
        record.fault = record.fault or f"longer than {LONGEST_RECORD:,} characters"
        record.fields.clear()
    elif tag:
        record.fields.append((tag, [value]))
    elif record.fields:
        record.fields[-1][1].append(value)


def _paper(record: _Record, source: Source) -> Iterator[Paper | Note]:
    if record.fault:
        raise ValueError(record.fault)
    title, abstract = " ".join(record.values("TI", "T1")[:1]), " ".join(record.values("AB", "N2"))
    if not title_key(title):
        raise ValueError('no "title"')
    if not abstract:
        raise ValueError('no "abstract"')
    if not record.ended:
        yield Note(source.path, source.line, "no ER ends it: its last lines may be missing")
    stated = [value for tag in ("PY", "Y1", "DA") for value in record.values(tag)]
    dates = [iso_date(*found.groups("")) for value in stated if (found := _DATE.match(value))]
    date = max((date for date in dates if date), key=len, default=None)
    if stated and not date:
        why = f"the date {stated[0][:40]!r} is left out: it is not like 2022/12/22"
        yield Note(source.path, source.line, why)
    addresses = record.values("UR")
    url = next((url for address in addresses if (url := web_address(address))), None)
    if addresses and not url:
        why = f"the url {addresses[0][:40]!r} is left out: it is no web address"
        yield Note(source.path, source.line, why)
    # Of these fields only what calls itself an arXiv id is one: a record's number may look like it.
    named = [value for tag in ("AN", "ID") for value in record.values(tag) if value.lower().startswith("arxiv:")]
    yield as_paper(
        source,
        title,
        abstract,
        ids=[*named, *record.values("DO")],
        authors=tuple(map(_first_name_first, record.values("AU", "A1"))),
        date=date,
        url=url,
        categories=tuple(record.values("KW")),
    )


def _first_name_first(name: str) -> str:
    """A name as it is printed: "Last, First, Suffix" is how RIS has it."""
    last, *others = [part for part in map(str.strip, name.split(",")) if part] or [name]
    return " ".join([*others[:1], last, *others[1:]])
