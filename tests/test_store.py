"""Generations: whole or not there, refused where they do not fit, swapped in one step."""

import datetime
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rag.store
from rag.errors import StoreBusy, StoreDamaged, StoreError, StoreIncompatible, StoreMissing
from rag.generations import current, new_name, writing
from rag.manifest import SCHEMA, Embedding
from rag.rebuild import rebuild
from rag.retrieve import Retriever
from rag.rows import digest
from rag.store import Store, open_store, write_generation
from rag.types import Paper, Source
from tests.conftest import PLANETS, WordEmbedder


def test_papers_come_back_as_they_went_in(tmp_path: Path, embedder: WordEmbedder) -> None:
    paper = Paper(
        "id/1",
        "Título “μ”",
        "An abstract.",
        ("A", "B"),
        2,
        "2024-05",
        7,
        "https://a.b",
        ("cs.CL",),
        ("https://c.d",),
        (Source("x", 3),),
    )
    vectors = embedder.embed_passages(["a", "b"])
    papers = [
        paper,
        replace(paper, paper_id="2", authors=(), author_count=None, date=None, votes=None, url=None, links=()),
    ]
    write_generation(tmp_path / "store", papers, vectors, Embedding.of(embedder), [], 2)
    store = open_store(tmp_path / "store")
    assert store.papers([1, 0]) == papers[::-1]
    assert (store.rows.vectors == vectors).all()
    assert store.rows.papers() == {paper.paper_id: digest(paper) for paper in papers}
    assert store.rows.years.tolist() == [2024, 0]
    store.close()


def test_nearest_is_by_cosine(planets: Store, embedder: WordEmbedder) -> None:
    vector = embedder.embed_queries(["venus replaces attention by clouds"])[0]
    rows = planets.nearest(vector, 3)
    assert planets.papers(rows[:1])[0].title == "Venus: Cloudy Attention"
    assert len(planets.nearest(vector, 10)) == 3


def test_the_graph_finds_what_the_scan_finds(
    planets: Store, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = embedder.embed_queries(["venus replaces attention by clouds", "mars", "a small transformer"])
    scanned = [planets.nearest(vector, 2) for vector in queries]
    monkeypatch.setattr(rag.store, "_SCANNED", 0)
    assert [planets.nearest(vector, 2) for vector in queries] == scanned


def test_among_leaves_only_those_papers(planets: Store, embedder: WordEmbedder) -> None:
    retriever, query = Retriever(planets, embedder), "venus replaces attention by clouds"
    all_three = [found.paper.title[:4] for found in retriever.search(query, 3)]
    others = [found.paper.title[:4] for found in retriever.search(query, 3, np.array([True, False, True]))]
    assert all_three[0] == "Venu"
    assert others == all_three[1:]
    assert retriever.search(query, 3, np.zeros(3, dtype=bool)) == []


def test_manifest_says_what_it_is_made_of(planets: Store) -> None:
    manifest = planets.manifest
    assert (manifest.papers, manifest.records, manifest.schema, manifest.previous) == (3, 3, SCHEMA, None)
    assert (manifest.embedding.model, manifest.embedding.dimension) == ("words", 64)
    assert [(Path(dump.path).name, dump.format, dump.records) for dump in manifest.dumps] == [
        ("planets.jsonl", "jsonl", 3)
    ]


def test_no_store_is_missing_and_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match=r"holds no papers\. Run: footnote rebuild seeds/ --store /"):
        open_store(tmp_path / "store")


