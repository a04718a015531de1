"""The store as a program that runs on sees it: always the current generation, and no other kept open.

Ask it for the retriever before each question; a rebuild then takes effect between two questions.
"""

import threading
from pathlib import Path

from rag.generations import current
from rag.retrieve import Retriever
from rag.store import Store, open_store
from rag.types import Embedder


class Shelf:
    """Opens the current generation of the store at `root`, and again when a rebuild has made another one current.

    Any number of threads may use it, if they may use the embedder. Raises StoreMissing, StoreDamaged or
    StoreIncompatible as the store does.
    """

    def __init__(self, root: Path, embedder: Embedder) -> None:
        self._root = root
        self._embedder = embedder
        self._store: Store | None = None
        self._moving = threading.Lock()

    def retriever(self) -> Retriever:
        """A retriever on the current generation, whose files stay open until it is let go of.

        Use it at once: the second rebuild from now removes them.
        """
        with self._moving:
            if self._store is None or self._store.folder != current(self._root):
                self._store = open_store(self._root)
            return Retriever(self._store, self._embedder)

    def close(self) -> None:
        """Let go of the store; its files are closed when the last retriever is let go of, too."""
        with self._moving:
            self._store = None
