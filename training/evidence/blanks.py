"""A sentence of an abstract -> questions in its own words: with a number blanked, as key words, or turned round.

They have what templates lack, the words of ten thousand authors. A near miss is the same question with one of
its names from another paper, so that the abstract does not tell it. Knows nothing of other abstracts.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"(?<![\w.$^_{-])\d+(?:[.,]\d+)*(?:\.\d+)?(?![\w^_}-])\s?(?:\\?%)?")
_NAME = re.compile(r"(?<![\w-])(?:[A-Z][a-z]*[A-Z0-9][\w./+-]*|[A-Z]{2,}[\w./+-]*|[A-Z][a-z]+-\d[\w.]*)(?<![.,])")
_CLAUSE = re.compile(r"[,;:()]\s|\s(?:while|whereas|although|which)\s")
# Words to the left and right of a blank: what people type is short.
_LEFT, _RIGHT = 9, 7
_SHORTEST = 4
_TO_WE = re.compile(
    r"^(?:In order to|To) (?P<aim>(?!the\b|our\b|this\b)[a-z]+ [^,]{8,90}), "
    r"(?:we|this (?:paper|work)|the authors)\b"
)
_WE_BY = re.compile(
    r"\b(?:[Ww]e|can|to) (?P<does>[a-z]+[^s\W] (?:the |its |a )?[^,.;:]{8,70}?) (?:by|through) [a-z]+ing\b"
)
_WHY = re.compile(r"^(?P<what>[A-Z][^,;]{20,110}?),? (?:because|due to|since|owing to) ", re.M)
_PROBLEM = re.compile(
    r"^(?:However|Yet|Unfortunately|Nevertheless|Despite)\b|\b(?:remains? (?:a |an |largely )?"
    r"(?:challeng|unclear|unexplored|difficult|open)|suffers? from|limitation|is (?:often )?hindered)"
)
_RESULT = re.compile(
    r"\b(?:outperform\w*|state-of-the-art|surpass\w*|(?:achiev|improv|reduc)\w+ .*\d|demonstrat\w*"
    r"|(?:results|experiments) show|we (?:find|show|observe) that)\b"
)
_METHOD = re.compile(
    r"\b(?:[Ww]e|[Tt]his (?:paper|work|study)) (?:propose|introduce|present|develop|design|describe)s?\b"
)
_HOW = ("How does {who} {aim}?", "How do {who} {aim}?", "how can {who} {aim}?", "What is used to {aim}?")
_FILLER = re.compile(
    r"^(?:(?:and|or|but|that|which|while|also|respectively|experiments?|results?|show\w*|demonstrat\w*|we|our"
    r"|specifically|moreover|furthermore|in particular|notably|additionally|for (?:example|instance)),?\s)+",
    re.I,
)
_STOP = frozenset(re.findall(r"\w+", """
    a an the of in on for and or to with by from as at is are was were be been we our it its that this these those can
    which while than then such not also more most both into over under via per has have had their they new using
