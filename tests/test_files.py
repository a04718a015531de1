"""Dumps in whatever they come in: compressed, in archives and folders, or piped in."""

import bz2
import gzip
import io
import json
import lzma
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from rag.dumps import read_dump, recognise
from rag.dumps.files import STANDARD_INPUT, Broken, find_dumps
from rag.errors import DumpError

LINES = b"".join(
    json.dumps({"id": str(i), "title": f"Title {i}", "abstract": "Text. " * 50}).encode() + b"\n" for i in range(500)
)


def _zip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("papers/a.jsonl", data)
    return buffer.getvalue()


WAYS = {"plain": lambda data: data, "gzip": gzip.compress, "xz": lzma.compress, "zstd": zstandard.compress, "zip": _zip}


def titles(path: Path) -> list[str]:
    return [paper.title for file in find_dumps([path]) for paper in read_dump(file).papers]


@pytest.mark.parametrize("way", WAYS)
def test_compression_is_told_by_content(way: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(WAYS[way](LINES))
    assert titles(path) == [f"Title {i}" for i in range(500)]


def test_several_compressed_streams_one_after_another_are_one_dump(tmp_path: Path) -> None:
    for name, pack in (("a", gzip.compress), ("b", lzma.compress), ("c", zstandard.compress)):
        (tmp_path / name).write_bytes(pack(LINES[: LINES.index(b"\n") + 1]) + pack(LINES[LINES.index(b"\n") + 1 :]))
        assert len(titles(tmp_path / name)) == 500


def test_frames_that_are_to_be_skipped_are(tmp_path: Path) -> None:
    sizes = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"  # pzstd puts one before each frame
    (tmp_path / "p").write_bytes((sizes + zstandard.compress(LINES)) * 2)
    assert len(titles(tmp_path / "p")) == 1_000


def test_zstandard_that_takes_too_much_memory_is_named_with_what_unpacks_it(tmp_path: Path) -> None:
    settings = zstandard.ZstdCompressionParameters(window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    (tmp_path / "long").write_bytes(packer.compress(LINES) + packer.flush())
    (file,) = find_dumps([tmp_path / "long"])
    with pytest.raises(Broken, match="zstd -d --long=31"):
        recognise(file)


@pytest.mark.parametrize("way", ["gzip", "xz", "zstd"])
def test_small_file_that_swells_takes_no_time(way: str, tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(WAYS[way](bytes(2**26)))
    (file,) = find_dumps([tmp_path / "bomb"])
    started = time.process_time()
    assert read_dump(file).rejected
    assert time.process_time() - started < 5  # Zstandard took a minute once; this is no timing but a hang


def test_zeros_may_fill_up_an_xz_file(tmp_path: Path) -> None:
    (tmp_path / "padded").write_bytes(lzma.compress(LINES) + bytes(10_000) + lzma.compress(LINES) + bytes(4))
    assert len(titles(tmp_path / "padded")) == 1_000


@pytest.mark.parametrize("way", ["gzip", "xz", "zstd"])
def test_damage_to_a_second_stream_is_reported(way: str, tmp_path: Path) -> None:
    stream = WAYS[way](LINES)
    (tmp_path / "damaged").write_bytes(stream + stream[:9] + b"\xaa" * 9 + stream[18:])
    (file,) = find_dumps([tmp_path / "damaged"])
    assert "the compressed data is damaged" in read_dump(file).rejected[-1].why


@pytest.mark.parametrize("way", ["gzip", "xz", "zstd"])
def test_what_stands_before_the_damage_is_read(way: str, tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(WAYS[way](LINES) + b"garbage")
    (file,) = find_dumps([tmp_path / "damaged"])
    dump = read_dump(file)
    assert (len(dump.papers), [place.line for place in dump.rejected]) == (500, [501])


@pytest.mark.parametrize("way", ["gzip", "xz", "zstd"])
def test_cut_off_data_keeps_what_was_read_and_reports_the_rest(way: str, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    data = WAYS[way](LINES)
    path.write_bytes(data[: len(data) // 2])
    (file,) = find_dumps([path])
    dump = read_dump(file)
    assert len(dump.papers) < 500
    assert any("the compressed data is damaged or ends early" in place.why for place in dump.rejected)


@pytest.mark.parametrize("way", ["gzip", "xz", "zstd"])
def test_damaged_data_is_reported(way: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    data = bytearray(WAYS[way](LINES))
    data[len(data) // 3 : len(data) // 3 + 40] = b"\xaa" * 40
    path.write_bytes(data)
    (file,) = find_dumps([path])
    assert read_dump(file).rejected


def test_members_of_an_archive_are_dumps_of_their_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.jsonl", LINES)
        archive.writestr("sub/b.jsonl.gz", gzip.compress(LINES))
        archive.writestr("__MACOSX/a.jsonl", b"junk")
        archive.writestr("notes.txt", "hello\n")
    dumps = [read_dump(file) for file in find_dumps([tmp_path / "all.zip"])]
    assert [(dump.path.split("all.zip:")[1], dump.format, len(dump.papers)) for dump in dumps] == [
        ("a.jsonl", "jsonl", 500),
        ("sub/b.jsonl.gz", "jsonl", 500),
        ("notes.txt", "unknown", 0),
    ]
    assert dumps[2].rejected[0].why == "no known dump format"


def test_damaged_archive_is_an_error_or_reported(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    data = bytearray(_zip(LINES))
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    (file,) = find_dumps([path])
    assert read_dump(file).rejected


def test_archive_that_is_cut_off_is_no_dump(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cut.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.tsv", "title\tabstract\n" + "T\tA\n" * 100)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "cut.zip").read_bytes()[:200])
    (file,) = find_dumps([tmp_path / "cut.zip"])
    dump = read_dump(file)
    assert not dump.papers
    assert "cut off" in dump.rejected[0].why


def test_damaged_offset_in_an_archive_is_reported(tmp_path: Path) -> None:
    data = bytearray(_zip(LINES))
    at = data.rindex(b"PK\x05\x06") + 16  # where the directory begins, from which zipfile reckons the members'
    data[at : at + 4] = (len(data) * 2).to_bytes(4, "little")
    (tmp_path / "damaged.zip").write_bytes(data)
    (file,) = find_dumps([tmp_path / "damaged.zip"])
    assert "the archive cannot be read" in read_dump(file).rejected[0].why


def test_members_of_one_name_are_all_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.jsonl", json.dumps({"title": "First", "abstract": "A"}))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jsonl", json.dumps({"title": "Second", "abstract": "A"}))
    assert titles(tmp_path / "all.zip") == ["First", "Second"]


def test_archive_without_dumps_is_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("__MACOSX/a.jsonl", LINES)
    with pytest.raises(DumpError, match="No dumps in the archive"):
        titles(tmp_path / "none.zip")


def test_standard_input_is_a_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(LINES))))
    dumps = [read_dump(file) for file in find_dumps([STANDARD_INPUT])]
    assert [(dump.path, len(dump.papers)) for dump in dumps] == [("standard input", 500)]


def test_unknown_compression_is_rejected_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "x.bz2").write_bytes(bz2.compress(LINES))
    (file,) = find_dumps([tmp_path / "x.bz2"])
    assert read_dump(file).rejected[0].why == "not text: a zero byte at column 20"


def test_dump_that_changes_while_it_is_read_is_an_error(
    write_dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_dump(LINES)
    (file,) = find_dumps([path])
    recognise = read_dump.__globals__["recognise"]

    def and_write(*arguments: object) -> object:
        path.write_bytes(LINES + LINES)
        return recognise(*arguments)

    monkeypatch.setattr("rag.dumps.recognise", and_write)
    with pytest.raises(DumpError, match="changed while it was read"):
        read_dump(file)
