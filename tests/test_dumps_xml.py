"""The Anthology's and PubMed's XML, and what hostile files do to the reader they share."""

import io
import tracemalloc
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import pytest

from rag.dumps import anthology, jsonl, listing, pubmed
from rag.dumps.files import Broken
from rag.dumps.identity import iso_date
from rag.dumps.xml import MAX_ELEMENT, MAX_NAMES, MAX_TOKEN
from rag.types import Note, Paper, Rejected

ACL = """<?xml version='1.0' encoding='UTF-8'?>
<collection id="2022.acl">
  <volume id="long" type="proceedings" ingest-date="2022-05-15">
    <meta>
      <booktitle>Proceedings of the 60th Annual Meeting</booktitle>
      <editor><first>Smaranda</first><last>Muresan</last></editor>
      <month>May</month>
      <year>2022</year>
      <url hash="b8317652">2022.acl-long</url>
    </meta>
    <frontmatter>
      <url hash="56ea4e43">2022.acl-long.0</url>
    </frontmatter>
    <paper id="1">
      <title><fixed-case>A</fixed-case>dap<fixed-case>L</fixed-case>e<fixed-case>R</fixed-case>: Speeding
        up by <tex-math>k</tex-math></title>
      <author id="ali-m"><first>Ali</first><last>Modarressi</last><affiliation>A University</affiliation></author>
      <author><first/><last>Madonna</last></author>
      <pages>1-15</pages>
      <abstract>We prune &amp; skip. Code is at <url>https://github.com/amodaresi/AdapLeR</url>.</abstract>
      <url hash="a3b4bfc3">2022.acl-long.1</url>
      <doi>10.18653/v1/2022.acl-long.1</doi>
    </paper>
    <paper id="2">
      <title>Without</title>
      <author><first>Anya</first><last>Belz</last></author>
    </paper>
    <paper id="3"><title>?!</title><abstract>Text.</abstract></paper>
  </volume>
  <volume id="short"><paper id="1"><title>No volume's date</title><abstract>Text.</abstract></paper></volume>
  <event id="acl-2022"><talk><title>Keynote</title><abstract>Words.</abstract></talk></event>
</collection>
"""

PUBMED = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2024//EN" "https://example.invalid/pubmed.dtd">
<PubmedArticleSet>
<PubmedArticle>
  <MedlineCitation Status="MEDLINE" Owner="NLM">
    <PMID Version="1">31452104</PMID>
    <DateRevised><Year>2020</Year><Month>09</Month><Day>30</Day></DateRevised>
    <Article PubModel="Print">
      <Journal><JournalIssue><PubDate><Year>2019</Year><Month>Sep</Month><Day>5</Day></PubDate></JournalIssue></Journal>
      <ArticleTitle>Uptake of CO<sub>2</sub> in <i>E. coli</i>.</ArticleTitle>
      <Abstract>
        <AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">It was unclear.</AbstractText>
        <AbstractText Label="RESULTS" NlmCategory="RESULTS">It grew 10<sup>3</sup>-fold.</AbstractText>
        <AbstractText Label="UNLABELLED">See https://a.org/b.</AbstractText>
        <CopyrightInformation>Copyright 2019.</CopyrightInformation>
      </Abstract>
      <AuthorList CompleteYN="Y">
        <Author><LastName>Doe</LastName><ForeName>Jane Q</ForeName><Initials>JQ</Initials></Author>
        <Author><LastName>Roe</LastName><Initials>R</Initials></Author>
        <Author><CollectiveName>The Uptake Group</CollectiveName></Author>
      </AuthorList>
    </Article>
    <CommentsCorrectionsList><CommentsCorrections><PMID>999</PMID></CommentsCorrections></CommentsCorrectionsList>
  </MedlineCitation>
  <PubmedData><ArticleIdList><ArticleId IdType="doi">10.1/x</ArticleId></ArticleIdList></PubmedData>
</PubmedArticle>
<PubmedArticle><MedlineCitation><PMID>2</PMID><Article><ArticleTitle>Bare.</ArticleTitle></Article></MedlineCitation></PubmedArticle>
<PubmedBookArticle><BookDocument><PMID>3</PMID><Book><PubDate><Year>1993</Year></PubDate></Book>
  <ArticleTitle>A chapter</ArticleTitle><Abstract><AbstractText>Text.</AbstractText></Abstract>
