r"""Saved "Daily Papers" listing pages: lines -> papers (pure).

One grammar reads the three layouts that are known. Blank lines do not matter to it, except that where
a page has them they separate paragraphs (`listing-spaced`), and where it has none every line is one
(`listing-compact`); `listing-bylines` is the spaced layout with author counts and dates:

    page    = (chrome | record)*
    record  = title, abstract paragraph+, [byline]
    byline  = "• 7 authors" "·" "Dec 22, 2022 3"        any part may be missing; the last number is votes
    chrome  = "Subscribe", "Daily Papers", the page's own date, ...   (may repeat anywhere)

The page prints no year on dates of its own year ("Jan 26"). Its year is later than every year it does
print; the best guess is the latest of those plus one (`page_year`), and a note says that it is a guess.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from rag.dumps.lines import Line, head_lines, read_lines
from rag.text import clean, links, title_key
from rag.types import Note, Paper, Rejected, Source

CHROME = re.compile(
    r"new|Get trending papers in your email inbox(?: once a day)?!|Subscribe|Daily Papers"
    r"|by\s*AK and the research community"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|(?:Nov|Dec)(?:ember)?)"
)
_DATE = rf"(?P<month>{_MONTH})\.? (?P<day>\d{{1,2}})(?:, (?P<year>\d{{4}}))?(?: (?P<votes>\d{{1,6}}))?"
DATE = re.compile(_DATE)
BYLINE = re.compile(rf"[•*]? ?(?:(?P<authors>\d{{1,6}}) authors?)? ?·? ?(?:{_DATE})?")
_LONGEST_BYLINE = 80

_NO_YEAR = "dates without a year are left out: the page prints no year to tell its own by"

# The longest title in the seeds has 213 characters, the shortest abstract 401.
LONGEST_TITLE = 300
_NO_TITLE = re.compile(r'[<{\[#"-]')  # lines of web pages, JSON, notes, tables and SQL are short and long by turns, too


@dataclass(slots=True)
class _Record:
    """A record while it is read."""

    line: int
    title: str
    paragraphs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    byline: list[str] = field(default_factory=list)


def looks_like(head: bytes) -> str | None:
    """Name the layout that the first lines of a file have, or None if it is no listing."""
    lines = [line.text.strip() for line in head_lines(head) if not line.fault]
    filled = [line for line in lines if line]
    bylines = any("•" in line and _byline(line) for line in filled)
    chrome = any(CHROME.fullmatch(line) for line in filled[:12])
    alternates = len(filled) >= 4 and all(map(_begins_record, filled[:3:2], filled[1:4:2]))
    if not (bylines or chrome or alternates) or not any(len(line) > LONGEST_TITLE // 2 for line in filled):
        return None
    if filled[0].startswith("<"):  # a page, but as HTML
        return None
    if lines.count("") * 4 < len(lines):
        return "listing-compact"
    return "listing-bylines" if bylines else "listing-spaced"


def _begins_record(title: str, abstract: str) -> bool:
    return len(title) <= LONGEST_TITLE // 2 and len(abstract) > LONGEST_TITLE and not _NO_TITLE.match(title)


def read(open_: Callable[[], BinaryIO], name: str, layout: str) -> Iterator[Paper | Rejected | Note]:
    """The records of a page, which is read twice: once for its year."""
    with open_() as stream:
        year = page_year(read_lines(stream))
    with open_() as stream:
        yield from parse(read_lines(stream), name, layout != "listing-compact", year)


def page_year(lines: Iterable[Line]) -> int | None:
    """The year a page was saved in, as far as it tells: the latest year printed in its bylines, plus one."""
    years = [int(date["year"]) for line in lines if (date := _byline(line.text)) and date["year"]]
    return max(years) + 1 if years else None


def parse(lines: Iterable[Line], path: str, spaced: bool, year: int | None) -> Iterator[Paper | Rejected | Note]:
    """Yield each record of a page as a paper, or as rejected with its line and the reason.

    `spaced`: blank lines separate paragraphs. `year`: of dates that print none.
    """
    record: _Record | None = None
    guessed = False
    in_chrome = True
    paragraphs = _with_next(_paragraphs(lines, spaced))
    for line, following in paragraphs:
        text = line.text
        if CHROME.fullmatch(text) or (in_chrome and DATE.fullmatch(text)):
            in_chrome = True
            continue
        if in_chrome and re.match(r"Subscribe\S", text):
            text = text.removeprefix("Subscribe")
        if record and not in_chrome and _byline(text):
            record.byline.append(text)
            byline = _byline(text)
            if byline and byline["month"] and not byline["year"] and not guessed:
                guessed = True
                yield Note(path, line.number, f"dates without a year are taken to be of {year}" if year else _NO_YEAR)
        elif record and not in_chrome and _belongs(line, record, following):
            record.paragraphs.append(text)
            record.faults += [f"line {line.number}: {line.fault}"] if line.fault else []
        else:
            if record:
                yield _finish(record, path, year)
            record = _Record(line.number, text, faults=[line.fault] if line.fault else [])
        in_chrome = False
    if record:
        yield _finish(record, path, year)


def _paragraphs(lines: Iterable[Line], spaced: bool) -> Iterator[Line]:
    """Join the lines of a block where blank lines separate blocks; parts of a byline stay apart."""
    block: list[Line] = []
    for line in lines:
        text = clean(line.text)
        if spaced and text and not line.fault and not _byline(text) and not CHROME.fullmatch(text):
            block.append(line._replace(text=text))
            continue
        if block:
            yield Line(block[0].number, " ".join(part.text for part in block))
            block = []
        if text or line.fault:
            yield line._replace(text=text)
    if block:
        yield Line(block[0].number, " ".join(part.text for part in block))


def _with_next(lines: Iterable[Line]) -> Iterator[tuple[Line, Line | None]]:
    previous: Line | None = None
    for line in lines:
        if previous:
            yield previous, line
        previous = line
    if previous:
        yield previous, None


def _byline(text: str) -> re.Match[str] | None:
    """What a line says if it is a byline or a part of one; None for blank lines and all others."""
    if len(text) > _LONGEST_BYLINE or not (text := clean(text)):
        return None
    return BYLINE.fullmatch(text)


def _belongs(line: Line, record: _Record, following: Line | None) -> bool:
    """Whether a paragraph is part of the record before it, and not the next title.

    The first one after a title is its abstract. Of the others a long one belongs; a short one is a title
    if an abstract follows it; if not, it ends the abstract when it reads as a sentence.
    """
    if record.byline:
        return False
    if len(line.text) > LONGEST_TITLE:
        return True
    before_abstract = following is not None and len(following.text) > LONGEST_TITLE // 2
    if not record.paragraphs:
        return record.title != "" or not before_abstract
    return not before_abstract and re.search(r"[.!?]$|https?://", line.text) is not None


def _finish(record: _Record, path: str, year: int | None) -> Paper | Rejected:
    if record.faults:
        return Rejected(path, record.line, "; ".join(record.faults))
    if not record.paragraphs:
        return Rejected(path, record.line, f"a title without an abstract: {record.title[:80]!r}")
    if not title_key(record.title):
        return Rejected(path, record.line, f"a title without a letter or digit: {record.title[:80]!r}")
    byline = BYLINE.fullmatch(" ".join(record.byline))
    authors, date, votes = byline.group("authors", "month", "votes") if byline else (None, None, None)
    abstract = " ".join(record.paragraphs)
    return Paper(
        paper_id="",
        title=record.title,
        abstract=abstract,
        author_count=int(authors) if authors else None,
        date=_iso_date(byline, year) if byline and date else None,
        votes=int(votes) if votes else None,
        links=links(abstract),
        sources=(Source(path, record.line),),
    )


def _iso_date(date: re.Match[str], year: int | None) -> str | None:
    month = _MONTHS.get(date["month"][:3].lower())
    printed = int(date["year"]) if date["year"] else year
    if month is None or printed is None:
        return None
    try:
        return datetime.date(printed, month, int(date["day"])).isoformat()
    except ValueError:
        return None
