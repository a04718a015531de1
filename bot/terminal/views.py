"""Papers, sources, scores -> what is shown of them (pure)."""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.references import link
from bot.sessions import Conversation, Turn
from bot.terminal.commands import COMMANDS, Command, usage
from bot.terminal.markdown import MARKER
from rag.lexical import words
from rag.text import printable, sentences
from rag.types import Answer, Citation, Claim, Paper, ScoredPaper

DIM = "dim"
_GOOD, _BAD = "green", "yellow"
_EVIDENCE_SHOWN = 6
# Two papers stand side by side from this width on.
_SIDE_BY_SIDE = 72
_AUTHORS_SHOWN = 6


def heading(paper: Paper, number: int | None = None) -> Text:
    """A line: number, title, date."""
    text = Text()
    if number is not None:
        text.append(f"[{number}] ", MARKER)
    text.append(printable(paper.title), "bold")
    if paper.date:
        text.append(f" · {paper.date}", DIM)
    return text


def marked(sentence: str, about: str, style: str = "bold") -> Text:
    """A sentence with the words that it shares with `about` in bold."""
    text, stems = Text(printable(sentence)), set(words(about))
    for match in re.finditer(r"\w[\w\-./%]*(?<![./])", text.plain):
        if stems & set(words(match.group())):
            text.stylize(style, match.start(), match.end())
    return text


def nearest(papers: Sequence[ScoredPaper], first: int = 1) -> Group:
    """The papers that were found, a line each."""
    return Group(*(_OneLine(found.paper, number) for number, found in enumerate(papers, first)))


def sources(answer: Answer) -> Group:
    """What stands below an answer: its sources with what was quoted, what is unsupported, the other papers."""
    parts: list[RenderableType] = []
    if answer.abstained:
        if answer.reason:
            parts += [Text(printable(answer.reason), DIM), Text()]
        if answer.passages:
            parts += [Text("The nearest papers:", DIM), nearest(answer.passages)]
        return Group(*parts)
    for citation in answer.citations:
        parts += [*source(citation, answer), Text()]
    wrong = [
        f"✗ not supported: “{claim.text}”{f' ({claim.why})' if claim.why else ''}"
        for claim in answer.claims
        if not claim.supported
    ]
    wrong += [f"✗ dropped {dropped.text}: {dropped.why}" for dropped in answer.dropped]
    if wrong:
        parts += [*(Text(printable(line), _BAD) for line in wrong), Text()]
    cited = {citation.marker for citation in answer.citations}
    others = [(rank, found) for rank, found in enumerate(answer.passages, 1) if rank not in cited]
    if others:
        near = "Also near:" if cited else "The nearest papers:"
        parts += [Text(near, DIM), *(_OneLine(found.paper, rank, DIM) for rank, found in others), Text()]
    return Group(*parts[:-1])


def source(citation: Citation, answer: Answer) -> Iterator[RenderableType]:
    """One source: heading, link, quotes."""
    yield heading(citation.paper, citation.marker)
    if address := link(citation.paper):
        yield Padding(Text(printable(address), DIM), (0, 0, 0, 4))
    made = [claim for claim in answer.claims if citation.marker in claim.markers]
    for quote in citation.quotes:
        claims = [claim for claim in made if claim.quote in {quote, ""}]
        supported = all(claim.supported for claim in claims)
        line = Text("✓ ", _GOOD) if supported else Text("✗ ", _BAD)
        line.append("“").append_text(marked(quote, _about(answer, claims))).append("”")
        yield Padding(line, (0, 0, 0, 4))


def footer(answer: Answer) -> Text:
    """A dim line: what was checked, how long it took."""
    timings = answer.timings
    supported = sum(claim.supported for claim in answer.claims)
    parts = {
        "stopped": answer.finish_reason == "stopped",
        "cut at its longest length: /set max_tokens 1000": answer.finish_reason == "length",
        f"{supported} of {_count(len(answer.claims), 'sentence')} supported": answer.claims,
        _count(timings.tokens, "token"): timings.tokens,
        f"{timings.tokens_per_s or 0:.0f} tokens/s": timings.tokens_per_s,
        f"{timings.total_ms / 1000:.1f} s": True,
    }
    return Text(" · ".join(part for part, shown in parts.items() if shown), DIM)


def abstract(paper: Paper, about: str, evidence: Sequence[str], number: int | None = None) -> Group:
    """A paper with the sentences that are evidence in bold and, in them, the words that matter underlined."""
    text, at = Text(), 0
    for sentence in sentences(paper.abstract):
        start = paper.abstract.index(sentence, at)
        text.append(printable(paper.abstract[at:start]))
        shown = marked(sentence, about, "underline") if sentence in evidence else Text(printable(sentence))
        if sentence in evidence:
            shown.stylize("bold")
        text.append_text(shown)
        at = start + len(sentence)
    more = (paper.author_count or 0) - len(paper.authors[:_AUTHORS_SHOWN])
    more = max(more, len(paper.authors) - _AUTHORS_SHOWN)
    names = ", ".join(paper.authors[:_AUTHORS_SHOWN]) + (f" and {more} more" if paper.authors and more > 0 else "")
    about_it = [names, ", ".join(paper.categories), link(paper) or ""]
    lines = [Text(printable(line), DIM) for line in about_it if line]
    return Group(heading(paper, number), *lines, Text(), text)


def evidence_of(paper: Paper, answer: Answer | None, about: str) -> list[str]:
    """The sentences of a paper that answer: those that were quoted, else the best one."""
    if answer:
        quoted = [quote for citation in answer.citations if citation.paper == paper for quote in citation.quotes]
        best = [item.sentence for item in answer.evidence if item.paper == paper][:1]
        if quoted or best:
            return quoted or best
    nearest_one = max(sentences(paper.abstract), key=lambda sentence: _shared(sentence, about), default="")
    return [nearest_one] if nearest_one else []


