"""What tells papers apart and places them in time, read the same way in every format (pure).

Knows nothing of the names that a format gives its fields.
"""

import datetime
import re
from collections.abc import Iterable

from rag.text import links
from rag.types import Paper, Source

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def iso_date(year: str, month: str = "", day: str = "") -> str | None:
    """A date as precise as its parts say; None without a year. A month is a number or begins with a name.

    >>> iso_date("2022", "May", "7"), iso_date("2022", "June-July"), iso_date("2022", "Spring"), iso_date("soon")
    ('2022-05-07', '2022-06', '2022', None)
    """
    if not re.fullmatch(r"[12][0-9]{3}", year):
        return None
    number = _month(month)
    if number is None:
        return year
    try:
        return datetime.date(int(year), number, int(day) if re.fullmatch(r"[0-9]{1,2}", day) else 0).isoformat()
    except ValueError:  # no day, or none of that month
        return f"{year}-{number:02d}"


def _month(text: str) -> int | None:
    if re.fullmatch(r"0?[1-9]|1[0-2]", text):
        return int(text)
    found = re.search(rf"\b({'|'.join(_MONTHS)})", text, re.I)
    return _MONTHS.index(found[1].lower()) + 1 if found else None


def as_paper(
    source: Source,
    title: str,
    abstract: str,
    *,
    ids: Iterable[str] = (),
    own_id: str = "",
    kept_id: str = "",
    authors: tuple[str, ...] = (),
    all_authors: bool = True,
    date: str | None = None,
    url: str | None = None,
    categories: tuple[str, ...] = (),
) -> Paper:
    """A record as every format makes it of what it found.

    `ids` may be DOIs and arXiv ids, in any spelling, and whatever else stood in fields meant for them. The
    paper's id is `kept_id`, else arXiv's, else the DOI, else `own_id`, the one its format knows it by.
    """
    known = [text for text in (*ids, kept_id, own_id, url) if text]
    arxiv_id = next((found for text in known if (found := arxiv_in(text))), None)
    doi = next((found for text in known if not arxiv_in(text) and (found := doi_in(text))), None)
    of_arxiv = split_version(arxiv_id)[0] if arxiv_id else ""
    address = f"https://doi.org/{doi}" if doi else f"https://arxiv.org/abs/{of_arxiv}" if of_arxiv else None
    return Paper(
        paper_id=kept_id or of_arxiv or doi or own_id,
        title=title,
        abstract=abstract,
        authors=authors,
        author_count=len(authors) if authors and all_authors else None,
        date=date,
        url=url or address,
        categories=categories,
        links=links(abstract),
        sources=(source,),
        doi=doi,
        arxiv_id=arxiv_id,
    )


def doi_in(text: str) -> str:
    """The DOI in a field meant for it, in lower case and without an address around it; "" if it is none.

    >>> doi_in("https://doi.org/10.18653/v1/N19-1423"), doi_in("n/a")
    ('10.18653/v1/n19-1423', '')
    """
    found = _DOI.match(text)
    return found[1].rstrip(".,;").casefold() if found else ""


def arxiv_in(text: str) -> str:
    """The arXiv id, with its version if one is named, in an eprint number, an address or a DOI of arXiv's own; or "".

    >>> arxiv_in("arXiv:1706.03762v5"), arxiv_in("https://doi.org/10.48550/arXiv.1706.03762"), arxiv_in("12345678")
    ('1706.03762v5', '1706.03762', '')
    >>> arxiv_in("http://arxiv.org/pdf/math.GT/0309136v2.pdf")  # since 2007 without the subject class
    'math/0309136v2'
    """
    found = _ARXIV.fullmatch(text)
    return "".join(part or "" for part in found.groups()).lower() if found else ""


def split_version(arxiv_id: str) -> tuple[str, int]:
    """The id that all versions share, and the number of this one, 0 if it is not named.

    >>> split_version("2212.11696v2"), split_version("solv-int/9901001")
    (('2212.11696', 2), ('solv-int/9901001', 0))
    """
    found = _VERSION.search(arxiv_id)
    return (arxiv_id[: found.start()], int(found[1])) if found else (arxiv_id, 0)


def mended(arxiv_id: str) -> str:
    """An arXiv id without the digits that it got as a binary number.

    >>> mended("1801.0041800000001")
    '1801.00418'
    """
    return f"{float(arxiv_id):.5f}" if _FLOAT_ID.fullmatch(arxiv_id) else arxiv_id


_DOI = re.compile(r"(?:(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi:\s*)?(10\.[0-9]{1,9}(?:\.[0-9]{1,9})*/\S++)", re.I)
_MONTH = "(?:0[1-9]|1[0-2])"
_ARXIV = re.compile(
    r"(?:(?:https?://)?(?:(?:dx\.|www\.)?doi\.org/)?10\.48550/arxiv\.|arxiv:\s*"
    r"|https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf)/)?"
    rf"(?:([0-9]{{2}}{_MONTH}\.[0-9]{{4,5}})|([a-z-]{{2,12}})(?:\.[a-z]{{2}})?(/[0-9]{{2}}{_MONTH}[0-9]{{3}}))"
    r"(v[1-9][0-9]{0,3})?(?:\.pdf)?"
    r"(?:\s*\[[^\]]*\])?",  # arXiv's own "1706.03762 [cs.CL]"
    re.I,
)
_VERSION = re.compile(r"(?<=[0-9])v([0-9]+)$")
# Copies of the snapshot are about whose ids were numbers once, beside the true ones. Five digits since 2015;
# what was before is left alone.
_FLOAT_ID = re.compile(rf"(?:1[5-9]|[2-9][0-9]){_MONTH}\.[0-9]{{9,20}}")


def web_address(text: str) -> str | None:
    """The first web address in a field meant for one."""
    found = re.search(r"https?://\S+", text, re.I)
    return found.group() if found else None