def test_unfinished_rebuild_is_no_store(planets: Store, tmp_path: Path) -> None:
    (tmp_path / "store" / "current").unlink()
    with pytest.raises(StoreMissing, match="holds an unfinished rebuild but no papers"):
        open_store(tmp_path / "store")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shutil.rmtree(folder), r"current names 'gen-[^']*', which is not there"),
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json is missing"),
        (lambda folder: (folder / "manifest.json").write_text("{"), r"Cannot read .*manifest\.json"),
        (
            lambda folder: (folder / "manifest.json").write_text(f'{{"schema": {SCHEMA}}}'),
            r"Cannot read .*manifest\.json",
        ),
        (lambda folder: shutil.rmtree(folder / "chroma"), r"Chroma cannot use .*"),
        (lambda folder: _empty(folder / "chroma" / "chroma.sqlite3"), r"Chroma cannot use .*"),
        (lambda folder: (folder / "chroma" / "chroma.sqlite3").write_bytes(b"x" * 9000), r"Chroma cannot use .*"),
        (lambda folder: shutil.rmtree(folder / "words"), r"Cannot read the word index in"),
        (lambda folder: shutil.rmtree(folder / "rows"), r"Cannot read .*ids\.json"),
        (lambda folder: (folder / "rows" / "ids.json").write_text("[]"), r"ids\.json has 0 ids instead of 3"),
        (lambda folder: (folder / "rows" / "ids.json").write_text("5"), r"ids\.json is no list of ids"),
        (lambda folder: _empty(folder / "rows" / "vectors.npy"), r"Cannot read .*vectors\.npy"),
        (
            lambda folder: np.save(folder / "rows" / "years.npy", np.zeros(2)),
            r"float64 of shape \(2,\) instead of int16",
        ),
        (lambda folder: (folder.parent / "current").write_bytes(b"\xff"), r"Cannot read .*current"),
        (lambda folder: (folder.parent / "current").write_text("../elsewhere"), r"which is not there"),
        (lambda folder: _empty(next((folder / "words").glob("data*.npy"))), r"Cannot read the word index in"),
        (lambda folder: (folder / "words" / "params.index.json").unlink(), r"Cannot read the word index in"),
    ],
)
def test_half_a_store_is_refused_and_a_rebuild_mends_it(
    spoil: Callable[[Path], object], message: str, planets: Store, tmp_path: Path, embedder: WordEmbedder
) -> None:
    planets.close()
    spoil(planets.folder)
    with pytest.raises(StoreDamaged, match=message) as error:
        open_store(tmp_path / "store")
    assert "footnote rebuild" in error.value.hint
    rebuild([tmp_path / "planets.jsonl"], tmp_path / "store", embedder)
    assert open_store(tmp_path / "store").manifest.papers == len(PLANETS)


def _rename_an_id(folder: Path) -> None:
    path = folder / "rows" / "ids.json"
    path.write_text(json.dumps(["renamed", *json.loads(path.read_text())[1:]]))


def _drop_the_records(folder: Path) -> None:
    with sqlite3.connect(folder / "chroma" / "chroma.sqlite3") as database:
        database.execute("DELETE FROM embedding_metadata")
    database.close()


@pytest.mark.parametrize("spoil", [_rename_an_id, _drop_the_records])
def test_damage_found_while_reading_is_told_and_a_rebuild_mends_it(
    spoil: Callable[[Path], object], planets: Store, tmp_path: Path, embedder: WordEmbedder
) -> None:
    planets.close()
    spoil(planets.folder)
    damaged = open_store(tmp_path / "store")
    with pytest.raises(StoreDamaged, match="footnote rebuild"):
        Retriever(damaged, embedder).search("Mercury Venus Mars", 3)
    damaged.close()
    report = rebuild([tmp_path / "planets.jsonl"], tmp_path / "store", embedder)
    assert (report.papers, report.embedded) == (3, 0)


def test_only_generations_are_ever_removed(planets: Store, tmp_path: Path, embedder: WordEmbedder) -> None:
    (tmp_path / "store" / "gen-data").mkdir()
    for _ in range(3):
        rebuild([tmp_path / "planets.jsonl"], tmp_path / "store", embedder)
    assert (tmp_path / "store" / "gen-data").is_dir()


def test_another_versions_store_is_refused(planets: Store, tmp_path: Path) -> None:
    path = planets.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(StoreIncompatible, match=r"has schema 99; this version reads 2\. Run: footnote rebuild"):
        open_store(tmp_path / "store")


