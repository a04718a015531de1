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
    carried over if the embedding model is the same. Raises DumpError if a path cannot be read or no
    paper is found at all, StoreBusy if another rebuild runs, StoreError if the store cannot be written;
    whatever is raised, the generation that served before still serves.
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
        old, carried = _carry_over(root, merged.papers, embedding)
        new = {paper.paper_id: digest(paper) for paper in merged.papers}
        vectors = _embed(merged.papers, carried, embedder, progress)
        done = time.perf_counter()

        progress("write", 0, len(merged.papers))
        summaries = [
            DumpSummary(dump.path, dump.format, dump.sha256, len(dump.papers), len(dump.rejected)) for dump in dumps
        ]
        records = sum(dump.records for dump in summaries)
        manifest = write_generation(root, merged.papers, vectors, embedding, summaries, records)
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
        embedded=len(merged.papers) - len(carried),
        rejected=rejected,
        notes=tuple(note for dump in dumps for note in dump.notes) + merged.notes,
        seconds=Seconds(*(round(span, 3) for span in (parsed - started, done - parsed, ended - done, ended - started))),
    )


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
    root: Path, papers: Sequence[Paper], embedding: Embedding
) -> tuple[dict[str, str], dict[int, Embeddings]]:
    """The digests of the generation that serves now, and its vectors for the rows whose text did not change.

    Both are empty if there is none that can be read; the rebuild then starts afresh.
    """
    try:
        before = open_store(root)
        try:
            digests = before.digests()
            if before.manifest.embedding != embedding:
                return digests, {}
            rows = [row for row, paper in enumerate(papers) if paper.paper_id in digests]
            ids = [papers[row].paper_id for row in rows]
            was = zip(rows, before.papers(ids), before.vectors(ids), strict=True)
            return digests, {row: vector for row, old, vector in was if dense_text(old) == dense_text(papers[row])}
        finally:
            before.close()
    except StoreError:
        return {}, {}


def _embed(
    papers: Sequence[Paper], carried: dict[int, Embeddings], embedder: Embedder, progress: Progress
) -> Embeddings:
    """One vector a paper, in order, computed unless it was carried over."""
    vectors = np.empty((len(papers), embedder.dimension), dtype=np.float32)
    for row, vector in carried.items():
        vectors[row] = vector
    todo = [row for row in range(len(papers)) if row not in carried]
    progress("embed", 0, len(todo))
    for start in range(0, len(todo), _EMBED_AT_ONCE):
        rows = todo[start : start + _EMBED_AT_ONCE]
        vectors[rows] = embedder.embed_passages([dense_text(papers[row]) for row in rows])
        progress("embed", start + len(rows), len(todo))
    return vectors
