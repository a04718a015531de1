"""An answer as it is written + the passages it is written from -> claims and citations (pure).

The program, not the model, owns the facts of a citation: the quote is copied from the stored abstract,
the title and link come from the record. A marker of no passage is taken out and reported, and so is one whose
passage does not hold its sentence where another's does. A sentence that no passage holds stays, marked as unsupported.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import takewhile

from rag.facts import tokens
from rag.held import Passage, names_of, read_passage
from rag.text import sentences, with_marker
from rag.types import Citation, Cited, Claim, Dropped, Paper
from rag.verify import SMALLEST_OVERLAP, Verdict, verify

# At most this many passages are cited for one sentence, as ALCE (Gao et al. 2023) has it.
MOST_MARKERS = 3
# A sentence that its passage holds is still moved to another one that holds this much more of its words.
_CLEARLY_MORE = 0.3
# A sentence without a marker gets that of the one passage which holds this share of its words in one sentence.
_CLEARLY_HELD = 0.8
# What is shorter, in words, is no sentence to guess a marker for, nor a part that a passage holds by itself.
_SHORTEST_PART = 3

# Models write markers in many shapes: [1], [1, 2], [ 1 ], 【1】, ［1］.
_ONE_SHAPE = str.maketrans("【［】］", "[[]]")
_MARKER = re.compile(r"\[([\d ,;]{1,40})\]")
_UNFINISHED = re.compile(r"[\[【［][\d ,;]{0,40}$")
_LEADING = re.compile(r"(?:\[[\d ,;]{1,40}\]\s*)+")
_RUN = re.compile(r" ?(?:\[\d+\])+")
_LIST_ITEM = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•])(?:\s+|$)")
# A sentence has ended for good once this is known of the next: `rag.text.sentences` looks no further, and no marker
# of the one before can follow.
_LOOKS_AHEAD = 16
_BEGUN = re.compile(r"[^\[【［\n.!?]*[^\W\d_]")
_CONJUNCTION = "and|but|while|whereas|whilst|although|however"
_JOINT = re.compile(rf"[,;]? (?:{_CONJUNCTION}) |[,;] ")
_JOINED = re.compile(rf"[,;] ?(?:(?:{_CONJUNCTION})\b ?)?|(?:{_CONJUNCTION}) ")
_GLUED = re.compile(r"(?<=[.!?])(?:\[[\d ,;]{1,40}\])+")
# What is meant by these stands in the sentence before, or is told by nothing but the marker; names that follow do not
# tell: "It trains on ImageNet". "This paper" is the cited one.
_PRONOUN = re.compile(
    r"(?:[^,]{1,40}, )?(?:(?:it|its|they|their)\b|(?:this|these|those)\b(?! (?:paper|work|study|survey|article)s?\b)"
    r"|the (?:model|method|approach|system|framework|architecture|algorithm|technique|network|latter|former)s?\b)",
    re.IGNORECASE,
)
# Says that something follows, and nothing of it.
_LEAD_IN = re.compile(
    r"(?:(?:(?:here|below|these)(?:['’]s| is| are) )?(?:(?:an?|the|some|my) )?(?:(?:key|main|short|brief|relevant) )*"
    r"(?:answer|summary|overview|list|results?|findings?|points?|papers?|steps?|differences?|comparison|details)"
    r"(?: (?:of|from|in) (?:the|these) (?:papers?|abstracts?|passages?))?|in short|in summary|to summarize|to sum up):",
    re.IGNORECASE,
)
_VERB = re.compile(r"(?:also )?(?:[a-z]+(?:s|ed)|are|were|have|can|may|will)\b")


class Checker:
    """Checks an answer while it is written. Any cut of a text into pieces gives the same claims.

    >>> checker = Checker({1: Paper("m", "Mercury", "Mercury is small. It trains in 3 hours.")})
    >>> checker.feed("Mercury trains in 3 hours. ")
    []
    >>> [(claim.text, claim.markers, claim.quote) for claim in checker.feed("[1] It is written in C.")]
    [('Mercury trains in 3 hours.', (1,), 'It trains in 3 hours.')]
    """

    def __init__(self, papers: Mapping[int, Paper], refused: Callable[[str], str] = lambda _: "") -> None:
        """`refused` says of a sentence why it may not stand in an answer; it is dropped, and that is reported."""
        self._papers = papers
        self._refused = refused
        self._passages = {marker: read_passage(paper) for marker, paper in papers.items()}
        self._names = names_of(self._passages.values())
        self._text = ""
        self._checked: list[_Checked] = []

    def feed(self, piece: str) -> list[Claim]:
        """Take in what was written next; returns the claims that are complete now and were not before."""
        self._text += piece
        begun = takewhile(lambda pair: _has_begun(pair[1]), _units(self._text))
        return self._check(unit for unit, _ in begun)

    def finish(self) -> list[Claim]:
        """The text has ended: the claims that were still open."""
        return self._check(unit for unit, _ in _units(self._text))

    def cited(self) -> Cited:
        """All that was checked so far."""
        claims = tuple(checked.claim for checked in self._checked if checked.claim)
        quotes: dict[int, dict[str, bool]] = {}
        for checked in self._checked:
            for marker, quote in checked.quotes.items():
                quotes.setdefault(marker, {})[quote] = True
        citations = tuple(
            Citation(
                marker,
                self._papers[marker],
                tuple(found),
                all(claim.supported for claim in claims if marker in claim.markers),
            )
            for marker, found in quotes.items()
        )
        dropped = tuple(item for checked in self._checked for item in checked.dropped)
        return Cited("".join(checked.text for checked in self._checked).strip(), claims, citations, dropped)

    def _check(self, units: Iterable[str]) -> list[Claim]:
        before = len(self._checked)
        for place, unit in enumerate(units):
            if place >= len(self._checked):
                why = self._refused(unit.strip())
                self._checked.append(
                    _Checked("\n" * unit.count("\n"), None, {}, (Dropped(unit.strip(), why),))
                    if why
                    else _check(unit, self._passages, self._names, self._last())
                )
        return [checked.claim for checked in self._checked[before:] if checked.claim]

    def _last(self) -> tuple[int, ...]:
        """The markers of the last claim."""
        return next((checked.claim.markers for checked in reversed(self._checked) if checked.claim), ())


def cite(text: str, papers: Mapping[int, Paper]) -> Cited:
    """Check an answer against the passages that its writer saw, by marker."""
    checker = Checker(papers)
    checker.feed(text)
    checker.finish()
    return checker.cited()


@dataclass(frozen=True, slots=True)
class _Checked:
    """A sentence of the answer as it is shown, with the white space after it, and what is known of it."""

    text: str
    claim: Claim | None
    """None if it has no words, or only says that something follows."""
    quotes: dict[int, str]
    """A sentence for each of the claim's markers."""
    dropped: tuple[Dropped, ...]


