"""The prompt fits the context window: lowest passages go first, whole sentences only, never the question."""

from collections.abc import Sequence

import pytest

from rag.errors import ModelError, QuestionError
from rag.prompt import build_prompt, is_refusal, refusal
from rag.types import Message, Paper

PAPERS = [
    Paper(f"p{i}", f"Title {i}", f"First of {i}. Second of {i}. Third of {i}.", date=f"202{i}-01-02")
    for i in range(1, 6)
]


def words(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


RULES = words(build_prompt("Why so?", [], (), words, 10_000).messages)


def test_all_passages_are_shown_best_first_with_marker_title_and_year() -> None:
    prompt = build_prompt("Why so?", PAPERS, (), words, 10_000)
    user = prompt.messages[1].content
    assert prompt.markers == {1, 2, 3, 4, 5}
    assert "[1] Title 1 (2021)\nFirst of 1. Second of 1. Third of 1." in user
    assert user.index("[1] Title 1") < user.index("[5] Title 5") < user.index("Question: Why so?")
    assert user.endswith("Question: Why so?")


def test_rules_name_the_refusal() -> None:
    assert refusal() in build_prompt("Why?", PAPERS, (), words, 10_000).messages[0].content


@pytest.mark.parametrize("room", range(RULES + 3, RULES + 90, 4))
def test_whatever_the_room_it_is_kept_and_the_question_is_whole(room: int) -> None:
    try:
        prompt = build_prompt("Why so?", PAPERS, (), words, room)
    except ModelError:
        assert room < RULES + 9
        return
    user = prompt.messages[1].content
    assert words(prompt.messages) <= room
    assert "Question: Why so?" in user
    assert prompt.markers == set(range(1, len(prompt.markers) + 1))
    shown = user.split("Question:")[0].split("Passages:")[1]
    assert all(line.endswith((".", ")")) for line in shown.splitlines() if line)
    if len(prompt.markers) > 1:
        assert all(f"Third of {i}." in user for i in prompt.markers)


def test_last_sentences_of_the_only_passage_go_before_the_passage() -> None:
    prompt = build_prompt("Why so?", PAPERS[:1], (), words, RULES + 11)
    assert "First of 1. Second of 1." in prompt.messages[1].content
    assert "Third" not in prompt.messages[1].content


def test_earlier_questions_are_shown_and_go_before_the_last_passage() -> None:
    history = ["one?", "two?", "three?", "four?"]
    user = build_prompt("Why so?", PAPERS, history, words, 10_000).messages[1].content
    assert "Earlier question: four?" in user
    assert "one?" not in user
    tight = build_prompt("Why so?", PAPERS, history, words, RULES + 14).messages[1].content
    assert "Earlier" not in tight
    assert "[1] Title 1" in tight


def test_whole_only_passage_is_shown_without_history_before_it_is_cut() -> None:
    whole = build_prompt("Why so?", PAPERS[:1], (), words, 10_000)
    room = words(whole.messages)
    assert build_prompt("Why so?", PAPERS[:1], ["an earlier question of many words? " * 20], words, room) == whole


def test_question_too_long_for_the_model_is_the_questions_error() -> None:
    with pytest.raises(QuestionError, match="The question is too long for the model"):
        build_prompt("why " * 5_000, PAPERS, (), words, 3 * RULES)


def test_window_too_small_for_the_rules_is_the_models_error() -> None:
    with pytest.raises(ModelError, match=r"leaves 20 tokens for the prompt.*FOOTNOTE_N_CTX"):
        build_prompt("Why?", PAPERS, (), words, 20)


def test_bracketed_numbers_of_an_abstract_are_no_markers() -> None:
    paper = Paper("p", "As in [4]", "We follow [2, 3] and [CLS].")
    user = build_prompt("Why?", [paper], (), words, 10_000).messages[1].content
    assert "[1] As in (4)\nWe follow (2, 3) and [CLS]." in user


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The papers here do not answer this.", True),
        ("  the papers here do not answer this", True),
        ("The papers here do not answer this. Sorry!", True),
        ("It is 3 [1].", False),
        ("", False),
    ],
)
def test_refusals(text: str, expected: bool) -> None:
    assert is_refusal(text) is expected
