"""A day of Discord in minutes: python -m benchmarks.discord [ROUNDS]

The real bot as its own process, without a language model (its memory is the same for every question), against
the tests' strict Discord. A round is 200 messages, ten questions with a button each, a burst of 429s and a lost
connection; every tenth rebuilds the store as well. The default of 50 rounds is a lab's day: 10,000 messages,
500 questions, 50 disconnects, 5 rebuilds. What the process holds is printed as it goes and must stay flat.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from rag.embed import SentenceEmbedder
from rag.rebuild import rebuild
from tests.conftest import PLANETS
from tests.discord_bot import BotProcess, free_port
from tests.discord_server import DiscordServer
from tests.discord_soak import footprint, metrics, round_of_events

_MESSAGES, _QUESTIONS, _REBUILD_EVERY = 200, 10, 10


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as name, DiscordServer() as discord:
        folder, port = Path(name), free_port()
        dump = folder / "dump.jsonl"
        dump.write_text("".join(json.dumps({"title": t, "abstract": a}) + "\n" for t, a in PLANETS))
        rebuild([dump], folder / "store", SentenceEmbedder())
        bot = BotProcess(folder, discord, folder / "store", "none", discord_metrics_port=port).start(dump)
        began = time.monotonic()
        print(f"{'round':>5} {'seconds':>8} {'MiB':>7} {'tasks':>6} {'threads':>8} {'files':>6} {'worst lag ms':>13}")
        for number in range(rounds):
            rebuilds = number % _REBUILD_EVERY == _REBUILD_EVERY - 1
            round_of_events(discord, number, _MESSAGES, _QUESTIONS, disconnect=True, reindex=rebuilds)
            held, lag = footprint(bot, port), metrics(port)["footnote_worst_loop_lag_seconds"] * 1000
            print(
                f"{number:>5} {time.monotonic() - began:>8.1f} {held.memory_bytes / 2**20:>7.0f} {held.tasks:>6} "
                f"{held.threads:>8} {held.files:>6} {lag:>13.0f}",
                flush=True,
            )
        code = bot.end()
        print(f"exit code {code}, {len(discord.violations)} refusable requests, {discord.zombies} late heartbeats")


if __name__ == "__main__":
    main()
