"""A query + papers -> which of them it asks for by a name that they give to their own work (pure).

"How does REPA train?" asks for "Representation Alignment for Generation", which introduces it, and not for "U-REPA"
or whatever else speaks of it: of the words alone, BM25 knows no difference.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from rag.facts import name_pattern, plain
from rag.lexical import words
from rag.text import sentences
from rag.types import Paper

_WORD = r"[^\W_][\w./-]*\+{0,2}"
_TITLED = re.compile(rf"({_WORD}(?: {_WORD}){{0,2}}): ")  # "Mercury: A Small Model"
# A plain word is no name, nor is a year: it has two capitals, or a letter and a digit.
_IS_NAME = re.compile(r"(?!\d+[kKMB]$)(?!.*-(?:based|aware|free|driven)$)(?:.*[A-Z].*[A-Z]|(?=.*[^\W\d_]).*\d)")
_LIKE_A_WORD = re.compile("[A-Z]{2,4}")
_HAS_CAPITALS = re.compile(r"\w.*[A-Z]")
_INTRODUCES = (
    r"\b(?:we|(?:this|our|the(?: present)?) (?:paper|work|study|report|article)) (?:\w+ ){0,2}?"
    r"(?:propos|introduc|present|develop|releas|design|creat|contribut|collect|construct)\w* "
)
_AFTER_VERB = re.compile(rf"{_INTRODUCES}(?:(?:an?|the|our) )?(?:(?:new|novel) )?({_WORD})(?![\w'’])", re.IGNORECASE)
_IN_BRACKETS = re.compile(rf"{_INTRODUCES}[^()]*\(({_WORD}(?: {_WORD}){{0,2}})\)", re.IGNORECASE)


def asked_by_name(query: str, papers: Sequence[Paper], rarity: Callable[[str], float]) -> list[float]:
    """For each paper, 0 to 1, how surely the query asks for it by name.

    That is the rarity (0 to 1, of a stem) of the name, divided among the papers that give it to their own work. A
    name within a longer one is not asked for: "REPA" in "U-REPA", "Mamba" in "Decision Mamba" if a paper is called so.
    """
    asked = plain(query)
    found = [{span: name for name in own_names(paper) for span in _places(name, asked)} for paper in papers]
    spans = {span for one in found for span in one}
    whole = {span for span in spans if not any(_within(span, other) for other in spans)}
    owners = {span: sum(span in one for one in found) for span in whole}
    return [max((_rarest(one[at], rarity) / owners[at] for at in whole & one.keys()), default=0.0) for one in found]


@lru_cache(maxsize=4096)
def own_names(paper: Paper) -> frozenset[str]:
    """What a paper calls its own model, method or data.

    >>> sorted(own_names(Paper("1", "Mercury: A Model", "We introduce a Very Small Lexicon (VSL), unlike BERT.")))
    ['Mercury', 'VSL']
    """
    found = set()
    title = plain(paper.title)
    if (titled := _TITLED.match(title)) and (" " not in titled[1] or _IS_NAME.match(titled[1])):
        found.add(titled[1])
    for sentence in map(plain, sentences(paper.abstract)):
        told = _IN_BRACKETS.findall(sentence) + _AFTER_VERB.findall(sentence)
        found |= {name for name in (name.rstrip(".,") for name in told) if _IS_NAME.match(name)}
    return frozenset(name for name in found if len(name) > 1)


def _places(name: str, asked: str) -> Iterator[tuple[int, int]]:
    """Where a name stands in a question, and not as a part of a hyphenated one.

    Of who writes capitals, "get" is no GET.
    """
    may_be_word = _LIKE_A_WORD.fullmatch(name) and _HAS_CAPITALS.search(asked)
    for match in name_pattern(name).finditer(asked.lower()):
        before, typed, after = asked[: match.start()][-2:], asked[slice(*match.span())], asked[match.end() :][:2]
        if not (re.fullmatch(r"\w-", before) or re.fullmatch(r"-\w", after) or (may_be_word and typed.islower())):
            yield match.span()


def _within(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def _rarest(name: str, rarity: Callable[[str], float]) -> float:
    return max(map(rarity, words(name)), default=0.0)
