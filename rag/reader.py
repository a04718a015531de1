"""A question + passages cut into sentences -> a logit a sentence: how well it answers. The evidence model runs here.

It is a cross-encoder that reads the question with a whole passage at once, so that "it reaches 71.5%" is read beside
what "it" is, and an abstract costs one pass instead of one a sentence. A sentence's logit comes from the mean of its
tokens' last hidden states, through the pooler and classifier of an ordinary BERT for sequence classification. Beside
the sentences stands "none of these" with logit 0: the same logits rank sentences, rank passages (log-sum-exp) and say
how likely nothing answers, 1 / (1 + sum of exp(logit)). training/evidence trains it, with the `score` of here.

The weights ship in models/evidence. Loading them costs seconds, most of them the libraries': construct late.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import ModelError
from rag.types import Logits

SHIPPED = Path(__file__).parent.parent / "models" / "evidence"
# A question, a title and a sentence are cut to so many tokens; almost none is longer. Of a question both ends are kept:
# a follow-up stands after what it leans on.
_LONGEST_QUESTION, _LONGEST_TITLE, _LONGEST_SENTENCE = 96, 48, 128
# Tokens in a window, which holds whole abstracts nearly always; a longer passage is read in several.
WINDOW = 384
# Tokens computed at a time: what five abstracts have; more would only be padding.
_TOKENS = 2048


class EvidenceReader:
    """The evidence model in a folder, loaded when first needed; then ModelError if it cannot be."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        self.folder = folder

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        # bfloat16 takes a third less time where the processor multiplies it (logits move by some 0.01), and more
        # elsewhere; an older torch cannot tell.
        can: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        try:
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                self.folder, dtype=torch.bfloat16 if can.get("avx512_bf16") else torch.float32, local_files_only=True
            )
            return model.eval(), AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        except Exception as exc:  # the library raises OSError, ValueError, KeyError and safetensors' own
            why = (str(exc).strip() or type(exc).__name__).splitlines()[0]
            raise ModelError(
                f"Cannot load the evidence model in {self.folder}: {why}", "Install Footnote again."
            ) from exc

    def read(self, question: str, passages: Sequence[tuple[str, Sequence[str]]]) -> list[Logits]:
        """The logits of the sentences of each passage, which is a title and its sentences."""
        import torch

        model, tokenizer = self._loaded
        read = windows(tokenizer, question, passages)
        flat = [window for parts in read for window in parts]
        if not flat:
            return [np.empty(0, dtype=np.float32) for _ in passages]
        with torch.inference_mode():
            logits = score(model, flat, _TOKENS).numpy()
        return np.split(logits, np.cumsum([len(sentences) for _, sentences in passages])[:-1])


@cache
def shipped_reader() -> EvidenceReader:
    """The evidence model that ships with Footnote: one for all who ask."""
    return EvidenceReader()


@dataclass(frozen=True, slots=True)
class Window:
    """What is read in one pass: token ids, of which the first `head` are the question, and where sentences stand."""

    ids: tuple[int, ...]
    head: int
    spans: tuple[tuple[int, int], ...]
    """Begin and end of each sentence among the ids."""


def windows(
    tokenizer: Any, question: str, passages: Sequence[tuple[str, Sequence[str]]], size: int = WINDOW
) -> list[list[Window]]:
    """The windows of each passage, a title and its sentences; their spans are those of its sentences, in order."""
    texts = [question, *(text for title, sentences in passages for text in (title, *sentences))]
    read = iter(tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"])
    asked = next(read)
    if len(asked) > _LONGEST_QUESTION:
        asked = asked[: _LONGEST_QUESTION // 2] + asked[-_LONGEST_QUESTION // 2 :]
    opening, closing = tokenizer.cls_token_id, tokenizer.sep_token_id
    found = []
    for _, sentences in passages:
        head = [opening, *asked, closing]
        start = [*head, *next(read)[:_LONGEST_TITLE], closing]
        cut = [next(read)[:_LONGEST_SENTENCE] for _ in sentences]
        found.append(list(_fill(start, len(head), cut, closing, size)))
    return found


def _fill(start: list[int], head: int, sentences: list[list[int]], closing: int, size: int) -> Iterator[Window]:
    ids, spans = list(start), list[tuple[int, int]]()
    for sentence in sentences:
        if spans and len(ids) + len(sentence) >= size:
            yield Window((*ids, closing), head, tuple(spans))
            ids, spans = list(start), []
        spans.append((len(ids), len(ids) + len(sentence)))
        ids += sentence
    if spans:
        yield Window((*ids, closing), head, tuple(spans))


def score(model: Any, read: Sequence[Window], tokens: int) -> Any:
    """The logits of all sentences of some windows, in order: a float32 tensor of shape (sentences,).

    Windows of like length are computed together, at most `tokens` tokens at a time where more than one is.
    """
    import torch

    parts: dict[int, Any] = {}
    for batch in _batches(read, tokens):
        longest = max(len(read[row].ids) for row in batch)
        most = max(len(read[row].spans) for row in batch)
        ids, types, mask = torch.zeros(3, len(batch), longest, dtype=torch.long)
        pool = torch.zeros(len(batch), most, longest)
        for place, row in enumerate(batch):
            window = read[row]
            ids[place, : len(window.ids)] = torch.tensor(window.ids)
            types[place, window.head : len(window.ids)] = 1
            mask[place, : len(window.ids)] = 1
            for number, (start, end) in enumerate(window.spans):
                pool[place, number, start:end] = 1 / max(1, end - start)
        ids, types, mask, pool = (tensor.to(model.device) for tensor in (ids, types, mask, pool))
        hidden = model.bert(input_ids=ids, token_type_ids=types, attention_mask=mask)[0]
        pooled = torch.tanh(model.bert.pooler.dense(torch.bmm(pool.to(hidden.dtype), hidden)))
        logits = model.classifier(model.dropout(pooled))[:, :, 0].float()
        parts |= {row: logits[place, : len(read[row].spans)] for place, row in enumerate(batch)}
    return torch.cat([parts[row] for row in range(len(read))])


def _batches(read: Sequence[Window], tokens: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for row in sorted(range(len(read)), key=lambda row: -len(read[row].ids)):
        if batch and (len(batch) + 1) * len(read[batch[0]].ids) > tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
