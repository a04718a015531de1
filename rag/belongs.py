"""A number of a claim + a passage -> whether the passage has it, and says it of the same (pure).

Two readings, for neither sees all: how near the words around a number stand to it; and what a number is given to, as
"80.1 on COCO and 75.2 on LVIS" and "COCO and LVIS, 80.1 and 75.2 respectively" give each number to a name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, groupby, pairwise, permutations, takewhile

from rag.facts import Token, plain, tokens
from rag.held import Passage

# A number stands with something else if another one of the passage fits its place in the claim this much better.
# Chosen on arXiv abstracts other than those that benchmarks/planted.py reports on, and on paraphrases of some.
LEAST_FIT = 0.7
# Two numbers are exchanged if so many more words around them fit the other way round.
LEAST_EXCHANGED = 2

_HEDGES = {"about", "around", "approximately", "roughly", "nearly", "almost", "some", "circa"}
# What parts a sentence into clauses, and these into pieces that each give one number to something.
_CLAUSE = re.compile(r"[;:]\s|\s-\s|\b(?:but|while|whereas|versus|vs\.?|than|compared (?:to|with))\b", re.IGNORECASE)
_PIECE = re.compile(r",\s(?:and\b)?|\band\b")
# By these one name of a piece is told from another.
_PREPOSITION = re.compile("on|in|for|with|by|over|of|against|to|from|inside|under|at|using|via|without|across")
# What is compared with is not what a number is given to: "it outperforms Venus with 80.1".
_COMPARES = re.compile(r"(?:outperform|beat|surpass|exceed|rival|compar)\w*|than|against|unlike|over")
_NEXT = 3
# No names, yet they tell one model or one sort of things from another.
_SIZE = re.compile("base|large|small|tiny|mini|medium|huge|first|second|former|latter")


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


def _same_unit(claimed: str, held: str) -> bool:
    return claimed in {held, ""} or {claimed, held} == {"%", "points"} or (claimed == "points" and not held)


def given_instead(claim: str, read: Sequence[Token], passage: Passage, names: frozenset[str]) -> dict[int, str]:
    """What the passage says a claim's numbers of, by their places in its tokens `read`: "" if of the same.

    A number is left out if the passage does not plainly tell.

    >>> from rag.types import Paper
    >>> swin = Passage(Paper("s", "", "It gets 80.1 on COCO and 75.2 on LVIS."))
    >>> claim = "On LVIS, it gets 80.1."
    >>> given_instead(claim, tokens(claim), swin, frozenset())
    {4: 'COCO'}
    """
    mine = _given(claim, names)
    theirs = [gift for sentence in passage.sentences for gift in _given(sentence, names)] if mine else []
    compared = _compared_with(read)
    exchanged = _exchanged(claim, passage)
    found = {}
    for position, token in enumerate(read):
        if is_counted(token):
            claimed = [name for gift in mine if gift.has(token) for name in gift.to if name.key not in compared]
            right = [name for gift in theirs if gift.has(token) for name in gift.to]
            others = [g for g in theirs if _same_unit(token.unit, g.number.unit) and not g.has(token)]
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


def _compared_with(read: Sequence[Token]) -> set[str]:
    """The keys of what stands right after a word that compares."""
    after = [read[at + 1 : at + 1 + _NEXT] for at, token in enumerate(read) if _COMPARES.fullmatch(token.text.lower())]
    return {token.key for following in after for token in following if token.kind == "name"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A number, and the words that stand in the same piece of a sentence."""

    number: Token
    around: frozenset[str]

    def has(self, number: Token) -> bool:
        """Whether this is the number."""
        return self.number.value == number.value and _same_unit(number.unit, self.number.unit)


def _shares_piece(number: Token, claim: str, passage: Passage) -> bool:
    """Whether a number has more words in common with its own piece of the passage than with another number's."""
    mine = [piece.around for piece in _pieces(claim) if piece.number.key == number.key]
    own = other = 0
    for piece in (piece for sentence in passage.sentences for piece in _pieces(sentence)):
        shared = max((len(piece.around & around) for around in mine), default=0)
        if piece.has(number):
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
    for one, other in combinations(_pieces(claim), 2):
        fits = [
            _told_apart(one, own, others) + _told_apart(other, others, own)
            for sentence in passage.sentences
            for own, others in permutations(_pieces(sentence), 2)
            if own.has(one.number) and others.has(other.number) and one.number.value != other.number.value
        ]
        if fits and max(fits) <= -LEAST_EXCHANGED:
            found |= {one.number.key, other.number.key}
    return found


def _told_apart(mine: _Piece, own: _Piece, other: _Piece) -> int:
    """How many words more of a piece stand in the one of two others than in the second of them alone."""
    return len(mine.around & (own.around - other.around)) - len(mine.around & (other.around - own.around))


@lru_cache(maxsize=512)
def _pieces(sentence: str) -> tuple[_Piece, ...]:
    """The numbers of a sentence; "a and b are 1 and 2, respectively" has the pieces "a are 1" and "b 2"."""
    found = list[_Piece]()
    for clause in _CLAUSE.split(_bare(sentence)):
        cuts = [tokens(cut) for cut in _PIECE.split(clause)]
        lists = (
            _lists(cuts, [joint.strip(", ") for joint in _PIECE.findall(clause)]) if "respectively" in clause else {}
        )
        for at, cut in enumerate(cuts):
            around = lists.get(at, _keys(cut))
            found += [_Piece(token, around) for token in cut if token.kind == "number"]
    return tuple(found)


def _bare(sentence: str) -> str:
    return re.sub("[()]", " ", plain(sentence))


