"""The generations of a store: which one serves, and who may write.

    store/
      current                      the name of the generation that serves
      gen-20261122-101500-3f9c/    a generation; `rag.store` knows what is in it
      .lock                        held by the process that writes

A generation is built beside the live one, settled on disk and made current by renaming one file, so that
readers never see half a rebuild and a crash, even of the machine, leaves the old one serving. What a killed
run leaves behind, the next one removes.
"""

import contextlib
import datetime
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from rag.errors import StoreBusy, StoreDamaged, StoreError, StoreMissing

# Nothing else in the folder is ever touched.
_GENERATION = re.compile(r"gen-\d{8}-\d{6}-[0-9a-f]{4}")


def new_name(root: Path, now: datetime.datetime) -> str:
    """A name for a generation that sorts by time, and that none has."""
    while (root / (name := f"gen-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}")).exists():
        pass
    return name


def current(root: Path) -> Path:
    """The folder of the generation that serves. Raises StoreMissing or StoreDamaged."""
    pointer = root / "current"
    try:
        name = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError as exc:
        state = "an unfinished rebuild but no papers" if _generations(root) else "no papers"
        where = "" if root == Path("store") else f" --store {root}"
        raise StoreMissing(f"{root} holds {state}.", f"Run: footnote rebuild seeds/{where}") from exc
    except (OSError, ValueError) as exc:
        raise StoreDamaged(f"Cannot read {pointer}: {exc}.") from exc
    if not _GENERATION.fullmatch(name) or not (root / name).is_dir():
        raise StoreDamaged(f"{pointer} names {name[:60]!r}, which is not there.")
    return root / name


def settle(folder: Path) -> None:
    """Wait until a generation is on disk, whole and under its name. Raises OSError if the disk cannot hold it."""
    for path in folder.rglob("*"):
        if path.is_dir():
            _settle_names(path)
        else:
            with path.open("rb+") as file:  # Windows flushes no file that is open for reading only
                os.fsync(file.fileno())
    _settle_names(folder)
    _settle_names(folder.parent)


def make_current(root: Path, name: str) -> None:
    """Make a generation that has been settled current: the one atomic step of a rebuild."""
    pointer = root / "current.new"
    with pointer.open("w", encoding="utf-8") as file:
        file.write(name + "\n")
        file.flush()
        os.fsync(file.fileno())
    pointer.replace(root / "current")
    _settle_names(root)


def remove_all_but(root: Path, keep: set[str | None]) -> None:
    """Remove every other generation, finished or not."""
    for folder in _generations(root):
        if folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def _settle_names(folder: Path) -> None:
    """Wait until the names in a folder are on disk, where the system can: Windows and some network drives cannot."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _generations(root: Path) -> list[Path]:
    return [folder for folder in root.glob("gen-*") if _GENERATION.fullmatch(folder.name)]


@contextlib.contextmanager
def writing(root: Path) -> Iterator[None]:
    """Hold the right to write to a store, or raise StoreBusy. A process that died does not hold it."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(root / ".lock")
        lock.acquire(timeout=0)
    except filelock.Timeout as exc:
        raise StoreBusy(
            f"Another rebuild is writing to {root}.", "Wait until it has ended, then run the rebuild again."
        ) from exc
    except OSError as exc:
        raise StoreError(
            f"Cannot write to {root}: {exc.strerror or exc}.", "Set FOOTNOTE_STORE to a folder you may write to."
        ) from exc
    try:
        yield
    finally:
        lock.release()
