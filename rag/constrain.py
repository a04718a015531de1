"""What the model may write next: a mask over its tokens (pure).

Square brackets are reserved for markers. Between markers a bracket may only open one, and once one is
open it may only be finished to a marker of a passage that is in the prompt. Text without brackets, the
refusal included, is always allowed, and so is ending, except inside an open marker.

Only tokens that hold a bracket can ever be wrong outside a marker, so they are listed once per model
and checked once per answer; a step outside a marker costs one indexed assignment. (llama.cpp's grammar
sampler walks the whole vocabulary at every step instead.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

TokenIds = npt.NDArray[np.intp]

_OPEN, _CLOSE = ord("["), ord("]")
_DIGITS = frozenset(b"0123456789")


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one model, as the bytes they print; control tokens print nothing."""

    pieces: tuple[bytes, ...]
    ends: frozenset[int]
    """Tokens that end the answer."""
    control: frozenset[int]
    """Tokens that print nothing and must not be written; none of `ends`."""

    @cached_property
    def bracketed(self) -> TokenIds:
        """Tokens with a square bracket in them."""
        return _ids(i for i, piece in enumerate(self.pieces) if _OPEN in piece or _CLOSE in piece)

    @cached_property
    def inside(self) -> TokenIds:
        """Tokens that could go on with an open marker: they begin with a digit or the closing bracket."""
        return _ids(i for i, piece in enumerate(self.pieces) if piece[:1].isdigit() or piece[:1] == b"]")


class MarkerRules:
    """What may be written with these markers; made once for a model and a set of markers."""

    def __init__(self, vocabulary: Vocabulary, markers: Iterable[int]) -> None:
        self.vocabulary = vocabulary
        self._markers = frozenset(str(marker).encode() for marker in markers)
        self._allowed: dict[bytes, TokenIds] = {}
        beginnings = {marker[:length] for marker in self._markers for length in range(len(marker) + 1)}
        if not all(len(self.allowed(beginning)) for beginning in beginnings):
            self._markers = frozenset()  # this vocabulary could open a marker and then not go on
        wrong = [token for token in vocabulary.bracketed if not self._allows(None, vocabulary.pieces[token])]
        self.forbidden = np.union1d(_ids(wrong), _ids(vocabulary.control))
        """Tokens that may not come outside a marker."""

    def allowed(self, state: bytes) -> TokenIds:
        """The only tokens that may come inside a marker, after the digits in `state`."""
        if state not in self._allowed:
            self._allowed[state] = _ids(
                token for token in self.vocabulary.inside if self._allows(state, self.vocabulary.pieces[token])
            )
        return self._allowed[state]

    def after(self, state: bytes | None, piece: bytes) -> bytes | None:
        """The state after a piece: the digits of an open marker, or None outside one.

        Raises Forbidden if the piece may not come.
        """
        for byte in piece:
            if state is None:
                if byte == _CLOSE or (byte == _OPEN and not self._markers):
                    raise Forbidden
                state = b"" if byte == _OPEN else None
            elif byte == _CLOSE and state in self._markers:
                state = None
            else:
                state += bytes((byte,))
                if byte not in _DIGITS or not any(marker.startswith(state) for marker in self._markers):
                    raise Forbidden
        return state

    def _allows(self, state: bytes | None, piece: bytes) -> bool:
        try:
            self.after(state, piece)
        except Forbidden:
            return False
        return True


class MarkerMask:
    """Follows one answer token by token and says what may come next.

    >>> vocabulary = Vocabulary((b"a", b"[", b"1", b"2", b"]", b"12]"), frozenset(), frozenset())
    >>> mask = MarkerMask(MarkerRules(vocabulary, {1}))
    >>> mask.forbidden.tolist(), mask.only
    ([4, 5], None)
    >>> mask.accept(1)
    >>> mask.only.tolist()
    [2]
    """

    def __init__(self, rules: MarkerRules) -> None:
        self._rules = rules
        self._state: bytes | None = None

    @property
    def only(self) -> TokenIds | None:
        """The only tokens that may come next; None outside a marker, where all but `forbidden` may."""
        return None if self._state is None else self._rules.allowed(self._state)

    @property
    def forbidden(self) -> TokenIds:
        """The tokens that may not come next outside a marker."""
        return self._rules.forbidden

    def accept(self, token: int) -> None:
        """Note that `token` was written. Raises Forbidden if it was not allowed."""
        self._state = self._rules.after(self._state, self._rules.vocabulary.pieces[token])


class Forbidden(Exception):
    """A token was written that the mask does not allow."""


def _ids(tokens: Iterable[int]) -> TokenIds:
    return np.fromiter(tokens, dtype=np.intp)
