"""What makes records one paper: ids in every spelling, and titles where the ids leave it open."""

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.dumps.identity import arxiv_in, as_paper, doi_in
from rag.merge import merge
from rag.types import Note, Paper, Source

COLUMNS = "We propose reversible columns, which keep all features of an image and reach 90 percent on ImageNet."
EDITED = "We propose reversible columns, which keep most features of images and now reach 91 percent on ImageNet."
MINING = "Selfish miners withhold blocks. A Markov chain tells when that pays under the rewards of uncles."


def record(title: str, *ids: str, abstract: str = COLUMNS, line: int = 1, own: str = "", kept: str = "") -> Paper:
    return as_paper(Source("d", line), title, abstract, ids=ids, own_id=own, kept_id=kept)


def ids(records: Iterable[Paper]) -> list[str]:
    return [paper.paper_id for paper in merge(records).papers]


@pytest.mark.parametrize(
    ("text", "arxiv", "doi"),
    [
        ("2212.11696", "2212.11696", ""),
        ("2212.11696v12", "2212.11696v12", ""),
        ("arXiv: 2212.11696 [cs.CV]", "2212.11696", ""),
        ("http://arxiv.org/abs/2212.11696v1", "2212.11696v1", ""),
        ("https://www.arxiv.org/pdf/2212.11696.pdf", "2212.11696", ""),
        ("10.48550/ARXIV.2212.11696", "2212.11696", "10.48550/arxiv.2212.11696"),
        ("https://doi.org/10.48550/arXiv.2212.11696", "2212.11696", "10.48550/arxiv.2212.11696"),
        ("cs/0112017v2", "cs/0112017v2", ""),
        ("math.GT/0309136", "math/0309136", ""),
        ("solv-int/9901001", "solv-int/9901001", ""),
        ("10.1109/CVPR.2023.1", "", "10.1109/cvpr.2023.1"),
        ("doi:10.1109/CVPR.2023.1.", "", "10.1109/cvpr.2023.1"),
        ("dx.doi.org/10.1109/X (last seen in May)", "", "10.1109/x"),
        ("https://openalex.org/W4312", "", ""),
        ("2213.11696", "", ""),  # no month
        ("12345.6789", "", ""),
        ("10.5", "", ""),
        ("", "", ""),
    ],
)
def test_ids_in_the_ways_they_are_written(text: str, arxiv: str, doi: str) -> None:
    assert (arxiv_in(text), doi_in(text)) == (arxiv, doi)


@pytest.mark.parametrize(
    ("found", "paper_id", "doi", "arxiv_id"),
    [
        (record("T", "10.1/X", "arXiv:2212.11696v2", own="7"), "2212.11696", "10.1/x", "2212.11696v2"),
        (record("T", "10.48550/arXiv.2212.11696", own="7"), "2212.11696", None, "2212.11696"),
        (record("T", "n/a", "https://doi.org/10.1/X", own="7"), "10.1/x", "10.1/x", None),
        (record("T", "n/a", own="PMID:7"), "PMID:7", None, None),
        (record("T", own="10.1/X"), "10.1/x", "10.1/x", None),
        (record("T"), "", None, None),
    ],
)
def test_id_is_of_arxiv_else_the_doi_else_its_own(
    found: Paper, paper_id: str, doi: str | None, arxiv_id: str | None
) -> None:
    assert (found.paper_id, found.doi, found.arxiv_id) == (paper_id, doi, arxiv_id)


