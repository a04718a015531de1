"""A question, as asked, and the questions before it -> one standalone query (pure).

A follow-up ("how deep could they make it?") is searched together with the questions it leans on. No
model rewrites it: at this size rewriting loses names more often than it finds them.
"""

import re
from collections.abc import Sequence

from rag.errors import QuestionError
from rag.text import clean

# A long question has some hundred characters; a pasted abstract at most 5,000 or so.
LONGEST_QUESTION = 8_000

_OPENS = re.compile(r"(?:and|or|but|so|also|then|what about|how about|what else|which ones?)\b", re.I)
_POINTS_BACK = re.compile(
    r"\b(?:it(?! (?:possible|true|known|necessary|worth|feasible|hard|easy|difficult|safe)"
    r" (?:to|that|for|whether|if)\b)"
    r"|its|they|them|their|theirs|these|those|he|she|his|her"
    r"|the (?:former|latter|same|other ones?|others|authors?|(?:first|second|third|fourth|fifth|last)(?: one| paper)?$)"
    r"|(?:does|do|did|is|was|are|were|of|about|around|against|without|after|before|behind|beyond|for|in|on|to|with|from|than"
    r"|like|by|at|can|could|would) (?:that|this)"
    r"|(?<!is )(?<!are )there(?=,|$| (?:then|too|now)\b)"
    r"|(?:this|that|the) (?:paper|model|method|approach|work|study|one|survey|network|architecture|part|[\w-]+ one)"
    r"(?! (?:on|about|of|that|which|by|where|with|for|called)\b))\b",
    re.I,
)

# "how many parameters?": of what, stands before. Of fewer words any question leans.
_LACKS_WHAT = re.compile(r"how (?:many|much) [a-z]+$", re.I)


def read_question(text: str) -> str:
    """A question as one line of printable text. Raises QuestionError if it is empty or far too long."""
    if len(text) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(text):,} characters; at most {LONGEST_QUESTION:,} can be read.", "Shorten it."
        )
    question = clean(text)
    if not re.search(r"\w", question):
        raise QuestionError("The question is empty.", 'Ask one: footnote ask "What is a transformer?"')
    return question


def read_history(questions: Sequence[str]) -> tuple[str, ...]:
    """Earlier questions, oldest first, each read as `read_question` does; blank ones are left out."""
    return tuple(read_question(question) for question in questions if clean(question))


def standalone_query(question: str, history: Sequence[str]) -> str:
    """What to search for: the question, after those it leans on if it is a follow-up.

    Of a long conversation these are the one it began with and the one before.

    >>> standalone_query("how deep could they make it?", ["tell me about GTrans"])
    'tell me about GTrans how deep could they make it?'
    >>> standalone_query("What is PMET?", ["tell me about GTrans"])
    'What is PMET?'
    """
    asked = [question]
    for earlier in reversed(history):
        if not _leans_on_earlier(asked[0]):
            break
        asked.insert(0, earlier)
    return " ".join(asked if len(asked) <= 3 else (asked[0], *asked[-2:]))


def _leans_on_earlier(question: str) -> bool:
    plain = question.rstrip("?!. ")
    leans = _OPENS.match(plain) or _POINTS_BACK.search(plain) or _LACKS_WHAT.match(plain)
    return bool(leans) or len(re.findall(r"\w+", plain)) < 3
