"""What a passage holds, as a table of claims; two spellings of one fact."""

import pytest

from rag.facts import tokens
from rag.held import Passage, names_of
from rag.types import Paper
from rag.verify import verify

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
        ("SVT-H-S reaches 85.2% top-1 accuracy.", "85.2% stands with SVT-H-B in"),
        ("SVT-H-S reaches 12% top-1 accuracy.", "12% is not in"),
        ("Inference takes 12 ms.", "12 ms is not in"),
        ("Inference is 3.1x faster than LiTv2.", "3.1x is not in"),
        ("SVT-H-L has 150 billion parameters.", "150 billion is not in"),
        ("It was trained with 4 H100 GPUs.", "4 is not in"),
        ("It was trained on ImageNet-21K with 8 H100 GPUs.", "ImageNet-21K is not in"),
        ("It was trained with 8 A100 GPUs.", "A100 is not in"),
        ("SVT-H-XL reaches 85.7%.", "SVT-H-XL is not in"),
        ("SVT-H-S reaches 85.2% and SVT-H-B reaches 84.2%.", "85.2% stands with SVT-H-B in"),
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


def _why(claim: str, abstract: str, title: str = "A paper") -> str:
    passage = Passage(Paper("p", title, abstract))
    return verify(claim, passage, names_of([passage])).why


MERCURY = Passage(
    Paper(
        "m",
        "Mercury: A Small Detector",
        "Mercury gets 80.1 mAP on COCO and 75.2 mAP on LVIS. The base and large models reach 70.1% and 72.3% accuracy, "
        "respectively. Trained on ImageNet-1K, it has 83.3% top-1 accuracy; on ImageNet-A, 41.0%. On CIFAR-10 and "
        "CIFAR-100, the error is 2.1% and 14.0%, respectively. It runs at 30 FPS on a V100, while DETR runs at 12 FPS.",
    )
)


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("On LVIS, Mercury reaches an mAP of 80.1.", "80.1 stands with COCO in"),
        ("A mAP of 75.2 is reached on COCO.", "75.2 stands with LVIS in"),
        ("The base model's accuracy is 72.3%.", "72.3% stands with large in"),
        ("Its accuracy on ImageNet-A is 83.3%.", "83.3% stands with ImageNet-1K in"),
        ("The error on CIFAR-10 is 14.0%.", "14.0% stands with CIFAR-100 in"),
        ("DETR runs at 30 FPS.", "30 FPS stands with something else in"),
        ("It outperforms DETR with 80.1 mAP on COCO.", ""),
        ("Mercury's mAP of 80.1 on COCO exceeds DETR.", ""),
        ("Mercury's mAP is 75.2 on LVIS.", ""),
        ("The large model has 72.3%.", ""),
        ("On CIFAR-100 the error is 14.0%.", ""),
        ("Mercury reaches 80.1 mAP.", ""),
        ("With 83.3% top-1 accuracy on ImageNet, it is small.", ""),
        ("DETR manages 12 FPS.", ""),
        ("With 80.1 on COCO and 75.2 on LVIS, Mercury wins.", ""),
    ],
)
def test_number_is_held_with_what_it_is_given_to(claim: str, why: str) -> None:
    assert verify(claim, MERCURY, names_of([MERCURY])).why == why


