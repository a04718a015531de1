"""Vectors and words, summed."""

import pytest

from rag.errors import StoreIncompatible
from rag.retrieve import LEXICAL_WEIGHT, NAME_WEIGHT, Retriever
from rag.store import Store
from tests.conftest import WordEmbedder


def test_score_is_cosine_plus_weighed_share_of_the_best_word_score(planets: Store, embedder: WordEmbedder) -> None:
    found = Retriever(planets, embedder).search("Which model prunes layers?", 3)
    best = found[0]
    assert best.paper.title == "Mars: Red Pruning"
    assert (best.dense_rank, best.lexical_rank) == (1, 1)
    assert best.score == pytest.approx(best.cosine + LEXICAL_WEIGHT)
    assert [paper.score for paper in found] == sorted((paper.score for paper in found), reverse=True)


def test_a_name_is_found_by_its_words_alone(
    planets: Store, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder, "embed_queries", lambda texts: embedder.embed_passages(["unrelated"] * len(texts)))
    assert Retriever(planets, embedder).search("Venus", 1)[0].paper.title == "Venus: Cloudy Attention"


def test_a_paper_asked_for_by_its_own_name_scores_more(planets: Store, embedder: WordEmbedder) -> None:
    best = Retriever(planets, embedder).search("How does Venus attend?", 1)[0]
    assert best.paper.title == "Venus: Cloudy Attention"
    assert best.score == pytest.approx(best.cosine + LEXICAL_WEIGHT + NAME_WEIGHT * planets.lexical.rarity("venus"))


def test_without_a_shared_word_vectors_decide(planets: Store, embedder: WordEmbedder) -> None:
    found = Retriever(planets, embedder).search("zyzzyva", 3)
    assert len(found) == 3
    assert {paper.lexical_rank for paper in found} == {None}
    assert all(paper.score == pytest.approx(paper.cosine) for paper in found)


def test_no_more_papers_than_there_are(planets: Store, embedder: WordEmbedder) -> None:
    assert len(Retriever(planets, embedder).search("accuracy on Tides", 20)) == 3


def test_embedder_of_another_store_is_refused(planets: Store, embedder: WordEmbedder) -> None:
    embedder.fingerprint = "f" * 64
    with pytest.raises(StoreIncompatible):
        Retriever(planets, embedder)
