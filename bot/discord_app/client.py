"""Discord's events, commands and buttons -> calls. The only importer of discord.

What is shown and meant is decided elsewhere; here it only becomes requests. Nothing is registered for a
button: its id carries its question's, so it works after a restart, and no view is kept in memory.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import discord
import yarl
from discord import app_commands

from bot.discord_app import wording
from bot.discord_app.asking import Desk, Gone, Style, Unreachable
from bot.discord_app.cards import (
    Card,
    Post,
    bibtex_text,
    check_post,
    cited_papers,
    evidence_post,
    paper_post,
    search_post,
    shorter_text,
    source_post,
)
from bot.discord_app.kept import Asked, evaluation_row
from bot.discord_app.markdown import disarmed
from bot.discord_app.parsing import Step, custom_id, question_of, read_custom_id
from bot.discord_app.rules import Rules
from bot.queue import Limits
from bot.references import bibliography
from rag.errors import ConfigurationError, FootnoteError
from rag.types import Answer

_log = logging.getLogger(__name__)
# Nobody talks to this bot; discord.py need not say that it lacks what talking takes.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

# An interaction's token lives 15 minutes; the last one is left for a request under way.
_TOKEN_LIFE = timedelta(minutes=14)
_UNKNOWN_INTERACTION, _UNKNOWN_WEBHOOK, _INVALID_WEBHOOK_TOKEN = 10062, 10015, 50027
# Waits between two tries to connect at first; later discord.py waits by itself.
_RECONNECT_S, _SLOWEST_RECONNECT_S = 1.0, 60.0
_LONGEST_THREAD_NAME = 90
_LONGEST_QUESTION = 2000

Reindex = Callable[[Callable[[Step], Awaitable[None]]], Awaitable[dict[str, Any]]]
"""Rebuilds the store, telling each step; returns the report. Raises FootnoteError."""


class _Components(discord.ui.View):
    """Menu and buttons to be sent. Not one that discord.py keeps and listens to: `on_interaction` gets them all."""

    def is_finished(self) -> bool:
        return True


class _Reason(discord.ui.Modal):
    """The form that asks what was wrong with an answer; not kept by discord.py either."""

    def __init__(self, question_id: str) -> None:
        super().__init__(title=wording.BAD_TITLE, timeout=None, custom_id=custom_id("reason", question_id))
        field = discord.ui.TextInput[Any](custom_id="reason", style=discord.TextStyle.paragraph, max_length=1000)
        self.add_item(discord.ui.Label(text=wording.BAD_LABEL, component=field))

    def is_finished(self) -> bool:
        return True


class FootnoteClient(discord.Client):
    """The bot. `status` gives what /status shows; `reindex` rebuilds the store."""

    def __init__(
        self, desk: Desk, limits: Limits, read_messages: bool, status: Callable[[], dict[str, Any]], reindex: Reindex
    ) -> None:
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
        self.status_facts = status
        self.reindex = reindex
        self.reindexing = asyncio.Lock()
        self.left_open: list[tuple[Asked, int | None]] = []
        """Questions that an earlier process did not end."""
        self.tree = app_commands.CommandTree(self)
        self.tree.error(_on_command_error)
        _add_commands(self)
        _add_manager_commands(self)

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
        mentioned = any(user.id == self._id for user in message.mentions)
        if not (mentioned or self._meant(message)):
            return
        question = question_of(message.content, self._id)
        if not question and not mentioned and message.guild is not None:
            return  # a picture, or the bot may not read what is written here
        style, refusal = self._style(message.guild, message.channel, message.author)
        if refusal:
            return  # silent where it may not answer
        with contextlib.suppress(Unreachable, Gone):
            place, reply = await self._reply_to(message, mentioned, question)
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
            await _explain(interaction, error)

    async def ask(self, interaction: discord.Interaction, question: str, wider: bool = False) -> None:
        """Acknowledge, and answer in the reply to this interaction."""
        style, refusal = self._style(interaction.guild, interaction.channel, interaction.user)
        if refusal:
            await _whisper(interaction, Post(refusal))
            return
        reply = await acknowledged(self, interaction)
        place = interaction.channel_id or 0
        server = interaction.guild_id or 0
        self.desk.begin(self.desk.ask(question, interaction.user.id, server, place, reply, style, wider))

    async def _act(self, interaction: discord.Interaction, action: str, question_id: str, data: Any) -> None:
        found = await self.desk.off_loop(self.desk.kept.find, question_id)
        if found is None:
            await _whisper(interaction, Post(wording.FORGOTTEN))
            return
        asked, answer = found
        if action == "stop":
            if interaction.user.id != asked.person and not _is_manager(interaction):
                await _whisper(interaction, Post(wording.NOT_YOURS))
            elif self.desk.stop(question_id):
                await interaction.response.defer()
            else:
                await _whisper(interaction, Post(wording.NOTHING_RUNS))
        elif action == "retry":
            await self.ask(interaction, asked.question, wider=answer is not None)
        elif answer is None:
            await _whisper(interaction, Post(wording.NOT_ANSWERED_YET))
        elif action == "bad":
            await interaction.response.send_modal(_Reason(question_id))
        elif action in ("good", "reason"):
            reason = data["components"][0]["component"]["value"] if action == "reason" else ""
            row = evaluation_row(answer, question_id, action == "good", reason)
            await self.desk.off_loop(self.desk.kept.rate, question_id, interaction.user.id, action == "good", row)
            await _whisper(interaction, Post(wording.THANKS))
        else:
            await _whisper(interaction, _detail(action, answer, data) or Post(wording.FORGOTTEN))

    async def _reply_to(self, message: discord.Message, mentioned: bool, question: str) -> "tuple[int, PostedReply]":
        """Where to answer a message, acknowledged: in a new thread where the bot was mentioned in a channel."""
        if mentioned and question and isinstance(message.channel, discord.TextChannel):
            with contextlib.suppress(Gone):  # threads are not allowed here
                async with _sending():
                    thread = await message.create_thread(name=" ".join(question.split())[:_LONGEST_THREAD_NAME])
                    reply = PostedReply(self, thread.id)
                    await reply.show(Post(wording.ACKNOWLEDGED))
                return thread.id, reply
        async with _sending():
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
            replied = message.reference.resolved
            return isinstance(replied, discord.Message) and replied.author.id == self._id
        return getattr(message.channel, "owner_id", None) == self._id and not message.mentions

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


class PostedReply:
    """One reply: edited through its interaction's token while that lives, then through its channel."""

    def __init__(
        self,
        client: FootnoteClient,
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
        async with _sending():
            if not await self._edit_by_token(post) and not await self._edit_in_channel(post):
                self._message_id = (await self._channel.send(**_sent(post))).id

    async def finish(self, posts: Sequence[Post]) -> None:
        """Let it show the first, and further messages the others; those already shown are not sent again."""
        for post in posts[self._finished :]:
            if self._finished == 0:
                await self.show(post)
            else:
                async with _sending():
                    if not await self._follow_up(post):
                        await self._channel.send(**_sent(post))
            self._finished += 1

    async def _edit_by_token(self, post: Post) -> bool:
        return await self._by_token(lambda interaction: interaction.edit_original_response(**_edited(post)))

    async def _follow_up(self, post: Post) -> bool:
        return await self._by_token(lambda interaction: interaction.followup.send(wait=True, **_sent(post)))

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
            await self._channel.get_partial_message(self._message_id).edit(**_edited(post))
        except discord.NotFound:
            self._message_id = None
            return False
        return True


async def acknowledged(client: FootnoteClient, interaction: discord.Interaction) -> PostedReply:
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


async def log_in(client: FootnoteClient, token: str, api_base: str, gateway: str) -> None:
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


async def stay_connected(client: FootnoteClient) -> None:
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


def _add_commands(client: FootnoteClient) -> None:
    """The commands for everybody."""
    desk, tree = client.desk, client.tree

    async def titles(_: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = await desk.off_loop(desk.library.titles, typed)
        return [app_commands.Choice(name=title.title[:100], value=title.paper_id) for title in found]

    @tree.command(description="Ask the papers a question.")
    @app_commands.describe(question="Follow-ups are understood.")
    async def ask(interaction: discord.Interaction, question: app_commands.Range[str, 1, _LONGEST_QUESTION]) -> None:
        await client.ask(interaction, question)

    @tree.command(description="List the papers nearest to a query, without answering it.")
    async def search(interaction: discord.Interaction, query: app_commands.Range[str, 1, _LONGEST_QUESTION]) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        found = await desk.look_up(desk.library.nearest, query)
        await interaction.edit_original_response(**_edited(search_post(query, found)))

    @tree.command(description="Show a paper: abstract, date, link, BibTeX.")
    @app_commands.autocomplete(title=titles)
    async def paper(interaction: discord.Interaction, title: app_commands.Range[str, 1, 300]) -> None:
        found = await desk.off_loop(desk.library.paper, title)
        await _whisper(interaction, paper_post(found) if found else Post(wording.NO_PAPER))

    @tree.command(description="BibTeX of a paper, or of all papers cited here as a file.")
    @app_commands.autocomplete(title=titles)
    async def cite(interaction: discord.Interaction, title: app_commands.Range[str, 1, 300] | None = None) -> None:
        if title is not None:
            found = await desk.off_loop(desk.library.paper, title)
            await _whisper(interaction, Post(bibtex_text(found) if found else wording.NO_PAPER))
            return
        # Everybody in a thread sees its answers; elsewhere only one's own count as this conversation.
        person = None if isinstance(interaction.channel, discord.Thread) else interaction.user.id
        answers = await desk.off_loop(desk.kept.answers, interaction.channel_id or 0, person)
        papers = [paper for answer in answers for paper in cited_papers(answer).values()]
        file = ("footnotes.bib", bibliography(papers, "bibtex") + "\n") if papers else None
        await _whisper(interaction, Post("" if papers else wording.NO_CITATIONS, file=file))

    @tree.command(description="Stop your questions here, waiting or being answered.")
    async def stop(interaction: discord.Interaction) -> None:
        stopped = desk.stop_all(interaction.channel_id or 0, interaction.user.id)
        await _whisper(interaction, Post(wording.STOPPED if stopped else wording.NOTHING_RUNS))

    @tree.command(description="Forget our conversation here, and its answers.")
    async def forget(interaction: discord.Interaction) -> None:
        gone = await desk.forget(interaction.channel_id or 0, interaction.user.id)
        await _whisper(interaction, Post(wording.forgot(gone)))

    @tree.command(description="The id of our conversation here, to go on with it in a terminal.")
    async def export(interaction: discord.Interaction) -> None:
        found = await desk.off_loop(desk.conversation, interaction.channel_id or 0, interaction.user.id)
        await _whisper(interaction, Post(wording.exported(found.id) if found else wording.forgot(0)))

    @tree.command(description="What I can do.")
    async def help(interaction: discord.Interaction) -> None:
        await _whisper(interaction, Post(wording.HELP))

    @tree.context_menu(name="Check against the papers")
    async def check(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        checks = await desk.look_up(desk.library.check, message.content)
        post = check_post(checks) if checks else Post(wording.NOTHING_TO_CHECK)
        await interaction.edit_original_response(**_edited(post))


def _add_manager_commands(client: FootnoteClient) -> None:
    """The commands for those who may manage the server; Discord hides them from others, and each checks again."""
    desk, tree = client.desk, client.tree

    @tree.command(description="How I am doing.")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    @app_commands.check(_manager_only)
    async def status(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        facts = await desk.off_loop(client.status_facts)
        await interaction.edit_original_response(content=wording.status(facts))

    @tree.command(description="Read the papers anew; the ones of before serve meanwhile.")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    @app_commands.check(_manager_only)
    async def reindex(interaction: discord.Interaction) -> None:
        if client.reindexing.locked():
            await _whisper(interaction, Post(wording.BUSY_REINDEX))
            return
        async with client.reindexing:
            reply = await acknowledged(client, interaction)

            async def tell(step: Step) -> None:
                with contextlib.suppress(Unreachable, Gone):
                    await reply.show(Post(wording.reindexing(step.stage, step.done, step.total, step.rest)))

            try:
                text = wording.reindexed(await client.reindex(tell))
            except FootnoteError as error:
                text = disarmed(str(error))
            await reply.finish([Post(text)])

    @tree.command(name="config", description="Where and for whom I answer here; without options: show it.")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    @app_commands.check(_manager_only)
    @app_commands.describe(
        channel="Answer in this channel (again: no longer). None: in all.",
        role="Answer this role (again: no longer). None: everybody.",
        waiting_per_person="How many questions of one person may wait.",
        waiting_per_server="How many questions of this server may wait.",
        show_model="Name the model below answers.",
        reset="Back to the defaults.",
    )
    async def config(
        interaction: discord.Interaction,
        channel: discord.TextChannel | None = None,
        role: discord.Role | None = None,
        waiting_per_person: app_commands.Range[int, 1, 50] | None = None,
        waiting_per_server: app_commands.Range[int, 1, 500] | None = None,
        show_model: bool | None = None,
        reset: bool = False,
    ) -> None:
        server = interaction.guild_id or 0
        before = Rules() if reset else desk.kept.rules(server)
        rules = before.with_toggled(channel.id if channel else None, role.id if role else None)
        rules = replace(
            rules,
            waiting_per_person=waiting_per_person or rules.waiting_per_person,
            waiting_per_server=waiting_per_server or rules.waiting_per_server,
            show_model=rules.show_model if show_model is None else show_model,
        )
        await desk.off_loop(desk.kept.set_rules, server, rules)
        limits = rules.limits(client.limits)
        await _whisper(interaction, Post(wording.rules(rules, limits)))


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


def _is_manager(interaction: discord.Interaction) -> bool:
    return interaction.guild_id is not None and interaction.permissions.manage_guild


class _NoManager(app_commands.CheckFailure):
    """A manager's command by somebody else."""


def _manager_only(interaction: discord.Interaction) -> bool:
    if not _is_manager(interaction):
        raise _NoManager
    return True


async def _on_command_error(interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
    await _explain(interaction, getattr(error, "original", error))


async def _explain(interaction: discord.Interaction, error: Exception) -> None:
    """Say what went wrong, to that person alone; what is no person's fault is logged."""
    if isinstance(error, _NoManager):
        text = wording.NO_MANAGER
    elif isinstance(error, FootnoteError):
        text = disarmed(error.message)
    else:
        _log.error("failed", extra={"fields": {"interaction": interaction.id}}, exc_info=error)
        text = wording.SOMETHING_FAILED.format(interaction.id)
    with contextlib.suppress(discord.HTTPException, aiohttp.ClientError):
        if interaction.response.is_done():
            await interaction.followup.send(text, ephemeral=True)
        else:
            await interaction.response.send_message(text, ephemeral=True)


async def _whisper(interaction: discord.Interaction, post: Post) -> None:
    """Reply to that person alone."""
    await interaction.response.send_message(ephemeral=True, **_sent(post))


@contextlib.asynccontextmanager
async def _sending() -> AsyncIterator[None]:
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


def _sent(post: Post) -> dict[str, Any]:
    """A post as discord.py's arguments for a new message."""
    arguments: dict[str, Any] = {"content": post.text}
    if post.card:
        arguments["embed"] = _embed(post.card)
    if post.menu or post.buttons:
        arguments["view"] = _view(post)
    if post.file:
        arguments["file"] = discord.File(io.BytesIO(post.file[1].encode()), post.file[0])
    return arguments


def _edited(post: Post) -> dict[str, Any]:
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
