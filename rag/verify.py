"""A claim + a passage -> whether the passage holds it, the sentence that does, and what is missing (pure).

Rules, not a model: numbers, units and names must occur, numbers with what they belong to; enough of the words must;
and nothing may say the opposite. Knows nothing of markers.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from rag.belongs import given_instead, is_counted, is_same
from rag.contradict import contradicted
from rag.facts import Token, name_pattern, plain, tokens
from rag.held import Passage
from rag.lexical import words

# Share of a claim's words that its passage must hold. A verbatim sentence has all of them there. Of the claims in
# benchmarks/paraphrases.jsonl, at 0.6 two points more are flagged of the true ones and of the false ones, at 0.5 two
# and three fewer: words alone tell little, so the facts must be there as well.
SMALLEST_OVERLAP = 0.55
# A name of the passage stands in a name's place if this many words beside the two are the same.
LEAST_ALIKE = 4

# What a writer says about a paper, rather than what the paper says.
_FRAME = (
    "the authors author paper papers work study researchers article report reports reported propose proposes present"
    " presents introduce introduces show shows find finds state states describe describes according namely also"
    " they their"
)
# What follows a name that opens a sentence: one of these verbs, or any other with its object ("regularizes a network").
_PREDICATE = re.compile(
    "is|was|has|can|achieves|allows|applies|attains|combines|consists|contains|employs|enables|extends|gains|generates"
    "|handles|improves|includes|increases|introduces|involves|learns|needs|obtains|offers|outperforms|performs|predicts"
    "|produces|proposes|provides|reaches|reduces|relies|requires|runs|scores|shows|solves|supports|surpasses|takes"
    "|trains|uses|works|yields"
)
_DETERMINER = re.compile("an?|the|its|their|our|this|these|all|each|any|no|both|other|more|most|less|fewer|such|many")
# What a name may not stand for unless the passage has it.
_MENTION = re.compile("it|this|model|method|approach|system|framework|architecture|algorithm|technique|network")
# No name, though no article stands before it.
_NOUN = re.compile(r"\w+(?:ing|[ts]ion|ment|ness|ity|ance|ence|ism|ure|sis|[gh]y|cy|ship|ed)")
_ACRONYM = re.compile(r"[A-Z]{3,6}s?")
# What ends a name and tells it from another: "BERT-large" is not "BERT-base", but "BERT-based" is from BERT.
_VARIANT = "base|large|small|tiny|mini|medium|huge|giant|nano|micro|lite|turbo|chat|instruct"
_JOINT = re.compile(r",\s(?:and\s)?|\sand\s")
# A name is another word's root if both begin with this many letters and differ in no more than so many last ones.
_SAME_ROOT, _ENDING = 5, 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a passage holds a claim."""

    held: bool
    overlap: float
    """Share of the claim's words that the passage holds, 0 to 1."""
    quote: str
    """The sentence of the abstract that fits best."""
    quoted: float
    """Share of the claim's words that this sentence holds, 0 to 1."""
    why: str = ""
    """What is amiss, up to the passage's marker: "37% is not in"."""


def verify(claim: str, passage: Passage, names: frozenset[str] = frozenset()) -> Verdict:
    """Whether a passage holds a claim, which is a sentence or a part of one; `names` as `names_of` finds them."""
    read = _told_names(tokens(claim), names)
    content = _content(read)
    held = {key for key, token in content.items() if _holds(token, passage)}
    best = _best_sentence(content, passage)
    quote = passage.sentences[best] if passage.sentences else ""
    overlap = len(held) / len(content) if content else 0.0
    quoted = (
        len(content.keys() & {token.key for token in passage.tokens[best]}) / len(content) if content and quote else 0.0
    )

    def amiss() -> Iterator[str]:
        for position, token in enumerate(read):
            if (
                (token.kind == "name" and not _holds(token, passage))
                or (
                    is_counted(token)
                    and not any(is_same(read, position, found[at]) for found, at in passage.numbers)
                    and not _counts_what_follows(token, claim)
                )
                or (position == 0 and _may_be_name(token, passage) and _is_subject(read))
            ):
                yield f"{token.text} is not in"
        given = given_instead(claim, read, passage, names)
        for position, token in enumerate(read):
            if other := given.get(position):
                yield f"{token.text} stands with {other} in"
            elif position not in given and (other := _replaced(read, position, passage, names)):
                yield f"{token.text} stands where {other} does in"
        if overlap < SMALLEST_OVERLAP:
            yield "too few of its words are in"
        elif word := contradicted(read, passage, best if quoted >= SMALLEST_OVERLAP else None):
            yield f"“{word}” is not what stands in"

    why = next(amiss(), "")
    return Verdict(not why, overlap, quote, quoted, why)


