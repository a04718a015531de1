"""Models come from the hub whole or not at all: a local server that redirects, cuts off, lies or is not there."""

import hashlib
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import filelock
import pytest

from bot import cli
from rag import models
from rag.models import CATALOGUE, FOLDER, Model, PullError, fits, named, pull
from rag.settings import load_settings

CONTENT = b"GGUF" + bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MODEL = Model("small", "someone/small-GGUF", "small.gguf", 0.1, "MIT", "for tests")


class Hub(BaseHTTPRequestHandler):
    """As the hub: headers of the file at its address, which redirects to the bytes."""

    sha256: ClassVar[str] = SHA256
    cut_at: ClassVar[int | None] = None
    ranges: ClassVar[bool] = True
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_HEAD(self) -> None:
        if "resolve/main/small.gguf" not in self.path:
            self.send_error(404)
            return
        self.send_response(302)
        self.send_header("Location", "/bytes")
        self.send_header("X-Linked-ETag", f'"{self.sha256}"')
        self.send_header("X-Linked-Size", str(len(CONTENT)))
        self.end_headers()

    def do_GET(self) -> None:
        if self.path != "/bytes":
            self.do_HEAD()
            return
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(CONTENT[start : self.cut_at])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Hub, "asked", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_model_is_pulled_whole_and_not_twice(hub: str) -> None:
    seen: list[tuple[int, int]] = []
    path = pull(MODEL, lambda done, total: seen.append((done, total)), hub)
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [file.name for file in FOLDER.glob("[!.]*")] == ["small.gguf"]
    assert pull(MODEL, hub=hub) == path
    assert len(Hub.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_cut_connection_is_gone_on_with(hub: str, ranges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "cut_at", 3_000_000)
    with pytest.raises(PullError, match=r"ended at 3,000,000 of 5,120,004 bytes.*Run it again"):
        pull(MODEL, hub=hub)
    assert not MODEL.path.exists()
    monkeypatch.setattr(Hub, "cut_at", None)
    monkeypatch.setattr(Hub, "ranges", ranges)  # a server may send everything again
    assert pull(MODEL, hub=hub).read_bytes() == CONTENT
    assert Hub.asked[-1] == ("/bytes", "bytes=3000000-")


def test_model_that_another_program_pulls_is_left_to_it(hub: str) -> None:
    FOLDER.mkdir()
    with filelock.FileLock(FOLDER / ".small.gguf.lock"), pytest.raises(PullError, match="is being pulled already"):
        pull(MODEL, hub=hub)
    assert Hub.asked == []
    assert pull(MODEL, hub=hub).read_bytes() == CONTENT


def test_wrong_hash_is_removed(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "sha256", "0" * 64)
    with pytest.raises(PullError, match=f"has the sha256 {SHA256}; the hub says 0000"):
        pull(MODEL, hub=hub)
    assert list(FOLDER.glob("[!.]*")) == []


def test_hash_that_the_catalogue_pins_must_be_the_hubs(hub: str) -> None:
    assert pull(replace(MODEL, sha256=SHA256), hub=hub).exists()
    with pytest.raises(PullError, match="not the catalogue's ffff"):
        pull(replace(MODEL, sha256="f" * 64), hub=hub)


def test_hub_without_a_hash_is_not_trusted(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "sha256", "unknown")
    with pytest.raises(PullError, match="no size and sha256"):
        pull(MODEL, hub=hub)
    assert Hub.asked == []


def test_file_that_is_not_there_is_named(hub: str) -> None:
    with pytest.raises(PullError, match=r"404 Not Found to http://127.*other\.gguf"):
        pull(replace(MODEL, file="other.gguf"), hub=hub)


def test_full_disk_keeps_what_came(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        with pytest.raises(PullError, match=r"The disk is full\. What came is kept\. Make room"):
            pull(MODEL, hub=hub)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    [part] = FOLDER.glob("[!.]*")
    assert part.stat().st_size == 2_000_000
    assert pull(MODEL, hub=hub).read_bytes() == CONTENT
    assert Hub.asked[-1][1] == "bytes=2000000-"


def test_too_little_room_is_said_before_anything_comes(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(PullError, match=r"needs 0\.0 GB more"):
        pull(MODEL, hub=hub)
    assert Hub.asked == []


def test_offline_fails_at_once_and_says_what_to_do(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(PullError, match=r"127\.0\.0\.1 cannot be reached.*footnote models use PATH"):
            pull(MODEL, hub=nowhere)
    waits = threading.Event()

    def hang(*_: object, **__: object) -> None:
        waits.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hang)
    started = time.monotonic()
    with pytest.raises(PullError, match="cannot be reached"):
        pull(MODEL, hub=hub)
    waits.set()
    assert time.monotonic() - started < 30, "not until the resolver gives up"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# mine\nFOOTNOTE_TOP_K=7\n\nFOOTNOTE_MODEL=old\nOTHER='x y' # why",
            "# mine\nFOOTNOTE_TOP_K=7\n\n{}\nOTHER='x y' # why",
        ),
        ("FOOTNOTE_TOP_K=7", "FOOTNOTE_TOP_K=7\n{}\n"),
        ("#FOOTNOTE_MODEL=a\n export FOOTNOTE_MODEL = b\n", "#FOOTNOTE_MODEL=a\n{}\n"),
        (None, "{}\n"),
    ],
)
def test_use_writes_the_setting_and_keeps_everything_else(
    before: str | None, after: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gguf = tmp_path / "it's my models" / "a.gguf"
    gguf.parent.mkdir()
    gguf.write_bytes(b"GGUF...")
    if before is not None:
        (tmp_path / ".env").write_text(before)
    assert cli.main(["models", "use", str(gguf)]) == 0
    line = f"FOOTNOTE_MODEL='{tmp_path}/it\\'s my models/a.gguf'"
    assert (tmp_path / ".env").read_text() == after.format(line)
    assert load_settings().model_path == gguf
    assert "is in .env as FOOTNOTE_MODEL" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["use", "qwen3-4b"], "qwen3-4b is not here yet. Run: footnote models pull qwen3-4b"),
        (["use", "./none.gguf"], "There is no file none.gguf."),
        (["use", "other.gguf"], "No model is called other.gguf."),
        (["pull", "nonsense"], "No model is called nonsense. There are: qwen3-4b"),
        (["use", "text.gguf"], "text.gguf is no GGUF."),
        (["pull"], "pull and use take a NAME"),
        (["list", "qwen3-4b"], "list takes none"),
    ],
)
def test_what_cannot_be_done_says_why(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.gguf").write_text("hello")
    assert cli.main(["models", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / ".env").exists()


def test_list_says_what_fits_and_why(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "machine_memory_gb", lambda: 6.0)
    assert cli.main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {model["name"]: model["fits"] for model in listed["models"]} == {
        "qwen3-4b": True,
        "granite-4-micro": True,
        "qwen3-8b": False,
    }
    assert cli.main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("qwen3-4b") < shown.index("Apache-2.0") < shown.index("too large for here")
    assert "the first to try" in shown


def test_catalogue_is_sound() -> None:
    assert CATALOGUE[0].file == "Qwen3-4B-Instruct-2507-Q4_K_M.gguf"
    assert len({model.name for model in CATALOGUE}) == len({model.file for model in CATALOGUE}) == len(CATALOGUE)
    assert all(named(model.file) is model and fits(model, 1_000) and not fits(model, 1) for model in CATALOGUE)
    assert all(model.sha256 == "" or len(model.sha256) == 64 for model in CATALOGUE)


def test_nothing_is_pulled_unless_asked(hub: str) -> None:
    assert cli.main(["models", "list"]) == 0
    assert Hub.asked == []
    assert not os.path.exists(FOLDER)
