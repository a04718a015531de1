"""The ACL Anthology's own files: XML -> papers.

    <collection id="2022.acl">
      <volume id="long">
        <meta><month>May</month><year>2022</year> ... </meta>
        <frontmatter> ... </frontmatter>                            no paper
        <paper id="1">
          <title><fixed-case>A</fixed-case>da<fixed-case>L</fixed-case>e<fixed-case>R</fixed-case></title>
          <author><first>Ali</first><last>Modarressi</last></author>
          <abstract>Pre-trained language models ...</abstract>
          <url>2022.acl-long.1</url><doi>10.18653/v1/2022.acl-long.1</doi>
        </paper>

becomes a paper with the id 10.18653/v1/2022.acl-long.1, or 2022.acl-long.1 without a DOI, of 2022-05. The
date is the volume's: papers have none.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from rag.dumps.identity import as_paper, iso_date
from rag.dumps.xml import Entry, elements, names_in, text_of
from rag.text import title_key
from rag.types import Note, Paper, Rejected, Source

_PAPER_DEPTH = 2  # collection, volume, paper
_COLLECTION_BEFORE_2020 = re.compile(r"[A-Z][0-9]{2}")
_NUMBER = re.compile(r"[0-9]{1,3}")
_ID = re.compile(r"[A-Z][0-9]{2}-[0-9]{4}|[0-9]{4}\.[a-z0-9_]{1,40}-[a-z0-9_]{1,40}\.[0-9]{1,5}")


def looks_like(head: bytes) -> str | None:
    """Name the format if the file is a collection of volumes in XML."""
    names = names_in(head)
    return "acl-anthology" if names[:1] == ["collection"] and "volume" in names else None


def read(open_: Callable[[], BinaryIO], name: str, _: str) -> Iterator[Paper | Rejected | Note]:
    """The papers of a file. Front matter and events are no papers; a paper without an abstract is rejected."""
    volume: dict[str, str] | None = None
    date: str | None = None
    for entry in elements(open_, name, _PAPER_DEPTH):
        if isinstance(entry, Rejected):
            yield entry
        elif entry.element.tag == "meta":
            volume = entry.around[-1]
            year, month = text_of(entry.element.find("year")), text_of(entry.element.find("month"))
            date = iso_date(year, month)
            if year and not date:
                yield Note(name, entry.line, f"the year {year[:40]!r} is left out: it is none")
        elif entry.element.tag == "paper":
            yield from _paper(entry, name, date if entry.around[-1] is volume else None)


def anthology_id(collection: str, volume: str, paper: str) -> str:
    """The id that the Anthology gives a paper; "" if these three give none.

    >>> anthology_id("2022.acl", "long", "1"), anthology_id("P18", "1", "7"), anthology_id("W18", "63", "7")
    ('2022.acl-long.1', 'P18-1007', 'W18-6307')
    """
    id_ = f"{collection}-{volume}.{paper}"
    if _COLLECTION_BEFORE_2020.fullmatch(collection) and _NUMBER.fullmatch(volume) and _NUMBER.fullmatch(paper):
        # Of the four digits workshops have two for the volume, all others one.
        workshop = collection[0] == "W" or collection == "C69" or (collection == "D19" and int(volume) >= 5)
        for_volume, for_paper = (2, 2) if workshop else (1, 3)
        id_ = f"{collection}-{int(volume):0{for_volume}}{int(paper):0{for_paper}}"
    return id_ if _ID.fullmatch(id_) else ""


def _paper(entry: Entry, path: str, date: str | None) -> Iterator[Paper | Rejected | Note]:
    title, abstract = text_of(entry.element.find("title")), text_of(entry.element.find("abstract"))
    if not title_key(title) or not abstract:
        yield Rejected(path, entry.line, 'no "abstract"' if title_key(title) else 'no "title"')
        return
    parts = [place.get("id", "") for place in (*entry.around, entry.element.attrib)]
    own_id = anthology_id(*parts)
    if not own_id:
        yield Note(path, entry.line, f"the id {' '.join(parts)[:80]!r} is left out: it is none of the Anthology's")
    yield as_paper(
        Source(path, entry.line),
        title,
        abstract,
        ids=[text_of(entry.element.find("doi"))],
        own_id=own_id,
        authors=tuple(name for author in entry.element.iterfind("author") if (name := _name(author))),
        date=date,
        url=f"https://aclanthology.org/{own_id}/" if own_id else None,
    )


def _name(author: Element) -> str:
    return f"{text_of(author.find('first'))} {text_of(author.find('last'))}".strip()
