"""What a person leaves of the papers ("year>=2024") -> a truth value for each row of a store (pure)."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import QuestionError

_COMPARE: dict[str, Callable[[Any, int], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"year\s*(>=|<=|!=|==|=|>|<)\s*(\d{4})(?:\s*(?:\.\.|-)\s*(\d{4}))?", re.I)
_BETWEEN = re.compile(r"\s*(?:,|;|&&?|\band\b|\s)\s*", re.I)


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on the year of a paper that must all hold. A paper of unknown year meets none."""

    conditions: tuple[tuple[str, int], ...]

    def among(self, years: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
        """Which rows are left, given the year of each (0: unknown)."""
        left: npt.NDArray[np.bool_] = years > 0
        for compare, year in self.conditions:
            left &= _COMPARE[compare](years, year)
        return left

    def __str__(self) -> str:
        return " ".join(f"year{compare}{year}" for compare, year in self.conditions)


def read_filter(text: str) -> Filter:
    """The filter a person wrote. Raises QuestionError that shows how one is written.

    >>> str(read_filter("year>=2020, year < 2024")), str(read_filter("year=2020..2023"))
    ('year>=2020 year<2024', 'year>=2020 year<=2023')
    """
    conditions: list[tuple[str, int]] = []
    at, text = 0, text.strip()
    while at < len(text) or not conditions:
        match = _CONDITION.match(text, at)
        if not match or (match[3] and match[1] not in {"=", "=="}):
            raise QuestionError(f"{text[:60]!r} is no filter.", "Write it as year>=2024 or year=2020..2023.")
        if match[3]:
            conditions += [(">=", int(match[2])), ("<=", int(match[3]))]
        else:
            conditions.append((match[1].replace("==", "="), int(match[2])))
        at = match.end()
        if between := _BETWEEN.match(text, at):
            at = between.end()
    return Filter(tuple(conditions))
