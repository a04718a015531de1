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
        "increase increases increased increasing",
        "decrease decreases decreased decreasing reduce reduces reduced reducing",
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
_NEGATION = re.compile(
    r"not|no|never|cannot|without|neither|nor|fail(?:s|ed)?|lack(?:s|ed|ing)?|hardly|barely|rarely|unable|\w+n['’]t"
)
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
    compared = _swapped(read, passage.tokens[best]) if best is not None else ()
    return (
        _opposed(read, passage, best)
        or _denied(read, passage, best)
        or next((mine.verb for mine, theirs in compared if mine.relation == theirs.relation), "")
    )


def _opposed(read: Sequence[Token], passage: Passage, best: int | None) -> str:
    """The word of a claim in whose stead the passage has its opposite, or ""."""
    claimed, denied = {token.text.lower() for token in read}, _negated(read)
    for position, token in enumerate(read):
        word = token.text.lower()
        opposites = _OPPOSITE.get(word, set())
        if opposites & claimed or token.key in denied:
            continue
        for number, sentence in enumerate(passage.tokens):
            said = [other.text.lower() for other in sentence]
            if not opposites & set(said) or (word in said if number == best else token.key in passage.keys):
                continue
            # "A is slower than B" is what "B is faster than A" says
            turned = {theirs.relation for mine, theirs in _swapped(read, sentence) if mine.relation == word}
            for at in (at for at, other in enumerate(said) if other in opposites - turned):
                if number == best or _near(read, position) & _near(sentence, at):
                    return token.text
    return ""


def _denied(read: Sequence[Token], passage: Passage, best: int | None) -> str:
    """The word that either the claim or the passage denies, and not both, or ""."""
    denied, denials = _negated(read), _denials(passage)
    for position, token in enumerate(read):
        places = passage.places.get(token.key, ()) if token.kind != "stop" else ()
        unlike = [place for place in places if (token.key in denied) != (token.key in denials[place[0]])]
        for number, at in unlike:
            once = sum(number == other for other, _ in places) == 1
            alike = len(_near(read, position) & _near(passage.tokens[number], at)) >= _ALIKE_AROUND
            if once and (number == best or (alike and len(unlike) == len(places))):
                return f"not {token.text}" if token.key in denied else token.text
    return ""


@lru_cache(maxsize=256)
def _denials(passage: Passage) -> Sequence[set[str]]:
    """What each sentence of a passage denies."""
    return [_negated(sentence) for sentence in passage.tokens]


def _near(read: Sequence[Token], position: int) -> set[str]:
    """The keys of the words around one."""
    around = *read[max(0, position - _REACH) : position], *read[position + 1 : position + 1 + _REACH]
    return {token.key for token in around if token.kind != "stop"}


def _negated(read: Sequence[Token]) -> set[str]:
    """The keys of the words that a negation denies: the next one, past adverbs."""
    found = set()
    for position, token in enumerate(read[:-1]):
        if _NEGATION.fullmatch(token.text.lower()) and read[position + 1].text.lower() not in _NO_NEGATION:
            for later in read[position + 1 :]:
                if later.kind != "stop":
                    found.add(later.key)
                    if not _ADVERB.fullmatch(later.text.lower()):
                        break
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
    for position, text in enumerate(texts):
        after = position + 1
        if _BEATS.fullmatch(text):
            relation = "beats"
        elif _THAN.fullmatch(text) and "than" in texts[after : after + _REACH + 1]:
            relation, after = text, texts.index("than", after) + 1
        else:
            continue
        before = [token.key for token in read[:position][::-1] if token.kind != "stop"]
        behind = [token.key for token in read[after:] if token.kind != "stop"]
        passive = text.endswith("ed") and texts[after : after + 1] == ["by"]
        yield _Comparison(text, relation, *((behind, before) if passive else (before, behind)))


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
