"""The cross-encoder: its layers, its scores, its loss, and the folder it is kept in.

It gives one logit to a question with a sentence. Beside the sentences of a question stands "none of these", whose
logit is 0, so that the same logits rank sentences, rank papers (log-sum-exp of a paper's) and say how likely it is
that nothing answers: 1 / (1 + sum of exp(logit)).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_FAR_BELOW = -1e4  # as good as minus infinity, but its gradient is no NaN


def load_base(folder: Path, layers: int, max_length: int) -> tuple[Any, Any]:
    """A BERT with a new head for one logit, and its tokenizer; of its layers only some are kept, evenly spaced."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, dtype=torch.float32)
    kept = kept_layers(len(model.base_model.encoder.layer), layers)
    model.base_model.encoder.layer = nn.ModuleList(model.base_model.encoder.layer[number] for number in kept)
    model.config.num_hidden_layers = len(kept)
    return model, AutoTokenizer.from_pretrained(folder, model_max_length=max_length)


def kept_layers(count: int, kept: int) -> list[int]:
    """Which layers to keep, the last one always.

    >>> kept_layers(6, 3), kept_layers(6, 4), kept_layers(6, 6)
    ([1, 3, 5], [1, 2, 3, 5], [0, 1, 2, 3, 4, 5])
    """
    return [round((number + 1) * count / kept) - 1 for number in range(kept)]


def pair(question: str, title: str, sentence: str, with_title: bool) -> tuple[str, str]:
    """What the model reads.

    >>> pair("Why?", "On Causes", "Because.", True)
    ('Why?', 'On Causes\\nBecause.')
    """
    return question, f"{title}\n{sentence}" if with_title else sentence


def score(model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], batch: int) -> Tensor:
    """The logits of pairs of texts, shape (len(pairs),), float32; computed in batches of like length."""
    order = sorted(range(len(pairs)), key=lambda row: sum(map(len, pairs[row])))
    parts = []
    for start in range(0, len(order), batch):
        chosen = [pairs[row] for row in order[start : start + batch]]
        read = tokenizer(
            [question for question, _ in chosen],
            [text for _, text in chosen],
            padding=True,
            truncation="longest_first",
            return_tensors="pt",
        )
        parts.append(model(**read.to(model.device)).logits[:, 0].float())
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order, dtype=torch.long)] = torch.arange(len(order))
    return torch.cat(parts)[back.to(parts[0].device)]


def loss(logits: Tensor, right: Tensor, present: Tensor, taken_away: float) -> Tensor:
    """The mean cross-entropy over "none" and the sentences of each question.

    All are of shape (questions, sentences); `right` and `present` are boolean. Any right sentence will do; with none
    right, "none" is. What has a right sentence is asked again without it, when "none" is right: this counts
    `taken_away` times as much, and costs no further scores.
    """
    logits = logits.masked_fill(~present, _FAR_BELOW)
    none = logits.new_zeros(len(logits), 1)
    answerable = right.any(dim=1)
    whole = torch.cat([none, logits], dim=1).logsumexp(dim=1)
    without = torch.cat([none, logits.masked_fill(right, _FAR_BELOW)], dim=1).logsumexp(dim=1)
    best = torch.where(answerable, logits.masked_fill(~right, _FAR_BELOW).logsumexp(dim=1), none[:, 0])
    return (whole - best + taken_away * answerable * without).mean()


def save(model: Any, tokenizer: Any, folder: Path, with_title: bool) -> None:
    """Write a folder that CrossEncoder loads: half precision on disk, float32 once loaded, `predict` gives logits."""
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity"}
    config["with_title"] = with_title
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
