"""One record as a dict -> a paper, and notes on what was left out (pure). The only place that knows field names.

The kind of a record is told by its fields, record by record; case, spaces and underscores do not matter in them:

    {"id": "2212.11696", "authors_parsed": [["Cai", "Yuxuan", ""]], "categories": "cs.CV",
     "versions": [{"created": "Thu, 22 Dec 2022 13:56:15 GMT"}], ...}                      arXiv's snapshot
    {"paperId": "649d...", "externalIds": {"ArXiv": "2212.11696"}, "authors": [{"name": "Y. Cai"}],
     "publicationDate": "2022-12-22", ...}                                                 Semantic Scholar
    {"id": "https://openalex.org/W4312", "abstract_inverted_index": {"We": [0], "propose": [1]},
     "authorships": [{"author": {"display_name": "Yuxuan Cai"}}], ...}                     OpenAlex
    {"title": "...", "abstract": "...", "authors": "Y. Cai and Y. Zhou", "year": 2022}     any other

Only a title and an abstract are required; the id of any other record is kept as it is. Whatever else is not what
it should be is left out, with a note.
"""

import datetime
import email.utils
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

from rag.dumps.identity import arxiv_in, as_paper, mended, split_version
from rag.dumps.lines import MAX_LINE_BYTES
from rag.text import clean, title_key
from rag.types import Note, Paper, Rejected, Source

# What a field may be called, the first that says something first.
_TITLE = ("title", "paper_title", "article_title", "document_title", "display_name", "titles")
_ABSTRACT = ("abstract", "abstracts", "abstract_note", "summary", "summaries", "text", "description")
_AUTHORS = ("authors", "author", "author_names")
_DATE = ("date", "publication_date", "published", "publish_time", "update_date", "year", "publication_year")
_URL = ("url", "link")
_ID = ("arxiv_id", "id", "_id", "paper_id")
_CATEGORIES = ("categories", "category", "fields_of_study", "terms")
_OF_ARXIV = ("authors_parsed", "versions", "update_date")
_OF_SEMANTIC_SCHOLAR = ("external_ids", "corpus_id")
_OF_OPENALEX = ("abstract_inverted_index", "authorships")
_LONGEST_NAME = 40

_ISO_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:\.0|[T ]\d\d:.{0,30})?")
# An abstract has some 250 words, the longest ones of OpenAlex (whole papers by mistake) some thousand.
_MOST_WORDS = 20_000

_Record = dict[str, Any]


def parse(record: _Record, path: str, line: int) -> Iterator[Paper | Rejected | Note]:
    """Yield a record as a paper, or as rejected with the reason; before it, notes on what was left out."""
    notes: list[str] = []
    try:
        plain = {_plain(name): value for name, value in reversed(record.items())}
        known = _common(plain)
        found = _paper(known, known is plain, Source(path, line), notes)
    except ValueError as exc:
        yield Rejected(path, line, str(exc))
    else:
        yield from (Note(path, line, note) for note in notes)
        yield found


def is_used(name: str) -> bool:
    """Whether a field of this name is read at all, so that a table need not bring the others."""
    return _plain(name) in _USED


def has_title(names: Iterable[str]) -> bool:
    """Whether one of these fields can be a title."""
    return not _TITLE_NAMES.isdisjoint(map(_plain, names))


def has_abstract(names: Iterable[str]) -> bool:
    """Whether one of these fields can be an abstract."""
    return not _ABSTRACT_NAMES.isdisjoint(map(_plain, names))


def _plain(name: str) -> str:
    """What the spellings of a name have in common; "_id" is not "id".

    >>> _plain("Publication Date"), _plain("publicationDate"), _plain("_id")
    ('publicationdate', 'publicationdate', '_id')
    """
    if len(name) > _LONGEST_NAME:
        return name
    name = name.strip().casefold()
    return name[:1] + name[1:].replace("_", "").replace(" ", "").replace("-", "")


_TITLE_NAMES = frozenset(map(_plain, _TITLE))
_ABSTRACT_NAMES = frozenset(map(_plain, (*_ABSTRACT, "abstract_inverted_index")))
_OTHERS = (*_OF_ARXIV, *_OF_SEMANTIC_SCHOLAR, *_OF_OPENALEX, "doi")
_USED = frozenset(map(_plain, (*_TITLE, *_ABSTRACT, *_AUTHORS, *_DATE, *_URL, *_ID, *_CATEGORIES, *_OTHERS)))