@pytest.mark.parametrize(
    ("field", "value"),
    [("fingerprint", "f" * 64), ("dimension", 32), ("query_prefix", "query: "), ("passage_prefix", "p: ")],
)
def test_store_of_other_embeddings_is_refused(
    field: str, value: object, planets: Store, embedder: WordEmbedder
) -> None:
    setattr(embedder, field, value)
    with pytest.raises(StoreIncompatible, match="was built with the embedding model 'words'") as error:
        planets.check_embedder(embedder)
    assert "footnote rebuild" in error.value.hint


def test_same_weights_under_another_name_are_accepted(planets: Store, embedder: WordEmbedder) -> None:
    embedder.name = "/elsewhere/words"
    planets.check_embedder(embedder)


def test_only_one_may_write(tmp_path: Path) -> None:
    with (
        writing(tmp_path / "store"),
        pytest.raises(StoreBusy, match="Another rebuild is writing to"),
        writing(tmp_path / "store"),
    ):
        pytest.fail("two writers")
    with writing(tmp_path / "store"):
        pass


def test_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match=r"Cannot write to .*file/store: Not a directory"),
        writing(tmp_path / "file" / "store"),
    ):
        pytest.fail("wrote into a file")


def test_failed_write_leaves_the_old_generation_serving(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rag.manifest.json.dumps", full)
    papers = [Paper("1", "T", "A")]
    with pytest.raises(StoreError, match=r"Cannot write .*No space left on device"):
        write_generation(tmp_path / "store", papers, embedder.embed_passages(["a"]), Embedding.of(embedder), [], 1)
    monkeypatch.undo()
    assert open_store(tmp_path / "store").manifest.generation == planets.manifest.generation
    assert [folder.name for folder in (tmp_path / "store").glob("gen-*")] == [planets.manifest.generation]


def test_one_older_generation_is_kept_and_a_reader_of_it_goes_on(
    planets: Store, tmp_path: Path, embedder: WordEmbedder
) -> None:
    generations = [planets.manifest.generation]
    for _ in range(2):
        generations.append(rebuild([tmp_path / "planets.jsonl"], tmp_path / "store", embedder).generation)
        if len(generations) == 2:
            assert planets.nearest(embedder.embed_queries(["mars"])[0], 1)
    assert {folder.name for folder in (tmp_path / "store").glob("gen-*")} == set(generations[1:])
    assert open_store(tmp_path / "store").manifest.previous == generations[1]


def test_generation_is_on_disk_before_it_serves(
    tmp_path: Path, embedder: WordEmbedder, write_dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, settled, before_swap = tmp_path / "store", set[int](), set[int]()
    fsync, replace = os.fsync, Path.replace

    def note(descriptor: int) -> None:
        fsync(descriptor)
        settled.add(os.fstat(descriptor).st_ino)

    def swap(pointer: Path, target: Path) -> Path:
        before_swap.update(settled)
        settled.clear()
        return replace(pointer, target)

    monkeypatch.setattr("rag.generations.os.fsync", note)
    monkeypatch.setattr(Path, "replace", swap)
    rebuild([write_dump(PLANETS)], store, embedder)
    generation = current(store)
    files = {path.stat().st_ino for path in generation.rglob("*") if path.is_file()}
    assert len(files) >= 8
    assert before_swap >= files | {(store / "current").stat().st_ino}
    if os.name == "posix":  # elsewhere folders cannot be flushed
        folders = {path.stat().st_ino for path in (store, generation, *generation.rglob("*/"))}
        assert before_swap >= folders
        assert settled == {store.stat().st_ino}


def test_interrupt_right_after_the_swap_leaves_the_new_generation_serving(
    planets: Store, tmp_path: Path, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(pointer: Path, target: Path) -> None:
        os.replace(pointer, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rebuild([tmp_path / "planets.jsonl"], tmp_path / "store", embedder)
    serving = open_store(tmp_path / "store")
    assert serving.manifest.previous == planets.manifest.generation
    serving.close()


def test_name_of_a_generation_is_none_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["00aa", "00aa", "00bb"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(drawn))
    now = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    (tmp_path / new_name(tmp_path, now)).mkdir()
    assert new_name(tmp_path, now) == "gen-20260102-000000-00bb"
