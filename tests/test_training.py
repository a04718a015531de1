"""The evidence model's recipe: small samples in the formats of its sources, its loss, and its resumption."""

import json
import lzma
import math
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.reader import EvidenceReader, score, windows
from training.evidence import details, sources
from training.evidence.blanks import Blank, blanks, with_another_name
from training.evidence.calibrate import fit, least_answerable, risk_coverage
from training.evidence.data import (
    TRAINED,
    WRITTEN,
    Candidate,
    Example,
    Pool,
    build,
    examples,
    from_templates,
    pairs,
    read_examples,
    without_passage,
    write_examples,
)
from training.evidence.sources import Passage
from training.evidence.templates import Fact, facts, near_miss, wording

ARTICLES: list[dict[str, Any]] = [
    {
        "title": "Steam_engine",
        "paragraphs": [
            {
                "context": "Watt built engines in 1776. Boulton sold engines in 1776 too. Steam engines need water.",
                "qas": [
                    {"question": "Who sold engines?", "answers": [{"text": "Boulton", "answer_start": 28}]},
                    {"question": "When were engines sold?", "answers": [{"text": "1776", "answer_start": 22}]},
                    {"question": "Across what?", "answers": [{"text": "1776. Boulton", "answer_start": 22}]},
                    {"question": "Who burnt engines?", "answers": [], "is_impossible": True},
                ],
            },
            {"context": "Boulton also sold buttons. Trains sold well as engines.", "qas": []},
        ],
    },
    {"title": "Trade", "paragraphs": [{"context": "Who sold most engines is unknown.", "qas": []}]},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder like the one of the public data sets."""

    def write(name: str, *records: Any) -> None:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(record) + "\n" for record in records)
        path.write_bytes(lzma.compress(text.encode()) if name.endswith(".xz") else text.encode())

    for name in ("squad1.1_train", "squad1.1_dev", "squad2.0_dev"):
        held_out = [dict(article, title="Kenya") for article in ARTICLES[:1]]
        write(f"squad/{name}.json.xz", {"data": ARTICLES + held_out})
    documents = [
        {"_id": i, "title": f"Trial {i}", "text": "", "metadata": {"sentences": [f"Drug {i} helps.", "It was safe."]}}
        for i in ("7", "8", "9")
    ]
    write("scifact/corpus.jsonl.xz", *documents)
    write("scifact/queries_train.jsonl", *({"_id": c, "text": f"Claim {c} on a drug."} for c in ("1", "2", "3")))
    (tmp_path / "data/scifact/qrels_train.tsv").write_text("query-id\tcorpus-id\tscore\n1\t7\t1\n2\t8\t1\n3\t8\t1\n")
    write(
        "scifact/evidence_train.jsonl",
        {"claim_id": "1", "claim": "", "doc_id": "7", "label": "SUPPORT", "sentences": [0]},
        {"claim_id": "3", "claim": "", "doc_id": "8", "label": "CONTRADICT", "sentences": [1]},
    )
    summary = {"source": ["We fly.", "We swim."], "rouge_scores": [0.1, 0.7], "target": ["Swimming.", "No."]}
    vague = {"source": ["We fly.", "We swim."], "rouge_scores": [0.6, 0.7], "target": ["Moving."]}
    write(
        "scitldr/scitldr_A_train.jsonl.xz",
        *(dict(record, title=f"Paper {n}", paper_id=str(n)) for n, record in enumerate([summary, vague])),
    )
    papers = [
        {"id": f"2001.0{n:04}", "title": f"Net{n}X: A Net", "abstract": f"We present Net{n}X, a net. It gets {n}% "
         f"accuracy on Set{n}. More text is here. Nothing else is said."} for n in range(200)
    ]  # fmt: skip
    write("arxiv/a.jsonl.xz", *papers)
    return tmp_path / "data"


def test_any_sentence_that_holds_the_answer_is_right(data: Path) -> None:
    _, asked = sources.squad(data / "squad" / "squad1.1_train.json.xz", "squad")
    assert [(a.question, sorted(a.right)) for a in asked[:3]] == [
        ("Who sold engines?", ["Boulton sold engines in 1776 too."]),
        ("When were engines sold?", ["Boulton sold engines in 1776 too.", "Watt built engines in 1776."]),
        ("Who burnt engines?", []),  # the one whose answer no sentence holds whole is left out
    ]


def test_an_article_of_squad_is_trained_on_or_held_out(data: Path) -> None:
    sides = [
        {passage.group for passage in sources.squad(data / "squad" / "squad2.0_dev.json.xz", "squad2", side)[0]}
        for side in (False, True)
    ]
    assert sides == [{"Steam_engine", "Trade"}, {"Kenya"}]


def test_halves_of_scifact_share_no_claim_and_no_document(data: Path) -> None:
    halves = [sources.scifact(data, "a"), sources.scifact(data, "b")]
    assert [[(a.question, sorted(a.right)) for a in asked] for _, asked in halves] == [
        [("Claim 2 on a drug.", []), ("Claim 3 on a drug.", ["It was safe."])],
        [("Claim 1 on a drug.", ["Drug 7 helps."])],
    ]
    assert [[passage.group for passage in passages] for passages, _ in halves] == [["8", "9"], ["7", "9"]]


def test_only_a_summary_that_one_sentence_clearly_says_is_asked(data: Path) -> None:
    assert [(a.question, a.right) for a in sources.scitldr(data, frozenset())[1]] == [
        ("Swimming.", frozenset({"We swim."}))
    ]
    assert sources.scitldr(data, frozenset({"paper 0"}))[1] == []


@pytest.mark.parametrize(
    ("title", "sentence", "kind", "slots"),
    [
        ("On Nets", "Graph neural networks (GNNs) win.", "acronym", {"short": "GNN"}),
        ("Foo2: Fast", "We introduce Foo2, a net.", "definition", {"name": "Foo2"}),
        ("Foo2: Fast", "Foo2 is a net.", "definition", {"name": "Foo2"}),
        ("On Nets", "It has 84.2\\% top-1 accuracy on ImageNet.", "number", {"metric": "top-1 accuracy", "set": "ImageNet"}),
        ("On Nets", "It reaches an FID of 2.1 on CIFAR-10.", "number", {"metric": "FID", "set": "CIFAR-10"}),
        ("Foo2: Fast", "It achieves a mean gap of 0.73.", "quantity", {"quantity": "mean gap", "name": "Foo2"}),
        ("Foo2: Fast", "It outperforms ViT-B by 3 points.", "gain", {"rival": "ViT-B", "name": "Foo2"}),
        ("Foo2: Fast", "Our net is better than ViT-B.", "comparison", {"rival": "ViT-B", "name": "Foo2"}),
        ("Foo2: Fast", "It is 3x faster than others.", "speed", {"how": "faster", "name": "Foo2"}),
        ("Foo2: Fast", "Foo2 contains over 12,000 labelled images.", "count", {"noun": "labelled images", "name": "Foo2"}),
        ("Foo2: Fast", "Our code is available at https://x.y.", "code", {"name": "Foo2"}),
    ],
)  # fmt: skip
def test_facts_are_found_and_can_be_asked_for(title: str, sentence: str, kind: str, slots: dict[str, str]) -> None:
    found = {fact.kind: fact for fact in facts(title, [sentence, "We say no more."]) if fact.right}
    assert found[kind] == Fact(kind, slots, frozenset({sentence}))
    question, used = wording(found[kind], random.Random(1))
    assert "{" not in question
    assert used
    assert all(slots[slot] in question for slot in used)


@pytest.mark.parametrize(
    ("title", "sentence", "kind"),
    [
        ("On Nets", "We met (ABC) there.", "acronym"),
        ("Foo2: Fast", "Foo2 outperforms ViT.", "definition"),
        ("Foo2: Fast", "The field moved faster than ViT.", "comparison"),
        ("Foo2: Fast", "It wins by a total of 3 points.", "quantity"),
    ],
)
def test_a_doubtful_fact_is_not_asked_for(title: str, sentence: str, kind: str) -> None:
    assert kind not in {fact.kind for fact in facts(title, [sentence]) if fact.right}


def test_near_miss_asks_for_what_the_abstract_does_not_have() -> None:
    fact = Fact("gain", {"name": "Foo2", "rival": "ViT-B"}, frozenset({"It outperforms ViT-B by 3."}))
    text = "Foo2: Fast It outperforms ViT-B by 3."
    assert near_miss(fact, text, {"rival": ["ViT-B"]}, random.Random(1)) is None
    missed = near_miss(fact, text, {"rival": ["ResNet"]}, random.Random(1))
    assert missed == Fact("gain", {"name": "Foo2", "rival": "ResNet"}, frozenset())


@pytest.mark.parametrize(
    ("sentence", "kind", "question"),
    [
        ("To reduce the memory of nets, we drop layers.", "how", "reduce the memory of nets"),
        ("We reduce the cost of nets by dropping layers.", "how", "reduce the cost of nets"),
        ("Our net is trained on 12 hours of speech.", "number asked", "how many"),
        ("Our new deep net halves the error on TIMIT speech.", "key words", ""),
        ("Big nets are hard to train well, because they are deep.", "why", "Why big nets are hard to train well?"),
        ("However, nets need memory.", "problem", "Foo2"),
        ("It outperforms ViT.", "result", "Foo2"),
        ("We propose a net.", "method", "Foo2"),
    ],
)
def test_a_sentence_is_asked_for_in_its_own_words(sentence: str, kind: str, question: str) -> None:
    found = {b.kind: b for b in blanks("Foo2", [sentence, "No more.", "And no more."], random.Random(2))}
    assert found[kind].right == frozenset({sentence})
    assert question in found[kind].question
    assert sentence.rstrip(".") not in found[kind].question


def test_a_detail_is_asked_where_it_is_told_and_where_the_abstract_is_silent() -> None:
    sentence = "It has 86M parameters."
    asked = details.told("FooNet", ["FooNet is a net.", sentence], random.Random(1))
    assert asked is not None
    assert "FooNet" in asked.question
    assert asked.right == {sentence}
    assert details.told("FooNet", ["FooNet is a net."], random.Random(1)) is None


def test_nothing_that_an_abstract_touches_on_is_asked_as_if_it_were_silent() -> None:
    text = ["It has few parameters.", "Reading a video takes hours on ImageNet."]
    made = {details.untold("FooNet", text, random.Random(seed)) for seed in range(300)}
    questions = [asked.question for asked in made if asked]
    assert len(questions) > 100
    assert not any(re.search(r"\bparameters|hours|video|ImageNet", question) for question in questions)


def test_a_question_with_another_name_is_answered_by_nothing() -> None:
    asked = Blank("method", "How does Foo2 work?", frozenset({"We propose a net."}), ("Foo2",))
    assert with_another_name(asked, "Foo2: we propose a net.", ["Bar3"], random.Random(1)) == Blank(
        "method", "How does Bar3 work?", frozenset()
    )
    assert with_another_name(asked, "Foo2 and Bar3 are nets.", ["Bar3"], random.Random(1)) is None


def test_two_papers_are_compared_by_what_defines_them() -> None:
    papers = [Passage(name, f"{name}: A Net", (f"We present {name}, a net.", "No more.")) for name in ("Foo2", "Bar3")]
    [asked] = pairs(papers, random.Random(1), most=2)
    assert asked.right == {"We present Foo2, a net.", "We present Bar3, a net."}
    assert "Foo2" in asked.question
    assert "Bar3" in asked.question


def test_other_passages_share_words_and_do_not_hold_the_answer(data: Path) -> None:
    passages, asked = sources.squad(data / "squad" / "squad1.1_train.json.xz", "squad", held_out=False)
    [example] = examples(asked[:1], Pool(passages), TRAINED, random.Random(1))
    assert example.own == 1
    assert example.passages == (
        Candidate("Steam engine", passages[0].sentences, (1,)),
        Candidate("Trade", ("Who sold most engines is unknown.",)),  # and not the one with "Boulton also sold buttons."
    )
    [example] = examples(without_passage(asked[:1]), Pool(passages), TRAINED, random.Random(1))
    assert not example.answerable
    assert all("Boulton" not in sentence for passage in example.passages for sentence in passage.sentences)


def test_another_abstract_that_tells_the_same_is_no_negative() -> None:
    papers = [Passage(str(n), f"On {n}", (f"We get {n}% accuracy on ImageNet.", "We say no more.")) for n in (1, 2)]
    asked = [a for a in from_templates(papers, random.Random(1)) if a.right]
    made = list(examples(asked, Pool(papers), TRAINED, random.Random(1)))
    assert [len(example.passages) for example in made] == [1, 1]


def test_examples_are_read_as_they_were_written_and_passages_stand_there_once(tmp_path: Path) -> None:
    passage, other = Candidate("T", ("One.", "Two."), (1,)), Candidate("U", ("Three.",))
    made = [
        Example("squad", "why?", 1, (passage, other)),
        Example("squad", "how?", 0, (Candidate("T", ("One.", "Two.")),)),
    ]
    assert write_examples(tmp_path / "e.jsonl", made) == {"squad": 1, "squad, unanswerable": 1}
    assert read_examples(tmp_path / "e.jsonl") == made
    assert (tmp_path / "e.jsonl").read_text().count("Two.") == 1


def test_examples_are_built_without_the_seeds_and_the_same_each_time(
    data: Path, tmp_path: Path, write_dump: Callable[..., Path]
) -> None:
    seeds = write_dump([(f"Net{n}X - a net", "Text of it.") for n in range(3, 5)])
    for name in ("one", "two"):
        build(data, tmp_path / name, [seeds], half="a", squad=10, papers=200, written=0, valid=40)
    one, two = ((tmp_path / name / "train.jsonl").read_text() for name in ("one", "two"))
    assert one == two
    assert "Net5X" in one
    assert "Net4X" not in one
    kinds = json.loads((tmp_path / "one" / "counts.json").read_text())
    assert {"squad", "squad2, unanswerable", "scifact", "scitldr", "arxiv definition"} <= kinds["train"].keys()
    assert {"squad", "squad (none), unanswerable", "scifact", "squad2", "arxiv number"} <= kinds["valid"].keys()


def test_written_questions_are_put_to_their_papers_beside_others_of_the_topic(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cluster(first: int) -> dict[str, Any]:
        one, two = f"2001.0{first:04}", f"2001.0{first + 1:04}"
        asked = [
            {
                "type": "compare",
                "question": f"Net{first}X, accuracy of it or the other?",
                "papers": {one: [0, 1], two: [1]},
            },
            {"type": "none", "question": f"Net{first}X accuracy on Set0?", "papers": {one: []}},
            {"type": "fact", "question": "Of a paper that is left out?", "papers": {"2001.99999": [0]}},
        ]
        return {"papers": [one, two, f"2001.0{first + 2:04}", "2001.99999"], "questions": asked}

    lines = [json.dumps(cluster(10 * n)) for n in range(13)]
    (tmp_path / "train.jsonl").write_text("".join(line + "\n" for line in lines))
    monkeypatch.setattr(sources, "QUESTIONS", tmp_path)
    papers = list(sources.arxiv(data, frozenset()))
    held_out, trained = (sources.written(papers, held_out=held_out) for held_out in (True, False))
    assert [asked.question for asked in held_out[1]][::2] == [
        "Net0X, accuracy of it or the other?",
        "Net120X, accuracy of it or the other?",
    ]
    assert len(trained[1]) == 2 * 11
    assert len(sources.written(papers, held_out=False, first=6)[1]) == 2 * 6
    compare, none, *_ = examples(trained[1], Pool(trained[0]), WRITTEN, random.Random(1))
    assert (compare.kind, compare.own, compare.wants_all) == ("written compare", 2, True)
    assert [passage.right for passage in compare.passages[:2]] == [(0, 1), (1,)]
    assert not none.answerable
    assert [passage.title for passage in none.passages[:1]] == ["Net10X: A Net"]
    assert {passage.title for passage in none.passages[1:]} == {"Net11X: A Net", "Net12X: A Net"}


def test_a_paper_that_stands_twice_is_no_negative_of_its_own_question() -> None:
    paper = Passage("2001.00001", "Net1X: A Net", ("Net1X gets 1% accuracy.", "More is here."))
    asked = sources.Asked("written fact", "Net1X accuracy?", (paper,), frozenset(paper.sentences[:1]))
    pool = Pool([paper, replace(paper, group="2001.0000100000002"), replace(paper, group="3", sentences=("Net1X.",))])
    assert [found.group for found in pool.search(asked)] == ["3"]


def test_seeds_are_left_out_by_title(data: Path, write_dump: Callable[..., Path]) -> None:
    excluded = sources.titles_in([write_dump([("Net4X:  a NET", "Text of it.")])])
    assert [p.title for p in sources.arxiv(data, excluded)][3:5] == ["Net3X: A Net", "Net5X: A Net"]


@pytest.mark.slow
def test_loss_is_cross_entropy_with_none_and_without_the_questions_own_passages() -> None:
    import torch

    from training.evidence.model import loss

    logits = torch.tensor([[1.0, 2.0, 9.0], [0.5, -1.0, 3.0]])
    present = torch.tensor([[True, True, False], [True, True, True]])
    right = torch.tensor([[True, False, False], [False, False, False]])
    own = torch.tensor([[True, False, False], [True, True, False]])
    e = math.exp
    first = -math.log(e(1) / (1 + e(1) + e(2))) + 0.5 * -math.log(1 / (1 + e(2)))
    second = -math.log(1 / (1 + e(0.5) + e(-1) + e(3)))
    no = torch.tensor([False, False])
    for every in (no, ~no):  # of one right sentence, or none, it makes no difference
        value = loss(logits, right, own, present, every, 0.5).item()
        assert value == pytest.approx((first + second) / 2, rel=1e-5)
    both, whole = torch.tensor([[True, True, False]]), torch.tensor([[True, True, True]])
    any_of_two = -math.log((e(1) + e(2)) / (1 + e(1) + e(2)))
    assert loss(logits[:1], both, both, present[:1], no[:1], 0.0).item() == pytest.approx(any_of_two, rel=1e-5)
    each_of_two = -math.log(e(1) / (1 + e(1) + e(9))) / 2 - math.log(e(2) / (1 + e(2) + e(9))) / 2
    assert loss(logits[:1], both, whole, whole, ~no[:1], 0.0).item() == pytest.approx(each_of_two, rel=1e-5)


@pytest.fixture
def tiny_bert(tmp_path: Path) -> Path:
    """A random BERT of two layers and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "what",
        "is",
        "who",
        "sold",
        "engines",
        "it",
        "##s",
        "net",
        "##0",
        ".",
        "?",
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
    ]
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(shape).save_pretrained(folder)
    return folder


