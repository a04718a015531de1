"""A long text -> parts that fit a message each (pure).

No part begins or ends inside a link, a marker or inline code, none begins with the marker of the sentence
before, and a code block that must be cut is closed and opened again.
"""

import re

# Discord takes 2,000 characters; the rest is room for those it may count twice.
LONGEST = 1900
# A cut is looked for in this last share of a part, so that no part is needlessly short.
_LOOK_BACK = 0.6
_FENCE = re.compile(r"^ *```([\w+-]{0,20})[^\n`]*$", re.M)
_WHOLE = re.compile(r"<?https?://\S+|\[\d+\](?:\[\d+\])*|\[[^\]\n]+\]\([^)\s]+\)|`[^`\n]+`|\*\*[^*\n]+\*\*")
# Where to cut, from the best place to the worst; a space that a marker follows is none.
_PLACES = [re.compile(pattern) for pattern in (r"\n\n+", r"\n", r"(?<=[.!?\]])\s(?!\[\d)", r"\s(?!\[\d)")]
_CLOSING = "\n```"


def split(text: str, longest: int = LONGEST) -> list[str]:
    """Parts of at most `longest` characters that together hold all of the text but white space at the cuts.

    >>> split("One is fast [1]. Two is slow [2].", 20)
    ['One is fast [1].', 'Two is slow [2].']
    """
    parts = []
    text = text.strip()
    while len(text) > longest:
        cut = _cut(text, longest - len(_CLOSING) if "```" in text else longest)
        head, text = text[:cut].rstrip(), text[cut:].lstrip("\n").rstrip()
        language = open_fence(head)
        if language is None:
            text = text.lstrip()
        else:
            opening = head.rindex("```")
            if opening > longest // 2:  # the block may well fit whole into the next part
                head, text = head[:opening].rstrip(), head[opening:] + "\n" + text
            else:
                head, text = head + _CLOSING, f"```{language}\n{text}"
        parts.append(head)
    return [*parts, text] if text else parts


def open_fence(text: str) -> str | None:
    """The language of the code block that a text leaves open, which may be ""; None if it leaves none open."""
    opened: str | None = None
    for fence in _FENCE.finditer(text):
        opened = fence[1] if opened is None else None
    return opened


def _cut(text: str, longest: int) -> int:
    """Where to cut: at most `longest` characters from the beginning, and at least one."""
    whole = [match.span() for match in _WHOLE.finditer(text, 0, longest + 400) if match.start() < longest]
    earliest = int(longest * (1 - _LOOK_BACK))
    for place in _PLACES:
        # A little further, so that a marker behind the last space is seen.
        cuts = [match.end() for match in place.finditer(text, earliest, longest + 3)]
        free = [cut for cut in cuts if cut <= longest and not any(start < cut < end for start, end in whole)]
        if free:
            return free[-1]
    inside = next((start for start, end in whole if start < longest < end), longest)
    return inside or longest
