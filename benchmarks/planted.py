"""Answers as an honest writer writes them, and the same with one error planted: what is flagged, what is caught?

    python -m benchmarks.planted DATA [--answers 200] [--seed 1] [--show]

DATA holds arxiv/ and scitldr/ (see benchmarks.data). Each answer has two to four sentences over three to five
abstracts on like subjects: sentences copied, clauses cut out, light rewording, numbers written otherwise. Then a
number, a name or a marker of one sentence is changed to a plausible other one, two of its numbers are exchanged, or
the name or pronoun that it opens with becomes a name that no passage has. An answer without an error is flagged
if any sentence is called unsupported or any marker moved; an error is caught if its sentence is called unsupported
or, where the marker was changed, if it was put right. SciTLDR's human summaries of abstracts are the harder set.
"""

import argparse
import itertools
import json
import lzma
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.data import arxiv_lines, arxiv_paper
from rag.cite import cite
from rag.facts import tokens
from rag.lexical import LexicalIndex
from rag.passages import lexical_text
from rag.text import clean, sentences
from rag.types import Paper

KINDS = ("number", "exchange", "name", "subject", "marker")
POOL = 4_000
# Plain first names: nothing but the capital, which any first word has, tells them for names.
_INVENTED = ("Gemini", "Mistral", "Falcon", "Orion", "Kepler")
_MENTION = re.compile(
    r"It(?! is \w+ (?:that|to)\b)|(?:This|The proposed|Our|Their) (?:model|method|approach|framework)"
)
_SHORTEST, _LONGEST = 6, 45
_UNIT = re.compile(r"\s?\\?%|\s?[^\W\d]*")
_NUMBER = re.compile(r"(?<![\w.,^{/-])\d+(?:\.\d+)?(?![\w,^/)-]|\.\d)")


@dataclass(frozen=True, slots=True)
class Written:
    """One sentence of an answer, and the passage it is from."""

    text: str
    marker: int


