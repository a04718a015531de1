"""Writes training/writer/RESULTS.md: what a writer reaches beside no model at all.

    python -m training.writer.results RUN STORE QUESTIONS > RESULTS.md

RUN is the folder of train.py, STORE a store of the papers that QUESTIONS (as `footnote eval` reads them) are about.
"""

import argparse
import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from rag.answer import Answerer
from rag.compose import choices, quoted
from rag.embed import SentenceEmbedder
from rag.evaluate import Outcome, figures, outcome, read_questions, speed
from rag.generate import LlamaGenerator
from rag.retrieve import Retriever
from rag.store import open_store

_PRINTED = 20  # answers
_ROWS = 12  # of the losses


def main() -> None:
    """Answer the questions without a model, and with it in both modes, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("questions", type=Path)
    arguments = parser.parse_args()
    asked = read_questions(arguments.questions)
    model = arguments.run / "writer-q8_0.gguf"
    with contextlib.closing(open_store(arguments.store)) as store:
        retriever = Retriever(store, SentenceEmbedder())
        found = {}
        for name, answerer in (
            ("no model", Answerer(retriever, None)),
            ("quote", Answerer(retriever, LlamaGenerator(model, mode="quote"))),
            ("write", Answerer(retriever, LlamaGenerator(model, mode="write"))),
        ):
            answerer.answer("Is everything loaded?")
            found[name] = [outcome(one, answerer.answer(one.question, one.history)) for one in asked]
    log = [json.loads(line) for line in (arguments.run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    print(page(log, found))


def page(log: Sequence[dict[str, Any]], found: Mapping[str, Sequence[Outcome]]) -> str:
    """The page, in Markdown. `found` has the same questions answered without a model, in `quote` and in `write`."""
    losses = [(row["step"], row["loss"]) for row in log if "loss" in row]
    untrained, *_, valid = (row["valid"] for row in log if "valid" in row)
    export = next(row for row in reversed(log) if "gguf_difference" in row)
    some = losses[:: max(1, len(losses) // _ROWS)]
    parts = [
        "# What the writer reaches",
        "Written by `python -m training.writer.results`.",
        "## Training",
        _table(["step", *(step for step, _ in some)], [["loss", *(loss for _, loss in some)]]),
        f"Held-out questions: loss {valid['loss']}, perplexity of a decision {math.exp(valid['loss']):.2f}, "
        f"{valid['right']:.1%} of {valid['decisions']} decisions right; before training, which is by the scores alone, "
        f"{math.exp(untrained['loss']):.2f} and {untrained['right']:.1%}. Largest difference of a logit between torch "
        f"and llama.cpp: {export['gguf_difference']}; the greedy tokens "
        f"{'agree' if export['greedy_tokens_agree'] else 'DIFFER'}.",
        f"## On {len(found['quote'])} questions over papers that it has not seen",
        _figures(found),
        "## What it chooses",
        choice(found["quote"]),
        f"## The first {_PRINTED} answers in `quote` mode",
        "\n\n".join(f"**{one.asked.question}**\n\n{one.answer.text}" for one in found["quote"][:_PRINTED]),
    ]
    return "\n\n".join(parts)


def choice(outcomes: Sequence[Outcome]) -> str:
    """How often the sentences chosen are others than the first ones by score, and which are better."""
    answered = [one for one in outcomes if one.answerable and not one.answer.abstained]
    order = others = better = worse = 0
    lengths = []
    if not answered:
        return "No answerable question was answered."
    for one in answered:
        said = [(claim.markers[0], claim.text) for claim in one.answer.claims]
        first = choices(one.asked.question, one.answer.evidence, len(said))[: len(said)]
        plain = [(item.rank, item.sentence) for item in first]
        lengths.append(len(said))
        order += said != plain
        if set(said) != set(plain):
            others += 1
            text = quoted(one.asked.question, first).text
            instead = outcome(one.asked, replace(one.answer, text=text)).measures["point_recall"]
            better += one.measures["point_recall"] > instead
            worse += one.measures["point_recall"] < instead
    return (
        f"Of the answerable questions {len(answered)} were answered, in {fmean(lengths):.1f} sentences each. Beside "
        f"as many first sentences by score, {order} answers ({order / len(answered):.0%}) have another order or other "
        f"sentences, {others} have other sentences; of these {better} hold more of the answer points, {worse} fewer, "
        f"and the rest as many."
    )


def _figures(found: Mapping[str, Sequence[Outcome]]) -> str:
    columns = {name: figures(outcomes) | speed(outcomes) for name, outcomes in found.items()}
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    return _table(["", *columns], [[name, *(column.get(name, "") for column in columns.values())] for name in names])


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    main()
