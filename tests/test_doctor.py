"""`footnote doctor` names what is wrong and what mends it; completion and README say what the parser does."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot import cli, doctor
from bot.completion import SHELLS, subcommands
from bot.terminal.commands import COMMANDS, usage
from rag.reader import SHIPPED, EvidenceReader
from rag.store import Store
from tests.conftest import ROOT, WordEmbedder


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch, embedder: WordEmbedder) -> None:
    monkeypatch.setattr(cli, "_embedder", lambda settings: embedder)
    monkeypatch.setenv("FOOTNOTE_MODEL", "none")


def examine(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    code = cli.main(["doctor", "--json", *arguments])
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == 1
    assert report["ok"] == (code == 0)
    return code, {check["name"]: check for check in report["checks"]}


def test_all_is_well(
    planets: Store, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**40, 2**39, 2**39))
    monkeypatch.setattr(doctor, "_free_memory", lambda: 2**34)
    code, checks = examine(capsys, "--model", str(tiny_gguf))
    assert code == 0
    assert checks["store"]["found"] == f"store: 3 papers, {planets.manifest.generation}."
    assert re.search(r"noise\.gguf, 0 MiB, sha256 [0-9a-f]{12}, context 4096\.", checks["language model"]["found"])
    assert "footnote models list" in checks["language model"]["mend"]
    assert checks["GPU layers"]["found"].endswith("run on a GPU (asked for all).")
    assert checks["embedding model"]["found"] == "words, sha256 000000000000, 64 dimensions."
    sha256 = hashlib.sha256((SHIPPED / "model.safetensors").read_bytes()).hexdigest()
    assert re.fullmatch(rf"{SHIPPED}, \d+ MiB, sha256 {sha256[:12]}\.", checks["evidence model"]["found"])
    assert checks.keys() >= {"Python", "llama.cpp", "disk", "memory", "terminal", "Discord token", "offline"}
    assert cli.main(["doctor"]) == 0
    assert "\n✓ store            store: 3 papers" in capsys.readouterr().out


def test_each_failure_names_what_mends_it(
    planets: Store,
    embedder: WordEmbedder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    sessions = tmp_path / "sessions.db"
    sessions.write_bytes(b"nonsense" * 1000)
    monkeypatch.setenv("FOOTNOTE_SESSIONS", str(sessions))
    monkeypatch.setenv("FOOTNOTE_DISCORD_TOKEN", "hush")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 2**30))
    monkeypatch.setattr(doctor, "_free_memory", lambda: 2**20)
    embedder.fingerprint = "f" * 64
    code, checks = examine(capsys, "--model", "gone.gguf")
    failed = {name: check["mend"] for name, check in checks.items() if check["state"] == "failed"}
    assert code == 1
    assert "Set FOOTNOTE_MODEL" in failed["language model"]
    assert "footnote rebuild" in failed["embedding model"]
    assert f"mv {sessions} {sessions}.damaged" in failed["conversations"]
    assert "FOOTNOTE_STORE" in failed["disk"]
    assert "FOOTNOTE_MODEL" in failed["memory"]
    assert "developer portal" in failed["Discord token"]
    assert "hush" not in json.dumps(checks)
    shutil.rmtree("store")
    assert "Run: footnote rebuild seeds/" in examine(capsys)[1]["store"]["mend"]


@pytest.mark.parametrize(
    ("file", "size", "found"),
    [
        ("model.safetensors", None, "Cannot read {folder}/model.safetensors: No such file or directory."),
        ("model.safetensors", 1_000_000, "Cannot load the evidence model in {folder}: Error while deserializing"),
        ("tokenizer.json", 1000, "Cannot load the evidence model in {folder}: "),
    ],
)
@pytest.mark.parametrize(("kept", "mend"), [(".git", "git -C {source} checkout HEAD --"), ("src", "pip install")])
def test_evidence_model_that_is_missing_or_damaged_is_brought_back(
    file: str, size: int | None, found: str, kept: str, mend: str, tmp_path: Path
) -> None:
    folder = tmp_path / "models" / "evidence"
    shutil.copytree(SHIPPED, folder)
    (tmp_path / kept).mkdir()
    whole = (folder / file).read_bytes()
    (folder / file).unlink()
    if size:
        (folder / file).write_bytes(whole[:size])
    check = doctor._evidence_model(EvidenceReader(folder))
    assert check.state == "failed"
    assert check.found.startswith(found.format(folder=folder))
    assert mend.format(source=tmp_path) in check.mend


def test_evidence_model_that_cannot_tell_an_answer_has_failed(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    shutil.copytree(SHIPPED, folder)
    weights = (folder / "model.safetensors").read_bytes()
    header = 8 + int.from_bytes(weights[:8], "little")
    (folder / "model.safetensors").write_bytes(weights[:header] + bytes(len(weights) - header))
    check = doctor._evidence_model(EvidenceReader(folder))
    assert (check.state, "cannot tell an answer" in check.found) == ("failed", True)


def test_token_of_the_right_shape_is_told_but_not_shown() -> None:
    token = ".".join(["M" * 24, "Gabcde", "x" * 38])
    check = doctor._discord(token)
    assert check.state == "ok"
    assert "MMM" not in f"{check}"


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_names_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name, parser in subcommands(cli._parser()).items():
        assert re.search(rf"\b{name}\b", script)
        for option in (long for action in parser._actions for long in action.option_strings if long[:2] == "--"):
            assert re.search(rf"(--|-l ){option[2:]}\b", script)


@pytest.mark.parametrize(
    "shell",
    [pytest.param(shell, marks=pytest.mark.skipif(not shutil.which(shell), reason="not here")) for shell in SHELLS],
)
def test_completion_is_read_by_its_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    subprocess.run([shell, "-n"], input=capsys.readouterr().out, text=True, check=True)


def test_bash_completes_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["completion", "bash"])
    script = capsys.readouterr().out
    for typed, expected in {"footnote do": "doctor", "footnote chat --res": "--resume"}.items():
        words = typed.split()
        ask = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _footnote; echo ${{COMPREPLY[@]}}"
        done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_readme_lists_what_the_program_has() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cogapp", "--check", "README.md"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"Run: python -m cogapp -r README.md\n{done.stdout}{done.stderr}"
    readme = (ROOT / "README.md").read_text()
    assert all(usage(command).replace("|", "\\|") in readme for command in COMMANDS)
