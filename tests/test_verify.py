"""What a passage holds, as a table of claims; two spellings of one fact."""

import pytest

from rag.facts import tokens
from rag.types import Paper
from rag.verify import Passage, verify

PASSAGE = Passage(
    Paper(
        "s",
        "ScatterFormer: Spectral Mixing Matters",
        r"ScatterFormer is a Vision Transformer trained on ImageNet-1K with 8 H100 GPUs. "
        r"SVT-H-S reaches 84.2\% top-1 accuracy, while SVT-H-B reaches 85.2\% and SVT-H-L (150 million parameters) "
        r"reaches 85.7\%. It outperforms LiTv2 and DeiT-S in all settings. "
        r"Inference takes 3.1 ms, which is $2.2\times$ faster than LiTv2, and training takes 12 hours. "
        "Our method does not need any distillation, and it reduces memory by two thirds, from 10 to 20 GB. "
        "Large language models (LLMs) are left for future work.",
    )
)


@pytest.mark.parametrize(
    "claim",
    [
        "SVT-H-S reaches 84.2% top-1 accuracy.",
        "SVT-H-S reaches 84.2 percent top-1 accuracy.",
        "SVT-H-B reaches 85.2%.",
        "SVT-H-L has 150M parameters and reaches 85.7%.",
        "The authors report that ScatterFormer was trained on ImageNet-1k with eight H100s.",
        "Inference is 2.2x faster than LiTv2.",
        "Inference is 2.2 times faster than LiTv2 at about 3 ms.",
        "Training takes 12 hours.",
        "LiTv2 and DeiT-S are outperformed by ScatterFormer.",
        "ScatterFormer outperforms LiTv2.",
        "It does not need distillation.",
        "It reduces memory from 10 GB to 20 GB.",
        "Large Language Models are left for future work.",
        "The ScatterFormer-based SVT-H-S reaches 84.2%.",
    ],
)
def test_what_the_passage_says_in_other_words_is_held(claim: str) -> None:
    assert verify(claim, PASSAGE).why == ""


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("SVT-H-S reaches 84.3% top-1 accuracy.", "84.3% is not in"),
        ("SVT-H-S reaches 85.2% top-1 accuracy.", "85.2% stands with something else in"),
        ("SVT-H-S reaches 12% top-1 accuracy.", "12% is not in"),
        ("Inference takes 12 ms.", "12 ms is not in"),
        ("Inference is 3.1x faster than LiTv2.", "3.1x is not in"),
        ("SVT-H-L has 150 billion parameters.", "150 billion is not in"),
        ("It was trained with 4 H100 GPUs.", "4 is not in"),
        ("It was trained on ImageNet-21K with 8 H100 GPUs.", "ImageNet-21K is not in"),
        ("It was trained with 8 A100 GPUs.", "A100 is not in"),
        ("SVT-H-XL reaches 85.7%.", "SVT-H-XL is not in"),
        ("SVT-H-S reaches 85.2% and SVT-H-B reaches 84.2%.", "84.2% stands with something else in"),
        ("DeiT-S outperforms ScatterFormer in all settings.", "“outperforms” is not what stands in"),
        ("It outperforms SVT-H-B and DeiT-S in all settings.", "SVT-H-B stands where LiTv2 does in"),
        ("ScatterFormer is outperformed by LiTv2 in all settings.", "“outperformed” is not what stands in"),
        ("It is 2.2x slower than LiTv2.", "“slower” is not what stands in"),
        ("The method needs distillation.", "“needs” is not what stands in"),
        ("It increases memory from 10 to 20 GB.", "“increases” is not what stands in"),
        ("ScatterFormer was funded by a bakery and its neighbours.", "too few of its words are in"),
        ("!!!", "too few of its words are in"),
    ],
)
def test_what_the_passage_does_not_say_is_not_held(claim: str, why: str) -> None:
    assert verify(claim, PASSAGE).why == why


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("Training takes 12 hours.", "Inference takes 3.1 ms"),
        ("LiTv2 is outperformed.", "It outperforms LiTv2"),
        ("It needs no distillation.", "Our method does not need"),
    ],
)
def test_quote_is_the_sentence_that_shares_most(claim: str, quote: str) -> None:
    assert verify(claim, PASSAGE).quote.startswith(quote)


@pytest.mark.parametrize(
    "spellings",
    [
        [r"54.2\%", "54.2%", "54.2 percent", "54.20 %", r"$54.2\%$"],
        ["150 million", "150M", "150,000,000"],
        ["3x", "3 times", r"$3\times$", "three times", "threefold", "3-fold"],
        ["2x", "twice", "two times"],
        ["1,024", "1024", "1{,}024"],
        ["5 ms", "5ms", "5 milliseconds"],
        ["24", "twenty-four"],
        ["a Llama-2-7B", "a LLaMA-2-7b"],
        ["many GPUs", "many GPU"],
    ],
)
def test_spellings_of_one_fact_read_alike(spellings: list[str]) -> None:
    assert len({tuple((token.key, token.unit) for token in tokens(spelling)) for spelling in spellings}) == 1


def test_numbers_of_a_list_share_their_unit() -> None:
    read = tokens("It gains 2.1, 3 and 10-20% on 5 tasks")
    assert [(token.text, token.unit) for token in read if token.kind == "number"] == [
        ("2.1", "%"),
        ("3", "%"),
        ("10", "%"),
        ("20%", "%"),
        ("5", ""),
    ]
