"""Text as it is stored, compared and cut: the plain functions every stage shares (pure).

Knows nothing of dumps, models or markers.
"""

import re
import unicodedata

LINK = re.compile(r"https?://(?=\w)[^\s<>\"{}|\\^`]{1,2000}")
_TRAILING = ".,;:!?'"

# A stop ends a sentence only if what follows can begin one and what precedes is no abbreviation.
_STOP = re.compile(
    r"(?<![.!?])[.!?]++[\"'”’)\]]{0,4}+\s++(?=[\"'“‘(\[]?[A-Z0-9$\\α-ωΑ-Ω])"
    r"|(?<=[a-z]{3})\.(?=[A-Z][a-z]*[ ,])"  # a space was lost: "performance.In contrast"
)
# A stop after these ends no sentence; or only if no number follows; or only before a usual beginning.
_GOES_ON = re.compile(
    r"(?:^|[\s(\[~])(?:[Ee]\.g|[Ii]\.e|a\.k\.a|s\.t|v\.s|w\.r\.t|cf|vs|resp|approx|ca|viz|Figs?|Eqs?|Eqns?|Secs?|Refs?|Tab"
    r"|Thms?|Props?|Nos?|Phys|Rev|Proc|Dr|Prof|Mr|Mrs|Ms|St|Inc|Ltd|Jr|Sr)\.$"
)
_BEFORE_NUMBER = re.compile(
    r"(?:^|[\s(\[~])(?:pp?|[Vv]ols?|nos?|max|avg|Lett|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.$"
)
_SELDOM_LAST = re.compile(  # "w.h.p." often is, and "e.t.c."
    r"(?:^|[\s(\[~])(?:etc|al|DR|MR|Ph\.D|(?:[A-Z]\.)*[A-Z]|(?:non-)?(?!w\.h\.p|e\.t\.c)(?:[a-z]\.)+[a-z])\.$"
)
_DOTTED_NAME = re.compile(r"(?:[.`/\\_]\w+|\b(?:[A-Z][a-z]+|torch|numpy|keras))\.$")  # "Boost.Python,"
_BEGINNING = re.compile(
    r"(?:We|Our|The|This|These|In|However|To|It|A|An|For|By|With|On|As|Then|Also|Finally|Specifically|Moreover"
    r"|Furthermore|Additionally|Beyond|Compared|Comparing|Experiments|Extensive)\b"
)
_LONGEST_BEFORE, _LONGEST_BEGINNING = 24, 20


def clean(text: str) -> str:
    """One line of printable text: control characters and runs of white space become one space.

    >>> clean("a\\x1b[31m  b\\n c")
    'a [31m b c'
    """
    return " ".join(printable(text).split())


_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
# Marks of width none, which hide within a marker or turn a line around. Two are kept that join letters and emoji.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """A text whose control characters, line ends aside, are spaces, so that none reaches a terminal; nothing hides.

    >>> printable("a\\x1b[31m\\nb[\\u200b9]")
    'a [31m\\nb[9]'
    """
    return _UNPRINTABLE.sub(" ", _INVISIBLE.sub("", text))


def title_key(title: str) -> str:
    """What two spellings of one title have in common.

    >>> title_key("MoE-Mamba:  Efficient Models!")
    'moe mamba efficient models'
    """
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", title).casefold()))


def links(text: str) -> tuple[str, ...]:
    """The web addresses in a text, in order, without the punctuation of the sentence around them.

    >>> links("Code (https://github.com/a/b) and https://c.d/e.")
    ('https://github.com/a/b', 'https://c.d/e')
    """
    found = []
    for match in LINK.finditer(text):
        link = match.group().rstrip(_TRAILING)
        while link.endswith((")", "]")) and link.count(link[-1]) > link.count({")": "(", "]": "["}[link[-1]]):
            link = link[:-1].rstrip(_TRAILING)
        found.append(link)
    return tuple(dict.fromkeys(found))


def sentences(text: str) -> tuple[str, ...]:
    """Cut a text into sentences, each a verbatim substring without the white space around it.

    >>> sentences("It gains 1.2 points, cf. Fig. 3. We (e.g. on ImageNet) win.")
    ('It gains 1.2 points, cf. Fig. 3.', 'We (e.g. on ImageNet) win.')
    """
    cuts, start = [], 0
    for match in _STOP.finditer(text):
        before = text[max(start, match.start() - _LONGEST_BEFORE) : match.start() + 1]
        after = text[match.end() : match.end() + _LONGEST_BEGINNING]
        if before.endswith(".") and not _ends(before, after, spaced=match.group() != "."):
            continue
        cuts.append(text[start : match.end()].strip())
        start = match.end()
    cuts.append(text[start:].strip())
    return tuple(cut for cut in cuts if cut)


def _ends(before: str, after: str, spaced: bool) -> bool:
    """Whether a stop between two texts, with or without a space behind it, ends a sentence."""
    if _GOES_ON.search(before) or (_BEFORE_NUMBER.search(before) and after[0].isdigit()):
        return False
    return not (_SELDOM_LAST if spaced else _DOTTED_NAME).search(before) or _BEGINNING.match(after) is not None


def unmarked(text: str) -> str:
    """A text whose bracketed numbers cannot be taken for our markers.

    >>> unmarked("as shown in [3, 4] and [CLS]")
    'as shown in (3, 4) and [CLS]'
    """
    return _MARKER_LIKE.sub(r"(\1)", _INVISIBLE.sub("", text))


_MARKER_LIKE = re.compile("[\\[【［][\\s\u200c\u200d]?(\\d[\\d\\s,;\u200c\u200d-]{0,40})[\\]】］]")


def with_marker(sentence: str, markers: str) -> str:
    """A sentence with its markers, which go before the full stop.

    >>> with_marker("It is fast.", "[2]"), with_marker("Is it?", "[1]")
    ('It is fast [2].', 'Is it? [1]')
    """
    return f"{sentence[:-1].rstrip()} {markers}." if sentence.endswith(".") else f"{sentence} {markers}"