DUMPS = {
    "a.jsonl": json.dumps(
        {"id": "2212.11696", "title": "Reversible Columns", "abstract": COLUMNS, "versions": [{"version": "v2"}]}
    ),
    "b.json": json.dumps(
        [
            {
                "paperId": "649d",
                "externalIds": {"DOI": "10.48550/ARXIV.2212.11696"},
                "title": "Reversible columns",
                "abstract": COLUMNS,
            },
            {
                "id": "https://openalex.org/W4312",
                "doi": "https://doi.org/10.1109/CVPR.2023.1",
                "display_name": "Reversible Columns",
                "abstract_inverted_index": {word: [at] for at, word in enumerate(dict.fromkeys(EDITED.split()))},
            },
        ]
    ),
    "c.bib": f"@misc{{cai, title={{Reversible Columns}}, eprint={{2212.11696v1}}, abstract={{{EDITED}}}}}",
    "d.ris": f"TY  - CONF\nTI  - Reversible Column Networks\nDO  - 10.1109/cvpr.2023.1\nAB  - {EDITED}\nER  - \n",
    "e.xml": '<collection id="2023.x"><volume id="long"><paper id="1"><title>Reversible Columns</title>'
    f"<abstract>{EDITED}</abstract><doi>10.1109/CVPR.2023.1</doi></paper></volume></collection>",
    "f.csv": f'title,abstract,url\nColumns,"{COLUMNS}",https://arxiv.org/abs/2212.11696v2\n',
}


def test_one_paper_in_every_format_is_one_paper(tmp_path: Path, write_dump: Callable[..., Path]) -> None:
    paths = [write_dump(content, name) for name, content in DUMPS.items()]
    merged = merge(paper for file in find_dumps(paths) for paper in read_dump(file).papers)
    (paper,) = merged.papers
    assert (paper.paper_id, paper.arxiv_id, paper.doi) == ("2212.11696", "2212.11696v2", "10.1109/cvpr.2023.1")
    assert (paper.title, len(paper.sources)) == ("Reversible Columns", 7)
    joined = [(Path(note.path).name, note.why) for note in merged.notes if note.why.startswith("joined")]
    assert merged.joined == 3
    assert joined == [
        (name, f"joined with 'Reversible Columns' (2212.11696) by its {sign}")
        for name, sign in (("b.json", "title"), ("d.ris", "id"), ("e.xml", "title"))
    ]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record("A", "2212.11696v1"), record("B", "2212.11696v2", abstract=MINING)], ["2212.11696"]),
        ([record("A", "10.1/X"), record("a!", "10.1/x", abstract=MINING)], ["10.1/x"]),
        ([record("A", "10.1/x"), record("B", "10.1/x", abstract=EDITED)], ["10.1/x"]),
        ([record("A", "2212.11696", "10.1/x"), record("B", "10.1/x", abstract=EDITED)], ["2212.11696"]),
        ([record("A", "2212.11696"), record("A", "10.1/x", abstract=EDITED)], ["2212.11696"]),
        ([record("A", own="W1"), record("A", own="PMID:7", abstract=EDITED)], ["PMID:7"]),
        ([record("A", "1805.07484"), record("A", "1910.01921", abstract=EDITED)], ["1805.07484"]),
        ([record("A", "2212.11696"), record("A", abstract=MINING)], ["2212.11696"]),
        ([record("A"), record("A", abstract=MINING)], ["a-ca978112"]),
    ],
)
def test_records_of_one_paper(records: list[Paper], expected: list[str]) -> None:
    assert ids(records) == expected
    assert ids(records[::-1]) == expected


SAMPLE = "10.1145/1122445.1122456"  # stands in ACM's template, and so below many papers


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record("Selfish Mining", "1901.04620"), record("Selfish Mining", "1904.13330", abstract=MINING)], {"1901.04620", "1904.13330"}),
        ([record("Summary", own="885056"), record("Summary", own="13492264", abstract=MINING)], {"885056", "13492264"}),
        ([record("A", "1804.05839", SAMPLE), record("B", "1907.00157", SAMPLE)], {"1804.05839", "1907.00157"}),
        ([record("A", SAMPLE), record("B", SAMPLE, abstract=MINING)], {f"{SAMPLE} a-9a641d1e", f"{SAMPLE} b-5ed96e76"}),
        ([record("A", own="1"), record("B", own="1", abstract=MINING)], {"1 a-87a4add6", "1 b-2c3b670c"}),
        ([record("A", "2212.11696", kept="1"), record("B", "2301.00001", kept="1", abstract=MINING)], {"1 a-2d21dd9c", "1 b-f725ea88"}),
        ([record("A", "10.1/a-b", kept="1"), record("A", "10.1/a.b", kept="1", abstract=MINING)], {"1 a-bc02d3b5", "1 a-088ca029"}),
        ([record("A", own="a-ca978112"), record("A", own="b", abstract=MINING), record("A", abstract="No.")], {"a-ca978112 a-523ed797", "b", "a-ca978112 a-7361a6f4"}),
        ([record("A", own="a-ca978112"), record("A", own="b"), record("a", own="c", abstract=MINING)], {"a-ca978112", "c"}),
    ],
)  # fmt: skip
def test_records_of_different_papers(records: list[Paper], expected: set[str]) -> None:
    assert set(ids(records)) == expected
    assert set(ids(records[::-1])) == expected


