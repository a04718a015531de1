"""A conversation -> Markdown, HTML or JSON (pure)."""

import html
import json
import re
from collections.abc import Callable, Sequence

from bot.references import link
from bot.render import SCHEMA, answer_json
from bot.sessions import Turn
from bot.terminal.views import when
from rag.text import clean, printable
from rag.types import Answer

_STYLE = (
    "body{max-width:44rem;margin:2rem auto;padding:0 1rem;font:1rem/1.6 Georgia,serif}h2{font-size:1.1rem}"
    "blockquote{margin:.2rem 0 .2rem 1rem;color:#555}.no{color:#a60}footer{color:#777;font-size:.85rem}"
)


def to_markdown(turns: Sequence[Turn]) -> str:
    """A heading a question, the answer, its sources with what was quoted."""
    parts = [f"# {clean(turns[0].question)}" if turns else "# An empty conversation"]
    for turn in turns:
        parts += [f"## {clean(turn.question)}", turn.text]
        for citation in turn.answer.citations if turn.answer else ():
            paper = citation.paper
            title = f"[{paper.title}]({link(paper)})" if link(paper) else paper.title
            date = f" ({paper.date})" if paper.date else ""
            unsupported = "" if citation.supported else " (does not support every sentence that cites it)"
            parts.append(f"**[{citation.marker}]** {title}{date}{unsupported}")
            parts += [f"> {quote}" for quote in citation.quotes]
        parts += [f"*{line}*" for line in _notes(turn.answer)]
    return printable("\n\n".join(parts)) + "\n"


def to_html(turns: Sequence[Turn]) -> str:
    """One page that needs nothing else."""
    title = html.escape(turns[0].question if turns else "An empty conversation")
    parts = []
    for turn in turns:
        text = re.sub(r"\[(\d+)\]", r"<sup>[\1]</sup>", html.escape(turn.text)).replace("\n", "<br>")
        parts += [f"<h2>{html.escape(turn.question)}</h2>", f"<p>{text}</p>"]
        for citation in turn.answer.citations if turn.answer else ():
            paper, address = citation.paper, link(citation.paper)
            name = html.escape(paper.title)
            if address and address.startswith(("https://", "http://")):
                name = f'<a href="{html.escape(address)}">{name}</a>'
            kind = "" if citation.supported else ' class="no"'
            parts.append(f"<p{kind}>[{citation.marker}] {name} {html.escape(paper.date or '')}</p>")
            parts += [f"<blockquote>{html.escape(quote)}</blockquote>" for quote in citation.quotes]
        parts += [f'<p class="no">{html.escape(line)}</p>' for line in _notes(turn.answer)]
        parts.append(f"<footer>{when(turn.at)}</footer>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return printable("\n".join([head, *parts, "</html>\n"]))


def to_json(turns: Sequence[Turn]) -> str:
    """The answers as `footnote ask --json` prints them, with the time of each."""

    def plain(turn: Turn) -> dict[str, object]:
        kept = answer_json(turn.answer) if turn.answer else {"question": turn.question, "answer": turn.text}
        return {**kept, "at": when(turn.at)}

    return json.dumps({"schema": SCHEMA, "turns": [plain(turn) for turn in turns]}, indent=2) + "\n"


KINDS: dict[str, Callable[[Sequence[Turn]], str]] = {"md": to_markdown, "html": to_html, "json": to_json}


def file_name(turns: Sequence[Turn], kind: str) -> str:
    """A name made of the first question.

    >>> file_name([Turn("What is a / b?", "", "", 0, None)], "md")
    'what-is-a-b.md'
    """
    words = re.findall(r"\w+", turns[0].question.lower() if turns else "")
    return f"{'-'.join(words[:6])[:60] or 'footnote'}.{kind}"


def _notes(answer: Answer | None) -> list[str]:
    claims = answer.claims if answer else ()
    return [f"Not supported: “{claim.text}”" for claim in claims if not claim.supported]
