"""BibTeX and RIS as their exporters write them, and as they arrive damaged."""

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.dumps import bibtex, jsonl, listing, read_dump, ris
from rag.dumps.files import find_dumps
from rag.dumps.latex import unicode
from rag.dumps.lines import read_lines
from rag.types import Note, Paper, Rejected

ACL = r"""@string{acl = "Association for Computational Linguistics"}

@inproceedings{muller-garcia-2019-attention,
    title = "{BERT}{'}s Attention: Pre-training of {D}eep Transformers",
    author = {M{\"u}ller, Anna  and
      Garc{\'\i}a Su{\~n}er, Jos{\'e} and
      {Barnes and Noble, Inc.}},
    editor = "Burstein, Jill",
    booktitle = "Proceedings of the " # acl # " 2019",
    month = jun,
    year = "2019",
    publisher = acl,
    url = "https://aclanthology.org/N19-1423/",
    doi = "10.18653/v1/N19-1423",
    pages = "4171--4186",
    abstract = "We say {``}it works{''} by 5{\%} \& more in $O(n^{2})$, see https://a.b/c{\_}d~\#1."
}
"""
ZOTERO = r"""
@misc{vaswani_attention_2023,
	title = {Attention {Is} {All} {You} {Need}},
	url = {http://arxiv.org/abs/1706.03762},
	doi = {10.48550/arXiv.1706.03762},
	abstract = {The "dominant" models are \{complex\vphantom{\}}.

Second paragraph.},
	urldate = {2024-01-02},
	publisher = {arXiv},
	author = {Vaswani, Ashish and Shazeer, Noam and others},
	month = aug,
	year = {2023},
	note = {arXiv:1706.03762 [cs]},
	keywords = {Computer Science - Computation and Language, Computer Science - Machine Learning},
}
"""
SCOPUS = """Scopus
EXPORT DATE: 02 January 2024

TY  - CONF
AU  - Vaswani, A.
AU  - King, M.L., Jr.
TI  - Attention is all you need
PY  - 2017
T2  - Advances in Neural Information Processing Systems
VL  - 2017-December
UR  - https://www.scopus.com/inward/record.uri?eid=2-s2.0
AB  - The dominant models are complex.
We propose a simpler one, https://a.b/c.
KW  - Attention
KW  - Translation
ER  -

TY  - JOUR
T1  - Second\u00a0title
A1  - Devlin, Jacob
Y1  - 2019/06/03/
N2  - The abstract.
DO  - https://doi.org/10.18653/v1/N19-1423
ID  - 17
ER  -
"""
SICI = "https://doi.org/10.1002/(SICI)1099-1425(200001/02)3:1<3::AID-JOS22>3.0.CO;2-9"
NOT_ENDED = "no ER ends it: its last lines may be missing"


def read(format_: object, text: str | bytes) -> list[Paper | Rejected | Note]:
    data = text if isinstance(text, bytes) else text.encode()
    assert format_ in (bibtex, ris)
    module = bibtex if format_ is bibtex else ris
    return list(module.read(lambda: io.BytesIO(data), "dump", ""))


def paper(format_: object, text: str) -> Paper:
    (found,) = read(format_, text)
    assert isinstance(found, Paper), found
    return found


def entry(**fields: str) -> str:
    given = {"title": "{T}", "abstract": "{A}", **fields}
    return "@misc{k, " + ", ".join(f"{name} = {value}" for name, value in given.items()) + "}\n"


