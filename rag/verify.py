"""A claim + a passage -> whether the passage holds it, the sentence that does, and what is missing (pure).

Rules, not a model: numbers, units and names must occur, numbers with what they belong to; enough of the words must;
and nothing may say the opposite. Knows nothing of markers.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

from rag.facts import Token, name_pattern, plain, tokens
from rag.lexical import words
from rag.text import sentences
from rag.types import Paper

# Share of a claim's words that its passage must hold. A verbatim sentence has all of them there. Of
# SciFact's claims, which are paraphrases, 75% reach it with their own abstract and 36% with the nearest other
# one (benchmarks/evidence.py): words alone tell little more, so the facts must be there as well.
SMALLEST_OVERLAP = 0.6
# A number stands with something else if another one of the passage fits its place in the claim this much better.
# Chosen on arXiv abstracts other than those that benchmarks/planted.py reports on.
LEAST_FIT = 0.75

# A name of the passage stands in a name's place if this many words beside the two are the same.
LEAST_ALIKE = 4

# What a writer says about a paper, rather than what the paper says.
_FRAME = (
    "the authors author paper papers work study researchers article report reports reported propose proposes present"
    " presents introduce introduces show shows find finds state states describe describes according namely also"
    " they their"
)
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
_NEGATIONS = {"not", "no", "never", "cannot", "without", "neither", "nor", "fail", "fails", "failed"}
_BEATS = re.compile(r"(?:outperform|surpass|exceed|beat|dominat)(?:s|es|ed|ing|e)?")
_ACRONYM = re.compile(r"[A-Z]{3,6}s?")
_SAME_ROOT = 5
_HEDGES = {"about", "around", "approximately", "roughly", "nearly", "almost", "over", "than", "some", "circa"}


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


class Passage:
    """A paper's title and abstract, read once for all claims."""

    def __init__(self, paper: Paper) -> None:
        self.sentences = sentences(paper.abstract)
        self.head = paper.title.partition(":")[0] if ":" in paper.title else ""
        """What a title such as "Mercury: A Small Model" names."""
        self.title = tokens(paper.title)
        self.tokens = [tokens(sentence) for sentence in self.sentences]
        self.text = plain(f"{paper.title}\n{paper.abstract}").lower()

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of all tokens."""
        return frozenset(token.key for read in (self.title, *self.tokens) for token in read)

    @cached_property
    def numbers(self) -> list[tuple[Sequence[Token], int]]:
        """Every number: the sentence (or the title) it stands in, and where."""
        return [
            (read, position)
            for read in (self.title, *self.tokens)
            for position, token in enumerate(read)
            if token.kind == "number"
        ]

    @cached_property
    def initials(self) -> str:
        """The initials of its words, a blank for each stop word and break, in which an acronym may be found."""
        found = re.findall(r"[^\W_]+|[^\w\s-]", self.text)
        return "".join(word[0] if words(word) else " " for word in found)


@lru_cache(maxsize=256)
def read_passage(paper: Paper) -> Passage:
    """A paper as `verify` reads it."""
    return Passage(paper)


def names_of(passages: Iterable[Passage]) -> frozenset[str]:
    """What is known as a name in any of the passages: by it a claim's first word, always a capital, is told for one."""
    return frozenset(
        token.key
        for passage in passages
        for read in (tokens(f"the {passage.head}"), *passage.tokens)
        for token in read
        if token.kind == "name"
    )


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
            if (token.kind == "name" and not _holds(token, passage)) or (
                _is_counted(token) and not any(_same(read, position, found[at]) for found, at in passage.numbers)
            ):
                yield f"{token.text} is not in"
        for position, token in enumerate(read):
            if _is_counted(token) and not _belongs(read, position, passage):
                yield f"{token.text} stands with something else in"
            elif token.kind in {"name", "number"} and (other := _replaced(read, position, passage)):
                yield f"{token.text} stands where {other} does in"
        if overlap < SMALLEST_OVERLAP:
            yield "too few of its words are in"
        elif quoted >= SMALLEST_OVERLAP and (word := _contradicted(read, passage.tokens[best])):
            yield f"“{word}” is not what stands in"

    why = next(amiss(), "")
    return Verdict(not why, overlap, quote, quoted, why)


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
    core = re.sub(r"-[a-z]{3,}(?=-|$)", "", token.text)
    if name_pattern(core).search(passage.text):
        return True
    if re.fullmatch(r"[A-Z][a-z]+", core):  # "Bayes" is in "Bayesian"
        stems = words(core)
        return bool(stems) and (stems[-1] in passage.keys or core[:_SAME_ROOT].lower() in passage.text)
    return bool(_ACRONYM.fullmatch(core)) and core.rstrip("s").lower() in passage.initials


