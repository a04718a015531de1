"""A claim + a passage -> the word of the claim whose opposite the passage says (pure).

Opposites ("higher", "lower"), denials ("does not improve") and comparisons the other way round.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.facts import Token
from rag.held import Passage

_OPPOSITES = (
    (
        "increase increases increased increasing raise raises raised raising boost boosts boosted boosting"
        " enhance enhances enhanced enhancing",
        "decrease decreases decreased decreasing reduce reduces reduced reducing reduction reductions"
        " lowers lowered lowering",
    ),
    ("improve improves improved improving", "degrade degrades degraded degrading worsen worsens worsened worsening"),
    ("higher", "lower"),
    ("faster", "slower"),
    ("more", "fewer less"),
    ("better", "worse"),
    ("larger bigger", "smaller"),
    ("outperform outperforms outperformed outperforming", "underperform underperforms underperformed underperforming"),
    ("above", "below"),
    ("always", "never"),
    ("can", "cannot"),
    ("positive positively", "negative negatively"),
    ("strong stronger", "weak weaker"),
    ("easy easier", "hard harder"),
    ("high", "low"),
    ("gain gains", "loss losses drop drops"),
    ("best", "worst"),
    ("most", "least"),
)
_OPPOSITE = {
    word: set(others.split()) for pair in _OPPOSITES for these, others in (pair, pair[::-1]) for word in these.split()
}
_SAME = {word: set(these.split()) for pair in _OPPOSITES for these in pair for word in these.split()}
_NEGATION = re.compile(
    r"not|no|never|cannot|without|neither|nor|lack(?:s|ed|ing)?|hardly|barely|rarely|unable|\w+n['’]t"
)
_FAILS = re.compile("fail(?:s|ed)?")  # to do so, or on something; "failed trajectories" are some
_FAILS_AT = {"to", "on", "in", "at", "for", "with"}
# With these, and further from a negation, a word may be denied: not surely enough to say so of a claim.
_PERHAPS_DENIES = re.compile(
    r"unlike|rather|instead|except|avoid(?:s|ed|ing)?|eliminat(?:es?|ed|ing)|remov(?:es?|ed|ing)"
)
_DENIES_BACK = {"no", "not", "neither", "nor", "free"}
_PERHAPS_DENIED = 5
_NO_NEGATION = {"only", "just", "merely", "simply", "solely"}  # "not only"
_ADVERB = re.compile(r"\w+ly|always|yet|well|even|just")
_BEATS = re.compile(r"(?:outperform|surpass|exceed|beat|dominat)(?:s|es|ed|ing|e)?")
_THAN = re.compile(
    r"more|less|fewer|worse|(?:bett|fast|slow|high|low|larg|bigg|small|strong|weak|easi|hard|cheap|short|long|deep)er"
)
# So far from a word stands what belongs to it: "higher accuracy on COCO than".
_REACH = 4
# A sentence speaks of what the claim denies if this many words around it are the same.
_ALIKE_AROUND = 2


def contradicted(read: Sequence[Token], passage: Passage, best: int | None) -> str:
    """The word of a claim whose opposite the passage says, or "".

    The `best` sentence, if there is one, speaks of the same as the claim. Any other one must have the opposite among
    like words, and the passage must nowhere say it as the claim does.
    """
    denials = _denials_of(read)
    compared = _swapped(read, passage.tokens[best]) if best is not None else ()
    return (
        _opposed(read, denials, passage, best)
        or _denied(read, denials, passage, best)
        or next((mine.verb for mine, theirs in compared if mine.relation == theirs.relation), "")
    )


def _opposed(read: Sequence[Token], denials: "_Denials", passage: Passage, best: int | None) -> str:
    """The word of a claim in whose stead the passage has its opposite, or ""."""
    claimed = {token.text.lower() for token in read}
    for position, token in enumerate(read):
        word = token.text.lower()
        same, opposites = _SAME.get(word, set()), _OPPOSITE.get(word, set())
        if not opposites or token.key in denials.surely or _is_bound(read, position):
            continue
        for number, sentence in enumerate(passage.tokens):
            said = [other.text.lower() for other in sentence]
            if not opposites & set(said) or (number != best and (opposites & claimed or token.key in passage.keys)):
                continue
            if opposites & claimed or same & set(said):  # both are said: of what, tells
                mine = _object(read, position)
                if mine and mine in _objects(sentence, opposites) - _objects(sentence, same):
                    return token.text
                continue
            # "A is slower than B" is what "B is faster than A" says
            turned = {theirs.relation for mine, theirs in _swapped(read, sentence) if mine.relation == word}
            for at in (at for at, other in enumerate(said) if other in opposites - turned):
                near = _near(sentence, at)
                of_else = _object(read, position) in {other.key for other in sentence} - near
                if not of_else and (number == best or _near(read, position) & near):
                    return token.text
    return ""


def _is_bound(read: Sequence[Token], position: int) -> bool:
    """Whether a word bounds a number, as in "more than 60"."""
    following = read[position + 1 : position + 3]
    return [token.text for token in following[:1]] == ["than"] and bool(following[-1].bound)


def _objects(read: Sequence[Token], said: set[str]) -> set[str]:
    """What some words are said of."""
    return {_object(read, at) for at, token in enumerate(read) if token.text.lower() in said}


def _object(read: Sequence[Token], position: int) -> str:
    """The key of the word that comes after one, "" if none does: in "smaller and bigger models", of both "model"."""
    word = read[position].text.lower()
    pair = _SAME[word] | _OPPOSITE[word]
    after = (token for token in read[position + 1 :] if token.kind != "stop" and token.text.lower() not in pair)
    return next((token.key for token in after), "")


def _denied(read: Sequence[Token], denials: "_Denials", passage: Passage, best: int | None) -> str:
    """The word that either the claim or the passage denies, and not both, or ""."""
    said = _denials(passage)
    for position, token in enumerate(read):
        places = passage.places.get(token.key, ()) if token.kind != "stop" else ()
        unlike = [
            (number, at)
            for number, at in places
            if (token.key in denials.surely and token.key not in said[number].perhaps)
            or (token.key in said[number].surely and token.key not in denials.perhaps)
        ]
        for number, at in unlike:
            once = sum(number == other for other, _ in places) == 1
            alike = len(_near(read, position) & _near(passage.tokens[number], at)) >= _ALIKE_AROUND
            if once and (number == best or (alike and len(unlike) == len(places))):
                return f"not {token.text}" if token.key in denials.surely else token.text
    return ""


def _near(read: Sequence[Token], position: int) -> set[str]:
    """The keys of the words around one."""
    around = *read[max(0, position - _REACH) : position], *read[position + 1 : position + 1 + _REACH]
    return {token.key for token in around if token.kind != "stop"}


@dataclass(frozen=True, slots=True)
class _Denials:
    """The keys of the words that a sentence denies, surely and perhaps."""

    surely: frozenset[str]
    perhaps: frozenset[str]


@lru_cache(maxsize=256)
def _denials(passage: Passage) -> Sequence[_Denials]:
    """What each sentence of a passage denies."""
    return [_denials_of(sentence) for sentence in passage.tokens]


def _denials_of(read: Sequence[Token]) -> _Denials:
    """The word after a negation is denied; others may be, and one before it ("requires no", "training-free")."""
    surely, perhaps = set[str](), set[str]()
    for position, token in enumerate(read):
        text, behind = token.text.lower(), read[position + 1 :]
        bound = behind and _is_bound(read, position + 1)  # "no more than 60"
        fails = _FAILS.fullmatch(text) and behind and behind[0].text in _FAILS_AT
        denies = (_NEGATION.fullmatch(text) and not bound) or fails
        if denies and behind and behind[0].text.lower() not in _NO_NEGATION:
            surely |= _first_words(behind, 1)
            perhaps |= _first_words(behind, _PERHAPS_DENIED)
        elif _PERHAPS_DENIES.fullmatch(text):
            perhaps |= _first_words(behind, _PERHAPS_DENIED)
        if text in _DENIES_BACK:
            perhaps |= _first_words(read[:position][::-1], 1)
    return _Denials(frozenset(surely), frozenset(surely | perhaps))


def _first_words(read: Sequence[Token], most: int) -> set[str]:
    """The keys of the first words that say something, and of the adverbs among them, which do not count."""
    found = set()
    for token in read:
        if token.kind != "stop" and most:
            found.add(token.key)
            most -= not _ADVERB.fullmatch(token.text.lower())
    return found


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The keys of what beats and of what is beaten, the nearest to the verb first."""

    verb: str
    relation: str
    """What two comparisons must have in common: "beats", or the comparative."""
    winners: Sequence[str]
    losers: Sequence[str]