def _units(text: str) -> list[tuple[str, str]]:
    """The sentences of an answer, each with its markers and the white space after it, and the text that follows.

    >>> [unit for unit, _ in _units("It is fast. [1] It is small [2].\\n1. Why?")]
    ['It is fast. [1] ', 'It is small [2].\\n', '1. Why?']
    """
    shaped, starts, end = text.translate(_ONE_SHAPE), [0], 0
    loose = _GLUED.sub(lambda glued: " " * len(glued[0]), shaped)  # "It is fast.[1] It is small."
    for line in loose.splitlines(keepends=True):
        for sentence in sentences(line):
            start = loose.index(sentence, end)
            end = start + len(sentence)
            if leading := _LEADING.match(shaped, start):  # markers after the full stop
                start = leading.end()
            worded = re.search(r"[^\W\d_]|\d", _MARKER.sub("", shaped[starts[-1] : start]))
            if worded and not _LIST_ITEM.fullmatch(shaped[starts[-1] : start]) and start < len(shaped):
                starts.append(start)
    units = [text[start:stop] for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]
    return list(zip(units, [text[stop:] for stop in [*starts[1:], len(text)]], strict=True))


def _has_begun(following: str) -> bool:
    return len(following) >= _LOOKS_AHEAD and _BEGUN.match(following) is not None


def _check(unit: str, passages: Mapping[int, Passage], names: frozenset[str], last: Sequence[int]) -> _Checked:
    body = unit.rstrip()
    dropped: list[Dropped] = []
    body = _normalise(body, passages, dropped)
    claim = _claim(body)
    if not re.search(r"\w", claim) or _LEAD_IN.fullmatch(claim):
        shown = tuple(int(digits) for digits in re.findall(r"\[(\d+)\]", body))
        return _Checked(
            _RUN.sub("", body) + unit[len(unit.rstrip()) :],
            None,
            {},
            tuple(dropped + [Dropped(f"[{marker}]", "it stands by no sentence") for marker in shown]),
        )
    parts = _parts(body)
    # what "it" is must not change
    movable = passages.keys() & set(last) if _PRONOUN.match(claim) else passages.keys()
    found = _support(claim, parts, passages, names, movable)
    cited = tuple(dict.fromkeys(marker for markers in found.markers for marker in markers))
    for (_, before), after in zip(parts, found.markers, strict=True):
        dropped += [Dropped(f"[{marker}]", _why_moved(before, after)) for marker in before if marker not in after]
    quotes = {marker: found.quotes[marker] for marker in cited}
    text = _with_markers(body, found.markers)
    result = Claim(claim, cited, not found.why, next(iter(quotes.values()), ""), found.why)
    return _Checked(text + unit[len(unit.rstrip()) :], result, quotes, tuple(dropped))


