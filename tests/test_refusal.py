"""Whether to answer, and what a refusal says."""

import pytest

from rag.evidence import Signals, Weighed
from rag.refusal import LEAST_ANSWERABLE, LEAST_TO_LIST, answerable, small_talk, unmentioned, why_unanswered
from rag.types import Evidence, Paper, ScoredPaper

ZIGMA = Paper("1", "ZigMa: A Zigzag Mamba", "ZigMa is a diffusion model. It is fast on FacesHQ.")
HIT = ScoredPaper(ZIGMA, 1.0, 0.6, 1, 1)


def weighed(logit: float, cosine: float = 0.6) -> Weighed:
    item = Evidence(1, ZIGMA, 1.0, "It is fast on FacesHQ.", 1.0, logit)
    return Weighed((HIT,), (item,), Signals(logit, cosine))


@pytest.mark.parametrize("signal", ["logit", "cosine"])
def test_more_of_any_signal_makes_an_answer_likelier(signal: str) -> None:
    low = {"logit": -2.0, "cosine": 0.3}
    assert 0 < answerable(Signals(**low)) < answerable(Signals(**(low | {signal: low[signal] + 0.3}))) < 1


def test_what_is_answered_has_no_reason() -> None:
    assert why_unanswered("Is ZigMa fast on FacesHQ?", "Is ZigMa fast on FacesHQ?", weighed(6.0)) is None


def test_a_near_miss_names_what_is_missing_and_the_closest_paper() -> None:
    reason = why_unanswered("What FID has ZigMa on FacesHQ?", "What FID has ZigMa on FacesHQ?", weighed(-8.0, 0.3))
    assert reason == "The nearest papers do not mention “FID”. “ZigMa: A Zigzag Mamba” comes closest."


def test_where_every_word_is_mentioned_no_sentence_tells_it() -> None:
    reason = why_unanswered("Is ZigMa fast?", "Is ZigMa fast?", weighed(-8.0, 0.3))
    assert reason == "“ZigMa: A Zigzag Mamba” comes closest, but no sentence of its abstract tells that."


@pytest.mark.parametrize("logit", [-8.0, 6.0])
def test_another_topic_is_said_to_be_one_whatever_a_sentence_looks_like(logit: float) -> None:
    reason = why_unanswered("How do I bake bread?", "How do I bake bread?", weighed(logit, 0.1))
    assert reason == "No paper on this shelf is about that."


def test_a_follow_up_to_a_list_is_no_list() -> None:
    unsure = weighed(-1.0, 0.2)
    assert LEAST_TO_LIST < answerable(unsure.signals) < LEAST_ANSWERABLE
    listed = "Which papers are about ZigMa?"
    assert why_unanswered(listed, listed, unsure) is None
    assert why_unanswered("How fast is it?", f"{listed} How fast is it?", unsure) is not None


def test_without_papers_there_is_nothing_to_answer_from() -> None:
    assert why_unanswered("Why?", "Why?", Weighed((), (), Signals(0, 0))) == "There are no papers to answer from."


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("diffusion models", []),
        ("ZigMa's FID on FacesHQ", ["FID"]),
        ("DiT-XL/2 against ZigMa", ["DiT-XL/2"]),
        ("please tell me exactly ZigMa's FID", ["FID"]),
    ],
)
def test_words_that_no_paper_has_are_named_as_typed(query: str, missing: list[str]) -> None:
    assert unmentioned(query, [HIT]) == missing


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "Thanks a lot!",
        "good morning everyone",
        "who are you?",
        "lol",
        "hello, bot",
        "perfect, got it",
        "Great job!",
        "thank you very much for the answer",
        "thanks, that was really helpful",
        "not bad, much appreciated",
        "no thanks",
        "is anyone there?",
        "hiya",
        "that’s really helpful",
    ],
)
def test_small_talk(text: str) -> None:
    assert small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "hi-res images?",
        "what is GPT?",
        "great papers on nets",
        "Who proposed it?",
        "OK-VQA",
        "test-time help",
        "no lunch",
        "is it helpful to prune?",
        "thanks for the " * 500 + "x",
        "good job on Mamba",
    ],
)
def test_questions_are_no_small_talk(text: str) -> None:
    assert not small_talk(text)
