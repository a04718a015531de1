"""Texts -> unit vectors, in several processes. Knows nothing of the model: each process makes its own embedder.

For machines with many cores, where one process cannot keep all of them busy.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from rag.types import Embedder, Embeddings

_embedder: Embedder
"""The embedder of a worker; only its process has it."""


def embed_in_processes(
    make: Callable[[], Embedder], runs: Sequence[Sequence[str]], workers: int, threads: int
) -> Iterator[Embeddings]:
    """Yield the vectors of each run of texts, in order.

    `make` must be picklable. Raises what the embedder raises, and BrokenProcessPool if a process dies; the
    vectors yielded before are good.
    """
    spawn = multiprocessing.get_context("spawn")  # a fork would copy locks that torch's threads hold
    with ProcessPoolExecutor(workers, spawn, _start, (make, threads)) as pool:
        yield from pool.map(_embed, runs)


def _start(make: Callable[[], Embedder], threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
    import torch

    global _embedder
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _embedder = make()


def _end_with_parent() -> None:
    """End this process when the one that started it is killed: nobody would tell it to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _embed(texts: Sequence[str]) -> Embeddings:
    return _embedder.embed_passages(texts)
