"""Every sentence the bot says of itself (pure)."""

from typing import Any

from bot.discord_app.rules import Rules
from bot.queue import Limits, QueueRefused
from rag.types import Answer

READING = "📖 Reading the papers…"
ACKNOWLEDGED = "🔎 Looking for papers…"
STOPPED_WAITING = "⏹️ Stopped before it was its turn."
STOPPED = "⏹️ Stopped here."
STOPPED_UNWRITTEN = "⏹️ Stopped before anything was written."
WAITED_TOO_LONG = "⌛ This question waited too long for its turn and was taken out of the queue."
RAN_TOO_LONG = "⌛ Cut here: it took too long."
PARKED = "🔧 The bot is restarting. Your question is kept: press “Ask again” in a minute."
RESTARTED = "🔧 The bot was restarted before it could answer this. Press “Ask again” and it is asked once more."
NOT_YOURS = "Only the person who asked can do that."
FORGOTTEN = "This answer is no longer kept, so there is nothing to show. Ask again."
NOT_ANSWERED_YET = "There is no answer to this yet."
NO_MANAGER = "That needs the permission “Manage Server”."
NOTHING_RUNS = "None of your questions waits or runs here."
NO_CITATIONS = "No answer here cites a paper yet."
NO_PAPER = "There is no such paper on the shelf. Pick one of the titles offered while you type."
NOTHING_TO_CHECK = "That message has no sentence to check."
ALREADY_SHORT = "It is as short as it can be:"
CHOOSE_SOURCE = "Papers and their evidence"
THANKS = "Thank you, that is noted."
BAD_TITLE = "What was wrong?"
BAD_LABEL = "Kept with question and answer, to measure it"
NOT_A_QUESTION = "Ask me something about the papers, for example: *What does the newest paper on pruning find?*"
BUSY_REINDEX = "The papers are being read anew already."
SOMETHING_FAILED = "Something failed here, and it is no fault of your question. The log has it as `{}`."
HELP = """**Ask the papers.** Every sentence of an answer carries a footnote that was checked.
`/ask` a question, or mention me, reply to me or write to me directly; in a thread of mine just go on writing.
`/search` the nearest papers · `/paper` one paper · `/cite` BibTeX of one, or of all cited here as a file
`/stop` your questions here · `/forget` our conversation here · `/export` its id, to go on in a terminal
Right-click a message, Apps, **Check against the papers**: which of its sentences the papers support.
Below an answer: its papers with the evidence, every check, another try, a shorter text, thumbs.
Managers of the server: `/status`, `/reindex`, `/config`."""


def waiting(place: int, wait_s: float) -> str:
    """Where a question stands.

    >>> waiting(1, 13)
    '⏳ Next in the queue, in about 15 s.'
    """
    where = "Next in the queue" if place == 1 else f"Number {place} in the queue"
    return f"⏳ {where}, in about {span(wait_s)}."


def span(seconds: float) -> str:
    """A time to wait, no more precise than it is known.

    >>> span(3), span(48), span(400)
    ('5 s', '50 s', '7 min')
    """
    if seconds < 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    return f"{round(seconds / 60)} min"


def refused(refusal: QueueRefused) -> str:
    """Why a question was not taken, and when to come back."""
    when = f" Try again in about {span(refusal.wait_s)}."
    match refusal.reason:
        case "person":
            return "✋ You have as many questions waiting as one person may." + when
        case "server":
            return "✋ This server has as many questions waiting as it may." + when
        case "closed":
            return PARKED
    return "✋ The queue is full." + when


def support(answer: Answer) -> str:
    """How many sentences were found in the papers, and which were not."""
    if not answer.claims:
        return ""
    supported = sum(claim.supported for claim in answer.claims)
    of = f"{supported} of {len(answer.claims)} sentences supported"
    return f"✅ {of}" if supported == len(answer.claims) else f"⚠️ {of}; “Evidence” shows which are not"


def because(reason: str | None) -> str:
    """Why nothing was answered."""
    return f"*{reason}*" if reason else ""


def made_by(answer: Answer) -> str:
    """The model and how long it took."""
    model = answer.model or "no model: the papers' own sentences"
    return f"-# {model} · {answer.timings.total_ms / 1000:.1f} s"


def checked(supported: int, claims: int) -> str:
    """The heading of a checked message."""
    return f"{supported} of {claims} sentences supported by the papers"


def forgot(conversations: int) -> str:
    """What /forget did."""
    return (
        "🧹 Forgotten: our conversation here and its answers." if conversations else "There was nothing to forget here."
    )


def exported(conversation_id: str) -> str:
    """How to go on in the terminal."""
    return f"Go on in a terminal of the machine I run on:\n```\nfootnote chat --resume {conversation_id}\n```"


def reindexing(stage: str, done: int, total: int, rest: str) -> str:
    """How far a rebuild is."""
    verb = {"read": "Reading records", "embed": "Embedding", "write": "Writing"}[stage]
    of = f"{done} of {total}" if total else str(done)
    return f"📚 {verb}: {of}{f' ({rest})' if rest else ''}. The papers of before serve meanwhile."


def reindexed(report: dict[str, Any]) -> str:
    """What a rebuild did."""
    return (
        f"📚 Done: {report['papers']} papers, {report['added']} added, {report['changed']} changed, "
        f"{report['removed']} removed. They serve from the next question on."
    )


def status(facts: dict[str, Any]) -> str:
    """The bot's state for managers."""
    return "\n".join(f"**{name}** {value}" for name, value in facts.items())


def rules(rules: Rules, limits: Limits) -> str:
    """What a server's managers decided."""
    channels = ", ".join(f"<#{channel}>" for channel in rules.channels) or "all"
    roles = ", ".join(f"<@&{role}>" for role in rules.roles) or "everybody"
    return (
        f"**Channels** {channels}\n**Roles** {roles}\n"
        f"**Waiting questions** {limits.waiting_per_person} a person, {limits.waiting_per_server} in this server\n"
        f"**Model named** {'yes' if rules.show_model else 'no'}"
    )
