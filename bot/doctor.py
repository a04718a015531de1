"""Is everything here that an answer needs? One check a part, each with the command that mends it.

The checks go on after one has failed; nothing is changed.
"""

import hashlib
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.render import SCHEMA, Json
from bot.sessions import Sessions
from rag.errors import FootnoteError, ModelError
from rag.generate import LlamaGenerator, binding
from rag.reader import EvidenceReader, shipped_reader
from rag.settings import Settings
from rag.store import open_store
from rag.types import Embedder

State = Literal["ok", "note", "failed"]
_SIGNS = {"ok": "✓", "note": "–", "failed": "✗"}
_OLDEST_PYTHON = (3, 11)
# A rebuild writes a second generation beside the first; a model needs its file's size and its context.
_LEAST_DISK = 2 * 2**30
_SPARE_MEMORY = 2**30
# Three parts of base64: the bot's id, a time, a signature.
_TOKEN = re.compile(r"[\w-]{18,}\.[\w-]{6,}\.[\w-]{27,}")
# A question, and a paper of which the first sentence answers it and the second does not.
_ASKED = "How many layers does it have?"
_PAPER = ("A small network", ("The network has 12 layers.", "We thank the reviewers."))


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found; `mend` is the command or step that mends it."""

    name: str
    state: State
    found: str
    mend: str = ""


def checks(
    settings: Settings, embedder: Embedder, load_generator: Callable[[], LlamaGenerator | None]
) -> Iterator[Check]:
    """All checks, each as it is done; the model is loaded, which may take a while."""
    yield _python()
    yield from _language_model(settings, load_generator)
    yield from _store(settings, embedder)
    yield _evidence_model(shipped_reader())
    yield _conversations(settings)
    yield _disk(settings.store)
    yield _memory(settings)
    yield _terminal()
    yield _discord(settings.discord_token.get_secret_value())
    yield _offline(settings.offline)


def check_text(check: Check) -> str:
    """A line for people."""
    mend = f" {check.mend}" if check.mend else ""
    return f"{_SIGNS[check.state]} {check.name:<16} {check.found}{mend}"


def checks_json(done: list[Check]) -> Json:
    """All checks as `footnote doctor --json` prints them."""
    return {
        "schema": SCHEMA,
        "ok": all(check.state != "failed" for check in done),
        "checks": [{"name": c.name, "state": c.state, "found": c.found, "mend": c.mend} for c in done],
    }


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return Check("Python", "failed", found, "Footnote needs 3.11: make PYTHON=python3.11")
    return Check("Python", "ok", found)


def _language_model(settings: Settings, load_generator: Callable[[], LlamaGenerator | None]) -> Iterator[Check]:
    found = binding()
    gpu = "with GPU support" if found.can_offload else "for the processor only"
    mend = "" if found.can_offload else "For a GPU build it anew: see What you need in the README."
    yield Check(
        "llama.cpp", "ok" if found.can_offload else "note", f"llama-cpp-python {found.version}, built {gpu}.", mend
    )
    try:
        generator = load_generator()
    except FootnoteError as error:
        yield _failed("language model", error)
        return
    if generator is None:
        yield Check(
            "language model", "note", "none: answers are the papers' own sentences.", "Set FOOTNOTE_MODEL to a GGUF."
        )
        return
    size, sha256 = generator.path.stat().st_size, generator.file_sha256()
    larger = "It is tiny and only orders the papers' sentences. Larger ones: footnote models list"
    yield Check(
        "language model", "note" if generator.is_tiny else "ok",
        f"{generator.path}, {size / 2**20:,.0f} MiB, sha256 {sha256[:12]}, context {generator.n_ctx}.",
        larger if generator.is_tiny else "",
    )  # fmt: skip
    offload = generator.offload
    generator.close()
    fewer = found.can_offload and offload.asked and not offload.done
    yield Check(
        "GPU layers", "failed" if fewer else "ok",
        f"{offload.done} of {offload.layers} run on a GPU (asked for {'all' if offload.asked < 0 else offload.asked}).",
        "Lower FOOTNOTE_GPU_LAYERS, or see what the GPU's driver says." if fewer else "",
    )  # fmt: skip


def _store(settings: Settings, embedder: Embedder) -> Iterator[Check]:
    try:
        store = open_store(settings.store)
    except FootnoteError as error:
        yield _failed("store", error)
    else:
        manifest = store.manifest
        yield Check("store", "ok", f"{settings.store}: {manifest.papers:,} papers, {manifest.generation}.")
        try:
            store.check_embedder(embedder)
        except FootnoteError as error:
            yield _failed("embedding model", error)
            return
        finally:
            store.close()
    try:
        yield Check(
            "embedding model", "ok",
            f"{embedder.name}, sha256 {embedder.fingerprint[:12]}, {embedder.dimension} dimensions.",
        )  # fmt: skip
    except FootnoteError as error:
        yield _failed("embedding model", error)


def _evidence_model(reader: EvidenceReader) -> Check:
    weights = reader.folder / "model.safetensors"
    try:
        with weights.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        ((answers, other),) = reader.read(_ASKED, [_PAPER])
        if not answers > other:
            raise ModelError(f"The evidence model in {reader.folder} cannot tell an answer, sha256 {sha256[:12]}.")
    except OSError as error:
        return Check("evidence model", "failed", f"Cannot read {weights}: {error.strerror}.", _again(reader.folder))
    except FootnoteError as error:
        return Check("evidence model", "failed", f"{error.message.rstrip('.')}.", _again(reader.folder))
    return Check(
        "evidence model", "ok", f"{reader.folder}, {weights.stat().st_size / 2**20:,.0f} MiB, sha256 {sha256[:12]}."
    )


def _again(folder: Path) -> str:
    """What brings back a model that ships with Footnote."""
    source = folder.parent.parent
    if (source / ".git").exists():
        return f"Run: git -C {shlex.quote(str(source))} checkout HEAD -- models/{folder.name}"
    return "In the folder of Footnote's source run: pip install --force-reinstall --no-deps ."


def _conversations(settings: Settings) -> Check:
    path = settings.sessions_path
    if not path.exists():
        return Check("conversations", "ok", f"{path}: none yet.")
    try:
        return Check("conversations", "ok", f"{path}: {len(Sessions(path).recent(most=10_000)):,} kept.")
    except FootnoteError as error:
        return _failed("conversations", error)


def _disk(store: Path) -> Check:
    folder = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    short = free < _LEAST_DISK
    mend = "A rebuild may not fit: free some space, or set FOOTNOTE_STORE." if short else ""
    return Check("disk", "failed" if short else "ok", f"{free / 2**30:.1f} GiB free at {folder}.", mend)


def _memory(settings: Settings) -> Check:
    free = _free_memory()
    if free is None:
        return Check("memory", "note", "not known on this system.")
    path = settings.model_path
    needed = (path.stat().st_size if path and path.exists() else 0) + _SPARE_MEMORY
    short = free < needed
    mend = f"The model needs some {needed / 2**30:.1f}: set FOOTNOTE_MODEL to a smaller GGUF." if short else ""
    return Check("memory", "failed" if short else "ok", f"{free / 2**30:.1f} GiB free.", mend)


def _free_memory() -> int | None:
    """Bytes that can be had without swapping, where Linux tells."""
    try:
        match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        match = None
    return int(match[1]) * 1024 if match else None


def _terminal() -> Check:
    term, encoding = os.environ.get("TERM", "not set"), (sys.stdout.encoding or "unknown").lower()
    columns = shutil.get_terminal_size().columns
    found = f"{'a terminal' if sys.stdout.isatty() else 'no terminal'}, TERM {term}, {encoding}, {columns} columns."
    if encoding not in {"utf-8", "utf8"}:
        return Check("terminal", "note", found, "For all letters: export LANG=C.UTF-8")
    return Check("terminal", "ok", found)


def _discord(token: str) -> Check:
    if not token:
        return Check("Discord token", "note", "not set; only footnote discord needs it.", "Set FOOTNOTE_DISCORD_TOKEN.")
    if not _TOKEN.fullmatch(token):
        return Check("Discord token", "failed", "set, but of another shape.", "Copy it anew from the developer portal.")
    return Check("Discord token", "ok", "set, and of the right shape.")


def _offline(offline: bool) -> Check:
    if offline:
        return Check("offline", "ok", "yes: no model hub is asked for the embedding model.")
    return Check("offline", "note", "no: a model hub may be asked.", "Set FOOTNOTE_OFFLINE=true.")


def _failed(name: str, error: FootnoteError) -> Check:
    return Check(name, "failed", error.message, error.hint)
