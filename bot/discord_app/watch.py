"""How the bot is doing: counts, and how late its event loop is. Also as Prometheus reads it (text format 0.0.4)."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

_EVERY_S = 0.05
# So many last measurements stand for "now": a minute's.
_RECENT = 1200


class Watch:
    """Counts what happened and measures the event loop; used on its thread alone."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.ended: Counter[str] = Counter()
        """Questions, by how they ended."""
        self.requests: Counter[str] = Counter()
        """Requests to Discord, by their status."""
        self.disconnects = 0
        self._lags: deque[float] = deque(maxlen=_RECENT)
        self.worst_lag_s = 0.0

    async def run(self) -> None:
        """Measure until cancelled: how much later than asked the loop comes back."""
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            await asyncio.sleep(_EVERY_S)
            lag = max(loop.time() - asked - _EVERY_S, 0.0)
            self._lags.append(lag)
            self.worst_lag_s = max(self.worst_lag_s, lag)

    def lag_s(self, share: float) -> float:
        """The lag that this share of the last minute's measurements stayed below."""
        lags = sorted(self._lags)
        return lags[min(int(share * len(lags)), len(lags) - 1)] if lags else 0.0


def metrics_text(values: Mapping[str, float], counts: Mapping[str, tuple[str, Mapping[str, int]]]) -> str:
    r"""Gauges by name, and counters by name with the label they are told apart by.

    >>> metrics_text({"waiting": 2}, {"questions": ("state", {"done": 5})})
    'footnote_waiting 2\nfootnote_questions_total{state="done"} 5\n'
    """
    lines = [f"footnote_{name} {value:g}" for name, value in values.items()]
    lines += [
        f'footnote_{name}_total{{{label}="{key}"}} {count}'
        for name, (label, by_key) in counts.items()
        for key, count in by_key.items()
    ]
    return "\n".join(lines) + "\n"


async def serve_metrics(host: str, port: int, text: Callable[[], str]) -> Callable[[], object]:
    """Answer GET /metrics there; returns what ends it, a coroutine function."""
    from aiohttp import web

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=text(), content_type="text/plain")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner.cleanup
