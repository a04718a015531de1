"""Dumps -> papers -> embeddings -> a new generation of the store; returns a report.

Knows nothing of how a format is read or how a generation lies on disk.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.dumps import Dump, find_dumps, read_dump
from rag.errors import DumpError, StoreError
from rag.generations import writing
from rag.manifest import DumpSummary, Embedding
from rag.merge import merge
from rag.passages import dense_text
from rag.store import Store, digest, open_store, write_generation
from rag.types import Embedder, Embeddings, Paper, Rejected

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
    disagreements: tuple[Rejected, ...]
    """Records whose abstract differs from the one that was kept for their paper."""
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
        before = _previous(root)
        old = before.digests() if before else {}
        new = {paper.paper_id: digest(paper) for paper in merged.papers}
        vectors, embedded = _embed(
            merged.papers, embedder, before if before and before.manifest.embedding == embedding else None, progress
        )
        if before:
            before.close()
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
        embedded=embedded,
        rejected=rejected,
        disagreements=merged.disagreements,
        seconds=Seconds(*(round(span, 3) for span in (parsed - started, done - parsed, ended - done, ended - started))),
    )


def _read(paths: Sequence[Path], progress: Progress) -> list[Dump]:
    dumps = []
    for number, path in enumerate(paths):
        progress("read", number, len(paths))
        dumps.append(read_dump(path))
    progress("read", len(paths), len(paths))
    return dumps


def _previous(root: Path) -> Store | None:
    """The generation that serves now, or None if there is none that can be read."""
    try:
        return open_store(root)
    except StoreError:
        return None


def _embed(
    papers: Sequence[Paper], embedder: Embedder, before: Store | None, progress: Progress
) -> tuple[Embeddings, int]:
    """One vector a paper, in order, and how many had to be computed."""
    vectors = np.empty((len(papers), embedder.dimension), dtype=np.float32)
    carried = _unchanged_rows(papers, before) if before else []
    if before and carried:
        vectors[carried] = before.vectors([papers[row].paper_id for row in carried])
    todo = sorted(set(range(len(papers))) - set(carried))
    progress("embed", 0, len(todo))
    for start in range(0, len(todo), _EMBED_AT_ONCE):
        rows = todo[start : start + _EMBED_AT_ONCE]
        vectors[rows] = embedder.embed_passages([dense_text(papers[row]) for row in rows])
        progress("embed", start + len(rows), len(todo))
    return vectors, len(todo)


def _unchanged_rows(papers: Sequence[Paper], before: Store) -> list[int]:
    """Rows of the papers whose embedded text stands in the previous generation as it is now."""
    known = set(before.ids)
    rows = [row for row, paper in enumerate(papers) if paper.paper_id in known]
    was = before.papers([papers[row].paper_id for row in rows])
    return [row for row, old in zip(rows, was, strict=True) if dense_text(old) == dense_text(papers[row])]