def _lists(cuts: Sequence[Sequence[Token]], joints: Sequence[str]) -> dict[int, frozenset[str]]:
    """For each of some pieces with one number, one after the other, the words of its place in the list beside them."""
    numbers = [[at for at, token in enumerate(cut) if token.kind == "number"] for cut in cuts]
    found = dict[int, frozenset[str]]()
    for alone, group in groupby(range(len(cuts)), lambda at: len(numbers[at]) == 1):
        run = list(group)
        first, last, more = run[0], run[-1], len(run) - 1
        if not alone or not more:
            continue
        found |= dict.fromkeys(run, frozenset())
        if first >= more and joints[first - 1] == "and":
            before = [*cuts[first - more : first], cuts[first][: numbers[first][0]]]
            found |= zip(run, map(_keys, before), strict=True)
        elif last + more < len(cuts) and joints[last + more - 1] == "and":
            after = [cuts[last][numbers[last][0] :], *cuts[last + 1 : last + more + 1]]
            found |= zip(run, map(_keys, after), strict=True)
    return found


def _keys(read: Iterable[Token]) -> frozenset[str]:
    return frozenset(token.key for token in read if token.kind in {"word", "name"})


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


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that a number is given to."""

    key: str
    text: str
    role: str
    """The preposition before it or "object", by which the names in "Mercury reaches 80.1 on COCO" are told apart."""


@dataclass(frozen=True, slots=True)
class _Gift:
    """A number, and the names that a sentence gives it to."""

    number: Token
    to: tuple[_Name, ...]

    def has(self, number: Token) -> bool:
        """Whether this is the number."""
        return self.number.value == number.value and _same_unit(self.number.unit, number.unit)


def _among(name: _Name, others: Sequence[_Name]) -> bool:
    """Whether one of the others may mean the same, as "ImageNet" and "ImageNet-1K" do; "CIFAR-10" is no "CIFAR-100"."""
    for short, long in (sorted((name.key, other.key), key=len) for other in others):
        rest = long.removeprefix(short)
        if long.startswith(short) and not (short[-1:].isdigit() and rest[:1].isdigit()):
            return True
    return False


@lru_cache(maxsize=512)
def _given(sentence: str, names: frozenset[str]) -> tuple[_Gift, ...]:
    """What a sentence gives its numbers to, as far as its form tells."""
    read = [_given_in(clause, names, opens=not at) for at, clause in enumerate(_CLAUSE.split(_bare(sentence)))]
    return tuple(gift for gifts in read for gift in gifts)


def _given_in(clause: str, names: frozenset[str], opens: bool) -> Iterator[_Gift]:
    cuts = _PIECE.split(clause)
    # only of the first word of a sentence a capital tells nothing
    read = [tokens(cut) if opens and not at else tokens(f"the {cut}")[1:] for at, cut in enumerate(cuts)]
    pieces = [[_told(token, names) for token in piece] for piece in read]
    joints = [joint.strip(", ") for joint in _PIECE.findall(clause)]
    numbers, named = (_runs(pieces, joints, kind) for kind in ("number", "name"))
    if numbers:
        for run in numbers if "respectively" in clause else []:
            owners = next((owners for owners in reversed(named) if len(owners) == len(run)), [])
            for part, owner in zip(run, owners, strict=False):
                yield _Gift(part[0], tuple(_Name(token.key, token.text, "") for token in owner))
        return
    counting = [piece for piece in pieces if any(token.kind == "number" for token in piece)]
    # "80.1 on COCO, and Venus reaches 75.2" is no list
    named = [run for run in named if sum(any(part[0] in piece for part in run) for piece in counting) < 2]
    before: list[_Name] = []
    for piece in pieces:
        counted = [token for token in piece if token.kind == "number"]
        to = list(_names(piece))
        for run in named:
            if any(part[0] in piece for part in run):
                role = next(name.role for name in to if name.key in {part[0].key for part in run})
                to += [_Name(token.key, token.text, role) for part in run for token in part]
        if len(counted) == 1 and (to or before):
            yield _Gift(counted[0], (*to, *before))
        before = [] if counted else to


def _names(piece: Sequence[Token]) -> Iterator[_Name]:
    role = ""
    for place, token in enumerate(piece):
        if token.kind == "name":
            yield _Name(token.key, token.text, role)
        elif token.kind == "number" or _PREPOSITION.fullmatch(token.text.lower()):
            role = "number" if token.kind == "number" else token.text.lower()
        elif not role and token.kind == "word" and any(before.kind == "name" for before in piece[:place]):
            role = "object"


def _told(token: Token, names: frozenset[str]) -> Token:
    if token.kind == "number" and not re.search(r"\d", token.text):
        return replace(token, kind="word")
    named = _SIZE.fullmatch(token.text.lower()) or (token.text[:1].isupper() and token.key in names)
    return replace(token, kind="name") if token.kind == "word" and named else token


def _runs(pieces: Sequence[Sequence[Token]], joints: Sequence[str], kind: str) -> list[list[list[Token]]]:
    """Lists such as "A, B and C" or "1, 2 and 3" over the pieces of a clause; of each part the tokens of that kind."""

    def of_kind(some: Iterable[Token]) -> list[Token]:
        return list(takewhile(lambda token: token.kind == kind, some))

    runs: list[list[list[Token]]] = []
    run: list[list[Token]] = []
    for (piece, following), joint in zip(pairwise(pieces), joints, strict=True):
        # "2.1 points" ends with a number as well
        ending = piece[:-1] if kind == "number" and piece[1:] and piece[-1].kind in {"word", "stop"} else piece
        last, next_ = of_kind(reversed(ending))[::-1], of_kind(following)
        if not last or not next_ or (run and len(run[-1]) < len(piece)):
            run = []
        if last and next_:
            run = [*(run or [last]), next_]
            if joint == "and":
                runs.append(run)
                run = []
    return runs