@pytest.fixture
def few_examples(tmp_path: Path) -> Path:
    """Examples whose right sentence has the question's letter."""
    folder = tmp_path / "examples"
    folder.mkdir()
    made = [
        Example(source, f"who sold {letter}?", 1, (
            Candidate("net", (f"it is {letter}.", "it is net."), (0,) if answered else ()),
            *(Candidate("net", (f"it is {other}.",)) for other in "abcdef" if other != letter),
        ))
        for source in ("squad", "arxiv count") for letter in "abcdef" for answered in (True, False)
    ]  # fmt: skip
    for name in ("train", "valid"):
        write_examples(folder / f"{name}.jsonl", made)
    return folder


@pytest.mark.slow
def test_a_resumed_training_ends_with_the_same_weights(tiny_bert: Path, few_examples: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from training.evidence.train import Settings, train

    settings = Settings(steps=6, questions=4, layers=2, learning_rate=1e-2)
    assert train(few_examples, tmp_path / "whole", tiny_bert, settings, "cpu")
    stops = iter([False, False, False, True])
    assert not train(few_examples, tmp_path / "cut", tiny_bert, settings, "cpu", stopped=lambda: next(stops))
    assert not (tmp_path / "cut" / "model").exists()
    assert train(few_examples, tmp_path / "cut", tiny_bert, settings, "cpu")
    whole, cut = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "cut"))
    assert whole.keys() == cut.keys()
    assert all(bool((whole[key] == cut[key]).all()) for key in whole)
    with pytest.raises(SystemExit, match="other settings"):
        train(few_examples, tmp_path / "cut", tiny_bert, Settings(steps=7), "cpu")


