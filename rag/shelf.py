"""The store as a program that runs on sees it: always the current generation, and no other kept open.

Ask it for the retriever before each question; a rebuild then takes effect between two questions.
"""

from pathlib import Path

from rag.generations import current
from rag.retrieve import Retriever
from rag.store import Store, open_store
from rag.types import Embedder


class Shelf:
    """Opens the current generation of the store at `root`, and again when a rebuild has made another one current.

    One thread at a time may use it. Raises StoreMissing, StoreDamaged or StoreIncompatible as the store does.
    """

    def __init__(self, root: Path, embedder: Embedder) -> None:
        self._root = root
        self._embedder = embedder
        self._store: Store | None = None

    def retriever(self) -> Retriever:
        """A retriever on the current generation. Those given before must not be used any more."""
        if self._store is None or self._store.folder != current(self._root):
            self.close()
            store = open_store(self._root)
            retriever = Retriever(store, self._embedder)
            self._store = store
            return retriever
        return Retriever(self._store, self._embedder)

    def close(self) -> None:
        """Let go of the files."""
        if self._store is not None:
            self._store.close()
            self._store = None
