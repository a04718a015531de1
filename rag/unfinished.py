"""Embeddings of a rebuild that has not finished, so that the next one can go on from its last batch.

One file for each way to embed a passage, beside the generations, only ever appended to: for each text its digest and
its vector. A record cut off by a crash is told by the file's size and left out.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.errors import StoreError
from rag.manifest import Embedding
from rag.types import Embeddings


class Unfinished:
    """What an interrupted rebuild has embedded. Only the process that holds the store's lock may use it."""

    def __init__(self, root: Path, embedding: Embedding) -> None:
        kind = hashlib.sha256(repr(embedding.of_passages).encode()).hexdigest()[:16]
        self._path = root / f"unfinished-{kind}.vectors"
        self._record = np.dtype([("text", "u1", (32,)), ("vector", "<f4", (embedding.dimension,))])

    def vectors(self) -> dict[bytes, Embeddings]:
        """The vectors that are there, by the digest of their text."""
        if not self._path.exists():
            return {}
        whole = self._path.stat().st_size // self._record.itemsize
        records = np.fromfile(self._path, dtype=self._record, count=whole)
        return {bytes(text): vector for text, vector in zip(records["text"], records["vector"], strict=True)}

    def add(self, digests: Sequence[bytes], vectors: Embeddings) -> None:
        """Keep a batch; it is on disk when this returns. Raises StoreError if it cannot be written."""
        records = np.empty(len(digests), dtype=self._record)
        records["text"] = [list(digest) for digest in digests]
        records["vector"] = vectors
        try:
            with self._path.open("ab") as file:
                if cut_off := file.tell() % self._record.itemsize:
                    file.truncate(file.tell() - cut_off)
                file.write(records.tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            hint = "Free some space, then run the rebuild again: it goes on from here."
            raise StoreError(f"Cannot write {self._path}: {exc.strerror or exc}.", hint) from exc

    def discard(self) -> None:
        """Forget all of them: a rebuild has finished."""
        for path in self._path.parent.glob("unfinished-*.vectors"):
            path.unlink(missing_ok=True)