def _common(record: _Record) -> _Record:
    """A record of any kind with the fields that are common to all."""
    if any(_plain(name) in record for name in _OF_OPENALEX):
        return _openalex(record)
    if any(_plain(name) in record for name in _OF_SEMANTIC_SCHOLAR):
        return _semantic_scholar(record)
    if any(_plain(name) in record for name in _OF_ARXIV):
        return _arxiv(record)
    return record


def _arxiv(record: _Record) -> _Record:
    common = dict(record)
    parsed = record.get("authorsparsed")
    if isinstance(parsed, list) and parsed:
        common["authors"] = [_joined([*n[1:2], *n[:1], *n[2:3]]) if _is_list(n) else n for n in parsed]
    elif isinstance(names := record.get("authors"), str):
        common["authors"] = re.sub(r"\([^()]*\)", " ", re.sub(r"\([^()]*\)", " ", names))  # their institutions
    versions = record.get("versions")
    first = versions[0] if isinstance(versions, list) and versions else None
    if isinstance(first, dict) and isinstance(created := first.get("created"), str):
        sent = email.utils.parsedate(created[:_LONGEST_NAME])
        common["date"] = f"{sent[0]:04}-{sent[1]:02}-{sent[2]:02}" if sent else created
    if not record.get("url") and (arxiv_id := arxiv_in(_id(record, notes=[]))):
        common["url"] = f"https://arxiv.org/abs/{split_version(arxiv_id)[0]}"
    return common


def _semantic_scholar(record: _Record) -> _Record:
    known = record.get("externalids")
    ids = known if isinstance(known, dict) else {}
    own_id = record.get("paperid") or record.get("corpusid") or record.get("id")
    return {**record, "id": own_id, "arxivid": ids.get("ArXiv"), "doi": ids.get("DOI") or record.get("doi")}


def _openalex(record: _Record) -> _Record:
    common = dict(record)
    if (index := record.get("abstractinvertedindex")) is not None:
        common["abstract"] = _uninverted(index)
    authorships = record.get("authorships")
    if isinstance(authorships, list):
        common["authors"] = [one.get("author") for one in authorships if isinstance(one, dict) and one.get("author")]
    return common


def _uninverted(index: object) -> str:
    """The text whose words stand at these positions.

    >>> _uninverted({"deep": [1, 3], "Is": [0], "enough?": [2]})
    'Is deep enough? deep'
    """
    if not isinstance(index, dict):
        raise ValueError('"abstract_inverted_index" is not an object')
    words: dict[int, str] = {}
    count = size = 0
    for word, positions in index.items():
        if not isinstance(positions, list | None) or not all(type(position) is int for position in positions or ()):
            raise ValueError('"abstract_inverted_index" is not of words and their positions')
        count += len(positions or ())
        size += len(word) * len(positions or ())  # a long word may stand at every position
        if count > _MOST_WORDS or size > MAX_LINE_BYTES:
            raise ValueError(f'"abstract_inverted_index" has more than {_MOST_WORDS:,} words')
        words.update((position, word) for position in positions or ())
    return " ".join(words[position] for position in sorted(words))


def _paper(record: _Record, keep_id: bool, source: Source, notes: list[str]) -> Paper:
    title, abstract = _text(record, _TITLE), _text(record, _ABSTRACT)
    if not title_key(title):
        raise ValueError('no "title"')
    if not abstract:
        raise ValueError('no "abstract"')
    own_id = _id(record, notes)
    return as_paper(
        source,
        title,
        abstract,
        ids=[own_id + _version(record), _optional_text(record, ("doi",), notes)],
        own_id=own_id,
        kept_id=own_id if keep_id else "",
        authors=_names(record, notes),
        date=_date(record, notes),
        url=_url(record, notes),
        categories=_list(record, _CATEGORIES, r"[ ,;]+", notes),
    )


