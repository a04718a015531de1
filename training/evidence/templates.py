"""An abstract -> facts it states in so many words, and the questions they answer.

A fact is found by a pattern that leaves little doubt, and asked for in one of several wordings. A near miss asks
for something of the same sort that the abstract does not tell: the same figure on another data set, the rival
that it was not compared with. Knows nothing of other abstracts; what to put in a near miss is given.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NAME = r"[A-Z][\w.+/-]*\w(?:[ -](?:[A-Z0-9][\w.+/-]*\w|\d))*"
_METRIC = (
    r"(?:(?:top-[15]|test|mean|average|overall|classification|macro|exact)[ -])?"
    r"(?:accuracy|precision|recall|F1(?:[ -]score)?|BLEU|ROUGE-[L12]|FID|mAP|AP|mIoU|IoU|AUC|AUROC|PSNR|SSIM|WER|CER"
    r"|EER|word error rate|error rate|perplexity|success rate|Dice(?: score| coefficient)?|RMSE|MAE)"
)
_NUMBER = r"\d+(?:\.\d+)?\s?(?:\\?%|percent)?"
_GAP = r"(?:\s(?:in|of|score|scores|for|the|terms))*"
# What a title calls its paper's method, benchmark or finding: "DiT-XL: ...", but neither "Towards" nor "Not All: ...".
_TITLE_NAME = re.compile(r"^(\S*(?:[A-Z]\S*[A-Z0-9]|[A-Z]\S*\d)\S*|[A-Z]\w+(?:[ -]\S*[A-Z0-9]\S*)?): ")

_FIGURES = (
    re.compile(rf"\b{_NUMBER}{_GAP}\s(?P<metric>{_METRIC})(?: score)?s?\s(?:on|in)\s(?:the\s)?(?P<set>{_NAME})"),
    re.compile(
        rf"\b(?P<metric>{_METRIC})(?: score)?s?\s(?:of|to|at|is|reaches|=|:)\s(?:up to\s|about\s)?{_NUMBER}"
        rf"(?:\s\w+)?\son\s(?:the\s)?(?P<set>{_NAME})"
    ),
)
# Any other quantity: "a correlation of 0.73", "an average speedup of 2.3x".
_QUANTITY = re.compile(
    r"\b(?:with|has|had|have|achiev\w+|reach\w*|obtain\w*|attain\w*|yield\w*|show\w*|report\w*|by|and)\san?\s"
    rf"(?P<quantity>[a-z][a-z-]{{2,}}(?:\s[a-z][a-z-]+){{0,2}})"
    rf"(?<!total)(?<!average)(?<!margin)(?<!factor)\sof\s(?:up to\s|about\s|over\s)?\$?{_NUMBER}(?![\w-])"
)
_ACRONYM = re.compile(r"\((?P<short>[A-Z][A-Za-z0-9-]{1,9}?)s?\)")
_GAIN = re.compile(
    rf"\boutperform(?:s|ing|ed)?\s(?:the\s)?(?P<rival>{_NAME})[^.;]{{0,40}}?\sby\s(?:up to\s|over\s|about\s)?\d"
)
_RIVAL = re.compile(
    rf"\b(?:outperform(?:s|ing|ed)?|surpass(?:es|ing|ed)?|compared (?:to|with)|than)\s(?:the\s)?(?P<rival>{_NAME})"
)
_SPEED = re.compile(
    r"\b\d+(?:\.\d+)?\s?(?:x|×|\$\\times\$|\\times|times|%|\\%)\s(?P<how>faster|slower|smaller|cheaper)\b"
)
_COUNT = re.compile(
    r"\b(?:contain(?:s|ing)?|consist(?:s|ing) of|compris(?:es|ing)|includ(?:es|ing)|collection of|dataset of"
    r"|benchmark of|dataset with|benchmark with)\s(?:over\s|more than\s|about\s|around\s|approximately\s|a total of\s)?"
    r"\d[\d,.]*\s?(?:[KkM]|million|billion)?\s(?P<noun>(?:[a-z][a-z-]+\s)?(?:images|videos|questions|samples|examples"
    r"|tasks|sentences|documents|hours|instances|categories|classes|languages|pairs|annotations|problems|dialogues|papers"
    r"|models|users|frames|scenes|objects|queries|clips|articles|tokens))\b"
)
_OWN = re.compile(r"\b(?:we|our|experiments|results|outperform|surpass)", re.I)  # not of the state of the field
_CODE = re.compile(
    r"\b(?:code|implementation|toolkit)\b.*(?:available|releas|https?://|github)"
    r"|\b(?:data|datasets?|models?|weights|benchmark)\b.*(?:publicly available|available at|https?://|github)",
    re.I,
)
_MAYBE_CODE = re.compile(r"\bcode\b|open[- ]?sourc|github|https?://|\brelease", re.I)

FORMS = {
    "definition": (
        "What is {name}?", "what is {name}", "What does {name} do?", "What kind of thing is {name}?", "Explain {name}.",
        "Which paper introduces {name}?", "Who proposed {name} and what is it?",
    ),
    "acronym": (
        "What does {short} stand for?", "What is {short} short for?", "{short} meaning?", "What is {short}?",
        "What does the abbreviation {short} mean?",
    ),
    "number": (
        "What {metric} does {name} reach on {set}?", "What is the {metric} of {name} on {set}?",
        "How high is {name}'s {metric} on {set}?", "{name} {metric} on {set}?", "How well does {name} do on {set}?",
        "Which {metric} is reached on {set}?", "Which paper reports {metric} on {set}?",
    ),
    "quantity": (
        "What {quantity} does {name} have?", "What is the {quantity} of {name}?",
        "What {quantity} is reported for {name}?",
        "How high is the {quantity} of {name}?", "{name} {quantity}?",
        "Which {quantity} do the authors of {name} report?",
    ),
    "gain": (
        "By how much does {name} outperform {rival}?", "How much better is {name} than {rival}?",
        "What is the improvement of {name} over {rival}?", "How many points does {name} gain over {rival}?",
    ),
    "comparison": (
        "Does {name} outperform {rival}?", "How does {name} compare with {rival}?", "Is {name} better than {rival}?",
        "{name} vs {rival}?", "Which paper compares itself with {rival}?", "Is there anything better than {rival}?",
    ),
    "speed": (
        "How much {how} is {name}?", "How many times {how} is {name}?", "Is {name} {how} than others, and by how much?",
    ),
    "count": (
        "How many {noun} does {name} contain?", "How many {noun} are in {name}?", "number of {noun} in {name}?",
        "How large is {name} in {noun}?",
    ),
    "code": (
        "Where is the code of {name}?", "Is the code of {name} available?",
        "Did the authors of {name} release anything?", "{name} github?",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be asked of an abstract: a kind, what fills its wordings, and the sentences that tell it."""

    kind: str
    slots: dict[str, str]
    right: frozenset[str]


