"""A day of Discord in minutes: chatter, questions, buttons, disconnects, rate limits and rebuilds, in turn."""

import os
import re
import urllib.request
from dataclasses import dataclass

from tests.discord_bot import BotProcess
from tests.discord_server import MANAGER, DiscordServer

QUESTION = "What accuracy does Mercury reach on the Tides benchmark?"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a bot's process holds."""

    memory_bytes: int
    tasks: int
    threads: int
    files: int


def metrics(port: int) -> dict[str, float]:
    """What the bot tells Prometheus, by name with labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        lines = page.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def footprint(bot: BotProcess, port: int) -> Footprint:
    """Measured while nothing waits."""
    now = metrics(port)
    files = len(os.listdir(f"/proc/{bot.pid}/fd"))
    return Footprint(int(now["footnote_memory_bytes"]), int(now["footnote_tasks"]), int(now["footnote_threads"]), files)


def round_of_events(
    discord: DiscordServer, number: int, messages: int, questions: int, disconnect: bool, reindex: bool
) -> None:
    """Some chatter and questions, each answered; then perhaps a lost connection and a rebuild."""
    for chat in range(messages):
        discord.say(f"nothing for a bot {number}-{chat}", user=1000 + chat % 50)
    discord.fail(r"PATCH /(webhooks|channels)", 429, times=2, retry_after=0.05)
    asked = [discord.slash("ask", user=2000 + person, question=f"{QUESTION} {number}") for person in range(questions)]
    for question in asked:
        message = discord.answered(question)
        pressed = discord.press(message, "source", user=question.user, values=["1"])
        discord.until(lambda pressed=pressed: pressed.acknowledged == 4, "a card")  # type: ignore[misc]
    if disconnect:
        before = discord.resumes
        discord.disconnect(4000)
        discord.until(lambda: discord.resumes > before, "resumed")
    if reindex:
        command = discord.slash("reindex", user=MANAGER)
        discord.until(lambda: re.search(r"Done: \d+ papers", command.text), "rebuilt")
    with discord.changed:  # the messages of before are over, also for this side
        discord.messages.clear()
        discord.interactions.clear()
        discord.requests.clear()
        discord.failures.clear()
