"""LaTeX as bibliographies hold it -> Unicode text (pure)."""

import re
import unicodedata

_COMBINING = "\u0308\u0301\u0300\u0302\u0303\u0304\u0307\u0327\u030c\u0306\u030b\u030a\u0328\u0323\u0331"
_ACCENTS = dict(zip("\"'`^~=.cvuHrkdb", _COMBINING, strict=True))
_SYMBOLS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å",
    "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ", "NG": "Ŋ",
    "textendash": "–", "textemdash": "—", "textquoteleft": "‘", "textquoteright": "’", "textquotedblleft": "“",
    "textquotedblright": "”", "textquotesingle": "'", "textquotedbl": '"', "textasciitilde": "~", "textbackslash": "\\",
    "textasciicircum": "^", "textunderscore": "_", "textless": "<", "textgreater": ">", "textbar": "|",
    "textdollar": "$", "textbraceleft": "{", "textbraceright": "}", "textellipsis": "…", "ldots": "…", "dots": "…",
    "textdegree": "°", "textmu": "µ", "texttimes": "×", "textpm": "±", "S": "§", "copyright": "©",
    "textregistered": "®", "texttrademark": "™", "textbullet": "•", "pounds": "£", "texteuro": "€", "euro": "€",
    "LaTeX": "LaTeX", "TeX": "TeX",
    "&": "&", "%": "%", "_": "_", "$": "$", "#": "#", "{": "{", "}": "}", '"': '"', "'": "'", "-": "", "/": "", "!": "",
    "@": "", "\\": " ", " ": " ", ",": " ", ";": " ", ":": " ",
    "~": "~", "^": "^",
}  # fmt: skip
_LIGATURES = {"---": "—", "--": "–", "``": "“", "''": "”", "~": " ", "{": "", "}": ""}
_STYLES = "emph|em|it|bf|tt|sc|rm|sf|sl|url|mbox|enquote|text(?:bf|it|tt|sc|rm|sf|sl|up|normal|(?:sub|super)script)?"

_NAMED = "|".join(name for name in _SYMBOLS if name.isalpha())

# No branch looks far ahead in vain more than once in a text, so that all of them together take linear time.
_LATEX = re.compile(
    r"(?=[\\$h~{}`'-])(?:"  # for speed alone
    r"(?P<math>\$\$(?:[^$\\]++|\\.)++\$\$|\$(?:[^$\\]++|\\.)++\$"
    r"|\\\((?:[^\\]++|\\[^()])*+\\\)|\\\[(?:[^\\]++|\\[^][])*+\\\])"
    r"|(?P<address>https?://(?:[^\s{}\\]++|\\[%&_#~$])++)"
    r"""|(?P<accented>\\(?:(?P<sign>["'`^~=.])\s*+|(?P<letter>[cvuHrkdb])(?:\s++|(?=\{)))"""
    r"(?:\{\s*+\\?(?P<within>[A-Za-z])\s*+\}|\\?(?P<after>[A-Za-z])))"
    rf"|(?P<style>\\(?:{_STYLES})(?![A-Za-z])\s*+|\\vphantom\s*+\{{\\[{{}}]\}})"  # so Zotero balances a brace
    rf"|(?P<symbol>\\({_NAMED})(?![A-Za-z])(?:\{{\}}|\s++)?|\\([^A-Za-z]))"
    r"|(?P<unknown>\\[A-Za-z]++(?:\{[^{}]*+\})*+)"
    r"|(?P<ligature>---?|``|''|[~{}]))",
    re.S,
)


def unicode(text: str) -> str:
    r"""LaTeX as it is printed, as far as it is simple; math and unknown commands stay as they are.

    >>> unicode(r"{\'E}t{\'e} of the {GPU}s: 5\% of $x_{i}$ in \emph{Stra{\ss}e} --- \cite{foo}")
    'Été of the GPUs: 5% of $x_{i}$ in Straße — \\cite{foo}'
    """
    return _LATEX.sub(_printed, text)


def _printed(match: re.Match[str]) -> str:
    stands = match.group()
    match match.lastgroup:
        case "address":
            return re.sub(r"\\(.)", r"\1", stands)
        case "accented":
            accent = _ACCENTS[match["sign"] or match["letter"]]
            composed = unicodedata.normalize("NFC", (match["within"] or match["after"]) + accent)
            return composed if len(composed) == 1 else stands
        case "style":
            return ""
        case "symbol":
            return _SYMBOLS.get(stands.rstrip("{} \t\n")[1:] or stands[1], stands)
        case "ligature":
            return _LIGATURES[stands]
    return stands
