r"""BibTeX with abstracts, as Zotero, the ACL Anthology, reference managers and arXiv give it: lines -> papers (pure).

    @string{acl = "Association for Computational Linguistics"}
    @inproceedings{muller-2017-attention,
        title = "{A}ttention for {BERT}",
        author = {M{\"u}ller, Anna and Jos{\'e} Garc{\'\i}a},
        month = jul, year = 2017, publisher = acl,
        eprint = {1706.03762}, archivePrefix = {arXiv}, primaryClass = {cs.CL},
        abstract = {We gain 5\% in $O(n^{2})$ time.}
    }

What stands between entries, @comment and @preamble are no records; but a title or abstract between entries is
rejected, since an entry that lost its @ looks so. An entry that is not closed, or grows too long, is rejected alone:
the next line that begins one begins it. LaTeX becomes Unicode as far as a small table goes; math and unknown commands
stay as they are. A citation key is no identity: the id is arXiv's, or the DOI.

Why neither library: bibtexparser 2 takes whole strings, so that entries had to be cut here anyway, and then
loses one for a second comma or a field that stands twice, puts a field after a missing comma into the one before
it, and does not join `acl # " 2017"`. pylatexenc decodes a hundred abstracts a second (this: some thousands), and
a thousand open braces exceed its recursion.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from rag.dumps.identity import arxiv_in, as_paper, iso_date, web_address
from rag.dumps.latex import unicode
from rag.dumps.lines import Line, read_lines
from rag.text import clean, title_key
from rag.types import Note, Paper, Rejected, Source

LONGEST_ENTRY = 2**20
"""Characters. The longest abstracts have some ten thousand; more is a brace that nobody closed."""
_MOST_MACROS = 10_000  # the ACL Anthology defines some hundred; these two bound what a hostile file can pile up
_LONGEST_MACRO = 1_000

# A known type (BibTeX's and BibLaTeX's) is asked for, since code has lines like "@dataclass(frozen=True)"; when
# reading, any type is one.
_BEGINS_LIKE = re.compile(
    r"\s*+@(?:(?:article|artwork|audio|bibnote|book|bookinbook|booklet|collection|commentary|conference|custom[a-f]"
    r"|dataset|electronic|image|inbook|incollection|inproceedings|inreference|jurisdiction|legal|legislation|letter"
    r"|manual|mastersthesis|misc|movie|music|mvbook|mvcollection|mvproceedings|mvreference|online|patent|performance"
    r"|periodical|phdthesis|proceedings|reference|report|review|set|software|standard|suppbook|suppcollection"
    r"|suppperiodical|techreport|thesis|unpublished|video|www|xdata)"
    r"\s*+[{(][^,={}]*+(?:,|$)|string\s*+[{(]\s*+[^\s={}]++\s*+=|(?:comment|preamble)\s*+[{(])",
    re.I,
)
_LINES_BEFORE = 5  # JabRef's two lines about itself, for example
_LONGEST_BEFORE = 200

_HEAD = re.compile(r"@\s*+([A-Za-z][\w-]*+)\s*+([{(])")
_HEAD_LINE = re.compile(r"\s*+@\s*+[A-Za-z][\w-]*+\s*+[{(]\s*+[^\s,={}\"]*+\s*+(?:$|[,={])")
_WITHOUT_BRACE = re.compile(r"\s*+@\s*+[A-Za-z][\w-]*+\s*+")
_OUTSIDE = re.compile(r'(?<![\w-])(?:title|abstract)\s*+=\s*+[{"]', re.I)
_MARK = re.compile(r'\\.|[{}()"]')
_KEY = re.compile(r'[^,={}"]*+,')
_BETWEEN = re.compile(r"(?:[\s,]++|%[^\n]*+)*+")  # commas and comments
_FIELD = re.compile(_BETWEEN.pattern + r'([^\s,={}"#%]++)\s*+=\s*+')
_BARE = re.compile(r'[^,={}"#\n]++')
_JOIN = re.compile(r"\s*+#\s*+")
_USED = {
    *("title", "abstract", "author", "date", "year", "month", "day", "url", "doi"),
    *("eprint", "archiveprefix", "eprinttype", "primaryclass", "keywords"),
}


def looks_like(head: bytes) -> str | None:
    """Name the format if one of the first lines begins an entry and those before it are a short preface."""
    filled = [text for line in read_lines(io.BytesIO(head)) if (text := line.text.strip()) and not text.startswith("%")]
    for text in filled[: _LINES_BEFORE + 1]:
        if _BEGINS_LIKE.match(text):
            return "bibtex"
        if len(text) > _LONGEST_BEFORE:
            break
    return None


def read(open_: Callable[[], BinaryIO], name: str, _: str) -> Iterator[Paper | Rejected | Note]:
    """The records of a file."""
    with open_() as stream:
        yield from parse(read_lines(stream), name)


def parse(lines: Iterable[Line], path: str) -> Iterator[Paper | Rejected | Note]:
    """Yield each entry as a paper, or as rejected with the reason; before it, notes on what was left out."""
    macros: dict[str, str] = {}
    for entry in _entries(lines):
        source = Source(path, entry.line)
        try:
            if entry.fault:
                raise ValueError(entry.fault)
            if entry.kind == "string":
                _define(entry.body, macros)
            elif entry.kind not in {"comment", "preamble"}:
                key = _KEY.match(entry.body)
                fields: dict[str, str] = {}
                for name, value in _fields(entry.body, key.end() if key else 0, macros):
                    if name in _USED:  # not the others: each of them may be macros of a million characters
                        fields.setdefault(name, value)
                yield from _record(fields, source)
        except ValueError as exc:
            yield Rejected(path, entry.line, str(exc))


class _Entry(NamedTuple):
    """An entry as it was cut out: its type and what stands between its outer braces; or what is wrong with it."""

    line: int
    kind: str
    body: str
    fault: str = ""


@dataclass(slots=True)
class _Open:
    """An entry while it is cut out."""

    line: int
    kind: str
    closer: str
    parts: list[str] = field(default_factory=list)
    size: int = 0
    depth: int = 0
    quoted: bool = False
    fault: str = ""

    def feed(self, text: str, at: int) -> int | None:
        """Take a line in from a column on. Returns the column after the end of the entry, if it ends there."""
        end = self._end(text, at)
        part = text[at : end - 1 if end else None]
        self.size += len(part) + 1
        if self.size <= LONGEST_ENTRY:
            self.parts.append(part)
        return end

    def _end(self, text: str, at: int) -> int | None:
        # As BibTeX has it: braces count everywhere, quotes outside braces only. Unlike BibTeX, \{ and \" do not count.
        for mark in _MARK.finditer(text, at):
            match mark.group():
                case char if self.depth == 0 and not self.quoted and char == self.closer:
                    return mark.end()
                case "{":
                    self.depth += 1
                case "}":
                    self.depth -= self.depth > 0
                case '"' if self.depth == 0 and self.kind != "comment":
                    self.quoted = not self.quoted
        return None

    def cut(self, fault: str = "") -> _Entry:
        return _Entry(self.line, self.kind, "\n".join(self.parts), self.fault or fault)


def _entries(lines: Iterable[Line]) -> Iterator[_Entry]:
    entry: _Open | None = None
    lost = False  # after an entry that is too long: only a line that begins with @ is looked at
    outside = False  # whether a field outside an entry was reported since the last one
    for line in lines:
        if line.fault:
            if entry:
                entry.fault = entry.fault or f"line {line.number}: {line.fault}"
            elif not lost:
                yield _Entry(line.number, "", "", line.fault)
            continue
        text, at = line.text, 0
        begins = _HEAD_LINE.match(text) is not None
        # A commented-out entry stands within @comment{...} and begins none.
        if entry and begins and entry.kind != "comment":
            yield entry.cut("not closed before the next entry begins")
            entry = None
        if not entry and (text.lstrip().startswith("%") or (lost and not begins)):
            continue
        lost = False
        while True:
            if not entry:
                if not (head := _HEAD.search(text, at)):
                    if _WITHOUT_BRACE.fullmatch(text, at):
                        yield _Entry(line.number, "", "", f"an entry without a brace: {clean(text)[:40]!r}")
                    elif not outside and (found := _OUTSIDE.search(text, at)):
                        outside = True
                        yield _Entry(line.number, "", "", f"outside an entry: {clean(text[found.start() :])[:40]!r}")
                    break
                entry, at = _Open(line.number, head[1].lower(), "}" if head[2] == "{" else ")"), head.end()
                outside = False
            end = entry.feed(text, at)
            if entry.size > LONGEST_ENTRY:
                yield entry.cut(f"longer than {LONGEST_ENTRY:,} characters")._replace(body="")
                entry, lost = None, end is None
            if end is None:
                break
            if entry:
                yield entry.cut()
            entry, at = None, end
    if entry:
        yield entry.cut("not closed before the end of the file")


def _define(body: str, macros: dict[str, str]) -> None:
    for name, value in _fields(body, 0, macros):
        if len(value) > _LONGEST_MACRO or (len(macros) >= _MOST_MACROS and name not in macros):
            raise ValueError(f"a @string too many, or of more than {_LONGEST_MACRO:,} characters: {name[:40]!r}")
        macros[name] = value


def _fields(body: str, at: int, macros: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The fields of an entry, names in lower case. Raises ValueError where it cannot be read on."""
    while begin := _FIELD.match(body, at):
        value, at = _value(body, begin.end(), macros)
        yield begin[1].lower(), value
    rest = _BETWEEN.match(body, at)
    if rest and rest.end() < len(body):
        raise ValueError(f"not a field: {clean(body[rest.end() : rest.end() + 40])!r}")


