"""The slash commands and the message's context menu -> calls.

Each only asks the desk and whispers or posts what `cards` and `wording` make of it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import discord
from discord import app_commands

from bot.discord_app import wording
from bot.discord_app.asking import Gone, Unreachable, finish
from bot.discord_app.cards import Post, bibtex_text, check_post, cited_papers, paper_post, search_post
from bot.discord_app.client import FootnoteClient, is_manager
from bot.discord_app.markdown import disarmed
from bot.discord_app.parsing import Step
from bot.discord_app.posting import acknowledged, edited, explain, tell, whisper
from bot.discord_app.rules import Rules
from bot.references import bibliography
from rag.errors import FootnoteError

_LONGEST_QUESTION = 2000

Reindex = Callable[[Callable[[Step], Awaitable[None]]], Awaitable[dict[str, Any]]]
"""Rebuilds the store, telling each step; returns the report. Raises FootnoteError."""


def add_commands(client: FootnoteClient, status: Callable[[], dict[str, Any]], reindex: Reindex) -> None:
    """Add them all to the client's tree. `status` gives what /status shows; `reindex` rebuilds the store."""
    client.tree.error(_on_command_error)
    _add_open_commands(client)
    _add_manager_commands(client, status, reindex)


def _add_open_commands(client: FootnoteClient) -> None:
    """Those for everybody."""
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
        await interaction.edit_original_response(**edited(search_post(query, found)))

    @tree.command(description="Show a paper: abstract, date, link, BibTeX.")
    @app_commands.autocomplete(title=titles)
    async def paper(interaction: discord.Interaction, title: app_commands.Range[str, 1, 300]) -> None:
        found = await desk.off_loop(desk.library.paper, title)
        await whisper(interaction, paper_post(found) if found else Post(wording.NO_PAPER))

    @tree.command(description="BibTeX of a paper, or of all papers cited here as a file.")
    @app_commands.autocomplete(title=titles)
    async def cite(interaction: discord.Interaction, title: app_commands.Range[str, 1, 300] | None = None) -> None:
        if title is not None:
            found = await desk.off_loop(desk.library.paper, title)
            await whisper(interaction, Post(bibtex_text(found) if found else wording.NO_PAPER))
            return
        # Everybody in a thread sees its answers; elsewhere only one's own count as this conversation.
        person = None if isinstance(interaction.channel, discord.Thread) else interaction.user.id
        answers = await desk.off_loop(desk.kept.answers, interaction.channel_id or 0, person)
        papers = [paper for answer in answers for paper in cited_papers(answer).values()]
        file = ("footnotes.bib", bibliography(papers, "bibtex") + "\n") if papers else None
        await whisper(interaction, Post("" if papers else wording.NO_CITATIONS, file=file))

    @tree.command(description="Stop your questions here, waiting or being answered.")
    async def stop(interaction: discord.Interaction) -> None:
        stopped = desk.stop_all(interaction.channel_id or 0, interaction.user.id)
        await whisper(interaction, Post(wording.STOPPED if stopped else wording.NOTHING_RUNS))

    @tree.command(description="Forget our conversation here, and its answers.")
    async def forget(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)  # another program may be writing
        gone = await desk.forget(interaction.channel_id or 0, interaction.user.id)
        await interaction.edit_original_response(content=wording.forgot(gone))

    @tree.command(description="The id of our conversation here, to go on with it in a terminal.")
    async def export(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)  # another program may be writing
        found = await desk.off_loop(desk.conversation, interaction.channel_id or 0, interaction.user.id)
        await interaction.edit_original_response(content=wording.exported(found.id) if found else wording.forgot(0))

    @tree.command(description="What I can do.")
    async def help(interaction: discord.Interaction) -> None:
        await whisper(interaction, Post(wording.HELP))

    @tree.context_menu(name="Check against the papers")
    async def check(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        checks = await desk.look_up(desk.library.check, message.content)
        post = check_post(checks) if checks else Post(wording.NOTHING_TO_CHECK)
        await interaction.edit_original_response(**edited(post))


def _add_manager_commands(client: FootnoteClient, facts: Callable[[], dict[str, Any]], rebuild: Reindex) -> None:
    """Those for people who may manage the server; Discord hides them from others, and each checks again."""
    desk, tree, rebuilding = client.desk, client.tree, asyncio.Lock()

    @tree.command(description="How I am doing.")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    @app_commands.check(_manager_only)
    async def status(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        await interaction.edit_original_response(content=wording.status(await desk.off_loop(facts)))

    @tree.command(description="Read the papers anew; the ones of before serve meanwhile.")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    @app_commands.check(_manager_only)
    async def reindex(interaction: discord.Interaction) -> None:
        if rebuilding.locked():
            await whisper(interaction, Post(wording.BUSY_REINDEX))
            return
        async with rebuilding:
            reply = await acknowledged(client, interaction)

            async def show(step: Step) -> None:
                with contextlib.suppress(Unreachable, Gone):
                    await reply.show(Post(wording.reindexing(step.stage, step.done, step.total, step.rest)))

            try:
                text = wording.reindexed(await rebuild(show))
            except FootnoteError as error:
                text = disarmed(str(error))
        with contextlib.suppress(Unreachable, Gone):
            await finish(reply, [Post(text)])

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
        await whisper(interaction, Post(wording.rules(rules, limits)))


class _NoManager(app_commands.CheckFailure):
    """A manager's command by somebody else."""


def _manager_only(interaction: discord.Interaction) -> bool:
    if not is_manager(interaction):
        raise _NoManager
    return True


async def _on_command_error(interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
    if isinstance(error, _NoManager):
        await tell(interaction, wording.NO_MANAGER)
    else:
        await explain(interaction, getattr(error, "original", error))
