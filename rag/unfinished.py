"""Embeddings of a rebuild that has not finished, so that the next one can go on from its last batch.

One file a kind of embedding beside the generations, only ever appended to: for each text its sha256 and
its vector. A record cut off by a crash is told by the file's size and left out.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from rag.errors import StoreError
from rag.manifest import Embedding
from rag.types import Embeddings


class Unfinished:
    """What an interrupted rebuild has embedded. Only the process that holds the store's lock may use it."""

    def __init__(self, root: Path, embedding: Embedding) -> None:
        kind = hashlib.sha256(repr(astuple(embedding)[1:]).encode()).hexdigest()[:16]
        self._path = root / f"unfinished-{kind}.vectors"
        self._record = np.dtype([("text", "S32"), ("vector", "<f4", (embedding.dimension,))])

    def vectors(self, texts: Sequence[str]) -> dict[int, Embeddings]:
        """The vectors that are there, by index into `texts`."""
        if not self._path.exists():
            return {}
        whole = self._path.stat().st_size // self._record.itemsize
        records = np.fromfile(self._path, dtype=self._record, count=whole)
        # numpy cuts the zero bytes a hash may end in, so both sides are cut.
        found = {bytes(text): vector for text, vector in zip(records["text"], records["vector"], strict=True)}
        keys = ((row, _key(text).rstrip(b"\0")) for row, text in enumerate(texts))
        return {row: found[key] for row, key in keys if key in found}

    def add(self, texts: Sequence[str], vectors: Embeddings) -> None:
        """Keep a batch; it is on disk when this returns. Raises StoreError if it cannot be written."""
        records = np.empty(len(texts), dtype=self._record)
        records["text"] = [_key(text) for text in texts]
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


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
