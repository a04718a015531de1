"""A number of a claim + a passage -> whether the passage has it, and says it of the same (pure).

Three readings, for none sees all: the names that a number is given to; whether two numbers are exchanged; and how near
the words around a number stand to it.
"""

import re
from collections.abc import Sequence
from itertools import combinations

from rag.facts import Token
from rag.given import Name, Piece, gifts, pieces
from rag.held import Passage

# A number stands with something else if another one of the passage fits its place in the claim this much better.
# Chosen on arXiv abstracts other than those that benchmarks/planted.py reports on, and on paraphrases of some.
LEAST_FIT = 0.7
# Two numbers are exchanged if so many more words around them fit the other way round.
LEAST_EXCHANGED = 2

_HEDGES = {"about", "around", "approximately", "roughly", "nearly", "almost", "some", "circa"}
# What is compared with is not what a number is given to: "it outperforms Venus with 80.1".
_COMPARES = re.compile(r"(?:outperform|beat|surpass|exceed|rival|compar)\w*|than|against|unlike|over")
_NEXT = 3


def is_counted(token: Token) -> bool:
    """Whether it is a number that its passage must hold: "one" may be a pronoun."""
    return token.kind == "number" and token.text.split()[-1].lower() != "one"


def is_same(read: Sequence[Token], position: int, other: Token) -> bool:
    """Whether a number of the passage is the one that the claim means: rounded, or within bounds, if it says so."""
    token = read[position]
    if not _same_unit(token.unit, other.unit):
        return False
    if token.bound:
        upwards = token.bound in ">≥"
        beyond = (other.value - token.value) * (1 if upwards else -1)
        if other.bound:
            return 0 <= beyond <= token.step and upwards == (other.bound in ">≥")
        return 0 < beyond <= token.step or (beyond == 0 and token.bound in "≤≥")
    hedged = position and read[position - 1].text.lower() in _HEDGES
    return token.value == other.value or (bool(hedged) and abs(other.value - token.value) <= token.step / 2 + 1e-9)


def given_instead(claim: str, read: Sequence[Token], passage: Passage, names: frozenset[str]) -> dict[int, str]:
    """What the passage says a claim's numbers of, by their places in its tokens `read`: "" if of the same.

    A number is left out if the passage does not plainly tell.

    >>> from rag.facts import tokens
    >>> from rag.types import Paper
    >>> swin = Passage(Paper("s", "", "It gets 80.1 on COCO and 75.2 on LVIS."))
    >>> claim = "On LVIS, it gets 80.1."
    >>> given_instead(claim, tokens(claim), swin, frozenset())
    {4: 'COCO'}
    """
    mine = gifts(claim, names)
    theirs = [gift for sentence in passage.sentences for gift in gifts(sentence, names)] if mine else []
    compared = _compared_with(read)
    exchanged = _exchanged(claim, passage)
    found = {}
    for position, token in enumerate(read):
        if is_counted(token):
            claimed = [name for gift in mine if _is(token, gift.number) for name in gift.to if name.key not in compared]
            right = [name for gift in theirs if _is(token, gift.number) for name in gift.to]
            others = [g for g in theirs if _same_unit(token.unit, g.number.unit) and not _is(token, g.number)]
            wrong = (name for gift in others for name in gift.to if _among(name, claimed) and not _among(name, right))
            roles = {name.role for name in wrong}
            instead = [name.text for name in right if name.role in roles and not _among(name, claimed)]
            once = sum(other.key == token.key for other in read) == 1  # which of two is meant is not told
            shared = [name for name in right if _among(name, claimed)] if once else []
            if instead:
                found[position] = instead[0]
            elif any(not _among(name, gift.to) for name in shared for gift in others):
                found[position] = ""
            elif token.key in exchanged or _stands_elsewhere(claim, read, position, passage):
                found[position] = "something else"
    return found


def _is(claimed: Token, held: Token) -> bool:
    """Whether two numbers are the same one, exactly."""
    return claimed.value == held.value and _same_unit(claimed.unit, held.unit)


