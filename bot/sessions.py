"""Conversations, bounded and kept: one SQLite file for all surfaces.

A conversation belongs to a key: surface, place and person. The terminal keeps many for one key, Discord goes
on with the newest. Every change is one transaction, so a turn is either whole or absent, whenever the process
is killed. Any number of threads and processes may use one file: each call opens it anew.

    sessions = Sessions(settings.sessions_path)
    conversation = sessions.newest(key) or sessions.begin(key)
    sessions.append(conversation.id, answer)
    history = [turn.question for turn in sessions.turns(conversation.id)]
"""

import contextlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.records import to_answer, to_record
from rag.errors import SessionError
from rag.types import Answer

# A turn takes some 20 kB, so a conversation at most 4 MB; the oldest turns go first, the title stays.
MOST_TURNS = 200
_SCHEMA = 1
# How long a change waits for another process's. One takes milliseconds.
_BUSY_SECONDS = 10.0
_LONGEST_TITLE = 200
# An id is typed by hand; two are alike once in 10^9.
_ID_BYTES = 4
_SECONDS_A_DAY = 86_400
_TABLES = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, surface TEXT NOT NULL, place TEXT NOT NULL, person TEXT NOT NULL,
    name TEXT UNIQUE, title TEXT NOT NULL DEFAULT '', at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_key ON conversations (surface, place, person, at);
CREATE TABLE IF NOT EXISTS turns (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    question TEXT NOT NULL, answer TEXT NOT NULL, query TEXT NOT NULL, at REAL NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_conversation ON turns (conversation, number);
"""
_CONVERSATIONS = """
SELECT c.id, c.surface, c.place, c.person, c.name, c.title, c.at,
       (SELECT count(*) FROM turns WHERE conversation = c.id) AS turns
FROM conversations AS c
"""


@dataclass(frozen=True, slots=True)
class Key:
    """Whose conversations: ("terminal", "", user) or ("discord", channel or thread, user)."""

    surface: str
    place: str
    person: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its turns."""

    id: str
    key: Key
    name: str | None
    """What a person called it; names are unique."""
    title: str
    """Its first question."""
    at: float
    """When it was last changed, in seconds since 1970."""
    turns: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what it got."""

    question: str
    text: str
    """The answer's text."""
    query: str
    """What was searched for."""
    at: float
    """Seconds since 1970."""
    answer: Answer | None
    """All of the answer; None if another version of Footnote wrote it."""
    number: int | None = None
    """What names it in the file; None if it is not kept."""


class Sessions:
    """The conversations in the file at `path`, which is made when it is first needed, readable by its owner only.

    Every method raises SessionError, which names the file, if it cannot be used.
    """

    def __init__(self, path: Path, most_turns: int = MOST_TURNS) -> None:
        self.path = path
        self._most_turns = most_turns

    def begin(self, key: Key) -> Conversation:
        """A new conversation. It is listed once it has a turn."""
        conversation = Conversation(secrets.token_hex(_ID_BYTES), key, None, "", time.time(), 0)
        with self._transaction() as database:
            database.execute(
                "INSERT INTO conversations (id, surface, place, person, at) VALUES (?, ?, ?, ?, ?)",
                (conversation.id, key.surface, key.place, key.person, conversation.at),
            )
        return conversation

    def newest(self, key: Key) -> Conversation | None:
        """The one of this key that was last changed."""
        return next(iter(self.recent(key, 1)), None)

    def recent(self, key: Key | None = None, most: int = 20) -> list[Conversation]:
        """Those with a turn, the last changed first; only those of `key`, if one is given."""
        where, values = "turns > 0", []
        if key:
            where += " AND surface = ? AND place = ? AND person = ?"
            values = [key.surface, key.place, key.person]
        with self._transaction() as database:
            rows = database.execute(
                f"SELECT * FROM ({_CONVERSATIONS}) WHERE {where} ORDER BY at DESC LIMIT ?", (*values, most)
            )
            return [_conversation(row) for row in rows]

    def find(self, id_or_name: str) -> Conversation:
        """The conversation with this id, the beginning of it, or this name. Raises SessionError if none or several."""
        with self._transaction() as database:
            rows = database.execute(f"{_CONVERSATIONS} WHERE c.id = ?1 OR c.name = ?1", (id_or_name,)).fetchall()
            if not rows and id_or_name:
                rows = database.execute(
                    f"{_CONVERSATIONS} WHERE substr(c.id, 1, length(?1)) = ?1", (id_or_name.lower(),)
                ).fetchall()
        if len(rows) != 1:
            what = f"{len(rows)} conversations begin with" if rows else "There is no conversation"
            raise SessionError(f"{what} {id_or_name!r} in {self.path}.", "List them with /sessions in: footnote chat")
        return _conversation(rows[0])

    def turns(self, conversation_id: str, last: int | None = None) -> list[Turn]:
        """The `last` turns, or all that are kept, oldest first."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT * FROM turns WHERE conversation = ? ORDER BY number DESC LIMIT ?",
                (conversation_id, -1 if last is None else last),
            ).fetchall()
        return [_turn(row) for row in reversed(rows)]

    def append(self, conversation_id: str, answer: Answer, *, instead: int | None = None) -> int:
        """Add a turn, or put it `instead` of the one of this number; returns its number.

        The oldest turns beyond the most that are kept go. Raises SessionError if the conversation was forgotten
        meanwhile.
        """
        now = time.time()
        record = json.dumps(to_record(answer))
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE conversations SET at = ?, title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
                (now, answer.question[:_LONGEST_TITLE], conversation_id),
            )
            if not changed.rowcount:
                raise SessionError(
                    f"The conversation {conversation_id} is no longer in {self.path}.", "Begin a new one."
                )
            added = database.execute(
                "REPLACE INTO turns (number, conversation, question, answer, query, at, record) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (instead, conversation_id, answer.question, answer.text, answer.query, now, record),
            )
            database.execute(
                "DELETE FROM turns WHERE conversation = ?1 AND number NOT IN "
                "(SELECT number FROM turns WHERE conversation = ?1 ORDER BY number DESC LIMIT ?2)",
                (conversation_id, self._most_turns),
            )
        assert added.lastrowid is not None
        return added.lastrowid

    def undo(self, conversation_id: str, number: int) -> None:
        """Remove the turn of this number, if it is still there; a title that it gave goes with it."""
        with self._transaction() as database:
            undone = database.execute(
                "DELETE FROM turns WHERE conversation = ? AND number = ? RETURNING question", (conversation_id, number)
            ).fetchone()
            if undone:
                database.execute(
                    "UPDATE conversations SET title = coalesce((SELECT substr(question, 1, ?) FROM turns "
                    "WHERE conversation = conversations.id ORDER BY number LIMIT 1), '') WHERE id = ? AND title = ?",
                    (_LONGEST_TITLE, conversation_id, undone["question"][:_LONGEST_TITLE]),
                )

    def rename(self, conversation_id: str, name: str) -> None:
        """Call a conversation `name`. Raises SessionError if another one is called so."""
        with self._transaction() as database:
            taken = database.execute(
                "SELECT 1 FROM conversations WHERE (name = ?1 OR id = ?1) AND id != ?2", (name, conversation_id)
            ).fetchone()
            if taken:
                raise SessionError(f"Another conversation is called {name!r}.", "Choose another name.")
            database.execute("UPDATE conversations SET name = ? WHERE id = ?", (name, conversation_id))

    def forget(self, conversation_id: str) -> int:
        """Remove a conversation; returns how many were removed."""
        return self._forget("id = ?", conversation_id)

    def forget_person(self, surface: str, person: str) -> int:
        """Remove every conversation of a person on a surface; returns how many."""
        return self._forget("surface = ? AND person = ?", surface, person)

    def forget_older(self, days: float, surface: str | None = None) -> int:
        """Remove what was not changed for so many days, of one surface if it is given; returns how many."""
        return self._forget("at < ?1 AND (?2 IS NULL OR surface = ?2)", time.time() - days * _SECONDS_A_DAY, surface)

    def _forget(self, where: str, *values: str | float | None) -> int:
        with self._transaction() as database:
            return database.execute(f"DELETE FROM conversations WHERE {where}", values).rowcount

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the file: all of it or nothing."""
        try:
            with contextlib.closing(self._open()) as database, database:
                yield database
        except (sqlite3.Error, OSError) as exc:
            raise _explained(exc, self.path) from exc

    def _open(self) -> sqlite3.Connection:
        make_private(self.path)  # SQLite would make it readable by all; its side files take the mode of this one
        database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA foreign_keys = ON")
            # What was forgotten is overwritten, not only unlinked.
            database.execute("PRAGMA secure_delete = ON")
            if database.execute("PRAGMA user_version").fetchone()[0] == 0:
                database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_SCHEMA}; COMMIT;")
            database.execute("BEGIN IMMEDIATE")
        except BaseException:
            database.close()
            raise
        return database