@dataclass(frozen=True, slots=True)
class Case:
    """An answer over passages; `changed` is the sentence with the error, None in an honest answer."""

    papers: dict[int, Paper]
    answer: tuple[Written, ...]
    kind: str = "none"
    changed: int | None = None
    right: int = 0
    """The marker that the changed sentence should have."""

    @property
    def text(self) -> str:
        """The answer with its markers."""
        return " ".join(f"{written.text[:-1]} [{written.marker}]." for written in self.answer)

    @property
    def whole(self) -> bool:
        """Whether each sentence of the answer is read as one."""
        return len(sentences(self.text)) == len(self.answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print what was flagged and what was missed")
    arguments = parser.parse_args()
    pool = arxiv_papers(arguments.data, POOL, arguments.seed)
    report("arXiv", honest_cases(pool, arguments.answers, arguments.seed), arguments.seed, arguments.show)
    summaries = scitldr(arguments.data)
    report("SciTLDR", summary_cases(summaries, arguments.answers, arguments.seed), arguments.seed, arguments.show)


def report(name: str, cases: Sequence[Case], seed: int, show: bool) -> None:
    """Print the shares flagged and caught, of one set."""
    flagged = [case for case in cases if is_flagged(case)]
    print(f"{name}: {len(cases)} honest answers, {sum(len(case.answer) for case in cases)} sentences: ", end="")
    print(f"{len(flagged) / len(cases):.3f} flagged")
    missed: list[Case] = []
    for kind in KINDS:
        planted = [made for case in cases if (made := plant(case, kind, random.Random(f"{seed} {case.text}")))]
        through = [case for case in planted if not is_caught(case)]
        missed += through
        if planted:
            print(f"  {kind} changed in {len(planted)}: {1 - len(through) / len(planted):.3f} caught")
    if show:
        for case in flagged:
            for claim in cite(case.text, case.papers).claims:
                if not claim.supported:
                    print(f"FLAGGED {claim.why}: {claim.text}\n        {claim.quote}")
            for dropped in cite(case.text, case.papers).dropped:
                print(f"MOVED {dropped.text}: {dropped.why}: {case.text}")
        for case in missed:
            assert case.changed is not None
            claim = cite(case.text, case.papers).claims[case.changed]
            print(f"MISSED {case.kind}: {claim.text} {claim.markers}\n        {claim.quote}")


def is_flagged(case: Case) -> bool:
    """Whether checking finds fault with an answer."""
    cited = cite(case.text, case.papers)
    return bool(cited.dropped) or not all(claim.supported for claim in cited.claims)


def is_caught(case: Case) -> bool:
    """Whether checking finds the error that was planted."""
    assert case.changed is not None
    claim = cite(case.text, case.papers).claims[case.changed]
    return not claim.supported or (case.kind == "marker" and claim.markers == (case.right,))


def arxiv_papers(data: Path, count: int, seed: int) -> list[Paper]:
    """Some of arXiv's records."""
    return [arxiv_paper(line) for line in arxiv_lines(data, count, seed)]


def scitldr(data: Path) -> list[tuple[Paper, str]]:
    """SciTLDR's (Cachola et al. 2020) papers, each with its first human summary."""
    found = []
    for part in ("dev", "test"):
        with lzma.open(data / "scitldr" / f"scitldr_A_{part}.jsonl.xz", "rt", encoding="utf-8") as file:
            for record in map(json.loads, file):
                abstract = clean(" ".join(record["source"]))
                found.append((Paper(record["paper_id"], clean(record["title"]), abstract), clean(record["target"][0])))
    return found


def honest_cases(pool: Sequence[Paper], count: int, seed: int) -> list[Case]:
    """Answers from groups of like papers, each as an honest writer puts it."""
    chance = random.Random(seed)
    cases: list[Case] = []
    for papers in _groups(pool, chance):
        sources = [chance.randrange(1, min(len(papers), 3) + 1) for _ in range(chance.randrange(2, 5))]
        answer: list[Written] = []
        for marker in sorted(sources):
            cut = [
                sentence
                for sentence in sentences(papers[marker].abstract)
                if _SHORTEST <= len(sentence.split()) <= _LONGEST and sentence.endswith(".") and "[" not in sentence
            ]
            telling = [sentence for sentence in cut if _NUMBER.search(sentence)] if chance.random() < 0.5 else []
            if cut:
                answer.append(Written(reworded(chance.choice(telling or cut), papers[marker], chance), marker))
        answer = list({written.text: written for written in answer}.values())
        case = Case(papers, tuple(answer))
        if len(answer) >= 2 and case.whole:
            cases.append(case)
        if len(cases) == count:
            break
    return cases


def summary_cases(summaries: Sequence[tuple[Paper, str]], count: int, seed: int) -> list[Case]:
    """Two human summaries each, over the abstracts they were written about and others on like subjects."""
    chance = random.Random(seed)
    summary = {
        paper.paper_id: text.rstrip(".!? ") + "."
        for paper, text in summaries
        if len(sentences(text)) == 1 and "[" not in text and len(text.split()) >= _SHORTEST
    }
    cases = []
    for papers in _groups([paper for paper, _ in summaries if paper.paper_id in summary], chance):
        answer = tuple(Written(summary[papers[marker].paper_id], marker) for marker in (1, 2))
        case = Case(papers, answer)
        if case.whole:
            cases.append(case)
        if len(cases) == count:
            break
    return cases


def _groups(pool: Sequence[Paper], chance: random.Random) -> Iterator[dict[int, Paper]]:
    """Three to five papers each that share words with the first, by marker in any order."""
    index = LexicalIndex.build([lexical_text(paper) for paper in pool])
    for row in chance.sample(range(len(pool)), len(pool)):
        near = np.argsort(-index.scores(pool[row].title))[: chance.randrange(3, 6)].tolist()
        chance.shuffle(near)
        yield {marker: pool[other] for marker, other in enumerate(near, 1)}


def plant(case: Case, kind: str, chance: random.Random) -> Case | None:
    """The answer with one error in it, or None if there is nothing of that kind to change."""
    for changed in chance.sample(range(len(case.answer)), len(case.answer)):
        written = case.answer[changed]
        change = {
            "number": _other_number, "exchange": _exchanged, "name": _other_name, "subject": _other_subject,
            "marker": _other_marker,
        }[kind]  # fmt: skip
        if wrong := change(written, case, chance):
            answer = tuple(wrong if place == changed else kept for place, kept in enumerate(case.answer))
            made = replace(case, answer=answer, kind=kind, changed=changed, right=written.marker)
            if made.whole:
                return made
    return None


def _other_marker(written: Written, case: Case, chance: random.Random) -> Written | None:
    return replace(written, marker=chance.choice([marker for marker in case.papers if marker != written.marker]))


def _other_number(written: Written, case: Case, chance: random.Random) -> Written | None:
    """Another number of the same abstract, or one near the right one."""
    found = list(_NUMBER.finditer(written.text))
    if not found:
        return None
    match = chance.choice(found)
    right = match.group()
    others = sorted(set(_NUMBER.findall(case.papers[written.marker].abstract)) - {right})
    if others and chance.random() < 0.5:
        wrong = chance.choice(others)
    else:
        decimals = len(right.partition(".")[2])
        step = chance.choice([1, 2, 3, 5]) * 10**-decimals
        near = float(right) + chance.choice([-step, step])
        wrong = f"{near if near > 0 else float(right) + step:.{decimals}f}"
    if float(wrong) == float(right):
        return None
    return replace(written, text=written.text[: match.start()] + wrong + written.text[match.end() :])


def _exchanged(written: Written, case: Case, chance: random.Random) -> Written | None:
    """Two numbers of one unit in each other's place."""
    text, found = written.text, list(_NUMBER.finditer(written.text))
    unit = {match: next(_UNIT.finditer(text, match.end()))[0].strip("\\ ") for match in found}
    pairs = [
        (one, other)
        for one, other in itertools.combinations(found, 2)
        if float(one[0]) != float(other[0]) and unit[one] == unit[other]
    ]
    if not pairs:
        return None
    one, other = chance.choice(pairs)
    between = text[one.end() : other.start()]
    return replace(written, text=f"{text[: one.start()]}{other[0]}{between}{one[0]}{text[other.end() :]}")


def _other_name(written: Written, case: Case, chance: random.Random) -> Written | None:
    """The name of something in another passage in place of one in the sentence."""
    found = _names(written.text)
    others = sorted(
        {
            name
            for marker, paper in case.papers.items()
            if marker != written.marker
            for name in _names(paper.abstract)
            if not any(name.lower() in one.lower() or one.lower() in name.lower() for one in found)
        }
    )
    if not found or not others:
        return None
    right, wrong = chance.choice(found), chance.choice(others)
    return replace(written, text=re.sub(rf"(?<!\w){re.escape(right)}(?!\w)", lambda _: wrong, written.text))


def _other_subject(written: Written, case: Case, chance: random.Random) -> Written | None:
    """An invented name in place of the subject that the sentence opens with."""
    named = [case.papers[written.marker].title.partition(":")[0], *_names(written.text)]
    opened = re.match(rf"(?:{_MENTION.pattern}|{'|'.join(map(re.escape, named))})(?= [a-z]*s )", written.text)
    text = " ".join(f"{paper.title} {paper.abstract}" for paper in case.papers.values())
    wrong = chance.choice([name for name in _INVENTED if name.lower() not in text.lower()])
    return replace(written, text=wrong + written.text[opened.end() :]) if opened else None


def _names(text: str) -> list[str]:
    """Names of models, data sets and methods: words with a capital inside or a digit."""
    return [
        token.text
        for sentence in sentences(text)
        for token in tokens(sentence)
        if token.kind == "name" and re.search(r"[a-z0-9].*[A-Z]|[A-Z].*[A-Z0-9]", token.text) and token.text in sentence
    ]


def reworded(sentence: str, paper: Paper, chance: random.Random) -> str:
    """A sentence as an honest writer would put it: any of these changes, each on its own chance."""
    changes: tuple[tuple[float, Callable[[str], str]], ...] = (
        (0.3, lambda text: _cut(text, chance)),
        (0.3, _with_other_words),
        (0.5, _with_other_numbers),
        (0.2, _fronted),
        (0.5, lambda text: _with_subject(text, paper)),
        (0.2, _reported),
    )
    for share, change in changes:
        if chance.random() < share:
            changed = change(sentence)
            sentence = changed if len(changed.split()) >= _SHORTEST and changed.endswith(".") else sentence
    return sentence[0].upper() + sentence[1:] if sentence[1:2].islower() else sentence


def _cut(text: str, chance: random.Random) -> str:
    """One clause, or the sentence without what it opens with."""
    opened = re.match(
        r"(?:In|On|With|For|Through|Using|By|To|However|Moreover|Finally|Specifically)\b[^,.]{0,60}, ", text
    )
    if opened and chance.random() < 0.5:
        return text[opened.end() :]
    breaks = [
        match.start()
        for match in re.finditer(r",? (?:while|whereas|which|and|but|thereby|because|so that|by) |; ", text)
    ]
    return text[: chance.choice(breaks)] + "." if breaks else text


def _with_other_words(text: str) -> str:
    for word, other in (
        ("achieves", "reaches"), ("achieve", "reach"), ("achieving", "reaching"), ("demonstrate", "show"),
        ("propose", "introduce"), ("significantly", "considerably"), ("utilize", "use"), ("Furthermore, ", ""),
        ("our", "their"), ("Our", "Their"), ("we", "they"), ("We", "The authors"), ("this paper", "the paper"),
    ):  # fmt: skip
        text = re.sub(rf"\b{word}(?:\b|(?<= ))", other, text)
    return text


def _with_other_numbers(text: str) -> str:
    text = re.sub(r"(\d) ?\\?%", r"\1 percent", text) if "\\%" not in text else text.replace("\\%", "%")
    text = re.sub(r"(?<![\d.,])(\d{1,3}),(\d{3})(?![\d,])", r"\1\2", text)
    text = re.sub(r"(\d) (million|billion)\b", lambda match: match[1] + match[2][0].upper(), text)
    text = re.sub(r"(?<=\d)[xX×]\b| ?\$?\\times\$?", " times", text)
    for word, digit in (("three", "3"), ("four", "4"), ("five", "5"), ("ten", "10")):
        text = re.sub(rf"\b{word}\b", digit, text)
    return text


def _fronted(text: str) -> str:
    last = re.search(r" ((?:on|for|in) (?:the )?[\w-]+(?: [\w-]+){0,3})\.$", text)
    return f"{last[1][0].upper()}{last[1][1:]}, {_lowered(text[: last.start()])}." if last else text


def _with_subject(text: str, paper: Paper) -> str:
    head, colon, _ = paper.title.partition(":")
    if not colon or len(head.split()) > 2:
        return text
    return re.sub(
        r"^(?:It|Our (?:method|model|approach|framework)|The proposed (?:method|model|approach))\b",
        lambda _: head,
        text,
    )


def _reported(text: str) -> str:
    return f"The authors report that {_lowered(text)}"


def _lowered(text: str) -> str:
    word = text.split()[0]
    return text[0].lower() + text[1:] if word[1:].islower() or len(word) == 1 else text


if __name__ == "__main__":
    main()
