"""What tells papers apart and places them in time, read the same way in every format (pure)."""

import datetime
import re

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


def doi_in(text: str) -> str:
    """The DOI in a field meant for it, without an address around it; "" if it is none.

    >>> doi_in("https://doi.org/10.18653/v1/N19-1423")
    '10.18653/v1/N19-1423'
    """
    found = re.fullmatch(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\S++)", text, re.I)
    return found[1] if found else ""


def arxiv_in(text: str) -> str:
    """The arXiv id that an eprint number or one of arXiv's own DOIs names, without its version; "" if it is none.

    >>> arxiv_in("arXiv:1706.03762v5"), arxiv_in("10.48550/arXiv.1706.03762"), arxiv_in("12345678")
    ('1706.03762', '1706.03762', '')
    """
    found = _ARXIV.fullmatch(text)
    return found[1] if found else ""


_ARXIV = re.compile(
    r"(?:10\.48550/arxiv\.|arxiv:\s*)?([0-9]{4}\.[0-9]{4,5}|[a-z-]{2,12}(?:\.[a-z]{2})?/[0-9]{7})(?:v[0-9]+)?"
    r"(?:\s*\[[^\]]*\])?",  # arXiv's own "1706.03762 [cs.CL]"
    re.I,
)


def web_address(text: str) -> str | None:
    """The first web address in a field meant for one."""
    found = re.search(r"https?://\S+", text, re.I)
    return found.group() if found else None
