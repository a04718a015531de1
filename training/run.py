"""What every training run here needs: when it ends, how fast it learns, its checkpoint and its log.

Knows nothing of what is trained. Settings are a frozen dataclass of all that the weights depend on.
"""

import json
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

WARM_UP = 0.06


def progress(steps: int | None, minutes: float | None, step: int, seconds: float) -> float:
    """How much of a run of so many steps or minutes is done: 1 or more is all.

    >>> progress(200, None, 50, 9.0), progress(None, 2.0, 50, 30.0)
    (0.25, 0.25)
    """
    if steps is not None:
        return step / steps
    assert minutes is not None, "either steps or minutes are given"
    return seconds / (60 * minutes)


def rate(progress: float) -> float:
    """The learning rate as a share of the highest: it rises linearly, then falls linearly to zero.

    >>> rate(0.0), rate(0.03), rate(0.53), rate(1.2)
    (0.0, 0.5, 0.5, 0.0)
    """
    return round(max(0.0, min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP))), 6)


def save_checkpoint(path: Path, model: Any, optimizer: Any, settings: Any, step: int, seconds: float) -> None:
    """Write all that a run goes on from, in one step: a crash leaves the checkpoint of before."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    state = {"settings": asdict(settings), "step": step, "seconds": seconds, "rng": torch.get_rng_state(), "cuda": cuda}
    state |= {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def load_checkpoint(path: Path, model: Any, optimizer: Any, settings: Any) -> tuple[int, float]:
    """The step and seconds of a checkpoint, after putting its state into the model and the optimizer; 0 without one.

    Ends the program if it is from a run with other settings.
    """
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["settings"] != asdict(settings):
        raise SystemExit(f"{path} is from a run with other settings: {state['settings']}. Name another folder.")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    return int(state["step"]), float(state["seconds"])


def log(run: Path, **values: Any) -> None:
    """Print a line, and add it to the run's log."""
    line = json.dumps(values)
    print(line, flush=True)
    with (run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def asked_to_stop() -> Callable[[], bool]:
    """Whether SIGTERM or Ctrl-C came since; from now on neither ends the program by itself."""
    came: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: came.append(number))
    return lambda: bool(came)
