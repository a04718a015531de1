"""How the client gets its connection to Discord and keeps it; knows nothing of what comes through it."""

import asyncio
import logging

import aiohttp
import discord
import yarl

from rag.errors import ConfigurationError

_log = logging.getLogger(__name__)
# Waits between two tries to connect at first; later discord.py waits by itself.
_RECONNECT_S, _SLOWEST_RECONNECT_S = 1.0, 60.0


async def log_in(client: discord.Client, token: str, api_base: str, gateway: str) -> None:
    """Log in, however long Discord is away. Raises ConfigurationError if it does not know the token."""
    if api_base:
        discord.http.Route.BASE = api_base
    if gateway:
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
    wait = _RECONNECT_S
    while True:
        try:
            await client.login(token)
            return
        except discord.LoginFailure as exc:
            raise ConfigurationError(
                "Discord does not know the bot's token.",
                "Reset it on the application's page under Bot, and set FOOTNOTE_DISCORD_TOKEN.",
            ) from exc
        except (discord.HTTPException, OSError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("cannot log in", extra={"fields": {"why": str(error), "again_in_s": wait}})
        await asyncio.sleep(wait)
        wait = min(wait * 2, _SLOWEST_RECONNECT_S)


async def stay_connected(client: discord.Client) -> None:
    """Connect, and again whenever the connection ends. Raises ConfigurationError if Discord refuses it for good."""
    wait = _RECONNECT_S
    while not client.is_closed():
        try:
            await client.connect()
        except discord.PrivilegedIntentsRequired as exc:
            raise ConfigurationError(
                "Discord does not let the bot read messages.",
                "Turn on Message Content Intent on the application's page under Bot, or set "
                "FOOTNOTE_DISCORD_READ_MESSAGES=false and do without threads that need no mention.",
            ) from exc
        except discord.ConnectionClosed as exc:
            raise ConfigurationError(
                f"Discord closed the connection for good (code {exc.code}).",
                "4004: set FOOTNOTE_DISCORD_TOKEN to a new token. Others: see Discord's list of gateway close codes.",
            ) from exc
        except AttributeError:
            # What discord.py 2.7 raises if the very first connection is refused: it has no socket to resume.
            if client.ws is not None:
                raise
        await asyncio.sleep(wait)
        wait = min(wait * 2, _SLOWEST_RECONNECT_S)
