"""What a generation of the store is made of: `manifest.json`, written last and read first.

Knows nothing of Chroma or of which generation serves.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag.errors import StoreDamaged, StoreIncompatible
from rag.types import Embedder

SCHEMA = 2
_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Embedding:
    """Which vectors a generation holds; queries must be embedded alike."""

    model: str
    sha256: str
    dimension: int
    query_prefix: str
    passage_prefix: str

    @classmethod
    def of(cls, embedder: Embedder) -> "Embedding":
        """What this embedder makes."""
        return cls(
            embedder.name, embedder.fingerprint, embedder.dimension, embedder.query_prefix, embedder.passage_prefix
        )

    @property
    def of_passages(self) -> tuple[str, int, str]:
        """What makes the vectors what they are: two that agree in it embed a passage alike."""
        return self.sha256, self.dimension, self.passage_prefix


@dataclass(frozen=True, slots=True)
class DumpSummary:
    """One dump of a generation."""

    path: str
    format: str
    sha256: str
    records: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is made of; `manifest.json`."""

    schema: int
    generation: str
    built_at: str
    """UTC, ISO 8601."""
    footnote: str
    embedding: Embedding
    dumps: tuple[DumpSummary, ...]
    records: int
    papers: int
    index: dict[str, Any]
    previous: str | None

    def write(self, folder: Path) -> None:
        """Write it into the folder of its generation."""
        (folder / _NAME).write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read it from the folder of a generation. Raises StoreDamaged or StoreIncompatible."""
        path = folder / _NAME
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["schema"] != SCHEMA:
                raise StoreIncompatible(f"{path} has schema {record['schema']}; this version reads {SCHEMA}.")
            record["embedding"] = Embedding(**record["embedding"])
            record["dumps"] = tuple(DumpSummary(**dump) for dump in record["dumps"])
            return cls(**record)
        except FileNotFoundError as exc:
            raise StoreDamaged(f"{path} is missing.") from exc
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise StoreDamaged(f"Cannot read {path}: {exc}.") from exc
