"""An abstract -> questions on details that papers have and abstracts seldom tell: parameters, hours, licences.

Who knows a paper's name asks so, and nothing in the question's words gives away that the abstract is silent. A detail
is asked as answerable where a sentence tells it, and as unanswerable where the abstract does not touch on it at all;
where it is only touched on, it is not asked. Knows nothing of other abstracts.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_COUNT = r"(?:\d[\d.,]*|one|two|three|four|five|six|eight|ten|single|dozens?|hundreds?|thousands?)"
_SIZE = r"(?:\s?[KMBT]\b|\s(?:thousand|million|billion|trillion))?"


@dataclass(frozen=True, slots=True)
class Detail:
    """What can be asked of any paper."""

    forms: tuple[str, ...]
    touched: re.Pattern[str]
    """Found in an abstract that may tell it."""
    told: re.Pattern[str] | None = None
    """Found in a sentence that tells it; None if no pattern is sure to."""


@dataclass(frozen=True, slots=True)
class DetailAsked:
    """A question on a detail, and the sentences that tell it: none if the abstract is silent."""

    question: str
    right: frozenset[str]


def _detail(forms: str, touched: str, told: str = "") -> Detail:
    return Detail(tuple(forms.split("|")), re.compile(touched, re.I), re.compile(told) if told else None)


DETAILS = (
    _detail("How many parameters does {n} have?|number of parameters of {n}|how big is {n}?|parameter count of {n}?",
            r"param|\b\d+(?:\.\d+)?[MB]\b|size", rf"{_COUNT}{_SIZE}[\s-](?:\w+\s)?parameters?\b"),
    _detail("How long does it take to train {n}?|how many hours did {n} need to train|training time of {n}?"
            "|How many GPU hours does {n} take?",
            r"\bhours?\b|\bdays?\b|\bminutes\b|training time", rf"{_COUNT}\s(?:\w+[\s-])?(?:hours?|days?|minutes)\b"),
    _detail("How many GPUs was {n} trained on?|which hardware did {n} use|What GPU does {n} need?",
            r"\b[GT]PUs?\b|[VAH]100|RTX|hardware|processor", r"\b\S+\s(?:\S+\s)?(?:GPUs?|TPUs?)\b"),
    _detail("What learning rate was used for {n}?|learning rate of {n}|which learning rate did they settle on for {n}?",
            r"learning[- ]rate|step[- ]size", r"learning[- ]rates? (?:of|schedule|decay|warm)"),
    _detail("What batch size does {n} use?|batch size of {n}?|how large were the batches for {n}", r"batch",
            r"batch[- ]size"),
    _detail("How many epochs was {n} trained for?|epochs of {n}|After how many steps does {n} converge?",
            r"epoch|iteration|\bsteps\b|converge", rf"{_COUNT}\s(?:\w+\s)?(?:epochs?|iterations|steps)\b"),
    _detail("How many layers does {n} have?|How deep is {n}?|number of layers in {n}", r"layer|deep|depth|blocks",
            rf"{_COUNT}[\s-](?:\w+\s)?layers?\b"),
    _detail("Which optimizer was used to train {n}?|Was {n} trained with Adam or SGD?",
            r"adam|sgd|optimi[sz]er|descent",
            r"\b(?:Adam\w*|SGD|[Ss]tochastic gradient descent)\b"),
    _detail("Under which licence is {n} released?|What is the license of {n}?|May I use {n} commercially?",
            r"licen[sc]e|commercial|open[- ]sourc", r"\b[Ll]icen[sc]e[ds]?\b"),
    _detail("How much does {n} cost in dollars?|what does running {n} cost|price of {n}?",
            r"cost|\$\d|dollar|usd|price",
            r"(?:US|\\)\$\s?\d|\d\s?(?:dollars|USD)"),
    _detail("How much memory does {n} need?|memory footprint of {n}|How many gigabytes of memory does {n} take?",
            r"memory|\b[GM]i?B\b|footprint|storage", r"\d\s?[GM]i?B\b|memory (?:usage|footprint|consumption)[^.]*\d"),
    _detail("How many frames per second does {n} reach?|latency of {n}?|How fast is {n} in milliseconds?"
            "|inference time of {n}|{n} throughput?",
            r"latency|\bfps\b|\bms\b|second|throughput|real[- ]time|speed|fast|runtime|efficien",
            r"\d\s?(?:fps|FPS|ms|milliseconds|seconds|frames (?:per|/) ?s\w*|tokens/s)\b"),
    _detail("How much energy does {n} use?|power consumption of {n}?|how many watts does {n} draw",
            r"energy|power|watt",
            r"\d\s?(?:[mµunk]?W|[mµunk]?J|watts?)\b|energy[^.]*\d+(?:\.\d+)?\s?(?:\\?%|x|times)"),
    _detail("How many annotators labelled {n}?|who annotated {n}?|How was {n} annotated?",
            r"annotat|label|crowd|expert",
            rf"{_COUNT}\s(?:\w+\s)?(?:annotators|experts|raters|labelers)\b|annotated by"),
    _detail("What is the inter-annotator agreement of {n}?|kappa of {n}|how well do annotators agree in {n}?",
            r"agreement|kappa|annotat", r"\bagreement\b|\b[Kk]appa\b"),
    _detail("How many participants took part in {n}?|number of patients in {n}|How many people tested {n}?",
            r"participant|subjects?\b|patient|\busers?\b|volunteer|individuals|people",
            rf"{_COUNT}\s(?:\w+\s)?(?:participants|subjects|patients|volunteers|users|individuals)\b"),
    _detail("How many languages does {n} cover?|Which languages does {n} support?|languages in {n}",
            r"language|lingual",
            rf"{_COUNT}\s(?:\S+\s)?languages\b"),
    _detail("How many samples does {n} use for training?|how much data was {n} trained on|size of the {n} training set",
            r"\d[\d,]*[KkM]?\s|dataset|data set|corpus",
            rf"{_COUNT}{_SIZE}\s(?:[a-z-]+\s){{0,2}}(?:images|videos|samples|examples|sentences|documents|hours|tokens)\b"),
    _detail("Was the result of {n} statistically significant?|p-value of {n}?", r"significan|\bp\s?[<=]",
            r"\bp\s?[<=]\s?\.?\d|statistically significant"),
    _detail("What context length does {n} support?|How many tokens can {n} read?|maximum sequence length of {n}",
            r"context|tokens?\b|length|sequence",
            rf"{_COUNT}{_SIZE}[\s-](?:context|tokens?)\b|context (?:length|window)"),
    _detail("At what resolution does {n} work?|image size used by {n}?", r"resolution|\d\s?[x×]\s?\d|pixel|\\times",
            r"\d\s?(?:x|×|\$?\\times\$?)\s?\d{2,}"),
    _detail("Is {n} implemented in PyTorch or TensorFlow?|which framework is {n} written in?",
            r"pytorch|tensorflow|\bjax\b|keras|python|c\+\+|framework|library",
            r"\b(?:PyTorch|TensorFlow|JAX|Keras)\b"),
    _detail("Which university developed {n}?|Who funded {n}?|where do the authors of {n} work",
            r"universit|institut|fund|lab\b|laborator|compan"),
    _detail("When was {n} released?|In which year did {n} come out?|how old is {n}?", r"(?:19|20)\d\d|releas"),
    _detail("What are the limitations of {n}?|When does {n} fail?|weaknesses of {n}?",
            r"limit|however|fail|drawback|future|although|only|challeng|weak|worse|struggl|still"),
    _detail("What does the ablation of {n} show?|which component matters most in {n}",
            r"ablat|component|contribut|module"),
    _detail("Which loss does {n} minimise?|loss function of {n}?", r"loss|objective|minimi|likelihood|entropy|optimi",
            r"\bloss function|[Cc]ross-?\s?entropy"),
    _detail("On which datasets is {n} evaluated?|what data was {n} tested on?", r"data|benchmark|corpus|corpora|task"),
    _detail("How many citations does {n} have?|who reviewed {n}?|At which conference was {n} presented?",
            r"conference|workshop|challenge|cited|citation|\d{4}"),
    _detail("What temperature does {n} sample with?|which hyperparameters does {n} use?",
            r"temperature|hyper-?param|sampl|tun"),
    _detail("How many classes does {n} distinguish?|number of categories in {n}", r"class|categor|label|types",
            rf"{_COUNT}\s(?:\w+\s)?(?:classes|categories)\b"),
    _detail("How many experts does {n} activate?|how many heads does {n} have", r"expert|head|attention"),
)  # fmt: skip

# "Does it work for ...?": answered by a sentence that names the thing.
_THINGS = tuple(
    (thing, re.compile(rf"\b(?:{pattern})", re.I))
    for thing, pattern in (
        ("Spanish", "spanish|lingual|language"), ("Chinese text", "chinese|mandarin|lingual|language"),
        ("video", "video|frame|temporal"), ("audio", "audio|speech|acoustic|sound|music"),
        ("mobile phones", "mobile|phone|edge|device|embedded"), ("robots", "robot"),
        ("medical images", "medical|clinic|patient|radiolog|mri|ct"), ("graphs", "graph"),
        ("time series", "time[- ]series|temporal|forecast"), ("noisy labels", "nois|label"),
        ("adversarial attacks", "adversar|attack|robust"), ("private data", "priva|federat"),
        ("tabular data", "tabular|table|tree"), ("small data sets", "few[- ]shot|small|low[- ]resource|limited|scarce"),
        ("children", "child|age|pediatric|school"), ("satellite images", "satellite|remote|earth|aerial"),
        ("code generation", "code|program|software"), ("quantum computers", "quantum|qubit"),
    )
)  # fmt: skip
_THING_FORMS = (
    "Does {n} work for {t}?", "Has {n} been tested on {t}?", "can {n} handle {t}", "Is {n} of use for {t}?",
    "How well does {n} do on {t}?",
)  # fmt: skip
# A figure on a public data set that the abstract does not name.
_SETS = (
    "ImageNet", "CIFAR-10", "CIFAR-100", "COCO", "SQuAD 1.1", "SQuAD 2.0", "GLUE", "MNIST", "WMT14", "LibriSpeech",
    "Cityscapes", "KITTI", "MMLU", "GSM8K", "HumanEval", "ADE20K", "CelebA", "FFHQ", "VQAv2", "Kinetics-400", "Cora",
    "ogbn-arxiv", "MIMIC-III", "CheXpert", "PhysioNet", "nuScenes", "WikiText-103", "CNN/DailyMail", "MS MARCO", "MATH",
)  # fmt: skip
_METRICS = (
    "accuracy", "F1", "BLEU", "FID", "mAP", "PSNR", "word error rate", "AUC", "RMSE", "perplexity", "SSIM", "kappa",
    "sensitivity", "specificity", "MOS", "IoU", "exact match", "recall", "precision", "pass@1", "ROUGE-L",
)  # fmt: skip
_FIGURE_FORMS = (
    "What {m} does {n} reach on {s}?", "{n} {m} on {s}?", "{m} of {n} on {s}", "how good is {n} on {s}, in {m}?",
    "On {s}, what is the {m} of {n}?",
)  # fmt: skip


def told(name: str, cut: Sequence[str], rng: random.Random) -> DetailAsked | None:
    """A detail that a sentence of the abstract tells; None if none does."""
    found = [
        (detail.forms, right)
        for detail in DETAILS
        if detail.told and (right := frozenset(sentence for sentence in cut if detail.told.search(sentence)))
    ]
    if not found:
        return None
    forms, right = rng.choice(found)
    return DetailAsked(rng.choice(forms).format(n=name), right)


def untold(name: str, cut: Sequence[str], rng: random.Random) -> DetailAsked | None:
    """A detail that the abstract is silent on; None if none was found in a few tries."""
    made = next(filter(None, _tries(" ".join(cut), name, rng)), None)
    return DetailAsked(made, frozenset()) if made else None


def _tries(text: str, name: str, rng: random.Random) -> Iterator[str]:
    """Questions, or "" where the abstract might answer."""
    for _ in range(6):
        sort = rng.random()
        if sort < 0.6:
            detail = rng.choice(DETAILS)
            yield "" if detail.touched.search(text) else rng.choice(detail.forms).format(n=name)
        elif sort < 0.75:
            thing, named = rng.choice(_THINGS)
            yield "" if named.search(text) else rng.choice(_THING_FORMS).format(n=name, t=thing)
        else:
            which, metric = rng.choice(_SETS), rng.choice(_METRICS)
            held = re.split(r"[\s-]", which)[0].casefold() in text.casefold()
            yield "" if held else rng.choice(_FIGURE_FORMS).format(n=name, m=metric, s=which)
