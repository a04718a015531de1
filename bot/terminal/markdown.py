"""What a model writes -> styled lines of one width (pure).

The text is untrusted. Markdown's emphasis, lists, headings, code and tables are shown; links, images, HTML and
escapes are left as they were typed, so that nothing disappears and maths keeps its backslashes.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text
from rich.theme import Theme

from rag.text import printable

MARKER = "cyan"
_MARKERS = r"\[\d+\]"
_LEFT_ALONE = [
    "link", "image", "autolink", "html_inline", "html_block", "entity", "escape", "reference", "code", "lheading", "hr",
]  # fmt: skip
_AS_TYPED = re.compile(r"\$\$[^$]+\$\$|\$(?! )[^$\n]+(?<! )\$(?!\d)|\\\(.+?\\\)|\\\[.+?\\\]|\\[*_~]", re.S)


def lines_of(renderable: RenderableType, width: int, indent: int = 0) -> list[Text]:
    """Anything rich can show as lines of at most `width` cells, without control characters or links."""
    console = Console(width=max(width - indent, 8), force_terminal=True, legacy_windows=False, theme=_THEME)
    lines = []
    for segments in console.render_lines(renderable, pad=False):
        line = Text(" " * indent)
        for text, style, control in segments:
            if not control:
                line.append(printable(text).replace("\n", " "), style.update_link(None) if style else None)
        line.rstrip()
        lines.append(line)
    return lines


def answer_lines(text: str, width: int, *, verbatim: bool, indent: int = 0) -> list[Text]:
    """The lines of an answer. `verbatim` text is a paper's own and no Markdown."""
    shown: RenderableType = Text(printable(text)) if verbatim else _Answer(printable(text))
    lines = lines_of(shown, width, indent)
    for line in lines:
        line.highlight_regex(_MARKERS, MARKER)
    blank = [not line.plain.strip() for line in lines]
    kept = [line for i, line in enumerate(lines) if not blank[i] or (i and not blank[i - 1])]
    return kept[:-1] if kept and not kept[-1].plain.strip() else kept


class _Heading(Heading):
    """Bold and on the left; rich's own are framed."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text


class _Code(CodeBlock):
    """As it stands, without rich's colours and frame."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(str(self.text).rstrip(), style="bold")


class _Answer(Markdown):
    elements = Markdown.elements | {"heading_open": _Heading, "fence": _Code}

    def __init__(self, text: str) -> None:
        super().__init__("", hyperlinks=False)
        self.markup = text
        self.parsed = _PARSER.parse(text)


def _as_typed(state: StateInline, silent: bool) -> bool:
    """Maths is text: its underscores and asterisks mean no emphasis. Nor does one behind a backslash."""
    match = _AS_TYPED.match(state.src, state.pos, state.posMax)
    if match and not silent:
        state.pending += match.group()
    if match:
        state.pos = match.end()
    return bool(match)


_THEME = Theme({f"markdown.{name}": "bold" for name in ("code", "item.bullet", "item.number", "table.header")})
_PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable(_LEFT_ALONE)
_PARSER.inline.ruler.before("emphasis", "as_typed", _as_typed)
