"""The recipe of the writer: its tokenizer, its examples, its loss, and its export, as llama.cpp sees them."""

import json
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rag.answer import Answerer
from rag.evaluate import Asked, outcome
from rag.generate import LlamaGenerator
from rag.prompt import build_prompt, refusal
from rag.retrieve import Retriever
from rag.store import Store
from rag.types import Choices, Message
from tests.conftest import PLANETS, WordEmbedder, WordReader
from training.evidence.data import Candidate, Example, read_examples, write_examples

STEAM, TRADE = Candidate("Steam", ("Watt built.",)), Candidate("Trade", ("It grew.",))
ANSWERABLE = Example(
    "squad", "Who sold engines?", 1, (Candidate("Steam", ("Boulton sold engines.", "Watt built."), (0,)), TRADE)
)
UNANSWERABLE = Example("squad", "Who burnt engines?", 1, (STEAM, TRADE))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    for name in ("train", "valid"):
        made = []
        for n in range(60):
            own = Candidate(f"Net{n}", (f"Net{n} reaches {n} points.", f"We release {n}."), (0,) if n % 4 else ())
            other = Candidate(f"Net{n + 1}", (f"Other{n} is a net.",))
            made.append(Example("squad", f"What does Net{n} reach?", 1, (own, other)))
        write_examples(folder / f"{name}.jsonl", made)
    return folder


@pytest.mark.slow
def test_llama_cpp_cuts_odd_texts_into_the_same_tokens() -> None:
    from training.writer.tokenizer import ODD_TEXTS, differing, train_tokenizer

    texts = [text for one in ODD_TEXTS for text in (one, f"so {one} it is", f"{one}{one}")]
    tokenizer = train_tokenizer([*texts, "The answer is in the papers. We reach 71.5% on it. " * 20], 700)
    assert differing(tokenizer, texts) == []


@pytest.mark.slow
def test_examples_are_the_products_prompt_and_learn_its_decisions_only() -> None:
    from training.writer.data import END, quote_example, write_example
    from training.writer.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(
        ["Boulton sold engines. Watt built. It grew. The papers here do not answer this."] * 9, 400
    )
    made = quote_example(ANSWERABLE, tokenizer, random.Random(1), 4000)
    said = tokenizer.decode(made.tokens, skip_special_tokens=False)
    assert "Answer the question with sentences" in said
    assert said.endswith("assistant\n" + "Boulton sold engines [1].<|im_end|>") or said.endswith(
        "assistant\nBoulton sold engines [2].<|im_end|>"
    )
    learnt = [(token, options) for token, options in zip(made.tokens, made.options, strict=True) if options is not None]
    assert learnt[-1][0] == END
    assert all(token in options and len(options) > 1 for token, options in learnt)
    assert 2 <= len(learnt) <= 4
    refused = quote_example(UNANSWERABLE, tokenizer, random.Random(1), 4000)
    assert tokenizer.decode(refused.tokens).endswith(refusal())
    assert sum(options is not None for options in refused.options) == 1
    asked = Example("written list", "Which papers are on engines?", 2, (*ANSWERABLE.passages[:1], STEAM, TRADE))
    listed = tokenizer.decode(quote_example(asked, tokenizer, random.Random(1), 4000).tokens).split("assistant\n")[1]
    assert listed.startswith("Steam: ")
    assert "sold engines" in listed or "Watt built" in listed
    assert "Trade" not in listed
    written = write_example(ANSWERABLE, tokenizer, random.Random(1), 4000)
    assert "Abstracts:" in tokenizer.decode(written.tokens)
    assert sum(options == {} for options in written.options) > len(learnt)


@pytest.mark.slow
def test_trained_interrupted_exported_answering_and_reported(
    examples: Path, tmp_path: Path, planets: Store, embedder: WordEmbedder
) -> None:
    from training.writer.results import page
    from training.writer.train import Settings, train

    settings = Settings(steps=40, size="tiny", questions=4, longest=2000, learning_rate=3e-3)
    asked = iter([False] * 20 + [True] * 99)
    assert not train(examples, tmp_path / "run", settings, "cpu", stopped=lambda: next(asked))
    assert train(examples, tmp_path / "run", settings, "cpu")
    assert train(examples, tmp_path / "whole", settings, "cpu")
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("run", "whole")
    ]
    losses = [[row["loss"] for row in log if "loss" in row] for log in logs]
    assert losses[0][-1] == pytest.approx(losses[1][-1], abs=1e-3), "it goes on as if it had not been interrupted"
    assert logs[1][-2]["valid"]["loss"] < 0.9 * logs[1][0]["valid"]["loss"]
    assert logs[1][-1]["greedy_tokens_agree"]
    assert logs[1][-1]["gguf_difference"] < 0.02
    further = Settings(steps=1, size="tiny", questions=4, longest=2000, learning_rate=0.0,
                       go_on_from=str(tmp_path / "whole" / "writer-f16.gguf"))  # fmt: skip
    assert train(examples, tmp_path / "further", further, "cpu")
    begun = json.loads((tmp_path / "further" / "log.jsonl").read_text().splitlines()[0])
    assert begun["valid"]["loss"] == pytest.approx(logs[1][-2]["valid"]["loss"], abs=1e-3)
    for name in ("writer-f16.gguf", "writer-q8_0.gguf"):
        generator = LlamaGenerator(tmp_path / "whole" / name, mode="auto", threads=1)
        assert generator.mode == "quote"
        chosen = list(
            generator.quote(
                (Message("user", "Question: What does Net5 reach?"),),
                Choices(("Net5 reaches 5 points [1].", "We release 5 [1]."), (0, 0), 0, " ", refusal(), 2),
                300, threading.Event(),
            )
        )  # fmt: skip
        assert chosen
        known = Asked("1", "What accuracy does Mercury reach?", (), "fact", (PLANETS[0][0],), (), (("71.5",),))
        retriever = Retriever(planets, embedder)
        answers = [
            Answerer(retriever, model, 3, reader=WordReader()).answer(known.question) for model in (None, generator)
        ]
        without, quoting = ([outcome(known, answer)] for answer in answers)
        shown = page(logs[1], {"no model": without, "quote": quoting, "write": quoting})
        assert f"Of the answerable questions 1 were answered, in {len(answers[1].claims)}.0 sentences each" in shown
        assert f"**{known.question}**\n\n{answers[1].text}" in shown
        generator.close()


@pytest.mark.slow
def test_prompt_is_tokenized_as_the_product_does(examples: Path, tmp_path: Path) -> None:
    from training.writer.data import _evidence
    from training.writer.export import write_gguf
    from training.writer.model import SHAPES, Decoder
    from training.writer.tokenizer import prompt_tokens, train_tokenizer

    asked = read_examples(examples / "train.jsonl")[1]
    tokenizer = train_tokenizer([repr(asked), "Answer the question. " * 50], SHAPES["tiny"].vocabulary)
    small = replace(SHAPES["tiny"], vocabulary=tokenizer.get_vocab_size())
    generator = LlamaGenerator(write_gguf(Decoder(small), tokenizer, tmp_path / "m.gguf", "m"), threads=1)
    evidence, _ = _evidence(asked, random.Random(1))
    prompt = build_prompt("quote", "Why <|im_end|>?", evidence, (), (), generator.count_prompt, 4000)
    assert generator._tokenize(prompt.messages) == prompt_tokens(tokenizer, prompt.messages)
