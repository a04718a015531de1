"""A sentence -> its numbers, each with the words around it and the names it is given to (pure).

"It gets 80.1 on COCO and 75.2 on LVIS" and "On COCO and LVIS, it gets 80.1 and 75.2, respectively" say the same.
Knows nothing of claims or passages.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise, takewhile

from rag.facts import Token, plain, tokens

# What parts a sentence into clauses, and these into pieces that each give one number to something.
_CLAUSE = re.compile(r"[;:]\s|\s-\s|\b(?:but|while|whereas|versus|vs\.?|than|compared (?:to|with))\b", re.IGNORECASE)
_PIECE = re.compile(r",\s(?:and\b)?|\band\b")
# By these one name of a piece is told from another.
_PREPOSITION = re.compile("on|in|for|with|by|over|of|against|to|from|inside|under|at|using|via|without|across")
# No names, yet they tell one model or one sort of things from another.
_SIZE = re.compile("base|large|small|tiny|mini|medium|huge|first|second|former|latter")


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a number is given to."""

    key: str
    text: str
    role: str
    """The preposition before it or "object", by which the names in "Mercury reaches 80.1 on COCO" are told apart."""


@dataclass(frozen=True, slots=True)
class Gift:
    """A number, and the names that a sentence gives it to."""

    number: Token
    to: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A number, and the words that stand in the same piece of a sentence."""

    number: Token
    around: frozenset[str]


@lru_cache(maxsize=512)
def gifts(sentence: str, names: frozenset[str]) -> tuple[Gift, ...]:
    """What a sentence gives its numbers to, as far as its form tells."""
    read = [_given_in(clause, names, opens=not at) for at, clause in enumerate(_CLAUSE.split(_bare(sentence)))]
    return tuple(gift for found in read for gift in found)


@lru_cache(maxsize=512)
def pieces(sentence: str) -> tuple[Piece, ...]:
    """The numbers of a sentence; "a and b are 1 and 2, respectively" has the pieces "a are 1" and "b 2"."""
    found = list[Piece]()
    for clause in _CLAUSE.split(_bare(sentence)):
        cuts = [tokens(cut) for cut in _PIECE.split(clause)]
        lists = _lists(cuts, _joints(clause)) if "respectively" in clause else {}
        for at, cut in enumerate(cuts):
            around = lists.get(at, _keys(cut))
            found += [Piece(token, around) for token in cut if token.kind == "number"]
    return tuple(found)


def _joints(clause: str) -> list[str]:
    """What stands between the pieces of a clause, "and" or nothing but a comma."""
    return [joint.strip(", ") for joint in _PIECE.findall(clause)]


def _given_in(clause: str, names: frozenset[str], opens: bool) -> Iterator[Gift]:
    cuts = _PIECE.split(clause)
    # only of the first word of a sentence a capital tells nothing
    read = [tokens(cut) if opens and not at else tokens(f"the {cut}")[1:] for at, cut in enumerate(cuts)]
    told = [[_told(token, names) for token in piece] for piece in read]
    joints = _joints(clause)
    numbers, named = (_runs(told, joints, kind) for kind in ("number", "name"))
    if numbers:
        for run in numbers if "respectively" in clause else []:
            owners = next((owners for owners in reversed(named) if len(owners) == len(run)), [])
            for part, owner in zip(run, owners, strict=False):
                yield Gift(part[0], tuple(Name(token.key, token.text, "") for token in owner))
        return
    counting = [piece for piece in told if any(token.kind == "number" for token in piece)]
    # "80.1 on COCO, and Venus reaches 75.2" is no list
    named = [run for run in named if sum(any(part[0] in piece for part in run) for piece in counting) < 2]
    before: list[Name] = []
    for piece in told:
        counted = [token for token in piece if token.kind == "number"]
        to = list(_names(piece))
        for run in named:
            if any(part[0] in piece for part in run):
                role = next(name.role for name in to if name.key in {part[0].key for part in run})
                to += [Name(token.key, token.text, role) for part in run for token in part]
        if len(counted) == 1 and (to or before):
            yield Gift(counted[0], (*to, *before))
        before = [] if counted else to


def _names(piece: Sequence[Token]) -> Iterator[Name]:
    role = ""
    for place, token in enumerate(piece):
        if token.kind == "name":
            yield Name(token.key, token.text, role)
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
