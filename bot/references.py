"""A paper -> an entry for a bibliography: BibTeX, RIS, APA (pure)."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import accumulate, chain, count

from rag.dumps.identity import split_version
from rag.text import clean
from rag.types import Paper

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SMALL_WORDS = {"a", "an", "the", "on", "of", "in", "for", "to", "and", "with", "is", "are", "towards"}
# BibTeX counts braces even behind a backslash, so a lone one would end its field early: both are spelt out.
_TEX = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "%": r"\%", "&": r"\&", "#": r"\#",
    "_": r"\_", "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
# Words with a capital inside, or all in capitals, keep their case in braces: BibTeX styles lower titles.
_KEPT_CASE = re.compile(r"(?<![\w{])(?=\w*[A-Z]\w*[A-Z]|\w+[A-Z]|[A-Z]\b(?! ))[\w-]+")
_APA_AUTHORS = 20


def bibtex(paper: Paper) -> str:
    """An @article or, of a preprint, a @misc entry. A title may hold LaTeX maths, which stays."""
    year, month, _ = _date(paper)
    fields = {
        "title": _kept_case(_tex(paper.title)),
        "author": " and ".join([*map(_author, paper.authors), *(["others"] if _more_authors(paper) else [])]),
        "year": year,
        "month": _MONTHS[month - 1][:3].lower() if month else "",
        "eprint": _tex(_arxiv(paper)),
        "archiveprefix": "arXiv" if _arxiv(paper) else "",
        "doi": _tex(paper.doi or ""),
        "url": re.sub(r"[{}\\\s]", "", link(paper) or ""),
    }
    kind = "article" if paper.doi else "misc"
    lines = (
        f"  {name:<13} = {value if name == 'month' else '{' + value + '}'}," for name, value in fields.items() if value
    )
    return "\n".join([f"@{kind}{{{key(paper)},", *lines, "}"])


def ris(paper: Paper) -> str:
    """A RIS record."""
    year, month, day = _date(paper)
    date = "/".join(part for part in (year, f"{month:02}" if month else "", f"{day:02}" if day else "") if part)
    pairs = [
        ("TY", "JOUR" if paper.doi else "GEN"),
        ("TI", paper.title),
        *(("AU", _surname_first(author)) for author in paper.authors),
        ("PY", year),
        ("DA", date),
        ("AB", paper.abstract),
        ("DO", paper.doi or ""),
        ("UR", link(paper) or ""),
        ("ID", paper.paper_id),
    ]
    return "\n".join([*(f"{tag}  - {clean(value)}" for tag, value in pairs if value), "ER  - "])


def apa(paper: Paper) -> str:
    """One line in the style of the APA, seventh edition."""
    year, month, day = _date(paper)
    names = [_initials(author) for author in paper.authors]
    if len(names) > _APA_AUTHORS:
        names = [*names[: _APA_AUTHORS - 1], f"… {names[-1]}"]
    elif _more_authors(paper):
        names.append("et al.")
    elif len(names) > 1:
        names[-1] = f"& {names[-1]}"
    authors = ", ".join(names)
    when = year + (f", {_MONTHS[month - 1]}" if month else "") + (f" {day}" if day else "")
    title = paper.title if paper.title.endswith((".", "?", "!")) else f"{paper.title}."
    source = f"arXiv:{_arxiv(paper)}." if _arxiv(paper) else ""
    where = f"https://doi.org/{paper.doi}" if paper.doi else link(paper) or ""
    head = f"{authors} ({when or 'n.d.'}). {title}" if authors else f"{title} ({when or 'n.d.'})."
    return clean(" ".join([head, source, where]))


STYLES: dict[str, Callable[[Paper], str]] = {"bibtex": bibtex, "apa": apa, "ris": ris}


def bibliography(papers: Iterable[Paper], style: str) -> str:
    """The entries of several papers, each once, under keys that differ."""
    entries: dict[str, str] = {}
    for paper in {paper.paper_id: paper for paper in papers}.values():
        entry, given = STYLES[style](paper), key(paper)
        names = chain([given], (f"{given}-{number}" for number in count(2)))
        free = next(name for name in names if name not in entries)
        entries[free] = entry.replace(f"{{{given},", f"{{{free},", 1) if style == "bibtex" else entry
    return "\n\n".join(entries.values())


def key(paper: Paper) -> str:
    """What BibTeX calls a paper: surname, year and first word of the title, in ASCII.

    >>> key(Paper("1", "The Swin Transformer", "", authors=("Ze Liú",), date="2021-03-25"))
    'liu2021swin'
    """
    surname = _surname_first(paper.authors[0]).split(",")[0] if paper.authors else ""
    words = [word for word in re.findall("[a-z0-9]+", _plain(paper.title)) if word not in _SMALL_WORDS]
    return re.sub("[^a-z0-9]", "", _plain(surname)) + _date(paper)[0] + (words[0] if words else "") or "paper"


def link(paper: Paper) -> str | None:
    """Where a paper is to be found: its page, DOI or arXiv entry, or else an address from its abstract."""
    if paper.url:
        return paper.url
    if paper.doi:
        return f"https://doi.org/{paper.doi}"
    if paper.arxiv_id:
        return f"https://arxiv.org/abs/{paper.arxiv_id}"
    return next(iter(paper.links), None)


def _arxiv(paper: Paper) -> str:
    return split_version(paper.arxiv_id or "")[0]


def _author(name: str) -> str:
    """A name as BibTeX takes it: in braces if it would be read as two, or as et al.

    >>> _author("Ada Lovelace"), _author("The ATLAS and CMS Collaborations")
    ('Ada Lovelace', '{The ATLAS and CMS Collaborations}')
    """
    return f"{{{_tex(name)}}}" if re.search(r"(?i)(^|\s)and(\s|$)|^others$", name) else _tex(name)


def _more_authors(paper: Paper) -> bool:
    return bool(paper.authors) and (paper.author_count or 0) > len(paper.authors)


def _date(paper: Paper) -> tuple[str, int, int]:
    """Year, month and day; "" and 0 where they are not known."""
    match = re.fullmatch(r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(\d\d))?)?", paper.date or "")
    return (match[1], int(match[2] or 0), int(match[3] or 0)) if match else ("", 0, 0)


def _surname_first(author: str) -> str:
    """
    >>> _surname_first("Ada B. Lovelace"), _surname_first("Lovelace, Ada"), _surname_first("Plato")
    ('Lovelace, Ada B.', 'Lovelace, Ada', 'Plato')
    """
    if "," in author or " " not in author:
        return author
    given, surname = author.rsplit(" ", 1)
    return f"{surname}, {given}"


def _initials(author: str) -> str:
    """
    >>> _initials("Ada B. Lovelace"), _initials("Plato"), _initials("Jean-Luc Picard")
    ('Lovelace, A. B.', 'Plato', 'Picard, J.-L.')
    """
    surname, _, given = _surname_first(author).partition(", ")
    initials = " ".join("-".join(f"{part[0]}." for part in name.split("-") if part) for name in given.split())
    return f"{surname}, {initials}" if initials else surname


def _plain(text: str) -> str:
    """Lower case, in ASCII without accents."""
    return unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()


def _tex(text: str) -> str:
    """One line escaped for TeX, but for maths between dollar signs.

    >>> _tex("50% of $x_1$ & a_b")
    '50\\\\% of $x_1$ \\\\& a\\\\_b'
    """
    parts = re.split(r"(\$[^$]+\$)", clean(text))
    return "".join(
        part if i % 2 and _balanced(part) else "".join(_TEX.get(letter, letter) for letter in part)
        for i, part in enumerate(parts)
    )


def _balanced(maths: str) -> bool:
    """Whether every brace has its other one, as BibTeX counts them."""
    depths = list(accumulate((letter == "{") - (letter == "}") for letter in maths))
    return min(depths) == depths[-1] == 0


def _kept_case(title: str) -> str:
    """
    >>> _kept_case("Scaling BERT and iGPT to DiT-XL: A Study")
    'Scaling {BERT} and {iGPT} to {DiT-XL}: A Study'
    """
    parts = re.split(r"(\$[^$]+\$|\\\w+\{\})", title)
    return "".join(part if i % 2 else _KEPT_CASE.sub(r"{\g<0>}", part) for i, part in enumerate(parts))
