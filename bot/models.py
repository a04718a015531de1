"""`footnote models`: the catalogue as text and JSON, pulling with a progress bar, and what to use."""

import sys
from pathlib import Path
from typing import Any

from bot.render import SCHEMA
from rag import models
from rag.settings import Settings, write_setting


def listing(settings: Settings, memory_gb: float) -> dict[str, Any]:
    """The catalogue as `footnote models list --json` prints it."""
    used = settings.model_path
    return {
        "schema": SCHEMA,
        "memory_gb": round(memory_gb, 1),
        "in_use": str(used) if used else None,
        "models": [
            {
                "name": model.name,
                "file": model.file,
                "repository": model.repository,
                "gigabytes": model.gigabytes,
                "memory_gb": model.memory_gb,
                "licence": model.licence,
                "fits": models.fits(model, memory_gb),
                "pulled": model.path.is_file(),
                "why": model.why,
            }
            for model in models.CATALOGUE
        ],
    }


def listing_text(listed: dict[str, Any]) -> str:
    """The catalogue for people."""
    lines = [
        f"This machine has {listed['memory_gb']} GB of memory. In use: {listed['in_use'] or 'no model'}.",
        "Sizes and memory are about; what is right is checked when a model is pulled.",
    ]
    for model in listed["models"]:
        state = "pulled" if model["pulled"] else "fits here" if model["fits"] else "too large for here"
        lines.append(
            f"\n{model['name']}  {model['gigabytes']} GB, needs {model['memory_gb']} GB of memory ({state}), "
            f"{model['licence']}\n  {model['file']}\n  {model['why']}"
        )
    return "\n".join([*lines, "\nfootnote models pull NAME, then footnote models use NAME"])


def pull(name: str) -> Path:
    """Download a model of the catalogue, with a bar on standard error."""
    from tqdm import tqdm

    model = models.named(name)
    with tqdm(file=sys.stderr, unit="B", unit_scale=True, desc=model.file, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return models.pull(model, progress)


def use(name: str) -> Path:
    """Write a model of the catalogue, or a GGUF's path, to the settings."""
    path = Path(name).expanduser()
    if not path.is_file():
        model = models.named(name) if path.suffix != ".gguf" or path.name == name else None
        if model is None:
            raise models.PullError(f"There is no file {path}.", "Name a GGUF, or see: footnote models list")
        path = model.path
        if not path.is_file():
            raise models.PullError(f"{model.name} is not here yet.", f"Run: footnote models pull {model.name}")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise models.PullError(f"{path} is no GGUF.", "See: footnote models list")
    write_setting("model", str(path.resolve()))
    return path
