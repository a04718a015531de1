"""Papers that were found, read: ranked anew, with all their sentences and what these tell."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rag.evidence import LEAST_LOGIT, READER_WEIGHT, anything, weigh
from rag.reader import SHIPPED, score, windows
from rag.retrieve import Retriever
from rag.store import Store
from rag.types import Logits
from tests.conftest import WordEmbedder


@dataclass(frozen=True)
class Partial:
    """A reader that is sure of the sentences with a word, and of no other."""

    word: str

    def read(self, question: str, passages: Sequence[tuple[str, Sequence[str]]]) -> list[Logits]:
        return [
            np.array([9 if self.word in text else -30 for text in texts], dtype=np.float32) for _, texts in passages
        ]


def test_every_sentence_is_ranked_and_the_one_that_answers_is_first(planets: Store, embedder: WordEmbedder) -> None:
    found = Retriever(planets, embedder).search("How long does Mercury train?", 3)
    weighed = weigh("How long does Mercury train?", found, Partial("3 hours"), planets.lexical, 3)
    assert weighed.evidence[0].sentence == "It trains in 3 hours."
    assert len(weighed.evidence) == 9
    scores = [item.score for item in weighed.evidence]
    assert scores == sorted(scores, reverse=True)
    for item in weighed.evidence:
        assert item.paper == weighed.passages[item.rank - 1].paper
        assert item.sentence in item.paper.abstract


def test_a_paper_that_answers_overtakes_one_that_does_not(planets: Store, embedder: WordEmbedder) -> None:
    found = Retriever(planets, embedder).search("Mercury or Mars?", 3)
    last = found[-1]
    weighed = weigh("Mercury or Mars?", found, Partial(last.paper.title.split(":")[0]), planets.lexical, 3)
    ranked = {hit.paper.title: hit.score for hit in weighed.passages}
    assert ranked[last.paper.title] == pytest.approx(last.score + READER_WEIGHT * 9, abs=1e-3)
    assert ranked[found[0].paper.title] == pytest.approx(found[0].score + READER_WEIGHT * LEAST_LOGIT)
    assert list(ranked.values()) == sorted(ranked.values(), reverse=True)


def test_only_the_best_papers_are_kept(planets: Store, embedder: WordEmbedder) -> None:
    found = Retriever(planets, embedder).search("Mercury", 3)
    weighed = weigh("Mercury", found, Partial("Mercury"), planets.lexical, 1)
    assert [hit.paper.title for hit in weighed.passages] == ["Mercury: A Small Model"]
    assert {item.rank for item in weighed.evidence} == {1}


def test_a_stop_ends_the_reading_and_keeps_what_was_read(planets: Store, embedder: WordEmbedder) -> None:
    stop = threading.Event()

    class Stopped(Partial):
        def read(self, question: str, passages: Sequence[tuple[str, Sequence[str]]]) -> list[Logits]:
            stop.set()
            return super().read(question, passages)

    found = Retriever(planets, embedder).search("Mercury", 3)
    weighed = weigh("Mercury", found, Stopped("Mercury"), planets.lexical, 3, stop)
    assert len(weighed.passages) == 3
    assert {item.paper.paper_id for item in weighed.evidence} == {hit.paper.paper_id for hit in found[:2]}


def test_of_a_very_long_text_the_sentences_that_share_words_are_read(planets: Store, embedder: WordEmbedder) -> None:
    [hit] = Retriever(planets, embedder).search("Mercury", 1)
    text = " ".join([*(f"Nothing is said in line {n}." for n in range(80)), "Mercury trains in 3 hours."])
    found = [replace(hit, paper=replace(hit.paper, abstract=text))]
    weighed = weigh("How long does Mercury train?", found, Partial("3 hours"), planets.lexical, 1)
    assert weighed.evidence[0].sentence == "Mercury trains in 3 hours."
    assert len(weighed.evidence) == 64


def test_nothing_found_is_nothing_read(planets: Store) -> None:
    weighed = weigh("zyzzyva", [], Partial("a"), planets.lexical, 5)
    assert (weighed.passages, weighed.evidence, weighed.signals.logit) == ((), (), LEAST_LOGIT)


def test_logits_add_up_to_that_of_any() -> None:
    assert anything(np.array([0.0, 0.0], dtype=np.float32)) == pytest.approx(np.log(2))
    assert anything(np.array([-50.0], dtype=np.float32)) == LEAST_LOGIT
    assert anything(np.empty(0, dtype=np.float32)) == LEAST_LOGIT


@pytest.mark.slow
def test_half_the_bits_give_the_same_ranking() -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    titles = ["Mamba: Linear-Time Sequence Modeling", "Jamba: A Hybrid Transformer-Mamba Model"]
    cut = ["It is a state space model.", "It reaches 5 times the throughput.", "Attention is costly.", "We thank all."]
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED)
    read = [w for [w] in windows(tokenizer, "How much faster is Mamba?", [(title, cut) for title in titles])]
    logits = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = AutoModelForSequenceClassification.from_pretrained(SHIPPED, dtype=dtype).eval()
        with torch.inference_mode():
            logits[dtype] = score(model, read, 2048).numpy()
    assert logits[torch.bfloat16] == pytest.approx(logits[torch.float32], abs=0.15)
    assert np.argmax(logits[torch.bfloat16]) == np.argmax(logits[torch.float32]) == 1
