"""The mask allows exactly the texts whose brackets are markers of the passages."""

import re

import numpy as np
import pytest

from rag.constrain import Forbidden, MarkerMask, MarkerRules, Vocabulary

PIECES = (
    b"",
    b" the",
    b"[",
    b"]",
    b"1",
    b"2",
    b"12",
    b"[1",
    b"1]",
    b"][",
    b"].",
    b" [2]",
    b"[[",
    b"a]",
    b"[a",
    b"0",
    b"\xc3",
    b"\xa9",
    b"]x",
)
VOCABULARY = Vocabulary(PIECES, ends=frozenset({0}), control=frozenset())
REFUSAL = b"The papers here do not answer this."


def allowed(mask: MarkerMask) -> set[int]:
    return set(mask.only.tolist()) if mask.only is not None else set(range(len(PIECES))) - set(mask.forbidden.tolist())


def could_become_valid(text: bytes, markers: set[int]) -> bool:
    """The same language, said as a pattern: whole markers, then perhaps the beginning of one."""
    ways = "|".join(str(marker) for marker in sorted(markers)) or "(?!)"
    beginnings = (
        "|".join(
            sorted({str(marker)[:length] for marker in markers for length in range(len(str(marker)) + 1)}, reverse=True)
        )
        or "(?!)"
    )
    return (
        re.fullmatch(rf"(?:[^\[\]]|\[(?:{ways})\])*(?:\[(?:{beginnings}))?", text.decode("latin-1"), re.DOTALL)
        is not None
    )


@pytest.mark.parametrize("markers", [set(), {1}, {1, 2}, {2, 12}, set(range(1, 21))])
def test_a_token_is_allowed_exactly_if_the_text_can_still_be_valid(markers: set[int]) -> None:
    rules = MarkerRules(VOCABULARY, markers)
    random = np.random.default_rng(len(markers))
    for _ in range(150):
        mask, text = MarkerMask(rules), b""
        for _ in range(12):
            may = allowed(mask)
            inside = mask.only is not None
            for token, piece in enumerate(PIECES):
                expected = could_become_valid(text + piece, markers) and not (inside and piece == b"")
                assert (token in may) == expected, (text, piece)
            token = int(random.choice(sorted(may)))
            mask.accept(token)
            text += PIECES[token]


@pytest.mark.parametrize("markers", [set(), {1}, {3, 4}])
def test_refusal_and_end_are_open_wherever_no_marker_is(markers: set[int]) -> None:
    pieces = tuple(bytes((byte,)) for byte in range(256))
    vocabulary = Vocabulary((*pieces, b""), ends=frozenset({256}), control=frozenset())
    mask = MarkerMask(MarkerRules(vocabulary, markers))
    for byte in b"Sure. " + REFUSAL:
        assert byte not in mask.forbidden
        assert 256 not in mask.forbidden
        mask.accept(byte)


def test_answer_cannot_end_inside_a_marker() -> None:
    mask = MarkerMask(MarkerRules(VOCABULARY, {1}))
    mask.accept(PIECES.index(b"["))
    assert 0 not in allowed(mask)


def test_control_tokens_that_do_not_end_are_forbidden() -> None:
    vocabulary = Vocabulary((b"", b"", b"a"), ends=frozenset({0}), control=frozenset({1}))
    assert MarkerMask(MarkerRules(vocabulary, {1})).forbidden.tolist() == [1]


def test_vocabulary_that_cannot_finish_a_marker_opens_none() -> None:
    vocabulary = Vocabulary((b"[", b"]", b"a"), ends=frozenset(), control=frozenset())
    assert MarkerMask(MarkerRules(vocabulary, {1})).forbidden.tolist() == [0, 1]


def test_accepting_what_is_not_allowed_is_an_error() -> None:
    with pytest.raises(Forbidden):
        MarkerMask(MarkerRules(VOCABULARY, {2})).accept(PIECES.index(b"[1"))
