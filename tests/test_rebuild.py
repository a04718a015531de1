"""A rebuild reads every dump, counts what changed, embeds only what it must, and loses nothing when it fails."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rag.errors import DumpError, StoreBusy
from rag.rebuild import rebuild
from rag.store import Store, open_store
from tests.conftest import PLANETS, SEEDS, WordEmbedder

Write = Callable[..., Path]


def test_the_seeds_are_375_records_and_313_papers(tmp_path: Path, embedder: WordEmbedder) -> None:
    report = rebuild([SEEDS], tmp_path / "store", embedder)
    assert (report.records, report.papers, report.rejected) == (375, 313, ())
    assert (report.added, report.unchanged, report.changed, report.removed, report.embedded) == (313, 0, 0, 0, 313)
    assert [dump.records for dump in report.dumps] == [40, 119, 119, 40, 57]
    assert open_store(tmp_path / "store").manifest.generation == report.generation


def test_unchanged_rebuild_embeds_nothing(planets: Store, tmp_path: Path, embedder: WordEmbedder) -> None:
    before = np.array(planets.rows.vectors)
    embedder.embedded.clear()
    report = rebuild([tmp_path / "planets.jsonl"], tmp_path / "store", embedder)
    assert (report.unchanged, report.embedded, embedder.embedded) == (3, 0, [])
    after = open_store(tmp_path / "store")
    assert np.allclose(after.rows.vectors, before, atol=1e-6)


def test_only_new_and_changed_abstracts_are_embedded(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    embedder.embedded.clear()
    edited = [PLANETS[0], (PLANETS[1][0], "Venus was rewritten."), ("Jupiter", "Jupiter is large.")]
    report = rebuild([write_dump(edited)], tmp_path / "store", embedder)
    assert (report.added, report.unchanged, report.changed, report.removed, report.embedded) == (1, 1, 1, 1, 2)
    assert embedder.embedded == ["Venus: Cloudy Attention\nVenus was rewritten.", "Jupiter\nJupiter is large."]


def test_other_embedding_model_embeds_all_again_and_says_why(
    planets: Store, tmp_path: Path, embedder: WordEmbedder
) -> None:
    embedder.fingerprint = "1" * 64
    report = rebuild([tmp_path / "planets.jsonl"], tmp_path / "store", embedder)
    assert (report.embedded, report.unchanged) == (3, 3)
    assert report.afresh == (
        "it was built with the embedding model words (sha256 000000000000), "
        "and now the embedding model words (sha256 111111111111) is set"
    )


def test_rejected_records_are_reported_and_the_rest_is_built(
    tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    write_dump(b'{"title": "A", "abstract": "B"}\n{"title": "\xff"}\n', "dumps.jsonl")
    write_dump(b"\x00\x01\x02", "noise.bin")
    report = rebuild([tmp_path / "dumps.jsonl", tmp_path / "noise.bin"], tmp_path / "store", embedder)
    assert [(Path(place.path).name, place.line, place.why) for place in report.rejected] == [
        ("dumps.jsonl", 2, "not UTF-8: byte 0xff at column 12"),
        ("noise.bin", 1, "not text: a zero byte at column 1"),
    ]
    assert report.papers == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", r"dump\.jsonl:1: empty"), (b"\x00", "not text: a zero byte"), (b'{"title": "T"}', 'no "abstract"')],
)
def test_dump_without_papers_fails_and_the_old_papers_stay(
    content: bytes, why: str, planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    with pytest.raises(DumpError, match=rf"No papers in .*{why}"):
        rebuild([write_dump(content)], tmp_path / "store", embedder)
    assert open_store(tmp_path / "store").manifest.generation == planets.manifest.generation


def test_dump_that_vanishes_while_it_is_read_fails_and_the_old_papers_stay(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    paths = [write_dump(PLANETS, "a.jsonl"), write_dump(PLANETS, "b.jsonl")]

    def remove_second(stage: str, done: int, total: int) -> None:
        paths[1].unlink(missing_ok=True)

    with pytest.raises(DumpError, match=r"Cannot read .*b\.jsonl: No such file"):
        rebuild(paths, tmp_path / "store", embedder, remove_second)
    assert open_store(tmp_path / "store").manifest.generation == planets.manifest.generation


def test_progress_counts_every_stage_to_its_end(tmp_path: Path, embedder: WordEmbedder, write_dump: Write) -> None:
    seen: list[tuple[str, int, int]] = []
    rebuild([write_dump(PLANETS)], tmp_path / "store", embedder, lambda *step: seen.append(step))
    assert [step for step in seen if step[1] == step[2]] == [("read", 3, 3), ("embed", 3, 3), ("write", 3, 3)]


def test_second_rebuild_at_once_is_refused_even_from_another_process(
    tmp_path: Path, embedder: WordEmbedder, write_dump: Write
) -> None:
    hold = "import sys, pathlib; from rag.generations import writing\nwith writing(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "store")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=SEEDS.parent,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match=r"Another rebuild is writing to .*store"):
            rebuild([write_dump(PLANETS)], tmp_path / "store", embedder)
        holder.kill()
    assert rebuild([write_dump(PLANETS)], tmp_path / "store", embedder).papers == 3


def test_report_is_plain_data(tmp_path: Path, embedder: WordEmbedder, write_dump: Write) -> None:
    report = dataclasses.asdict(rebuild([write_dump(PLANETS)], tmp_path / "store", embedder))
    assert report["seconds"].keys() == {"parse", "embed", "write", "total"}
    assert report["seconds"]["total"] > 0