def places(records: list[Paper | Rejected | Note]) -> list[tuple[int, str]]:
    return [(r.sources[0].line, r.title) if isinstance(r, Paper) else (r.line, r.why) for r in records]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ACL, "bibtex"),
        (ZOTERO, "bibtex"),
        ("% Encoding: UTF-8\n\n@Article{a,\n  title = {T}}", "bibtex"),
        ("This file was created with JabRef 2.10.\nEncoding: UTF8\n\n@ARTICLE{a, title={T}}", "bibtex"),
        ("@comment{x}\n", "bibtex"),
        ("@article(key,\n", "bibtex"),
        (f"@article{{{SICI},\n", "bibtex"),
        ("@inreference{k,\n", "bibtex"),
        (SCOPUS, "ris"),
        ("\ufeffTY  - JOUR\r\nTI  - T\r\n", "ris"),
        ("TY - JOUR\nT1 - T\n", None),
        ("", None),
        ("TY  - is how a record begins.\nThen comes text.", None),
        ("@dataclass(frozen=True)\nclass A: ...", None),
        ("@media (print) { }\n@alice wrote", None),
        ('{"title": "@article{a,"}', None),
        ('id,text\n1,"@article{a, title={T}}"', None),
        ("<a>\n<b/></a>", None),
        ("word " * 100 + "\n@article{a,\n", None),
        ("\x00\xff", None),
    ],
)
def test_format_is_told_by_its_content(text: str, expected: str | None) -> None:
    head = text.encode()
    assert (bibtex.looks_like(head) or ris.looks_like(head)) == expected
    assert not (bibtex.looks_like(head) and ris.looks_like(head))
    assert expected is None or not (jsonl.looks_like(head) or listing.looks_like(head))


def test_bibtex_of_the_acl_anthology() -> None:
    found = paper(bibtex, ACL)
    assert (found.paper_id, found.url) == ("10.18653/v1/n19-1423", "https://aclanthology.org/N19-1423/")
    assert found.title == "BERT's Attention: Pre-training of Deep Transformers"
    assert found.abstract == "We say “it works” by 5% & more in $O(n^{2})$, see https://a.b/c_d #1."
    assert found.authors == ("Anna Müller", "José García Suñer", "Barnes and Noble, Inc.")
    assert (found.author_count, found.date, found.sources[0].line) == (3, "2019-06", 3)


def test_bibtex_of_zotero() -> None:
    found = paper(bibtex, ZOTERO)
    assert (found.paper_id, found.title) == ("1706.03762", "Attention Is All You Need")
    assert found.abstract == 'The "dominant" models are {complex. Second paragraph.'
    assert (found.authors, found.author_count) == (("Ashish Vaswani", "Noam Shazeer"), None)  # and others
    assert (found.date, found.url) == ("2023-08", "http://arxiv.org/abs/1706.03762")
    assert found.categories == (
        "Computer Science - Computation and Language",
        "Computer Science - Machine Learning",
    )


@pytest.mark.parametrize(
    ("fields", "paper_id"),
    [
        ({"eprint": "{1706.03762}", "archivePrefix": "{arXiv}", "doi": "{10.1/x}"}, "1706.03762"),
        ({"eprint": "{1706.03762v5}", "primaryClass": "{cs.CL}"}, "1706.03762"),
        ({"eprint": "{arXiv:hep-th/9901001}"}, "hep-th/9901001"),
        ({"eprint": "{odd}", "eprinttype": "{arxiv}"}, "odd"),
        ({"eprint": "{31234567}", "eprinttype": "{pubmed}", "doi": "{10.1/x}"}, "10.1/x"),
        ({"eprint": "{1706.0376}", "archivePrefix": "{other}"}, ""),
        ({"doi": r"{https://doi.org/10.1007/978-3\_2--3}"}, "10.1007/978-3_2--3"),
        ({"doi": "{n/a}"}, ""),
        ({}, ""),
    ],
)
def test_id_is_of_arxiv_or_a_doi_and_no_citation_key(fields: dict[str, str], paper_id: str) -> None:
    assert paper(bibtex, entry(**fields)).paper_id == paper_id


