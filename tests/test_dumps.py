"""The three listing layouts and JSON lines, with the real traps of the seeds."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.dumps import Dump
from rag.dumps import read_dump as read_dump_file
from rag.dumps.files import find_dumps
from rag.dumps.lines import MAX_LINE_BYTES, Line
from rag.dumps.listing import page_year, parse
from rag.errors import DumpError
from rag.text import sentences
from rag.types import Note, Paper, Rejected
from tests.conftest import SEEDS

ABSTRACT = "We present a model. " * 20


# Short and long lines by turns, which a listing has, too.
NO_DUMPS = (
    "paper,abstract\n" + f'"T 0","{ABSTRACT}"\n' * 3,
    "id,content\n" + f"1,{ABSTRACT}\n" * 3,
    f"<!doctype html>\n<title>Daily Papers</title>\n{ABSTRACT}\nSubscribe\n{ABSTRACT}\n",
    f"<OAI-PMH>\n{ABSTRACT}\n<record>\n{ABSTRACT}\n",
    f"# Notes\n\n{ABSTRACT}\n\n## More notes\n\n{ABSTRACT}\n",
    f"CREATE TABLE papers (title text);\nINSERT INTO papers VALUES ('{ABSTRACT}');\n",
    f"A note\n\n{ABSTRACT}\n",
)


def read_dump(path: Path) -> Dump:
    (file,) = find_dumps([path])
    return read_dump_file(file)


def read(text: str, *, spaced: bool = True, year: int | None = None) -> list[Paper | Rejected]:
    lines = [Line(number, line) for number, line in enumerate(text.split("\n"), 1)]
    return [record for record in parse(lines, "page.txt", spaced, year) if not isinstance(record, Note)]


def papers(text: str, *, spaced: bool = True, year: int | None = None) -> list[Paper]:
    found = read(text, spaced=spaced, year=year)
    assert all(isinstance(record, Paper) for record in found), found
    return [record for record in found if isinstance(record, Paper)]


@pytest.fixture(scope="module")
def seeds() -> dict[str, list[Paper]]:
    return {dump.path[-24:-21]: list(dump.papers) for dump in map(read_dump_file, find_dumps([SEEDS]))}


@pytest.mark.parametrize(
    ("file", "layout", "records"),
    [
        ("000_bcf89fa1e8a0ffca.txt", "listing-bylines", 40),
        ("001_ad9ed74bbfabc4d1.txt", "listing-compact", 119),
        ("002_debeeccd9b0804cc.txt", "listing-compact", 119),
        ("003_3c75e1bd7a56a172.txt", "listing-bylines", 40),
        ("004_efd9a09d0d54f16e.txt", "listing-spaced", 57),
    ],
)
def test_each_seed_is_known_by_its_content(file: str, layout: str, records: int, tmp_path: Path) -> None:
    renamed = tmp_path / "anything.bin"
    renamed.write_bytes((SEEDS / file).read_bytes())
    dump = read_dump(renamed)
    assert (dump.format, len(dump.papers), dump.rejected) == (layout, records, ())
    assert dump.sha256 == hashlib.sha256(renamed.read_bytes()).hexdigest()


def test_no_chrome_of_the_page_becomes_a_title_or_abstract(seeds: dict[str, list[Paper]]) -> None:
    for paper in (paper for file in seeds.values() for paper in file):
        assert not paper.title.startswith(("Subscribe", "Get trending", "Daily Papers", "•", "·"))
        assert "•" not in paper.abstract
        assert len(paper.abstract) > 400 > 2 * len(paper.title) - 30


def test_title_glued_to_subscribe_is_freed(seeds: dict[str, list[Paper]]) -> None:
    assert (
        seeds["001"][0].title
        == "Unlocking Out-of-Distribution Generalization in Transformers via Recursive Latent Space Reasoning"
    )
    assert seeds["002"][0].title == "A Family of Pretrained Transformer Language Models for Russian"


def test_byline_gives_authors_date_and_votes(seeds: dict[str, list[Paper]]) -> None:
    first, second = seeds["000"][:2]
    assert (first.author_count, first.date, first.votes) == (5, "2025-08-05", 4)
    assert (second.author_count, second.date, second.votes) == (6, "2023-08-16", None)
    assert first.sources[0].line == 13


def test_date_without_year_is_of_the_pages_own_year(seeds: dict[str, list[Paper]]) -> None:
    dates = {paper.title.split(":")[0]: (paper.date, paper.votes) for paper in seeds["000"]}
    assert dates[
        "Representational Homomorphism Predicts and Improves Compositional Generalization In Transformer Language Model"
    ] == ("2026-01-26", None)
    assert dates["Memory Caching"] == ("2026-02-27", 1)


def test_missing_byline_lets_the_next_title_follow_the_abstract(seeds: dict[str, list[Paper]]) -> None:
    titles = [paper.title for paper in seeds["000"]]
    at = titles.index("Bottom-up Policy Optimization: Your Language Model Policy Secretly Contains Internal Policies")
    assert (seeds["000"][at].author_count, seeds["000"][at].date) == (None, None)
    assert titles[at + 1] == "Control LLM: Controlled Evolution for Intelligence Retention in LLM"
    assert seeds["000"][at + 1].date == "2025-01-19"


def test_records_of_title_and_abstract_alone(seeds: dict[str, list[Paper]]) -> None:
    assert len(seeds["004"]) == 57
    assert {(paper.author_count, paper.date) for paper in seeds["004"]} == {(None, None)}


def test_links_are_taken_from_the_abstract(seeds: dict[str, list[Paper]]) -> None:
    revcol = next(paper for paper in seeds["003"] if paper.title == "Reversible Column Networks")
    assert revcol.links == ("https://github.com/megvii-research/RevCol",)


def test_abstract_of_two_paragraphs_is_one_abstract(seeds: dict[str, list[Paper]]) -> None:
    pmet, revcol = seeds["000"][1], next(paper for paper in seeds["003"] if paper.title == "Reversible Column Networks")
    middle = pmet.abstract.index("Based on above findings")
    two = f"{pmet.title}\n\n{pmet.abstract[:middle].strip()}\n\n{pmet.abstract[middle:]}\n\n{revcol.title}\n\n{revcol.abstract}\n"
    assert [(paper.title, paper.abstract) for paper in papers(two)] == [(p.title, p.abstract) for p in (pmet, revcol)]


def test_short_last_paragraph_is_no_title(seeds: dict[str, list[Paper]]) -> None:
    revcol = next(paper for paper in seeds["003"] if paper.title == "Reversible Column Networks")
    cut = revcol.abstract.index("We release code")
    page = f"{revcol.title}\n{revcol.abstract[:cut].strip()}\n{revcol.abstract[cut:]}\n{seeds['000'][1].title}\n{seeds['000'][1].abstract}"
    assert [paper.abstract for paper in papers(page, spaced=False)] == [revcol.abstract, seeds["000"][1].abstract]


def test_page_of_titles_and_abstracts_alone_is_known(write_dump: Callable[..., Path]) -> None:
    dump = read_dump(write_dump(f"First\n{ABSTRACT}\nSecond\n{ABSTRACT}\n", "page.txt"))
    assert (dump.format, [paper.title for paper in dump.papers]) == ("listing-compact", ["First", "Second"])


def test_page_header_may_repeat_between_records() -> None:
    page = f"Daily Papers\n\nJan 8\n\nFirst Title\n\n{ABSTRACT}\n\nnew\n\nSubscribe\n\nDaily Papers\n\nMar 12\n\nSecond Title\n\n{ABSTRACT}\n"
    assert [paper.title for paper in papers(page)] == ["First Title", "Second Title"]


@pytest.mark.parametrize(
    ("byline", "expected"),
    [
        ("  • 7 authors\n·\nDec 22, 2022", (7, "2022-12-22", None)),
        ("• 1 authors\n·\nMay 3, 2021 12", (1, "2021-05-03", 12)),
        ("• 1 author · September 3, 2021 12", (1, "2021-09-03", 12)),
        ("·\nDec 22, 2022", (None, "2022-12-22", None)),
        ("Dec 22, 2022", (None, "2022-12-22", None)),
        ("• 7 authors", (7, None, None)),
        ("• 7 authors\n·\nFeb 27 1", (7, "2026-02-27", 1)),
        ("• 7 authors\n·\nFeb 31, 2022", (7, None, None)),
    ],
)
def test_bylines(byline: str, expected: tuple[int | None, str | None, int | None]) -> None:
    paper, following = papers(f"Title\n\n{ABSTRACT}\n\n{byline}\n\nNext\n\n{ABSTRACT}", year=2026)
    assert (paper.author_count, paper.date, paper.votes) == expected
    assert following.title == "Next"


def test_year_of_a_page_is_after_the_years_it_prints() -> None:
    assert page_year([Line(1, "Aug 5, 2025 4"), Line(2, "May 1, 2019"), Line(3, "Jan 26")]) == 2026
    assert page_year([Line(1, "Jan 26")]) is None


def test_guessed_year_is_noted_once_a_page(write_dump: Callable[..., Path]) -> None:
    page = "".join(
        f"Title {i}\n\n{ABSTRACT}\n\n• 2 authors\n·\n{date}\n\n"
        for i, date in enumerate(["May 1, 2019", "Jan 26", "Jan 27"])
    )
    dump = read_dump(write_dump(page, "page.txt"))
    assert [paper.date for paper in dump.papers] == ["2019-05-01", "2020-01-26", "2020-01-27"]
    assert [(note.line, note.why) for note in dump.notes] == [(15, "dates without a year are taken to be of 2020")]


@pytest.mark.parametrize("title", ["Llama 3", "Gemma 3", "Maybe 4", "Mars 5", "Octopus 12"])
def test_title_that_looks_a_little_like_a_date_is_a_title(title: str) -> None:
    page = f"First\n{ABSTRACT}\n{title}\n{ABSTRACT}\nThird\n{ABSTRACT}"
    assert [paper.title for paper in papers(page, spaced=False)] == ["First", title, "Third"]


@pytest.mark.parametrize(
    "line",
    [
        "*" + " " * 50_000 + "x",
        "• " + "1" * 50_000 + " authors",
        "." * 50_000,
        "(" * 50_000,
        "https://a" + ")" * 50_000,
    ],
)
def test_hostile_line_takes_no_time(line: str) -> None:
    started = time.monotonic()
    read(f"Title\n\n{ABSTRACT}\n\n{line}\n\n{ABSTRACT} {line}", spaced=True)
    list(sentences(line))
    assert time.monotonic() - started < 5  # it took minutes once; this is no timing but a hang


def test_date_of_an_unknown_year_is_left_out() -> None:
    assert papers(f"Title\n\n{ABSTRACT}\n\n• 2 authors\n·\nJan 26\n")[0].date is None


def test_title_without_abstract_is_rejected_with_its_line() -> None:
    first, second = read(f"First\n\n{ABSTRACT}\n\n• 2 authors\n\nLonely title\n\n• 3 authors")
    assert isinstance(first, Paper)
    assert second == Rejected("page.txt", 7, "a title without an abstract: 'Lonely title'")


def test_unreadable_line_rejects_its_record_and_no_other(write_dump: Callable[..., Path]) -> None:
    page = f"Daily Papers\nFirst\n{ABSTRACT}\nSecond\n{ABSTRACT}\nThird\n{ABSTRACT}\n".encode()
    bad = page.replace(b"Second\nWe", b"Second\n\xff\xfeWe")
    dump = read_dump(write_dump(bad, "page.txt"))
    assert [paper.title for paper in dump.papers] == ["First", "Third"]
    assert [(line.line, line.why) for line in dump.rejected] == [(4, "line 5: not UTF-8: byte 0xff at column 1")]


def test_unreadable_title_rejects_its_record_and_no_other(write_dump: Callable[..., Path]) -> None:
    page = f"Daily Papers\nFirst\n{ABSTRACT}\nSecond\n{ABSTRACT}\nThird\n{ABSTRACT}\n".encode()
    dump = read_dump(write_dump(page.replace(b"Second", b"Sec\xffnd"), "page.txt"))
    assert [paper.title for paper in dump.papers] == ["First", "Third"]
    assert [(line.line, line.why) for line in dump.rejected] == [(4, "not UTF-8: byte 0xff at column 4")]


def test_json_lines_keep_ids_and_fields(write_dump: Callable[..., Path]) -> None:
    record = {
        "id": "2212.11696",
        "title": " Reversible\nColumns ",
        "abstract": "We propose\u001b[31m RevCol.",
        "authors": ["A. Author", "B. Author"],
        "date": "2022-12-22",
        "doi": "10.1/x",
    }
    (paper,) = read_dump(write_dump(json.dumps(record) + "\n")).papers
    assert (paper.paper_id, paper.title, paper.abstract) == (
        "2212.11696",
        "Reversible Columns",
        "We propose [31m RevCol.",
    )
    assert (paper.authors, paper.author_count, paper.date, paper.url) == (
        ("A. Author", "B. Author"),
        2,
        "2022-12-22",
        "https://doi.org/10.1/x",
    )


def test_json_lines_in_other_shapes(write_dump: Callable[..., Path]) -> None:
    record = {
        "id": "",
        "_id": "a  b",
        "title": 2012,
        "abstract": "",
        "text": "Text.",
        "authors": "A. One, B. Two and C. Three",
        "doi": "https://doi.org/10.1/x",
        "categories": "cs.CL cs.AI",
        "date": "Dec 22, 2022",
        "url": "javascript:alert(1)",
    }
    dump = read_dump(write_dump(json.dumps(record) + "\n"))
    (paper,) = dump.papers
    assert (paper.paper_id, paper.doi, paper.title, paper.abstract) == ("a  b", "10.1/x", "2012", "Text.")
    assert (paper.authors, paper.categories) == (("A. One", "B. Two", "C. Three"), ("cs.CL", "cs.AI"))
    assert (paper.date, paper.url) == (None, "https://doi.org/10.1/x")
    assert [note.why for note in dump.notes] == [
        "the date 'Dec 22, 2022' is left out: it is not like 2022-12-22",
        "the url 'javascript:alert(1)' is left out: it is no web address",
    ]


def test_unreadable_first_line_does_not_hide_the_format(write_dump: Callable[..., Path]) -> None:
    dump = read_dump(write_dump(b'\xff\n{"title": "T", "abstract": "A"}\n'))
    assert (dump.format, len(dump.papers), [place.line for place in dump.rejected]) == ("jsonl", 1, [1])


def test_json_that_is_spread_over_lines_is_read_object_by_object(write_dump: Callable[..., Path]) -> None:
    first, second, third = (json.dumps({"title": t, "abstract": "A", "x": [{}]}, indent=2) for t in "TUV")
    flat = json.dumps({"title": "W", "abstract": "A"})
    damaged = second.replace(",", "", 1)
    dump = read_dump(
        write_dump(f"{first}\n{damaged}\n{third}\n{third[:-2]}\n{flat}\n{second}".encode() + b"\n{\n\xff\n}")
    )
    assert [(paper.title, paper.sources[0].line) for paper in dump.papers] == [
        ("T", 1),
        ("V", 15),
        ("W", 28),
        ("U", 29),
    ]
    assert [(place.line, place.why) for place in dump.rejected] == [
        (8, "not JSON: Expecting ',' delimiter at column 3 of its line 3"),
        (22, "an object without an end"),
        (36, "line 37: not UTF-8: byte 0xff at column 1"),
    ]


def test_object_that_is_spread_over_too_many_lines_is_reported_once(write_dump: Callable[..., Path]) -> None:
    dump = read_dump(write_dump("{\n" + "  1,\n" * 200_000 + '{"title": "T", "abstract": "A"}\n'))
    assert len(dump.papers) == 1
    assert [place.why for place in dump.rejected] == [f"an object of more than {MAX_LINE_BYTES:,} bytes"]


def test_beir_corpus_lines(write_dump: Callable[..., Path]) -> None:
    (paper,) = read_dump(write_dump(json.dumps({"_id": 4983, "title": "Title", "text": "Abstract."}) + "\n")).papers
    assert (paper.paper_id, paper.abstract) == ("4983", "Abstract.")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"title": "T"', "not JSON: Expecting ',' delimiter at column 14"),
        ('["T", "A"]', "not a JSON object"),
        ('{"title": "T"}', 'no "abstract"'),
        ('{"title": "?!", "abstract": "A"}', 'no "title"'),
        ('{"title": ["T"], "abstract": "A"}', '"title" is not a text'),
        ("[" * 100_000, "not JSON: nested too deeply"),
    ],
)
def test_bad_json_line_is_rejected_with_its_line(line: str, why: str, write_dump: Callable[..., Path]) -> None:
    dump = read_dump(write_dump('{"title": "T", "abstract": "A"}\n\n' + line + "\n"))
    assert len(dump.papers) == 1
    assert [(place.line, place.why) for place in dump.rejected] == [(3, why)]


def test_overlong_line_is_skipped_and_reported_without_being_held(write_dump: Callable[..., Path]) -> None:
    good = json.dumps({"title": "T", "abstract": "A"}).encode()
    dump = read_dump(write_dump(good + b"\n" + b"x" * 50_000_000 + b"\n" + good + b"\n"))
    assert len(dump.papers) == 2
    assert [(place.line, place.why) for place in dump.rejected] == [
        (2, f"a line of 50,000,001 bytes; the limit is {MAX_LINE_BYTES:,}")
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\n\n \n", "empty"),
        (b"\x7fELF\x00\x01", "not text: a zero byte at column 5"),
        (b"just a note\n", "no known dump format"),
        *((text.encode(), "no known dump format") for text in NO_DUMPS),
    ],
)
def test_what_is_no_dump_is_rejected_with_the_reason(content: bytes, why: str, write_dump: Callable[..., Path]) -> None:
    dump = read_dump(write_dump(content, "x.txt"))
    assert (dump.format, dump.papers) == ("unknown", ())
    assert [(place.line, place.why) for place in dump.rejected] == [(1, why)]


@pytest.mark.parametrize(
    ("content", "format_"),
    [("title,abstract\n", "csv"), ("@string{a = {b}}\n", "bibtex"), ("<PubmedArticleSet/>", "pubmed")],
)
def test_dump_without_a_record_is_rejected(content: str, format_: str, write_dump: Callable[..., Path]) -> None:
    dump = read_dump(write_dump(content))
    assert [place.why for place in dump.rejected] == [f"no record in it, though it looks like {format_}"]


def test_dump_that_vanishes_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match=r"There is no dump at .*gone\.txt"):
        read_dump(tmp_path / "gone.txt")
    (tmp_path / "gone.txt").touch()
    (file,) = find_dumps([tmp_path / "gone.txt"])
    (tmp_path / "gone.txt").unlink()
    with pytest.raises(DumpError, match=r"Cannot read .*gone\.txt: No such file"):
        read_dump_file(file)


def test_folder_without_dumps_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    with pytest.raises(DumpError, match="No dumps in the folder"):
        list(find_dumps([tmp_path / "empty"]))


def test_file_named_twice_is_read_once(write_dump: Callable[..., Path], tmp_path: Path) -> None:
    path = write_dump([("T", "A")])
    assert [file.path for file in find_dumps([path, tmp_path, Path("dump.jsonl"), path])] == [path]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: os.mkfifo(path), r"odd is not a regular file"),
        (lambda path: path.symlink_to("nowhere"), r"There is no dump at .*odd"),
    ],
)
def test_what_is_no_file_is_an_error_and_not_skipped(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    make(tmp_path / "odd")
    for paths in ([tmp_path / "odd"], [tmp_path]):
        with pytest.raises(DumpError, match=message):
            list(find_dumps(paths))


def test_overlong_name_is_an_error() -> None:
    with pytest.raises(DumpError, match="File name too long"):
        list(find_dumps([Path("x" * 300)]))
