"""Settings come from the environment and .env, are documented, and say what is wrong with them."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.errors import ConfigurationError
from rag.settings import PREFIX, Settings, load_settings, write_setting
from tests.conftest import ROOT

EXAMPLE = ROOT / ".env.example"


def test_example_documents_every_setting_with_its_default(tmp_path: Path) -> None:
    documented = dict(re.findall(r"^(FOOTNOTE_\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    assert set(documented) == {PREFIX + name.upper() for name in Settings.model_fields}
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    as_documented = load_settings()
    (tmp_path / ".env").unlink()
    assert as_documented == load_settings()


def test_environment_wins_over_file_and_arguments_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("FOOTNOTE_STORE=from-file\nFOOTNOTE_TOP_K=7\nOTHER=1\n")
    assert load_settings().store == Path("from-file")
    monkeypatch.setenv("FOOTNOTE_STORE", "from-environment")
    assert (load_settings().store, load_settings().top_k) == (Path("from-environment"), 7)
    assert load_settings(store=Path("given"), model=None).store == Path("given")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FOOTNOTE_TOP_K", "none", "FOOTNOTE_TOP_K: Input should be a valid integer"),
        ("FOOTNOTE_TOP_K", "0", "FOOTNOTE_TOP_K: Input should be greater than or equal to 1"),
        ("FOOTNOTE_TEMPERATURE", "9", "FOOTNOTE_TEMPERATURE: Input should be less than or equal to 2"),
        (
            "FOOTNOTE_DISCORD_API_BASE",
            "https://example.org/api",
            "FOOTNOTE_DISCORD_API_BASE: must be a loopback address",
        ),
        (
            "FOOTNOTE_DISCORD_GATEWAY",
            "ws://127.0.0.1.evil.example/gw",
            "FOOTNOTE_DISCORD_GATEWAY: must be a loopback address",
        ),
        ("FOOTNOTE_THREADS", "100000", "FOOTNOTE_THREADS: Input should be less than or equal to 512"),
        ("FOOTNOTE_STORE", "", "FOOTNOTE_STORE: must be a folder of its own"),
        ("FOOTNOTE_STORE", "./", "FOOTNOTE_STORE: must be a folder of its own"),
        ("FOOTNOTE_STORE", "~nobody-here/shelf", "FOOTNOTE_STORE: ~nobody-here/shelf names nobody's home"),
        ("FOOTNOTE_GPU_LAYER", "3", r"FOOTNOTE_GPU_LAYER is no setting\. Did you mean FOOTNOTE_GPU_LAYERS\?"),
        ("FOOTNOTE_ZZZ", "3", r"FOOTNOTE_ZZZ is no setting\. See \.env\.example"),
    ],
)
def test_wrong_setting_is_named(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message):
        load_settings()


def test_misspelt_setting_in_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FOOTNOTE_STOER=x\n")
    with pytest.raises(ConfigurationError, match=r"FOOTNOTE_STOER is no setting\. Did you mean FOOTNOTE_STORE\?"):
        load_settings()


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"FOOTNOTE_STORE=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"Cannot read \.env: .* It must be a UTF-8 text file\."):
        load_settings()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/api/v10", "ws://localhost:8080/gw/", "http://[::1]:9/"])
def test_loopback_is_accepted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTNOTE_DISCORD_API_BASE", url)
    assert load_settings().discord_api_base == url


def test_token_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTNOTE_DISCORD_TOKEN", "hush.hush.hush")
    settings = load_settings()
    assert settings.discord_token.get_secret_value() == "hush.hush.hush"
    assert "hush" not in f"{settings} {settings!r} {settings.model_dump_json()}"


def test_none_means_no_model_and_a_path_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert load_settings(model="none").model_path is None
    assert load_settings(model="~/m.gguf").model_path == Path("/home/someone/m.gguf")
    monkeypatch.setenv("FOOTNOTE_STORE", "~/shelf")
    assert load_settings().store == Path("/home/someone/shelf")


def test_file_with_the_token_is_never_readable_by_others_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def copymode(before: Path, written: Path) -> None:
        modes.append(written.stat().st_mode & 0o777)
        shutil.copymode(before, written)

    with monkeypatch.context() as patched:
        patched.setattr("rag.settings.shutil", SimpleNamespace(copymode=copymode))
        (tmp_path / ".env").write_text("FOOTNOTE_DISCORD_TOKEN=hush\n")
        (tmp_path / ".env").chmod(0o640)
        (tmp_path / ".env.new").touch()  # a process was killed before it had written it
        write_setting("model", "a.gguf")
    assert modes == [0o600]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o640
    (tmp_path / ".env").unlink()
    write_setting("model", "a.gguf")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_setting_that_cannot_be_written_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / ".env").write_text("FOOTNOTE_DISCORD_TOKEN=hush\n")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigurationError, match=r"Cannot write \.env: .*No space left on device\. See: ls") as raised:
        write_setting("model", "a.gguf")
    assert "UTF-8" not in str(raised.value)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(".env", "FOOTNOTE_DISCORD_TOKEN=hush\n")]