@pytest.mark.parametrize(
    ("claim", "abstract", "why"),
    [
        # opposites, in any sentence on the same thing
        ("Mercury is slower than Mars.", "Mercury is small. It is faster than Mars.", "“slower” is not what stands in"),
        (
            "Mercury increases memory, and it trains in 3 hours on one GPU.",
            "Mercury is small. It trains in 3 hours on one GPU. It reduces memory on Tides.",
            "“increases” is not what stands in",
        ),
        # and what is denied
        (
            "Mercury, a small model for images, does not train in 3 hours on one GPU.",
            "Mercury is a small model for images. It trains in 3 hours on one GPU.",
            "“not train” is not what stands in",
        ),
        ("It improves COCO.", "It does not significantly improve COCO.", "“improves” is not what stands in"),
        ("It does not always improve COCO.", "It improves COCO.", "“not improve” is not what stands in"),
        ("It is robust to noise.", "It is not necessarily robust to noise.", "“robust” is not what stands in"),
        ("It generalizes to COCO.", "It fails to generalize to COCO.", "“generalizes” is not what stands in"),
        ("Mercury works on COCO.", "Mercury failed on COCO.", "“COCO” is not what stands in"),
        (
            "It takes two hours: for training and testing.",
            "It takes hours for training, testing.",
            "two hours is not in",
        ),
        ("It runs on 3 GPUs (COCO, LVIS and ADE20K).", "It runs on GPUs: COCO, LVIS, ADE20K.", "3 is not in"),
        ("It has 200 images.", "It has two hundred thousand images.", "200 is not in"),
        ("It has layers (9) and gates.", "It has layers (4) and gates.", "9 is not in"),
        ("Mercury is better than 7B models.", "Mercury is worse than 7B models.", "“better” is not what stands in"),
        (
            "Mercury outperforms Venus on COCO.",
            "While Mars is faster than Earth, Venus outperforms Mercury on COCO.",
            "“outperforms” is not what stands in",
        ),
        ("They have robustness.", "They lack robustness.", "“robustness” is not what stands in"),
        ("It improves COCO.", "It hardly improves COCO.", "“improves” is not what stands in"),
        ("Mercury is able to count.", "Mercury is unable to count.", "“count” is not what stands in"),
        # swapped comparisons
        ("Mars is faster than Venus.", "Venus is faster than Mars.", "“faster” is not what stands in"),
        (
            "Mars reaches faster convergence on COCO compared to Venus.",
            "Venus reaches faster convergence on COCO compared to Mars.",
            "“faster” is not what stands in",
        ),
        (
            "It increases MSE while reducing FPS.",
            "It reduces MSE while enhancing FPS.",
            "“increases” is not what stands in",
        ),
        (
            "Models with lower Gflops have lower FID.",
            "Models with higher Gflops have lower FID.",
            "“lower” is not what stands in",
        ),
        ("It reads 256 × 512 pixels.", "It reads 256x256 pixels.", "256x512 is not in"),
        ("Mars is more accurate than Venus.", "Venus is more accurate than Mars.", "“more” is not what stands in"),
        ("Mars needs less memory than Venus.", "Venus needs less memory than Mars.", "“less” is not what stands in"),
        # names
        ("The best is BERT-large with 90%.", "BERT-base is at 90%, the best.", "BERT-large is not in"),
        ("It was built by Microsoft for cells.", "It was built for microscopy of cells.", "Microsoft is not in"),
        ("The Intel system plays games.", "The system plays games by intelligence.", "Intel is not in"),
        # numbers
        ("The correlation is 0.8.", "The correlation is -0.8.", "0.8 is not in"),
        ("Accuracy changes by 3%.", "Accuracy changes by −3%.", "3% is not in"),
        ("The learning rate is 10^4.", "The learning rate is $10^{-4}$.", "10^4 is not in"),
        ("It differs with p > 0.05.", "It differs with $p<0.05$.", "> 0.05 is not in"),
        ("Mercury reaches over 90% on COCO.", "Mercury reaches 89.6% on COCO.", "over 90% is not in"),
        ("Its COCO error rate is less than 5%.", "Its COCO error rate is 5.4%.", "less than 5% is not in"),
        ("It has more than 7 experts.", "It has 7 experts.", "more than 7 is not in"),
        ("It needs over 100 labels.", "It needs under 100 labels.", "over 100 is not in"),
        ("It gains 3 points.", "It gains 3x.", "3 points is not in"),
        ("It needs 3 points.", "It needs 3 hours.", "3 points is not in"),
        ("It uses two-three layers.", "It uses five layers.", "two is not in"),
        ("It uses two layers: sum and product and root.", "It uses layers for sum, product, root.", "two is not in"),
        ("It was trained on eight GPUs.", "It was trained on a 4-GPU node.", "eight is not in"),
        ("Swin-L reaches COCO.", "The Swin-T/S/B models reach COCO.", "Swin-L is not in"),
        (
            "It has a sensitivity of 82.6% and a specificity of 83.3%.",
            "It has 83.3% sensitivity and 82.6% specificity.",
            "82.6% stands with something else in",
        ),
        (
            "It cuts latency by 77.3% and data overhead by 89.5%.",
            "It cuts data overhead and latency by 77.3% and 89.5%, respectively.",
            "77.3% stands with something else in",
        ),
    ],
)
def test_twisted_fact_is_not_held(claim: str, abstract: str, why: str) -> None:
    assert _why(claim, abstract) == why