def compared(pairs: Sequence[tuple[int, Paper]], about: str, cosine: float, width: int) -> RenderableType:
    """Two papers, by the sentences that fit the question best."""

    def column(number: int, paper: Paper) -> Group:
        cut = sentences(paper.abstract)
        best = sorted(sorted(cut, key=lambda sentence: -_shared(sentence, about))[:3], key=cut.index)
        lines: list[RenderableType] = [heading(paper, number), Text()]
        for sentence in best:
            lines += [marked(sentence, about), Text()]
        return Group(*lines[:-1])

    alike = Text(f"Their abstracts are alike by {cosine:.2f} (1 is the same).", DIM)
    if width < _SIDE_BY_SIDE:
        return Group(*(part for pair in pairs for part in (column(*pair), Text())), alike)
    table = Table.grid(padding=(0, 3), expand=True)
    for _ in pairs:
        table.add_column(ratio=1)
    table.add_row(*(column(*pair) for pair in pairs))
    return Group(table, Text(), alike)


def why(answer: Answer, filter_: str) -> Group:
    """How an answer came about."""
    timings = answer.timings
    facts = {
        "searched": answer.query,
        "filter": filter_,
        "mode": f"{answer.mode}{f' by {answer.model}' if answer.model else ''}, {answer.generation}",
        "finished": answer.finish_reason,
        "prompt": f"{timings.prompt_tokens:,} tokens" if timings.prompt_tokens else "",
        "retrieve": f"{timings.retrieve_ms:.0f} ms",
        "evidence": f"{timings.evidence_ms:.0f} ms",
        "first token": f"{timings.first_token_ms:.0f} ms" if timings.first_token_ms else "",
        "total": f"{timings.total_ms:.0f} ms",
        "tokens": f"{timings.tokens}, {timings.tokens_per_s or 0:.1f} a second" if timings.tokens else "",
        "refused": answer.reason or "",
    }
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, DIM), Text(printable(value)))
    found = _table("", "score", "cosine", "words", "paper")
    for rank, item in enumerate(answer.passages, 1):
        ranks = (f"{item.score:.2f}", f"{item.cosine:.2f} #{item.dense_rank or '–'}", f"#{item.lexical_rank or '–'}")
        found.add_row(Text(f"[{rank}]", MARKER), *ranks, Text(printable(item.paper.title)))
    best = _table("", "score", "sentence")
    for sentence in answer.evidence[:_EVIDENCE_SHOWN]:
        best.add_row(
            Text(f"[{sentence.rank}]", MARKER), f"{sentence.score:.2f}", marked(sentence.sentence, answer.query)
        )
    return Group(table, Text(), found, Text(), best)


def before(turns: Sequence[Turn], count: int) -> Group:
    """The last turns of a conversation that goes on, of so many."""
    parts: list[RenderableType] = []
    if count > len(turns):
        parts += [Text(f"… {_count(count - len(turns), 'question')} before", DIM), Text()]
    for turn in turns:
        parts += [Text("› ", "bold").append(printable(turn.question)), Text(), Text(printable(turn.text)), Text()]
    return Group(*parts[:-1])


def conversations(listed: Sequence[Conversation], now: float) -> RenderableType:
    """Those that are kept, a line each."""
    if not listed:
        return Text("No conversation is kept yet.", DIM)
    table = Table.grid(padding=(0, 2))
    for width in (8, 6, 4):
        table.add_column(no_wrap=True, min_width=width)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for found in listed:
        title = f"{found.name} · {found.title}" if found.name else found.title
        table.add_row(
            Text(found.id, MARKER), Text(ago(now - found.at), DIM), Text(f"{found.turns}×", DIM), printable(title)
        )
    return table


def ago(seconds: float) -> str:
    """
    >>> ago(5), ago(600), ago(9000), ago(200_000), ago(-3)
    ('now', '10 min', '2 h', '2 d', 'now')
    """
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def help_(commands: Sequence[Command] = COMMANDS) -> Group:
    """All commands, by group."""
    parts: list[RenderableType] = []
    for group in dict.fromkeys(command.group for command in commands):
        table = Table.grid(padding=(0, 2))
        table.add_column(overflow="fold", ratio=2)
        table.add_column(ratio=3)
        table.expand = True
        for command in commands:
            if command.group == group:
                table.add_row(Text(usage(command), MARKER), Text(command.help))
        parts += [Text(group, "bold"), table, Text()]
    keys = "Enter asks, Alt-Enter begins a line, Tab completes, Ctrl-R searches what was typed, Ctrl-C stops an answer."
    return Group(*parts, Text(keys, DIM))


def when(at: float) -> str:
    """A time of the day, local, as it is written in an export."""
    return datetime.datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")


def _about(answer: Answer, claims: Sequence[Claim]) -> str:
    """What a quote is to be read for: the claims it supports; where they are the quote itself, the question."""
    claimed = " ".join(claim.text for claim in claims)
    return answer.query if answer.mode == "evidence" or not claimed else claimed


def _shared(sentence: str, about: str) -> int:
    return len(set(words(sentence)) & set(words(about)))


@dataclass(frozen=True, slots=True)
class _OneLine:
    """A heading of which the title is cut where it does not fit, and not the date."""

    paper: Paper
    number: int
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        over = heading(self.paper, self.number).cell_len - options.max_width
        title = Text(printable(self.paper.title))
        title.truncate(max(1, title.cell_len - max(0, over)), overflow="ellipsis")
        line = heading(replace(self.paper, title=title.plain), self.number)
        line.stylize(self.style)
        yield line


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=DIM, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
