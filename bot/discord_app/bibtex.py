"""Papers -> BibTeX (pure)."""

import re
import unicodedata
from collections.abc import Iterable

from rag.types import Paper

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def bibliography(papers: Iterable[Paper]) -> str:
    """The entries of some papers, each once, under keys that differ."""
    entries: dict[str, str] = {}
    for paper in {paper.paper_id: paper for paper in papers}.values():
        key = _key(paper)
        free = next(name for name in (key, *(f"{key}-{number}" for number in range(2, 10_000))) if name not in entries)
        entries[free] = entry(paper, free)
    return "\n\n".join(entries.values()) + "\n"


def entry(paper: Paper, key: str = "") -> str:
    """One entry; a preprint of arXiv is named as such."""
    number = re.sub(r"v\d+$", "", paper.arxiv_id or "")
    fields = {
        "title": "{" + _plain(paper.title) + "}",
        "author": " and ".join(map(_plain, paper.authors)),
        "year": (paper.date or "")[:4],
        "eprint": _plain(number),
        "archiveprefix": "arXiv" if number else "",
        "doi": _plain(paper.doi or ""),
        "url": re.sub(r"[{}\\\s]", "", paper.url or ""),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{key or _key(paper)},", *lines, "}"])


def _key(paper: Paper) -> str:
    """The first author's or title's first long word and the year, in ASCII."""
    name = paper.authors[0].split()[-1] if paper.authors and paper.authors[0].split() else ""
    ascii_only = unicodedata.normalize("NFKD", f"{name} {paper.title}").encode("ascii", "ignore").decode()
    word = next((word for word in re.findall(r"[a-z]+", ascii_only.lower()) if len(word) > 2), "paper")
    return word + (paper.date or "")[:4]


def _plain(text: str) -> str:
    return "".join(_SPECIAL.get(sign, f"\\{sign}" if sign in "&%$#_{}" else sign) for sign in text)