def _counts_what_follows(number: Token, claim: str) -> bool:
    """Whether a claim lists as many things as a number, spelled out, says: "on two sets: COCO and LVIS".

    >>> _counts_what_follows(tokens("two sets")[0], "It is tried on two sets (COCO and LVIS) in vain.")
    True
    """
    if number.unit or not number.text.isalpha():
        return False
    listed = re.search(rf"\b{number.text}(?: [\w-]+){{1,3}}(?:: | \(|, namely )([^:();]+)", plain(claim))
    return listed is not None and len(_JOINT.split(listed[1].rstrip("., "))) == number.value


def _told_names(read: tuple[Token, ...], names: frozenset[str]) -> tuple[Token, ...]:
    first = read[0] if read else None
    if first and first.kind == "word" and first.text[0].isupper() and first.key in names:
        return (replace(first, kind="name"), *read[1:])
    return read


def _content(read: Sequence[Token]) -> dict[str, Token]:
    """The tokens that say something, by key."""
    return {token.key: token for token in read if token.kind != "stop" and token.key not in _frame()}


@cache
def _frame() -> frozenset[str]:
    return frozenset(token.key for token in tokens(_FRAME))


def _best_sentence(content: dict[str, Token], passage: Passage) -> int:
    def shared(number: int) -> float:
        keys = {token.key for token in passage.tokens[number]}
        return sum(2 if token.kind == "number" else 1 for key, token in content.items() if key in keys)

    return max(range(len(passage.sentences)), key=shared, default=0)


def _holds(token: Token, passage: Passage) -> bool:
    if token.key in passage.keys or token.kind in {"number", "word"}:
        return token.key in passage.keys
    # "Transformer-based" needs the Transformer; "DiT-L/2" is no "DiT-XL/2"
    core = re.sub(rf"-(?!(?:{_VARIANT})\b)[a-z]{{3,}}(?=-|$)", "", token.text)
    if name_pattern(core).search(passage.text):
        return True
    if re.fullmatch(r"[A-Z][a-z]+", core):  # "Bayes" is in "Bayesian"
        stems, root = words(core), core[: max(_SAME_ROOT, len(core) - _ENDING)].lower()
        alike = len(root) >= _SAME_ROOT and re.search(rf"\b{root}[a-z]{{0,{_ENDING}}}\b", passage.text)
        return bool(stems) and (stems[-1] in passage.keys or bool(alike))
    return bool(_ACRONYM.fullmatch(core)) and core.rstrip("s").lower() in passage.initials


def _may_be_name(first: Token, passage: Passage) -> bool:
    """Whether a claim's first word, always a capital, may be a name that the passage lacks; "Training" is none."""
    known = first.key in passage.keys or first.key in _frame() or _NOUN.fullmatch(first.text)
    return first.kind == "word" and first.text[0].isupper() and not known


def _is_subject(read: Sequence[Token]) -> bool:
    """Whether a claim's first word is followed as names are: "Gemini reaches", but not "Larger models"."""
    following = read[2] if len(read) > 2 and re.fullmatch("[a-z]+s", read[1].text) else None
    takes = following and (following.kind in {"name", "number"} or _DETERMINER.fullmatch(following.text))
    return bool(takes or (len(read) > 1 and _PREDICATE.fullmatch(read[1].text)))


def _replaced(read: Sequence[Token], position: int, passage: Passage, names: frozenset[str] = frozenset()) -> str:
    """What the passage has, in the same words, where the claim has this name or number; "" if it has the same.

    >>> from rag.types import Paper
    >>> venus = Passage(Paper("v", "", "On Tides the Venus model beats Mars by far."))
    >>> _replaced(tokens("On Tides the Pluto model beats it."), 3, venus)
    'Venus'
    """
    token, claimed = read[position], {token.key for token in read}
    opens = position == 0 and _may_be_name(token, passage)
    kind = "name" if opens else token.kind
    longest, other = LEAST_ALIKE - 1, ""
    for found in passage.tokens if kind in {"name", "number"} else ():
        found = _told_names(found, names)
        # of two names of one sentence either may be meant
        told = kind == "number" or opens or all(same.key != token.key for same in found)
        for at, stands in enumerate(found):
            if stands.kind == kind or (opens and _MENTION.fullmatch(stands.text.lower())):
                alike = _alike(read[:position][::-1], found[:at][::-1]) + _alike(read[position + 1 :], found[at + 1 :])
                if stands.key in token.key or token.key in stands.key or _abbreviates(stands, token):
                    longest, other = (alike, "") if alike >= longest else (longest, other)
                elif told and alike > longest and (opens or stands.key not in claimed):
                    longest, other = alike, stands.text
    return other


def _abbreviates(acronym: Token, word: Token) -> bool:
    """Whether a word may be one of those that an acronym stands for."""
    return (
        bool(re.fullmatch(r"[A-Z]{2,6}s?", acronym.text)) and word.text[1:].islower() and word.text[0] in acronym.text
    )


def _alike(read: Sequence[Token], found: Sequence[Token]) -> int:
    """How many of the first tokens of both are the same."""
    return next(
        (n for n, (one, other) in enumerate(zip(read, found, strict=False)) if one.key != other.key),
        min(len(read), len(found)),
    )
