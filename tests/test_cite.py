"""Markers, claims and quotes of an answer, as tables; and the same while it is written."""

import itertools
import random
import re

import pytest

from benchmarks.planted import KINDS, honest_cases, is_caught, is_flagged, plant
from rag.cite import Checker, cite
from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.merge import merge
from rag.text import sentences, unmarked
from rag.types import Claim, Dropped, Paper
from tests.conftest import SEEDS

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
        ("Mercury has clouds [1, 2].", "Mercury has clouds [1][2].", [1, 2]),
        ("Mercury has clouds [1] [2].", "Mercury has clouds [1][2].", [1, 2]),
        ("Mercury has clouds [1], [2].", "Mercury has clouds [1][2].", [1, 2]),
        ("It is fast [2; 2].", "It is fast [2].", [2]),
        ("It is fast 【2】 and small ［ 1 ］.", "It is fast [2] and small [1].", [2, 1]),
        ("1. It is fast [2].\n2. It is small [1].", "1. It is fast [2].\n2. It is small [1].", [2, 1]),
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


@pytest.mark.parametrize("lead_in", ["Here are the key findings:", "Key findings:", "Here's a summary of the papers:"])
def test_lead_in_is_no_claim(lead_in: str) -> None:
    text = f"{lead_in}\n- Mercury trains in 3 hours [1]."
    assert (cited := cite(text, PAPERS)).text == text
    assert [claim.supported for claim in cited.claims] == [True]
    assert len(cite("Here is the cure of cancer: Mercury.", PAPERS).claims) == 1


@pytest.mark.parametrize(
    ("written", "text", "dropped"),
    [
        ("It is fast [7].", "It is fast.", ["[7]"]),
        ("It is small [1, 9] and [0].", "It is small [1] and.", ["[9]", "[0]"]),
        ("It is small [1], [9]; [0].", "It is small [1].", ["[9]", "[0]"]),
        ("It is fast [1", "It is fast", ["[1"]),
        ("It is fast [", "It is fast", ["["]),
        ("It is fast [【9】7].", "It is fast.", ["[9]", "[7]"]),
        ("It is fast 【" + "1" * 5_000 + "】.", "It is fast 【" + "1" * 5_000 + "】.", []),
        ("[1]", "", ["[1]"]),
    ],
)
def test_unknown_or_unfinished_marker_is_dropped_and_reported(written: str, text: str, dropped: list[str]) -> None:
    cited = cite(written, PAPERS)
    assert cited.text == text
    assert [item.text for item in cited.dropped] == dropped
    assert all(item.why for item in cited.dropped)


def test_each_sentence_is_a_claim_with_its_own_markers() -> None:
    cited = cite("Mercury trains in 3 hours [1]. Venus is twice as fast. [2] It costs 9 euros [2]. Who knows?", PAPERS)
    assert cited.claims == (
        Claim("Mercury trains in 3 hours.", (1,), True, "It trains in 3 hours."),
        Claim("Venus is twice as fast.", (2,), True, "It is twice as fast."),
        Claim("It costs 9 euros.", (2,), False, "Venus replaces attention by clouds.", "9 is not in [2]"),
        Claim("Who knows?", (), False, "", "no passage is cited for it"),
    )
    assert [(citation.marker, citation.supported) for citation in cited.citations] == [(1, True), (2, False)]