def _why_moved(before: Sequence[int], after: Sequence[int]) -> str:
    new = [f"[{marker}]" for marker in after if marker not in before]
    return f"its sentence is from {' and '.join(new)}" if new else "it does not hold its sentence"


@dataclass(frozen=True, slots=True)
class _Support:
    """The markers of each part of a sentence after checking, a quote for each, and what is amiss."""

    markers: tuple[tuple[int, ...], ...]
    quotes: dict[int, str]
    why: str = ""


def _support(
    claim: str,
    parts: Sequence[tuple[str, tuple[int, ...]]],
    passages: Mapping[int, Passage],
    names: frozenset[str],
    others: Set[int],
) -> _Support:
    """Find what holds a sentence: the passages it cites, if they do; `others`, if those do."""
    whole = {marker: verify(claim, passage, names) for marker, passage in passages.items()}
    cited = tuple(dict.fromkeys(marker for _, markers in parts for marker in markers))
    quotes = {marker: verdict.quote for marker, verdict in whole.items()}
    if not cited:
        clear = _clear_holder(whole) if len(claim.split()) >= _SHORTEST_PART else None
        return (
            _Support(((clear,),), quotes)
            if clear and clear in others
            else _Support(((),), {}, "no passage is cited for it")
        )
    if len(parts) > 1 and (support := _support_parts(parts, passages, names, others)):
        return support
    held = _best_first(whole, cited)
    elsewhere = _in_one_sentence(whole, others - set(cited))
    if elsewhere and (not held or whole[elsewhere[0]].overlap >= whole[held[0]].overlap + _CLEARLY_MORE):
        return _Support(_kept(parts, elsewhere[:1]), quotes)
    if held:
        return _Support(_kept(parts, held[:MOST_MARKERS]), quotes)
    if joint := _joint(claim, cited, passages, names):
        return _Support(_kept(parts, tuple(joint)), quotes | joint)
    nearest = max(cited, key=lambda marker: whole[marker].overlap)
    return _Support(tuple(markers for _, markers in parts), quotes, f"{whole[nearest].why} [{nearest}]")


