"""Records of one paper become one paper that knows what any of them knew."""

from pathlib import Path

import pytest

from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.merge import Merged, merge, paper_id
from rag.types import Note, Paper, Source
from tests.conftest import SEEDS


def record(title: str, abstract: str = "A.", line: int = 1, **fields: object) -> Paper:
    return Paper(str(fields.pop("paper_id", "")), title, abstract, sources=(Source("d", line),), **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def seeds() -> Merged:
    return merge(paper for dump in map(read_dump, find_dumps([SEEDS])) for paper in dump.papers)


def test_the_seeds_are_313_papers_from_375_records(seeds: Merged) -> None:
    assert len(seeds.papers) == 313
    assert sum(len(paper.sources) for paper in seeds.papers) == 375
    assert len({paper.paper_id for paper in seeds.papers}) == 313
    assert (seeds.joined, len(seeds.notes)) == (0, 1)


def test_a_paper_in_several_dumps_knows_every_place(seeds: Merged) -> None:
    paper = next(paper for paper in seeds.papers if paper.title.startswith("Neural Speech Synthesis"))
    assert [(Path(source.path).name[:3], source.line) for source in paper.sources] == [("000", 53), ("004", 45)]
    assert (paper.author_count, paper.date) == (6, "2018-09-19")


def test_rewritten_link_of_one_dump_is_not_kept_and_is_reported(seeds: Merged) -> None:
    paper = next(paper for paper in seeds.papers if paper.title.startswith("Control LLM"))
    assert paper.links == ("https://github.com/linkedin/ControlLLM", "https://huggingface.co/ControlLLM")
    assert (paper.author_count, paper.date) == (7, "2025-01-19")
    assert [(Path(place.path).name[:3], place.line) for place in seeds.notes] == [("000", 89)]


def test_titles_are_one_up_to_case_punctuation_and_spacing() -> None:
    merged = merge([record("MoE-Mamba: Fast!"), record("moe mamba  fast"), record("MoE-Mamba: Fast!")])
    assert [paper.title for paper in merged.papers] == ["MoE-Mamba: Fast!"]


def test_abstract_and_title_that_lost_are_noted_at_their_line() -> None:
    merged = merge([record("Old", "B.", line=3, paper_id="a/1"), *[record("New", "B. B", paper_id="a/1")] * 2])
    assert [(paper.paper_id, paper.title) for paper in merged.papers] == [("a/1", "New")]
    assert merged.notes == (
        Note("d", 3, "another title of 'New' was kept"),
        Note("d", 3, "another abstract of 'New' was kept"),
    )


def test_the_abstract_most_records_give_wins_then_the_last_read() -> None:
    assert merge([record("T", "old"), record("T", "old"), record("T", "new")]).papers[0].abstract == "old"
    assert merge([record("T", "old"), record("T", "new")]).papers[0].abstract == "new"


def test_fields_are_filled_from_whoever_knows_them() -> None:
    first = record("T", votes=7, date="2020-01-02", url="https://a.b", authors=("X",), author_count=1)
    (paper,) = merge([first, record("T", line=9, votes=3)]).papers
    assert (paper.votes, paper.date, paper.url, paper.authors, paper.author_count) == (
        7,
        "2020-01-02",
        "https://a.b",
        ("X",),
        1,
    )
    assert paper.sources == (Source("d", 1), Source("d", 9))


@pytest.mark.parametrize("title", ["数学", "A" * 500, "μ"])
def test_any_title_has_an_id_chroma_can_hold(title: str) -> None:
    assert 8 <= len(paper_id(title)) <= 57


def test_an_id_that_a_dump_chose_is_kept_beside_the_doi_of_another_dump() -> None:
    theirs = record("Of Nine", "It is short.", paper_id="10.1/nine", doi="10.1/nine")
    ours = record("Of Nine", "It is short.", line=2, paper_id="42", doi="10.1/nine", arxiv_id=None)
    for records in ([theirs, ours], [ours, theirs]):
        merged = merge(records)
        assert [(paper.paper_id, paper.doi) for paper in merged.papers] == [("42", "10.1/nine")]
        assert merged.joined == 1