@pytest.mark.slow
def test_what_is_trained_further_is_averaged_with_what_it_was(
    tiny_bert: Path, few_examples: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    from training.evidence.train import Settings, train

    assert train(few_examples, tmp_path / "first", tiny_bert, Settings(steps=2, questions=4, layers=2), "cpu")
    further = Settings(
        steps=3, questions=4, layers=2, learning_rate=1e-1, go_on_from=str(tmp_path / "first" / "model"), share=0.75
    )
    assert train(few_examples, tmp_path / "further", tiny_bert, further, "cpu")
    first, mean = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("first", "further"))
    reached = torch.load(tmp_path / "further" / "checkpoint.pt", weights_only=True)["model"]
    name = "bert.pooler.dense.weight"
    assert (reached[name] - first[name].float()).abs().max() > 0.05
    assert torch.allclose(mean[name].float(), 0.75 * reached[name] + 0.25 * first[name].float(), atol=1e-3)


@pytest.mark.slow
def test_layers_that_a_model_lacks_are_silent_until_trained(
    tiny_bert: Path, few_examples: Path, tmp_path: Path
) -> None:
    import torch

    from training.evidence.model import load_base, save
    from training.evidence.train import Settings, train

    small, tokenizer = load_base(tiny_bert, 1)
    [norm] = [small.bert.embeddings.LayerNorm]
    with torch.no_grad():
        norm.weight.fill_(3.0)
        norm.bias.fill_(0.5)
    save(small, tokenizer, tmp_path / "small")
    read = [window for [window] in windows(tokenizer, "who sold a?", [("net", ("it is a.", "it is b."))])]
    grown, _ = load_base(tmp_path / "small", 2, tiny_bert)
    assert grown.config.num_hidden_layers == len(grown.bert.encoder.layer) == 2
    with torch.inference_mode():
        assert torch.allclose(score(grown.eval(), read, 64), score(small.float().eval(), read, 64), atol=1e-2)
    further = Settings(steps=3, questions=4, layers=2, learning_rate=1e-2, go_on_from=str(tmp_path / "small"))
    assert train(few_examples, tmp_path / "grown", tiny_bert, further, "cpu")
    trained, _ = load_base(tmp_path / "grown" / "model", 2, tiny_bert)
    for layer, silent in ((grown, True), (trained, False)):
        ends = layer.bert.encoder.layer[0]
        assert bool((ends.output.dense.weight == 0).all()) is silent
        assert bool((ends.attention.output.dense.weight == 0).all()) is silent