def _id(record: _Record, notes: list[str]) -> str:
    """The id as it is; "" if there is none."""
    for name in _ID:
        value = record.get(_plain(name))
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is None or value == "" or _is_nan(value):
            continue
        if not isinstance(value, str):
            notes.append(f'left out: "{name}" is not a text')
        elif not value.strip() or any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in value):
            notes.append(f"the id {value[:40]!r} is left out: it cannot be kept")
        else:
            if (known := mended(value)) != value:
                notes.append(f"the id {value} is taken to be {known}")
            return known
    return ""


def _version(record: _Record) -> str:
    """The version that an arXiv record is of: the last that it lists."""
    versions = record.get("versions")
    last = versions[-1] if isinstance(versions, list) and versions else None
    number = last.get("version") if isinstance(last, dict) else None
    return number if isinstance(number, str) else ""


def _date(record: _Record, notes: list[str]) -> str | None:
    """The first date, as precise as it is."""
    wrong: list[str] = []
    for name in _DATE:
        if not (text := _optional_text(record, (name,), wrong)):
            continue
        match = _ISO_DATE.fullmatch(text)
        if match and _is_date(*match.groups(default="01")):
            return "-".join(part for part in match.groups() if part)
        wrong.append(f"the date {text[:40]!r} is left out: it is not like 2022-12-22")
    notes += wrong[:1]
    return None


def _url(record: _Record, notes: list[str]) -> str | None:
    url = _optional_text(record, _URL, notes)
    if not url or re.fullmatch(r"https?://\S+", url):
        return url or None
    notes.append(f"the url {url[:40]!r} is left out: it is no web address")
    return None


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        return bool(datetime.date(int(year), int(month), int(day)))
    except ValueError:
        return False


def _text(record: _Record, names: Iterable[str]) -> str:
    """The first of these fields that says something, as one clean line; a number or date counts as text."""
    for name in names:
        value = record.get(_plain(name))
        if _is_nan(value):  # how tables write that nothing is there
            continue
        if isinstance(value, int | float | datetime.date) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise ValueError(f'"{name}" is not a text')
        if value and (text := clean(value)):
            return text
    return ""


def _optional_text(record: _Record, names: Iterable[str], notes: list[str]) -> str:
    try:
        return _text(record, names)
    except ValueError as exc:
        notes.append(f"left out: {exc}")
        return ""


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _names(record: _Record, notes: list[str]) -> tuple[str, ...]:
    """Names, which may stand in objects: {"name": "..."}; "Last, First; Last, First" is cut at ";" only."""
    written = next((value for name in _AUTHORS if (value := record.get(_plain(name)))), None)
    if isinstance(written, list):
        written = [_name(one) for one in written]
    separator = r" ?; ?" if isinstance(written, str) and ";" in written else r",? and |, "
    return _list({"authors": written}, ("authors",), separator, notes)


def _name(author: Any) -> Any:
    """The name in an object.

    >>> _name({"display_name": None}), _name({"first": "Yuxuan", "middle": ["Q."], "last": "Cai"})
    ('', 'Yuxuan Q. Cai')
    """
    if not isinstance(author, dict) or author.keys().isdisjoint({"name", "display_name", "last"}):
        return author
    middle = author.get("middle")
    parts = [author.get("first"), *(middle if isinstance(middle, list) else [middle]), author.get("last")]
    return author.get("name") or author.get("display_name") or _joined(parts)


def _joined(parts: Iterable[object]) -> str:
    return " ".join(part for part in parts if part and isinstance(part, str))


def _list(record: _Record, names: Iterable[str], separator: str, notes: list[str]) -> tuple[str, ...]:
    """A list of texts, or a text of several with separators between them."""
    for name in names:
        value = record.get(_plain(name))
        if not value or _is_nan(value):
            continue
        items = _split(clean(value), separator) if isinstance(value, str) else value
        if _is_list(items):
            return tuple(text for item in items if (text := clean(item or "")))
        notes.append(f'left out: "{name}" is not a list of texts')
    return ()


def _is_list(value: object) -> TypeGuard[list[str | None]]:
    return isinstance(value, list) and all(isinstance(item, str | None) for item in value)


def _split(text: str, separator: str) -> list[str]:
    if text.startswith("["):  # as Python writes a list, which some tables hold: ['A. Author', 'B. Author']
        return [item.strip("'\" ") for item in text.strip("[]").split(",")]
    return re.split(separator, text)