def make_private(path: Path) -> None:
    """Make a file that only its owner can read, and its folder, unless they are there. Raises OSError.

    A file that is there is not opened: closing it would drop the locks that another thread's transaction has on it
    (POSIX).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _explained(exc: sqlite3.Error | OSError, path: Path) -> SessionError:
    """What failed and how to mend it, by SQLite's own name of the error."""
    kind = getattr(exc, "sqlite_errorname", "")
    why = (isinstance(exc, OSError) and exc.strerror) or str(exc)
    hint = "Set FOOTNOTE_SESSIONS to a file that you may write."
    if kind.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        hint = f"See how much is free: df -h {path.parent}, or set FOOTNOTE_SESSIONS to a file on another disk."
    elif kind.startswith("SQLITE_BUSY"):
        hint = "Another program is writing to it: try again."
    elif kind.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
        hint = f"Put it aside, and a new one is begun: mv {path} {path}.damaged"
    return SessionError(f"Cannot use the conversations in {path}: {why}.", hint)


def _conversation(row: sqlite3.Row) -> Conversation:
    key = Key(row["surface"], row["place"], row["person"])
    return Conversation(row["id"], key, row["name"], row["title"], row["at"], row["turns"])


def _turn(row: sqlite3.Row) -> Turn:
    try:
        answer = to_answer(json.loads(row["record"]))
    except ValueError:  # another version wrote it
        answer = None
    return Turn(row["question"], row["answer"], row["query"], row["at"], answer, row["number"])
