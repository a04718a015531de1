"""One generation of papers on disk, to write and to read. The only importer of chromadb.

    gen-20261122-101500-3f9c/
      manifest.json    what was read, with which embedding model, and the counts
      chroma/          papers and their embeddings
      words/           the BM25 index

Nothing in a finished generation is ever changed: Chroma leaks disk on delete, and readers in other
processes see stale data; whole folders avoid both.
"""

import contextlib
import datetime
import hashlib
import json
import os
import shutil
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import StoreDamaged, StoreError, StoreIncompatible, StoreMissing
from rag.generations import current, make_current, new_name, remove_all_but, settle, writing
from rag.lexical import LexicalIndex
from rag.manifest import SCHEMA, DumpSummary, Embedding, Manifest
from rag.passages import lexical_text
from rag.types import Embedder, Embeddings, Paper, Source

_COLLECTION = "papers"
# More exact than Chroma's defaults (100, 16, 100), at little cost for a shelf of thousands.
_HNSW = {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 200}
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
        with _translated(folder):
            self._client = _client(folder)
            self._let_go = weakref.finalize(self, _close, self._client)
            self._papers = self._client.get_collection(_COLLECTION, embedding_function=None)
            count = self._papers.count()
        self.ids: tuple[str, ...] = _read_ids(folder)
        self.lexical = LexicalIndex.load(folder / "words")
        if not count == len(self.ids) == self.lexical.size == self.manifest.papers:
            raise StoreDamaged(
                f"{folder} holds {count} embeddings, {len(self.ids)} ids and the words of {self.lexical.size} papers "
                f"instead of {self.manifest.papers} of each."
            )
        self._rows = {key: row for row, key in enumerate(self.ids)}

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

    def nearest(self, vector: Embeddings, k: int) -> list[str]:
        """Ids of the `k` papers with the highest cosine to one query vector, best first."""
        with _translated(self.folder):
            found = self._papers.query(query_embeddings=[vector], n_results=min(k, self.manifest.papers), include=[])
        ids: list[str] = found["ids"][0]
        return ids

    def rows(self, ids: Sequence[str]) -> list[int]:
        """The rows of these papers in the word index. Raises StoreDamaged for an id that is not there."""
        try:
            return [self._rows[key] for key in ids]
        except KeyError as exc:
            raise self._lost(exc.args[0]) from exc

    def papers(self, ids: Sequence[str]) -> list[Paper]:
        """The papers with these ids, in this order. Raises StoreDamaged for an id that is not there."""
        return self._in_order(ids, "metadatas", _paper_of)

    def vectors(self, ids: Sequence[str]) -> Embeddings:
        """Shape (len(ids), dimension): the embeddings of these papers, in this order."""
        rows = self._in_order(ids, "embeddings", lambda _, vector: vector)
        return np.asarray(rows, dtype=np.float32).reshape(len(ids), self.manifest.embedding.dimension)

    def digests(self) -> dict[str, str]:
        """For each paper's id a hash of all it knows, its sources aside."""
        return dict(
            zip(self.ids, self._in_order(self.ids, "metadatas", lambda _, record: str(record["digest"])), strict=True)
        )

    def close(self) -> None:
        """Let go of the files, as happens by itself once nobody refers to the store. It cannot be used afterwards."""
        self._let_go()

    def _in_order(self, ids: Sequence[str], column: str, convert: Any) -> list[Any]:
        found: dict[str, Any] = {}
        with _translated(self.folder):
            for some in _batches(list(dict.fromkeys(ids)), self._client.get_max_batch_size()):
                rows: Any = self._papers.get(ids=some, include=[column])
                found |= {key: convert(key, value) for key, value in zip(rows["ids"], rows[column], strict=True)}
        missing = [key for key in ids if key not in found]
        if missing:
            raise self._lost(missing[0])
        return [found[key] for key in ids]

    def _lost(self, paper_id: str) -> StoreDamaged:
        return StoreDamaged(f"{self.folder} has lost the paper {paper_id!r}.")


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
) -> Manifest:
    """Write papers and their embeddings (same order) as a new generation and make it current.

    Call it within `writing(root)`. Raises StoreError, with the old generation still serving, if it
    cannot be written whole.
    """
    now = datetime.datetime.now(datetime.UTC)
    name = new_name(now)
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
        index={"chroma": version("chromadb"), "hnsw": _HNSW},
        previous=previous,
    )
    try:
        with _translated(folder):
            _write(folder, papers, vectors, manifest)
        Store(folder).close()
        with _translated(folder):
            settle(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    with _translated(folder):
        make_current(root, name)  # interrupted in here it may be current already, and must stay
    remove_all_but(root, {name, manifest.previous})
    return manifest


def digest(paper: Paper) -> str:
    """A hash of everything a paper says, wherever it was read."""
    values = [value for field, value in asdict(paper).items() if field != "sources"]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _write(folder: Path, papers: Sequence[Paper], vectors: Embeddings, manifest: Manifest) -> None:
    folder.mkdir(parents=True)
    LexicalIndex.build([lexical_text(paper) for paper in papers]).save(folder / "words")
    (folder / "words" / "ids.json").write_text(json.dumps([paper.paper_id for paper in papers]), encoding="utf-8")
    client = _client(folder)
    try:
        collection = client.create_collection(_COLLECTION, embedding_function=None, configuration={"hnsw": _HNSW})
        size = client.get_max_batch_size()
        for some, embeddings in zip(_batches(papers, size), _batches(vectors, size), strict=True):
            collection.add(
                ids=[paper.paper_id for paper in some],
                embeddings=embeddings,
                metadatas=[_metadata_of(paper) for paper in some],
            )
    finally:
        _close(client)
    manifest.write(folder)


def _batches(items: Any, size: int) -> Iterator[Any]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _metadata_of(paper: Paper) -> dict[str, str | int]:
    """Chroma's metadata: the whole record as JSON, its digest, and the year to filter on.

    Chroma's own `documents` stay empty: it would index their text a second time, at twice the disk and time.
    """
    metadata: dict[str, str | int] = {"record": json.dumps(asdict(paper)), "digest": digest(paper)}
    if paper.date and paper.date[:4].isdecimal():
        metadata["year"] = int(paper.date[:4])
    return metadata


def _paper_of(_: str, metadata: dict[str, str]) -> Paper:
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
def _translated(folder: Path) -> Iterator[None]:
    """Turn what chromadb and the file system raise into StoreErrors."""
    import chromadb.errors

    try:
        yield
    except OSError as exc:
        raise StoreError(
            f"Cannot write {folder}: {exc.strerror or exc}.", "Free some space or set FOOTNOTE_STORE to another folder."
        ) from exc
    except (chromadb.errors.ChromaError, ValueError, RuntimeError, AttributeError, KeyError, TypeError) as exc:
        # AttributeError is what chromadb raises on the second try at a database that is none; the last two
        # come of records that are not ours.
        raise StoreDamaged(f"Chroma cannot use {folder}: {exc}.") from exc


def _read_ids(folder: Path) -> tuple[str, ...]:
    path = folder / "words" / "ids.json"
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise StoreDamaged(f"Cannot read {path}: {exc}.") from exc
    if not isinstance(ids, list) or not all(isinstance(key, str) for key in ids):
        raise StoreDamaged(f"{path} is no list of ids.")
    return tuple(ids)


def _short(value: object) -> str:
    return repr(value)[:16]
