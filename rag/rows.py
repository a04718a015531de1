"""What a generation keeps row by row beside Chroma: ids, digests, years and vectors.

    rows/
      ids.json       the papers' ids
      years.npy      int16, shape (papers,): the year of each, 0 where it is not known
      digests.npy    uint8, shape (papers, 2, 32): sha256 of all a paper says, and of its text that is embedded
      vectors.npy    float32, shape (papers, dimension)

A rebuild compares and carries over without reading records, and a search among some of the papers scans
their vectors exactly: Chroma's `where` costs more than reading them all.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import StoreDamaged
from rag.passages import dense_text
from rag.types import Embeddings, Paper

_FOLDER = "rows"
_DIGEST = 32


@dataclass(frozen=True, slots=True)
class Rows:
    """The columns of a generation. Vectors stay on disk until they are read."""

    ids: tuple[str, ...]
    years: npt.NDArray[np.int16]
    digests: npt.NDArray[np.uint8]
    vectors: Embeddings

    @classmethod
    def of(cls, papers: Sequence[Paper], vectors: Embeddings) -> "Rows":
        """The rows of these papers; `vectors` are in their order."""
        digests = b"".join(digest(paper) + text_digest(paper) for paper in papers)
        return cls(
            ids=tuple(paper.paper_id for paper in papers),
            years=np.array([_year(paper) for paper in papers], dtype=np.int16),
            digests=np.frombuffer(digests, dtype=np.uint8).reshape(len(papers), 2, _DIGEST),
            vectors=vectors,
        )

    def save(self, generation: Path) -> None:
        """Write them into the folder of a generation."""
        folder = generation / _FOLDER
        folder.mkdir()
        (folder / "ids.json").write_text(json.dumps(self.ids), encoding="utf-8")
        for name in ("years", "digests", "vectors"):
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, generation: Path, papers: int, dimension: int) -> "Rows":
        """Read those of a generation of so many papers. Raises StoreDamaged."""
        folder = generation / _FOLDER
        return cls(
            _read_ids(folder / "ids.json", papers),
            _array(folder / "years.npy", np.int16, (papers,)),
            _array(folder / "digests.npy", np.uint8, (papers, 2, _DIGEST)),
            _array(folder / "vectors.npy", np.float32, (papers, dimension)),
        )

    def papers(self) -> dict[str, bytes]:
        """For each paper's id the digest of all it says."""
        return dict(zip(self.ids, map(bytes, self.digests[:, 0]), strict=True))

    def vectors_by_text(self) -> dict[bytes, Embeddings]:
        """For each digest of an embedded text its vector."""
        return dict(zip(map(bytes, self.digests[:, 1]), self.vectors, strict=True))


def digest(paper: Paper) -> bytes:
    """The sha256 of everything a paper says, wherever it was read."""
    values = [value for field, value in asdict(paper).items() if field != "sources"]
    return hashlib.sha256(json.dumps(values).encode()).digest()


def text_digest(paper: Paper) -> bytes:
    """The sha256 of what is embedded of a paper."""
    return hashlib.sha256(dense_text(paper).encode()).digest()


def _year(paper: Paper) -> int:
    return int(paper.date[:4]) if paper.date and paper.date[:4].isdecimal() else 0


def _read_ids(path: Path, papers: int) -> tuple[str, ...]:
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise StoreDamaged(f"Cannot read {path}: {exc}.") from exc
    if not isinstance(ids, list) or not all(isinstance(key, str) for key in ids):
        raise StoreDamaged(f"{path} is no list of ids.")
    if len(ids) != papers:
        raise StoreDamaged(f"{path} has {len(ids)} ids instead of {papers}.")
    return tuple(ids)


def _array(path: Path, dtype: type, shape: tuple[int, ...]) -> Any:
    try:
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as exc:
        raise StoreDamaged(f"Cannot read {path}: {exc}.") from exc
    if (array.dtype, array.shape) != (np.dtype(dtype), shape):
        raise StoreDamaged(f"{path} has {array.dtype} of shape {array.shape} instead of {np.dtype(dtype)} of {shape}.")
    return array
