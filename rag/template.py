"""Messages -> the text of a model's chat template and, apart from it, the text of the messages (pure).

Only the template's own text may hold control tokens: what stands in a message is tokenized as plain text,
so that no abstract or question can forge the end of its turn. To tell the two apart the template is applied
to numbered slots, and the messages are put in their place afterwards.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rag.types import Message

Template = Callable[[list[dict[str, str]]], str]
"""Renders [{"role": ..., "content": ...}, ...] up to where the model's answer begins."""

# For models that bring no template.
PLAIN_TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n\n{% endfor %}Answer:"

# Private-use characters, which neither a template nor a paper contains.
_SLOT = re.compile("\ue000([0-9]+)\ue001")


class Part(NamedTuple):
    """A stretch of a prompt: the template's own text, or a message's."""

    text: str
    is_template: bool


class TemplateError(Exception):
    """A template failed, or does not show every message once."""


def apply_template(template: Template, messages: Sequence[Message]) -> list[Part]:
    """The parts of the prompt, in order, none of them empty.

    Templates that refuse or ignore a system message get all messages as one turn of the user. Raises
    TemplateError if that does not help.
    """
    slots = [{"role": message.role, "content": f"\ue000{i}\ue001"} for i, message in enumerate(messages)]
    one_turn = [{"role": "user", "content": "\n\n".join(slot["content"] for slot in slots)}]
    failure = ""
    for turns in (slots, one_turn):
        try:
            rendered = template(turns)
        except Exception as exc:  # a template is a program of the model's author; anything can come out of it
            failure = f"{type(exc).__name__}: {exc}"
            continue
        if sorted(map(int, _SLOT.findall(rendered))) == list(range(len(messages))):
            texts = enumerate(_SLOT.split(rendered))
            parts = (Part(messages[int(text)].content, False) if i % 2 else Part(text, True) for i, text in texts)
            return [part for part in parts if part.text]
        failure = "it does not show every message once"
    raise TemplateError(failure)
