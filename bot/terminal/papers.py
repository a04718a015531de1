"""The commands about papers -> what is shown (pure but for the searches, which run where the papers are)."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.text import Text

from bot.references import STYLES, bibliography, link
from bot.terminal import views
from bot.terminal.commands import BY_NAME, Call, read_numbers, usage
from bot.terminal.talk import Talk
from rag.errors import QuestionError
from rag.filters import Filter
from rag.passages import dense_text
from rag.query import read_question
from rag.retrieve import Retriever
from rag.text import printable, title_key
from rag.types import ScoredPaper

T = TypeVar("T")


class Search(Protocol):
    """Runs a search where the store is open, and waits for it."""

    def __call__(self, work: Callable[[Retriever], T]) -> T: ...  # noqa: D102


Shown = RenderableType | str
"""A text is given as it is, to be pasted."""


def run(
    call: Call, talk: Talk, search: Search, filter_: Filter | None, top_k: int, width: int
) -> tuple[Shown, str | None]:
    """What a command shows, and the link it opens."""
    match call.name:
        case "sources":
            return sources(talk), None
        case "open":
            return open_(talk, call)
        case "paper":
            return find_paper(talk, call, search)
        case "quote":
            return quote(talk, call), None
        case "cite":
            return cite(talk, call), None
        case "search":
            return find(talk, call, search, filter_, top_k), None
        case "more":
            return more(talk, search, filter_, top_k), None
        case "related":
            return related(talk, call, search, filter_, top_k), None
        case "compare":
            return compare(talk, call, search, width), None
        case _:
            return views.why(talk.answer(), str(filter_ or "")), None


def sources(talk: Talk) -> RenderableType:
    """The sources of the last answer; numbers mean them again."""
    answer = talk.answer()
    talk.list_papers(answer.passages, answer.query)
    return views.sources(answer)


def open_(talk: Talk, call: Call) -> tuple[RenderableType, str | None]:
    """A paper of the list and its link."""
    (number,) = read_numbers(call, 1)
    paper = talk.paper(number)
    return views.abstract(paper, talk.about, views.evidence_of(paper, talk.last, talk.about), number), link(paper)


def quote(talk: Talk, call: Call) -> str:
    """The sentence of a paper of the list that fits the question best, ready to paste."""
    paper = talk.paper(read_numbers(call, 1)[0])
    best = next(iter(views.evidence_of(paper, talk.last, talk.about)), paper.abstract)
    where = ", ".join(part for part in (paper.title, paper.date, link(paper)) if part)
    return f"“{best}” — {where}"


def cite(talk: Talk, call: Call) -> str:
    """Entries for a bibliography. `all` means what the last answer cites, or else all that is listed."""
    which, _, style = call.argument.partition(" ")
    style = style.strip().lower() or "bibtex"
    if style not in STYLES:
        raise QuestionError(f"There is no style {style!r}.", f"Write: {usage(BY_NAME['cite'])}")
    if which.lower() != "all":
        (number,) = read_numbers(Call("cite", which), 1)
        return bibliography([talk.paper(number)], style)
    cited = [citation.paper for citation in talk.last.citations] if talk.last else []
    listed = [found.paper for found in talk.listing]
    if not listed:
        talk.paper(1)  # says how to come by some
    return bibliography([paper for paper in listed if paper in cited] or listed, style)


def find(talk: Talk, call: Call, search: Search, filter_: Filter | None, top_k: int) -> RenderableType:
    """The nearest papers to a query; numbers mean them from now on."""
    query = read_question(call.argument)
    found = search(lambda retriever: retriever.search(query, top_k, _among(filter_, retriever)))
    talk.list_papers(found, query)
    return views.nearest(found) if found else Text("No paper was found.", "dim")


def more(talk: Talk, search: Search, filter_: Filter | None, top_k: int) -> RenderableType:
    """The next papers for what the list was found for; the list grows."""
    talk.paper(1)
    shown = len(talk.listing)
    known = {found.paper.paper_id for found in talk.listing}

    def next_ones(retriever: Retriever) -> list[ScoredPaper]:
        found = retriever.search(talk.about, shown + top_k, _among(filter_, retriever))
        return [paper for paper in found if paper.paper.paper_id not in known][:top_k]

    found = search(next_ones)
    talk.listing += found
    return views.nearest(found, shown + 1) if found else Text("There are no more.", "dim")


def related(talk: Talk, call: Call, search: Search, filter_: Filter | None, top_k: int) -> RenderableType:
    """The papers like one of the list; numbers mean them from now on."""
    paper = talk.paper(read_numbers(call, 1)[0])
    found = search(lambda retriever: retriever.related(paper, top_k, _among(filter_, retriever)))
    talk.list_papers(found, f"{paper.title} {talk.about}")
    return Group(Text(f"Like {printable(paper.title)}:", "dim"), views.nearest(found))


def find_paper(talk: Talk, call: Call, search: Search) -> tuple[RenderableType, str | None]:
    """A paper by its title or a part of it, else the nearest one; number 1 means it from now on."""
    wanted = title_key(read_question(call.argument))

    def best(retriever: Retriever) -> list[ScoredPaper]:
        found = retriever.search(call.argument, 10)
        return sorted(found, key=lambda item: -_likeness(title_key(item.paper.title), wanted))[:1]

    found = search(best)
    if not found:
        raise QuestionError("There is no such paper.", "/search lists the nearest ones.")
    about = talk.about or call.argument
    talk.list_papers(found, about)
    evidence = views.evidence_of(found[0].paper, talk.last, about) if talk.last else []
    return views.abstract(found[0].paper, about, evidence, 1), link(found[0].paper)


def compare(talk: Talk, call: Call, search: Search, width: int) -> RenderableType:
    """Two papers of the list by what they say to the question."""
    numbers = read_numbers(call, 2)
    one, other = (talk.paper(number) for number in numbers)

    def cosine(retriever: Retriever) -> float:
        first, second = retriever.embedder.embed_passages(list(map(dense_text, (one, other))))
        return float(first @ second)

    return views.compared(list(zip(numbers, (one, other), strict=True)), talk.about, search(cosine), width)


def _among(filter_: Filter | None, retriever: Retriever) -> npt.NDArray[np.bool_] | None:
    return filter_.among(retriever.store.rows.years) if filter_ else None


def _likeness(title: str, wanted: str) -> int:
    return 3 if title == wanted else 2 if title.startswith(wanted) else 1 if wanted in title else 0
