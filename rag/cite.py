"""An answer as written + the passages it was written from -> claims and citations (pure).

The program, not the model, owns the facts of a citation: the quote is copied from the stored abstract,
the title and link come from the record. A marker of no passage is taken out and reported. A sentence
whose numbers or words its passages do not hold stays, marked as unsupported.
"""

import re
from collections.abc import Mapping

from rag.lexical import words
from rag.text import sentences
from rag.types import Citation, Cited, Claim, Dropped, Paper

# Share of a claim's stemmed words that its passage must hold. A verbatim sentence has all of them there. Of
# SciFact's claims, which are paraphrases, 73% reach it with their own abstract and 38% with the nearest other
# one (benchmarks/evidence.py): words alone tell little more, so numbers must be there as well.
SMALLEST_OVERLAP = 0.6

# Models write markers in many shapes: [1], [1, 2], [ 1 ], 【1】, ［1］.
_MARKER = re.compile(r"[\[【［]([\d\s,;]{1,40})[\]】］]")
_UNFINISHED = re.compile(r"[\[【［][\d\s,;]{0,40}$")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def cite(text: str, papers: Mapping[int, Paper]) -> Cited:
    """Check an answer against the passages that its writer saw, by marker."""
    dropped: list[Dropped] = []
    text = _normalise(text, papers, dropped)
    claims = tuple(_check(sentence, papers) for sentence in _claims(text))
    citations = []
    for marker in dict.fromkeys(marker for claim in claims for marker in claim.markers):
        made = [claim for claim in claims if marker in claim.markers]
        quotes = dict.fromkeys(best_sentence(claim.text, papers[marker].abstract) for claim in made)
        citations.append(Citation(marker, papers[marker], tuple(quotes), all(claim.supported for claim in made)))
    return Cited(text, claims, tuple(citations), tuple(dropped))


def best_sentence(claim: str, abstract: str) -> str:
    """The sentence of an abstract that shares most words with a claim, numbers counted twice; the first of equals."""
    numbers, stems = set(_NUMBER.findall(claim)), set(words(claim))

    def shared(sentence: str) -> int:
        return len(stems & set(words(sentence))) + len(numbers & set(_NUMBER.findall(sentence)))

    return max(sentences(abstract), key=shared, default="")


def holds(claim: str, paper: Paper) -> bool:
    """Whether a paper holds every number and enough of the words of a claim."""
    missing = set(_NUMBER.findall(claim)) - set(_NUMBER.findall(f"{paper.title} {paper.abstract}"))
    return not missing and share_held(claim, paper) >= SMALLEST_OVERLAP


def share_held(claim: str, paper: Paper) -> float:
    """Share of a claim's stemmed words that a paper holds, 0 to 1."""
    stems = set(words(claim))
    return len(stems & set(words(f"{paper.title} {paper.abstract}"))) / len(stems) if stems else 0.0


def _normalise(text: str, papers: Mapping[int, Paper], dropped: list[Dropped]) -> str:
    """Write every marker as [n] right after its word, and take out those of no passage."""
    if unfinished := _UNFINISHED.search(text):
        dropped.append(Dropped(unfinished.group().strip(), "the answer ended inside a marker"))
        text = text[: unfinished.start()]
    before = None
    while text != before:  # taking one out may leave the shape of another: "[[9]7]"
        before, text = text, _rewrite_markers(text, papers, dropped)
    return text.strip()


def _rewrite_markers(text: str, papers: Mapping[int, Paper], dropped: list[Dropped]) -> str:
    written, end = "", 0
    for match in _MARKER.finditer(text):
        written += text[end : match.start()].rstrip(" ") if re.search(r"\d", match[1]) else text[end : match.end()]
        end = match.end()
        for digits in dict.fromkeys(re.findall(r"\d+", match[1])):
            if int(digits) in papers:
                gap = " " if written and written[-1] not in "]\n" else ""
                written += f"{gap}[{int(digits)}]"
            else:
                dropped.append(Dropped(f"[{digits}]", "there is no such passage"))
    return written + text[end:]


def _claims(text: str) -> list[str]:
    """The sentences of an answer, each with the markers that follow it.

    >>> _claims("It is fast. [1] It is small [2]. Why?")
    ['It is fast. [1]', 'It is small [2].', 'Why?']
    """
    claims: list[str] = []
    for line in text.splitlines():
        start = len(claims)
        for sentence in sentences(re.sub(r"(\]) +(?=\[)", r"\1", line)):
            leading = re.match(r"((?:\[\d+\])+)\s*", sentence)
            if leading and len(claims) > start:
                claims[-1] += " " + leading[1]
                sentence = sentence[leading.end() :]
            if sentence:
                claims.append(sentence)
    return claims


def _check(sentence: str, papers: Mapping[int, Paper]) -> Claim:
    markers = tuple(dict.fromkeys(int(digits) for digits in re.findall(r"\[(\d+)\]", sentence)))
    text = re.sub(r"\s*\[\d+\]", "", sentence).strip()
    return Claim(text, markers, any(holds(text, papers[marker]) for marker in markers))
