"""Conversations are kept whole, bounded, apart by key, and survive kills, full disks and damaged files."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.records import to_answer, to_record
from bot.sessions import Key, Sessions
from bot.terminal.talk import Talk
from rag.answer import Answerer
from rag.errors import SessionError
from rag.retrieve import Retriever
from rag.store import Store
from rag.types import Answer
from tests.conftest import ROOT, WordEmbedder, WordReader

ME = Key("terminal", "", "me")
THEM = Key("discord", "1", "them")
QUESTION = "What accuracy does Mercury reach on the Tides benchmark?"


@pytest.fixture
def answer(planets: Store, embedder: WordEmbedder) -> Answer:
    return Answerer(Retriever(planets, embedder), None, top_k=3, reader=WordReader()).answer(QUESTION)


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path / "kept" / "sessions.db", most_turns=5)


def asked(answer: Answer, question: str) -> Answer:
    return replace(answer, question=question)


def test_answer_comes_back_as_it_was(answer: Answer) -> None:
    assert answer.evidence
    assert to_answer(json.loads(json.dumps(to_record(answer)))) == answer


@pytest.mark.skipif(sys.platform == "win32", reason="locks as POSIX does")
def test_transaction_keeps_other_programs_out_while_another_thread_opens_the_file(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.begin(ME)
    monkeypatch.setattr("bot.sessions._BUSY_SECONDS", 0.01)
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0, isolation_level=None).execute('BEGIN IMMEDIATE')"
    with sessions._transaction():
        with pytest.raises(SessionError, match="locked"):
            sessions.recent()
        other = subprocess.run([sys.executable, "-c", program, sessions.path], capture_output=True, text=True)
    assert "database is locked" in other.stderr


def test_answer_that_an_earlier_version_kept_comes_back(answer: Answer) -> None:
    record = json.loads(json.dumps(to_record(answer)))
    for item in record["evidence"]:
        item["overlap"] = 0.5
    assert to_answer(record) == answer


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("papers"),
        lambda record: record.update(papers=[]),
        lambda record: record.update(claims=[{"new": 1}]),
        lambda record: record.update(passages=None),
        lambda record: record.update(unheard_of=1),
    ],
)
def test_record_of_another_version_is_refused(spoil: Callable[[object], object], answer: Answer) -> None:
    record = json.loads(json.dumps(to_record(answer)))
    spoil(record)
    with pytest.raises(ValueError, match="not an answer of this version"):
        to_answer(record)


def test_turns_come_back_in_order_with_the_whole_answer(sessions: Sessions, answer: Answer) -> None:
    conversation = sessions.begin(ME)
    sessions.append(conversation.id, answer)
    sessions.append(conversation.id, asked(answer, "how long does it train?"))
    first, second = sessions.turns(conversation.id)
    assert (first.question, first.text, first.query, first.answer) == (QUESTION, answer.text, answer.query, answer)
    assert second.question == "how long does it train?"
    assert first.at <= second.at <= time.time()


def test_recent_ones_are_listed_by_time_with_title_and_count(sessions: Sessions, answer: Answer) -> None:
    old, new, _empty = (sessions.begin(ME) for _ in range(3))
    for conversation, question in ((old, "one"), (new, "two"), (old, "three")):
        sessions.append(conversation.id, asked(answer, question))
    listed = sessions.recent(ME)
    assert [(found.id, found.title, found.turns) for found in listed] == [(old.id, "one", 2), (new.id, "two", 1)]
    assert sessions.newest(ME) == listed[0]
    assert sessions.recent(ME, most=1) == listed[:1]


def test_keys_are_apart(sessions: Sessions, answer: Answer) -> None:
    keys = [ME, Key("terminal", "", "you"), Key("discord", "42", "me"), Key("discord", "43", "me")]
    for key in keys:
        sessions.append(sessions.begin(key).id, asked(answer, repr(key)))
    for key in keys:
        assert [found.title for found in sessions.recent(key)] == [repr(key)]
    assert len(sessions.recent()) == 4
    assert sessions.newest(Key("discord", "44", "me")) is None


def test_conversation_is_found_by_id_beginning_and_name(sessions: Sessions) -> None:
    conversation, other = sessions.begin(ME), sessions.begin(Key("discord", "42", "you"))
    sessions.rename(conversation.id, "pruning")
    for given in (conversation.id, conversation.id[:7], conversation.id.upper(), "pruning"):
        assert sessions.find(given).id == conversation.id
    assert sessions.find(other.id).key.surface == "discord"
    for given in ("", "%", "zzz", "prun"):
        with pytest.raises(SessionError, match="There is no conversation"):
            sessions.find(given)
    with pytest.raises(SessionError, match="Another conversation is called 'pruning'"):
        sessions.rename(other.id, "pruning")


def test_only_the_last_turns_are_kept_and_the_title_stays(sessions: Sessions, answer: Answer) -> None:
    conversation = sessions.begin(ME)
    for number in range(8):
        sessions.append(conversation.id, asked(answer, str(number)))
    assert [turn.question for turn in sessions.turns(conversation.id)] == list("34567")
    assert sessions.find(conversation.id).title == "0"


def test_turn_is_undone_or_replaced_whatever_came_after_it(sessions: Sessions, answer: Answer) -> None:
    conversation = sessions.begin(ME)
    first, second, _ = (sessions.append(conversation.id, asked(answer, question)) for question in "abc")
    assert sessions.append(conversation.id, asked(answer, "d"), instead=first) == first
    assert [turn.question for turn in sessions.turns(conversation.id)] == ["d", "b", "c"]
    for _ in range(2):
        sessions.undo(conversation.id, second)
    assert [turn.question for turn in sessions.turns(conversation.id)] == ["d", "c"]
    assert [turn.question for turn in sessions.turns(conversation.id, 1)] == ["c"]


def test_title_of_a_question_that_was_undone_goes_with_it(sessions: Sessions, answer: Answer) -> None:
    conversation = sessions.begin(ME)
    sessions.undo(conversation.id, sessions.append(conversation.id, asked(answer, "a" * 300)))
    assert sessions.find(conversation.id).title == ""
    first, _ = (sessions.append(conversation.id, asked(answer, question)) for question in "bc")
    assert sessions.find(conversation.id).title == "b"
    sessions.undo(conversation.id, first)
    assert sessions.find(conversation.id).title == "c"


def test_taking_back_or_asking_again_touches_no_turn_of_another_surface(sessions: Sessions, answer: Answer) -> None:
    thread = Key("discord", "42", "me")
    conversation = sessions.begin(thread)
    sessions.append(conversation.id, asked(answer, "in Discord"))
    talk = Talk(sessions, ME)
    talk.resume(conversation)
    talk.add(asked(answer, "here"))
    sessions.append(conversation.id, asked(answer, "in Discord again"))
    talk.add(replace(asked(answer, "here"), text="Another."), instead=True)
    kept = sessions.turns(conversation.id)
    assert [turn.question for turn in kept] == ["in Discord", "here", "in Discord again"]
    assert kept[1].text == "Another."
    assert talk.take_back() == "here"
    assert [turn.question for turn in sessions.turns(conversation.id)] == ["in Discord", "in Discord again"]


def test_turn_that_could_not_be_kept_is_replaced_and_taken_back_all_the_same(
    sessions: Sessions, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(sessions, ME)
    talk.add(asked(answer, "a"))
    with monkeypatch.context() as patched:
        patched.setattr(sessions, "path", Path("/dev/null/sessions.db"))
        with pytest.raises(SessionError):
            talk.add(asked(answer, "b"), instead=True)
        for question in "cd":
            with pytest.raises(SessionError):
                talk.add(asked(answer, question))
        assert talk.unsaved == 3
        assert talk.take_back() == "d"
    assert talk.unsaved == 2
    talk.add(asked(answer, "e"))
    assert talk.conversation
    assert [turn.question for turn in sessions.turns(talk.conversation.id)] == talk.history == ["b", "c", "e"]
    assert talk.unsaved == 0


def test_forgetting_leaves_nothing_in_the_file(sessions: Sessions, answer: Answer) -> None:
    mine, thread, other = (sessions.begin(key) for key in (ME, Key("discord", "1", "u"), Key("discord", "2", "u")))
    for conversation in (mine, thread, other):
        sessions.append(conversation.id, asked(answer, f"secret {conversation.id}"))
    assert sessions.forget(mine.id) == 1
    assert sessions.forget(mine.id) == 0
    assert sessions.forget_person("discord", "u") == 2
    assert sessions.recent() == []
    assert b"secret" not in b"".join(file.read_bytes() for file in sessions.path.parent.iterdir())
    with pytest.raises(SessionError, match="is no longer in"):
        sessions.append(mine.id, answer)


def test_old_ones_are_forgotten(sessions: Sessions, answer: Answer) -> None:
    old, new = sessions.begin(ME), sessions.begin(ME)
    for conversation in (old, new):
        sessions.append(conversation.id, answer)
    with sqlite3.connect(sessions.path) as database:
        database.execute("UPDATE conversations SET at = at - 8 * 86400 WHERE id = ?", (old.id,))
    database.close()
    assert (sessions.forget_older(9), sessions.forget_older(7)) == (0, 1)
    assert [found.id for found in sessions.recent()] == [new.id]


def test_only_those_begun_where_it_is_said_are_forgotten(sessions: Sessions, answer: Answer) -> None:
    mine, theirs = sessions.begin(ME), sessions.begin(THEM)
    for conversation in (mine, theirs):
        sessions.append(conversation.id, answer)
    with sqlite3.connect(sessions.path) as database:
        database.execute("UPDATE conversations SET at = at - 8 * 86400")
    database.close()
    assert sessions.forget_older(7, THEM.surface) == 1
    assert [found.id for found in sessions.recent()] == [mine.id]


def test_file_is_readable_by_its_owner_only(sessions: Sessions) -> None:
    before = os.umask(0)
    try:
        sessions.begin(ME)
    finally:
        os.umask(before)
    assert stat.S_IMODE(sessions.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(sessions.path.parent.stat().st_mode) == 0o700


def test_answer_of_another_version_leaves_its_text(sessions: Sessions, answer: Answer) -> None:
    conversation = sessions.begin(ME)
    sessions.append(conversation.id, answer)
    with sqlite3.connect(sessions.path) as database:
        database.execute("UPDATE turns SET record = '{}'")
    database.close()
    (turn,) = sessions.turns(conversation.id)
    assert (turn.text, turn.answer) == (answer.text, None)


def test_threads_append_side_by_side(tmp_path: Path, answer: Answer) -> None:
    sessions = Sessions(tmp_path / "sessions.db")
    with ThreadPoolExecutor(8) as threads:  # the file, too, is made by all of them at once
        ids = list(threads.map(lambda _: sessions.begin(ME).id, range(8)))
        list(threads.map(lambda number: sessions.append(ids[number % 2], asked(answer, str(number))), range(40)))
    questions = [turn.question for id_ in ids[:2] for turn in sessions.turns(id_)]
    assert sorted(questions, key=int) == [str(number) for number in range(40)]


def test_file_is_made_while_another_writes_to_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        later = threading.Timer(0.3, other.execute, ["COMMIT"])
        later.start()
        assert Sessions(tmp_path / "sessions.db").begin(ME).turns == 0
        later.join()


APPENDS = """
import json, sys
from pathlib import Path
from bot.records import to_answer
from bot.sessions import Key, Sessions
sessions = Sessions(Path(sys.argv[1]))
answer = to_answer(json.loads(Path(sys.argv[2]).read_text()))
id_ = sessions.begin(Key("terminal", "", sys.argv[3])).id
for number in range(int(sys.argv[4])):
    sessions.append(id_, answer)
    print(number, flush=True)