@pytest.mark.parametrize(
    ("fields", "date"),
    [
        ({"year": "2017"}, "2017"),
        ({"year": "2017", "month": "jul"}, "2017-07"),
        ({"year": '"2017"', "month": '"July 5--10"'}, "2017-07"),
        ({"year": "{2017}", "month": "7", "day": "4"}, "2017-07-04"),
        ({"year": "2017", "month": 'jul # "~4"'}, "2017-07"),
        ({"year": "2017", "month": "13"}, "2017"),
        ({"date": "{2017-07-04}", "year": "2016"}, "2017-07-04"),
        ({"date": "{2017-07/2017-09}"}, "2017-07"),
        ({}, None),
    ],
)
def test_dates_of_bibtex(fields: dict[str, str], date: str | None) -> None:
    assert paper(bibtex, entry(**fields)).date == date


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ("{Vaswani, Ashish and Noam Shazeer}", ("Ashish Vaswani", "Noam Shazeer")),
        ("{van der Berg, Jr., Jan}", ("Jan van der Berg Jr.",)),
        (r"{{\'E}tienne {\L}ukasz}", ("Étienne Łukasz",)),
        ("{Anderson, Sandy AND\n\tBrand, Al}", ("Sandy Anderson", "Al Brand")),
        ("{, and x}", ("x",)),
        ("{}", ()),
    ],
)
def test_names_of_bibtex(author: str, names: tuple[str, ...]) -> None:
    assert paper(bibtex, entry(author=author)).authors == names


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\"o \'e \ss{} \o re {\'\i} \c{c} \~n \v{s} \H o \'{\i} \.I", "ö é ß øre í ç ñ š ő í İ"),
        (r"{\AA}ngstr{\"{o}}m, stra{\ss}e, na{\"{\i}}ve", "Ångström, straße, naïve"),
        (r"5\% \& a\_b \$3 \#1 \{x\}", "5% & a_b $3 #1 {x}"),
        ("50% of $5 and more", "50% of $5 and more"),
        (r"\$5 and $x_{i} \% \alpha$ or \(y_{1}\), $$z{2}$$", r"$5 and $x_{i} \% \alpha$ or \(y_{1}\), $$z{2}$$"),
        (r"$a$$b{1}$ {c}", r"$a$$b{1}$ c"),
        (r"\emph{a \textbf{b \% c}} {\em d}", "a b % c d"),
        (r"\cite{key} \alpha \frac{1}{2} {x}", r"\cite{key} \alpha \frac{1}{2} x"),
        (r"``a''---b--c~d", "“a”—b–c d"),
        (r"\url{https://a.b/~c--d\_e} https://a.b/{\textasciitilde}c", "https://a.b/~c--d_e https://a.b/~c"),
        ("{\\", "\\"),
    ],
)
def test_latex_becomes_unicode(latex: str, text: str) -> None:
    assert unicode(latex) == text


@pytest.mark.parametrize(
    "text",
    [
        '@misc(k, title = "T", abstract = {A})',
        "@misc { , title=T, abstract=A }",
        "@misc{title={T}, abstract={A}}",
        "@misc{k, title={T} abstract={A},, title={U},}",
        "@MISC{a b, TITLE\n=\n{T},\n% a comment\nAbstract={A}\n}",
        '@string{t = "T"} @string{u = t} @misc{k, title = u # "", abstract={A}}',
        "\ufeff@misc{k, title={T}, abstract={A}} text after it, me@example.org",
        '@comment{@misc{x, title={X}, abstract={A}}}\n@preamble{ "{" # "}" } @misc{k, title={T}, abstract={A}}',
        '@comment{\n@misc{x, title={X},\nabstract={5" A}}\n}\n% @misc{y, title={Y}, abstract={A}}\n' + entry(),
        '@misc{k, title={T}, abstract={A}, note={a@b{c} " \\} }, number="{"}"}',
        "@misc{k, title={T}, note={to\n@alice\n@ bob} , abstract={A}}",
        "@misc{k, title={T}, abstract={A}, month = jul 2017}",
        f"@misc{{{SICI},\ntitle={{T}}, abstract={{A}}}}",
    ],
)
def test_bibtex_in_other_shapes(text: str) -> None:
    found = paper(bibtex, text)
    assert (found.title, found.abstract) == ("T", "A")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@misc{k, title={T}}", 'no "abstract"'),
        ("@misc{k, title={{?!}}, abstract={A}}", 'no "title"'),
        ("@misc{k, abstract={A}}", 'no "title"'),
        ("@misc{k, title={T, abstract={A}\n}", "not closed before the next entry begins"),
        ('@misc{k, title="T, abstract={A}\n}', "not closed before the next entry begins"),
        ("@misc{k, title={T}, = {x}}", "not a field: '= {x}'"),
        ("@misc", "an entry without a brace: '@misc'"),
        ("@misc{k, title={" + "T" * 2**20 + "}, abstract={A}}", "longer than 1,048,576 characters"),
        ("@misc{k, title={\n" + "T {\n" * 2**19, "longer than 1,048,576 characters"),
        ('@string{a = "' + "x" * 1001 + '"}', "a @string too many, or of more than 1,000 characters: 'a'"),
        ('@string{a = "' + "x" * 1000 + '"} @misc{k, title=' + "a#" * 1100 + "a}", "longer than 1,048,576 characters"),
    ],
)
def test_bad_entry_is_rejected_and_no_other(text: str, why: str) -> None:
    good = entry()
    after = good.count("\n") + text.count("\n") + 2
    assert places(read(bibtex, good + text + "\n" + good)) == [(1, "T"), (2, why), (after, "T")]


