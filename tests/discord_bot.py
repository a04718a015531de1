"""The bot as people run it: its own process, real settings, real HTTP and websocket to a local Discord."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.discord_server import PATIENCE_S, TOKEN, DiscordServer

Json = dict[str, Any]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class BotProcess:
    """`footnote discord`; whatever it prints is searched for its token when it ends."""

    def __init__(
        self, folder: Path, discord: DiscordServer, store: Path, model: Path | str, **settings: object
    ) -> None:
        self.folder = folder
        self._discord = discord
        given = {
            "discord_token": TOKEN,
            "discord_api_base": discord.api_base,
            "discord_gateway": discord.gateway,
            "store": store,
            "model": model,
            "sessions": folder / "sessions.db",
            "threads": 1,
            "mode": "write",
            **settings,
        }
        names = {f"FOOTNOTE_{name.upper()}": str(value) for name, value in given.items()}
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("FOOTNOTE_")} | names
        self._printed = folder / "printed.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *paths: Path) -> "BotProcess":
        """Start it, and wait until Discord has it connected and its commands are answered."""
        before = self._discord.identifies
        self.spawn(*paths)
        try:
            self._discord.until(lambda: self._discord.identifies > before or self.ended, "identified")
            assert not self.ended, self.printed
        except BaseException:
            self.end(signal.SIGKILL)
            raise
        return self

    def spawn(self, *paths: Path) -> "BotProcess":
        """Start it without waiting."""
        with self._printed.open("ab") as printed:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "discord", "--", *map(str, paths)],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
        return self

    @property
    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = 60) -> int:
        """Send a signal and wait; returns the exit code."""
        assert self._process is not None
        if not self.ended:
            self._process.send_signal(number)
        code = self._process.wait(within_s)
        self.check_for_secrets()
        return code

    def wait(self) -> int:
        """Wait until it ends by itself."""
        assert self._process is not None
        code = self._process.wait(PATIENCE_S)
        self.check_for_secrets()
        return code

    @property
    def printed(self) -> str:
        """All it has printed so far."""
        return self._printed.read_text(errors="replace")

    def logged(self, event: str) -> list[Json]:
        """The lines of its log with this event."""
        lines = [json.loads(line) for line in self.printed.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def check_for_secrets(self) -> None:
        """The token, and those of interactions, are in nothing it printed or keeps."""
        for file in self.folder.iterdir():
            if file.is_file():
                content = file.read_bytes()
                assert TOKEN.encode() not in content, f"the token is in {file.name}"
                assert b"token-" not in content, f"an interaction's token is in {file.name}"
