"""A text -> its numbers with their units, its names and its words, in order (pure).

Two spellings of one fact read alike: "54.2\\%", "54.2 percent"; "150M", "150 million"; "3x", "three times";
"Llama-2-7B", "LLaMA 2 7B". Knows nothing of passages or claims.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from rag.lexical import words

Kind = Literal["number", "name", "word", "stop"]


@dataclass(frozen=True, slots=True)
class Token:
    """One word, name or number of a text."""

    kind: Kind
    text: str
    """As it is written, LaTeX aside."""
    key: str
    """What its spellings have in common: a stem, a name's letters and digits, a number's value."""
    value: float = 0.0
    unit: str = ""
    step: float = 1.0
    """What its last digit counts: 100,000 in "1.5 million"."""
    bound: str = ""
    """What is said of the real value, "<", "≤", ">" or "≥" this one; "" if this is it."""


_SCALES = {
    "hundred": 1e2,
    "k": 1e3,
    "m": 1e6,
    "b": 1e9,
    "t": 1e12,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
}
_WORDS = dict(
    zip(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
            "thirty",
            "forty",
            "fifty",
            "sixty",
            "seventy",
            "eighty",
            "ninety",
        ],
        [*range(21), *range(30, 100, 10)],
        strict=True,
    )
)
_MULTIPLES = {"twice": 2, "double": 2, "doubles": 2, "doubled": 2, "doubling": 2, "twofold": 2}
_MULTIPLES |= {"thrice": 3, "triple": 3, "triples": 3, "tripled": 3, "tripling": 3, "threefold": 3}
_UNITS = {
    spelling: spellings.split()[0]
    for spellings in (
        "% percent percentage pp",
        "points point",
        "x × times fold",
        "ms millisecond milliseconds",
        "s sec secs second seconds",
        "min mins minute minutes",
        "h hr hrs hour hours",
        "day days",
        "week weeks",
        "month months",
        "year years",
        "KB kB",
        "MB",
        "GB",
        "TB",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "dB",
        "fps FPS",
        "mm",
        "cm",
        "km",
        "nm",
    )
    for spelling in spellings.split()
}
# "over" and "under" also mean "across" and "in": they are true of the number itself.
_BOUNDS = {
    spelling: bound
    for bound, spellings in (
        ("<", "<, less than, fewer than, lower than, smaller than"),
        ("≤", "≤, at most, no more than, not more than, up to, under, below, within"),
        (">", ">, more than, greater than, higher than, larger than"),
        ("≥", "≥, at least, no less than, no fewer than, over, above, exceeds, exceeding, surpasses, surpassing"),
    )
    for spelling in spellings.split(", ")
}
_BOUND = re.compile(rf"(?:[<≤>≥]|\b(?:{'|'.join(_BOUNDS)}))\s*$", re.IGNORECASE)
_LONGEST_BOUND = 16
_FACTOR = re.compile(
    r"\bfactors?(?: of)?(?: (?:about|around|approximately|roughly|nearly|almost|over|up to|more than|at \w+))?$"
)
_JOINS_NUMBERS = {"and", "or", "to", "vs", "versus", "from"}

_ACCENT = re.compile(r"""\\(?:['`^"~=.]|[uvHckr](?![a-z]))\s?\{?\\?([^\W\d_])\}?""")
_COMMANDS = {"times": "×", "sim": " ", "approx": " ", "pm": " ± ", "to": " ", "ell": "l"}
_COMMANDS |= {"geq": " ≥ ", "ge": " ≥ ", "gt": " > ", "leq": " ≤ ", "le": " ≤ ", "lt": " < "}
_LATEX = re.compile(
    r"\\(?:text|math|operator|emph|bf|it|em|tt|rm|sc|mbox)[a-z]*\b\s*|\\([A-Za-z]+)"
    r"|\\([%$_&#{}])|\\[,;:! ]|\{,\}|[${}~]"
)
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_TOKEN = re.compile(
    r"(?:(?<![^\s(\[=<>≤≥±:,])(?<![\d%] )-(?=\.?\d))?"  # a minus sign is no dash of a range
    r"(?:(?<![\w.])\.\d+%?|\d+(?:[.,]\d+)*(?=-\d)"  # ".85"; each end of a range
    r"|[^\W_]+(?:(?:\^-?|[-/_+@&'’]+|(?<=\d)[.,](?=\d)|(?<=[A-Za-z])\.(?=\d))[^\W_]+)*(?:%|×|\++)?|%)"
)
_PLAIN_NUMBER = re.compile(
    rf"({_NUMBER}|\.\d+)(?:(%)|-?([KMBTk])|-?([xX×]|fold|times)|-?(ms|s|h|[kMGT]B|[kMG]?Hz|dB))?"
)
# "1.8x-2.4x", "7B/13B"
_SCALED = rf"{_NUMBER}(?:[KMBT]|[xX×]|%)"
_SCALED_NUMBERS = re.compile(rf"{_SCALED}(?:[-/]{_SCALED})+")
_POWER = re.compile(r"([1-9]\d{0,2})\^(-?\d{1,2})|\d(?:\.\d+)?e-?\d{1,2}")
_COUNTED = re.compile(rf"({_NUMBER}[KMBTk]?)-([a-z]{{2,}}(?:-[a-z]+)*|[CGTN]PUs?)")  # "12-layer", "4-GPU"
_PREFIXED = re.compile(rf"(post|pre|mid)-({_NUMBER})", re.IGNORECASE)  # "post-2020"
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_VARIANTS = re.compile(r"(.+-)([A-Z]{1,2}(?:/[A-Z]{1,2})+)")  # "Swin-T/S/B"
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+|\++")


def plain(text: str) -> str:
    r"""A text without LaTeX's commands and accents, with one kind of dash.

    >>> plain(r"gains $1{,}024$ \textbf{points}, 5\% -- $2\times$"), plain(r"Pad\'{e} and Padé")
    ('gains 1,024 points, 5% - 2×', 'Pade and Pade')
    """
    decomposed = unicodedata.normalize("NFD", _ACCENT.sub(r"\1", text))
    text = unicodedata.normalize("NFC", re.sub("(?<=[^\\W\\d_])[\u0300-\u036f]+", "", decomposed))
    text = _LATEX.sub(_printed, text).replace("−", "-").replace("–", "-").replace("—", " - ")
    text = re.sub(r"-{2,}", " - ", text.replace(" -- ", " - ")).replace("  ", " ")
    if "(1) " in text and "(2) " in text:  # a list, which counts nothing
        text = re.sub(r"(?<!\S)\(\d\) ", "", text)
    return re.sub(r"(?<=\d) ?(?:x|×|times) ?(?=\d)", "x", text)  # 256 × 256


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a sentence, stop words included, since they keep the distance between the others.

    >>> [(token.kind, token.key, token.unit) for token in tokens("Llama-2-7B gains 2 to 54.20 percent.")]
    [('name', 'llama27b', ''), ('word', 'gain', ''), ('number', '2', '%'), ('stop', 'to', ''), ('number', '54.2', '%')]
    """
    found: list[Token] = []
    text = plain(text)
    for match in _TOKEN.finditer(text):
        read = list(_read(match.group(), first=not found))
        if read and read[0].kind == "number":
            read[0] = _bounded(read[0], text[max(0, match.start() - _LONGEST_BOUND) : match.start()])
        found += read
    return tuple(_with_shared_units(_with_units(found)))


def name_pattern(name: str) -> re.Pattern[str]:
    """Finds a name in a lower-case text, however its parts are joined and whether or not it is a plural.

    >>> bool(name_pattern("Llama-2-7Bs").search("we use llama 2 7b only"))
    True
    """
    parts = [re.escape(part.lower()) for part in _PARTS.findall(_singular(name))]
    return re.compile(r"(?<![^\W_])" + r"[\W_]*".join(parts) + r"(?:s|es)?(?![^\W_])")


def _singular(name: str) -> str:
    """A name without the s of a plural or a genitive: "LLMs", "GPT-4's"; "SVT-H-S" keeps its own."""
    name = re.sub(r"['’]s?$", "", name)
    return re.sub(r"(?:(?<=[A-Z0-9])|(?<=[a-z]{3}))s$", "", name)


def _printed(match: re.Match[str]) -> str:
    if command := match[1]:
        return _COMMANDS.get(command, command)
    return match[2] or (
        "," if match[0] == "{,}" else "" if match[0] in "${}" else " " if match[0] in {"~", "\\ ", "\\,"} else ""
    )


def _bounded(number: Token, before: str) -> Token:
    """A number with the bound that the words before it make it, if they do."""
    if not (found := _BOUND.search(before)):
        return number
    return replace(number, text=f"{found[0]}{number.text}", bound=_BOUNDS[found[0].strip().lower()])


def _read(text: str, first: bool) -> Iterator[Token]:
    """The token or tokens of what stands between two blanks."""
    lower = text.lower()
    if text[0] == "-":
        for token in _read(text[1:], first):
            yield replace(token, text=f"-{token.text}", key=f"-{token.key}", value=-token.value)
    elif number := _PLAIN_NUMBER.fullmatch(text):
        digits, percent, scale, times, unit = number.groups()
        scaled = _SCALES.get((scale or "").lower(), 1)
        step = scaled * 10.0 ** -len(digits.partition(".")[2])
        value = float(digits.replace(",", "")) * scaled
        yield _number(text, value, _UNITS.get(percent or times or unit or "", "x" if times else ""), step)
    elif power := _POWER.fullmatch(text):
        value = float(power[1]) ** int(power[2]) if power[1] else float(text)
        yield _number(text, value, step=value / 10)
    elif re.fullmatch(rf"{_NUMBER}(?:/{_NUMBER})+%?", text) or _SCALED_NUMBERS.fullmatch(text):
        for part in re.split("[/-]", text):
            yield from _read(part, first)
    elif parts := _COUNTED.fullmatch(text) or _PREFIXED.fullmatch(text):
        yield from _read(parts[1], first)
        yield from _read(parts[2], False)
    elif ordinal := _ORDINAL.fullmatch(lower):
        yield _number(text, float(ordinal[1]))
    elif variants := _VARIANTS.fullmatch(text):
        for variant in variants[2].split("/"):
            yield from _read(variants[1] + variant, first)
    elif lower in _MULTIPLES:
        yield _number(text, _MULTIPLES[lower], "x")
    elif lower in _WORDS:
        yield _number(text, _WORDS[lower])
    elif lower.split("-")[0] in _WORDS and text[1:].islower():  # "two-stage", "twenty-four"
        head, _, rest = lower.partition("-")
        if _WORDS[head] >= 20 and 0 < _WORDS.get(rest, 0) < 10:
            yield _number(text, _WORDS[head] + _WORDS[rest])
        else:
            yield _number(head, _WORDS[head])
            for part in rest.split("-"):
                yield from _read(part, first)
    elif _is_name(text, first):
        plain_word = re.fullmatch(r"[A-Z][a-z]+(?:['’]s)?", text)
        yield Token("name", text, (plain_word and _stem(lower)) or "".join(_PARTS.findall(_singular(text))).lower())
    else:
        for part in filter(None, re.split(r"[-/_]", text)):
            stem = _stem(part.lower())
            yield Token("word" if stem else "stop", part, stem or part.lower())


def _number(text: str, value: float, unit: str = "", step: float = 1.0) -> Token:
    return Token("number", text, f"{value:.10g}", value, unit, step)


def _is_name(text: str, first: bool) -> bool:
    """A word with a capital or a digit in it, except one that only begins a sentence."""
    if not re.search(r"[^\W\d_]", text):
        return text[0].isdigit()  # "10^400"
    if text.removesuffix("'s").removesuffix("’s") in {"I", "A"}:
        return False
    if re.search(r"\d", text) or re.search(r"[^\W_].*[A-Z]", text):
        return True
    return text[0].isupper() and not first and bool(_stem(text.lower()))


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    stems = words(re.sub(r"['’]s?$", "", word))
    return stems[-1] if stems else ""


def _with_units(found: Sequence[Token]) -> list[Token]:
    """Each number with the scale and unit that stand after it as words of their own."""
    joined: list[Token] = []
    for token in found:
        before = joined[-1] if joined else None
        if before and before.kind == "number" and not before.unit:
            scale = _SCALES.get(token.text if len(token.text) > 1 else token.text.lower() * token.text.isupper())
            if scale and scale != _SCALES.get(before.text.split()[-1]):  # "16.7 million (M)" is scaled once
                scaled = _number(f"{before.text} {token.text}", before.value * scale, step=before.step * scale)
                joined[-1] = replace(scaled, bound=before.bound)
                continue
            if unit := _UNITS.get(token.text):
                joined[-1] = replace(
                    before, text=f"{before.text}{'' if unit == '%' == token.text else ' '}{token.text}", unit=unit
                )
                continue
        if token.kind == "number" and not token.unit and _FACTOR.search(" ".join(other.text for other in joined[-6:])):
            token = replace(token, unit="x")
        joined.append(token)
    return joined


def _with_shared_units(found: Sequence[Token]) -> list[Token]:
    """In "2, 3 and 5%" all three are percentages."""
    shared = list(found)
    for i in reversed(range(len(shared) - 1)):
        if shared[i].kind == "number" and not shared[i].unit:
            following = shared[i + 2 if shared[i + 1].text in _JOINS_NUMBERS and i + 2 < len(shared) else i + 1]
            if following.kind == "number" and following.unit != "x":
                shared[i] = replace(shared[i], unit=following.unit)
    return shared
