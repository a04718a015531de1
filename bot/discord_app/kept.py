"""What the bot must still know after it was killed: questions, answers, feedback, servers' rules (SQLite).

A question stands here from before it waits until its final reply is shown, so that whoever asked can be
told after a restart; then it is what the buttons under its answer refer to, until it is forgotten.
Conversations are `bot.sessions`'. One process at a time writes; any of its threads may call.
"""

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

from bot.discord_app.rules import Rules
from bot.records import to_answer, to_record
from bot.sessions import make_private
from rag.errors import SessionError
from rag.settings import Settings
from rag.types import Answer

_SECONDS_A_DAY = 86_400
# Buttons under older answers say that they are no longer kept. An answer takes some 20 kB.
MOST_QUESTIONS = 5_000
_TABLES = """
CREATE TABLE IF NOT EXISTS questions (
    id TEXT PRIMARY KEY, question TEXT NOT NULL, person INTEGER NOT NULL, server INTEGER NOT NULL,
    place INTEGER NOT NULL, at REAL NOT NULL, history TEXT NOT NULL DEFAULT '[]',
    message INTEGER, open INTEGER NOT NULL DEFAULT 1, record TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS by_place ON questions (place, person);
CREATE INDEX IF NOT EXISTS by_age ON questions (at);
CREATE TABLE IF NOT EXISTS feedback (
    question TEXT NOT NULL, person INTEGER NOT NULL, good INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (question, person)
) STRICT;
CREATE TABLE IF NOT EXISTS servers (id INTEGER PRIMARY KEY, rules TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
# What was removed still stands in the log of changes beside the file, until that is written into the file and emptied.
_OVERWRITE = "PRAGMA wal_checkpoint(TRUNCATE)"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, by whom and where. `server` is 0 in direct messages; `place` is a channel or thread."""

    id: str
    question: str
    person: int
    server: int
    place: int
    at: float
    """Seconds since 1970."""
    history: tuple[str, ...] = ()
    """The questions before it, oldest first, by which it is understood whenever and by whomever it is asked again."""


_ASKED = ", ".join(field.name for field in fields(Asked))


def kept_path(settings: Settings) -> Path:
    """The bot's file, beside the conversations."""
    return settings.sessions_path.with_name("discord.db")