def _same_unit(claimed: str, held: str) -> bool:
    return claimed in {held, ""} or {claimed, held} == {"%", "points"} or (claimed == "points" and not held)


def _compared_with(read: Sequence[Token]) -> set[str]:
    """The keys of what stands right after a word that compares."""
    after = [read[at + 1 : at + 1 + _NEXT] for at, token in enumerate(read) if _COMPARES.fullmatch(token.text.lower())]
    return {token.key for following in after for token in following if token.kind == "name"}


def _shares_piece(number: Token, claim: str, passage: Passage) -> bool:
    """Whether a number has more words in common with its own piece of the passage than with another number's."""
    mine = [piece.around for piece in pieces(claim) if piece.number.key == number.key]
    own = other = 0
    for piece in (piece for sentence in passage.sentences for piece in pieces(sentence)):
        shared = max((len(piece.around & around) for around in mine), default=0)
        if _is(number, piece.number):
            own = max(own, shared)
        elif piece.number.unit == number.unit:
            other = max(other, shared)
    return own > other


def _exchanged(claim: str, passage: Passage) -> set[str]:
    """The keys of two numbers of a claim if each would fit much better in the other's place.

    >>> from rag.types import Paper
    >>> venus = Passage(Paper("v", "", "Venus has 83.3% sensitivity and 82.6% specificity."))
    >>> sorted(_exchanged("It has a sensitivity of 82.6% and a specificity of 83.3%.", venus))
    ['82.6', '83.3']
    """
    found = set()
    for one, other in combinations(pieces(claim), 2):
        if one.number.value != other.number.value:
            fits = [
                _told_apart(one, own, others) + _told_apart(other, others, own)
                for sentence in passage.sentences
                for own in (piece for piece in pieces(sentence) if _is(one.number, piece.number))
                for others in (piece for piece in pieces(sentence) if _is(other.number, piece.number))
            ]
            if fits and max(fits) <= -LEAST_EXCHANGED:
                found |= {one.number.key, other.number.key}
    return found


def _told_apart(mine: Piece, own: Piece, other: Piece) -> int:
    """How many words more of a piece stand in the one of two others than in the second of them alone."""
    return len(mine.around & (own.around - other.around)) - len(mine.around & (other.around - own.around))


def _stands_elsewhere(claim: str, read: Sequence[Token], position: int, passage: Passage) -> bool:
    """Whether another number of the passage fits much better where the claim has this one."""
    own = other = 0.0
    for found, at in passage.numbers:
        fit = _fit(read, position, found, at)
        if is_same(read, position, found[at]):
            own = max(own, fit)
        elif found[at].unit == read[position].unit:
            other = max(other, fit)
    return own < LEAST_FIT * other and not _shares_piece(read[position], claim, passage)


def _fit(read: Sequence[Token], position: int, found: Sequence[Token], at: int) -> float:
    """How alike the surroundings of two numbers are: words near one should be near the other."""
    places: dict[str, list[int]] = {}
    for place, token in enumerate(found):
        if place != at:
            places.setdefault(token.key, []).append(place - at)
    fit = 0.0
    for place, token in enumerate(read):
        offset = place - position
        if offset and token.kind != "stop" and token.key in places:
            closest = min(_apart(offset, other) for other in places[token.key])
            fit += (2 if token.kind == "name" else 1) / (1 + abs(offset)) / (1 + closest)
    return fit


def _apart(offset: int, other: int) -> float:
    """How far from its place a word stands; to stand on the other side of the number is half as bad."""
    return min(abs(offset - other), abs(abs(offset) - abs(other)) + 1) / 2


def _among(name: Name, others: Sequence[Name]) -> bool:
    """Whether one of the others may mean the same, as "ImageNet" and "ImageNet-1K" do; "CIFAR-10" is no "CIFAR-100"."""
    for short, long in (sorted((name.key, other.key), key=len) for other in others):
        rest = long.removeprefix(short)
        if long.startswith(short) and not (short[-1:].isdigit() and rest[:1].isdigit()):
            return True
    return False
