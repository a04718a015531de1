"""Questions as asked become queries that stand alone."""

import pytest

from rag.errors import QuestionError
from rag.query import LONGEST_QUESTION, read_history, read_question, standalone_query

EARLIER = "what is MUDDFormer?"


@pytest.mark.parametrize(
    "question",
    [
        "how much extra does that cost in parameters and compute?",
        "and how do they avoid having to train that part?",
        "on what kind of samples did they try it?",
        "how deep could they make it?",
        "what about training time?",
        "Who are the authors?",
        "is the model open?",
        "why?",
        "how many parameters?",
        "the second one?",
        "what accuracy does the large one get?",
        "What exactly is fine-tuned there?",
        "Is there any way around that?",
        "is it better to train longer?",
    ],
)
def test_follow_up_is_searched_with_the_question_it_leans_on(question: str) -> None:
    assert standalone_query(question, [EARLIER]) == f"{EARLIER} {question}"


@pytest.mark.parametrize(
    "question",
    [
        "Which paper shows that transformers can copy?",
        "Who wrote the paper on RWKV?",
        "How does SASRec sit between Markov chains and RNN recommenders?",
        "Are there surveys that cover Mamba?",
        "Is it possible to prune transformers?",
        "What is attention?",
        "There's a study on consumer graphics cards. How long an input could an SSM take?",
        "the second paper on copying",
    ],
)
def test_question_that_stands_alone_is_searched_alone(question: str) -> None:
    assert standalone_query(question, [EARLIER]) == question


def test_follow_ups_reach_back_to_the_question_they_began_with() -> None:
    history = ["tell me about PMET", EARLIER, "how deep is it?"]
    assert standalone_query("and how fast?", history) == f"{EARLIER} how deep is it? and how fast?"


def test_first_question_needs_no_history() -> None:
    assert standalone_query("how deep is it?", []) == "how deep is it?"


@pytest.mark.parametrize("question", ["", "  \n", "\x00\x1b", "?!", "\u200b"])
def test_empty_question_is_refused(question: str) -> None:
    with pytest.raises(QuestionError, match="The question is empty"):
        read_question(question)


def test_overlong_question_is_refused_with_its_length() -> None:
    with pytest.raises(QuestionError, match=r"100,000 characters; at most 8,000"):
        read_question("x" * 100_000)
    assert len(read_question("x" * LONGEST_QUESTION)) == LONGEST_QUESTION


def test_history_is_read_like_questions_and_blank_ones_are_left_out() -> None:
    assert read_history(["what\x1b[2J?", " ", "", "who\ud800?"]) == ("what [2J?", "who ?")
    with pytest.raises(QuestionError, match="at most 8,000"):
        read_history(["x" * 9_000])


def test_control_characters_are_taken_out_of_a_question() -> None:
    assert read_question("what\x1b[2J is\n\nPMET?\x07") == "what [2J is PMET?"


def test_a_long_conversation_is_searched_by_its_beginning_and_the_question_before() -> None:
    history = [EARLIER, "how deep is it?", "and how wide is it?", "is it fast?"]
    assert standalone_query("and cheap?", history) == f"{EARLIER} is it fast? and cheap?"