def facts(title: str, cut: Sequence[str]) -> Iterator[Fact]:
    """The facts of an abstract that was cut into sentences. That no code is mentioned is one, too.

    >>> [fact.slots for fact in facts("ABC: A Net", ["Active big caches (ABC) win.", "We get 71.5% accuracy on CUB."])]
    [{'short': 'ABC'}, {'metric': 'accuracy', 'set': 'CUB', 'name': 'ABC'}, {'name': 'ABC'}]
    """
    for sentence in cut:
        for match in _ACRONYM.finditer(sentence):
            short = match["short"]
            if _stands_for(sentence[: match.start()], short):
                told = [s for s in cut if f"({short})" in s or f"({short}s)" in s]
                yield Fact("acronym", {"short": short}, frozenset(told))
    name = name_in(title)
    if name and (defined := frozenset(sentence for sentence in cut if _defines(sentence, name))):
        yield Fact("definition", {"name": name}, defined)
    for kind, pattern in (
        *(("number", pattern) for pattern in _FIGURES),
        ("quantity", _QUANTITY),
        ("gain", _GAIN), ("comparison", _RIVAL), ("speed", _SPEED), ("count", _COUNT),
    ):  # fmt: skip
        told_by: dict[tuple[tuple[str, str], ...], set[str]] = {}
        for sentence in cut:
            for match in pattern.finditer(sentence):
                slots = {slot: value.strip() for slot, value in match.groupdict().items()} | (
                    {"name": name} if name else {}
                )
                if "rival" not in slots or (slots["rival"] not in {name, "SOTA", "LLMs"} and _OWN.search(sentence)):
                    told_by.setdefault(tuple(slots.items()), set()).add(sentence)
        for items, told_in in told_by.items():
            if _forms(fact := Fact(kind, dict(items), frozenset(told_in))):
                yield fact
    if not name:
        return
    released = frozenset(sentence for sentence in cut if _CODE.search(sentence))
    if released or not any(_MAYBE_CODE.search(sentence) for sentence in cut):
        yield Fact("code", {"name": name}, released)


