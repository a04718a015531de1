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
# A name is another word's root if both begin with this many letters and differ in no more than so many last ones.
_SAME_ROOT, _ENDING = 5, 3
_HEDGES = {"about", "around", "approximately", "roughly", "nearly", "almost", "some", "circa"}


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
    def places(self) -> dict[str, list[tuple[int, int]]]:
        """By key, the sentences it stands in, and where."""
        found: dict[str, list[tuple[int, int]]] = {}
        for number, sentence in enumerate(self.tokens):
            for at, token in enumerate(sentence):
                found.setdefault(token.key, []).append((number, at))
        return found

    @cached_property
    def denied(self) -> list[set[str]]:
        """What each sentence denies."""
        return [_negated(sentence) for sentence in self.tokens]

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
            if (
                (token.kind == "name" and not _holds(token, passage))
                or (_is_counted(token) and not any(_same(read, position, found[at]) for found, at in passage.numbers))
                or (position == 0 and _may_be_name(token, passage) and _is_subject(read))
            ):
                yield f"{token.text} is not in"
        for position, token in enumerate(read):
            if _is_counted(token) and not _belongs(read, position, passage):
                yield f"{token.text} stands with something else in"
            elif other := _replaced(read, position, passage, names):
                yield f"{token.text} stands where {other} does in"
        if overlap < SMALLEST_OVERLAP:
            yield "too few of its words are in"
        elif word := _contradicted(read, passage, best if quoted >= SMALLEST_OVERLAP else None):
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


def _is_counted(token: Token) -> bool:
    """Whether it is a number that its passage must hold: "one" may be a pronoun."""
    return token.kind == "number" and token.text.split()[-1].lower() != "one"


def _same(read: Sequence[Token], position: int, other: Token) -> bool:
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


def _replaced(read: Sequence[Token], position: int, passage: Passage, names: frozenset[str] = frozenset()) -> str:
    """What the passage has, in the same words, where the claim has this name or number; "" if it has the same.

    >>> venus = Passage(Paper("v", "", "On Tides the Venus model beats Mars by far."))
    >>> _replaced(tokens("On Tides the Mars model beats it."), 3, venus)
    'Venus'
    """
    token, claimed = read[position], {token.key for token in read}
    opens = position == 0 and _may_be_name(token, passage)
    kind = "name" if opens else token.kind
    longest, other = LEAST_ALIKE - 1, ""
    for found in passage.tokens if kind in {"name", "number"} else ():
        found = _told_names(found, names)
        for at, stands in enumerate(found):
            if stands.kind == kind or (opens and _MENTION.fullmatch(stands.text.lower())):
                alike = _alike(read[:position][::-1], found[:at][::-1]) + _alike(read[position + 1 :], found[at + 1 :])
                if stands.key in token.key or token.key in stands.key or _abbreviates(stands, token):
                    longest, other = (alike, "") if alike >= longest else (longest, other)
                elif alike > longest and (opens or stands.key not in claimed):
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


def _contradicted(read: Sequence[Token], passage: Passage, best: int | None) -> str:
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
    denied = _negated(read)
    for position, token in enumerate(read):
        places = passage.places.get(token.key, ()) if token.kind != "stop" else ()
        unlike = [place for place in places if (token.key in denied) != (token.key in passage.denied[place[0]])]
        for number, at in unlike:
            once = sum(number == other for other, _ in places) == 1
            alike = len(_near(read, position) & _near(passage.tokens[number], at)) >= _ALIKE_AROUND
            if once and (number == best or (alike and len(unlike) == len(places))):
                return f"not {token.text}" if token.key in denied else token.text
    return ""


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
