r"""Text that nobody vouches for (a model's, an abstract's, a title's) -> what Discord may show of it (pure).

Discord draws neither pipe tables nor LaTeX, so they become aligned columns and Unicode. What would ping,
link under a false name or pass for the bot's own words is disarmed: `AllowedMentions.none()` stops the
notification, this stops the look of one.
"""

import re
from collections.abc import Sequence

from rag.text import LINK

# A wider table wraps in a code block on a phone and on half a screen; it is shown row by row instead.
_WIDEST_TABLE = 76
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.S)
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_ZERO_WIDTH = "\u200b"

_MATH = re.compile(
    r"\$\$(.{1,2000}?)\$\$|\\\[(.{1,2000}?)\\\]|\\\((.{1,500}?)\\\)|\$(?=[^\s$])([^$\n]{1,500}?)(?<=\S)\$(?!\d)", re.S
)
_SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ",
    "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
    "times": "×", "cdot": "·", "pm": "±", "mp": "∓", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥",
    "neq": "≠", "ne": "≠", "approx": "≈",
    "sim": "∼", "simeq": "≃", "equiv": "≡", "propto": "∝", "infty": "∞", "sum": "∑", "prod": "∏",
    "int": "∫", "partial": "∂", "nabla": "∇", "in": "∈", "notin": "∉", "subset": "⊂", "subseteq": "⊆", "cup": "∪",
    "cap": "∩", "to": "→", "rightarrow": "→", "leftarrow": "←", "Rightarrow": "⇒", "mapsto": "↦", "ldots": "…",
    "cdots": "⋯", "dots": "…", "ell": "ℓ", "log": "log", "exp": "exp", "min": "min", "max": "max", "ll": "≪", "gg": "≫",
    "quad": " ", "qquad": " ", "left": "", "right": "", "circ": "∘", "degree": "°", "star": "⋆", "ast": "∗",
    "forall": "∀", "exists": "∃", "langle": "⟨", "rangle": "⟩", "mid": "|", "otimes": "⊗", "oplus": "⊕", "prime": "′",
}  # fmt: skip
_DOUBLE_STRUCK = dict(zip("CHNPQRZE", "ℂℍℕℙℚℝℤ𝔼", strict=True))
_RAISED = dict(zip("0123456789+-=()nixT*", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣᵀ*", strict=True))
_LOWERED = dict(zip("0123456789+-=()aeijknoprtuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₖₙₒₚᵣₜᵤᵥₓ", strict=True))


def shown(text: str) -> str:
    """A model's answer as Discord may show it: tables and LaTeX converted, the rest disarmed.

    >>> shown("It costs $O(n^2)$, see [here](https://a.b) @everyone")
    'It costs O(n²), see [here] (<https://a.b>) @\u200beveryone'
    """
    parts = _CODE.split(_without_tables(text))
    return "".join(part if part.startswith("`") else disarmed(plain_math(part)) for part in parts)


def disarmed(text: str) -> str:
    """A text whose mentions, masked links, headings and quotes show as the characters they are.

    >>> disarmed("<@123> said\\n# hello")
    '<\u200b@123> said\\n\\\\# hello'
    """
    text = re.sub(r"\](?=\()", "] ", text)
    text = re.sub(r"<(?=[@#/:]|a:|t:|id:)", "<" + _ZERO_WIDTH, text)
    text = re.sub(r"@(?=everyone|here)", "@" + _ZERO_WIDTH, text)
    text = re.sub(r"^(\s*)(?=#{1,3} |-# |>)", r"\1\\", text, flags=re.M)
    return LINK.sub(_without_preview, text)


def escaped(text: str) -> str:
    """One line of a record (a title, a name, a sentence) that shows as it is, whatever it holds.

    >>> escaped("The *best* of $x_i$ @here")
    'The \\\\*best\\\\* of xᵢ @\u200bhere'
    """
    return disarmed(re.sub(r"([\\*_~|`])", r"\\\1", plain_math(" ".join(text.split()))))


def code_block(text: str, language: str = "") -> str:
    """A fenced block that its text cannot close."""
    return f"```{language}\n{text.replace('```', '`' + _ZERO_WIDTH + '``')}\n```"


def plain_math(text: str) -> str:
    r"""LaTeX's math as Unicode, as far as there are characters for it; sums of money stay.

    >>> plain_math(r"from $5 to $10: \(\frac{1}{2}\times\mathbb{R}^{d}\), $10^{-3}$")
    'from $5 to $10: 1/2×ℝ^d, 10⁻³'
    """
    return _MATH.sub(lambda match: _unicode(next(filter(None, match.groups()))), text)


def _unicode(tex: str) -> str:
    tex = re.sub(r"\\[,;:! ]|~", " ", tex)
    before = None
    while tex != before:  # from the innermost braces outwards
        before = tex
        tex = re.sub(r"\\mathbb *\{?([A-Z])\}?", lambda match: _DOUBLE_STRUCK.get(match[1], match[1]), tex)
        tex = re.sub(
            r"\\[dt]?frac *\{([^{}]*)\} *\{([^{}]*)\}", lambda m: f"{_bracketed(m[1])}/{_bracketed(m[2])}", tex
        )
        tex = re.sub(r"\\sqrt *\{([^{}]*)\}", lambda match: "√" + _bracketed(match[1]), tex)
        tex = re.sub(
            r"\\(?:math[a-z]+|text[a-z]*|operatorname\*?|boldsymbol|bm|hat|bar|tilde|vec) *\{([^{}]*)\}", r"\1", tex
        )
        tex = re.sub(r"\^(?:\{([^{}]*)\}|([^\s\\{}]))", lambda m: _shifted("^", m[1] or m[2] or "", _RAISED), tex)
        tex = re.sub(r"_(?:\{([^{}]*)\}|([^\s\\{}]))", lambda m: _shifted("_", m[1] or m[2] or "", _LOWERED), tex)
        tex = re.sub(r"\\([A-Za-z]+)", lambda match: _SYMBOLS.get(match[1], match.group()), tex)
        tex = re.sub(r"(?<!\\)\{([^{}]*)(?<!\\)\}", r"\1", tex)
    tex = re.sub(r"\\([%&#_{}$|\\])", r"\1", " ".join(tex.split()))
    return tex.replace(_KEPT["^"], "^").replace(_KEPT["_"], "_")


# Stand for signs that have no raised or lowered form, so that they are not looked at again.
_KEPT = {"^": "\ue000", "_": "\ue001"}


def _bracketed(term: str) -> str:
    return term if re.fullmatch(r"[\w.\\]*", term) else f"({term})"


def _shifted(sign: str, term: str, characters: dict[str, str]) -> str:
    if all(character in characters for character in term):
        return "".join(characters[character] for character in term)
    return _KEPT[sign] + _bracketed(term)


def _without_tables(text: str) -> str:
    """A text whose pipe tables are aligned columns."""
    lines, written = text.split("\n"), []
    while lines:
        rule = lines[1] if len(lines) > 1 else ""
        if "|" in lines[0] and "|" in rule and _RULE.fullmatch(rule):
            end = next((number for number, line in enumerate(lines) if "|" not in line), len(lines))
            written.append(_columns(lines[:end]))
            del lines[:end]
        else:
            written.append(lines.pop(0))
    return "\n".join(written)


def _columns(lines: Sequence[str]) -> str:
    """A pipe table as aligned columns, or row by row where that would be too wide."""
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    head, body = rows[0], rows[2:]
    rows = [(row + [""] * len(head))[: len(head)] for row in [head, *body]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    if sum(widths) + 2 * (len(widths) - 1) > _WIDEST_TABLE:
        return "\n".join(
            "- " + "; ".join(f"{name}: {cell}" for name, cell in zip(head, row, strict=True)) for row in rows[1:]
        )
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return code_block("\n".join([aligned[0], "  ".join("─" * width for width in widths), *aligned[1:]]))


def _without_preview(match: re.Match[str]) -> str:
    """An address in angle brackets, which Discord links without a preview."""
    address = match.group()
    end = address.rstrip(".,;:!?'")
    while end.endswith(")") and end.count(")") > end.count("("):
        end = end[:-1].rstrip(".,;:!?'")
    before = match.string[match.start() - 1 : match.start()]
    return address if before == "<" else f"<{end}>{address[len(end) :]}"