def _is_counted(token: Token) -> bool:
    """Whether it is a number that its passage must hold: "one" may be a pronoun."""
    return token.kind == "number" and token.text.lower() != "one"


def _same(read: Sequence[Token], position: int, other: Token) -> bool:
    """Whether a number of the passage is the one that the claim means: rounded, if the claim says so."""
    token = read[position]
    if not _same_unit(token.unit, other.unit):
        return False
    if token.value == other.value:
        return True
    before = read[position - 1].text.lower() if position else ""
    decimals = len(token.text.rstrip("%x×").partition(".")[2])
    return before in _HEDGES and round(other.value, decimals) == token.value


def _same_unit(claimed: str, held: str) -> bool:
    return claimed in {held, "", "points"} or (claimed == "%" and held == "points")


def _belongs(read: Sequence[Token], position: int, passage: Passage) -> bool:
    """Whether no other number of the passage fits much better where the claim has this one."""
    own = other = 0.0
    for found, at in passage.numbers:
        fit = _fit(read, position, found, at)
        if _same(read, position, found[at]):
            own = max(own, fit)
        elif found[at].unit == read[position].unit:
            other = max(other, fit)
    return own >= LEAST_FIT * other


def _replaced(read: Sequence[Token], position: int, passage: Passage) -> str:
    """What the passage has, in the same words, where the claim has this name or number; "" if it has the same.

    >>> venus = Passage(Paper("v", "", "On Tides the Venus model beats Mars by far."))
    >>> _replaced(tokens("On Tides the Mars model beats it."), 3, venus)
    'Venus'
    """
    token, claimed = read[position], {token.key for token in read}
    longest, other = LEAST_ALIKE - 1, ""
    for found in passage.tokens:
        for at, stands in enumerate(found):
            if stands.kind == token.kind:
                alike = _alike(read[:position][::-1], found[:at][::-1]) + _alike(read[position + 1 :], found[at + 1 :])
                if stands.key in token.key or token.key in stands.key or _abbreviates(stands, token):
                    longest, other = (alike, "") if alike >= longest else (longest, other)
                elif alike > longest and stands.key not in claimed:
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


def _contradicted(read: Sequence[Token], sentence: Sequence[Token]) -> str:
    """The word of a claim whose opposite the sentence says, or ""."""
    claimed, said = [token.text.lower() for token in read], [token.text.lower() for token in sentence]
    for word in claimed:
        opposites = _OPPOSITE.get(word, set()) & set(said)
        if opposites and word not in said and not opposites & set(claimed):
            return word
    denied, denies = _negated(read), _negated(sentence)
    once = {token.key for token in sentence if sum(other.key == token.key for other in sentence) == 1}
    for token in read:
        if token.kind != "stop" and token.key in once and (token.key in denied) != (token.key in denies):
            return f"not {token.text}" if token.key in denied else token.text
    if (mine := _beaten(read)) and (theirs := _beaten(sentence)):
        if theirs.winners:
            risen = set(mine.winners) & set(theirs.losers) - set(theirs.winners)
            fallen = set(mine.losers) & set(theirs.winners) - set(theirs.losers)
        else:  # what the sentence calls "it" may be anything, but none of those that it beats
            risen = fallen = set(mine.winners[:1]) & set(theirs.losers)
        if risen and fallen:
            return mine.verb
    return ""


def _negated(read: Sequence[Token]) -> set[str]:
    """The keys of the words right after a negation."""
    found = set()
    for position, token in enumerate(read):
        if token.text.lower() in _NEGATIONS or token.text.lower().endswith(("n't", "n’t")):
            following = [later.key for later in read[position + 1 :] if later.kind != "stop"]
            found |= set(following[:1])
    return found


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The keys of what beats and of what is beaten, the nearest to the verb first."""

    verb: str
    winners: Sequence[str]
    losers: Sequence[str]


def _beaten(read: Sequence[Token]) -> _Comparison | None:
    """What beats what in a sentence: "B is outperformed by A" says that A beats B."""
    for position, token in enumerate(read):
        if _BEATS.fullmatch(token.text.lower()):
            before = [other.key for other in read[:position][::-1] if other.kind != "stop"]
            after = [other.key for other in read[position + 1 :] if other.kind != "stop"]
            by = position + 1 < len(read) and read[position + 1].text == "by"
            passive = by and token.text.endswith("ed")
            return _Comparison(token.text, after, before) if passive else _Comparison(token.text, before, after)
    return None