"""))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Blank:
    """A question in the words of an abstract, the sentences that answer it, and the names that stand in it."""

    kind: str
    question: str
    right: frozenset[str]
    names: tuple[str, ...] = ()


def blanks(name: str, cut: Sequence[str], rng: random.Random) -> Iterator[Blank]:
    """Questions on an abstract that was cut into sentences; `name` is what its method is called, or empty."""
    for sentence in cut:
        if (question := _numbered(sentence, name, rng)) or (question := _key_words(sentence, name, rng)):
            kind, text = question
            yield Blank(kind, text, frozenset({sentence}), tuple(dict.fromkeys(_NAME.findall(text))))
        if aim := _TO_WE.search(sentence):
            yield _asked_how(aim["aim"], sentence, name, rng)
        elif does := _WE_BY.search(sentence):
            yield _asked_how(does["does"], sentence, name, rng)
        if (what := _WHY.search(sentence)) and len(what["what"].split()) > _SHORTEST:
            yield Blank(
                "why", f"Why {_lower(what['what'])}?", frozenset({sentence}), tuple(_NAME.findall(what["what"]))
            )
    if not name:
        return
    for kind, pattern, forms in (
        ("problem", _PROBLEM, ("What problem does {n} address?", "Why is {n} needed?", "what gap does {n} fill?")),
        ("result", _RESULT, ("How well does {n} perform?", "What are the results of {n}?", "What did {n} achieve?")),
        ("method", _METHOD, ("What is the idea of {n}?", "What do the authors of {n} propose?", "How does {n} work?")),
    ):
        told = frozenset(sentence for sentence in cut if pattern.search(sentence))
        if told and len(told) <= max(1, len(cut) // 2):
            yield Blank(kind, rng.choice(forms).format(n=name), told, (name,))


def with_another_name(blank: Blank, text: str, others: Sequence[str], rng: random.Random) -> Blank | None:
    """The question with one name from elsewhere, which `text`, the abstract with its title, does not hold."""
    other = rng.choice(others)
    if not blank.names or other.casefold() in text.casefold():
        return None
    return Blank(blank.kind, blank.question.replace(rng.choice(blank.names), other), frozenset())


def _numbered(sentence: str, name: str, rng: random.Random) -> tuple[str, str] | None:
    """A clause with one of its numbers asked for.

    >>> _numbered("Our code speeds up the training about 4.25 times compared with Tacotron2.", "", random.Random(3))
    ('number asked', 'code speeds up the training about how many times compared with Tacotron2?')
    """
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    number = rng.choice(found)
    left = _CLAUSE.split(sentence[: number.start()])[-1].split()[-_LEFT:]
    right = _CLAUSE.split(sentence[number.end() :].rstrip(".") + " ")[0].split()[:_RIGHT]
    if len(left) + len(right) < _SHORTEST:
        return None
    wh = "what" if number.group().endswith("%") or ("." in number.group() and not right) else "how many"
    start = _FILLER.sub("", " ".join(left) + " ")
    if rng.random() < 0.5 and right and wh == "how many":  # "how many times compared with Tacotron2 ... code speeds up"
        text = f"{wh} {' '.join(right)} {start}".strip()
        text = text[0].upper() + text[1:]
    else:
        text = f"{start}{wh} {' '.join(right)}".strip()
    if name and name.casefold() not in text.casefold() and rng.random() < 0.6:
        text = f"{rng.choice(('In', 'For', 'With'))} {name}, {_lower(text)}"
    return "number asked", f"{text.rstrip('.,')}?"


def _key_words(sentence: str, name: str, rng: random.Random) -> tuple[str, str] | None:
    """Some neighbouring words that carry the meaning, as one types into a search field."""
    content = [word for word in re.findall(r"[\w./+-]*\w", sentence) if word.lower() not in _STOP and len(word) > 2]
    if len(content) < 6:
        return None
    count = rng.randint(3, 5)
    start = rng.randrange(len(content) - count + 1)
    picked = content[start : start + count]
    text = " ".join(picked)
    if name and name.casefold() not in text.casefold() and rng.random() < 0.7:
        text = rng.choice((f"{name} {text}", f"{text} in {name}", f"{name}: {text}?"))
    return "key words", text


def _asked_how(aim: str, sentence: str, name: str, rng: random.Random) -> Blank:
    who = name if name and rng.random() < 0.6 else rng.choice(("they", "the authors", "one", "it"))
    form = rng.choice(
        ("How does {who} {aim}?", "How do {who} {aim}?", "how can {who} {aim}?", "What is used to {aim}?")
    )
    question = form.format(who=who, aim=aim)
    return Blank("how", question, frozenset({sentence}), tuple(_NAME.findall(question)))


def _lower(text: str) -> str:
    """Without the capital of a sentence's beginning; a name keeps its own."""
    return text if _NAME.match(text) else text[:1].lower() + text[1:]
