"""Larger language models: which there are, and how one gets here from the hub. Reaches out only when asked to pull.

A download is checked against the size and the sha256 that the hub itself gives for the file (and against the
catalogue's, where it pins one), goes on where an interrupted one ended, and appears under its name only when whole.
"""

import errno
import hashlib
import http.client
import os
import re
import shutil
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from rag.errors import FootnoteError

HUB = "https://huggingface.co"
FOLDER = Path("gguf")
_ADDRESS_S, _OFFLINE_AFTER_S, _STALLED_AFTER_S = 1.5, 5.0, 30.0
_CHUNK = 1 << 20
# Beside its weights a model needs room for the context and llama.cpp's buffers; of a machine's memory the
# rest of it and the embedding model want a quarter.
_OVERHEAD_GB, _SHARE_OF_MEMORY = 1.5, 0.75


@dataclass(frozen=True, slots=True)
class Model:
    """A GGUF on the hub. `gigabytes` is rounded; the exact size is the hub's to tell."""

    name: str
    repository: str
    file: str
    gigabytes: float
    licence: str
    why: str
    sha256: str = ""
    """If set, the only one accepted."""

    @property
    def memory_gb(self) -> float:
        """Memory it needs with a context of 8,192 tokens, about."""
        return self.gigabytes + _OVERHEAD_GB

    @property
    def path(self) -> Path:
        """Where it is once it was pulled."""
        return FOLDER / self.file


CATALOGUE = (
    Model(
        "qwen3-4b", "unsloth/Qwen3-4B-Instruct-2507-GGUF", "Qwen3-4B-Instruct-2507-Q4_K_M.gguf", 2.5, "Apache-2.0",
        "the first to try: follows the rules on markers, and runs on a laptop",
    ),
    Model(
        "granite-4-micro", "ibm-granite/granite-4.0-micro-GGUF", "granite-4.0-micro-Q4_K_M.gguf", 2.1, "Apache-2.0",
        "where memory is short: smaller, trained for answering from documents",
    ),
    Model(
        "qwen3-8b", "Qwen/Qwen3-8B-GGUF", "Qwen3-8B-Q4_K_M.gguf", 5.0, "Apache-2.0",
        "with a GPU of 8 GB or more: writes better, takes twice as long",
    ),
)  # fmt: skip


class PullError(FootnoteError):
    """A model that could not be downloaded whole."""


def named(name: str) -> Model:
    """A model of the catalogue. Raises PullError if there is none of this name."""
    for model in CATALOGUE:
        if name.lower() in (model.name, model.file.lower()):
            return model
    raise PullError(f"No model is called {name}.", f"There are: {', '.join(model.name for model in CATALOGUE)}.")


def fits(model: Model, memory_gb: float) -> bool:
    """Whether a machine with so much memory can run it beside everything else."""
    return model.memory_gb <= memory_gb * _SHARE_OF_MEMORY


