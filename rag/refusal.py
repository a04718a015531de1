"""A question + what was read for it -> whether to answer, and what to say instead (pure). Refusing costs no tokens.

One decision: a probability from two signals against a threshold, and a cosine that no answer is below. The probability
is fitted by training/evidence/calibrate.py on the dev questions and those on the seeds in training/evidence/questions;
the risk-coverage curve lies beside the evidence model.
"""

import math
import re
from collections.abc import Sequence

from rag.compose import asks_for_papers
from rag.evidence import Signals, Weighed
from rag.lexical import words
from rag.types import ScoredPaper

# Log-odds that the evidence answers = BIAS + these times the signals.
BIAS, LOGIT, COSINE = -0.37, 0.76, 2.73
# The highest, in steps of 0.05, at which no more than 4.8% of the answerable ones of those are refused.
LEAST_ANSWERABLE = 0.55
# Who asks for papers is shown the nearest of them: it takes less to be of use, and no claim is made. Set, not
# fitted.
LEAST_TO_LIST = 0.3
# Below the first cosine nothing is answered, whatever a sentence looks like: of the dev questions and the seeds'
# one of 367 answerable ones is there, and all talk of other things. Below the second no paper is of the topic.
LEAST_COSINE, OFF_TOPIC = 0.17, 0.25

FRIENDLY = "Happy to help: ask me something that the papers on this shelf could answer."
_SMALL_TALK = re.compile(
    r"(?:(?>(?:hi|hey|hello|yo|hiya|good (?:morning|evening|afternoon|night)|thx|cheers|bye|ok(?:ay)?|cool|lol|wow|haha"
    r"|thanks?(?: you)?(?: (?:very|so) much| a (?:lot|bunch|ton))?(?: indeed)?"
    r"(?: for (?:the|your|that|all)(?: the)?(?: (?:help|answers?|papers?|info|information|explanation))?)?"
    r"|(?:that['’]?s )?(?:very )?(?:great|good|nice|perfect|awesome|amazing|excellent|brilliant|wonderful|helpful)"
    r"(?: (?:job|work|bot|answer|one|stuff|to know))?"
    r"|well done|not bad|(?:much )?appreciated?(?: it| that)?|got it|i see|(?:that )?makes sense|never ?mind|sorry"
    r"|(?:this|that|it)(?:['’]?s| is| was)? (?:very |really |so )?(?:helpful|helps?|helped|useful)(?: a lot| me)?"
    r"|you(?:['’]?re| are) (?:the best|great|awesome|amazing|welcome|right|helpful|good)|you rock"
    r"|yes|yep|yeah|no|nope|sure|alright|test(?:ing)?"
    r"|how are you(?: doing)?(?: today)?|how['’]?s it going|what['’]?s up|sup|who (?:are|made|built|created) you"
    r"|what(?:['’]?s| is) your name|what are you|what can you do|is (?:any(?:one|body)|somebody|someone) there"
    r"|are you (?:a |an )?(?:bot|human|robot|ai|there|real)|tell me a joke"
    r"|sing (?:me )?a song|i love you|there|bot|footnote|all|everyone|friend|again)\b)[\s!?.,:)]*+)++",
    re.I,
)

# Of the words of a question these are put to whom it asks; no paper would mention them.
_SAID_TO_A_BOT = re.compile(
    r"please|pls|kindly|thanks?|hi|hello|hey|tell|explain|say|show|give|list|find|know|wonder(?:ing)?|curious"
    r"|(?:any|some)(?:one|body)|exactly|actually|really|me|my|im|whats",
    re.I,
)


def small_talk(question: str) -> bool:
    """Whether nothing is asked that a paper could answer.

    >>> small_talk("Hello there!"), small_talk("hi, how are you?"), small_talk("Hello-SimpleAI, what is it?")
    (True, True, False)
    """
    return _SMALL_TALK.fullmatch(question) is not None


def answerable(signals: Signals) -> float:
    """The probability, 0 to 1, that the sentences read answer the question."""
    return 1 / (1 + math.exp(-(BIAS + LOGIT * signals.logit + COSINE * signals.cosine)))


def why_unanswered(question: str, query: str, weighed: Weighed) -> str | None:
    """None if the evidence may answer; otherwise the reason to say so instead. `query` is what was searched for."""
    if not weighed.evidence:
        return "There are no papers to answer from."
    least = LEAST_TO_LIST if asks_for_papers(question) else LEAST_ANSWERABLE
    if answerable(weighed.signals) >= least and weighed.signals.cosine >= LEAST_COSINE:
        return None
    if weighed.signals.cosine < OFF_TOPIC:
        return "No paper on this shelf is about that."
    closest = f"“{weighed.passages[0].paper.title}” comes closest"
    if missing := unmentioned(query, weighed.passages):
        return f"The nearest papers do not mention {_listed(missing)}. {closest}."
    return f"{closest}, but no sentence of its abstract tells that."


def unmentioned(query: str, passages: Sequence[ScoredPaper]) -> list[str]:
    """The words of a query that none of the papers has in any form, as they were typed."""
    held = {word for hit in passages for word in words(f"{hit.paper.title} {hit.paper.abstract}")}
    typed = dict.fromkeys(re.findall(r"\w+(?:[-./+]\w+)*", query))
    asked = [word for word in typed if not _SAID_TO_A_BOT.fullmatch(word)]
    return [word for word in asked if (stems := words(word)) and not held & set(stems)]


def _listed(names: Sequence[str]) -> str:
    """Names in quotes, as one lists them.

    >>> _listed(["A"]), _listed(["A", "B", "C"])
    ('“A”', '“A”, “B” or “C”')
    """
    quoted = [f"“{name}”" for name in names]
    return " or ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part)