def name_in(title: str) -> str:
    """What a title calls its paper's method; empty if it names none.

    >>> name_in("DiT-XL: A Net"), name_in("Towards Better Nets")
    ('DiT-XL', '')
    """
    named = _TITLE_NAME.search(title)
    return named[1] if named else ""


def wording(fact: Fact, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    """A question for a fact, and the slots that stand in it: what another sentence must hold to answer it too."""
    form = rng.choice(_forms(fact))
    return form.format(**fact.slots), tuple(slot for slot in fact.slots if f"{{{slot}}}" in form)


def _forms(fact: Fact) -> list[str]:
    """The wordings that its slots can fill."""
    return [form for form in FORMS[fact.kind] if set(re.findall(r"\{(\w+)\}", form)) <= fact.slots.keys()]


def near_miss(fact: Fact, text: str, others: dict[str, list[str]], rng: random.Random) -> Fact | None:
    """The fact with one slot from another paper, so that the abstract does not tell it.

    `text` is the abstract with its title, `others` what other papers have in each slot of this kind.
    """
    # Another name gives a question about another paper; of the rest, what is swapped is what the question is about.
    slot = rng.choice([slot for slot in fact.slots if slot != "name"] or ["name"])
    value = rng.choice(others[slot])
    parts = {part for part in re.findall(r"\w+", value.casefold()) if len(part) > 2} or {value.casefold()}
    if all(part in text.casefold() for part in parts):
        return None
    return Fact(fact.kind, fact.slots | {slot: value}, frozenset())


def _stands_for(before: str, short: str) -> bool:
    """Whether the words before a bracket have the initials in it.

    >>> _stands_for("a graph neural network ", "GNN"), _stands_for("on ", "ON"), _stands_for("self-attention ", "SA")
    (True, False, True)
    """
    letters = [character.lower() for character in short if character.isalpha()]
    initials = [word[0].lower() for word in re.findall(r"[A-Za-z]+", before)[-len(letters) :]]
    return len(letters) > 1 and initials == letters


def _defines(sentence: str, name: str) -> bool:
    """Whether a sentence says what a name is.

    >>> _defines("We present Mamba, a fast net.", "Mamba"), _defines("Mamba outperforms ViT.", "Mamba")
    (True, False)
    """
    name = re.escape(name)
    return (
        re.search(
            rf"(?<![\w-]){name}(?:\s?\([^)]*\))?,? (?:is|are),? (?:a|an|the first)\s"
            rf"|\b(?:propose|introduce|present|develop|describe|design|release|build|is|called|named|termed|dubbed) "
            rf"(?:the |a |an )?(?:[\w-]+ ){{0,3}}?{name}(?![\w-])"
            rf"|\b(?:propose|introduce|present|develop|describe|design|called|named|termed|dubbed)\b[^.;]*\({name}\)",
            sentence,
        )
        is not None
    )
