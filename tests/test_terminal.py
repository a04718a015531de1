"""The chat on a real pseudo-terminal: what a person types and what stands on the screen."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.terminal.commands import BY_NAME
from rag.rebuild import rebuild
from tests.conftest import PLANETS, ROOT, WordEmbedder
from tests.terminal import CTRL_C, CTRL_D, ENTER, ESCAPE, PROGRAM, TAB, UP, Terminal

QUESTION = "What accuracy does Mercury reach on the Tides benchmark?"
# What would set the title, clear the screen, open a link, or ask the terminal to type.
EVIL = "\x1b]0;owned\x07 \x1b[2J \x1b]8;;http://evil.example\x07 \x9b6n \x1b[6n"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three planets with years and links, one paper full of escape sequences, and one of wide letters."""
    folder = tmp_path_factory.mktemp("shelf")
    papers = [
        {"title": title, "abstract": abstract, "date": f"{2022 + i}-03-01", "url": f"https://example.org/{i}"}
        for i, (title, abstract) in enumerate(PLANETS)
    ]
    papers[0]["authors"] = ["Ada B. Lovelace"]  # type: ignore[assignment]
    papers += [
        {"title": f"Vulcan {EVIL}", "abstract": f"Vulcan was never {EVIL} seen. It hides.", "date": "2021"},
        {
            "title": "水星：小さな模型",
            "abstract": "水星は小さい。 The loss is $\\mathcal{L}_{x}^{*}$ and $a_i*b_j*c$ on 水星.",
            "date": "2020",
        },
    ]
    (folder / "dump.jsonl").write_text("\n".join(map(json.dumps, papers)), encoding="utf-8")
    rebuild([folder / "dump.jsonl"], folder / "store", WordEmbedder())
    return folder / "store"


