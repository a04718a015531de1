"""What serves here: the store, the models and the settings in effect, without secrets."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from bot.render import SCHEMA, Json
from rag.errors import FootnoteError
from rag.generate import LlamaGenerator
from rag.settings import Settings
from rag.store import open_store
from rag.types import Embedder


def gather(
    settings: Settings, embedder: Embedder, load_generator: Callable[[], LlamaGenerator | None]
) -> tuple[Json, FootnoteError | None]:
    """The status as `footnote status --json` prints it, and the first problem found."""
    status: Json = {
        "schema": SCHEMA,
        "version": version("footnote"),
        "store": str(settings.store),
        "generation": None,
        "papers": 0,
        "records": 0,
        "built_at": None,
        "embedding": {"model": settings.embedding_model, "sha256": None, "dimension": None},
        "model": None,
        "offline": settings.offline,
        "settings": settings.model_dump(mode="json", exclude={"discord_token"})
        | {"discord_token": "set" if settings.discord_token.get_secret_value() else "not set"},
        "problems": [],
    }
    problems: list[FootnoteError] = []
    try:
        store = open_store(settings.store)
        manifest = store.manifest
        status |= {
            "generation": manifest.generation,
            "papers": manifest.papers,
            "records": manifest.records,
            "built_at": manifest.built_at,
        }
        status["embedding"] = {
            "model": manifest.embedding.model,
            "sha256": manifest.embedding.sha256,
            "dimension": manifest.embedding.dimension,
        }
        store.check_embedder(embedder)
    except FootnoteError as problem:
        problems.append(problem)
    try:
        status["model"] = _model(load_generator())
    except FootnoteError as problem:
        problems.append(problem)
    status["problems"] = [str(problem) for problem in problems]
    return status, problems[0] if problems else None


def status_text(status: Json) -> str:
    """The status for people, one line each."""
    embedding, model = status["embedding"], status["model"]
    lines = {
        "version": status["version"],
        "store": f"{status['store']} ({status['papers']} papers from {status['records']} records)",
        "generation": f"{status['generation']}, built {status['built_at']}" if status["generation"] else "none",
        "embedding model": f"{embedding['model']} (sha256 {(embedding['sha256'] or 'unknown')[:12]})",
        "language model": "none: answers are the papers' own sentences",
        "offline": "yes" if status["offline"] else "no",
    }
    if model:
        layers = model["gpu_layers"]
        lines["language model"] = (
            f"{model['path']} ({model['bytes'] / 2**20:,.0f} MiB, sha256 {model['sha256'][:12]}, "
            f"context {model['n_ctx']}, mode {model['mode']})"
        )
        asked = "all" if layers["asked"] < 0 else layers["asked"]
        lines["GPU layers"] = f"{layers['offloaded']} of {layers['layers']} (asked for {asked})"
    width = max(map(len, lines)) + 2
    shown = [f"{name:<{width}}{value}" for name, value in lines.items()]
    return "\n".join(
        [*shown, "", *(f"FOOTNOTE_{name.upper()}={_plain(value)}" for name, value in status["settings"].items())]
    )


def _model(generator: LlamaGenerator | None) -> Json | None:
    if generator is None:
        return None
    offload = generator.offload
    model = {
        "path": str(generator.path),
        "bytes": generator.path.stat().st_size,
        "sha256": generator.file_sha256(),
        "n_ctx": generator.n_ctx,
        "parameters": generator.parameters,
        "mode": generator.mode,
        "gpu_layers": {"asked": offload.asked, "offloaded": offload.done, "layers": offload.layers},
    }
    generator.close()
    return model


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
