"""Markers, claims and quotes of an answer, as tables."""

import re

import pytest

from rag.cite import best_sentence, cite, holds
from rag.types import Paper

PAPERS = {
    1: Paper(
        "m",
        "Mercury: A Small Model",
        "Mercury is a small transformer. It reaches 71.5% accuracy on the Tides benchmark. It trains in 3 hours.",
    ),
    2: Paper("v", "Venus: Cloudy Attention", "Venus replaces attention by clouds. It is twice as fast."),
}


@pytest.mark.parametrize(
    ("written", "text", "markers"),
    [
        ("Mercury trains in 3 hours [1].", "Mercury trains in 3 hours [1].", [1]),
        ("Mercury trains in 3 hours[1].", "Mercury trains in 3 hours [1].", [1]),
        ("Mercury trains in 3 hours. [1]", "Mercury trains in 3 hours. [1]", [1]),
        ("Both are fast [1, 2].", "Both are fast [1][2].", [1, 2]),
        ("Both are fast [1] [2].", "Both are fast [1][2].", [1, 2]),
        ("Both are fast [2; 2].", "Both are fast [2].", [2]),
        ("It is fast 【2】 and small ［ 1 ］.", "It is fast [2] and small [1].", [2, 1]),
        ("No marker at all.", "No marker at all.", []),
        ("[2] says so.", "[2] says so.", [2]),
        ("", "", []),
    ],
)
def test_markers_are_written_one_way(written: str, text: str, markers: list[int]) -> None:
    cited = cite(written, PAPERS)
    assert cited.text == text
    assert [citation.marker for citation in cited.citations] == markers
    assert cited.dropped == ()


@pytest.mark.parametrize(
    ("written", "text", "dropped"),
    [
        ("It is fast [7].", "It is fast.", ["[7]"]),
        ("It is fast [1, 9] and [0].", "It is fast [1] and.", ["[9]", "[0]"]),
        ("It is fast [1", "It is fast", ["[1"]),
        ("It is fast [", "It is fast", ["["]),
        ("It is fast [【9】7].", "It is fast.", ["[9]", "[7]"]),
        ("It is fast 【" + "1" * 5_000 + "】.", "It is fast 【" + "1" * 5_000 + "】.", []),
    ],
)
def test_unknown_or_unfinished_marker_is_dropped_and_reported(written: str, text: str, dropped: list[str]) -> None:
    cited = cite(written, PAPERS)
    assert cited.text == text
    assert [item.text for item in cited.dropped] == dropped
    assert all(item.why for item in cited.dropped)


@pytest.mark.parametrize(
    "written", ["a [1] b [2][9] c [3", "[1][1][1]", "x [12] y【2】", "line [1]\nline [2]", "[1]. [2]!"]
)
def test_markers_of_the_text_are_the_citations_and_quotes_are_verbatim(written: str) -> None:
    cited = cite(written, PAPERS)
    assert {int(digits) for digits in re.findall(r"\[(\d+)\]", cited.text)} == {
        citation.marker for citation in cited.citations
    }
    assert all(q and q in citation.paper.abstract for citation in cited.citations for q in citation.quotes)


def test_quote_is_the_sentence_that_shares_most() -> None:
    (citation,) = cite("Its accuracy on Tides is 71.5% [1].", PAPERS).citations
    assert citation.quotes == ("It reaches 71.5% accuracy on the Tides benchmark.",)
    assert best_sentence("trains for 3 hours", PAPERS[1].abstract) == "It trains in 3 hours."


@pytest.mark.parametrize(
    ("claim", "supported"),
    [
        ("Mercury reaches 71.5% accuracy on Tides.", True),
        ("Mercury trains in 3 hours.", True),
        ("Mercury reaches 72.5% accuracy on Tides.", False),
        ("Mercury was funded by a bakery in Lisbon.", False),
        ("!!!", False),
    ],
)
def test_claim_is_held_if_its_numbers_and_words_are(claim: str, supported: bool) -> None:
    assert holds(claim, PAPERS[1]) is supported


def test_each_sentence_is_a_claim_with_its_own_markers() -> None:
    cited = cite("Mercury trains in 3 hours [1]. Venus is twice as fast. [2] It costs 9 euros [2]. Who knows?", PAPERS)
    assert [(claim.text, claim.markers, claim.supported) for claim in cited.claims] == [
        ("Mercury trains in 3 hours.", (1,), True),
        ("Venus is twice as fast.", (2,), True),
        ("It costs 9 euros.", (2,), False),
        ("Who knows?", (), False),
    ]
    assert [(citation.marker, citation.supported) for citation in cited.citations] == [(1, True), (2, False)]
