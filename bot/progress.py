"""How far a rebuild is -> a bar with rate and time left on a terminal, a line every few seconds elsewhere."""

import time
from collections.abc import Callable
from typing import Any, TextIO

_SECONDS_BETWEEN_LINES = 5.0


class Lines:
    """A line where a stage ends, and in a long one every few seconds with the rate and what is left of it."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._stage = ""
        self._began = self._printed = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`total` is 0 as long as it is unknown."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._began, self._printed = stage, now, now
        seconds = now - self._began
        if done == total:
            self._print(f"{stage} {done}/{total}")
        elif now - self._printed >= _SECONDS_BETWEEN_LINES and done:
            self._printed = now
            rate = done / seconds
            left = f", {_span((total - done) / rate)} left" if total else ""
            self._print(f"{stage} {done}{f'/{total}' if total else ''}, {rate:,.0f}/s{left}")

    def close(self) -> None:
        """Nothing is left open."""

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Bar:
    """tqdm's bar, one a stage."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage = ""
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`total` is 0 as long as it is unknown."""
        if stage != self._stage:
            from tqdm import tqdm  # not at once: a rebuild that fails at its first file needs none

            self.close()
            self._bar = tqdm(desc=stage, total=total or None, file=self._stream, dynamic_ncols=True, smoothing=0.1)
            self._stage = stage
        self._bar.total = total or self._bar.total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the last bar as it is and go to the next line."""
        if self._bar is not None:
            self._bar.close()


def progress_on(stream: TextIO) -> Lines | Bar:
    """What suits this stream."""
    return Bar(stream) if stream.isatty() else Lines(stream)


def _span(seconds: float) -> str:
    """A time to wait, as precise as it is worth.

    >>> _span(42.3), _span(1300), _span(9000)
    ('42 s', '22 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
