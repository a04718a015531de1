"""Dumps -> papers -> embeddings -> a new generation of the store; returns a report.

Knows nothing of how a format is read or how a generation lies on disk.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.dumps import Dump, read_dump
from rag.dumps.files import DumpFile, find_dumps
from rag.errors import DumpError, StoreError, StoreMissing
from rag.generations import writing
from rag.manifest import DumpSummary, Embedding
from rag.merge import merge
from rag.passages import dense_text
from rag.rows import Rows, text_digest
from rag.store import open_store, write_generation
from rag.types import Embedder, Embeddings, Note, Paper, Rejected
from rag.unfinished import Unfinished

Progress = Callable[[str, int, int], None]
"""Called with the stage ("read", "embed", "write"), what is done and what there is to do."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long each stage of a rebuild took."""

    parse: float
    embed: float
    write: float
    total: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a rebuild read and did. `added`, `changed`, `removed` count papers against the generation before;
    `merged` the records that fell together with others, `joined` those of them that did so in spite of their id."""

    generation: str
    dumps: tuple[DumpSummary, ...]
    records: int
    papers: int
    added: int
    unchanged: int
    changed: int
    removed: int
    merged: int
    joined: int
    embedded: int
    afresh: str | None
    """Why no vector of the generation before was carried over, if there was one."""
    rejected: tuple[Rejected, ...]
    notes: tuple[Note, ...]
    """What was used otherwise than it stands: guessed years, records whose title or abstract was not kept."""
    seconds: Seconds
    bytes: int
    """What the generation takes on disk."""


def rebuild(paths: Sequence[Path], root: Path, embedder: Embedder, progress: Progress = lambda *_: None) -> Report:
    """Read the dumps at `paths` and make their papers the current generation of the store at `root`.

    The store then holds these papers and no others. Embeddings of abstracts that did not change are
    carried over if the embedding model is the same, and a rebuild that was interrupted is gone on with
    from its last batch. Raises DumpError if a path cannot be read or no paper is found at all, StoreBusy
    if another rebuild runs, StoreError if the store cannot be written; whatever is raised, the generation
    that served before still serves.
    """
    with writing(root):
        started = time.perf_counter()
        dumps = _read(find_dumps(list(paths)), progress)
        rejected = tuple(line for dump in dumps for line in dump.rejected)
        merged = merge(paper for dump in dumps for paper in dump.papers)
        if not merged.papers:
            first = f" {rejected[0].path}:{rejected[0].line}: {rejected[0].why}." if rejected else ""
            raise DumpError(
                f"No papers in {', '.join(map(str, paths))}.{first}",
                "Run: footnote rebuild PATH, with a dump of abstracts.",
            )
        parsed = time.perf_counter()

        embedding = Embedding.of(embedder)
        before = _before(root, embedding)
        unfinished = Unfinished(root, embedding)
        at_hand = before.vectors | unfinished.vectors()
        vectors, embedded = _embed(merged.papers, at_hand, embedder, unfinished, progress)
        done = time.perf_counter()

        summaries = [
            DumpSummary(dump.path, dump.format, dump.sha256, len(dump.papers), len(dump.rejected)) for dump in dumps
        ]
        records = sum(dump.records for dump in summaries)
        count = len(merged.papers)
        progress("write", 0, count)
        manifest = write_generation(
            root,
            merged.papers,
            vectors,
            embedding,
            summaries,
            records,
            lambda written: progress("write", written, count),
        )
        unfinished.discard()
        ended = time.perf_counter()
        folder = root / manifest.generation
        new, old = Rows.load(folder, manifest.papers, embedding.dimension).papers(), before.papers
        size = 0
        for file in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # the journal of who reads the store comes and goes
                size += file.stat().st_size if file.is_file() else 0
    return Report(
        generation=manifest.generation,
        dumps=manifest.dumps,
        records=records,
        papers=len(merged.papers),
        added=len(new.keys() - old.keys()),
        unchanged=sum(old.get(key) == value for key, value in new.items()),
        changed=sum(key in old and old[key] != value for key, value in new.items()),
        removed=len(old.keys() - new.keys()),
        merged=records - len(merged.papers),
        joined=merged.joined,
        embedded=embedded,
        afresh=before.afresh,
        rejected=rejected,
        notes=tuple(note for dump in dumps for note in dump.notes) + merged.notes,
        seconds=Seconds(*(round(span, 3) for span in (parsed - started, done - parsed, ended - done, ended - started))),
        bytes=size,
    )


@dataclass(frozen=True, slots=True)
class Survey:
    """What a rebuild would read."""

    dumps: tuple[Dump, ...]
    papers: int
    notes: tuple[Note, ...]
    """On records that would be merged; those on reading them are in the dumps."""


def survey(paths: Sequence[Path], progress: Progress = lambda *_: None) -> Survey:
    """Read the dumps and merge their papers, as a rebuild would, but touch no store. Raises DumpError."""
    dumps = _read(find_dumps(list(paths)), progress)
    merged = merge(paper for dump in dumps for paper in dump.papers)
    return Survey(tuple(dumps), len(merged.papers), merged.notes)


def _read(files: Iterable[DumpFile], progress: Progress) -> list[Dump]:
    dumps: list[Dump] = []
    records = 0
    for file in files:
        dumps.append(read_dump(file))
        records += len(dumps[-1].papers)
        progress("read", records, 0)
    progress("read", records, records)
    return dumps


@dataclass(frozen=True, slots=True)
class _Before:
    """What the generation that serves now has for the next one; nothing, if none can be read."""

    papers: dict[str, bytes]
    """For each id the digest of the paper."""
    vectors: dict[bytes, Embeddings]
    """For each digest of a text its vector."""
    afresh: str | None


def _before(root: Path, embedding: Embedding) -> _Before:
    try:
        store = open_store(root)
    except StoreMissing:
        return _Before({}, {}, None)
    except StoreError as error:
        return _Before({}, {}, f"the generation before cannot be used ({error.message.rstrip('.')})")
    try:
        papers, built = store.rows.papers(), store.manifest.embedding
        if built.of_passages != embedding.of_passages:
            return _Before(papers, {}, f"it was built with {_described(built)}, and now {_described(embedding)} is set")
        return _Before(papers, store.rows.vectors_by_text(), None)
    finally:
        store.close()


def _described(embedding: Embedding) -> str:
    prefix = f" and the passage prefix {embedding.passage_prefix!r}" if embedding.passage_prefix else ""
    return f"the embedding model {embedding.model} (sha256 {embedding.sha256[:12]}){prefix}"


def _embed(
    papers: Sequence[Paper],
    at_hand: dict[bytes, Embeddings],
    embedder: Embedder,
    unfinished: Unfinished,
    progress: Progress,
) -> tuple[Embeddings, int]:
    """One vector a paper, in order, computed unless it is at hand; and how many were computed.

    Texts of like length are embedded together, since a batch is padded to its longest.
    """
    vectors = np.empty((len(papers), embedder.dimension), dtype=np.float32)
    digests = [text_digest(paper) for paper in papers]
    todo = []
    for row, text in enumerate(digests):
        if text in at_hand:
            vectors[row] = at_hand[text]
        else:
            todo.append(row)
    todo.sort(key=lambda row: -len(papers[row].abstract))
    done = 0
    progress("embed", done, len(todo))
    for run in embedder.embed_many([dense_text(papers[row]) for row in todo]):
        rows = todo[done : done + len(run)]
        vectors[rows] = run
        unfinished.add([digests[row] for row in rows], run)
        done += len(rows)
        progress("embed", done, len(todo))
    return vectors, len(todo)
