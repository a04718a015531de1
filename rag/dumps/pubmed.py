"""PubMed's files (MEDLINE): XML -> papers.

    <PubmedArticleSet>
      <PubmedArticle><MedlineCitation>
        <PMID Version="1">123</PMID>
        <Article>
          <Journal> ... <PubDate><Year>1976</Year><Month>Jan</Month><Day>7</Day></PubDate></Journal>
          <ArticleTitle>Effect of CO<sub>2</sub>.</ArticleTitle>
          <Abstract><AbstractText Label="AIM">To see.</AbstractText><AbstractText Label="RESULT">...</AbstractText>
          <AuthorList><Author><LastName>Doe</LastName><ForeName>Jane</ForeName></Author></AuthorList>

becomes a paper with the id PMID:123, or its DOI if it has one, of 1976-01-07, and the abstract
"AIM: To see. RESULT: ...". Chapters of books (PubmedBookArticle/BookDocument) are read alike, and so are files
of bare citations (MedlineCitationSet).
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from rag.dumps.identity import as_paper, iso_date
from rag.dumps.xml import Entry, elements, names_in, text_of
from rag.text import title_key
from rag.types import Note, Paper, Rejected, Source

_ROOTS = {"PubmedArticleSet", "MedlineCitationSet"}
_ARTICLE_DEPTH = 1
_DOI = "ELocationID[@EIdType='doi']"
_DOI_BY_PUBMED = "PubmedData/ArticleIdList/ArticleId[@IdType='doi']"  # not those of the references
_PMID = re.compile(r"[0-9]{1,9}")
# "1998 Dec-1999 Jan", "2000 Spring", "Winter 1998": the first year, and what follows it
_MEDLINE_DATE = re.compile(r"\b([12][0-9]{3})\b ?([A-Za-z]*)")
_NO_TITLE = {"[Not Available].", "[In Process Citation]."}
_NO_LABEL = {"", "UNLABELLED"}


def looks_like(head: bytes) -> str | None:
    """Name the format by the outermost element."""
    return "pubmed" if _ROOTS.intersection(names_in(head)[:1]) else None


def read(open_: Callable[[], BinaryIO], name: str, _: str) -> Iterator[Paper | Rejected | Note]:
    """The articles of a file; those without an abstract are rejected, as is what is no article."""
    for entry in elements(open_, name, _ARTICLE_DEPTH):
        yield from [entry] if isinstance(entry, Rejected) else _paper(entry, name)


def _paper(entry: Entry, path: str) -> Iterator[Paper | Rejected | Note]:
    record = entry.element
    citation = record if record.tag == "MedlineCitation" else record.find("MedlineCitation")
    article = record.find("BookDocument") if citation is None else citation.find("Article")
    if article is None:
        yield Rejected(path, entry.line, f"no article: <{record.tag[:40]}>")
        return
    title, abstract = _title(article), _abstract(article)
    if not title_key(title) or not abstract:
        yield Rejected(path, entry.line, 'no "AbstractText"' if title_key(title) else 'no "ArticleTitle"')
        return
    number = text_of((article if citation is None else citation).find("PMID"))
    if not _PMID.fullmatch(number):
        yield Note(path, entry.line, f"the PMID {number[:40]!r} is left out: it is no number")
        number = ""
    printed = next(article.iter("PubDate"), None)
    date = _date(printed)
    if not date and (text := text_of(printed)):
        yield Note(path, entry.line, f"the date {text[:40]!r} is left out: it has no year")
    yield as_paper(
        Source(path, entry.line),
        title,
        abstract,
        ids=[text_of(article.find(_DOI)), text_of(record.find(_DOI_BY_PUBMED))],
        own_id=f"PMID:{number}" if number else "",
        authors=tuple(name for author in article.iterfind("AuthorList/Author") if (name := _name(author))),
        date=date,
        url=f"https://pubmed.ncbi.nlm.nih.gov/{number}/" if number else None,
    )


def _title(article: Element) -> str:
    """The title; the one in the article's own language if PubMed has no other. Titles it lacks share one text."""
    titles = (text_of(article.find(tag)) for tag in ("ArticleTitle", "VernacularTitle"))
    return next((title for title in titles if title and title not in _NO_TITLE), "")


def _abstract(article: Element) -> str:
    parts = []
    for part in article.iterfind("Abstract/AbstractText"):
        label, text = " ".join(part.get("Label", "").split()), text_of(part)
        if text:
            parts.append(text if label in _NO_LABEL else f"{label}: {text}")
    return " ".join(parts)


def _name(author: Element) -> str:
    given = text_of(author.find("ForeName")) or text_of(author.find("Initials"))
    return f"{given} {text_of(author.find('LastName'))}".strip() or text_of(author.find("CollectiveName"))


def _date(printed: Element | None) -> str | None:
    if printed is None:
        return None
    if loose := _MEDLINE_DATE.search(text_of(printed.find("MedlineDate"))):
        return iso_date(*loose.groups())
    return iso_date(*(text_of(printed.find(part)) for part in ("Year", "Month", "Day")))
