"""Answers, papers, checks -> posts: what a message shows, as plain values (pure).

Knows Discord's limits and nothing of its library. All text of papers and models passes through `markdown`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bot.discord_app import wording
from bot.discord_app.markdown import code_block, escaped, shown
from bot.discord_app.split import LONGEST, split
from bot.references import bibtex, link
from rag.types import Answer, Claim, Paper, ScoredPaper

NEAREST_SHOWN = 3
# Discord's limits, and what is left of the 4,096 characters of a card for the abstract's evidence.
_MOST_OPTIONS, _LONGEST_LABEL, _LONGEST_TITLE, _LONGEST_FIELD, _LONGEST_CARD = 25, 100, 250, 1000, 4000
_CONTEXT = 1500
_SHORT = 2
_EVIDENCE_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Button:
    """`action` is what pressing it asks for."""

    action: str
    label: str
    emoji: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a menu."""

    label: str
    value: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A framed text."""

    title: str
    text: str
    url: str | None = None
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """What one message shows. Menu and buttons belong to the question of this id."""

    text: str = ""
    card: Card | None = None
    question_id: str = ""
    menu: tuple[Option, ...] = ()
    buttons: tuple[Button, ...] = ()
    file: tuple[str, str] | None = None
    """Name and content of an attachment."""


STOP = Button("stop", "Stop", "⏹️")
AGAIN = Button("retry", "Ask again", "🔁")
_UNDER_ANSWER = (
    Button("evidence", "Evidence", "🔎"),
    Button("retry", "Retry", "🔁"),
    Button("shorter", "Shorter", "✂️"),
    Button("good", "", "👍"),
    Button("bad", "", "👎"),
)


def waiting_post(question_id: str, nearest: Sequence[ScoredPaper], place: int, wait_s: float) -> Post:
    """A question in the queue, or, at place 0, one whose answer has begun but has no words yet."""
    state = wording.waiting(place, wait_s) if place else wording.READING
    return Post("\n\n".join(filter(None, [_nearest(nearest), state])), None, question_id, (), (STOP,))


def writing_post(question_id: str, text: str) -> Post:
    """What is written so far: the end of it, if it is longer than a message."""
    text = shown(text)
    if len(text) > LONGEST - 20:
        text = "… " + split(text, LONGEST - 20)[-1]
    return Post(f"{text} ▌", None, question_id, (), (STOP,))


def answer_posts(question_id: str, answer: Answer, note: str = "", show_model: bool = True) -> list[Post]:
    """A finished answer, as many messages as it takes; menu and buttons are under the last."""
    if answer.abstained:
        body = [shown(answer.text), wording.because(answer.reason), _nearest(answer.passages)]
    else:
        body = [shown(answer.text), _sources(answer), wording.support(answer)]
    # One paragraph, so that no cut parts the note from the buttons.
    last = "\n".join(filter(None, [note, wording.made_by(answer) if show_model else ""]))
    parts = split("\n\n".join(filter(None, [*body, last])))
    posts = [Post(part, None, question_id) for part in parts]
    buttons = _UNDER_ANSWER if not note else (AGAIN, *(b for b in _UNDER_ANSWER if b.action != "retry"))
    posts[-1] = replace(posts[-1], menu=source_menu(answer), buttons=buttons)
    return posts


def source_menu(answer: Answer) -> tuple[Option, ...]:
    """The papers of an answer; where nothing was answered, the nearest ones."""
    papers = cited_papers(answer) or {rank: found.paper for rank, found in islice(enumerate(answer.passages, 1), 5)}
    return tuple(
        Option(
            _cut(f"[{marker}] {paper.title}", _LONGEST_LABEL),
            str(marker),
            _cut(" · ".join(filter(None, [paper.date, ", ".join(paper.authors[:2])])), _LONGEST_LABEL),
        )
        for marker, paper in islice(papers.items(), _MOST_OPTIONS)
    )


def cited_papers(answer: Answer) -> dict[int, Paper]:
    """The papers an answer cites, by marker."""
    return {citation.marker: citation.paper for citation in answer.citations}


def source_post(answer: Answer, marker: int) -> Post | None:
    """The card of one of an answer's papers, its evidence in bold; None if it has no such marker."""
    for citation in answer.citations:
        if citation.marker == marker:
            return paper_post(citation.paper, citation.quotes)
    if not 1 <= marker <= len(answer.passages):
        return None
    best = next((item.sentence for item in answer.evidence if item.rank == marker), "")
    return paper_post(answer.passages[marker - 1].paper, (best,))


