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
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[~])(?:e\.g|i\.e|cf|vs|etc|al|resp|approx|ca|w\.r\.t|viz|Fig|Figs|Eq|Eqs|Sec|Ref|Refs|Tab|No|Nos"
    r"|Dr|Prof|Mr|Mrs|Ms|St|Inc|Ltd|Jr|Sr|(?:[A-Z]\.)*[A-Z])\.$"
)
_LONGEST_ABBREVIATION = 24
_ENDS_ANYWAY = re.compile(r"(?:etc|al|[A-Z])\.$")


def clean(text: str) -> str:
    """One line of printable text: control characters and runs of white space become one space.

    >>> clean("a\\x1b[31m  b\\n c")
    'a [31m b c'
    """
    return " ".join(printable(text).split())


_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


def printable(text: str) -> str:
    """A text whose control characters, line ends aside, are spaces, so that none reaches a terminal.

    >>> printable("a\\x1b[31m\\nb")
    'a [31m\\nb'
    """
    return _UNPRINTABLE.sub(" ", text)


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
        head = text[max(start, match.start() - _LONGEST_ABBREVIATION) : match.start() + 1]
        if text[match.start()] == "." and _ABBREVIATION.search(head):
            following = text[match.end() : match.end() + 12]
            if not (_ENDS_ANYWAY.search(head) and re.match(r"(?:We|Our|The|This|In|However|To|It|A|An)\b", following)):
                continue
        cuts.append(text[start : match.end()].strip())
        start = match.end()
    cuts.append(text[start:].strip())
    return tuple(cut for cut in cuts if cut)


def unmarked(text: str) -> str:
    """A text whose bracketed numbers cannot be taken for our markers.

    >>> unmarked("as shown in [3, 4] and [CLS]")
    'as shown in (3, 4) and [CLS]'
    """
    return _MARKER_LIKE.sub(r"(\1)", text)


_MARKER_LIKE = re.compile(r"[\[【［]\s?(\d[\d\s,;-]{0,40})[\]】］]")


def with_marker(sentence: str, markers: str) -> str:
    """A sentence with its markers, which go before the full stop.

    >>> with_marker("It is fast.", "[2]"), with_marker("Is it?", "[1]")
    ('It is fast [2].', 'Is it? [1]')
    """
    return f"{sentence[:-1].rstrip()} {markers}." if sentence.endswith(".") else f"{sentence} {markers}"
