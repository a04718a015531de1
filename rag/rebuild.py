"""Dumps -> papers -> embeddings -> a new generation of the store; returns a report.

Knows nothing of how a format is read or how a generation lies on disk.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.dumps import Dump, read_dump
from rag.dumps.files import DumpFile, find_dumps
from rag.errors import DumpError, StoreError
from rag.generations import writing
from rag.manifest import DumpSummary, Embedding
from rag.merge import merge
from rag.passages import dense_text
from rag.store import digest, open_store, write_generation
from rag.types import Embedder, Embeddings, Note, Paper, Rejected
from rag.unfinished import Unfinished

Progress = Callable[[str, int, int], None]
"""Called with the stage ("read", "embed", "write"), what is done and what there is to do."""

_EMBED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long each stage of a rebuild took."""

    parse: float
    embed: float
    write: float
    total: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a rebuild read and did. `added`, `changed`, `removed` count papers against the generation before."""

    generation: str
    dumps: tuple[DumpSummary, ...]
    records: int
    papers: int
    added: int
    unchanged: int
    changed: int
    removed: int
    embedded: int
    rejected: tuple[Rejected, ...]
    notes: tuple[Note, ...]
    """What was used otherwise than it stands: guessed years, records whose title or abstract was not kept."""
    seconds: Seconds


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
        new = {paper.paper_id: digest(paper) for paper in merged.papers}
        old, carried = _carry_over(root, merged.papers, new, embedding)
        unfinished = Unfinished(root, embedding)
        vectors, embedded = _embed(merged.papers, carried, embedder, unfinished, progress)
        done = time.perf_counter()

        progress("write", 0, len(merged.papers))
        summaries = [
            DumpSummary(dump.path, dump.format, dump.sha256, len(dump.papers), len(dump.rejected)) for dump in dumps
        ]
        records = sum(dump.records for dump in summaries)
        manifest = write_generation(root, merged.papers, vectors, embedding, summaries, records)
        unfinished.discard()
        progress("write", len(merged.papers), len(merged.papers))
        ended = time.perf_counter()
    return Report(
        generation=manifest.generation,
        dumps=manifest.dumps,
        records=records,
        papers=len(merged.papers),
        added=len(new.keys() - old.keys()),
        unchanged=sum(old.get(key) == value for key, value in new.items()),
        changed=sum(key in old and old[key] != value for key, value in new.items()),
        removed=len(old.keys() - new.keys()),
        embedded=embedded,
        rejected=rejected,
        notes=tuple(note for dump in dumps for note in dump.notes) + merged.notes,
        seconds=Seconds(*(round(span, 3) for span in (parsed - started, done - parsed, ended - done, ended - started))),
    )


@dataclass(frozen=True, slots=True)
class Survey:
    """What a rebuild would read."""

    dumps: tuple[Dump, ...]
    papers: int


def survey(paths: Sequence[Path], progress: Progress = lambda *_: None) -> Survey:
    """Read the dumps and merge their papers, as a rebuild would, but touch no store. Raises DumpError."""
    dumps = _read(find_dumps(list(paths)), progress)
    return Survey(tuple(dumps), len(merge(paper for dump in dumps for paper in dump.papers).papers))


def _read(files: Iterable[DumpFile], progress: Progress) -> list[Dump]:
    dumps: list[Dump] = []
    records = 0
    for file in files:
        dumps.append(read_dump(file))
        records += len(dumps[-1].papers)
        progress("read", records, 0)
    progress("read", records, records)
    return dumps


def _carry_over(
    root: Path, papers: Sequence[Paper], digests: dict[str, str], embedding: Embedding
) -> tuple[dict[str, str], dict[int, Embeddings]]:
    """The digests of the generation that serves now, and its vectors for the rows whose text did not change.

    Both are empty if there is none that can be read; the rebuild then starts afresh.
    """
    ids = [paper.paper_id for paper in papers]
    try:
        before = open_store(root)
        try:
            old = before.digests()
            if before.manifest.embedding != embedding:
                return old, {}
            edited = [row for row, key in enumerate(ids) if key in old and old[key] != digests[key]]
            was = zip(edited, before.papers([ids[row] for row in edited]), strict=True)
            rewritten = {row for row, paper in was if dense_text(paper) != dense_text(papers[row])}
            rows = [row for row, key in enumerate(ids) if key in old and row not in rewritten]
            return old, dict(zip(rows, before.vectors([ids[row] for row in rows]), strict=True))
        finally:
            before.close()
    except StoreError:
        return {}, {}


def _embed(
    papers: Sequence[Paper],
    carried: dict[int, Embeddings],
    embedder: Embedder,
    unfinished: Unfinished,
    progress: Progress,
) -> tuple[Embeddings, int]:
    """One vector a paper, in order, computed unless it is at hand; and how many were computed.

    Texts of like length are embedded together, since a batch is padded to its longest.
    """
    vectors = np.empty((len(papers), embedder.dimension), dtype=np.float32)
    texts = [dense_text(paper) for paper in papers]
    at_hand = unfinished.vectors(texts) | carried
    for row, vector in at_hand.items():
        vectors[row] = vector
    todo = sorted((row for row in range(len(papers)) if row not in at_hand), key=lambda row: -len(texts[row]))
    progress("embed", 0, len(todo))
    for start in range(0, len(todo), _EMBED_AT_ONCE):
        rows = todo[start : start + _EMBED_AT_ONCE]
        batch = [texts[row] for row in rows]
        vectors[rows] = embedder.embed_passages(batch)
        unfinished.add(batch, vectors[rows])
        progress("embed", start + len(rows), len(todo))
    return vectors, len(todo)
