"""Settings, from the environment (prefix FOOTNOTE_) and from .env in the working directory.

The only reader of either, and the only writer of .env. The environment wins over .env; both are documented in
.env.example, and a test holds that file to this one.
"""

import contextlib
import difflib
import ipaddress
import os
import re
import shutil
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.embed import PACKAGED_MODEL
from rag.errors import ConfigurationError

PREFIX = "FOOTNOTE_"
ENV_FILE = ".env"


class Settings(BaseSettings):
    """Every setting; construct it with `load_settings`, which explains what is wrong."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    store: Path = Field(Path("store"), description="Folder of the vector store.")
    embedding_model: str = Field(
        PACKAGED_MODEL,
        min_length=1,
        description="The packaged model's name, a folder, or a model hub's name of a sentence-transformers model.",
    )
    query_prefix: str = Field("", description="Put before every query; some embedding models want one.")
    passage_prefix: str = Field("", description="Put before every passage that is embedded.")
    offline: bool = Field(True, description="Never reach for a model hub.")
    top_k: int = Field(5, ge=1, le=20, description="Passages retrieved for a question and shown to the model.")

    model: str = Field(
        "", description="Path of a GGUF; none for answers without a model; empty for the bundled one, if there is one."
    )
    mode: Literal["auto", "quote", "write"] = Field(
        "auto", description="How a model answers: in sentences it chooses from the evidence, or in its own words."
    )
    gpu_layers: int = Field(-1, ge=-1, description="Layers of the model to run on a GPU; -1 for all.")
    n_ctx: int = Field(
        8192, ge=1, le=1_048_576, description="Context window in tokens; at most the model's own is used."
    )
    threads: int = Field(0, ge=0, le=512, description="Threads for the model; 0 to choose by processor.")
    batch: int = Field(512, ge=1, le=16_384, description="Prompt tokens evaluated at once.")
    max_tokens: int = Field(320, ge=1, le=100_000, description="Longest answer in tokens.")
    temperature: float = Field(0.0, ge=0.0, le=2.0, description="0 always takes the likeliest token.")
    seed: int = Field(0, ge=0, description="Of the draws made with a temperature above 0.")

    sessions: Path = Field(
        Path(""), description="File that keeps conversations; empty for footnote/sessions.db in your data folder."
    )

    discord_token: SecretStr = Field(SecretStr(""), description="Token of the Discord bot.")
    discord_read_messages: bool = Field(
        True, description="Read messages in the bot's own threads; needs Discord's Message Content Intent."
    )
    discord_waiting_per_person: int = Field(2, ge=1, le=50, description="Questions of one person that may wait.")
    discord_waiting_per_server: int = Field(20, ge=1, le=500, description="Questions of one server that may wait.")
    discord_waiting: int = Field(50, ge=1, le=1000, description="Questions that may wait in all.")
    discord_wait_s: float = Field(900.0, gt=0, description="Seconds until a waiting question is given up.")
    discord_answer_s: float = Field(300.0, gt=0, description="Seconds until an answer is cut.")
    discord_forget_days: float = Field(30.0, gt=0, description="Days until conversations and answers are forgotten.")
    discord_log_text: bool = Field(False, description="Also log what was asked.")
    discord_metrics_port: int = Field(0, ge=0, le=65_535, description="Port of /metrics for Prometheus; 0 for none.")
    discord_metrics_host: str = Field("127.0.0.1", description="Address that /metrics is served on.")
    discord_api_base: str = Field("", description="For tests against a local Discord; loopback only.")
    discord_gateway: str = Field("", description="For tests against a local Discord; loopback only.")

    @field_validator("store")
    @classmethod
    def _folder_of_its_own(cls, folder: Path) -> Path:
        if folder == Path():
            raise ValueError("must be a folder of its own, such as store")
        try:
            return folder.expanduser()
        except RuntimeError as exc:
            raise ValueError(f"{folder} names nobody's home") from exc

    @field_validator("discord_api_base", "discord_gateway")
    @classmethod
    def _loopback_only(cls, url: str) -> str:
        host = urlsplit(url).hostname or ""
        if url and host != "localhost" and not _is_loopback(host):
            raise ValueError("must be a loopback address, such as http://127.0.0.1:8080/api/v10")
        return url

    @property
    def model_path(self) -> Path | None:
        """The GGUF to load, or None to answer without a model."""
        if self.model.lower() == "none":
            return None
        return Path(self.model).expanduser() if self.model else _bundled_model()

    @property
    def sessions_path(self) -> Path:
        """The file that keeps conversations. Your data folder is XDG_DATA_HOME, or else ~/.local/share."""
        if self.sessions != Path(""):
            return self.sessions.expanduser()
        data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
        return data / "footnote" / "sessions.db"


def load_settings(**given: object) -> Settings:
    """Read the settings; `given` wins over the environment. Raises ConfigurationError naming what is wrong."""
    _check_names()
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as exc:
        wrong = "; ".join(
            f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in exc.errors()
        )
        raise ConfigurationError(
            f"{wrong}.", f"Mend it in the environment or in {ENV_FILE}; .env.example documents every setting."
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise _unusable("read", exc) from exc


def write_setting(name: str, value: str) -> None:
    """Set a setting in .env and leave every other line as it is. Raises ConfigurationError."""
    path = Path(ENV_FILE).resolve()
    name, quoted = f"{PREFIX}{name.upper()}", value.replace("\\", "\\\\").replace("'", "\\'")
    line = f"{name}='{quoted}'"
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after, found = re.subn(rf"(?m)^[ \t]*(?:export[ \t]+)?{name}[ \t]*=.*$", lambda _: line, before)
        if not found:
            after = f"{before}{'' if before.endswith(chr(10)) or not before else chr(10)}{line}\n"
        _replace(path, after)
    except (OSError, UnicodeDecodeError) as exc:
        raise _unusable("write", exc) from exc


def _replace(path: Path, text: str) -> None:
    """Put a text in a file's place, whole or not at all. Raises OSError.

    It may hold the bot's token: nobody but its owner can read it at any moment, unless that is how the file was.
    """
    written = path.with_name(f"{path.name}.new")
    written.unlink(missing_ok=True)  # of a process that was killed
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if path.exists():
            shutil.copymode(path, written)
        written.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            written.unlink()
        raise


def _unusable(verb: str, exc: OSError | UnicodeDecodeError) -> ConfigurationError:
    """What failed with .env, and what mends it."""
    no_text = isinstance(exc, UnicodeDecodeError)
    hint = "It must be a UTF-8 text file." if no_text else f"See: ls -l {ENV_FILE}; df -h ."
    return ConfigurationError(f"Cannot {verb} {ENV_FILE}: {exc}.", hint)


def _check_names() -> None:
    """Refuse a FOOTNOTE_ name that is no setting: a misspelt one would be silently without effect."""
    try:
        in_file = dotenv_values(ENV_FILE) if Path(ENV_FILE).is_file() else {}
    except (OSError, UnicodeDecodeError) as exc:
        raise _unusable("read", exc) from exc
    known = [name.upper() for name in Settings.model_fields]
    for name in [*os.environ, *in_file]:
        if name.upper().startswith(PREFIX) and name.upper().removeprefix(PREFIX) not in known:
            close = difflib.get_close_matches(name.upper().removeprefix(PREFIX), known, 1)
            hint = f"Did you mean {PREFIX}{close[0]}?" if close else "See .env.example for all of them."
            raise ConfigurationError(f"{name} is no setting.", hint)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bundled_model() -> Path | None:
    """The GGUF that ships with Footnote, if there is one."""
    return next(iter(sorted((Path(__file__).parent.parent / "models" / "writer").glob("*.gguf"))), None)
