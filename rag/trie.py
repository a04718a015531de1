"""Which of some texts a model is writing: the tokens that are open, and those that are forced (pure).

The texts form a trie over their tokens. Where it branches the model decides; along a branch there is nothing to
decide, so that a whole sentence costs a few decisions at its beginning.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Tokens = Sequence[int]


class Walk:
    """One way through the trie of some token sequences, from its root to the end of one.

    >>> walk = Walk({0: (1, 2, 3, 9), 1: (1, 2, 3, 4, 9), 2: (5, 9)})
    >>> walk.options
    [1, 5]
    >>> walk.accept(1)
    >>> walk.forced(), walk.options, walk.found
    ([2, 3], [9, 4], None)
    >>> walk.accept(4)
    >>> walk.found, walk.forced()
    (1, [9])

    Where one sequence begins with another, only the first given is in the trie. `priors` are log-weights of the
    sequences, 0 if not given.

    >>> Walk({0: (1, 2), 1: (1, 3), 2: (4,)}, {2: -1.0}).priors.round(2).tolist()  # two begin with 1
    [0.69, -1.0]
    """

    def __init__(self, sequences: Mapping[int, Tokens], priors: Mapping[int, float] | None = None) -> None:
        self._open: dict[int, Tokens] = {}
        self._priors = priors or {}
        for number, tokens in sequences.items():
            if tokens and not any(_one_begins_the_other(tokens, other) for other in self._open.values()):
                self._open[number] = tokens
        self._depth = 0

    @property
    def options(self) -> list[int]:
        """The tokens that may come next, in the order of the sequences; none at the end of one."""
        here = (tokens[self._depth] for tokens in self._open.values() if len(tokens) > self._depth)
        return list(dict.fromkeys(here))

    @property
    def priors(self) -> npt.NDArray[np.float64]:
        """The log-weight of all that begins with each of `options`."""
        found = dict.fromkeys(self.options, -np.inf)
        for number, tokens in self._open.items():
            if len(tokens) > self._depth:
                token = tokens[self._depth]
                found[token] = np.logaddexp(found[token], self._priors.get(number, 0.0))
        return np.array(list(found.values()))

    @property
    def found(self) -> int | None:
        """The number of the sequence, once no other is open; it may not be at its end yet."""
        return next(iter(self._open)) if len(self._open) == 1 else None

    def accept(self, token: int) -> None:
        """Go on with one of `options`."""
        self._open = {number: tokens for number, tokens in self._open.items() if tokens[self._depth] == token}
        self._depth += 1

    def forced(self) -> list[int]:
        """Go on as long as there is one option, and return the tokens."""
        passed = []
        while len(options := self.options) == 1:
            self.accept(options[0])
            passed += options
        return passed


def _one_begins_the_other(one: Tokens, other: Tokens) -> bool:
    return all(first == second for first, second in zip(one, other, strict=False))
