"""What people wrote and pressed, and what other programs print -> what was meant (pure)."""

import base64
import binascii
import re
from dataclasses import dataclass

# Discord's limit for a component's id is 100 characters. The prefix tells ours from other programs'.
_CUSTOM_ID = re.compile(r"footnote:([a-z]+):([0-9a-f]{16})")
_TOKEN = re.compile(r"([\w-]{18,40})\.([\w-]{6,10})\.([\w-]{20,100})", re.A)
_PROGRESS = re.compile(r"(read|embed|write) (\d+)(?:/(\d+))?(.*)")


def custom_id(action: str, question_id: str) -> str:
    """The id of a button or menu. It carries all that is needed, so that it works after a restart.

    >>> custom_id("stop", "00ff00ff00ff00ff")
    'footnote:stop:00ff00ff00ff00ff'
    """
    return f"footnote:{action}:{question_id}"


def read_custom_id(text: str) -> tuple[str, str] | None:
    """The action and the question's id; None for what is not ours.

    >>> read_custom_id("footnote:stop:00ff00ff00ff00ff"), read_custom_id("other:stop:1")
    (('stop', '00ff00ff00ff00ff'), None)
    """
    match = _CUSTOM_ID.fullmatch(text)
    return (match[1], match[2]) if match else None


def question_of(content: str, bot: int) -> str:
    """A message without the bot's mentions.

    >>> question_of("<@!42>, what is attention? <@42>", 42)
    'what is attention?'
    """
    return re.sub(rf"<@!?{bot}>[,:]?", " ", content).strip()


def names(content: str, bot: int) -> bool:
    """Whether a message itself mentions the bot; a reply to it may do so without a word.

    >>> names("what is attention, <@42>?", 42), names("what is attention?", 42)
    (True, False)
    """
    return re.search(rf"<@!?{bot}>", content) is not None


def token_problem(token: str) -> str | None:
    """Why a text cannot be a bot's token, without repeating it; None if it has the shape of one.

    >>> token_problem("MTIzNDU2Nzg5MDEyMzQ1Njc4.GhIjKl.abcdefghijklmnopqrstuvwxyz0123456789AB")
    >>> token_problem("Bot abc")
    'it begins with "Bot ", which is put before it by the program'
    """
    if not token:
        return "it is not set"
    if token.lower().startswith("bot "):
        return 'it begins with "Bot ", which is put before it by the program'
    match = _TOKEN.fullmatch(token)
    if not match:
        return f"it is not of the form ID.TIME.SIGNATURE ({len(token)} characters, {token.count('.')} dots)"
    try:
        owner = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        owner = ""
    return None if owner.isdigit() else "its first part names no bot; it may be the client secret or cut short"


@dataclass(frozen=True, slots=True)
class Step:
    """How far a rebuild is."""

    stage: str
    done: int
    total: int
    """0 as long as it is unknown."""
    rest: str
    """What else it said: the rate and the time left."""


def rebuild_step(line: str) -> Step | None:
    """A line that `footnote rebuild` prints on its way; None for any other.

    >>> rebuild_step("embed 64/313, 20/s, 12 s left")
    Step(stage='embed', done=64, total=313, rest='20/s, 12 s left')
    """
    match = _PROGRESS.fullmatch(line.strip())
    return Step(match[1], int(match[2]), int(match[3] or 0), match[4].lstrip(", ")) if match else None
