"""Fixtures: the seeds, small dumps, stores with controlled or real embeddings, and a small real model."""

import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.embed import SentenceEmbedder
from rag.generate import LlamaGenerator
from rag.lexical import words
from rag.rebuild import rebuild
from rag.store import Store, open_store
from rag.types import Embedder, Embeddings, Logits
from tests.gguf_models import write_gguf

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "seeds"


class WordEmbedder:
    """Counts of hashed words: ranking that a test can foresee, and no model to load."""

    name = "words"
    fingerprint = "0" * 64
    dimension = 64
    query_prefix = ""
    passage_prefix = ""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        self.embedded += texts
        return self._vectors(texts)

    def embed_many(self, texts: Sequence[str]) -> Iterator[Embeddings]:
        for start in range(0, len(texts), 64):
            yield self.embed_passages(texts[start : start + 64])

    def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> Embeddings:
        vectors = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, zlib.crc32(word.encode()) % self.dimension] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


class WordReader:
    """Trusts a sentence as far as it shares the question's words: ranking that a test can foresee, nothing to load."""

    def read(self, question: str, passages: Sequence[tuple[str, Sequence[str]]]) -> list[Logits]:
        asked = set(words(question))
        return [
            np.array(
                [20.0 * len(asked & set(words(f"{title} {text}"))) / max(1, len(asked)) - 8 for text in texts],
                dtype=np.float32,
            )
            for title, texts in passages
        ]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder without settings, so that nobody's .env, store or conversations are read."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("FOOTNOTE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def write_dump(tmp_path: Path) -> Callable[..., Path]:
    """Write a dump of (title, abstract) pairs as JSON lines, or of raw text or bytes."""

    def write(content: str | bytes | Sequence[tuple[str, str]], name: str = "dump.jsonl") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text(
                "".join(json.dumps({"title": t, "abstract": a}) + "\n" for t, a in content), encoding="utf-8"
            )
        return path

    return write


PLANETS = [
    (
        "Mercury: A Small Model",
        "Mercury is a small transformer. It reaches 71.5% accuracy on the Tides benchmark. It trains in 3 hours.",
    ),
    (
        "Venus: Cloudy Attention",
        "Venus replaces attention by clouds. It reaches 64.2% accuracy on the Tides benchmark. It is twice as fast.",
    ),
    (
        "Mars: Red Pruning",
        "Mars prunes half of all layers. The pruned network loses 1.9 points on Dunes. We release the code.",
    ),
]


@pytest.fixture
def planets(tmp_path: Path, embedder: WordEmbedder, write_dump: Callable[..., Path]) -> Iterator[Store]:
    """A store of three imaginary papers at tmp_path/store."""
    rebuild([write_dump(PLANETS, "planets.jsonl")], tmp_path / "store", embedder)
    store = open_store(tmp_path / "store")
    yield store
    store.close()


# Markers and line ends.
_LIKELY = {" [": 7.0, "[1": 6.0, "1]": 4.0, "][": 2.0, "]": 3.0, "2": 2.0, ".": 5.0, " answer": 6.0}


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes noise, with markers and line ends made likely."""
    return write_gguf(tmp_path_factory.mktemp("models") / "noise.gguf", bias={**_LIKELY, "<|im_end|>": -2.0})


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, writing until it may no more: minutes."""
    bias = {**_LIKELY, "<|im_end|>": -60.0}
    return write_gguf(tmp_path_factory.mktemp("models") / "endless.gguf", context=65536, bias=bias)


@pytest.fixture(scope="session")
def generator(tiny_gguf: Path) -> Iterator[LlamaGenerator]:
    model = LlamaGenerator(tiny_gguf, temperature=1.0, threads=1)
    yield model
    model.close()


@pytest.fixture(scope="session")
def real_embedder() -> Embedder:
    return SentenceEmbedder()


@pytest.fixture(scope="session")
def seeds_store(tmp_path_factory: pytest.TempPathFactory, real_embedder: Embedder) -> Path:
    """The store of the seeds with the real embedding model."""
    root = tmp_path_factory.mktemp("seeds") / "store"
    rebuild([SEEDS], root, real_embedder)
    return root


NASTY = (
    "Attack @everyone: [free GPUs](https://evil.example) <@401>",
    "We attack *all* chat programs with @here and <@&500>. The attack reaches 99% on $O(n^2)$ tokens. "
    "See [this](https://evil.example/x) and ```code```.",
)


@pytest.fixture(scope="module")
def discord_shelf(tmp_path_factory: pytest.TempPathFactory, real_embedder: Embedder) -> tuple[Path, Path]:
    """A store with the real embeddings of the planets and of a paper that means harm, and the dump it was built from."""
    folder = tmp_path_factory.mktemp("shelf")
    lines: list[dict[str, object]] = [
        {"id": f"p{n}", "title": title, "abstract": abstract, "date": "2024-05-06", "authors": ["Ada Lovelace"]}
        for n, (title, abstract) in enumerate([*PLANETS, NASTY])
    ]
    dump = folder / "dump.jsonl"
    dump.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rebuild([dump], folder / "store", real_embedder)
    return folder / "store", dump