@pytest.mark.parametrize("text", ["@misc{k, title={T}", "@comment{ x", '@misc{k, title="T}'])
def test_entry_that_the_file_cuts_off_is_rejected(text: str) -> None:
    assert places(read(bibtex, entry() + text)) == [(1, "T"), (2, "not closed before the end of the file")]


def test_bytes_that_are_no_text_reject_their_record() -> None:
    bib = entry().encode()
    assert places(read(bibtex, b"\xff\n" + bib + b"@misc{k,\ntitle={\xe9},\nabstract={A}}\n" + bib)) == [
        (1, "not UTF-8: byte 0xff at column 1"),
        (2, "T"),
        (3, "line 4: not UTF-8: byte 0xe9 at column 8"),
        (6, "T"),
    ]
    one = b"TY  - JOUR\nTI  - T\nAB  - A\nER  - \n"
    assert places(read(ris, one + b"\xff\n" + one.replace(b"A\n", b"\xe9\n") + one)) == [
        (1, "T"),
        (5, "not UTF-8: byte 0xff at column 1"),
        (6, "line 8: not UTF-8: byte 0xe9 at column 7"),
        (10, "T"),
    ]


def test_what_is_left_out_is_noted() -> None:
    bib = entry(year="{in press}", url="{javascript:x}")
    expected = [
        (1, "the date 'in press' is left out: it is not like 2022-12-22"),
        (1, "the url 'javascript:x' is left out: it is no web address"),
        (1, "T"),
    ]
    assert places(read(bibtex, bib)) == expected
    found = places(read(ris, "TY  - JOUR\nTI  - T\nAB  - A\nPY  - in press\nUR  - javascript:x\nER  - \n"))
    assert [line for line, _ in found] == [1, 1, 1]
    assert found[0][1] == "the date 'in press' is left out: it is not like 2022/12/22"


def test_ris_of_scopus_and_endnote() -> None:
    first, second = read(ris, SCOPUS)
    assert isinstance(first, Paper)
    assert isinstance(second, Paper)
    assert (first.paper_id, first.title, first.date) == ("", "Attention is all you need", "2017")
    assert (first.authors, first.author_count) == (("A. Vaswani", "M.L. King Jr."), 2)
    assert first.abstract == "The dominant models are complex. We propose a simpler one, https://a.b/c."
    assert (first.categories, first.links) == (("Attention", "Translation"), ("https://a.b/c",))
    assert first.url == "https://www.scopus.com/inward/record.uri?eid=2-s2.0"
    assert (second.paper_id, second.title, second.abstract) == ("10.18653/v1/n19-1423", "Second title", "The abstract.")
    assert (second.authors, second.date) == (("Jacob Devlin",), "2019-06-03")
    assert second.url == "https://doi.org/10.18653/v1/n19-1423"
    assert (first.sources[0].line, second.sources[0].line) == (4, 18)


