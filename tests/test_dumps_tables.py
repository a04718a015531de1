"""CSV, TSV, Parquet and JSON arrays, and the fields of arXiv, Semantic Scholar and OpenAlex."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rag.dumps import fields, jsonl, tables
from rag.dumps.files import Broken, find_dumps
from rag.dumps.lines import MAX_LINE_BYTES
from rag.types import Note, Paper, Rejected, Source


def read(content: str | bytes, name: str = "t") -> list[Paper | Rejected | Note]:
    raw = content.encode() if isinstance(content, str) else content
    format_ = tables.looks_like(raw[: 2**16])
    assert format_, "no table"
    return list(tables.read(lambda: io.BytesIO(raw), name, format_))


def brief(found: list[Paper | Rejected | Note]) -> list[tuple[int, str]]:
    """The line of each record, and its title or what is wrong."""
    return [(r.sources[0].line, r.title) if isinstance(r, Paper) else (r.line, r.why) for r in found]


def record(**values: Any) -> list[Paper | Rejected | Note]:
    return list(fields.parse({"title": "T", "abstract": "A", **values}, "f", 1))


def paper(**values: Any) -> Paper:
    found = record(**values)[-1]
    assert isinstance(found, Paper), found
    return found


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        ("title,abstract\n", "csv"),
        ("\ufeffID;Paper Title;Authors;Abstract\r\n1;a;b;c\r\n", "csv"),
        ('"Title"|"Summary"\n', "csv"),
        ('"Key","Title","Publication Year","Abstract Note"\n', "csv"),
        ('"Document Title",Authors,"Abstract"\n', "csv"),
        ("paper_title\ttext\n", "tsv"),
        ('[{"title": "T"}]', "json"),
        (' [\n {\n "x": 1', "json"),
        ('{"meta": {"count": 1}, "results": [{"title": "T", "abstract": "A"}]}', "json"),
        ('{"total": 1, "data": [\n{"title": "T", "references": [' + "1," * 9, "json"),
        (b"PAR1\x15\x04", "parquet"),
        ('{"title": "T", "abstract": "A", "authors": [{"name": "N"}]}\n', None),
        ('{"authors": [{"name": "N"}], "title": "T", "abstract": "A"}\n', None),
        ('{"title": "T"}\n{"authors": [{"title": "Dr", "abstract": "x"}]}\n', None),
        ('["T", "A"]', None),
        ("title,year\n", None),
        ("Title\n\nAn abstract, with commas; and more.\n", None),
        ("@article{x, title={T}, abstract={A}}\n", None),
        ("TY  - JOUR\nTI  - T\nAB  - A\n", None),
        ("<?xml version='1.0'?><a title='t' abstract='a'/>", None),
        (b"\x00\xff\xfe", None),
        ("", None),
        ('"' * 65_536, None),
        ("[" * 65_536, None),
        ('{"a":' * 13_000, None),
        ("{" + '"a":[{' * 9_000, None),
    ],
)
def test_tables_are_known_by_their_beginning(content: str | bytes, format_: str | None) -> None:
    assert tables.looks_like(content.encode() if isinstance(content, str) else content) == format_


def test_csv_row_becomes_a_paper() -> None:
    rows = (
        '\ufeffTitle,Abstract,Authors,Year,DOI,arXiv ID\r\n"Deep, ""deeper""","One\r\ntwo.","Li, A.; Wu, B.",2022.0,'
        "10.1/x y,2212.11696\r\n\r\nNext,Abstract,A. B. and C. D.,2022-12-22 00:00:00,,\r\n"
    )
    first, second = read(rows, "t.csv")
    assert first == Paper(
        paper_id="2212.11696",
        title='Deep, "deeper"',
        abstract="One two.",
        authors=("Li, A.", "Wu, B."),
        author_count=2,
        date="2022",
        url="https://doi.org/10.1/x",
        sources=(Source("t.csv", 2),),
        doi="10.1/x",
        arxiv_id="2212.11696",
    )
    assert isinstance(second, Paper)
    assert (second.paper_id, second.authors, second.date, second.url) == ("", ("A. B.", "C. D."), "2022-12-22", None)
    assert second.sources == (Source("t.csv", 5),)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("Lonely", "1 cells under 3 columns"),
        ("a,b,c,d", "4 cells under 3 columns"),
        ("?!,b,c", 'no "title"'),
        ("a, ,c", 'no "abstract"'),
        (b"a,\xff,c", "not UTF-8: byte 0xff"),
        (b"a,\0,c", "not text: a zero byte"),
        ('a,"b"c,d', "not CSV: ',' expected after '\"'"),
        (b"a," + b"x" * MAX_LINE_BYTES + b",c", "a row of more than 8,388,608 bytes, up to line 3; is a quote open?"),
    ],
)
def test_bad_row_is_rejected_with_its_line_and_no_other(row: str | bytes, why: str) -> None:
    raw = row.encode() if isinstance(row, str) else row
    found = read(b"title,abstract,author\nFirst,A,B\n" + raw + b"\n \n,,\nLast,A,B\n")
    assert brief(found) == [(2, "First"), (3, why), (6, "Last")]