def _value(body: str, at: int, macros: dict[str, str]) -> tuple[str, int]:
    """A value, its parts joined and its macros replaced, and where it ends. An unknown macro is its own name."""
    value = ""
    while True:
        if body.startswith(("{", '"'), at):
            end = _group_end(body, at)
            part, at = body[at + 1 : end - 1], end
        elif bare := _BARE.match(body, at):
            part, at = bare.group().strip(), bare.end()
            part = macros.get(part.lower(), part)
        else:
            part = ""
        value += part
        if len(value) > LONGEST_ENTRY:  # macros of macros
            raise ValueError(f"longer than {LONGEST_ENTRY:,} characters")
        if not (join := _JOIN.match(body, at)):
            return value, at
        at = join.end()


def _group_end(body: str, at: int) -> int:
    depth = 0
    quoted = body[at] == '"'
    for mark in _MARK.finditer(body, at + quoted):
        match mark.group():
            case "{":
                depth += 1
            case "}":
                depth -= depth > 0
            case '"' if quoted and depth == 0:
                return mark.end()
        if depth == 0 and not quoted:
            return mark.end()
    raise ValueError(f"a value that is not closed: {clean(body[at : at + 40])!r}")


def _record(fields: dict[str, str], source: Source) -> Iterator[Paper | Note]:
    title, abstract = (clean(unicode(fields.get(name, ""))) for name in ("title", "abstract"))
    if not title_key(title):
        raise ValueError('no "title"')
    if not abstract:
        raise ValueError('no "abstract"')
    stated = _plain(fields.get("date", "")) or _plain(fields.get("year", ""))
    date = _date(fields)
    if stated and not date:
        yield Note(source.path, source.line, f"the date {stated[:40]!r} is left out: it is not like 2022-12-22")
    address, doi, eprint = _plain(fields.get("url", "")), _plain(fields.get("doi", "")), _arxiv(fields)
    url = web_address(address)
    if address and not url:
        yield Note(source.path, source.line, f"the url {address[:40]!r} is left out: it is no web address")
    names = [clean(unicode(name)) for name in _authors(fields.get("author", ""))]
    authors = tuple(name for name in names if name and name != "others")
    keywords = re.split(r"[,;]", unicode(fields.get("keywords", "")))
    yield as_paper(
        source,
        title,
        abstract,
        ids=[eprint, doi],
        own_id=eprint,
        authors=authors,
        all_authors="others" not in names,
        date=date,
        url=url,
        categories=tuple(text for item in [_plain(fields.get("primaryclass", "")), *keywords] if (text := clean(item))),
    )


