"""One generation of papers on disk, to write and to read. The only importer of chromadb.

    gen-20261122-101500-3f9c/
      manifest.json    what was read, with which embedding model, and the counts
      chroma/          papers, their embeddings and the HNSW index over them
      rows/            ids, digests, years and vectors, to be read without Chroma
      words/           the BM25 index

Nothing in a finished generation is ever changed: Chroma leaks disk on delete, and readers in other
processes see stale data; whole folders avoid both.
"""

import contextlib
import datetime
import json
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import StoreDamaged, StoreError, StoreIncompatible, StoreMissing
from rag.generations import current, make_current, new_name, remove_all_but, settle, writing
from rag.lexical import LexicalIndex
from rag.manifest import SCHEMA, DumpSummary, Embedding, Manifest
from rag.passages import lexical_text
from rag.rows import Rows
from rag.types import Embedder, Embeddings, Paper, Source

_COLLECTION = "papers"
# Up to so many papers every vector is compared with the query's, beyond them Chroma's graph is searched; among some of
# the papers every vector always is. Measured by benchmarks/index.py; the README has the table.
_SCANNED = 100_000
_HNSW = {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 400}
_WHY = (
    "Of 19,931 arXiv abstracts the scan found all of the nearest ten in 2.0 ms, also among those since 2024; the graph "
    "found 1.000 in 4.8 ms, with Chroma's default settings .993 in 1.8 ms and by its where .990 in 63 ms."
)
# A step of progress: a second or so.
_ADD_AT_ONCE = 1000
# chromadb 1.5 shares what clients of one folder open and counts them, but not safely: without this lock two threads
# that open and close a folder at once break each other. Reentrant since garbage collection may close a store anywhere.
_CLIENTS = threading.RLock()


class Store:
    """One generation, open for reading. Any number of threads and processes may read.

    Chroma opens its database for writing even to read it, so the folder must be writable.
    """

    def __init__(self, folder: Path) -> None:
        """Open a finished generation. Raises StoreDamaged or StoreIncompatible."""
        self.folder = folder
        self.manifest = Manifest.read(folder)
        database = folder / "chroma" / "chroma.sqlite3"
        if database.exists() and not os.access(database, os.W_OK):
            raise StoreError(
                f"{database} is read-only, and Chroma cannot open it so.",
                f"Run: chmod -R u+w {folder}, or copy the store.",
            )
        with _reading(folder):
            self._client = _client(folder)
            self._let_go = weakref.finalize(self, _close, self._client)
            self._papers = self._client.get_collection(_COLLECTION, embedding_function=None)
            count = self._papers.count()
        papers = self.manifest.papers
        self.rows = Rows.load(folder, papers, self.manifest.embedding.dimension)
        self.lexical = LexicalIndex.load(folder / "words")
        if not count == self.lexical.size == papers:
            raise StoreDamaged(
                f"{folder} holds {count} embeddings and the words of {self.lexical.size} papers "
                f"instead of {papers} of each."
            )

    def check_embedder(self, embedder: Embedder) -> None:
        """Raise StoreIncompatible unless queries would be embedded as the papers were."""
        ours, theirs = self.manifest.embedding, Embedding.of(embedder)
        for field in fields(Embedding):
            built, configured = getattr(ours, field.name), getattr(theirs, field.name)
            if field.name != "model" and built != configured:
                raise StoreIncompatible(
                    f"{self.folder} was built with the embedding model {ours.model!r} ({field.name} {_short(built)}), "
                    f"but {theirs.model!r} ({field.name} {_short(configured)}) is configured.",
                    "Run: footnote rebuild, or set FOOTNOTE_EMBEDDING_MODEL and its prefixes as they were.",
                )

    def nearest(self, vector: Embeddings, k: int, among: npt.NDArray[np.bool_] | None = None) -> list[int]:
        """Rows of the `k` papers with the highest cosine to one query vector, best first.

        `among`, one truth value a row, leaves only those.
        """
        papers = self.manifest.papers
        if among is None and papers > _SCANNED:
            with _reading(self.folder):
                found = self._papers.query(query_embeddings=[vector], n_results=min(k, papers), include=[])
            return [self._row(key) for key in found["ids"][0]]
        cosines = self.rows.vectors @ vector
        rows = np.arange(papers) if among is None else np.flatnonzero(among)
        if len(rows) > k:
            rows = rows[np.argpartition(-cosines[rows], k - 1)[:k]]
        return [int(row) for row in rows[np.argsort(-cosines[rows], kind="stable")]]

    def papers(self, rows: Sequence[int]) -> list[Paper]:
        """The papers in these rows, in this order. Raises StoreDamaged if one is not there."""
        ids = [self.rows.ids[row] for row in rows]
        found: dict[str, Paper] = {}
        with _reading(self.folder):
            for some in _batches(list(dict.fromkeys(ids)), self._client.get_max_batch_size()):
                records: Any = self._papers.get(ids=some, include=["metadatas"])
                found |= zip(records["ids"], map(_paper_of, records["metadatas"]), strict=True)
        missing = [key for key in ids if key not in found]
        if missing:
            raise StoreDamaged(f"{self.folder} has lost the paper {missing[0]!r}.")
        return [found[key] for key in ids]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.rows.ids)}

    def _row(self, paper_id: str) -> int:
        try:
            return self._row_of[paper_id]
        except KeyError as exc:
            raise StoreDamaged(f"{self.folder} does not know the paper {paper_id!r}, which Chroma found.") from exc

    def close(self) -> None:
        """Let go of the files, as happens by itself once nobody refers to the store. It cannot be used afterwards."""
        self._let_go()