</BookDocument></PubmedBookArticle>
<DeleteCitation><PMID>4</PMID></DeleteCitation>
</PubmedArticleSet>
"""


def opener(text: str | bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(text.encode() if isinstance(text, str) else text)


def acl(text: str | bytes) -> list[Paper | Rejected | Note]:
    return list(anthology.read(opener(text), "a.xml", "acl-anthology"))


def med(text: str | bytes) -> list[Paper | Rejected | Note]:
    return list(pubmed.read(opener(text), "p.xml", "pubmed"))


def article(
    pmid: str = "7", title: str = "T", abstract: str = "<AbstractText>A</AbstractText>", date: str = "", more: str = ""
) -> str:
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><PubDate>{date}</PubDate>"
        f"<ArticleTitle>{title}</ArticleTitle>{more}<Abstract>{abstract}</Abstract></Article></MedlineCitation></PubmedArticle>"
    )


def articles(*inside: str) -> str:
    return "<PubmedArticleSet>\n" + "\n".join(inside) + "\n</PubmedArticleSet>"


def only(found: list[Paper | Rejected | Note]) -> Paper:
    (paper,) = found
    assert isinstance(paper, Paper)
    return paper


def test_anthology_paper_has_its_id_names_links_and_its_volumes_date() -> None:
    paper = acl(ACL)[0]
    assert isinstance(paper, Paper)
    assert (paper.paper_id, paper.url) == ("10.18653/v1/2022.acl-long.1", "https://aclanthology.org/2022.acl-long.1/")
    assert paper.title == "AdapLeR: Speeding up by k"
    assert paper.abstract == "We prune & skip. Code is at https://github.com/amodaresi/AdapLeR."
    assert (paper.authors, paper.author_count) == (("Ali Modarressi", "Madonna"), 2)
    assert (paper.date, paper.links) == ("2022-05", ("https://github.com/amodaresi/AdapLeR",))
    assert [(source.path, source.line) for source in paper.sources] == [("a.xml", 14)]


def test_anthology_rejects_what_lacks_title_or_abstract_and_skips_what_is_no_paper() -> None:
    _, *rest = acl(ACL)
    assert rest[:2] == [Rejected("a.xml", 24, 'no "abstract"'), Rejected("a.xml", 28, 'no "title"')]
    paper = only(rest[2:])
    assert (paper.paper_id, paper.date) == ("2022.acl-short.1", None)


@pytest.mark.parametrize(
    ("collection", "volume", "paper", "expected"),
    [
        ("2022.acl", "long", "1", "2022.acl-long.1"),
        ("2020.lrec", "1", "1234", "2020.lrec-1.1234"),
        ("P18", "1", "7", "P18-1007"),
        ("P18", "1", "207", "P18-1207"),
        ("W18", "63", "7", "W18-6307"),
        ("W00", "2", "7", "W00-0207"),
        ("C69", "1", "7", "C69-0107"),
        ("D19", "1", "7", "D19-1007"),
        ("D19", "50", "7", "D19-5007"),
        ("P18", "one", "7", ""),
        ("P18", "1", "9" * 5000, ""),
        ("2022.acl", "long", "../x", ""),
        ("2022.acl", "", "1", ""),
        ("", "", "", ""),
    ],
)
def test_anthology_ids_are_built_as_the_anthology_does(collection: str, volume: str, paper: str, expected: str) -> None:
    assert anthology.anthology_id(collection, volume, paper) == expected


def test_anthology_paper_without_a_usable_id_is_kept_and_noted() -> None:
    note, paper = acl(
        "<collection id='x'><volume id='1'><paper><title>T</title><abstract>A</abstract></paper></volume></collection>"
    )
    assert note == Note("a.xml", 1, "the id 'x 1 ' is left out: it is none of the Anthology's")
    assert (only([paper]).paper_id, only([paper]).url) == ("", None)


def test_pubmed_article_has_its_id_labels_names_and_date() -> None:
    paper = med(PUBMED)[0]
    assert isinstance(paper, Paper)
    assert (paper.paper_id, paper.url) == ("10.1/x", "https://pubmed.ncbi.nlm.nih.gov/31452104/")
    assert paper.title == "Uptake of CO2 in E. coli."
    assert paper.abstract == "BACKGROUND: It was unclear. RESULTS: It grew 103-fold. See https://a.org/b."
    assert (paper.authors, paper.author_count) == (("Jane Q Doe", "R Roe", "The Uptake Group"), 3)
    assert (paper.date, paper.links) == ("2019-09-05", ("https://a.org/b",))
    assert [(source.path, source.line) for source in paper.sources] == [("p.xml", 4)]


def test_pubmed_chapters_are_read_and_the_rest_is_rejected_with_its_line() -> None:
    _, bare, chapter, deletion = med(PUBMED)
    assert bare == Rejected("p.xml", 27, 'no "AbstractText"')
    assert (only([chapter]).paper_id, only([chapter]).date) == ("PMID:3", "1993")
    assert deletion == Rejected("p.xml", 31, "no article: <DeleteCitation>")


def test_bare_citations_are_read_too() -> None:
    bare = articles(article()).replace("<PubmedArticle>", "").replace("</PubmedArticle>", "")
    text = bare.replace("PubmedArticleSet", "MedlineCitationSet")
    assert pubmed.looks_like(text.encode()) == "pubmed"
    assert only(med(text)).paper_id == "PMID:7"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("<Year>1976</Year><Month>01</Month><Day>7</Day>", "1976-01-07"),
        ("<Year>1976</Year><Month>12</Month>", "1976-12"),
        ("<Year>1976</Year><Month>Feb</Month><Day>31</Day>", "1976-02"),
        ("<Year>1976</Year><Month>13</Month><Day>1</Day>", "1976"),
        ("<Year>1976</Year><Season>Spring</Season>", "1976"),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998-12"),
        ("<MedlineDate>2000 Spring-Summer</MedlineDate>", "2000"),
        ("<MedlineDate>1975-1976</MedlineDate>", "1975"),
        ("<MedlineDate>Winter 1998</MedlineDate>", "1998"),
        ("", None),
    ],
)
def test_pubmed_dates_are_as_precise_as_they_say(date: str, expected: str | None) -> None:
    assert only(med(articles(article(date=date)))).date == expected


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        ("June", "2016-06"),
        ("july 5-10", "2016-07"),
        ("28 August - 2 September", "2016-08"),
        ("11", "2016-11"),
        ("99999999999999999999", "2016"),
        ("to be announced", "2016"),
        ("", "2016"),
    ],
)
def test_months_of_volumes(month: str, expected: str) -> None:
    assert iso_date("2016", month) == expected


@pytest.mark.parametrize("year", ["", "16", "201６", "0000", "20166", "soon"])
def test_date_without_a_year_is_none(year: str) -> None:
    assert iso_date(year, "May", "1") is None


@pytest.mark.parametrize("day", ["", "0", "32", "5-7", "9" * 5000, "1e1"])
def test_day_that_is_none_is_left_out(day: str) -> None:
    assert iso_date("2016", "May", day) == "2016-05"


def test_what_pubmed_leaves_out_is_noted() -> None:
    assert med(articles(article(pmid="x", date="<Year>soon</Year>")))[:2] == [
        Note("p.xml", 2, "the PMID 'x' is left out: it is no number"),
        Note("p.xml", 2, "the date 'soon' is left out: it has no year"),
    ]


def test_title_that_pubmed_lacks_is_not_shared_by_all_of_them() -> None:
    foreign = "<VernacularTitle>Über Wasser.</VernacularTitle>"
    assert only(med(articles(article(title="[Not Available].", more=foreign)))).title == "Über Wasser."
    assert med(articles(article(title="[Not Available]."))) == [Rejected("p.xml", 2, 'no "ArticleTitle"')]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ACL, ("acl-anthology", None)),
        (PUBMED, (None, "pubmed")),
        ("\ufeff" + ACL, ("acl-anthology", None)),
        ("\n" + ACL, ("acl-anthology", None)),
        (ACL[:1000], ("acl-anthology", None)),
        (PUBMED.partition("<!DOCTYPE")[0] + "<!-- a > b --><PubmedArticleSet>", (None, "pubmed")),
        ("<!-- <PubmedArticleSet> --><feed/>", (None, None)),
        ("<collection><source>BioC</source><document/></collection>", (None, None)),
        ("<collection xmlns='http://www.loc.gov/MARC21/slim'><volume/></collection>", (None, None)),
        ("<OAI-PMH><ListRecords/></OAI-PMH>", (None, None)),
        ("<!DOCTYPE html><html><p>PubmedArticleSet</html>", (None, None)),
        ('{"title": "<PubmedArticleSet>", "abstract": "A"}\n', (None, None)),
        ("Daily Papers\n\n<PubmedArticleSet>\n", (None, None)),
        ("<?xml version='1.0' encoding='punycode'?><PubmedArticleSet>", (None, None)),
        ("<" * 60_000, (None, None)),
        ("<!--" * 15_000, (None, None)),
        ("\0\xff", (None, None)),
        ("", (None, None)),
    ],
)
def test_formats_are_known_by_their_elements(text: str, names: tuple[str | None, str | None]) -> None:
    head = text.encode()
    assert (anthology.looks_like(head), pubmed.looks_like(head)) == names


def test_other_formats_do_not_claim_xml() -> None:
    for text in (ACL, PUBMED):
        assert (jsonl.looks_like(text.encode()), listing.looks_like(text.encode())) == (None, None)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (articles(article(), "<PubmedArticle><b></PubmedArticle>"), 3, "damaged XML: mismatched tag at column 21"),
        (articles(article(), "a < b"), 3, "damaged XML: not well-formed (invalid token) at column 4"),
        (articles(article(), "&nbsp;"), 3, "damaged XML: undefined entity at column 1"),
        (articles(article()) + "\n<PubmedArticleSet/>", 4, "damaged XML: junk after document element at column 1"),
        (articles(article(), "\udcff").encode("utf-8", "surrogateescape"), 3, "damaged XML: not well-formed (invalid token) at column 1"),
        (articles(article(), "<a b='1' b='2'/>"), 3, "damaged XML: duplicate attribute at column 10"),
        (articles(article(), "<a>" + "<b>" * 200), 3, "XML that cannot be read: elements nested more than 100 deep"),
        (articles(article(), f"<a>{'<!---->' * MAX_TOKEN}"), 3, f"XML that cannot be read: a tag of more than {MAX_TOKEN:,} bytes"),
        (articles(article(), f"<a b='{'x' * 2 * MAX_TOKEN}'/>"), 3, f"XML that cannot be read: a tag of more than {MAX_TOKEN:,} bytes"),
        (articles(article(), "<" + "a" * MAX_NAMES + "/>"), 3, f"XML that cannot be read: names of more than {MAX_NAMES:,} letters in all"),
    ],
)  # fmt: skip
def test_damage_is_rejected_at_its_line_and_what_precedes_it_is_kept(text: str | bytes, line: int, why: str) -> None:
    paper, damage = med(text)
    assert only([paper]).paper_id == "PMID:7"
    assert damage == Rejected("p.xml", line, f"{why}; nothing from here on is read")


@pytest.mark.parametrize("chunk", [1, 7, 2**16])
def test_documents_one_after_another_are_all_read(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.dumps.xml._CHUNK", chunk)
    document = f"\n<?xml version='1.0'?>\n<!DOCTYPE PubmedArticleSet>\n{articles(article())}"
    found = med(document * 3 + "\n" + document)
    assert [only([paper]).sources[0].line for paper in found] == [5, 10, 15, 21]
    *papers, damage = med(document * 2 + "\n<?xml version='1.0'?>\n<collection/>")
    assert len(papers) == 2
    why = "XML that cannot be read: a document of another kind: <collection>; nothing from here on is read"
    assert damage == Rejected("p.xml", 13, why)


def test_cut_off_file_keeps_its_whole_records() -> None:
    paper, damage = med(articles(article(), article(title="cut")).partition("cut")[0])
    assert only([paper]).paper_id == "PMID:7"
    assert damage == Rejected("p.xml", 3, "the file ends early: damaged XML: no element found at column 89")


@pytest.mark.parametrize("names", ["", "a='' b='' c=''", " ".join(f"xmlns:n{i}='u'" for i in range(5))])
def test_ever_new_names_are_not_collected(names: str) -> None:
    flood = (f"<a{i} {names.replace('=', f'{i}=')}/>" for i in range(MAX_NAMES // 4))
    *_, last = med(articles(*flood))
    assert isinstance(last, Rejected)
    assert "letters in all" in last.why


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "http://example.invalid/"> %a;',
        '<!ATTLIST a b CDATA "x">',
    ],
)
def test_declarations_are_refused_and_the_file_is_still_known(declaration: str) -> None:
    text = f"<!DOCTYPE PubmedArticleSet [{declaration}]>\n{articles(article(title='&b;'))}"
    assert pubmed.looks_like(text.encode()) == "pubmed"
    why = "XML that cannot be read: a document type with declarations of its own; nothing from here on is read"
    assert med(text) == [Rejected("p.xml", 1, why)]


@pytest.mark.parametrize("encoding", ["utf-32", "zlib", "punycode", "idna", "undefined", "none-such", "big5"])
def test_encoding_that_cannot_be_read_is_rejected_with_the_reason(encoding: str) -> None:
    (damage,) = med(f"<?xml version='1.0' encoding='{encoding}'?>{articles(article())}")
    assert isinstance(damage, Rejected)
    assert damage.why.startswith("XML that cannot be read: ")


def test_latin_1_is_read() -> None:
    text = f"<?xml version='1.0' encoding='iso-8859-1'?>{articles(article(title='Über'))}"
    assert only(med(text.encode("latin-1"))).title == "Über"


@pytest.mark.parametrize("filling", ["x" * 1000, "<a/>" * 40, "<![CDATA[" + "x" * 1000 + "]]>"])
def test_endless_record_is_rejected_and_the_next_one_read(filling: str) -> None:
    times = MAX_ELEMENT // 1000 + 1
    damage, paper = med(articles("<PubmedArticle>" + filling * times + "</PubmedArticle>", article()))
    assert damage == Rejected("p.xml", 2, f"a record of more than {MAX_ELEMENT:,} characters")
    assert only([paper]).sources[0].line == 3


def test_control_characters_reach_no_title() -> None:
    assert only(med(articles(article(title="a&#x85;b\n\tc&#x2028;d")))).title == "a b c d"


class Stream(io.RawIOBase):
    """A file of many records that is nowhere held whole, and that may break."""

    def __init__(self, records: int, broken: bool = False) -> None:
        self._parts = self._text(records, broken)
        self._rest = b""

    def _text(self, records: int, broken: bool) -> Iterator[bytes]:
        yield b"<PubmedArticleSet>"
        for _ in range(records):
            yield article(abstract=f"<AbstractText>{'word ' * 2000}</AbstractText>").encode()
        if broken:
            raise Broken("the compressed data is damaged")
        yield b"</PubmedArticleSet>"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._rest = self._rest or next(self._parts, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def stream(records: int, broken: bool = False) -> Callable[[], BinaryIO]:
    return lambda: io.BufferedReader(cast(io.RawIOBase, Stream(records, broken)))


def test_memory_does_not_grow_with_the_file() -> None:
    peaks = []
    for records in (20, 120):
        tracemalloc.start()
        found = pubmed.read(stream(records), "p.xml", "pubmed")
        assert sum(isinstance(paper, Paper) for paper in found) == records
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_broken_container_keeps_what_was_read_before() -> None:
    found = pubmed.read(stream(50, broken=True), "p.xml", "pubmed")
    papers: list[Paper | Rejected | Note] = []
    with pytest.raises(Broken):
        papers.extend(found)
    assert len(papers) > 30


def test_record_within_another_is_rejected() -> None:
    outer, inner = article("1").removesuffix("</PubmedArticle>"), article("2")
    first, second = med(articles(outer, inner, "</PubmedArticle>"))
    assert first == Rejected("p.xml", 3, "a <PubmedArticle> within another")
    assert isinstance(second, Paper)
    assert second.paper_id == "PMID:1"