@pytest.fixture
def chat(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """Start a chat; use it in a `with`."""
    monkeypatch.setenv("FOOTNOTE_STORE", str(shelf))
    monkeypatch.setenv("FOOTNOTE_MODEL", "none")
    monkeypatch.setenv("FOOTNOTE_THREADS", "1")
    monkeypatch.delenv("DISPLAY", raising=False)

    def start(*arguments: str, **options: object) -> Terminal:
        return Terminal("chat", *arguments, **options)  # type: ignore[arg-type]

    return start


@pytest.fixture
def long_answers(chat: Callable[..., Terminal], endless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model writes noise for minutes."""
    long = {"MODEL": endless, "MODE": "write", "N_CTX": 65536, "MAX_TOKENS": 60000, "TEMPERATURE": 1}
    for name, value in long.items():
        monkeypatch.setenv(f"FOOTNOTE_{name}", str(value))


def at_prompt(terminal: Terminal, after: str = "") -> str:
    """Wait for a prompt that nothing is typed at, below what is awaited."""
    return terminal.wait_for(lambda text: re.search(rf"{re.escape(after)}[\s\S]*^›$", text, re.M))


def test_prompt_comes_before_the_papers_and_says_when_they_are_there(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("›")
        terminal.wait_for(lambda text: re.search(r"5 papers · gen-\S+ · no model: verbatim sentences$", text))
        terminal.send(CTRL_D)
        assert terminal.wait_for_end() == 0


def test_question_typed_while_loading_is_answered_with_sources_in_bold(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("›")
        terminal.ask(QUESTION)
        text = at_prompt(terminal, "sentences supported")
        assert "  It reaches 71.5% accuracy on the Tides benchmark [1]." in text
        assert "[1] Mercury: A Small Model · 2022-03-01\n      https://example.org/0\n" in text
        assert "✓ “It reaches 71.5% accuracy on the Tides benchmark.”" in text
        assert "Also near:\n  [2] Venus: Cloudy Attention · 2023-03-01" in text
        row = next(i for i, line in enumerate(terminal.screen.display) if "✓ “It reaches" in line)
        line = terminal.screen.display[row]
        bold = {
            word
            for word in ("reaches", "71.5%", "accuracy", "Tides")
            if terminal.screen.buffer[row][line.index(word)].bold
        }
        assert bold == {"reaches", "accuracy", "Tides"}


def test_stop_while_the_papers_load_gives_the_question_back(chat: Callable[..., Terminal]) -> None:
    os.mkfifo("gate")  # the papers wait to be loaded until it is opened
    program = PROGRAM.replace("settings: WordEmbedder()", "settings: open('gate').close() or WordEmbedder()")
    with chat(program=program) as terminal:
        terminal.wait_for("›")
        terminal.ask(QUESTION)
        waiting = re.compile(r"loading the papers … \d+ s")
        terminal.wait_for(waiting.search)
        terminal.send(CTRL_C)
        assert not waiting.search(terminal.wait_for(f"\n\n  Stopped.\n\n› {QUESTION}"))
        Path("gate").open("w").close()
        terminal.send(ENTER)
        at_prompt(terminal, "sentences supported")


def test_follow_up_is_searched_with_what_was_said_before(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("›")
        terminal.ask("tell me about Mercury, a small model")
        at_prompt(terminal, "supported")
        terminal.ask("how long does it train?")
        at_prompt(terminal, "It trains in 3 hours [1]")
        terminal.ask("/why")
        at_prompt(terminal, "searched  tell me about Mercury, a small model how long does it train?")


def test_small_talk_lists_no_papers_and_numbers_keep_their_meaning(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("no model")
        terminal.ask(QUESTION)
        at_prompt(terminal, "supported")
        terminal.ask("thanks!")
        assert "nearest" not in at_prompt(terminal, "could answer.")
        terminal.screen.reset()
        terminal.ask("/open 1")
        at_prompt(terminal, "Mercury is a small transformer.")


def test_refusal_names_the_filter(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("no model")
        terminal.ask("/filter year>=2023")
        at_prompt(terminal, "Only papers of year>=2023 are used.")
        terminal.ask("zyzzyva quokka?")
        at_prompt(terminal, "The nearest papers:")
        assert terminal.text.count("Only papers of year>=2023 are used. /filter off ends it.") == 2


def test_every_command_does_what_the_table_says(chat: Callable[..., Terminal], tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "What does Mars prune?" > "$1"\n')
    editor.chmod(0o755)
    lines = {
        "/sources": "There is no answer yet. Ask a question first.",
        QUESTION: "sentences supported",
        "/open 1": "Opened in the browser.",
        "/open 9": "There is no paper 9. The list goes from 1 to 5.",
        "/open": "Which paper? Write: /open N",
        "/quote 1": "“It reaches 71.5% accuracy on the Tides benchmark.” — Mercury: A Small Model, 2022-03-01, http",
        "/cite 1": "@misc{lovelace2022mercury,",
        "/cite 2 apa": "Venus: Cloudy Attention. (2023, March 1). https://example.org/1",
        "/cite 2 ris": "TI  - Venus: Cloudy Attention",
        "/cite all > refs.bib": "Written to refs.bib.",
        "/cite 1 chicago": "There is no style 'chicago'.",
        "/search prunes layers": "[1] Mars: Red Pruning",
        "/open 1 ": "Mars prunes half of all layers.",
        "/related 1": "Like Mars: Red Pruning:",
        "/paper venus": "Venus replaces attention by clouds.",
        "/sources ": "✓ “It reaches 71.5%",
        "/more": "There are no more.",
        "/compare 1 3": "Their abstracts are alike by 0.",
        "/why": "searched  What accuracy",
        "/set": "max_tokens 320",
        "/set top_k 2": "top_k 2",
        "/set top_k 99": "FOOTNOTE_TOP_K: Input should be less than or equal to 20",
        "/set nonsense 1": "There is no setting 'nonsense' to set here.",
        "/filter year>=2023": "Only papers of year>=2023 are used.",
        "/filter 2023": "is no filter. Write it as year>=2024",
        "/retry": "[1] Venus: Cloudy Attention",
        "/filter off": "All papers are used.",
        "how long does it train?": "3 hours",
        "/undo": "Taken back: how long does it train?",
        "/copy": "Copied.",
        "/export html > talk.html": "Written to talk.html.",
        "/export json > talk.json": "Written to talk.json.",
        "/export": "Written to what-accuracy-does-mercury-reach-on.md.",
        "/export md": "is there already. To replace it: /export md >",
        "/export md > /dev/full": "Cannot write /dev/full: No space left on device. Name another file",
        "/save tides": "Kept. To go on: footnote chat --resume tides",
        "/sessions": "tides · What accuracy",
        "/load tides": "› What accuracy does Mercury",
        "/load nobody": "There is no conversation 'nobody'",
        "/forget tides": "Forgotten: 1.",
        "/forget all": "Forgotten: 0.",
        "/clear": "",
        "/help": "Ctrl-R searches",
        "/help cite": "/cite N|all [bibtex|apa|ris]",
        "/opne 1": "There is no /opne. Did you mean /open?",
    }
    with chat(
        columns=100, lines=60, environment={"BROWSER": str(browser), "EDITOR": str(editor), "PATH": "/nowhere"}
    ) as terminal:
        terminal.wait_for("no model: verbatim")
        for line, shown in lines.items():
            terminal.screen.reset()
            terminal.ask(line)
            at_prompt(terminal, shown)
        terminal.ask("/edit")
        terminal.wait_for("› What does Mars prune?")
        terminal.send(ENTER)
        at_prompt(terminal, "Mars: Red Pruning")
        terminal.ask("/quit")
        assert terminal.wait_for_end() == 0
    used = {line.split()[0][1:] for line in lines if line.startswith("/")} & set(BY_NAME)
    assert used | {"edit", "quit"} == set(BY_NAME)
    assert opened.read_text() == "https://example.org/1\n"
    assert "@misc{lovelace2022mercury," in Path("refs.bib").read_text()
    assert "<blockquote>" in Path("talk.html").read_text()
    assert len(json.loads(Path("talk.json").read_text())["turns"]) == 1
    assert b"\x1b]52;c;" in terminal.raw


@pytest.mark.usefixtures("long_answers")
def test_ctrl_c_stops_the_answer_keeps_what_came_and_again_leaves(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("· endless")
        terminal.ask(QUESTION)
        terminal.wait_for(lambda _: terminal.all.count("[1]") > 3)
        terminal.send(CTRL_C)
        at_prompt(terminal, "stopped · ")
        terminal.wait_for(lambda text: re.search(r"· endless · \d+ tokens/s$", text))
        terminal.send(CTRL_C)
        assert terminal.wait_for_end() == 130
    with chat("--resume") as terminal:
        at_prompt(terminal)
        assert QUESTION in terminal.all
        assert "[1]" in terminal.all
        terminal.send(CTRL_C)
        terminal.wait_for("Ctrl-C again leaves")
        terminal.send(CTRL_C)
        assert terminal.wait_for_end() == 130


def test_retry_that_is_stopped_before_a_word_keeps_the_answer_that_was_there(chat: Callable[..., Terminal]) -> None:
    gated = """
import os
class Gated(WordReader):
    def read(self, question, passages):
        if os.path.exists("gate"):  # papers wait to be read until it is opened
            open("gate").close()
            os.remove("gate")
        return super().read(question, passages)
rag.reader.shipped_reader = Gated
"""
    with chat(program=PROGRAM.replace("rag.reader.shipped_reader = WordReader\n", gated)) as terminal:
        terminal.wait_for("no model")
        terminal.ask(QUESTION)
        at_prompt(terminal, "supported")
        os.mkfifo("gate")
        terminal.ask("/retry")
        terminal.wait_for("reading 5 papers")
        terminal.send(CTRL_C)
        terminal.wait_for("stopping")  # it was heard; only now may the papers be read
        Path("gate").open("w").close()
        at_prompt(terminal, "Stopped; the answer of before is kept.")
        terminal.ask("/sources")
        at_prompt(terminal, "/sources\n\n  [1] Mercury: A Small Model")
    with chat("--resume") as terminal:
        at_prompt(terminal, "It reaches 71.5% accuracy")


def test_store_that_goes_away_is_said_and_holds_up_neither_typing_nor_leaving(
    chat: Callable[..., Terminal], shelf: Path
) -> None:
    shutil.copytree(shelf, "store")
    with chat(environment={"FOOTNOTE_STORE": "store"}) as terminal:
        terminal.wait_for("no model")
        terminal.ask(QUESTION)
        at_prompt(terminal, "supported")
        Path("data/footnote/sessions.db").rename("kept.db")
        Path("data/footnote/sessions.db").write_bytes(b"nonsense" * 1000)
        Path("store").rename("away")
        terminal.send("/load ")
        terminal.wait_for("the papers cannot be opened")
        terminal.send("\x15/forget a")
        terminal.wait_for("every conversation")  # what else completes it is offered
        terminal.send("\x15" + QUESTION + ENTER)
        at_prompt(terminal, "store holds no papers. Run: footnote rebuild seeds/")
        Path("away").rename("store")
        Path("kept.db").replace("data/footnote/sessions.db")
        terminal.ask(QUESTION)
        terminal.wait_for(lambda text: text.count("sentences supported") == 2)
        Path("store").rename("away")
        at_prompt(terminal)
        terminal.send("x\x15" + CTRL_D)
        assert terminal.wait_for_end() == 0
        assert "Traceback" not in terminal.all
        assert "Unhandled exception" not in terminal.all


@pytest.mark.usefixtures("long_answers")
def test_ctrl_d_leaves_also_before_the_next_prompt_is_there(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("· endless")
        terminal.ask(QUESTION)
        terminal.wait_for(lambda _: terminal.all.count("[1]") > 3)
        terminal.send(CTRL_C)
        terminal.wait_for("stopped · ")
        terminal.send(CTRL_D)
        assert terminal.wait_for_end() == 0


@pytest.mark.usefixtures("long_answers")
def test_streams_into_the_scrollback_while_it_is_resized(chat: Callable[..., Terminal]) -> None:
    with chat(columns=100, lines=12) as terminal:
        terminal.wait_for("· endless")
        terminal.ask(QUESTION)
        terminal.wait_for(lambda _: len(terminal.before.splitlines()) > 5)
        terminal.resize(50, 20)
        more = len(terminal.before.splitlines()) + 5
        terminal.wait_for(lambda _: len(terminal.before.splitlines()) > more)
        terminal.resize(120, 12)
        terminal.wait_for(lambda _: len(terminal.before.splitlines()) > more + 5)
        terminal.send(CTRL_C)
        at_prompt(terminal, "stopped")
        terminal.ask("/export json > talk.json")
        at_prompt(terminal, "Written")
        answer = json.loads(Path("talk.json").read_text())["turns"][0]["answer"]
        letters = re.compile(r"\W|_")  # Markdown takes the rest away
        assert letters.sub("", answer)[-60:] in letters.sub("", terminal.all)


def test_clear_begins_another_conversation_and_keeps_this_one(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("no model")
        terminal.ask(QUESTION)
        at_prompt(terminal, "supported")
        terminal.screen.reset()
        terminal.ask("/clear")
        at_prompt(terminal)
        terminal.ask("/sources")
        at_prompt(terminal, "There is no answer yet")
        terminal.ask("what does Mars prune?")
        at_prompt(terminal, "supported")
        terminal.ask("/sessions")
        text = at_prompt(terminal, "What accuracy does Mercury")
        assert "what does Mars prune?" in text[text.index("/sessions") :]


def test_conversation_goes_on_after_a_kill(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("›")
        terminal.ask("tell me about Mercury, a small model")
        at_prompt(terminal, "supported")
        terminal.process.send_signal(signal.SIGKILL)
        terminal.wait_for_end()
    with chat("--resume") as terminal:
        at_prompt(terminal, "› tell me about Mercury, a small model")
        terminal.ask("how long does it train?")
        at_prompt(terminal, "sentences supported")
        terminal.ask("/why")
        at_prompt(terminal, "searched  tell me about Mercury, a small model how long does it train?")
        terminal.ask("/sessions")
        at_prompt(terminal, "2×    tell me about Mercury")
    with chat("--resume", "nonsense") as terminal:
        assert terminal.wait_for_end() == 1
        assert "There is no conversation 'nonsense'" in terminal.text


def test_what_was_typed_is_remembered_and_only_its_owner_can_read_it(
    chat: Callable[..., Terminal], tmp_path: Path
) -> None:
    with chat() as terminal:
        terminal.wait_for("no model")
        terminal.ask("What does Mars prune?")
        at_prompt(terminal, "Mars: Red Pruning")
        terminal.send(CTRL_D)
        terminal.wait_for_end()
    history = tmp_path / "data" / "footnote" / "history"
    assert history.stat().st_mode & 0o777 == 0o600
    with chat("--no-history") as terminal:
        terminal.wait_for("no model")
        terminal.ask("What does Venus replace?")
        at_prompt(terminal, "Venus: Cloudy Attention")
        terminal.ask("/sessions")
        at_prompt(terminal, "Nothing is kept with --no-history.")
    assert "Venus" not in history.read_text()
    with chat() as terminal:
        terminal.wait_for("no model")
        terminal.send(UP)
        terminal.wait_for("› What does Mars prune?")
        terminal.send("\x15/forget all" + ENTER)
        at_prompt(terminal, "Forgotten: 1.")
        assert history.read_bytes() == b""
        terminal.ask("/set seed")
        at_prompt(terminal, "seed 0")
        terminal.send(UP + UP)
        terminal.wait_for("› /set seed")
        assert "Mars" not in history.read_text()
        assert history.stat().st_mode & 0o777 == 0o600


def test_completion_of_commands_titles_and_settings(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("no model")
        terminal.send("/fi")
        terminal.wait_for("use only papers of some years")
        terminal.send(TAB)
        terminal.wait_for("› /filter")
        for line, completed in (("/set max", "› /set max_tokens"), ("/paper ve", "› /paper Venus: Cloudy Attention")):
            terminal.send("\x15" + line)
            terminal.wait_for(line)
            terminal.send(TAB)
            terminal.wait_for(completed)
        terminal.send("\x15what does merc" + TAB)
        terminal.wait_for("› what does Mercury: A Small Model")


def test_several_lines_and_a_paste_are_one_question(chat: Callable[..., Terminal]) -> None:
    with chat() as terminal:
        terminal.wait_for("no model")
        terminal.send("What accuracy" + ESCAPE + ENTER + "does Mercury reach")
        terminal.wait_for("  does Mercury reach")
        terminal.send("\x1b[200~\non the Tides\nbenchmark?\x1b[201~")
        terminal.wait_for("  benchmark?")
        terminal.send(ENTER)
        at_prompt(terminal, "It reaches 71.5% accuracy")
        assert terminal.text.count("supported") == 1


def test_huge_paste_is_refused_and_the_chat_goes_on(chat: Callable[..., Terminal]) -> None:
    with chat("--no-history") as terminal:
        terminal.wait_for("no model")
        terminal.send("\x1b[200~" + "word " * 20_000 + "\x1b[201~")
        terminal.wait_for("word word")
        terminal.send(ENTER)
        at_prompt(terminal, "The question has 99,999 characters; at most 8,000 can be read.")
        terminal.ask(QUESTION)
        at_prompt(terminal, "supported")


def test_no_sequence_of_a_dump_or_a_question_reaches_the_terminal(chat: Callable[..., Terminal], shelf: Path) -> None:
    with chat(columns=100) as terminal:
        terminal.wait_for("no model")
        terminal.send(f"\x1b[200~Was Vulcan ever {EVIL} seen?\x1b[201~")
        terminal.send(ENTER)
        at_prompt(terminal, "supported")
        for line in ("/open 1", "/why", "/quote 1", "/cite 1", "/sessions", "/search Vulcan", "/paper Vulcan", "/undo"):
            terminal.ask(line)
            at_prompt(terminal, line)
        terminal.send("/paper vulc")
        terminal.wait_for(re.compile(r"› /paper vulc\n +Vulcan ").search)
        terminal.send(TAB)
        terminal.wait_for("› /paper Vulcan ]0;owned")
        raw = terminal.raw
    for question in (f"Was Vulcan ever {EVIL} seen?", f"zyzzyva {EVIL}"):
        with Terminal("ask", question, "--store", str(shelf), "--model", "none") as terminal:
            terminal.wait_for_end()
            raw += terminal.raw
    assert raw.count(b"owned") > 10
    for sequence in (b"\x1b]0;", b"\x1b]8;", b"\x9b", b"evil.example\x07"):
        assert sequence not in raw
    # prompt_toolkit asks where the cursor is and erases, but never with what the paper holds around it.
    assert b"seen \x1b[2J" not in raw
    assert terminal.screen.title == ""


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_wide_letters_and_maths_fit_every_width(columns: int, chat: Callable[..., Terminal]) -> None:
    with chat(columns=columns) as terminal:
        terminal.wait_for("no model")
        terminal.ask("What is the loss on 水星?")
        text = at_prompt(terminal, "supported")
        flat = re.sub(r"\s", "", text)
        assert "$\\mathcal{L}_{x}^{*}$and$a_i*b_j*c$" in flat
        assert "水星：小さな模型" in flat
        terminal.ask("/help")
        at_prompt(terminal, "Ctrl-C")


def test_full_disk_loses_no_turn(chat: Callable[..., Terminal], tmp_path: Path) -> None:
    with chat(columns=120) as terminal:
        terminal.wait_for("no model")
        resource.prlimit(terminal.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        terminal.ask(QUESTION)
        at_prompt(terminal, "Cannot use the conversations in")
        terminal.wait_for("1 not saved")
        assert "It reaches 71.5%" in terminal.text
        resource.prlimit(terminal.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        terminal.ask("how long does it train?")
        terminal.wait_for(lambda text: terminal.all.count("sentences supported") == 2 and re.search(r"^›$", text, re.M))
        terminal.wait_for(lambda text: "not saved" not in text)
    with chat("--resume") as terminal:
        at_prompt(terminal, f"› {QUESTION}")
        assert "› how long does it train?" in terminal.text


def test_dumb_terminal_gets_plain_text(chat: Callable[..., Terminal]) -> None:
    with chat(environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for("5 papers")
        terminal.wait_for("›")
        terminal.ask(QUESTION)
        terminal.wait_for("[1] Mercury: A Small Model")
        terminal.ask("/open 1")
        terminal.wait_for("It trains in 3 hours.\n")
        terminal.send(CTRL_D)
        assert terminal.wait_for_end() == 0
        assert b"\x1b" not in terminal.raw


def test_no_color_means_no_styles_in_what_is_shown(chat: Callable[..., Terminal]) -> None:
    with chat(environment={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("no model")
        terminal.ask(QUESTION)
        at_prompt(terminal, "[1] Mercury: A Small Model")
        assert not re.search(rb"\x1b\[[\d;]*m[^\x1b]*Mercury: A", terminal.raw)
        assert not re.search(rb"\x1b\[(?:[\d;]*;)?(?:3[0-7]|9[0-7])m", terminal.raw)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        ((), {"FOOTNOTE_STORE": "nowhere"}, 4, "nowhere holds no papers. Run: footnote rebuild seeds/"),
        ((), {"FOOTNOTE_N_CTX": "many"}, 78, "FOOTNOTE_N_CTX: Input should be a valid integer"),
        (("--model", "gone.gguf"), {}, 78, "Cannot read the model gone.gguf"),
        (("--resume",), {}, 1, "No conversation is kept yet. Begin one: footnote chat"),
    ],
)
def test_what_cannot_be_loaded_ends_the_prompt_with_its_code(
    arguments: tuple[str, ...], environment: dict[str, str], code: int, message: str, chat: Callable[..., Terminal]
) -> None:
    with chat(*arguments, environment=environment, columns=120) as terminal:
        assert terminal.wait_for_end() == code
        assert message in terminal.text


def test_pipe_in_and_out_carries_answers_alone(shelf: Path) -> None:
    environment = {**os.environ, "FOOTNOTE_STORE": str(shelf), "FOOTNOTE_MODEL": "none", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "chat"],
        input=f"{QUESTION}\n/cite 1\n/nonsense\n",
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("It reaches 71.5% accuracy on the Tides benchmark [1].")
    assert "\n@misc{lovelace2022mercury,\n" in done.stdout
    assert "There is no /nonsense" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "papers" not in done.stdout


def test_ask_on_a_terminal_streams_and_ends(shelf: Path, tmp_path: Path) -> None:
    with Terminal("ask", QUESTION, "--store", str(shelf), "--model", "none", "--filter", "year>=2023") as terminal:
        assert terminal.wait_for_end() == 0
        assert "[1] Venus: Cloudy Attention · 2023-03-01" in terminal.text
        assert "Mercury: A Small" not in terminal.text


@pytest.mark.usefixtures("long_answers")
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_ctrl_c_ends_ask_with_what_came_and_its_code(environment: dict[str, str], shelf: Path) -> None:
    with Terminal("ask", QUESTION, "--store", str(shelf), environment=environment) as terminal:
        terminal.wait_for(lambda _: terminal.all.count("[1]") > 3)
        terminal.send(CTRL_C)
        assert terminal.wait_for_end() == 130
        assert "[1] Mercury: A Small Model" in terminal.all
        assert "stopped" in terminal.all.lower()
