"""The prompt fits the context window, shows the evidence first, and its structure is not to be forged."""

import re
from collections.abc import Sequence
from typing import Literal

import pytest

from rag.errors import ModelError, QuestionError
from rag.prompt import MOST_SHOWN, Prompt, build_prompt, is_refusal, refusal
from rag.types import Evidence, Message, Paper

PAPERS = [
    Paper(f"p{i}", f"Title {i}", f"First of {i}. Second of {i}. Third of {i}.", date=f"202{i}-01-02")
    for i in range(1, 6)
]
# Best first: the second sentence of 3, then the first ones of 1, 2, 3, 4.
EVIDENCE = [
    Evidence(rank, PAPERS[rank - 1], 1.0, f"{which} of {rank}.", 1.0, 0.5)
    for which, rank in [("Second", 3), ("First", 1), ("First", 2), ("First", 3), ("First", 4)]
]


def words(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


def build(
    mode: Literal["write", "quote"] = "write",
    question: str = "Why so?",
    evidence: Sequence[Evidence] = EVIDENCE,
    papers: Sequence[Paper] = PAPERS,
    history: Sequence[str] = (),
    room: int = 10_000,
) -> Prompt:
    return build_prompt(mode, question, evidence, papers, history, words, room)


RULES = words(build(evidence=[], papers=[]).messages)


def test_sentences_come_before_abstracts_each_below_its_papers_marker() -> None:
    prompt = build()
    user = prompt.messages[1].content
    assert prompt.markers == {1, 2, 3, 4, 5}
    assert user.startswith(
        "Sentences:\n\n[3] Title 3 (2023)\n- Second of 3.\n- First of 3.\n\n[1] Title 1 (2021)\n- First of 1.\n\n"
    )
    assert "Abstracts:\n\n[1] Title 1 (2021)\n- First of 1. Second of 1. Third of 1.\n\n[2] Title 2" in user
    assert user.endswith("Question: Why so?")


def test_quoting_needs_no_abstracts() -> None:
    prompt = build("quote")
    assert prompt.markers == {1, 2, 3, 4}
    assert prompt.evidence == tuple(EVIDENCE)
    assert "Third" not in prompt.messages[1].content
    assert prompt.messages[1].content.endswith("[4] Title 4 (2024)\n- First of 4.\n\n\nQuestion: Why so?")


def test_only_the_best_sentences_are_shown() -> None:
    many = [Evidence(1, PAPERS[0], 1.0, f"Number {i}.", 1.0, 0.5) for i in range(20)]
    assert build("quote", evidence=many).evidence == tuple(many[:MOST_SHOWN])


def test_rules_name_the_refusal() -> None:
    assert all(refusal() in build(mode).messages[0].content for mode in ("write", "quote"))


@pytest.mark.parametrize("room", range(RULES + 3, RULES + 110, 4))
def test_whatever_the_room_it_is_kept_and_the_question_is_whole(room: int) -> None:
    try:
        prompt = build(room=room)
    except ModelError:
        assert room < RULES + 10
        return
    user = prompt.messages[1].content
    assert words(prompt.messages) <= room
    assert user.endswith("Question: Why so?")
    assert prompt.evidence == tuple(EVIDENCE[: len(prompt.evidence)])
    abstracts = re.findall(r"Third of (\d)", user)
    assert abstracts == [str(rank) for rank in range(1, len(abstracts) + 1)]
    assert len(prompt.evidence) == len(EVIDENCE) or not abstracts
    assert prompt.markers == {int(rank) for rank in re.findall(r"^\[(\d)\]", user, re.M)}


def test_earlier_questions_are_shown_and_go_before_the_sentences() -> None:
    history = ["one?", "two?", "three?", "four?"]
    user = build(history=history).messages[1].content
    assert "Earlier question: four?" in user
    assert "one?" not in user
    tight = build(history=history, room=words(build(papers=[]).messages)).messages[1].content
    assert "Earlier" not in tight
    assert all(item.sentence in tight for item in EVIDENCE)


def test_question_too_long_for_the_model_is_the_questions_error() -> None:
    with pytest.raises(QuestionError, match="The question is too long for the model"):
        build(question="why " * 5_000, room=3 * RULES)


def test_window_too_small_for_the_rules_is_the_models_error() -> None:
    with pytest.raises(ModelError, match=r"leaves 20 tokens for the prompt.*FOOTNOTE_N_CTX"):
        build(room=20)


def test_bracketed_numbers_of_an_abstract_are_no_markers() -> None:
    paper = Paper("p", "As in [4]", "We follow [2, 3] and [CLS].")
    user = build(evidence=[], papers=[paper]).messages[1].content
    assert "[1] As in (4)\n- We follow (2, 3) and [CLS]." in user


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The papers here do not answer this.", True),
        ("  the papers here do not answer this", True),
        ("The papers here do not answer this. Sorry!", True),
        ("“The papers here do not answer this.”", True),
        ("Unfortunately, the papers here do not answer this.", True),
        ("I'm sorry, but the papers here do not answer this.", True),
        ("The papers here do not answer this for Mars, but Mercury is small.", True),
        ("Sorry.", False),
        ("It is 3 [1].", False),
        ("", False),
    ],
)
def test_refusals(text: str, expected: bool) -> None:
    assert is_refusal(text) is expected