@pytest.mark.parametrize(
    ("claim", "abstract"),
    [
        ("Mercury improves COCO.", "Mercury not only improves COCO, it is fast."),
        ("Mercury does not improve COCO.", "Mercury does not significantly improve COCO."),
        ("Mercury does not increase memory on COCO.", "Mercury reduces memory on COCO."),
        ("Mars is slower than Venus on COCO.", "Venus is faster than Mars on COCO."),
        ("Mercury requires no labels.", "Mercury does not require any labels."),
        ("Mercury trains without labels.", "Mercury trains without the need to collect labels."),
        ("Mercury needs no training for pruning.", "Mercury is a training-free method for pruning."),
        ("Mercury does not rely on sampling.", "Unlike methods that rely on sampling, Mercury uses one pass."),
        ("It reduces MSE and increases FPS.", "Mercury reduces MSE by 11.1% while enhancing FPS."),
        ("It is faster compared to Mars.", "Mercury is faster on COCO compared to Mars."),
        ("It trains models with 340M parameters.", "We train 340M-parameter models."),
        ("It reads images of 256 × 256 pixels.", "It reads images of $256\\times256$ pixels."),
        ("It needs 1.8x to 2.4x less memory.", "It needs 1.8X-2.4X less memory."),
        ("They follow Bayes rule.", "They follow a Bayesian rule."),
        ("The BERT-based model is small.", "We use BERT. The model is small."),
        ("It sees about 1.5 million images.", "It sees 1.52 million images."),
        ("It sees about 2M images.", "It sees 2.1M images."),
        ("It sees over 2 million images.", "It sees 2.8 million images."),
        ("It needs more than 5 labels.", "It needs over 5 labels."),
        ("The learning rate is 1e-4.", "The learning rate is $10^{-4}$."),
        ("It gains 3 points.", "It gains 3%."),
        ("It gains 3 points.", "It gains 3."),
        ("It was trained on texts from after 2020.", "It was trained on post-2020 texts."),
        ("It was trained on four GPUs.", "It was trained on a 4-GPU node."),
        ("It ranked 26th on Tides.", "It ranked 26 (Tides)."),
        ("It is evaluated zero-shot.", "Zero-shot evaluation shows it."),
        ("Swin-S reaches COCO.", "The Swin-T/S/B models reach COCO."),
        ("It has a head (four layers) and a tail.", "It has (1) a head of four layers and (2) a tail."),
        ("The layers (4) have gates.", "It has layers (4) and gates."),
        ("It has two hundred million parameters.", "It has 200M parameters."),
        ("It makes it smaller by a factor of 2.", "It makes it smaller by a factor of about 2."),
        ("It uses 64-QAM symbols.", "It uses 64QAM symbols."),
        ("It has lower loss and higher accuracy.", "It has higher accuracy and lower loss."),
        ("García found it on COCO.", r"Garc\'{\i}a found it on COCO."),
        ("Three sets are used: COCO, LVIS and ADE20K.", "COCO, LVIS and ADE20K are used as sets."),
        ("Three sets (COCO, LVIS, and ADE20K) are used.", "COCO, LVIS and ADE20K are used as sets."),
        ("Others need more than 60 GB on Tides.", "Others need over 60 GB on Tides, Mercury needs fewer GB."),
        ("Mercury beats Mars and surpasses Venus.", "Mercury outperforms Mars and is the first to surpass Venus."),
        ("The smaller model reaches 5 on COCO.", "The smaller and bigger models reach 5 and 4 on COCO."),
        ("Training takes no more than 3 hours.", "Training takes at most 3 hours."),
        ("The footprint shrinks by a factor of 2.", "The footprint shrinks 2x."),
        ("It was trained on 16.7 million samples.", "It was trained on 16.7 million (M) samples."),
        ("The Padé approximation helps in La Niña years.", "In La Ni\\~na years the Pad\\'{e} approximation helps."),
        ("It reads three spaces, namely LaBSE, SONAR and BERT.", "It reads LaBSE, SONAR and BERT serve as spaces."),
        ("It learns from failed trajectories of both.", "It learns from trajectories of both that failed."),
        (
            "The air network of the US, that of Illinois, serves as a test.",
            "The air network of the US, that of Chicago (Illinois), serves as a test.",
        ),
        ("Mercury reaches higher accuracy on COCO.", "Mercury reduces memory and reaches better accuracy on COCO."),
        ("No further data from people is needed.", "Mercury needs no additional cheaply produced data of people."),
        (
            "Mercury has a macro-F1 of 79.2% and a pair accuracy of 63.1% on Tides.",
            "On Tides, Mercury achieves 79.2% macro-F1 and 63.1% pair accuracy.",
        ),
        (
            "It cuts data overhead by 77.3% and latency by 89.5%.",
            "It cuts data overhead and latency by 77.3% and 89.5%, respectively.",
        ),
        (
            "The smaller model reaches an error of 5.04% and the bigger one 4.48%.",
            "Errors of 5.04% and 4.48% are reached by the smaller and bigger models respectively.",
        ),
    ],
)
def test_honest_paraphrase_is_held(claim: str, abstract: str) -> None:
    assert _why(claim, abstract) == ""


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        # before a verb, as no adjective stands
        ("Gemini uses 4 GPUs.", "Gemini is not in"),
        ("Training uses 4 GPUs.", ""),
        ("Larger models use 4 GPUs.", ""),
        # where the passage has a name, or mentions one
        ("Gemini ranks first on ImageNet-1K.", "Gemini stands where RevCol-H does in"),
        ("Gemini ends in 3 hours on Tides.", "Gemini stands where Mercury does in"),
        ("Gemini excels in speed at a small size.", "Gemini stands where method does in"),
        ("Researchers need 3 hours on Waves.", ""),
    ],
)
def test_first_word_may_be_an_invented_name(claim: str, why: str) -> None:
    abstract = (
        "Our largest model RevCol-H ranks first on ImageNet-1K. Mercury ends in 3 hours on Tides."
        " Our method excels in speed at a small size. We need 3 hours on Waves. It uses 4 GPUs."
    )
    assert _why(claim, abstract, "Mercury: A Small Model") == why


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
        ["200", "two hundred"],
        ["10^-4", "$10^{-4}$", "1e-4", "0.0001"],
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