def test_record_joined_by_a_doi_is_noted_so() -> None:
    merged = merge([record("A", "2212.11696", "10.1/x"), record("B", "10.1/X", line=7)])
    assert [note for note in merged.notes if note.why.startswith("joined")] == [
        Note("d", 7, "joined with 'B' (2212.11696) by its DOI")
    ]


def test_third_record_does_not_chain_two_arxiv_ids() -> None:
    first, second = record("A", "1901.04620"), record("A", "1904.13330", abstract=MINING)
    between = record("A", "10.1/x", abstract=f"{COLUMNS} {MINING}")
    assert ids([first, second, between]) == ["1901.04620", "1904.13330"]


@pytest.mark.parametrize(("abstract", "paper_id"), [(EDITED, "1901.04620"), (MINING + " Yes.", "1904.13330")])
def test_record_without_id_joins_the_paper_it_is_like(abstract: str, paper_id: str) -> None:
    papers = [record("A", "1901.04620"), record("A", "1904.13330", abstract=MINING)]
    merged = merge([*papers, record("A", abstract=abstract, line=9)])
    assert [len(paper.sources) for paper in merged.papers if paper.paper_id == paper_id] == [2]
    assert f"joined with 'A' ({paper_id}) by its title" in [note.why for note in merged.notes if note.line == 9]


def test_record_without_id_that_is_like_no_paper_stays_apart() -> None:
    papers = [record("A", "1901.04620"), record("A", "1904.13330", abstract=MINING)]
    assert ids([*papers, record("A", abstract="Nothing of this.")]) == ["1901.04620", "1904.13330", "a-ca978112"]


def test_wording_of_the_newest_version_is_kept_whenever_it_is_read() -> None:
    old, new = record("Old", "2212.11696v9", line=1), record("New", "2212.11696v10", abstract=EDITED, line=2)
    for records in ([new, old, old], [old, old, new]):
        (paper,) = merge(records).papers
        assert (paper.title, paper.abstract, paper.arxiv_id) == ("New", EDITED, "2212.11696v10")
        assert {note.line for note in merge(records).notes} == {1}
    (paper,) = merge([new, old, record("Printed", "2212.11696", abstract=MINING)]).papers
    assert (paper.title, paper.arxiv_id) == ("Printed", "2212.11696v10")  # no version known: as new as any


def test_which_records_are_joined_does_not_depend_on_their_order() -> None:
    dice = random.Random(1)
    abstracts = [COLUMNS, EDITED, MINING, f"{COLUMNS} {MINING}", "Nothing of this."]
    counts = set()
    for _ in range(30):
        records = [
            record(
                dice.choice("AABBCD"),
                dice.choice(["", "", "2212.11696v1", "2212.11696v2", "1901.04620", "1904.13330"]),
                dice.choice(["", "", "10.1/x", "10.1/y"]),
                abstract=dice.choice(abstracts),
                line=line,
                own=dice.choice(["", "1", "2"]),
            )
            for line in range(12)
        ]
        papers = {paper.paper_id: set(paper.sources) for paper in merge(records).papers}
        assert sum(map(len, papers.values())) == 12
        counts.add(len(papers))
        for _ in range(5):
            again = merge(dice.sample(records, len(records)))
            assert {paper.paper_id: set(paper.sources) for paper in again.papers} == papers
    assert len(counts) > 3


def test_title_of_very_many_papers_says_nothing() -> None:
    papers = [record("Editorial", f"10.1/{number}", abstract=f"{COLUMNS} {number}") for number in range(21)]
    assert len(ids(papers)) == 21
    assert len(ids(papers[:20])) == 1