def open_store(root: Path) -> Store:
    """Open the current generation. Raises StoreMissing if there is none yet."""
    while True:
        folder = current(root)
        try:
            return Store(folder)
        except StoreError:
            if current(root) == folder:
                raise
            # Two rebuilds have ended meanwhile, and the second has removed it.


def roll_back(root: Path) -> Manifest:
    """Make the generation before the current one serve again; returns its manifest.

    Raises StoreMissing if none is kept, StoreDamaged if it cannot serve, StoreBusy if a rebuild runs.
    """
    with writing(root):
        previous = Manifest.read(current(root)).previous
        if previous is None or not (root / previous).is_dir():
            raise StoreMissing(f"{root} keeps no generation before the current one.", "Run: footnote rebuild PATH")
        store = Store(root / previous)
        store.close()
        make_current(root, previous)
        return store.manifest


def write_generation(
    root: Path,
    papers: Sequence[Paper],
    vectors: Embeddings,
    embedding: Embedding,
    dumps: Sequence[DumpSummary],
    records: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write papers and their embeddings (same order) as a new generation and make it current.

    Call it within `writing(root)`; `progress` is told how many papers are written. Raises StoreError, with
    the old generation still serving, if it cannot be written whole.
    """
    now = datetime.datetime.now(datetime.UTC)
    name = new_name(root, now)
    previous = None
    with contextlib.suppress(StoreError):
        previous = current(root).name
        # What killed runs left takes room that this one may need.
        remove_all_but(root, {previous, Manifest.read(root / previous).previous})
    folder = root / name
    manifest = Manifest(
        schema=SCHEMA,
        generation=name,
        built_at=now.isoformat(timespec="seconds"),
        footnote=version("footnote"),
        embedding=embedding,
        dumps=tuple(dumps),
        records=records,
        papers=len(papers),
        index={"chroma": version("chromadb"), "hnsw": _HNSW, "scanned_up_to": _SCANNED, "why": _WHY},
        previous=previous,
    )
    try:
        with _writing(folder):
            _write(folder, papers, vectors, manifest, progress)
        Store(folder).close()
        with _writing(folder):
            settle(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    with _writing(folder):
        make_current(root, name)  # interrupted in here it may be current already, and must stay
    remove_all_but(root, {name, manifest.previous})
    return manifest


def _write(
    folder: Path, papers: Sequence[Paper], vectors: Embeddings, manifest: Manifest, progress: Callable[[int], None]
) -> None:
    folder.mkdir(parents=True)
    Rows.of(papers, vectors).save(folder)
    LexicalIndex.build([lexical_text(paper) for paper in papers]).save(folder / "words")
    client = _client(folder)
    try:
        collection = client.create_collection(_COLLECTION, embedding_function=None, configuration={"hnsw": _HNSW})
        size = min(client.get_max_batch_size(), _ADD_AT_ONCE)
        for start in range(0, len(papers), size):
            some = papers[start : start + size]
            collection.add(
                ids=[paper.paper_id for paper in some],
                embeddings=vectors[start : start + size],
                metadatas=[{"record": json.dumps(asdict(paper))} for paper in some],
            )
            progress(start + len(some))
    finally:
        _close(client)
    manifest.write(folder)


def _batches(items: Any, size: int) -> Iterator[Any]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _paper_of(metadata: dict[str, str]) -> Paper:
    record: dict[str, Any] = json.loads(metadata["record"])
    record["sources"] = [Source(**source) for source in record["sources"]]
    for field in ("authors", "categories", "links", "sources"):
        record[field] = tuple(record[field])
    return Paper(**record)


def _client(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    with _CLIENTS:
        return chromadb.PersistentClient(folder / "chroma", settings=Settings(anonymized_telemetry=False))


def _close(client: Any) -> None:
    with _CLIENTS:
        client.close()


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn what chromadb and the file system raise into StoreDamaged."""
    try:
        yield
    except _raised_by_chroma() as exc:
        raise StoreDamaged(f"Chroma cannot use {folder}: {exc}.") from exc


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what chromadb and the file system raise into StoreError: the new generation could not be written."""
    try:
        yield
    except _raised_by_chroma() as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise StoreError(
            f"Cannot write {folder}: {why}.",
            "Free some space or set FOOTNOTE_STORE to another folder, then run the rebuild again.",
        ) from exc


def _raised_by_chroma() -> tuple[type[Exception], ...]:
    """AttributeError is what chromadb raises on the second try at a database that is none; KeyError and TypeError
    come of records that are not ours."""
    import chromadb.errors

    return OSError, chromadb.errors.ChromaError, ValueError, RuntimeError, AttributeError, KeyError, TypeError


def _short(value: object) -> str:
    return repr(value)[:16]