def _authors(value: str) -> Iterator[str]:
    """The names, first name first, still in LaTeX. Within braces neither "and" nor a comma separates."""
    for name in _split(" ".join(value.split()), _AND):
        parts = [part.strip() for part in _split(name, _COMMA)]
        yield " ".join([parts[-1], parts[0], *parts[1:-1]] if len(parts) > 1 else parts)  # "von Last, Jr, First"


_AND = re.compile(r"\\.|[{}]| and ", re.I)
_COMMA = re.compile(r"\\.|[{}]|,")


def _split(text: str, marks: re.Pattern[str]) -> list[str]:
    parts, start, depth = [], 0, 0
    for mark in marks.finditer(text):
        match mark.group():
            case "{":
                depth += 1
            case "}":
                depth -= depth > 0
            case char if depth == 0 and not char.startswith("\\"):
                parts.append(text[start : mark.start()])
                start = mark.end()
    return [*parts, text[start:]]


def _date(fields: dict[str, str]) -> str | None:
    """The field of BibLaTeX, else the year and the month; a month may be "jul", "7" or "July 5--10"."""
    if stated := re.match(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?![\d-])", _plain(fields.get("date", ""))):
        return iso_date(*stated.groups(""))
    year, month, day = (_plain(fields.get(name, "")) for name in ("year", "month", "day"))
    return iso_date(year, month, day)


def _arxiv(fields: dict[str, str]) -> str:
    eprint = _plain(fields.get("eprint", ""))
    archive = _plain(fields.get("archiveprefix", "")) or _plain(fields.get("eprinttype", ""))
    if found := arxiv_in(eprint):
        return found if archive.lower() in {"", "arxiv"} else ""
    return eprint if archive.lower() == "arxiv" else ""


def _plain(value: str) -> str:
    r"""A value that is no prose: an address, an id, a date. Dashes and tildes are themselves there."""
    return clean(re.sub(r"\\url(?![a-z])|\\(?=[%&_#~$])|[{}]", "", value.replace(r"\textasciitilde", "~")))