class Kept:
    """The file at `path`, readable by its owner only. Raises SessionError if it cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._explained():
            make_private(path)
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            # What was written survives this process's death; a power cut may take the last moments.
            self._database.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;" + _TABLES
            )
            columns = [column[1] for column in self._database.execute("PRAGMA table_info(questions)")]
            if "history" not in columns:  # an earlier version made it
                self._database.execute("ALTER TABLE questions ADD COLUMN history TEXT NOT NULL DEFAULT '[]'")

        rows = self._run("SELECT id, rules FROM servers")
        self._rules = {server: Rules.of(json.loads(rules)) for server, rules in rows}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def accept(self, asked: Asked, message: int | None) -> None:
        """Keep a question that is about to wait, and the message that will reply to it, if there is one."""
        marks = ", ".join("?" * (len(fields(Asked)) + 1))
        values = *astuple(asked)[:-1], json.dumps(asked.history)
        self._run(f"INSERT INTO questions ({_ASKED}, message) VALUES ({marks})", *values, message)

    def answered(self, question_id: str, answer: Answer) -> None:
        """Keep what it got; its final reply is still to be shown."""
        self._run("UPDATE questions SET record = ? WHERE id = ?", json.dumps(to_record(answer)), question_id)

    def close_question(self, question_id: str) -> None:
        """Its final reply was shown."""
        self._run("UPDATE questions SET open = 0 WHERE id = ?", question_id)

    def open_questions(self) -> list[tuple[Asked, int | None]]:
        """Those without a final reply, oldest first, and the message that was to become it."""
        rows = self._run(f"SELECT {_ASKED}, message FROM questions WHERE open ORDER BY at")
        return [(_asked(row[:-1]), row[-1]) for row in rows]

    def find(self, question_id: str) -> tuple[Asked, Answer | None] | None:
        """A question and its answer; None if it is not kept (any more)."""
        rows = self._run(f"SELECT {_ASKED}, record FROM questions WHERE id = ?", question_id)
        return (_asked(rows[0][:-1]), _answer(rows[0][-1])) if rows else None

    def answers(self, place: int, person: int | None) -> list[Answer]:
        """The answers given in a place, oldest first; only those to `person`, if one is given."""
        rows = self._run(
            "SELECT record FROM questions WHERE place = ?1 AND (?2 IS NULL OR person = ?2) AND record IS NOT NULL "
            "ORDER BY at",
            place,
            person,
        )
        return [answer for (record,) in rows if (answer := _answer(record))]

    def forget(self, place: int, person: int) -> int:
        """Remove a person's questions in a place, also those without a final reply; returns how many."""
        with self._explained(), self._lock:
            gone = self._database.execute("DELETE FROM questions WHERE place = ? AND person = ?", (place, person))
            self._database.execute(_OVERWRITE)
            return gone.rowcount

    def forget_older(self, days: float) -> None:
        """Remove questions older than this, and the oldest beyond the most that are kept."""
        self._run("DELETE FROM questions WHERE NOT open AND at < ?", time.time() - days * _SECONDS_A_DAY)
        self._run(
            "DELETE FROM questions WHERE NOT open AND id NOT IN (SELECT id FROM questions ORDER BY at DESC LIMIT ?)",
            MOST_QUESTIONS,
        )
        self._run(_OVERWRITE)

    def rate(self, question_id: str, person: int, good: bool, row: dict[str, Any]) -> None:
        """Keep one person's rating, as a row of an evaluation; a second one replaces the first."""
        self._run("REPLACE INTO feedback VALUES (?, ?, ?, ?)", question_id, person, good, json.dumps(row))

    def feedback(self) -> list[dict[str, Any]]:
        """All rows for an evaluation."""
        return [json.loads(row) for (row,) in self._run("SELECT row FROM feedback ORDER BY rowid")]

    def rules(self, server: int) -> Rules:
        """A server's rules. From memory: they are asked for before a question is acknowledged."""
        return self._rules.get(server, Rules())

    def set_rules(self, server: int, rules: Rules) -> None:
        """Change a server's rules."""
        self._run("REPLACE INTO servers VALUES (?, ?)", server, json.dumps(rules.record()))
        self._rules[server] = rules

    def fact(self, name: str) -> str | None:
        """A single value of the program's own."""
        rows = self._run("SELECT value FROM facts WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def set_fact(self, name: str, value: str) -> None:
        """Change one."""
        self._run("REPLACE INTO facts VALUES (?, ?)", name, value)

    def _run(self, statement: str, *values: object) -> list[Any]:
        with self._explained(), self._lock:
            return self._database.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            raise SessionError(
                f"Cannot use the bot's records in {self.path}: {exc}.",
                "See that the disk has room, or set FOOTNOTE_SESSIONS to a file in a folder you may write.",
            ) from exc


def evaluation_row(asked: Asked, answer: Answer, good: bool, reason: str) -> dict[str, Any]:
    """A rated answer as a line that an evaluation's question file may hold; a person adds what would be right."""
    return {
        "id": asked.id,
        "question": answer.question,
        "query": answer.query,
        "history": list(asked.history),
        "rating": "good" if good else "bad",
        "reason": reason,
        "answer": answer.text,
        "abstained": answer.abstained,
        "cited_titles": [citation.paper.title for citation in answer.citations],
        "model": answer.model,
        "generation": answer.generation,
    }


def _asked(row: Sequence[Any]) -> Asked:
    return replace(Asked(*row[:-1]), history=tuple(json.loads(row[-1])))


def _answer(record: str | None) -> Answer | None:
    try:
        return to_answer(json.loads(record)) if record else None
    except ValueError:  # another version wrote it
        return None
