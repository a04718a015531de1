"""The layers the evidence model keeps, its loss, and the folder it is kept in; `rag.reader` says what it computes."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_FAR_BELOW = -1e4  # as good as minus infinity, but its gradient is no NaN
# Of a model that knows nothing, ten sentences together are as likely as "none".
_FIRST_BIAS = -2.3


def load_base(folder: Path, layers: int, grow_from: Path | None = None) -> tuple[Any, Any]:
    """A BERT with a head for one logit, and its tokenizer; of its layers only some are kept, evenly spaced.

    If the folder is of a trained evidence model, `grow_from` is the base that it was made from: the head is not a new
    one, and of the base come those layers that it lacks, silent at first.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    # Hardly a question is seen twice, so dropout would only cost: a third of the time on a processor.
    model: Any = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=1, dtype=torch.float32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        # On a processor the gradient of the fused attention alone takes as long as all else together.
        attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
    )  # fmt: skip
    if grow_from:
        _grow(model, grow_from, layers)
    kept = kept_layers(len(model.base_model.encoder.layer), layers)
    model.base_model.encoder.layer = nn.ModuleList(model.base_model.encoder.layer[number] for number in kept)
    model.config.num_hidden_layers = len(kept)
    if not grow_from:
        nn.init.constant_(model.classifier.bias, _FIRST_BIAS)
    # Six in ten of the weights are words, most of them rare here: they stay as they are, and cost no step.
    model.base_model.embeddings.word_embeddings.weight.requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(folder)


def _grow(model: Any, base: Path, layers: int) -> None:
    """Put the layers that a trained model lacks where they stood in the base, so that hardly a logit moves by it.

    What such a layer adds is nothing until it is trained: its last matrices are zero, as are the gates of Bachlechner
    et al., ReZero is all you need, 2020. Its norms, which come after the sum, give back what comes in, but for the
    spread of a token's values, which is taken for the mean of all.
    """
    from transformers import AutoModel

    own = model.base_model.encoder.layer
    if len(own) >= layers:
        return
    others = AutoModel.from_pretrained(base, dtype=torch.float32).encoder.layer
    had = kept_layers(len(others), len(own))
    lacking = [number for number in range(len(others)) if number not in had][: layers - len(own)]
    for added, number in enumerate(lacking):
        layer, place = others[number], added + sum(before < number for before in had)
        norm = own[place - 1].output.LayerNorm if place else model.base_model.embeddings.LayerNorm
        spread = (norm.weight.square().mean() + norm.bias.var()).sqrt()
        with torch.no_grad():
            for end in (layer.attention.output, layer.output):
                end.dense.weight.zero_()
                end.dense.bias.zero_()
                end.LayerNorm.weight.fill_(spread)
                end.LayerNorm.bias.fill_(norm.bias.mean())
        own.insert(place, layer)


def average(model: Any, other: Any, share: float) -> None:
    """Set the weights of the first to the mean of both, with this share of its own: what was learnt since, and before.

    After Wortsman et al., Robust fine-tuning of zero-shot models, 2022.
    """
    others = dict(other.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.lerp_(others[name].to(weight.device), 1 - share)


def kept_layers(count: int, kept: int) -> list[int]:
    """Which layers to keep, the last one always.

    >>> kept_layers(6, 3), kept_layers(6, 4), kept_layers(6, 6)
    ([1, 3, 5], [1, 2, 3, 5], [0, 1, 2, 3, 4, 5])
    """
    return [round((number + 1) * count / kept) - 1 for number in range(kept)]


def loss(logits: Tensor, right: Tensor, own: Tensor, present: Tensor, every: Tensor, taken_away: float) -> Tensor:
    """The mean cross-entropy over "none" and the sentences of each question.

    All but `every` are of shape (questions, sentences); `right`, `own` and `present` are boolean. Any right sentence
    will do; with none right, "none" is. Where `every`, of shape (questions,), is true, all right ones are wanted: each
    is held against what is wrong, and the mean counts. What is answerable is asked again without its own passages,
    when "none" is right: this counts `taken_away` times as much, and costs no further pass.
    """
    logits = logits.masked_fill(~present, _FAR_BELOW)
    none = logits.new_zeros(len(logits), 1)
    answerable = right.any(dim=1)
    whole = torch.cat([none, logits], dim=1).logsumexp(dim=1)
    wrong = torch.cat([none, logits.masked_fill(right, _FAR_BELOW)], dim=1).logsumexp(dim=1)
    without = torch.cat([none, logits.masked_fill(own, _FAR_BELOW)], dim=1).logsumexp(dim=1)
    best = torch.where(answerable, logits.masked_fill(~right, _FAR_BELOW).logsumexp(dim=1), none[:, 0])
    against_wrong = nn.functional.softplus(wrong[:, None] - logits).masked_fill(~right, 0).sum(dim=1)
    mean = against_wrong / right.sum(dim=1).clamp(min=1)
    return (torch.where(every & answerable, mean, whole - best) + taken_away * answerable * without).mean()


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a folder that CrossEncoder loads: half precision on disk, float32 once loaded."""
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity"}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