def machine_memory_gb() -> float:
    """Memory of this machine; 0 where it cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return 0.0


def pull(model: Model, progress: Callable[[int, int], None] = lambda done, total: None, hub: str = HUB) -> Path:
    """Download a model and return its path; nothing to do if it is there, with the hub's size and hash.

    `progress` gets the bytes that are here and those of the whole. Raises PullError.
    """
    url = f"{hub}/{model.repository}/resolve/main/{model.file}"
    _check_reachable(hub)
    size, sha256 = _published(url, model)
    if model.path.is_file() and model.path.stat().st_size == size and _hash(model.path) == sha256:
        return model.path
    part = model.path.with_name(f"{model.file}.{sha256[:12]}.part")  # another version is not gone on with
    try:
        FOLDER.mkdir(exist_ok=True)
        with filelock.FileLock(FOLDER / f".{model.file}.lock", timeout=0):
            here = part.stat().st_size if part.exists() else 0
            if (free := shutil.disk_usage(FOLDER).free) < size - here:
                raise PullError(
                    f"{model.file} needs {(size - here) / 1e9:.1f} GB more; {FOLDER}/ has {free / 1e9:.1f} GB free.",
                    "Make room and run it again.",
                )
            _fetch(url, part, size, progress)
            if (found := _hash(part)) != sha256:
                part.unlink()
                raise PullError(
                    f"{model.file} has the sha256 {found}; the hub says {sha256}. It was removed.", "Run it again."
                )
            part.replace(model.path)
    except filelock.Timeout as exc:
        raise PullError(f"{model.file} is being pulled already.", "Wait until that has ended.") from exc
    except OSError as exc:
        full = exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "The disk is full" if full else f"Cannot write {part}: {exc.strerror or exc}"
        raise PullError(f"{what}. What came is kept.", "Make room and run it again; it goes on from there.") from exc
    return model.path


def _check_reachable(hub: str) -> None:
    """Fail soon when offline: resolvers have patience of their own. A host may have several addresses to try."""
    address = urllib.parse.urlsplit(hub)
    if urllib.request.getproxies().get(address.scheme):
        return
    reached = threading.Event()

    def connect() -> None:
        try:
            port = address.port or {"http": 80}.get(address.scheme, 443)
            socket.create_connection((address.hostname or "", port), timeout=_ADDRESS_S).close()
            reached.set()
        except OSError:
            pass

    trying = threading.Thread(target=connect, daemon=True)
    trying.start()
    trying.join(_OFFLINE_AFTER_S)  # ends sooner where the machine knows that it is offline
    if not reached.is_set():
        raise PullError(
            f"{address.hostname} cannot be reached.",
            "Connect to the internet, or copy a GGUF here and run: footnote models use PATH",
        )


def _published(url: str, model: Model) -> tuple[int, str]:
    """Size and sha256 of a file, from the headers that the hub sends before it redirects to the file itself."""
    with _open(urllib.request.Request(url, method="HEAD"), _Stay) as response:
        headers = response.headers
    sha256 = (headers.get("X-Linked-ETag") or headers.get("ETag") or "").removeprefix("W/").strip('"').lower()
    size = headers.get("X-Linked-Size") or headers.get("Content-Length") or ""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not size.isdigit():
        raise PullError(f"The hub gives no size and sha256 for {url}.", "Without them nothing is downloaded.")
    if model.sha256 and model.sha256 != sha256:
        raise PullError(
            f"The hub's {model.file} has the sha256 {sha256}, not the catalogue's {model.sha256}.",
            "It was changed since; download it yourself if you trust it, and run: footnote models use PATH",
        )
    return int(size), sha256


def _fetch(url: str, part: Path, size: int, progress: Callable[[int, int], None]) -> None:
    """Append what is missing of a file."""
    here = part.stat().st_size if part.exists() else 0
    if here < size:
        request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
        with _open(request) as response, part.open("r+b" if here else "wb") as file:
            goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {here}-")
            here = here if goes_on else 0
            file.seek(here)
            file.truncate()
            while here < size and (chunk := _read(response, min(_CHUNK, size - here))):
                file.write(chunk)
                here += len(chunk)
                progress(here, size)
            file.flush()
            os.fsync(file.fileno())
    if here != size:
        raise PullError(
            f"The connection ended at {here:,} of {size:,} bytes. What came is kept.",
            "Run it again; it goes on from there.",
        )


def _read(response: Any, count: int) -> bytes:
    try:
        return bytes(response.read(count))
    except http.client.IncompleteRead as exc:
        return exc.partial
    except (OSError, http.client.HTTPException):  # cut off, or nothing came for long
        return b""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Answers with the redirection itself."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _open(request: urllib.request.Request, *handlers: type[urllib.request.BaseHandler]) -> Any:
    request.add_header("User-Agent", "footnote")
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=_STALLED_AFTER_S)
    except urllib.error.HTTPError as exc:
        if _Stay in handlers and exc.code in (301, 302, 303, 307, 308):
            return exc
        gone = exc.code in (401, 403, 404)
        hint = "It may have been moved: download it by hand and run: footnote models use PATH" if gone else "Try later."
        raise PullError(f"The hub answers {exc.code} {exc.reason} to {request.full_url}.", hint) from exc
    except (OSError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", exc)
        raise PullError(f"The hub cannot be read: {reason}.", "Run it again.") from exc


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