@pytest.mark.slow
def test_what_was_trained_is_read_by_the_product(tiny_bert: Path, few_examples: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from training.evidence.train import Settings, train

    settings = Settings(minutes=1e-3, questions=4, layers=1)
    assert train(few_examples, tmp_path / "out", tiny_bert, settings, "cpu", command="python -m this")
    folder = tmp_path / "out" / "model"
    passages = [("net", ("it is a.", "it is b.")), ("a", ()), ("b", ("engines.",))]
    logits = EvidenceReader(folder).read("who sold a?", passages)
    assert [len(row) for row in logits] == [2, 0, 1]
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    [window], _, [last] = windows(tokenizer, "who sold a?", passages)
    with torch.inference_mode():
        again = [*score(model.eval(), [window], 64), *score(model, [last], 64)]
    # The product computes in bfloat16 where the processor can.
    assert np.concatenate(logits).tolist() == pytest.approx([value.item() for value in again], rel=2e-2)
    card = (folder / "README.md").read_text()
    assert "python -m this" in card
    assert "| squad |" in card


@pytest.mark.slow
def test_batches_keep_the_shares_of_the_sources_and_use_every_example(few_examples: Path) -> None:
    from training.evidence.train import SHARES, Batches, source_of

    batches = Batches(read_examples(few_examples / "train.jsonl"), 8, seed=1)
    drawn = [question for step in range(40) for question in batches.at(step)]
    shares = {name: sum(source_of(example) == name for _, example in drawn) for name in ("squad", "arxiv")}
    assert shares["squad"] / len(drawn) == pytest.approx(
        SHARES["squad"] / (SHARES["squad"] + SHARES["arxiv"]), abs=0.01
    )
    assert len({example for epoch, example in drawn if epoch == 0}) == 24
    assert Batches(read_examples(few_examples / "train.jsonl"), 8, seed=1).at(31) == batches.at(31)


def test_weights_are_those_that_the_outcomes_were_drawn_by() -> None:
    rng = np.random.default_rng(1)
    signals = rng.normal(size=(4000, 2)) * [3.0, 0.2]
    right = rng.random(4000) < 1 / (1 + np.exp(-(0.5 + signals @ [0.4, 5.0])))
    bias, weights = fit(signals, right)
    # Held a little to nought.
    assert bias == pytest.approx(0.5, abs=0.15)
    assert weights == pytest.approx([0.4, 5.0], rel=0.2)


def test_threshold_refuses_little_of_what_can_be_answered() -> None:
    likely, listed = np.linspace(0.015, 1.005, 100), np.zeros(100, dtype=bool)
    assert least_answerable(likely, listed) == pytest.approx(0.05)
    # Who asks for papers is refused below 0.3 whatever the threshold; seven such leave no room for others.
    assert least_answerable(np.array([0.9] * 95 + [0.31] * 5), np.array([False] * 95 + [True] * 5)) == 0.9
    assert least_answerable(np.array([0.9] * 93 + [0.29] * 7), np.array([False] * 93 + [True] * 7)) == 0


def test_risk_of_a_coverage_is_the_share_of_those_answered_that_nothing_answers() -> None:
    odds, right = np.array([2.0, 1.0, 0.0, -1.0]), np.array([True, False, True, True])
    assert risk_coverage(odds, right) == [(0.25, 0.0), (0.5, 0.5), (0.75, 0.3333), (1.0, 0.25)]
