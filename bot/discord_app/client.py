"""The gateway's events, buttons, menus and forms -> calls. Commands come through its tree: `commands` adds them.

What is shown and meant is decided elsewhere; here it only becomes requests. Nothing is registered for a
button: its id carries its question's, so it works after a restart, and no view is kept in memory.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
import discord
from discord import app_commands

from bot.discord_app import wording
from bot.discord_app.asking import Desk, Gone, Style, Unreachable
from bot.discord_app.cards import Post, evidence_post, shorter_text, source_post
from bot.discord_app.kept import Asked, evaluation_row
from bot.discord_app.parsing import names, question_of, read_custom_id
from bot.discord_app.posting import PostedReply, Reason, acknowledged, explain, sending, whisper
from bot.queue import Limits
from rag.errors import FootnoteError
from rag.types import Answer

_log = logging.getLogger(__name__)
# Nobody talks to this bot; discord.py need not say that it lacks what talking takes.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

_LONGEST_THREAD_NAME = 90


class FootnoteClient(discord.Client):
    """The bot."""

    def __init__(self, desk: Desk, limits: Limits, read_messages: bool) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=read_messages)
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._count_request)
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            # Nothing is looked up among members or earlier messages, so none is kept.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.5,
            http_trace=trace,
        )
        self.desk = desk
        self.limits = limits
        self.left_open: list[tuple[Asked, int | None]] = []
        """Questions that an earlier process did not end."""
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        """Register the commands with Discord if they are not the ones registered last."""
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        digest = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
        name = f"commands of {self.application_id}"
        if await self.desk.off_loop(self.desk.kept.fact, name) != digest:
            await self.tree.sync()
            await self.desk.off_loop(self.desk.kept.set_fact, name, digest)
            _log.info("commands registered")

    async def on_ready(self) -> None:
        """Tell whoever asked an earlier process and got no reply."""
        _log.info("ready", extra={"fields": {"servers": len(self.guilds)}})
        left, self.left_open = self.left_open, []
        for asked, message in left:
            self.desk.begin(self.desk.tell_restarted(asked, PostedReply(self, asked.place, message_id=message)))

    async def on_disconnect(self) -> None:
        """Count it."""
        self.desk.watch.disconnects += 1

    async def on_resumed(self) -> None:
        """Note it."""
        _log.info("resumed")

    async def on_error(self, event_method: str, /, *_: Any, **__: Any) -> None:
        """Log what an event raised, instead of printing it."""
        _log.exception("failed", extra={"fields": {"in": event_method}})

    async def on_message(self, message: discord.Message) -> None:
        """A question, if it is addressed to the bot."""
        if message.author.bot or message.type not in (discord.MessageType.default, discord.MessageType.reply):
            return
        pinged = any(user.id == self._id for user in message.mentions)  # also by a reply to it
        if not (pinged or self._meant(message)):
            return
        named = pinged and names(message.content, self._id)
        question = question_of(message.content, self._id)
        if not question and not named and message.guild is not None:
            return  # a picture, or the bot may not read what is written here
        style, refusal = self._style(message.guild, message.channel, message.author)
        if refusal:
            return  # silent where it may not answer
        with contextlib.suppress(Unreachable, Gone):
            anew = named and bool(question) and not self._replies_to_it(message)
            place, reply = await self._reply_to(message, anew, question)
            if not question:
                await reply.finish([Post(wording.NOT_A_QUESTION)])
                return
            server = message.guild.id if message.guild else 0
            self.desk.begin(self.desk.ask(question, message.author.id, server, place, reply, style))

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """A button, a menu or a form. Commands come through the tree."""
        data: Any = interaction.data or {}
        found = read_custom_id(str(data.get("custom_id", "")))
        if found is None or interaction.type not in (
            discord.InteractionType.component,
            discord.InteractionType.modal_submit,
        ):
            return
        action, question_id = found
        try:
            await self._act(interaction, action, question_id, data)
        except (FootnoteError, discord.HTTPException) as error:
            await explain(interaction, error)

    async def ask(
        self,
        interaction: discord.Interaction,
        question: str,
        wider: bool = False,
        history: Sequence[str] | None = None,
    ) -> None:
        """Acknowledge, and answer in the reply to this interaction, as the desk does."""
        style, refusal = self._style(interaction.guild, interaction.channel, interaction.user)
        if refusal:
            await whisper(interaction, Post(refusal))
            return
        reply = await acknowledged(self, interaction)
        place = interaction.channel_id or 0
        server = interaction.guild_id or 0
        self.desk.begin(self.desk.ask(question, interaction.user.id, server, place, reply, style, wider, history))

    async def _act(self, interaction: discord.Interaction, action: str, question_id: str, data: Any) -> None:
        found = await self.desk.off_loop(self.desk.kept.find, question_id)
        if found is None:
            await whisper(interaction, Post(wording.FORGOTTEN))
            return
        asked, answer = found
        if action == "stop":
            if interaction.user.id != asked.person and not is_manager(interaction):
                await whisper(interaction, Post(wording.NOT_YOURS))
            elif self.desk.stop(question_id):
                await interaction.response.defer()
            else:
                await whisper(interaction, Post(wording.NOTHING_RUNS))
        elif action == "retry":
            await self.ask(interaction, asked.question, wider=answer is not None, history=asked.history)
        elif answer is None:
            await whisper(interaction, Post(wording.NOT_ANSWERED_YET))
        elif action == "bad":
            await interaction.response.send_modal(Reason(question_id))
        elif action in ("good", "reason"):
            reason = data["components"][0]["component"]["value"] if action == "reason" else ""
            row = evaluation_row(asked, answer, action == "good", reason)
            await self.desk.off_loop(self.desk.kept.rate, question_id, interaction.user.id, action == "good", row)
            await whisper(interaction, Post(wording.THANKS))
        else:
            await whisper(interaction, _detail(action, answer, data) or Post(wording.FORGOTTEN))

    async def _reply_to(self, message: discord.Message, anew: bool, question: str) -> "tuple[int, PostedReply]":
        """Where to answer a message, acknowledged: in a new thread if a conversation begins `anew` in a channel."""
        if anew and isinstance(message.channel, discord.TextChannel):
            with contextlib.suppress(Gone):  # threads are not allowed here
                async with sending():
                    thread = await message.create_thread(name=" ".join(question.split())[:_LONGEST_THREAD_NAME])
                    reply = PostedReply(self, thread.id)
                    await reply.show(Post(wording.ACKNOWLEDGED))
                return thread.id, reply
        async with sending():
            sent = await message.reply(wording.ACKNOWLEDGED)
        return message.channel.id, PostedReply(self, message.channel.id, message_id=sent.id)

    @property
    def _id(self) -> int:
        return self.user.id if self.user else 0

    def _meant(self, message: discord.Message) -> bool:
        """Whether a message is for the bot without naming it: sent directly, a reply to it, or in its own thread."""
        if message.guild is None:
            return True
        if message.reference is not None:
            return self._replies_to_it(message)
        return getattr(message.channel, "owner_id", None) == self._id and not message.mentions

    def _replies_to_it(self, message: discord.Message) -> bool:
        replied = message.reference.resolved if message.reference else None
        return isinstance(replied, discord.Message) and replied.author.id == self._id

    def _style(self, guild: discord.Guild | None, channel: Any, user: Any) -> tuple[Style, str | None]:
        """How this server wants it, and why it wants no answer here or for this person."""
        if guild is None:
            return Style(self.limits), None
        rules = self.desk.kept.rules(guild.id)
        channels = [channel.id, getattr(channel, "parent_id", None) or 0] if channel else []
        roles = [role.id for role in getattr(user, "roles", ())]
        return Style(rules.limits(self.limits), rules.show_model), rules.refuses(channels, roles)

    async def _count_request(self, _: Any, __: Any, params: aiohttp.TraceRequestEndParams) -> None:
        self.desk.watch.requests[str(params.response.status)] += 1


def _detail(action: str, answer: Answer, data: Any) -> Post | None:
    """What a menu or button shows of an answer; None if there is no such thing."""
    match action:
        case "source":
            return source_post(answer, int(data["values"][0]))
        case "evidence":
            return evidence_post(answer)
        case "shorter":
            return Post(shorter_text(answer))
    return None


def is_manager(interaction: discord.Interaction) -> bool:
    """Whether whoever did this may manage the server it came from."""
    return interaction.guild_id is not None and interaction.permissions.manage_guild