@pytest.mark.parametrize(
    ("lines", "paper_id", "date"),
    [
        ("DO  - 10.48550/arXiv.1706.03762\nPY  - 2017\nDA  - 2017/06/12/", "1706.03762", "2017-06-12"),
        ("AN  - arXiv:1706.03762\nDO  - 10.1/x\nY1  - 2017/06//", "1706.03762", "2017-06"),
        ("ID  - 1706.03762\nAN  - 17\nPY  - 2017\nDA  - Jun 12", "", "2017"),
        ("DO  - none\nPY  - 2017-13-01", "", "2017"),
    ],
)
def test_ids_and_dates_of_ris(lines: str, paper_id: str, date: str) -> None:
    found = paper(ris, f"TY  - JOUR\nTI  - T\nAB  - A\n{lines}\nER  - \n")
    assert (found.paper_id, found.date) == (paper_id, date)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TY  - JOUR\r\nTI  - T\r\nAB  - A\r\nER  - \r\n", [(1, "T")]),
        ("TY  - JOUR\nT1  - T\nN2  -   A\nAI - based.\n\n      ER  - x\nER  -", [(1, "T")]),
        ("TY  - JOUR\nTI  - T\nAB  - A", [(1, NOT_ENDED), (1, "T")]),
        (
            "TY  - JOUR\nTI  - T\nAB  - A\nTY  - JOUR\nTI  -\n  T\n\nAB  - A\nER  -",
            [(1, NOT_ENDED), (1, "T"), (4, "T")],
        ),
        ("TY  - JOUR\nTI  - T\nER  -", [(1, 'no "abstract"')]),
        ("TY  - JOUR\nTI  - ?!\nAB  - A\nER  -\nER  -", [(1, 'no "title"')]),
        ("1.\nTI  - T\nAB  - A\nER  -\ntext\n", [(2, 'no "TY" before it')]),
        ("TY  - JOUR\n" + "x\n" * 2**18 + "ER  -\nTY  - JOUR\nTI  - T\nAB  - A\nER  -", None),
    ],
)
def test_ris_in_other_shapes(text: str, expected: list[tuple[int, str]] | None) -> None:
    assert places(read(ris, text)) == (expected or [(1, "longer than 1,048,576 characters"), (2**18 + 3, "T")])


def test_entry_in_ris_does_not_make_it_bibtex(write_dump: Callable[..., Path]) -> None:
    (file,) = find_dumps([write_dump("TY  - JOUR\nTI  - T\n" + entry() + SCOPUS)])
    dump = read_dump(file)
    assert (dump.format, len(dump.papers), [place.line for place in dump.rejected]) == ("ris", 2, [1])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Aarticle{k,\n  title = {T},\n  abstract = {A}\n}\n", 3),
        ("article{k, title={T}, abstract={A}}\n", 2),
        ('@articlek,\n  Abstract = "A"\n}\n', 3),
    ],
)
def test_entry_that_lost_its_beginning_is_reported_once(text: str, line: int) -> None:
    (_, first), (at, why), (_, last) = places(read(bibtex, entry() + text + entry()))
    assert (first, at, last) == ("T", line, "T")
    assert why.startswith("outside an entry: ")


HOSTILE = [
    "{",
    "}",
    '"',
    "$",
    "\\(",
    "\\[",
    "$a\\",
    "\\'",
    "\\v ",
    "\\c",
    "\\a{",
    "\\'{ ",
    " ",
    "a=",
    ",",
    "#",
    "%",
    "@a{",
]


@pytest.mark.parametrize(("piece", "end"), list(itertools.product(HOSTILE, ["}}\n", "\n"])))
def test_hostile_entry_neither_hangs_nor_hides_the_next(piece: str, end: str) -> None:
    for field in ("author={", "abstract={", ""):
        text = "@misc{k, title={T}, " + field + piece * (200_000 // len(piece)) + end
        *_, last = places(read(bibtex, text + entry()))
        assert last == (2, "T")


@pytest.mark.parametrize(
    "line",
    [
        "title=" * 40_000,
        "title" + " " * 200_000,
        "@" * 200_000,
        "@ " * 100_000,
        "@a" * 100_000,
        "@" + " " * 200_000,
        "TY" + " " * 200_000,
    ],
)
def test_hostile_line_between_records_takes_no_time(line: str) -> None:
    read(bibtex, line)
    read(ris, line)
    assert bibtex.looks_like(line.encode()) is None
    assert ris.looks_like(line.encode()) is None


def test_records_come_as_they_are_read() -> None:
    endless = itertools.chain.from_iterable(iter(lambda: read_lines(io.BytesIO(entry().encode())), None))
    assert len(list(itertools.islice(bibtex.parse(endless, "dump"), 3))) == 3
    record = "TY  - JOUR\nTI  - T\nAB  - A\nER  - \n"
    endless = itertools.chain.from_iterable(iter(lambda: read_lines(io.BytesIO(record.encode())), None))
    assert len(list(itertools.islice(ris.parse(endless, "dump"), 3))) == 3