def _compared(read: Sequence[Token]) -> Iterator[_Comparison]:
    """What beats what in a sentence: "B is outperformed by A" and "A is better than B" both say that A does."""
    texts = [token.text.lower() for token in read]
    subject = len(read)
    for position, text in enumerate(texts):
        after = position + 1
        if _BEATS.fullmatch(text):
            relation = "beats"
        elif _THAN.fullmatch(text) and (begin := _compared_to(texts, after)):
            relation, after = text, begin
        else:
            continue
        # "A beats B and surpasses C": B does not
        subject = min(subject, position) if "and" in texts[position - 2 : position] else position
        before = [token.key for token in read[:subject][::-1] if token.kind != "stop"]
        behind = [token.key for token in read[after:] if token.kind != "stop"]
        passive = text.endswith("ed") and texts[after : after + 1] == ["by"]
        yield _Comparison(text, relation, *((behind, before) if passive else (before, behind)))


def _compared_to(texts: Sequence[str], after: int) -> int:
    """Where that begins which a comparison is with, 0 if it is with nothing."""
    for at in range(after, min(after + 2 * _REACH, len(texts) - 1)):
        if texts[at] == "than":
            return at + 1
        if texts[at] == "compared" and texts[at + 1] in {"to", "with"}:
            return at + 2
    return 0


def _swapped(read: Sequence[Token], sentence: Sequence[Token]) -> Iterator[tuple[_Comparison, _Comparison]]:
    """The comparisons of a claim and of a sentence that have it the other way round."""
    for mine in _compared(read):
        for theirs in _compared(sentence):
            risen = set(mine.winners) & set(theirs.losers) - set(theirs.winners)
            fallen = set(mine.losers) & set(theirs.winners) - set(theirs.losers)
            if not theirs.winners:  # what the sentence calls "it" may be anything, but none of those that it beats
                risen = fallen = set(mine.winners[:1]) & set(theirs.losers)
            if risen and fallen:
                yield mine, theirs