def test_reason_has_no_tab_in_it() -> None:
    assert brief(read('title\tabstract\nT\t"A"B\n')) == [(2, "not CSV: '\\t' expected after '\"'")]


def test_bytes_beside_a_quote_do_not_hide_it() -> None:
    found = read(b'title,abstract\n"First\n\xff",A\nLast,A\n')
    assert brief(found) == [(2, "not UTF-8: byte 0xff"), (4, "Last")]


def test_quote_left_open_does_not_take_the_rest_in_silence() -> None:
    assert brief(read('title,abstract\nFirst,A\nT,"A\nNext,A\n')) == [
        (2, "First"),
        (3, "not CSV: unexpected end of data, up to line 4"),
    ]
    rest = b"Next,A\n" * (MAX_LINE_BYTES // 7 + 2)
    last = brief(read(b'title,abstract\nFirst,A\nT,"A\n' + rest))
    assert last[1] == (3, "a row of more than 8,388,608 bytes, up to line 1198375; is a quote open?")
    assert last[2:] == [(1198376, "Next"), (1198377, "Next")]


def test_json_array_is_read_element_by_element() -> None:
    found = read(
        b'[{"title": "First", "abstract": "a ] } , \\" \\\\", "x": [{}, [1, 2]]},\n {"title": 1} ,\n3, {"title": "\xff"},'
        b'{"title": "NaN", "abstract": NaN}, {]}, {"a":1}}, , {"title": "\\ud800 Last", "abstract": "A"}]\n'
    )
    assert brief(found) == [
        (1, "First"),
        (2, 'no "abstract"'),
        (3, "not a JSON object"),
        (4, "not UTF-8: byte 0xff at byte 12 of the record"),
        (5, 'no "abstract"'),
        (6, "not JSON: Expecting property name enclosed in double quotes at column 2"),
        (7, "not JSON: Extra data at column 8"),
        (8, "nothing between two commas"),
        (9, "Last"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        '{"meta": {"pages": [1, [2]], "q": "[{"}, "fields": ["title"], "results": [RECORDS], "group_by": []}',
        '{"results": [RECORDS]}\n{"results": []}',
        "[RECORDS]",
        "[]\n[RECORDS]",
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 7, 2**20])
def test_json_is_cut_alike_wherever_a_chunk_ends(document: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_CHUNK", chunk)
    records = [{"title": f'T{i} \\ " [', "abstract": "A\n\\", "authors": [{"name": "N"}]} for i in range(3)]
    content = document.replace("RECORDS", ",\n".join(json.dumps(one, indent=1) for one in records)).encode()
    found = list(tables.read(lambda: io.BytesIO(content), "f", "json"))
    assert brief(found) == [(i + 1, f'T{i} \\ " [') for i in range(3)]


@pytest.mark.parametrize(
    ("content", "records", "why"),
    [
        ('[{"title": "T", "abstract": "A"}, {"title": "U"', 1, "ends before its array does"),
        ('[{"title": "T", "abstract": "A"}, {"title": "U', 1, "ends before its array does"),
        ('[{"title": "T", "abstract": "A"}]\n{"title": "U"}', 1, "something else follows"),
        ('[{"x": ' + "[" * 1_000_000, 0, "ends before its array does"),
        ('[{"x": "' + "\\" * 20_000_001, 0, "ends before its array does"),
    ],
)
def test_damaged_json_is_broken_after_what_was_good(content: str, records: int, why: str) -> None:
    found: list[object] = []
    with pytest.raises(Broken, match=why):  # noqa: PT012 - what comes before it is what is asked for
        for one in tables.read(lambda: io.BytesIO(content.encode()), "f", "json"):
            found.append(one)
    assert len(found) == records


@pytest.mark.parametrize("filling", ['"x": "' + "x" * 900_000 + '"', '"x": [' + "1," * 450_000 + "1]"])
def test_overlong_element_is_skipped_and_reported(filling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_LINE_BYTES", 100_000)
    monkeypatch.setattr(tables, "_CHUNK", 10_000)
    found = brief(read('[{%s}, {"title": "Last", "abstract": "A"}]' % filling))  # noqa: UP031 - braces
    assert found[0][1].endswith("the limit is 100,000")
    assert found[1:] == [(2, "Last")]


def test_elements_nested_too_deeply_or_with_long_numbers_are_rejected() -> None:
    found = brief(read('[{"x": %s}, {"x": %s}]' % ("[" * 99_999 + "]" * 99_999, "1" * 9_999)))  # noqa: UP031
    assert found == [(1, "not JSON: nested too deeply"), (2, "not JSON: a number of too many digits")]


def _parquet(rows: dict[str, Any], path: Path, **options: Any) -> Path:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(rows), path, **options)
    return path


def _read_file(path: Path) -> list[Paper | Rejected | Note]:
    (file,) = find_dumps([path])
    return list(tables.read(file.open, "p", "parquet"))


@pytest.mark.parametrize("compressed", [False, True])
def test_parquet_rows_become_papers(compressed: bool, tmp_path: Path) -> None:
    rows = {
        "Title": ["First", "", "Third"],
        "abstract": ["A1", "A2", "A3"],
        "authors": [["N1", "N2"], [], None],
        "year": [2022.0, 2021.0, float("nan")],
        "blob": [b"\0", b"", b""],
    }
    path = _parquet(rows, tmp_path / "x")
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    first, second, third = _read_file(path)
    assert isinstance(first, Paper)
    assert (first.title, first.authors, first.date, first.sources) == ("First", ("N1", "N2"), "2022", (Source("p", 1),))
    assert second == Rejected("p", 2, 'no "title"')
    assert isinstance(third, Paper)
    assert (third.authors, third.date) == ((), None)


def test_parquet_is_numbered_on_over_row_groups(tmp_path: Path) -> None:
    rows = {"title": [f"T{i}" for i in range(3_500)], "text": ["same"] * 3_500}
    found = brief(_read_file(_parquet(rows, tmp_path / "x", row_group_size=1_300)))
    assert found == [(i + 1, f"T{i}") for i in range(3_500)]


def test_value_that_a_small_parquet_repeats_is_held_once(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    large = arrow.DictionaryArray.from_arrays([0] * 300 + [1], ["x" * 20_000_000, "A"])  # 6 GB written out
    rows = {"title": ["T"] * 301, "abstract": large}
    path = _parquet(rows, tmp_path / "x", dictionary_pagesize_limit=2**26, store_schema=False)
    assert path.stat().st_size < 2_000_000
    *rejected, last = brief(_read_file(path))
    assert (len(rejected), last) == (300, (301, "T"))
    assert arrow.default_memory_pool().max_memory() < 500_000_000


def test_parquet_text_that_is_not_utf8_rejects_its_row(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    texts = arrow.array([b"good", b"\xff"]).view(arrow.string())
    assert brief(_read_file(_parquet({"title": ["T", "U"], "abstract": texts}, tmp_path / "x"))) == [
        (1, "T"),
        (2, "not readable: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ]


def test_parquet_without_the_columns_is_rejected(tmp_path: Path) -> None:
    found = _read_file(_parquet({"a": [1]}, tmp_path / "x"))
    assert found == [Rejected("p", 1, "no column for titles and one for abstracts")]


@pytest.mark.parametrize("damage", [lambda raw: raw[:-20], lambda raw: raw[:4] + b"\xff" * (len(raw) - 8) + b"PAR1"])
def test_damaged_parquet_is_broken(damage: Any, tmp_path: Path) -> None:
    path = _parquet({"title": ["T"], "abstract": ["A"]}, tmp_path / "x")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Broken, match="the Parquet file is damaged: "):
        _read_file(path)


def test_no_bit_of_a_parquet_footer_takes_rows_in_silence(tmp_path: Path) -> None:
    rows = {"title": ["T"] * 5, "abstract": ["A"] * 5}
    path = _parquet(rows, tmp_path / "x", row_group_size=3, store_schema=False, write_statistics=False)
    raw, hidden = path.read_bytes(), 0
    for at in range(len(raw) - 8 - int.from_bytes(raw[-8:-4], "little"), len(raw) - 8):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 8]) + raw[at + 1 :])
        try:
            found = _read_file(path)
        except Broken as exc:
            hidden += "of 5 rows can be read" in str(exc)
        else:
            assert len(found) == 5 or isinstance(found[-1], Rejected)
    assert hidden


def test_size_that_a_damaged_page_claims_is_not_reserved(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    path = _parquet({"title": ["T"], "abstract": ["A"]}, tmp_path / "x", compression=None, use_dictionary=False)
    raw, size = path.read_bytes(), b"\x15\x80\x80\x80\x80\x08"  # as Thrift writes 2**30
    header = b"\x15\x00" + raw[6:8] * 2  # a data page, its size uncompressed and compressed
    assert raw[4:10] == header
    path.write_bytes(raw[:4] + header[:2] + size * 2 + raw[10:])
    before = arrow.default_memory_pool().max_memory()
    with pytest.raises(Broken, match="the Parquet file is damaged"):
        _read_file(path)
    assert arrow.default_memory_pool().max_memory() < before + 2**26


def test_text_that_is_not_what_its_checksum_says_is_damage(tmp_path: Path) -> None:
    path = _parquet({"title": ["Title"], "abstract": ["A"]}, tmp_path / "x", write_page_checksum=True, compression=None)
    path.write_bytes(path.read_bytes().replace(b"Title", b"Tithe", 1))
    with pytest.raises(Broken, match="CRC checksum verification failed"):
        _read_file(path)


def test_missing_pyarrow_is_named_with_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Broken, match=r'pip install -c constraints\.txt -e "\.\[parquet\]"'):
        read(b"PAR1")


ARXIV = {
    "id": "0704.0001",
    "authors": "C. Bal\\'azs, E. L. Berger (ANL (Argonne)) and C.-P. Yuan",
    "title": "Calculation of prompt diphoton\n  production cross sections",
    "categories": "hep-ph cs.DL ",
    "doi": "10.1103/PhysRevD.76.013009",
    "abstract": "  A fully differential calculation\nin QCD.\n  It is.\n",
    "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}, {"version": "v2", "created": "x"}],
    "update_date": "2008-11-26",
}


def test_record_of_the_arxiv_snapshot() -> None:
    assert paper(**ARXIV) == Paper(
        paper_id="0704.0001",
        title="Calculation of prompt diphoton production cross sections",
        abstract="A fully differential calculation in QCD. It is.",
        authors=("C. Bal\\'azs", "E. L. Berger", "C.-P. Yuan"),
        author_count=3,
        date="2007-04-02",
        url="https://arxiv.org/abs/0704.0001",
        categories=("hep-ph", "cs.DL"),
        sources=(Source("f", 1),),
        doi="10.1103/physrevd.76.013009",
        arxiv_id="0704.0001v2",
    )
    parsed = paper(**ARXIV, authors_parsed=[["Balázs", "C.", ""], ["Yuan", "C. -P.", "Jr", "MSU"], ["ATLAS", "", ""]])
    assert parsed.authors == ("C. Balázs", "C. -P. Yuan Jr", "ATLAS")


@pytest.mark.parametrize(
    ("changes", "date"),
    [
        ({"versions": [{"created": "2018-01-01"}]}, "2018-01-01"),
        ({"versions": []}, "2008-11-26"),
        ({"versions": 5, "update_date": None}, None),
        ({"versions": [{"created": "Mon, 99 Apr 2007"}]}, "2008-11-26"),
    ],
)
def test_date_is_that_of_the_first_version(changes: dict[str, Any], date: str | None) -> None:
    assert paper(**{**ARXIV, **changes}).date == date


def test_arxiv_id_that_was_a_number_once_is_mended_and_noted() -> None:
    note, found = record(id="1801.0041800000001", update_date="2018-01-01")
    assert note == Note("f", 1, "the id 1801.0041800000001 is taken to be 1801.00418")
    assert isinstance(found, Paper)
    assert (found.paper_id, found.url) == ("1801.00418", "https://arxiv.org/abs/1801.00418")


def test_record_of_semantic_scholar() -> None:
    values = {
        "paperId": "649def34",
        "externalIds": {"DOI": "10.1/x", "ArXiv": "2212.11696", "CorpusId": 1},
        "url": "https://www.semanticscholar.org/paper/649def34",
        "authors": [{"authorId": "1", "name": "Y. Cai"}, {"authorId": None, "name": "Y. Zhou"}],
        "year": 2022,
        "publicationDate": "2022-12-22",
        "fieldsOfStudy": ["Computer Science"],
    }
    found = paper(**values)
    assert (found.paper_id, found.authors, found.date) == ("2212.11696", ("Y. Cai", "Y. Zhou"), "2022-12-22")
    assert (found.url, found.categories) == (values["url"], ("Computer Science",))
    bare = paper(**values | {"externalIds": {"DOI": "10.1/x"}, "publicationDate": None, "url": None})
    assert (bare.paper_id, bare.date, bare.url) == ("10.1/x", "2022", "https://doi.org/10.1/x")
    assert paper(**values | {"externalIds": None}).paper_id == "649def34"
    assert paper(corpusid=7, externalids=None).paper_id == "7"


def test_record_of_openalex() -> None:
    values = {
        "id": "https://openalex.org/W4312",
        "doi": "https://doi.org/10.1/x",
        "title": None,
        "display_name": "Reversible Columns",
        "publication_year": 2022,
        "publication_date": "2022-12-22",
        "authorships": [{"author": {"display_name": "Y. Cai"}}, {"author": {}}, "odd"],
        "abstract": None,
        "abstract_inverted_index": {"columns": [1, 3], "We": [0], "reverse": [2]},
    }
    found = paper(**values)
    assert (found.paper_id, found.title, found.abstract) == (
        "10.1/x",
        "Reversible Columns",
        "We columns reverse columns",
    )
    assert (found.authors, found.date, found.url) == (("Y. Cai",), "2022-12-22", "https://doi.org/10.1/x")
    assert paper(**values | {"doi": None}).paper_id == "https://openalex.org/W4312"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"abstract_inverted_index": {"a": [0] * 20_001}}, "has more than 20,000 words"),
        ({"abstract_inverted_index": {"a" * 1_000_000: list(range(20))}}, "has more than 20,000 words"),
        ({"abstract_inverted_index": {"a": [True]}}, "is not of words and their positions"),
        ({"abstract_inverted_index": {"a": "0"}}, "is not of words and their positions"),
        ({"abstract_inverted_index": [0]}, "is not an object"),
        ({"title": float("nan")}, 'no "title"'),
        ({"title": True}, '"title" is not a text'),
    ],
)
def test_title_or_abstract_of_a_wrong_type_is_rejected(values: dict[str, Any], why: str) -> None:
    (found,) = record(**values)
    assert isinstance(found, Rejected)
    assert why in found.why


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"authors": [1]}, 'left out: "authors" is not a list of texts'),
        ({"authors": [{"given": "A", "family": "B"}]}, 'left out: "authors" is not a list of texts'),
        ({"authors_parsed": [["a", 1]]}, 'left out: "authors" is not a list of texts'),
        ({"categories": {"cs": 1}}, 'left out: "categories" is not a list of texts'),
        ({"externalIds": {"DOI": {"x": 1}}}, 'left out: "doi" is not a text'),
        ({"url": ["https://a.b"]}, 'left out: "url" is not a text'),
        ({"published": True}, 'left out: "published" is not a text'),
        ({"date": [2022, 1, 1]}, 'left out: "date" is not a text'),
        ({"id": 1.5}, 'left out: "id" is not a text'),
        ({"id": "a\u0007"}, "the id 'a\\x07' is left out: it cannot be kept"),
        ({"id": "a\u2028"}, "the id 'a\\u2028' is left out: it cannot be kept"),
    ],
)
def test_anything_else_of_a_wrong_type_is_left_out_and_noted(values: dict[str, Any], why: str) -> None:
    note, found = record(**values)
    assert note == Note("f", 1, why)
    assert isinstance(found, Paper)
    assert (found.paper_id, found.authors, found.date, found.url, found.doi) == ("", (), None, None, None)