def paper_post(paper: Paper, quotes: Sequence[str] = ()) -> Post:
    """A paper: abstract with the quotes in bold, date, authors, link, BibTeX."""
    authors = ", ".join(paper.authors[:6]) + (" and others" if len(paper.authors) > 6 else "")
    url = link(paper)
    fields = (("Date", paper.date or ""), ("Authors", escaped(authors)), ("Link", f"<{url}>" if url else ""))
    card = Card(
        _cut(escaped(paper.title), _LONGEST_TITLE),
        _with_bold(paper.abstract, [quote for quote in quotes if quote]),
        url if url and url.startswith(("https://", "http://")) and len(url) < 2000 else None,
        tuple((name, _cut(value, _LONGEST_FIELD)) for name, value in fields if value),
    )
    return Post(bibtex_text(paper), card)


def bibtex_text(paper: Paper) -> str:
    """A paper's BibTeX as a code block."""
    return code_block(_cut(bibtex(paper), LONGEST - 30), "bibtex")


def evidence_post(answer: Answer) -> Post:
    """Each sentence of an answer with what it rests on, then the sentences that fit the question best."""
    lines = [claim_line(claim) for claim in answer.claims]
    best = [f"[{item.rank}] {escaped(item.sentence)}" for item in answer.evidence[:_EVIDENCE_SHOWN]]
    text = "\n".join([*lines, "", "**The papers' sentences nearest to the question**", *best]).strip()
    return Post("", Card(wording.support(answer) or "Evidence", _whole_lines(text)))


def claim_line(claim: Claim, paper: Paper | None = None) -> str:
    """A checked sentence: whether it is supported, and by which sentence."""
    markers = "".join(f"[{marker}]" for marker in claim.markers)
    title = f" *{escaped(paper.title)}*" if paper else f" {markers}" if markers else ""
    lines = [f"{'✅' if claim.supported else '⚠️'} {escaped(claim.text)}{title}"]
    if claim.quote:
        lines.append(f"> **{escaped(claim.quote)}**")
    if not claim.supported:
        lines.append(f"> {escaped(claim.why) or 'not found in the papers'}")
    return "\n".join(lines)


def check_post(checks: Sequence[tuple[Claim, Paper | None]]) -> Post:
    """What checking a message against the papers found."""
    supported = sum(claim.supported for claim, _ in checks)
    text = "\n".join(claim_line(claim, paper if claim.supported or claim.quote else None) for claim, paper in checks)
    return Post("", Card(wording.checked(supported, len(checks)), _whole_lines(text)))


def shorter_text(answer: Answer) -> str:
    """The first sentences of an answer that are supported; of one without any, its first ones.

    Nothing is written anew, so that each has been checked already.
    """
    claims = [claim for claim in answer.claims if claim.supported] or list(answer.claims)
    lines = [f"{claim.text} {''.join(f'[{marker}]' for marker in claim.markers)}".strip() for claim in claims[:_SHORT]]
    return _cut(shown(" ".join(lines) or answer.text), LONGEST)


def search_post(query: str, passages: Sequence[ScoredPaper]) -> Post:
    """Search results."""
    lines = [f"{rank}. {_heading(found.paper)}" for rank, found in enumerate(passages, 1)]
    return Post("", Card(_cut(f"Papers nearest to: {escaped(query)}", _LONGEST_TITLE), _whole_lines("\n".join(lines))))


def _nearest(passages: Sequence[ScoredPaper]) -> str:
    lines = [f"- {_heading(found.paper)}" for found in passages[:NEAREST_SHOWN]]
    return "\n".join(["**Nearest papers**", *lines]) if lines else ""


def _sources(answer: Answer) -> str:
    return "\n".join(f"-# [{marker}] {_heading(paper)}" for marker, paper in cited_papers(answer).items())


def _heading(paper: Paper) -> str:
    url = link(paper)
    title = _cut(escaped(paper.title), _LONGEST_TITLE)
    return " ".join(filter(None, [title, f"({paper.date})" if paper.date else "", f"<{url}>" if url else ""]))


def _with_bold(abstract: str, quotes: Iterable[str]) -> str:
    """An abstract with some of its sentences in bold, cut around the first of them if it is too long."""
    spans = sorted((abstract.index(quote), abstract.index(quote) + len(quote)) for quote in quotes if quote in abstract)
    start = max(spans[0][0] - _CONTEXT, 0) if spans and len(abstract) > 2 * _CONTEXT else 0
    end = start + 2 * _CONTEXT
    pieces, done = ["…"] if start else [], start
    for first, last in spans:
        if first >= done and last <= end:
            pieces += [escaped(abstract[done:first]), f"**{escaped(abstract[first:last])}**"]
            done = last
    pieces += [escaped(abstract[done:end]), "…" if end < len(abstract) else ""]
    return _cut(" ".join(filter(None, pieces)), _LONGEST_CARD)


def _whole_lines(text: str) -> str:
    """As many lines as fit into a card."""
    lines: list[str] = []
    length = 0
    for line in text.split("\n"):
        length += len(line) + 1
        if length > _LONGEST_CARD:
            return "\n".join([*lines, "…"])
        lines.append(line)
    return text


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
