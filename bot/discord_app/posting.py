"""Posts -> what Discord shows: new messages, edits, replies for one person alone.

Knows nothing of questions and answers. What discord.py raises becomes Unreachable or Gone here.
"""

import contextlib
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import aiohttp
import discord

from bot.discord_app import wording
from bot.discord_app.asking import Gone, Unreachable
from bot.discord_app.cards import Card, Post
from bot.discord_app.markdown import disarmed
from bot.discord_app.parsing import custom_id
from rag.errors import FootnoteError

_log = logging.getLogger(__name__)

# An interaction's token lives 15 minutes; the last one is left for a request under way.
_TOKEN_LIFE = timedelta(minutes=14)
_UNKNOWN_INTERACTION, _UNKNOWN_WEBHOOK, _INVALID_WEBHOOK_TOKEN = 10062, 10015, 50027


class PostedReply:
    """One reply: edited through its interaction's token while that lives, then through its channel."""

    def __init__(
        self,
        client: discord.Client,
        channel: int,
        interaction: discord.Interaction | None = None,
        message_id: int | None = None,
    ) -> None:
        self._channel = client.get_partial_messageable(channel)
        self._interaction = interaction
        self._message_id = message_id
        self._finished = 0

    @property
    def message_id(self) -> int | None:
        """Its id; None if there is no message yet."""
        return self._message_id

    async def show(self, post: Post) -> None:
        """Let it show this."""
        async with sending():
            if not await self._edit_by_token(post) and not await self._edit_in_channel(post):
                self._message_id = (await self._channel.send(**sent(post))).id

    async def finish(self, posts: Sequence[Post]) -> None:
        """Let it show the first, and further messages the others; those already shown are not sent again."""
        for post in posts[self._finished :]:
            if self._finished == 0:
                await self.show(post)
            else:
                async with sending():
                    if not await self._follow_up(post):
                        await self._channel.send(**sent(post))
            self._finished += 1

    async def _edit_by_token(self, post: Post) -> bool:
        return await self._by_token(lambda interaction: interaction.edit_original_response(**edited(post)))

    async def _follow_up(self, post: Post) -> bool:
        return await self._by_token(lambda interaction: interaction.followup.send(wait=True, **sent(post)))

    async def _by_token(self, request: Callable[[discord.Interaction], Awaitable[object]]) -> bool:
        """Make a request with the interaction's token; False if that is no longer possible."""
        if self._interaction is not None and discord.utils.utcnow() - self._interaction.created_at < _TOKEN_LIFE:
            try:
                await request(self._interaction)
                return True
            except discord.HTTPException as error:
                if error.code not in (_INVALID_WEBHOOK_TOKEN, _UNKNOWN_WEBHOOK):
                    raise
        self._interaction = None
        return False

    async def _edit_in_channel(self, post: Post) -> bool:
        if self._message_id is None:
            return False
        try:
            await self._channel.get_partial_message(self._message_id).edit(**edited(post))
        except discord.NotFound:
            self._message_id = None
            return False
        return True


async def acknowledged(client: discord.Client, interaction: discord.Interaction) -> PostedReply:
    """Acknowledge an interaction at once; the reply is its original response, or a message if it came too late."""
    channel = interaction.channel_id or 0
    try:
        response = await interaction.response.defer(thinking=True)
    except discord.HTTPException as error:
        if error.code != _UNKNOWN_INTERACTION:
            raise
        _log.warning("acknowledged too late")
        return PostedReply(client, channel)
    return PostedReply(client, channel, interaction, response.message_id if response else None)


async def whisper(interaction: discord.Interaction, post: Post) -> None:
    """Reply to that person alone."""
    await interaction.response.send_message(ephemeral=True, **sent(post))


async def explain(interaction: discord.Interaction, error: Exception) -> None:
    """Say what went wrong, to that person alone; what is no person's fault is logged."""
    if isinstance(error, FootnoteError):
        text = disarmed(error.message)
    else:
        _log.error("failed", extra={"fields": {"interaction": interaction.id}}, exc_info=error)
        text = wording.SOMETHING_FAILED.format(interaction.id)
    await tell(interaction, text)


async def tell(interaction: discord.Interaction, text: str) -> None:
    """Tell that person alone, acknowledged or not yet; if Discord refuses, there is no other way."""
    with contextlib.suppress(discord.HTTPException, aiohttp.ClientError):
        if interaction.response.is_done():
            await interaction.followup.send(text, ephemeral=True)
        else:
            await interaction.response.send_message(text, ephemeral=True)


@contextlib.asynccontextmanager
async def sending() -> AsyncIterator[None]:
    """Turn what discord.py raises into Unreachable, worth another try, or Gone."""
    try:
        yield
    except (discord.DiscordServerError, discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise Unreachable(str(exc)) from exc
    except (discord.NotFound, discord.Forbidden) as exc:
        raise Gone(exc.text) from exc
    except discord.HTTPException as exc:
        if exc.status == 429:
            raise Unreachable(exc.text) from exc
        _log.exception("Discord refused a message")
        raise Gone(exc.text) from exc


def sent(post: Post) -> dict[str, Any]:
    """A post as discord.py's arguments for a new message."""
    arguments: dict[str, Any] = {"content": post.text}
    if post.card:
        arguments["embed"] = _embed(post.card)
    if post.menu or post.buttons:
        arguments["view"] = _view(post)
    if post.file:
        arguments["file"] = discord.File(io.BytesIO(post.file[1].encode()), post.file[0])
    return arguments


def edited(post: Post) -> dict[str, Any]:
    """A post as discord.py's arguments for an edit, which also takes away what it does not show."""
    embeds = [_embed(post.card)] if post.card else []
    return {"content": post.text, "embeds": embeds, "view": _view(post) if post.menu or post.buttons else None}


def _embed(card: Card) -> discord.Embed:
    embed = discord.Embed(title=card.title, description=card.text, url=card.url)
    for name, value in card.fields:
        embed.add_field(name=name, value=value)
    return embed


def _view(post: Post) -> discord.ui.View:
    view = _Components(timeout=None)
    if post.menu:
        options = [
            discord.SelectOption(label=option.label, value=option.value, description=option.description or None)
            for option in post.menu
        ]
        view.add_item(
            discord.ui.Select(
                custom_id=custom_id("source", post.question_id), placeholder=wording.CHOOSE_SOURCE, options=options
            )
        )
    for button in post.buttons:
        view.add_item(
            discord.ui.Button(
                custom_id=custom_id(button.action, post.question_id),
                label=button.label or None,
                emoji=button.emoji or None,
                style=discord.ButtonStyle.secondary,
            )
        )
    return view


class _Components(discord.ui.View):
    """Menu and buttons to be sent. Not one that discord.py keeps and listens to: `on_interaction` gets them all."""

    def is_finished(self) -> bool:
        return True


class Reason(discord.ui.Modal):
    """The form that asks what was wrong with an answer; not kept by discord.py either."""

    def __init__(self, question_id: str) -> None:
        super().__init__(title=wording.BAD_TITLE, timeout=None, custom_id=custom_id("reason", question_id))
        field = discord.ui.TextInput[Any](custom_id="reason", style=discord.TextStyle.paragraph, max_length=1000)
        self.add_item(discord.ui.Label(text=wording.BAD_LABEL, component=field))

    def is_finished(self) -> bool:
        """Say so, for that reason."""
        return True
