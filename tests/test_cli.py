"""The commands: what they print where, the JSON contract, and an exit code for everything that can go wrong."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import cli, progress
from rag.generations import writing
from rag.store import Store
from tests.conftest import PLANETS, ROOT, WordEmbedder
from tests.gguf_models import write_gguf, write_parrot

Run = Callable[..., tuple[int, str, str]]

ANSWER_FIELDS = {
    "schema", "id", "question", "query", "answer", "abstained", "reason", "claims", "citations", "dropped",
    "passages", "mode", "model", "generation", "finish_reason", "timings",
}  # fmt: skip
QUESTION = "What accuracy does Mercury reach on the Tides benchmark?"
VENUS = QUESTION.replace("Mercury", "Venus")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], embedder: WordEmbedder) -> Run:
    """Run a command with the controlled embedder; returns exit code, standard output, standard error."""

    def run(*arguments: str, stdin: str | bytes = b"") -> tuple[int, str, str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        try:
            code = cli.main(list(arguments))
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return code, *capsys.readouterr()

    monkeypatch.setattr(cli, "_embedder", lambda settings: embedder)
    monkeypatch.setenv("FOOTNOTE_TOP_K", "3")
    monkeypatch.setenv("FOOTNOTE_MODEL", "none")
    return run


@pytest.fixture
def dated(run: Run, write_dump: Callable[..., Path]) -> Path:
    """A store of the planets, one a year from 2022 on."""
    lines = [
        json.dumps({"title": title, "abstract": abstract, "date": f"{year}-03-01", "doi": f"10.1234/{year}"})
        for year, (title, abstract) in enumerate(PLANETS, 2022)
    ]
    assert run("rebuild", str(write_dump("\n".join(lines))))[0] == 0
    return Path("store")


def test_rebuild_reports_what_it_did(run: Run, write_dump: Callable[..., Path]) -> None:
    path = write_dump(PLANETS)
    code, out, _ = run("rebuild", str(path))
    assert code == 0
    assert "3 records, 0 of them merged (0 by DOI or title), 0 rejected; 3 papers: 3 added, 0 changed" in out
    code, out, _ = run("rebuild", "--json", str(path))
    report = json.loads(out)
    assert code == 0
    assert (report["schema"], report["records"], report["papers"], report["unchanged"], report["rejected"]) == (
        1,
        3,
        3,
        3,
        [],
    )
    assert report["dumps"][0].keys() >= {"path", "format", "records", "rejected"}
    assert report["seconds"].keys() == {"parse", "embed", "write", "total"}


def test_rebuild_reads_seeds_by_default_and_names_rejected_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "a.jsonl").write_text('{"title": "A", "abstract": "B."}\nnonsense\n')
    code, out, _ = run("rebuild")
    assert code == 0
    assert "rejected seeds/a.jsonl:2: not JSON: Expecting value at column 1" in out
    code, out, _ = run("rebuild", "--json")
    assert json.loads(out)["rejected"] == [
        {"path": "seeds/a.jsonl", "line": 2, "why": "not JSON: Expecting value at column 1"}
    ]


def test_dry_run_shows_the_first_records_and_writes_nothing(run: Run, write_dump: Callable[..., Path]) -> None:
    path = write_dump(PLANETS)
    code, out, _ = run("rebuild", "--dry-run", str(path))
    assert code == 0
    assert f"{path}: 3 records (jsonl), 0 rejected\n  line 1: Mercury: A Small Model\n" in out
    assert out.endswith("3 records, 3 papers. Nothing was written.\n")
    code, out, _ = run("rebuild", "--dry-run", "--json", str(path))
    assert (code, json.loads(out)["dry_run"], json.loads(out)["papers"]) == (0, True, 3)
    assert not Path("store").exists()


def test_rollback_and_standard_input(run: Run, planets: Store) -> None:
    lines = json.dumps({"title": "Saturn", "abstract": "Saturn has rings."})
    assert run("rebuild", "-", stdin=lines)[0] == 0
    assert json.loads(run("status", "--json")[1])["papers"] == 1
    code, out, _ = run("rebuild", "--rollback")
    assert (code, out) == (0, f"{planets.manifest.generation} is current again: 3 papers.\n")
    code, _, err = run("rebuild", "--rollback")
    assert code == 4
    assert "store keeps no generation before the current one" in err


def test_long_lists_of_rejected_lines_are_cut_on_screen_but_not_in_json(
    run: Run, write_dump: Callable[..., Path]
) -> None:
    path = write_dump('{"title": "A", "abstract": "B."}\n' + "nonsense\n" * 100)
    out = run("rebuild", str(path))[1]
    assert out.count("not JSON") == 20
    assert "  rejected: 80 more; --json lists them all\n" in out
    assert len(json.loads(run("rebuild", "--json", str(path))[1])["rejected"]) == 100


def test_ask_prints_the_answer_its_sources_and_that_no_model_is_used(run: Run, planets: Store) -> None:
    code, out, err = run("ask", QUESTION)
    assert code == 0
    assert out.startswith("It reaches 71.5% accuracy on the Tides benchmark [1].")
    assert "\n\n[1] Mercury: A Small Model\n" in out
    assert "No language model is in use" in err
    assert "No language model" not in out


def test_ask_json_is_the_contract(run: Run, planets: Store) -> None:
    code, out, err = run("ask", QUESTION, "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert answer.keys() >= ANSWER_FIELDS
    assert answer["citations"][0].keys() >= {"marker", "paper_id", "title", "date", "url", "quote", "supported"}
    assert answer["citations"][0]["quote"] == "It reaches 71.5% accuracy on the Tides benchmark."
    assert [passage["rank"] for passage in answer["passages"]] == [1, 2, 3]
    assert answer["timings"].keys() >= {
        "retrieve_ms",
        "evidence_ms",
        "first_token_ms",
        "total_ms",
        "tokens",
        "tokens_per_s",
    }
    assert (answer["mode"], answer["model"], answer["generation"]) == ("evidence", None, planets.manifest.generation)


@pytest.mark.parametrize(("asked", "mode"), [("write", "write"), ("quote", "quote"), (None, "quote")])
def test_ask_through_llama_cpp(
    asked: str | None, mode: str, run: Run, planets: Store, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if asked:
        monkeypatch.setenv("FOOTNOTE_MODE", asked)
    code, out, _ = run("ask", QUESTION, "--json", "--model", str(tiny_gguf))
    answer = json.loads(out)
    assert code == 0
    assert (answer["mode"], answer["model"]) == (mode, "noise")
    assert answer["model_sha256"] == hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()
    assert answer["timings"]["tokens"] > 0
    code, out, err = run("ask", QUESTION, "--model", str(tiny_gguf))
    assert ("A tiny model" in err) == (mode == "quote")
    assert code == 0
    assert re.search(r"\d of \d+ sentences? supported\.", out)


def test_question_may_be_piped_in(run: Run, planets: Store) -> None:
    assert run("ask", stdin=QUESTION + "\n")[1] == run("ask", QUESTION)[1]


SENTENCE = "It reaches 71.5% accuracy on the Tides benchmark [1]."


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "out", "err"),
    [
        (["--quiet", QUESTION], "", 0, rf"{re.escape(SENTENCE)}[^\n]*\n", ""),
        (["-q"], QUESTION, 0, rf"{re.escape(SENTENCE)}[^\n]*\n", ""),
        (["-q", "zyzzyva quokka?"], "", 3, r"The papers here do not answer this\.\n", ""),
        (
            ["--file", "question.txt"],
            "never read",
            0,
            r"It .*\n\[1\] Mercury.*\n    https://doi.org/10.1234/2022\n.*",
            "No lang",
        ),
        (["--file", "gone.txt"], "", 2, "", "Cannot read gone.txt: No such file or directory. Check the path."),
        (["--file", "question.txt", QUESTION], "", 2, "", "A question and a file were given. Leave one of them out."),
        (["--filter", "year>=2023", VENUS], "", 0, r"It reaches 64.*\n\[1\] Venus: (?!.*Mercury: ).*", "No lang"),
        (["--filter", "year>=2030", QUESTION], "", 3, r".*\nNo paper here is left by the filter year>=2030\..*", ""),
        (["--filter", "2023", QUESTION], "", 2, "", "Write it as year>=2024"),
    ],
)
def test_ask_from_an_argument_a_file_or_a_pipe(
    arguments: list[str], stdin: str, code: int, out: str, err: str, run: Run, dated: Path
) -> None:
    Path("question.txt").write_text(f"{QUESTION}\n")
    found = run("ask", *arguments, stdin=stdin)
    assert found[0] == code
    assert re.fullmatch(out, found[1], re.S)
    assert err in found[2] if err else not found[2]


@pytest.mark.parametrize(
    ("kind", "stdin", "exit_code"), [("--json", QUESTION, 3), ("--jsonl", json.dumps({"question": QUESTION}), 0)]
)
def test_filter_holds_for_json_too(kind: str, stdin: str, exit_code: int, run: Run, dated: Path) -> None:
    code, out, err = run("ask", kind, "--filter", "year=2024", stdin=stdin)
    answer = json.loads(out)
    assert (code, err, answer["abstained"]) == (exit_code, "", True)
    assert [passage["title"] for passage in answer["passages"]] == ["Mars: Red Pruning"]


def test_what_nothing_answers_exits_3_and_lists_the_nearest(run: Run, planets: Store) -> None:
    code, out, _ = run("ask", "zyzzyva quokka?")
    assert code == 3
    assert out.startswith("The papers here do not answer this.")
    assert "The nearest papers:\n  - " in out
    code, out, _ = run("ask", "zyzzyva quokka?", "--json")
    answer = json.loads(out)
    assert (code, answer["abstained"], answer["citations"], len(answer["passages"])) == (3, True, [], 3)


def test_lines_are_answered_in_order_and_a_bad_one_does_not_end_the_run(run: Run, planets: Store) -> None:
    lines = [
        json.dumps({"id": "a", "question": QUESTION}),
        "nonsense",
        json.dumps({"id": "b"}),
        json.dumps({"id": "c", "question": "", "history": []}),
        json.dumps({"id": "d", "question": "x", "history": "y"}),
        "",
        json.dumps(
            {"id": 5, "question": "how long does it train?", "history": ["tell me about Mercury, a small model"]}
        ),
    ]
    code, out, _ = run("ask", "--jsonl", stdin="\n".join(lines))
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [answer["id"] for answer in answers] == ["a", None, "b", "c", "d", 5]
    assert ["error" in answer for answer in answers] == [False, True, True, True, True, False]
    assert "not JSON" in answers[1]["error"]
    assert answers[2]["error"] == 'no "question"'
    assert "The question is empty" in answers[3]["error"]
    assert "3 hours" in answers[5]["answer"]
    assert answers[5]["query"] == "tell me about Mercury, a small model how long does it train?"
    assert run("ask", "--jsonl", stdin=lines[0])[0] == 0


@pytest.mark.parametrize("command", ["ask", "search"])
def test_argument_with_jsonl_is_refused(command: str, run: Run, planets: Store) -> None:
    code, out, _ = run(command, "x", "--jsonl")
    assert (code, json.loads(out)["error"]) == (2, "With --jsonl questions come from standard input alone.")


def test_odd_history_and_ids_make_bad_lines_or_none(run: Run, planets: Store, tiny_gguf: Path) -> None:
    lines = [
        '{"id": NaN, "question": "x"}',
        json.dumps({"id": 1, "question": QUESTION, "history": ["a \ud800 b", "", "c\nd\x1b"]}),
        json.dumps({"id": 2, "question": QUESTION, "history": ["x" * 9_000]}),
    ]
    code, out, _ = run("ask", "--jsonl", "--model", str(tiny_gguf), stdin="\n".join(lines))
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert code == 1
    assert "NaN is no JSON" in first["error"]
    assert second["mode"] == "quote"
    assert "at most 8,000" in third["error"]


def test_bytes_that_are_no_text_make_a_bad_line(run: Run, planets: Store) -> None:
    code, out, _ = run(
        "ask",
        "--jsonl",
        stdin=b'{"id": 1, "question": "\xff"}\n' + json.dumps({"id": 2, "question": QUESTION}).encode(),
    )
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 1
    assert "not JSON" in first["error"]
    assert second["id"] == 2


def test_moved_markers_and_what_no_paper_holds_are_told(
    run: Run, planets: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["Mercury reaches 71.5% accuracy on the Tides benchmark [2].", " It reaches 88.8% on Tides [1]."]
    model = write_parrot(tmp_path / "parrot.gguf", said)
    monkeypatch.setenv("FOOTNOTE_MODE", "write")
    code, out, err = run("ask", QUESTION, "--model", str(model))
    assert code == 0
    assert "Mercury reaches 71.5% accuracy on the Tides benchmark [1]." in out
    assert "[1] Mercury: A Small Model" in out
    assert "1 of 2 sentences supported." in out
    assert "Unsupported: “It reaches 88.8% on Tides.” (88.8% is not in [1])" in err


def test_search_lists_papers_without_answering(run: Run, planets: Store) -> None:
    code, out, _ = run("search", "prune layers", "-k", "2", "--json")
    result = json.loads(out)
    assert code == 0
    assert [passage["rank"] for passage in result["passages"]] == [1, 2]
    assert result["passages"][0].keys() >= {"rank", "paper_id", "title", "score", "dense_rank", "lexical_rank", "text"}
    assert result["passages"][0]["text"] == PLANETS[2][1]
    assert "retrieve_ms" in result["timings"]
    assert run("search", "prune layers", "-k", "1")[1].startswith("1. Mars: Red Pruning\n")
    code, out, _ = run("search", "--jsonl", stdin=json.dumps({"id": 7, "question": "prune layers"}))
    assert (code, json.loads(out)["id"]) == (0, 7)


def test_chat_answers_follow_ups_and_goes_on_after_a_bad_question(run: Run, planets: Store) -> None:
    code, out, err = run(
        "chat",
        stdin=f"tell me about Mercury, a small model\n{'x' * 9000}\n\nhow long does it train?\nexit\nnever asked\n",
    )
    assert code == 0
    assert "It trains in 3 hours [1]." in out.split("[1] Mercury")[-2]
    assert "at most 8,000 can be read" in err
    assert out.count("\n[1] Mercury: A Small Model") == 2


def test_chat_survives_bytes_that_are_no_text(run: Run, planets: Store) -> None:
    code, out, _ = run("chat", stdin=b"what accuracy does \xff Mercury reach?\n")
    assert code == 0
    assert "71.5% accuracy" in out


def test_status_tells_of_a_missing_store_and_of_other_embeddings(
    run: Run, planets: Store, embedder: WordEmbedder
) -> None:
    embedder.fingerprint = "f" * 64
    code, out, _ = run("status", "--json")
    status = json.loads(out)
    assert (code, status["papers"], status["error"]) == (4, 3, status["problems"][0].split(" Run:")[0])
    assert "was built with the embedding model 'words'" in status["error"]
    shutil.rmtree("store")
    code, out, _ = run("status", "--json")
    assert (code, json.loads(out)["error"], json.loads(out)["generation"]) == (4, "store holds no papers.", None)


def test_status_shows_what_serves_without_secrets(
    run: Run, planets: Store, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_DISCORD_TOKEN", "hush.hush.hush")
    monkeypatch.setenv("FOOTNOTE_MODEL", str(tiny_gguf))
    code, out, _ = run("status", "--json")
    status = json.loads(out)
    assert code == 0
    assert (status["papers"], status["generation"], status["offline"]) == (3, planets.manifest.generation, True)
    assert (status["embedding"]["model"], status["embedding"]["sha256"]) == ("words", "0" * 64)
    assert status["model"]["bytes"] == tiny_gguf.stat().st_size
    assert len(status["model"]["sha256"]) == 64
    assert status["model"]["gpu_layers"].keys() == {"asked", "offloaded", "layers"}
    code, text, _ = run("status")
    assert code == 0
    assert "FOOTNOTE_DISCORD_TOKEN=set" in text
    assert "hush" not in out + text


def spoil_json(path: Path) -> None:
    path.write_text("{")


@pytest.mark.parametrize(
    ("arguments", "spoil", "code", "error"),
    [
        (
            ["ask", QUESTION],
            lambda folder: shutil.rmtree(folder.parent),
            4,
            "store holds no papers. Run: footnote rebuild seeds/",
        ),
        (
            ["search", "x"],
            lambda folder: shutil.rmtree(folder.parent),
            4,
            "store holds no papers. Run: footnote rebuild seeds/",
        ),
        (
            ["status"],
            lambda folder: shutil.rmtree(folder.parent),
            4,
            "store holds no papers. Run: footnote rebuild seeds/",
        ),
        (
            ["chat"],
            lambda folder: (folder / "manifest.json").unlink(),
            4,
            "manifest.json is missing. Run: footnote rebuild",
        ),
        (["ask", QUESTION], lambda folder: spoil_json(folder / "manifest.json"), 4, "Cannot read store/gen-"),
        (["ask", ""], None, 2, "The question is empty."),
        (["ask", "\x07\x1b"], None, 2, "The question is empty."),
        (
            ["ask", "x" * 100_000],
            None,
            2,
            "The question has 100,000 characters; at most 8,000 can be read. Shorten it.",
        ),
        (["search", " "], None, 2, "The question is empty."),
        (
            ["ask", QUESTION, "--model", "gone.gguf"],
            None,
            78,
            "Cannot read the model gone.gguf: No such file or directory. Set FOOTNOTE_MODEL",
        ),
        (["ask", QUESTION, "--store", ""], None, 78, "FOOTNOTE_STORE: must be a folder of its own, such as store"),
        (["rebuild", "gone.txt"], None, 1, "There is no dump at gone.txt."),
        (
            ["rebuild", "bad.jsonl"],
            lambda _: Path("bad.jsonl").write_bytes(b'{"title": "\xff"}'),
            1,
            "bad.jsonl:1: not UTF-8: byte 0xff at column 12.",
        ),
        (
            ["rebuild", "long.jsonl"],
            lambda _: Path("long.jsonl").write_bytes(b"x" * 50_000_000),
            1,
            "long.jsonl:1: a line of 50,000,000 bytes; the limit is 8,388,608.",
        ),
        (
            ["rebuild", "empty.txt"],
            lambda _: Path("empty.txt").touch(),
            1,
            "No papers in empty.txt. empty.txt:1: empty.",
        ),
        (
            ["rebuild", "x.bin"],
            lambda _: Path("x.bin").write_bytes(b"\0"),
            1,
            "No papers in x.bin. x.bin:1: not text: a zero byte at column 1.",
        ),
    ],
)
def test_what_goes_wrong_has_a_message_and_an_exit_code(
    arguments: list[str], spoil: Callable[[Path], object] | None, code: int, error: str, run: Run, planets: Store
) -> None:
    if spoil:
        spoil(planets.folder)
    got, out, err = run(*arguments)
    assert got == code
    assert "footnote: " in err
    assert error in err
    if arguments[0] in {"ask", "search", "rebuild"}:
        assert out == ""
        got, out, err = run(*arguments, "--json")
        reply = json.loads(out)
        assert (got, reply.keys()) == (code, {"schema", "error", "hint"})
        assert error in f"{reply['error']} {reply['hint']}"
        assert "footnote:" not in err


@pytest.mark.parametrize(
    ("context", "error"),
    [
        (256, "was trained for a context window of 256 tokens"),
        (520, "leaves 200 tokens for the prompt, which is too small"),
    ],
)
def test_model_whose_context_is_too_small(context: int, error: str, run: Run, planets: Store, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "narrow.gguf", context=context)
    code, _, err = run("ask", QUESTION, "--model", str(path))
    assert code == 78
    assert error in err


def test_model_that_is_no_gguf(run: Run, planets: Store, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"\x89PNG")
    code, _, err = run("ask", QUESTION, "--model", "x.gguf")
    assert (code, err) == (
        78,
        "footnote: x.gguf is not a GGUF: it begins with b'\\x89PNG'. Set FOOTNOTE_MODEL to another GGUF, or to none for answers without a model.\n",
    )


def test_store_of_another_embedding_model(run: Run, planets: Store, embedder: WordEmbedder) -> None:
    embedder.fingerprint = "f" * 64
    code, _, err = run("ask", QUESTION)
    assert code == 4
    assert "was built with the embedding model 'words'" in err
    assert "Run: footnote rebuild" in err


def test_two_rebuilds_at_once(run: Run, planets: Store, write_dump: Callable[..., Path]) -> None:
    with writing(Path("store")):
        code, _, err = run("rebuild", str(write_dump(PLANETS)))
    assert (code, err) == (
        1,
        "footnote: Another rebuild is writing to store. Wait until it has ended, then run the rebuild again.\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["ask", "a", "b"],
        ["ask", "--json", "--jsonl"],
        ["rebuild", "--nonsense"],
        ["search", "x", "-k", "99"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], run: Run) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "usage: footnote" in err


def test_wrong_setting_exits_78(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTNOTE_N_CTX", "many")
    code, _, err = run("status")
    assert code == 78
    assert "FOOTNOTE_N_CTX: Input should be a valid integer" in err


def test_interrupted_rebuild_says_how_to_go_on(
    run: Run, planets: Store, write_dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object, stage: str, done: int, total: int) -> None:
        if stage == "embed" and done:
            raise KeyboardInterrupt

    command = ["rebuild", str(write_dump([("Jupiter", "Jupiter is large.")])), "--json"]
    with monkeypatch.context() as patched:
        patched.setattr(progress.Lines, "__call__", interrupt)
        code, _, err = run(*command)
    assert code == 130
    assert "Interrupted. The papers of before serve; run it again, and it goes on from its last batch." in err
    code, out, _ = run(*command)
    assert (code, json.loads(out)["embedded"]) == (0, 0)


def test_dump_that_vanishes_while_it_is_read(
    run: Run, planets: Store, write_dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_dump(PLANETS, "a.jsonl"), write_dump(PLANETS, "b.jsonl")]
    monkeypatch.setattr(progress.Lines, "__call__", lambda *_: paths[1].unlink(missing_ok=True))
    code, _, err = run("rebuild", *map(str, paths))
    assert code == 1
    assert "b.jsonl: No such file or directory. Check the path, then run the rebuild again." in err


@pytest.mark.parametrize(
    ("redirection", "code", "error"),
    [
        ("<&-", 2, "footnote: Nothing was asked. Run: footnote ask QUESTION, or pipe it in.\n"),
        ("</dev/null", 2, 'footnote: The question is empty. Ask one: footnote ask "What is a transformer?"\n'),
        ("--store nowhere x", 4, "footnote: nowhere holds no papers. Run: footnote rebuild seeds/ --store nowhere\n"),
    ],
)
def test_odd_standard_streams(redirection: str, code: int, error: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m bot.cli ask {redirection}", shell=True, capture_output=True, text=True, env=_at_root()
    )
    assert (done.returncode, done.stderr) == (code, error)


def test_output_that_cannot_be_written(planets: Store) -> None:
    for redirection, expected in (
        (">/dev/full", "footnote: Cannot write the output: No space left on device.\n"),
        ("| true", ""),
    ):
        command = f"set -o pipefail; {sys.executable} -m bot.cli status --json {redirection}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=_at_root())
        assert (done.returncode, done.stderr) == (1, expected)


def _at_root() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "FOOTNOTE_MODEL": "none"}
