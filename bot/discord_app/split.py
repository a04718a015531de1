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
_OPENING, _CLOSING = re.compile(r"```[\w+-]{0,20}"), "\n```"


def split(text: str, longest: int = LONGEST) -> list[str]:
    """Parts of at most `longest` characters that together hold all of the text but white space at the cuts.

    `longest` must leave room for a fence to be opened and closed: 40 or more where there may be code.

    >>> split("One is fast [1]. Two is slow [2].", 20)
    ['One is fast [1].', 'Two is slow [2].']
    """
    parts = []
    text = text.strip()
    while len(text) > longest:
        cut = _cut(text, longest - len(_CLOSING) if "```" in text else longest)
        head = text[:cut].rstrip()
        fence = _open_fence(head)
        if fence is None:
            text = text[cut:].lstrip()
        elif fence.start() > longest // 2:  # the block may well fit whole into the next part
            head, text = head[: fence.start()].rstrip(), text[fence.start() :].lstrip()
        else:
            head, text = head + _CLOSING, f"```{fence[1]}\n" + text[cut:].lstrip("\n")
        parts.append(head)
    return [*parts, text] if text else parts


def open_fence(text: str) -> str | None:
    """The language of the code block that a text leaves open, which may be ""; None if it leaves none open."""
    fence = _open_fence(text)
    return fence[1] if fence else None


def _open_fence(text: str) -> re.Match[str] | None:
    """The fence line of the code block that a text leaves open."""
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        opened = fence if opened is None else None
    return opened


def _cut(text: str, longest: int) -> int:
    """Where to cut: at most `longest` characters from the beginning, and at least one.

    Of a text that begins with a fence a part must hold more than that: the next one opens the block again, and what
    is left would never get shorter.
    """
    opening = _OPENING.match(text)
    least = len(opening[0]) + 2 if opening else 1
    whole = [match.span() for match in _WHOLE.finditer(text, 0, longest + 400) if match.start() < longest]
    earliest = max(int(longest * (1 - _LOOK_BACK)), least - 1)
    for place in _PLACES:
        # A little further, so that a marker behind the last space is seen.
        cuts = [match.end() for match in place.finditer(text, earliest, longest + 3)]
        free = [cut for cut in cuts if least <= cut <= longest and not any(start < cut < end for start, end in whole)]
        if free:
            return free[-1]
    inside = next((start for start, end in whole if start < longest < end), longest)
    return inside if inside >= least else longest