@pytest.mark.parametrize(
    ("written", "text", "dropped"),
    [
        # a wrong marker moves to the passage that holds the sentence
        ("Mercury trains in 3 hours [2].", "Mercury trains in 3 hours [1].", ["[2]: its sentence is from [1]"]),
        # a needless one goes
        ("It trains in 3 hours [1][2].", "It trains in 3 hours [1].", ["[2]: it does not hold its sentence"]),
        # a sentence without one gets that of the one passage that clearly holds it
        ("Mercury is a small transformer.", "Mercury is a small transformer [1].", []),
        ("It is fast.", "It is fast.", []),
        # each part of a sentence has its own, and one of them is wrong
        (
            "Mercury trains in 3 hours [1], while Venus replaces attention by clouds [1].",
            "Mercury trains in 3 hours [1], while Venus replaces attention by clouds [2].",
            ["[1]: its sentence is from [2]"],
        ),
        # a sentence that joins two passages keeps both
        (
            "Mercury trains in 3 hours, while Venus replaces attention by clouds [1][2].",
            "Mercury trains in 3 hours, while Venus replaces attention by clouds [1][2].",
            [],
        ),
    ],
)
def test_markers_move_to_what_holds_the_sentence(written: str, text: str, dropped: list[str]) -> None:
    cited = cite(written, PAPERS)
    assert cited.text == text
    assert [f"{item.text}: {item.why}" for item in cited.dropped] == dropped
    assert all(claim.supported == (bool(claim.markers)) for claim in cited.claims)


@pytest.mark.parametrize(
    ("written", "text", "supported"),
    [
        # by itself "it" is what the marker names
        ("It trains in 3 hours [2].", "It trains in 3 hours [2].", [False]),
        ("It trains in 3 hours.", "It trains in 3 hours.", [False]),
        ("Venus is twice as fast [2]. It trains in 3 hours [2].", None, [True, False]),
        ("Venus is twice as fast [2]. In short, the model trains in 3 hours.", None, [True, False]),
        # after another sentence it may be what that one speaks of
        (
            "Mercury is a small transformer [1]. It trains in 3 hours [2].",
            "Mercury is a small transformer [1]. It trains in 3 hours [1].",
            [True, True],
        ),
        (
            "Mercury is a small transformer [1]. It trains in 3 hours.",
            "Mercury is a small transformer [1]. It trains in 3 hours [1].",
            [True, True],
        ),
    ],
)
def test_no_marker_changes_what_a_pronoun_means(written: str, text: str | None, supported: list[bool]) -> None:
    cited = cite(written, PAPERS)
    assert cited.text == (text or written)
    assert [claim.supported for claim in cited.claims] == supported


@pytest.mark.parametrize(
    ("written", "supported"),
    [
        # phrases that no passage holds by themselves
        ("Mercury [1] replaces attention by clouds [2].", False),
        ("The small transformer called Mercury [1] replaces attention by clouds [2].", False),
        # parts without a subject have that of the first
        ("Mercury is a small transformer, and replaces attention by clouds [1][2].", False),
        ("Mercury is a small transformer [1], and replaces attention by clouds [2].", False),
        ("Mercury is a small transformer [1], and it replaces attention by clouds [1].", False),
        ("It trains in 3 hours, and it replaces attention by clouds [1][2].", False),
        ("Mercury is a small transformer [1] and trains in 3 hours [1].", True),
        ("Mercury is a small transformer, and Venus replaces attention by clouds [1][2].", True),
    ],
)
def test_parts_of_a_sentence_keep_their_subject(written: str, supported: bool) -> None:
    (claim,) = cite(written, PAPERS).claims
    assert claim.supported == supported


def test_markers_glued_to_the_stop_end_their_sentence() -> None:
    cited = cite("Mercury is a small transformer.[1] It trains in 5 hours.[1, 2] Venus is twice as fast.[2]", PAPERS)
    assert [(claim.text, claim.supported) for claim in cited.claims] == [
        ("Mercury is a small transformer.", True),
        ("It trains in 5 hours.", False),
        ("Venus is twice as fast.", True),
    ]


def test_at_most_three_passages_are_cited_for_a_sentence() -> None:
    same = {marker: Paper(str(marker), f"Paper {marker}", PAPERS[1].abstract) for marker in range(1, 6)}
    assert cite("It trains in 3 hours [1][2][3][4][5].", same).text == "It trains in 3 hours [1][2][3]."


