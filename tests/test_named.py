"""Papers that are asked for by the names they give to their own work."""

import pytest

from rag.named import asked_by_name, own_names
from rag.types import Paper

REPA = Paper("1", "Alignment for Generation", "We introduce REPresentation Alignment (REPA), a loss for DiT and SiT.")
U_REPA = Paper("2", "U-REPA: Aligning U-Nets", "REPA works well for DiTs. How to align U-Nets is unknown.")
BENCHMARK = Paper("3", "How Good Is REPA?", "On 12 data sets, REPA (2024) is compared with VAR.")


def even(word: str) -> float:
    return 1.0


@pytest.mark.parametrize(
    ("title", "abstract", "names"),
    [
        ("CheXpert: A Large Dataset", "", {"CheXpert"}),
        ("Mercury: A Small Model", "", {"Mercury"}),
        ("Decision Mamba 2: A Model", "", {"Decision Mamba 2"}),
        ("Less is more: A Survey", "", set()),
        ("A Survey", "In this work we propose the novel GLA-Net, with gates.", {"GLA-Net"}),
        ("A Survey", "This paper introduces \\textbf{BigBird}. It is better than BERT (Bidirectional).", {"BigBird"}),
        ("A Survey", "We present a corpus (WikiQA-2).", {"WikiQA-2"}),
        ("A Survey", "We compare GPT-4 with a corpus (WikiQA-2).", set()),
        ("A Survey", "We propose a method (see below) and A.", set()),
        ("A Survey", "We present a corpus (2024).", set()),
        ("A Survey", "Prior work presents Segment Anything (SAM).", set()),
        ("A Survey", "We propose an LLM-based agent, and we present CLIP's successor.", set()),
    ],
)
def test_names_of_a_papers_own(title: str, abstract: str, names: set[str]) -> None:
    assert own_names(Paper("1", title, abstract)) == names


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("What FID does REPA get?", [1, 0, 0]),
        ("what fid does repa get", [1, 0, 0]),
        ("How does U-REPA differ?", [0, 1, 0]),
        ("How do U-REPA and REPA differ?", [1, 1, 0]),
        ("u repa results", [0, 1, 0]),
        ("How are preparations aligned?", [0, 0, 0]),
        ("How does i-REPA differ from REPA-2?", [0, 0, 0]),
    ],
)
def test_the_paper_that_gives_the_name_is_asked_for(query: str, asked: list[float]) -> None:
    assert asked_by_name(query, [REPA, U_REPA, BENCHMARK], even) == asked


def test_a_word_is_no_acronym_of_who_writes_capitals() -> None:
    paper = Paper("1", "GraphGPT: A Model", "We present the Graph Eulerian Transformer (GET).")
    asked = [asked_by_name(query, [paper], even) for query in ("What does REPA get?", "what is get?", "What is GET?")]
    assert asked == [[0], [1], [1]]


def test_accents_do_not_matter() -> None:
    assert asked_by_name("What is PokéLLMon?", [Paper("1", "PokéLLMon: An Agent", "")], even) == [1]


def test_a_title_of_signs_is_searched_at_once() -> None:
    paper = Paper("1", "A1" + "+." * 40 + "z: A Model", "")
    assert asked_by_name("what is a1" + "+" * 4000, [paper], even) == [0]


def test_papers_that_share_a_name_share_its_weight() -> None:
    papers = [Paper("1", "DART: Games", ""), Paper("2", "DART: Images", ""), REPA]
    assert asked_by_name("What is DART?", papers, even) == [0.5, 0.5, 0]


def test_a_common_word_weighs_little() -> None:
    papers = [Paper("1", "Contrast: A Model", "")]
    assert asked_by_name("How do these contrast?", papers, lambda word: 0.25) == [0.25]
