"""Readers who ask while the store is rebuilt notice nothing: no errors, no mixed answers, no files left open."""

import contextlib
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.answer import Answerer
from rag.generations import current
from rag.rebuild import rebuild
from rag.shelf import Shelf
from rag.store import Store, open_store
from tests.conftest import WordEmbedder, WordReader

Write = Callable[..., Path]

READERS, REBUILDS = 4, 10
PATIENCE_S = 60.0  # for readers on a busy machine; they need milliseconds


class Reader:
    """Asks again and again, and notes of which edition the passages of each generation are."""

    def __init__(self, shelf: Shelf, asked: threading.Condition) -> None:
        self._shelf, self._asked = shelf, asked
        self.latest = ""
        self.editions: dict[str, set[str]] = {}

    def ask(self, ended: threading.Event) -> None:
        while not ended.is_set():
            answer = Answerer(self._shelf.retriever(), None, reader=WordReader()).answer(
                "Which abstract is of topic 3?"
            )
            assert answer.citations
            with self._asked:
                self.latest = answer.generation
                seen = self.editions.setdefault(answer.generation, set())
                seen |= {found.paper.abstract.split()[-1] for found in answer.passages}
                self._asked.notify_all()


def open_files(store: Path) -> Counter[str]:
    """How many files this process holds open, by the generation they belong to; "" is all others, sockets too."""
    counts: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            path = Path(os.readlink(f"/proc/self/fd/{number}"))
            counts[path.relative_to(store).parts[0] if path.is_relative_to(store) else ""] += 1
    return counts


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_readers_of_ten_rebuilds_see_whole_generations_and_keep_no_files_open(
    tmp_path: Path, write_dump: Write
) -> None:
    store, asked, ended = tmp_path / "store", threading.Condition(), threading.Event()
    shared = Shelf(store, WordEmbedder())
    readers = [Reader(shared, asked) for _ in range(READERS - 1)] + [Reader(Shelf(store, WordEmbedder()), asked)]
    published: list[str] = []
    others, limit = [0], sys.maxsize

    def publish() -> None:
        abstracts = [f"Abstract {i} of topic {i % 7}, edition {len(published)}" for i in range(30)]
        dump = write_dump([(f"Paper {i}", abstract) for i, abstract in enumerate(abstracts)])
        published.append(rebuild([dump], store, WordEmbedder()).generation)

    def moved() -> bool:
        """Every reader has read the latest generation, and no file is open that was not after the second rebuild."""
        opened = open_files(store)
        others.append(opened.pop(""))
        read = all(reader.latest == published[-1] for reader in readers)
        return read and opened.keys() <= {published[-1]} and others[-1] <= limit

    publish()
    with ThreadPoolExecutor(READERS) as pool:
        futures = [pool.submit(reader.ask, ended) for reader in readers]
        try:
            for _ in range(REBUILDS):
                publish()
                with asked:  # asked again and again, since Chroma closes its files a moment after it was told to
                    assert asked.wait_for(lambda: moved() or any(future.done() for future in futures), PATIENCE_S)
                limit = others[-1] if len(published) == 2 else limit
        finally:
            ended.set()
    for reader, future in zip(readers, futures, strict=True):
        future.result()
        assert reader.editions.keys() >= set(published[1:])
        assert all(seen == {str(published.index(generation))} for generation, seen in reader.editions.items())


def test_reader_overtaken_by_two_rebuilds_opens_the_latest(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    planets.close()

    def overtaken(root: Path) -> Path:
        folder = current(root)
        monkeypatch.setattr("rag.store.current", current)
        for _ in range(2):
            rebuild([tmp_path / "planets.jsonl"], root, embedder)
        assert not folder.exists()
        return folder

    monkeypatch.setattr("rag.store.current", overtaken)
    store = open_store(tmp_path / "store")
    assert store.folder == current(tmp_path / "store")
    store.close()
