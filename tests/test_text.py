"""Sentences, links and cleaning, as tables."""

import pytest

from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.text import clean, links, sentences, title_key, unmarked
from tests.conftest import SEEDS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It gains 1.2 points. It uses ViT-B/16.", ["It gains 1.2 points.", "It uses ViT-B/16."]),
        ("Models (e.g. BERT) work, i.e. Transformers do.", ["Models (e.g. BERT) work, i.e. Transformers do."]),
        ("Following Vaswani et al. (2017), we train.", ["Following Vaswani et al. (2017), we train."]),
        ("As of Chen et al. We differ.", ["As of Chen et al.", "We differ."]),
        ("See Fig. 3 and Eq. 2. Then stop.", ["See Fig. 3 and Eq. 2.", "Then stop."]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
        ("Loss falls (by 3%.) Next.", ["Loss falls (by 3%.)", "Next."]),
        ("performance.In contrast, we win.", ["performance.", "In contrast, we win."]),
        ("Use Node.js and U.S. Data.", ["Use Node.js and U.S. Data."]),
        ("$O(n)$ is good. $O(n^2)$ is not.", ["$O(n)$ is good.", "$O(n^2)$ is not."]),
        ("Code: https://a.b/c. Data: https://d.e.", ["Code: https://a.b/c.", "Data: https://d.e."]),
        ("in 256times 256. 3D models follow.", ["in 256times 256.", "3D models follow."]),
        ("Noise is i.i.d. Gaussian (a.k.a. White), s.t. $x>0$.", ["Noise is i.i.d. Gaussian (a.k.a. White), s.t. $x>0$."]),
        ("It is a.s. Lipschitz by Thm. 3, Prop. 2 and Eqn. 3.", ["It is a.s. Lipschitz by Thm. 3, Prop. 2 and Eqn. 3."]),
        ("Data are non-i.i.d. Dirichlet. We win.", ["Data are non-i.i.d. Dirichlet.", "We win."]),
        ("We sample i.i.d. The bound holds w.h.p. Again, we win.", ["We sample i.i.d.", "The bound holds w.h.p.", "Again, we win."]),
        ("In Vol. 2, no. 7, pp. 3 it wins (max. 5).", ["In Vol. 2, no. 7, pp. 3 it wins (max. 5)."]),
        ("It gains 2 pp. We find the max. It ends.", ["It gains 2 pp.", "We find the max.", "It ends."]),
        ("Seen on Jan. 12. In Phys. Rev. Lett. 9, too.", ["Seen on Jan. 12.", "In Phys. Rev. Lett. 9, too."]),
        ("DR. SAF screens for DR. We win.", ["DR. SAF screens for DR.", "We win."]),
        ("Ph.D. Students win 52.6 v.s. 45.2 points.", ["Ph.D. Students win 52.6 v.s. 45.2 points."]),
        ("Tasks, images, etc. These vary.", ["Tasks, images, etc.", "These vary."]),
        ("Use torch.Tensor and Boost.Geometry.Index or Yandex.Toloka, too.", ["Use torch.Tensor and Boost.Geometry.Index or Yandex.Toloka, too."]),
        ("We use Facebook.The crawler wins.", ["We use Facebook.", "The crawler wins."]),
        ("", []),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert list(sentences(text)) == expected


def test_every_sentence_of_the_seeds_is_verbatim_and_none_is_lost() -> None:
    for paper in (paper for dump in map(read_dump, find_dumps([SEEDS])) for paper in dump.papers):
        cut = sentences(paper.abstract)
        assert all(sentence in paper.abstract for sentence in cut)
        assert "".join("".join(cut).split()) == "".join(paper.abstract.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at https://github.com/a/b.", ("https://github.com/a/b",)),
        ("(https://a.b/c) and https://a.b/c, again", ("https://a.b/c",)),
        ("https://en.wikipedia.org/wiki/Mamba_(snake)", ("https://en.wikipedia.org/wiki/Mamba_(snake)",)),
        ("elided: https://... or https://", ()),
        ("no link", ()),
    ],
)
def test_links(text: str, expected: tuple[str, ...]) -> None:
    assert links(text) == expected


def test_control_characters_become_spaces() -> None:
    assert clean("a\x00b\x1b]0;title\x07c\u2028d\r\ne\x9bf") == "a b ]0;title c d e f"


def test_titles_compare_without_case_and_punctuation() -> None:
    assert title_key("ＧＰＴ: A “Test”") == title_key("gpt a test")


def test_bracketed_numbers_in_papers_are_not_markers() -> None:
    assert unmarked("[1] x [2, 3] y [ 4 ] [CLS] 【5】 [0,1]") == "(1) x (2, 3) y (4 ) [CLS] (5) (0,1)"
