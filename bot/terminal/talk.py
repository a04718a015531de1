"""A conversation as it goes on: its turns, the list of papers on the screen, and where it is kept."""

import time
from collections.abc import Sequence
from dataclasses import replace

from bot.sessions import Conversation, Key, Sessions, Turn
from rag.errors import QuestionError, SessionError
from rag.refusal import FRIENDLY
from rag.types import Answer, Paper, ScoredPaper


class Talk:
    """Begins empty. Without `sessions` nothing is kept.

    What could not be kept, on a full disk say, is tried again with the next turn.
    """

    def __init__(self, sessions: Sessions | None, key: Key) -> None:
        self.sessions = sessions
        self.key = key
        self.clear()

    def clear(self) -> None:
        """Begin another conversation."""
        self.conversation: Conversation | None = None
        self.turns: list[Turn] = []
        self.listing: list[ScoredPaper] = []
        self.about = ""
        """What the papers of the list were found for."""
        self._unsaved: list[int] = []
        """Which of the turns are not kept as they are here."""

    @property
    def history(self) -> list[str]:
        """The questions so far, oldest first."""
        return [turn.question for turn in self.turns]

    @property
    def last(self) -> Answer | None:
        """The last answer, if all of it is known."""
        return self.turns[-1].answer if self.turns else None

    @property
    def unsaved(self) -> int:
        """How many turns could not be kept."""
        return len(self._unsaved)

    def list_papers(self, papers: Sequence[ScoredPaper], about: str) -> None:
        """The papers that numbers mean from now on."""
        self.listing, self.about = list(papers), about

    def paper(self, number: int) -> Paper:
        """Paper `number` of the list. Raises QuestionError if there is none."""
        if not self.listing:
            raise QuestionError("No papers are listed yet.", "Ask a question, or /search for some.")
        if not 1 <= number <= len(self.listing):
            raise QuestionError(f"There is no paper {number}.", f"The list goes from 1 to {len(self.listing)}.")
        return self.listing[number - 1].paper

    def answer(self) -> Answer:
        """The last answer. Raises QuestionError if there is none."""
        if self.last is None:
            raise QuestionError("There is no answer yet.", "Ask a question first.")
        return self.last

    def require_turn(self) -> None:
        """Raise QuestionError if nothing was asked yet."""
        if not self.turns:
            raise QuestionError("There is no answer yet.", "Ask a question first.")

    def forget(self, id_or_name: str) -> int:
        """Remove a conversation, or `all` of this person; returns how many. Raises SessionError."""
        kept = self.kept()
        if id_or_name.lower() == "all":
            self.clear()
            return kept.forget_person(self.key.surface, self.key.person)
        conversation = kept.find(id_or_name)
        if self.conversation and self.conversation.id == conversation.id:
            self.clear()
        return kept.forget(conversation.id)

    def add(self, answer: Answer, *, instead: bool = False) -> None:
        """A turn more, or one `instead` of the last. Raises SessionError if it cannot be kept now."""
        number = self.turns.pop().number if instead else None
        self.turns.append(Turn(answer.question, answer.text, answer.query, time.time(), answer, number))
        if answer.text != FRIENDLY:  # small talk lists none
            self.list_papers(answer.passages, answer.query)
        last = len(self.turns) - 1
        if last not in self._unsaved:
            self._unsaved.append(last)
        self.save()

    def save(self) -> None:
        """Keep what is not kept yet. Raises SessionError."""
        if self.sessions is None:
            self._unsaved.clear()
        while self._unsaved and self.sessions:
            if self.conversation is None:
                self.conversation = self.sessions.begin(self.key)
            turn = self.turns[self._unsaved[0]]
            assert turn.answer
            number = self.sessions.append(self.conversation.id, turn.answer, instead=turn.number)
            self.turns[self._unsaved.pop(0)] = replace(turn, number=number)

    def take_back(self) -> str:
        """Remove the last turn; returns its question. Raises QuestionError if there is none."""
        if not self.turns:
            raise QuestionError("There is nothing to take back.", "Ask a question first.")
        number = self.turns[-1].number
        if number is not None and self.sessions and self.conversation:
            self.sessions.undo(self.conversation.id, number)
        question = self.turns.pop().question
        if len(self.turns) in self._unsaved:
            self._unsaved.remove(len(self.turns))
        self.list_papers(self.last.passages if self.last else (), self.last.query if self.last else "")
        return question

    def resume(self, conversation: Conversation) -> None:
        """Go on with a conversation that was kept. Raises SessionError."""
        turns = self.kept().turns(conversation.id)
        self.clear()
        self.conversation, self.turns = conversation, turns
        if self.last:
            self.list_papers(self.last.passages, self.last.query)

    def kept(self) -> Sessions:
        """Where conversations are kept. Raises SessionError with --no-history."""
        if self.sessions is None:
            raise SessionError("Nothing is kept with --no-history.", "Start footnote chat without it.")
        return self.sessions
