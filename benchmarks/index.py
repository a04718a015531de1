"""What Chroma's index finds of what an exact scan finds, and at what cost, at several settings of its graph.

    python -m benchmarks.index STORE QUERIES [--papers N] [--queries 300] [--since 2024]

STORE is a folder that `footnote rebuild` wrote; its papers are put into a new Chroma database at each setting.
QUERIES is a dump of other papers, whose titles are searched for. A search gives the records of ten papers: Chroma's
in one query; the exact scan multiplies all vectors with the query's and reads the ten best by their ids. `recall` is
the share of the ten nearest that is found. Filtered searches are for papers of a year or later: Chroma's by
`where`, the scan's by a mask. `open ms` is the first query after opening the database.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.embed import SentenceEmbedder
from rag.store import _HNSW, _client, open_store
from rag.text import title_key
from rag.types import Embeddings, Paper

TOP_K = 10
TIE = 1e-6  # twins among the records are equally near, and Chroma rounds otherwise than numpy
# ef_construction, max_neighbors, ef_search: Chroma's own, the store's, and others around them.
USED = (_HNSW["ef_construction"], _HNSW["max_neighbors"], _HNSW["ef_search"])
SETTINGS = ((100, 16, 100), (200, 16, 200), (200, 32, 100), (200, 32, 200), (200, 32, 400), (400, 64, 400))

Ids = npt.NDArray[np.str_]
Mask = npt.NDArray[np.bool_]
Search = Callable[[Embeddings], list[str]]
"""The vector of a query -> the ids of the nearest papers, whose records were read as well."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("other", metavar="QUERIES", type=Path)
    parser.add_argument("--papers", type=int, help="the first so many (default: all)")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--since", type=int, default=2024)
    arguments = parser.parse_args()
    store, embedder = open_store(arguments.store), SentenceEmbedder()
    store.check_embedder(embedder)
    known = store.papers(range(len(store.rows.ids)))
    papers = known[: arguments.papers]
    ids, vectors = np.array(store.rows.ids[: len(papers)]), np.array(store.rows.vectors[: len(papers)])
    years = store.rows.years[: len(papers)]
    titles = _other_titles(arguments.other, known)[: arguments.queries]
    queries = embedder.embed_queries(titles)
    recent = years >= arguments.since
    where = {"year": {"$gte": arguments.since}}
    masks = (np.full(len(papers), True), recent)
    right = [_right(ids, vectors, queries, mask) for mask in masks]
    print(f"{len(papers)} papers, {recent.sum()} of them since {arguments.since}; {len(titles)} queries")
    print(f"{'':43}all papers                since {arguments.since}")
    print(f"{'':18}  build s   MB  open ms  recall  ms med.  p95    recall  ms med.  p95")
    for setting in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            _build(Path(folder), papers, years.tolist(), vectors, setting)
            built = time.perf_counter() - started
            size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
            client = _client(Path(folder))
            collection = client.get_collection("papers", embedding_function=None)
            searches = [_by_chroma(collection, filter_) for filter_ in (None, where)]
            opening = _timed(searches[0], queries[:1])[1][0]
            if setting == SETTINGS[0]:
                scans = [_by_scan(collection, ids, vectors, mask) for mask in masks]
                print(f"{'exact scan':43}" + _figures(scans, queries, right), flush=True)
            name = "{:3} {:2} {:3}".format(*setting) + (" (used)" if setting == USED else "")
            print(
                f"{name:18}  {built:7.1f} {size:4.0f} {opening:8.1f}  {_figures(searches, queries, right)}", flush=True
            )
            client.close()


def _right(ids: Ids, vectors: Embeddings, queries: Embeddings, mask: Mask) -> list[set[str]]:
    """For each query the ids that may be among the best ten: more than ten where papers are equally near."""
    cosines = np.where(mask, queries @ vectors.T, -np.inf)
    tenth = np.sort(cosines, axis=1)[:, -TOP_K] - TIE
    return [set(ids[near >= least].tolist()) for near, least in zip(cosines, tenth, strict=True)]


def _other_titles(dump: Path, papers: Sequence[Paper]) -> list[str]:
    """The titles in a dump that none of the papers has."""
    known = {title_key(paper.title) for paper in papers}
    titles = (paper.title for file in find_dumps([dump]) for paper in read_dump(file).papers)
    return [title for title in titles if title_key(title) not in known]


def _build(
    folder: Path, papers: Sequence[Paper], years: Sequence[int], vectors: Embeddings, setting: tuple[int, int, int]
) -> None:
    hnsw = {"space": "cosine"} | dict(zip(("ef_construction", "max_neighbors", "ef_search"), setting, strict=True))
    client = _client(folder)
    collection = client.create_collection("papers", embedding_function=None, configuration={"hnsw": hnsw})
    size = client.get_max_batch_size()
    for start in range(0, len(papers), size):
        some = papers[start : start + size]
        collection.add(
            ids=[paper.paper_id for paper in some],
            embeddings=vectors[start : start + size],
            metadatas=[
                {"record": json.dumps(asdict(paper)), "year": year}
                for paper, year in zip(some, years[start : start + size], strict=True)
            ],
        )
    client.close()


def _by_chroma(collection: Any, where: dict[str, Any] | None) -> Search:
    def search(vector: Embeddings) -> list[str]:
        found = collection.query(query_embeddings=[vector], n_results=TOP_K, where=where, include=["metadatas"])
        return list(found["ids"][0])

    return search


def _by_scan(collection: Any, ids: Ids, vectors: Embeddings, mask: Mask) -> Search:
    def search(vector: Embeddings) -> list[str]:
        cosines = np.where(mask, vectors @ vector, -np.inf)
        best = np.argpartition(-cosines, TOP_K)[:TOP_K]
        found: list[str] = ids[best[np.argsort(-cosines[best])]].tolist()
        collection.get(ids=found, include=["metadatas"])
        return found

    return search


def _timed(search: Search, queries: Embeddings) -> tuple[list[list[str]], list[float]]:
    """What is found for each query, and in how many milliseconds."""
    found, spans = [], []
    for vector in queries:
        started = time.perf_counter()
        found.append(search(vector))
        spans.append((time.perf_counter() - started) * 1000)
    return found, spans


def _figures(searches: Sequence[Search], queries: Embeddings, right: Sequence[list[set[str]]]) -> str:
    """Recall, median and 95th percentile of the milliseconds, of each search."""
    figures = []
    for search, those in zip(searches, right, strict=True):
        found, spans = _timed(search, queries)
        recall = np.mean([len(set(ids) & best) / TOP_K for ids, best in zip(found, those, strict=True)])
        figures.append(f"{recall:.4f}  {np.median(spans):7.2f} {np.percentile(spans, 95):5.2f}")
    return "    ".join(figures)


if __name__ == "__main__":
    main()
