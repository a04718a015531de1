"""Half precision is used only where it ranks like float32; processes give what one process gives."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import pytest

import rag.embed
from rag.embed import SentenceEmbedder, _rank_alike
from rag.types import Embedder, Embeddings
from rag.workers import embed_in_processes
from tests.conftest import WordEmbedder

TEXTS = [f"{what} of {things}" for what in ("A survey", "Pruning", "Limits") for things in ("trees", "loops", "tides")]


def unit(rows: int, seed: int = 0) -> Embeddings:
    vectors = np.random.default_rng(seed).normal(size=(rows, 32)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@pytest.mark.parametrize(
    ("noise", "alike"), [(0, True), (1e-4, True), (0.05, False), (np.nan, False)], ids=["none", "some", "much", "nan"]
)
def test_vectors_that_are_close_and_rank_alike_are_taken(noise: float, alike: bool) -> None:
    vectors = unit(64)
    assert _rank_alike(vectors, vectors + noise * unit(64, seed=1)) is alike


def test_vectors_that_are_close_but_rank_otherwise_are_not_taken() -> None:
    crowd = unit(1) + 0.01 * unit(64, seed=1)  # all nearly the same: the least error changes who is nearest
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    assert not _rank_alike(crowd, crowd + 0.002 * unit(64, seed=2))


def test_nothing_to_embed_loads_no_model() -> None:
    assert list(SentenceEmbedder("there/is/no/such/model").embed_many([])) == []


@pytest.fixture
def small_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check half precision on as few texts as these, and as if this processor computed in it."""
    import torch

    monkeypatch.setattr(rag.embed, "_CHECKED", len(TEXTS))
    monkeypatch.setattr(rag.embed, "_half", lambda device: torch.bfloat16)


@pytest.mark.slow
def test_passages_in_bfloat16_rank_like_float32_and_queries_stay_in_it(
    small_check: None, real_embedder: Embedder
) -> None:
    embedder = SentenceEmbedder(device="cpu")
    assert embedder.precision == "float32"
    passages = embedder.embed_passages(TEXTS)
    assert embedder.precision == "bfloat16"
    full = real_embedder.embed_queries(TEXTS)
    assert not (passages == full).all()
    assert (passages * full).sum(axis=1).min() > 0.999
    assert np.linalg.norm(passages, axis=1) == pytest.approx(1, abs=1e-5)
    assert (embedder.embed_queries(TEXTS) == full).all()


@pytest.mark.slow
def test_half_precision_that_ranks_otherwise_is_not_used(
    small_check: None, real_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.embed, "_LEAST_COSINE", 1.1)
    embedder = SentenceEmbedder(device="cpu")
    assert np.allclose(embedder.embed_passages(TEXTS), real_embedder.embed_passages(TEXTS), atol=1e-6)
    assert embedder.precision == "float32"


class Dying(WordEmbedder):
    """Is killed, as by a machine out of memory, at its second run of texts."""

    def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        if "second" in texts:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed_passages(texts)


@pytest.mark.slow
def test_processes_yield_every_run_in_order_and_tell_if_one_dies() -> None:
    runs = [[f"run {i}", f"text {i}"] for i in range(9)]
    found = list(embed_in_processes(WordEmbedder, runs, workers=2, threads=1))
    assert all((one == WordEmbedder().embed_passages(run)).all() for one, run in zip(found, runs, strict=True))
    with pytest.raises(BrokenProcessPool):
        list(embed_in_processes(Dying, [["first"], ["second"], ["third"]], workers=1, threads=1))


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_many_passages_on_many_cores_are_embedded_as_few_are(
    dies: bool, real_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_only(*arguments: Any) -> Iterator[Embeddings]:
        yield next(embed_in_processes(*arguments))
        raise BrokenProcessPool("killed")

    monkeypatch.setattr(rag.embed, "_RUN", 2)
    monkeypatch.setattr(rag.embed, "_WORTH_PROCESSES", len(TEXTS))
    monkeypatch.setattr(rag.embed, "_cores", lambda: 2 * rag.embed._THREADS)
    if dies:
        monkeypatch.setattr(rag.embed, "embed_in_processes", first_only)
    runs = list(SentenceEmbedder(device="cpu").embed_many(TEXTS))
    assert [len(run) for run in runs] == [2, 2, 2, 2, 1]
    assert np.allclose(np.concatenate(runs), real_embedder.embed_passages(TEXTS), atol=1e-5)