def _kept(parts: Sequence[tuple[str, tuple[int, ...]]], right: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The right markers where they stand already; those that stand nowhere come last."""
    kept = [tuple(marker for marker in markers if marker in right) for _, markers in parts]
    new = tuple(marker for marker in right if not any(marker in markers for markers in kept))
    return (*kept[:-1], kept[-1] + new)


def _support_parts(
    parts: Sequence[tuple[str, tuple[int, ...]]],
    passages: Mapping[int, Passage],
    names: frozenset[str],
    others: Set[int],
) -> _Support | None:
    """Each part of "A [1], while B [2]" by its own markers, or by another passage; None unless all are held.

    A marker may also stand by a mere phrase, as in "Mercury [1] outperforms Venus [2]", which no passage holds alone.
    """
    markers: list[tuple[int, ...]] = []
    quotes: dict[int, str] = {}
    for place, (text, cited) in enumerate(parts):
        if len(text.split()) < _SHORTEST_PART or (place and not _JOINED.match(text)):
            return None
        clause = _with_subject(text, parts[0][0], names) if place else text
        verdicts = {marker: verify(clause, passage, names) for marker, passage in passages.items()}
        elsewhere = (passages.keys() if place else others) - set(cited)
        held = _best_first(verdicts, cited)[:MOST_MARKERS] or _in_one_sentence(verdicts, elsewhere)[:1]
        if not held:
            return None
        markers.append(held)
        quotes |= {marker: verdicts[marker].quote for marker in held if marker not in quotes}
    return _Support(tuple(markers), quotes)


def _joint(
    claim: str, cited: Sequence[int], passages: Mapping[int, Passage], names: frozenset[str]
) -> dict[int, str] | None:
    """Two passages, both cited, that hold a part of the claim each, with their quotes."""
    for match in _JOINT.finditer(claim) if len(cited) > 1 else ():
        halves = claim[: match.start()], claim[match.end() :]
        if min(len(half.split()) for half in halves) >= _SHORTEST_PART:
            clauses = halves[0], _with_subject(halves[1], halves[0], names)
            verdicts = [{marker: verify(clause, passages[marker], names) for marker in cited} for clause in clauses]
            for first in _in_one_sentence(verdicts[0], cited):
                for second in _in_one_sentence(verdicts[1], cited):
                    if first != second:
                        return {first: verdicts[0][first].quote, second: verdicts[1][second].quote}
    return None


def _with_subject(part: str, first: str, names: frozenset[str]) -> str:
    """A later part of a sentence as one by itself: without a name of its own it speaks of the first part's.

    "" if what it speaks of has no name.

    >>> _with_subject("and trains in 3 hours", "The small Mercury is fast", frozenset())
    'Mercury trains in 3 hours'
    >>> _with_subject("while Venus trains in 3 hours", "The small Mercury is fast", frozenset())
    'Venus trains in 3 hours'
    """
    joined = _JOINED.match(part)
    clause = part[joined.end() :] if joined else part
    leans = _PRONOUN.match(clause) or _VERB.match(clause)
    if not leans and any(token.kind == "name" for token in tokens(f"and {clause}")):
        return clause
    subject = next((token.text for token in tokens(first) if token.kind == "name" or token.key in names), "")
    return f"{subject} {clause}" if subject else "" if leans else clause


def _best_first(verdicts: Mapping[int, Verdict], markers: Iterable[int]) -> tuple[int, ...]:
    """Those of the markers whose passages hold the claim."""
    held = [marker for marker in sorted(markers) if verdicts[marker].held]
    return tuple(sorted(held, key=lambda marker: -verdicts[marker].overlap))


def _in_one_sentence(verdicts: Mapping[int, Verdict], markers: Iterable[int]) -> tuple[int, ...]:
    """Those that hold the claim in one sentence, and do not only have its words here and there."""
    return tuple(marker for marker in _best_first(verdicts, markers) if verdicts[marker].quoted >= SMALLEST_OVERLAP)


def _clear_holder(verdicts: Mapping[int, Verdict]) -> int | None:
    """The one passage that clearly holds a claim, if there is one."""
    held = _best_first(verdicts, verdicts)
    if not held or verdicts[held[0]].quoted < _CLEARLY_HELD:
        return None
    rival = verdicts[held[1]].overlap if len(held) > 1 else 0.0
    return held[0] if rival <= verdicts[held[0]].overlap - _CLEARLY_MORE else None


def _claim(body: str) -> str:
    """A sentence without its markers, list sign and emphasis."""
    text = _RUN.sub("", body).strip()
    if item := _LIST_ITEM.match(text):
        text = text[item.end() :]
    return re.sub(r"\*\*|__|`", "", text).strip()


def _parts(body: str) -> list[tuple[str, tuple[int, ...]]]:
    """What each run of markers stands by: "A [1], while B [2]." has two parts."""
    parts, end = [], 0
    for run in _RUN.finditer(body):
        parts.append((_claim(body[end : run.start()]), tuple(map(int, re.findall(r"\d+", run.group())))))
        end = run.end()
    rest = _claim(body[end:])
    if not parts:
        return [(rest, ())]
    parts[-1] = (f"{parts[-1][0]} {rest}".strip(), parts[-1][1])
    return parts


def _with_markers(body: str, markers: Sequence[Sequence[int]]) -> str:
    """A sentence with other markers at the places where it has some, or before its full stop."""
    runs = iter("".join(f"[{marker}]" for marker in group) for group in markers)
    if not _RUN.search(body):
        written = next(runs)
        return with_marker(body, written) if written else body
    return _RUN.sub(lambda run: f" {written}" if (written := next(runs)) else "", body).lstrip(" ")


def _normalise(body: str, passages: Mapping[int, Passage], dropped: list[Dropped]) -> str:
    """Write every marker as [n] right after its word, and take out those of no passage."""
    if unfinished := _UNFINISHED.search(body):
        dropped.append(Dropped(unfinished.group().strip(), "the answer ended inside a marker"))
        body = body[: unfinished.start()].rstrip()
    before = None
    while body != before:  # taking one out may leave the shape of another: "[[9]7]"
        before, body = body, _rewrite_markers(body, passages, dropped)
    return body


def _rewrite_markers(body: str, passages: Mapping[int, Passage], dropped: list[Dropped]) -> str:
    written, end = "", 0
    for match in _MARKER.finditer(body.translate(_ONE_SHAPE)):
        before = body[end : match.start()] if re.search(r"\d", match[1]) else body[end : match.end()]
        if not end or before.strip(" ") not in {",", ";"}:  # "[1], [2]" is one run
            written += before.rstrip(" ")
        end = match.end()
        for digits in dict.fromkeys(re.findall(r"\d+", match[1])):
            if int(digits) in passages:
                gap = " " if written and written[-1] not in "]\n" else ""
                written += f"{gap}[{int(digits)}]"
            else:
                dropped.append(Dropped(f"[{digits}]", "there is no such passage"))
    return written + body[end:]
