"""A rebuild that is killed at any moment leaves whole papers serving, and the next one goes on from there."""

import contextlib
import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import rag.generations
import rag.manifest
import rag.rebuild
import rag.rows
import rag.store
import rag.unfinished
from rag.answer import Answerer
from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.generations import writing
from rag.merge import merge
from rag.passages import dense_text
from rag.rebuild import rebuild
from rag.retrieve import Retriever
from rag.rows import digest
from rag.store import Store, open_store
from tests.conftest import ROOT, WordEmbedder, WordReader

Write = Callable[..., Path]

# A stage begins when the function of this name is entered; its lines are those of the files that touch the store.
STAGES = (
    "rebuild",
    "_embed",
    "_write",
    "Manifest.write",
    "settle",
    "make_current",
    "remove_all_but",
    "Unfinished.discard",
)
FILES = {
    str(module.__file__)
    for module in (rag.generations, rag.manifest, rag.rebuild, rag.rows, rag.store, rag.unfinished, shutil)
}
# Kills a stage before one of its lines, and kills by the clock, since no Python runs while Chroma writes.
BY_LINE, BY_CLOCK = 5, 10


class Lines:
    """Counts the lines that a rebuild runs, by stage, and kills its process before one of them."""

    def __init__(self, stage: str = "", line: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self._stage, self._last = "", (stage, line)

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "call" and frame.f_code.co_qualname in STAGES:
            self._stage = frame.f_code.co_qualname
        if event == "line":
            self.counts[self._stage] += 1
            if (self._stage, self.counts[self._stage]) == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace


def traced(dump: Path, root: Path, told: Connection, lines: Lines) -> None:
    multiprocessing.set_start_method("fork", force=True)  # else tqdm's lock is reported as leaked by those killed
    sys.settrace(lines.trace)
    report = rebuild([dump], root, WordEmbedder())
    sys.settrace(None)
    told.send((lines.counts, report.seconds.write))


def timed(dump: Path, root: Path, told: Connection) -> None:
    multiprocessing.set_start_method("fork", force=True)
    rebuild([dump], root, WordEmbedder(), lambda stage, *_: told.send(None) if stage == "write" else None)


class Killer:
    """Rebuilds in processes of their own, forked from one that has imported the libraries and opened nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._forked = multiprocessing.get_context("forkserver")
        self._forked.set_forkserver_preload(
            [__name__, "bm25s.stopwords", "chromadb.api.rust", "chromadb.errors", "Stemmer"]
        )

    def undisturbed(self, dump: Path) -> tuple[Counter[str], float]:
        """How many lines each stage runs, and how many seconds the writing takes."""
        process, told = self._start(traced, dump, Lines())
        lines, seconds = told.recv()
        process.join()
        return lines, seconds

    def at_line(self, dump: Path, stage: str, line: int) -> bool:
        """Whether the process was killed, there, before it had finished."""
        process, _ = self._start(traced, dump, Lines(stage, line))
        process.join()
        return process.exitcode == -signal.SIGKILL

    def at_time(self, dump: Path, seconds: float) -> bool:
        """Whether the process was killed, so many seconds into the writing, before it had finished."""
        process, told = self._start(timed, dump)
        told.recv()
        process.join(seconds)
        process.kill()
        process.join()
        return process.exitcode == -signal.SIGKILL

    def _start(
        self, target: Callable[..., None], dump: Path, *arguments: object
    ) -> tuple[ForkServerProcess, Connection]:
        told, tell = self._forked.Pipe(duplex=False)
        process = self._forked.Process(target=target, args=(dump, self._root, tell, *arguments))
        process.start()
        tell.close()
        return process, told


def edition(write_dump: Write, number: int) -> Path:
    """A dump of which every other abstract is the same in all editions."""
    abstracts = [f"Abstract {i} of topic {i % 7}, edition {number * (i % 2)}." for i in range(150)]
    return write_dump([(f"Paper {i}", abstract) for i, abstract in enumerate(abstracts)], f"{number}.jsonl")


def assert_whole(root: Path) -> tuple[str, str]:
    """Check that exactly the papers of one dump serve; returns the generation and the path of the dump."""
    with contextlib.closing(open_store(root)) as store:
        (dump,) = store.manifest.dumps
        papers = {
            paper.paper_id: paper for paper in merge(read_dump(next(find_dumps([Path(dump.path)]))).papers).papers
        }
        assert store.rows.papers() == {key: digest(paper) for key, paper in papers.items()}
        vectors = WordEmbedder().embed_passages([dense_text(papers[key]) for key in store.rows.ids])
        assert np.allclose(store.rows.vectors, vectors, atol=1e-6)
        answer = Answerer(Retriever(store, WordEmbedder()), None, reader=WordReader()).answer(
            "Which abstract is of topic 3?"
        )
        assert answer.citations
        assert all(found.paper == papers[found.paper.paper_id] for found in answer.passages)
        if store.manifest.previous is not None:
            Store(root / store.manifest.previous).close()
        return store.manifest.generation, dump.path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_killed_at_fifty_random_moments_whole_papers_serve_and_the_next_run_goes_on(
    tmp_path: Path, write_dump: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    store, chance = tmp_path / "store", random.Random(0)
    killer, editions = Killer(store), (edition(write_dump, number) for number in itertools.count())
    for _ in range(3):  # from the third on there is a generation to remove
        lines, seconds = killer.undisturbed(next(editions))
    assert lines.keys() >= set(STAGES)
    serving = assert_whole(store)
    stages = [*STAGES * BY_LINE, *["by the clock"] * BY_CLOCK]
    chance.shuffle(stages)
    half_written = swapped = 0
    tried = set[str]()
    for stage in stages:
        killed = False
        while not killed:  # it may have finished before, since not all runs are equally long
            # A stage is killed before its first line first: before the manifest's, a generation is half written.
            dump, moment = next(editions), chance.random() if stage in tried else 0.0
            tried.add(stage)
            if stage in STAGES:
                killed = killer.at_line(dump, stage, 1 + int(moment * lines[stage]))
            else:
                killed = killer.at_time(dump, moment * seconds)
            before, serving = serving, assert_whole(store)
            assert serving == before or serving[1] == str(dump)
        with writing(store):
            begun = [path.parent.parent for path in store.glob("gen-*/chroma/chroma.sqlite3")]
        half_written += any(not (folder / "manifest.json").exists() for folder in begun)
        swapped += serving != before
        assert len(list(store.glob("gen-*"))) <= 3
    assert half_written
    assert swapped >= BY_LINE  # those that had come to Unfinished.discard

    before, dump = serving, next(editions)
    killer.undisturbed(dump)
    serving = assert_whole(store)
    assert serving[1] == str(dump)
    assert {path.name for path in store.iterdir()} == {".lock", "current", before[0], serving[0]}
    rebuild([dump], tmp_path / "undisturbed", WordEmbedder())
    with (
        contextlib.closing(open_store(store)) as disturbed,
        contextlib.closing(open_store(tmp_path / "undisturbed")) as undisturbed,
    ):
        assert disturbed.rows.papers() == undisturbed.rows.papers()
        assert np.allclose(disturbed.rows.vectors, undisturbed.rows.vectors, atol=1e-6)