def test_no_marker_is_guessed_where_two_passages_hold_the_sentence() -> None:
    same = {1: PAPERS[1], 2: Paper("n", "Another", PAPERS[1].abstract)}
    (claim,) = cite("Mercury is a small transformer.", same).claims
    assert (claim.supported, claim.markers, claim.why) == (False, (), "no passage is cited for it")


_FRAGMENTS = [
    *[
        "Mercury trains in 3 hours",
        "It is fast",
        "Venus is twice as fast",
        " while ",
        " We win",
        "performance.In truth, ",
    ],
    *[" [1]", ".[1] ", "[2]", "[9]", "【2】", "[1, 2]", "[ 1 ]", "［1］", "[1][2]", "[", "]"],
    *[".", "!", "?", "...", ";", " ", "   ", "\n", "\n\n", "1. ", "- ", "*", '"'],
    *[" etc.", " e.g.", " Fig.", "No. 5", "2.5", "3", "A"],
]


def test_refused_sentence_is_dropped_and_its_line_end_stays() -> None:
    checker = Checker(PAPERS, lambda sentence: "it shouts" if sentence.endswith("!") else "")
    checker.feed("It is fast [2]. Buy now! Buy!\nIt is small [1].")
    checker.finish()
    assert checker.cited().text == "It is fast [2]. \nIt is small [1]."
    assert checker.cited().dropped == (Dropped("Buy now!", "it shouts"), Dropped("Buy!", "it shouts"))


def test_list_items_stay_in_their_places() -> None:
    text = "1. It is fast [2].\n2. It trains in 3 hours [1].\n---\nIn summary, both are fast."
    assert cite(text, PAPERS).text == text


def test_any_cut_into_pieces_gives_the_same_claims() -> None:
    chance = random.Random(1)
    for _ in range(1_000):
        text = "".join(chance.choice(_FRAGMENTS) for _ in range(chance.randrange(1, 18)))
        whole = cite(text, PAPERS)
        checker, claims, rest = Checker(PAPERS), [], text
        while rest:
            size = chance.randrange(1, 12)
            claims += checker.feed(rest[:size])
            rest = rest[size:]
        claims += checker.finish()
        assert (checker.cited(), tuple(claims)) == (whole, whole.claims), text
        assert re.sub("[^a-zA-Z]", "", whole.text) == re.sub("[^a-zA-Z]", "", text)
        markers = {citation.marker for citation in whole.citations}
        assert {int(digits) for digits in re.findall(r"\[(\d+)\]", whole.text)} == markers, text
        assert markers == {marker for claim in whole.claims for marker in claim.markers}
        assert all(quote and quote in item.paper.abstract for item in whole.citations for quote in item.quotes)
        assert all(claim.supported != bool(claim.why) for claim in whole.claims)


@pytest.fixture(scope="module")
def seeds() -> list[Paper]:
    return list(merge(paper for file in find_dumps([SEEDS]) for paper in read_dump(file).papers).papers)


def test_every_sentence_of_the_seeds_is_held_by_its_own_passage(seeds: list[Paper]) -> None:
    amiss = [
        claim
        for paper, other in itertools.pairwise(seeds)
        for sentence in sentences(paper.abstract)
        for claim in cite(f"{unmarked(sentence)} [1]", {1: paper, 2: other}).claims
        if not claim.supported or claim.markers != (1,)
    ]
    assert amiss == []


def test_planted_errors_are_caught_and_honest_answers_are_not_flagged(seeds: list[Paper]) -> None:
    cases = honest_cases(seeds, 60, seed=1)
    assert sum(map(is_flagged, cases)) <= 0.05 * len(cases)
    for kind in KINDS:
        planted = [made for case in cases if (made := plant(case, kind, random.Random(case.text)))]
        # few sentences open with a name or a mention, or have two numbers of one unit
        assert len(planted) >= (5 if kind in {"subject", "exchange"} else 20)
        assert sum(map(is_caught, planted)) >= 0.95 * len(planted), kind