def test_whole_number_is_an_id_however_it_is_written() -> None:
    assert [paper(id=number).paper_id for number in (1, 1.0, "1")] == ["1"] * 3


def test_url_with_a_space_is_left_out_and_noted() -> None:
    note, found = record(url="https://a.b/c d")
    assert note == Note("f", 1, "the url 'https://a.b/c d' is left out: it is no web address")
    assert isinstance(found, Paper)
    assert found.url is None


def test_position_may_be_any_number() -> None:
    assert paper(abstract_inverted_index={"b": [10**30], "a": [-5], "gone": None}).abstract == "a b"


@pytest.mark.parametrize(
    ("values", "date", "notes"),
    [
        ({"year": 2022}, "2022", 0),
        ({"published": "2022-12-22T10:00:00Z"}, "2022-12-22", 0),
        ({"date": "Nature 5", "year": "2022"}, "2022", 0),
        ({"published": True, "year": "2022"}, "2022", 0),
        ({"publish_time": "2020-03-11"}, "2020-03-11", 0),
        ({"date": "2022-13-01"}, None, 1),
        ({"date": "0000"}, None, 1),
        ({"date": "2022-12-22" + "0" * 99_999}, None, 1),
    ],
)
def test_dates(values: dict[str, Any], date: str | None, notes: int) -> None:
    *noted, found = record(**values)
    assert isinstance(found, Paper)
    assert (found.date, len(noted)) == (date, notes)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("A. One, B. Two, and C. Three", ("A. One", "B. Two", "C. Three")),
        ("One, A.; Two, B.", ("One, A.", "Two, B.")),
        ("['A. One', \"B. O'Two\"]", ("A. One", "B. O'Two")),
        (["A. One", " ", None], ("A. One",)),
        ([{"name": "A. One"}, {"display_name": None, "id": None}], ("A. One",)),
        (
            [{"first": "A.", "middle": [], "last": "One"}, {"first": "B.", "middle": ["C."], "last": "Two"}],
            ("A. One", "B. C. Two"),
        ),
        ("  ", ()),
        ("x" + " " * 300_000 + "y", ("x y",)),
    ],
)
def test_authors_in_the_ways_they_are_written(written: object, names: tuple[str, ...]) -> None:
    assert paper(authors=written).authors == names


def test_json_lines_of_any_kind_may_be_mixed() -> None:
    lines = b'{"title": "T", "abstract": "A", "update_date": "2020-01-01"}\n{"Paper Title": "U", "summary": "S"}\n'
    assert brief(list(jsonl.read(lambda: io.BytesIO(lines), "f", "jsonl"))) == [(1, "T"), (2, "U")]