"""


@pytest.fixture
def appending(tmp_path: Path, answer: Answer) -> Callable[[str, int], "subprocess.Popen[str]"]:
    """Start a process that appends so many turns and prints a number after each."""
    record = tmp_path / "answer.json"
    record.write_text(json.dumps(to_record(answer)))

    def start(person: str, turns: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", APPENDS, str(tmp_path / "sessions.db"), str(record), person, str(turns)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    return start


def test_processes_append_side_by_side(tmp_path: Path, appending: Callable[..., "subprocess.Popen[str]"]) -> None:
    processes = [appending(person, 15) for person in "abc"]
    assert [process.communicate()[0].count("\n") for process in processes] == [15, 15, 15]
    assert [found.turns for found in Sessions(tmp_path / "sessions.db").recent()] == [15, 15, 15]


@pytest.mark.parametrize("after", [1, 2, 7])
def test_turns_are_whole_after_a_kill(
    after: int, tmp_path: Path, answer: Answer, appending: Callable[..., "subprocess.Popen[str]"]
) -> None:
    with appending("me", 10_000) as process:
        assert process.stdout
        for _ in range(after):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    sessions = Sessions(tmp_path / "sessions.db")
    (conversation,) = sessions.recent(ME)
    turns = sessions.turns(conversation.id)
    assert len(turns) == conversation.turns >= after
    assert all(turn.answer == answer for turn in turns)
    sessions.append(conversation.id, answer)


def test_full_disk_keeps_what_was_there(sessions: Sessions, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = sessions.begin(ME)
    sessions.append(conversation.id, answer)

    class FullDisk(sqlite3.Connection):
        """A database that may not grow, as on a full disk."""

        def __init__(self, path: Path, timeout: float, isolation_level: None) -> None:
            super().__init__(path, timeout=timeout, isolation_level=isolation_level)
            pages = self.execute("PRAGMA page_count").fetchone()[0]
            self.execute(f"PRAGMA max_page_count = {pages}")

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", FullDisk)
        with pytest.raises(
            SessionError, match=r"sessions\.db: database or disk is full\. .* df -h .*FOOTNOTE_SESSIONS"
        ):
            sessions.append(conversation.id, asked(answer, "x" * 100_000))
    kept = sessions.turns(conversation.id)
    assert kept[0].answer == answer
    sessions.append(conversation.id, answer)


@pytest.mark.parametrize(
    "content", [b"nonsense" * 1000, b"SQLite format 3\0" + b"\xff" * 5000], ids=["no database", "damaged"]
)
def test_damaged_file_is_named_with_what_mends_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    path.write_bytes(content)
    with pytest.raises(SessionError, match=r"sessions\.db: .*\. Put it aside.*: mv .*sessions\.db .*\.damaged"):
        Sessions(path).recent()
    assert path.read_bytes() == content
    path.rename(f"{path}.damaged")
    assert Sessions(path).recent() == []


def test_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SessionError, match=r"file/sessions\.db: .*\. Set FOOTNOTE_SESSIONS to a file that you may"):
        Sessions(tmp_path / "file" / "sessions.db").recent()
