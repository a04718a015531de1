"""A rebuild that is killed costs nothing but time; a rebuild that was a mistake can be taken back."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rag.answer import Answerer
from rag.errors import StoreDamaged, StoreError, StoreMissing
from rag.manifest import Embedding
from rag.rebuild import rebuild, survey
from rag.shelf import Shelf
from rag.store import Store, open_store, roll_back
from rag.unfinished import Unfinished
from tests.conftest import PLANETS, ROOT, WordEmbedder, WordReader

Write = Callable[..., Path]
MANY = [(f"Paper {i}", f"Abstract number {i} of many, about topic {i % 7}.") for i in range(300)]

# Rebuilds in a process of its own; "kill" ends it without warning after so many steps of progress.
CHILD = """
import os, signal, sys
from pathlib import Path
from rag.rebuild import rebuild
from tests.conftest import WordEmbedder
steps = int(sys.argv[3])
def progress(*_):
    global steps
    steps -= 1
    if steps == 0:
        os.kill(os.getpid(), signal.SIGKILL)
rebuild([Path(sys.argv[1])], Path(sys.argv[2]), WordEmbedder(), progress)
"""


def killed(dump: Path, store: Path, steps: int) -> bool:
    """Rebuild in another process, killed at that step; whether it was killed before it had finished."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(dump), str(store), str(steps)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode in {0, -signal.SIGKILL}
    return done.returncode != 0


@pytest.mark.slow
def test_killed_at_any_step_the_old_papers_serve_and_the_next_run_goes_on(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    dump, store = write_dump(MANY), tmp_path / "store"
    embedded_before = []
    for steps in (1, 2, 3, 4, 4, 5):  # at the fourth step one more batch of 64 is done, at the fifth two
        assert killed(dump, store, steps)
        serving = open_store(store)
        assert serving.manifest.generation == planets.manifest.generation
        assert serving.nearest(embedder.embed_queries(["venus clouds"])[0], 1)
        serving.close()
        embedded_before.append(sum(path.stat().st_size for path in store.glob("unfinished-*")))
    assert embedded_before == sorted(embedded_before)
    report = rebuild([dump], store, embedder)
    assert (report.papers, report.embedded) == (300, 300 - 4 * 64)
    assert not list(store.glob("unfinished-*"))
    fresh = rebuild([dump], tmp_path / "undisturbed", WordEmbedder())
    resumed, undisturbed = open_store(store), open_store(tmp_path / "undisturbed")
    assert fresh.embedded == 300
    assert resumed.rows.papers() == undisturbed.rows.papers()
    assert np.allclose(resumed.rows.vectors, undisturbed.rows.vectors, atol=1e-6)


def test_batch_cut_off_by_a_crash_is_left_out_and_written_over(tmp_path: Path, embedder: WordEmbedder) -> None:
    digests = [bytes([i]) * 31 + b"\0" for i in range(20)]
    vectors = embedder.embed_passages([f"text {i}" for i in range(20)])
    unfinished = Unfinished(tmp_path, Embedding.of(embedder))
    unfinished.add(digests[:10], vectors[:10])
    (path,) = tmp_path.glob("unfinished-*")
    with path.open("ab") as file:
        file.write(b"half a record")
    unfinished.add(digests[10:], vectors[10:])
    found = unfinished.vectors()
    assert list(found) == digests
    assert (np.stack(list(found.values())) == vectors).all()


def test_full_disk_while_embedding_is_told_and_the_old_papers_serve(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    unfinished = Unfinished(tmp_path / "store", Embedding.of(embedder))
    unfinished._path.symlink_to("/dev/full")  # a device that is always full stands where the batches would go
    message = r"Cannot write .*unfinished-.*\.vectors: No space left on device\. Free some space"
    with pytest.raises(StoreError, match=message):
        rebuild([write_dump(MANY)], tmp_path / "store", embedder)
    assert open_store(tmp_path / "store").manifest.generation == planets.manifest.generation


def test_full_disk_while_chroma_writes_is_told_and_the_old_papers_serve(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))  # what is embedded fits, the database does not
    try:
        with pytest.raises(StoreError, match=r"Cannot write .*gen-.*Free some space") as error:
            rebuild([write_dump(MANY)], tmp_path / "store", embedder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not isinstance(error.value, StoreDamaged)
    assert open_store(tmp_path / "store").manifest.generation == planets.manifest.generation
    assert len(list((tmp_path / "store").glob("gen-*"))) == 1
    assert rebuild([write_dump(MANY)], tmp_path / "store", embedder).embedded == 0  # all of it was kept


def test_embeddings_of_another_model_are_not_taken_up(tmp_path: Path, embedder: WordEmbedder) -> None:
    Unfinished(tmp_path, Embedding.of(embedder)).add([bytes(32)], embedder.embed_passages(["a"]))
    embedder.fingerprint = "1" * 64
    assert Unfinished(tmp_path, Embedding.of(embedder)).vectors() == {}


def test_texts_of_like_length_are_embedded_together(tmp_path: Path, embedder: WordEmbedder, write_dump: Write) -> None:
    rebuild([write_dump([(f"T{i}", "word " * (i * 7 % 50 + 1)) for i in range(50)])], tmp_path / "store", embedder)
    lengths = [len(text) for text in embedder.embedded]
    assert lengths == sorted(lengths, reverse=True)


def test_rollback_lets_the_generation_before_serve_again(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    rebuild([write_dump(MANY)], tmp_path / "store", embedder)
    assert roll_back(tmp_path / "store").generation == planets.manifest.generation
    assert open_store(tmp_path / "store").manifest.papers == len(PLANETS)
    with pytest.raises(StoreMissing, match="keeps no generation before the current one"):
        roll_back(tmp_path / "store")


def test_survey_reads_and_writes_nothing(tmp_path: Path, write_dump: Write) -> None:
    found = survey([write_dump([*PLANETS, PLANETS[0]])])
    assert (len(found.dumps[0].papers), found.papers) == (4, 3)
    assert {path.name for path in tmp_path.iterdir()} == {"dump.jsonl"}


def test_shelf_moves_to_a_new_generation_between_two_questions(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    planets.close()
    shelf = Shelf(tmp_path / "store", embedder)
    first = shelf.retriever()
    assert shelf.retriever().store is first.store
    rebuild([write_dump([("Saturn", "Saturn has rings of ice.")])], tmp_path / "store", embedder)
    answer = Answerer(shelf.retriever(), None, reader=WordReader()).answer("What are the rings of Saturn made of?")
    assert answer.citations[0].paper.title == "Saturn"
    assert answer.generation != first.store.manifest.generation
    shelf.close()
