"""Ten thousand damaged dumps of every format: none crashes or hangs the reader, and none loses a record in silence.

A dump is damaged by a seeded generator, and a failure names the sample and the seed that give it again.
Of each sample it is known which bytes are a record, its beginning and its end. After the damage

- a record whose bytes all still stand, and one that was damaged only between its beginning and its end, is a
  paper, or its text is part of one, or something is rejected between the papers that stand next to it;
- a file that was cut within a record says so, where the format can know it;
- a file out of which no paper comes is rejected or an error.

A record whose beginning or end was damaged is held to nothing of its own: without them it is none.
"""

import csv
import datetime
import gzip
import io
import json
import lzma
import random
import re
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import pytest
import zstandard

from rag.dumps import Dump, read_dump
from rag.dumps.files import find_dumps
from rag.errors import DumpError
from rag.text import clean, printable, title_key
from tests.conftest import SEEDS

DUMPS = 10_000
FAST_DUMPS = 1_000
LONGEST_READING = 5  # seconds of the processor, so that a busy machine fails nothing; most take milliseconds


PAPERS = [
    (
        f"{subject} of imaginary networks",
        f"We study {subject.lower()} and gain {n + 1}.5 points. Code: https://example.org/{n}.",
    )
    for n, subject in enumerate(["Pruning", "Distillation", "Attention", "Retrieval", "Translation"])
]


@dataclass(frozen=True)
class Record:
    """The bytes of a record. `body` is what can be damaged while it stays a record of its own."""

    begin: bytes
    body: bytes
    end: bytes

    @property
    def whole(self) -> bytes:
        return self.begin + self.body + self.end


@dataclass(frozen=True)
class Sample:
    """A sound dump in parts; `shows_cuts`: whether its format can know that a file was cut within a record."""

    name: str
    records: tuple[Record, ...]
    """In the order of their `titles`; none if the format has no bytes of its own for a record."""
    head: bytes = b""
    between: bytes = b""
    tail: bytes = b""
    shows_cuts: bool = True
    titles: tuple[str, ...] = tuple(title for title, _ in PAPERS)

    @property
    def whole(self) -> bytes:
        return self.head + self.between.join(record.whole for record in self.records) + self.tail

    def starts(self) -> list[int]:
        """Where each record begins."""
        starts, at = [], len(self.head)
        for record in self.records:
            starts.append(at)
            at += len(record.whole + self.between)
        return starts


@dataclass(frozen=True)
class Damaged:
    """A dump after the damage, and what has to come of it."""

    raw: bytes
    text: bytes | None
    """The dump without its compression; None if that is what was damaged."""
    harmed: int | None = None
    """The one record that was damaged, if it is known to have kept its beginning and end."""
    cut: bool = False
    """Whether it was cut within a record, and has to say so."""


def read(raw: bytes, path: Path) -> list[Dump]:
    path.write_bytes(raw)
    return [read_dump(file) for file in find_dumps([path])]


# The samples


def _listing(file: str) -> Sample:
    """The beginning of a saved page: its header and four records."""
    (dump,) = (read_dump(dump) for dump in find_dumps([next(SEEDS.glob(f"{file}_*"))]))
    lines = (SEEDS / Path(dump.path).name).read_bytes().splitlines(keepends=True)
    starts = [paper.sources[0].line - 1 for paper in dump.papers[:5]]
    records = []
    for start, following, paper in zip(starts, starts[1:], dump.papers, strict=False):
        raw = b"".join(lines[start:following])
        body = raw.index(paper.abstract[:20].encode()) + 200  # what tells an abstract from a title has to stay
        records.append(Record(raw[:body], raw[body:].rstrip(b"\n"), raw[len(raw.rstrip(b"\n")) :]))
    titles = tuple(paper.title for paper in dump.papers[: len(records)])
    return Sample(dump.format, tuple(records), b"".join(lines[: starts[0]]), shows_cuts=False, titles=titles)


def _record_of(kind: str, number: int, title: str, abstract: str) -> dict[str, object]:
    words = abstract.split()
    kinds: dict[str, dict[str, object]] = {
        "arxiv": {
            "id": f"2212.1169{number}",
            "authors_parsed": [["Li", "A.", ""], ["Wu", "B.", "Jr"]],
            "title": title,
            "categories": "cs.CL cs.AI",
            "doi": None,
            "abstract": f"  {abstract}\n",
            "versions": [{"version": "v1", "created": "Thu, 22 Dec 2022 13:56:15 GMT"}],
            "update_date": "2022-12-23",
        },
        "semantic-scholar": {
            "paperId": f"649def3{number}",
            "externalIds": {"DOI": f"10.1/{number}", "CorpusId": number},
            "title": title,
            "abstract": abstract,
            "authors": [{"authorId": "1", "name": "A. Li"}, {"authorId": None, "name": "B. Wu"}],
            "year": 2022,
            "publicationDate": "2022-12-22",
            "fieldsOfStudy": ["Computer Science"],
        },
        "openalex": {
            "id": f"https://openalex.org/W{number}",
            "doi": f"https://doi.org/10.1/{number}",
            "display_name": title,
            "publication_date": "2022-12-22",
            "authorships": [{"author": {"display_name": "A. Li"}}],
            "abstract_inverted_index": {word: [i for i, w in enumerate(words) if w == word] for word in words},
        },
        "any": {
            "id": str(number),
            "title": title,
            "abstract": abstract,
            "authors": ["A. Li"],
            "date": "2022",
            "url": "https://a.b/c",
        },
    }
    return kinds[kind]


def _json_lines(name: str, kind: str) -> Sample:
    objects = [json.dumps(_record_of(kind, n, *paper)).encode() for n, paper in enumerate(PAPERS)]
    return Sample(name, tuple(Record(b"{", raw[1:-1], b"}\n") for raw in objects))


def _json_array() -> Sample:
    objects = [json.dumps(_record_of("any", n, *paper), indent=1).encode() for n, paper in enumerate(PAPERS)]
    records = tuple(Record(b"{", raw[1:-1], b"}") for raw in objects)
    return Sample("json", records, b'{"meta": {"count": 5}, "results": [\n', b",\n", b"\n]}\n")


def _table(name: str, delimiter: str, quoting: int) -> Sample:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerow(["id", "title", "authors", "year", "abstract"])
    writer.writerows([n, title, "Li, A.; Wu, B.", 2022, abstract] for n, (title, abstract) in enumerate(PAPERS))
    head, *rows = out.getvalue().encode().splitlines(keepends=True)
    quoted = quoting == csv.QUOTE_ALL  # only the closing quote tells that a last cell is whole
    end = 2 if quoted else 1
    return Sample(name, tuple(Record(row[:1], row[1:-end], row[-end:]) for row in rows), head, shows_cuts=quoted)


def _bibtex() -> Sample:
    records = [
        Record(
            f"@article{{key{n},\n".encode(),
            f'  title = {{{{{title}}}}},\n  author = {{M{{\\"u}}ller, Anna and Wu, B.}},\n  journal = acl # " letters",\n'
            f"  month = jul, year = 2017,\n  doi = {{10.1/{n}}},\n  abstract = {{{abstract}}}\n".encode(),
            b"}\n\n",
        )
        for n, (title, abstract) in enumerate(PAPERS)
    ]
    return Sample("bibtex", tuple(records), b'@string{acl = "Association"}\n\n')


def _ris() -> Sample:
    records = [
        Record(
            b"TY  - JOUR\n",
            f"TI  - {title}\nAU  - Li, A.\nPY  - 2022/12/22/\nDO  - 10.1/{n}\nAB  - {abstract[:30]}\n{abstract[30:]}\n"
            f"KW  - Networks\nUR  - https://a.b/{n}\n".encode(),
            b"ER  - \n\n",
        )
        for n, (title, abstract) in enumerate(PAPERS)
    ]
    return Sample("ris", tuple(records), b"Scopus\nEXPORT DATE: 02 January 2024\n\n")


def _anthology() -> Sample:
    records = [
        Record(
            f'<paper id="{n}">\n'.encode(),
            f"  <title><fixed-case>{title[:1]}</fixed-case>{title[1:]}</title>\n  <author><first>A.</first><last>Li</last>"
            f"</author>\n  <abstract>{abstract} P &lt; 5.</abstract>\n  <url>2022.acl-long.{n}</url>\n".encode(),
            b"</paper>\n",
        )
        for n, (title, abstract) in enumerate(PAPERS)
    ]
    head = (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<collection id=\"2022.acl\">\n"
        b'<volume id="long"><meta><month>May</month><year>2022</year></meta>\n'
    )
    return Sample("acl-anthology", tuple(records), head, tail=b"</volume>\n</collection>\n")


def _pubmed() -> Sample:
    records = [
        Record(
            b"<PubmedArticle>",
            f'<MedlineCitation><PMID Version="1">{n}</PMID>\n<Article><Journal><PubDate><Year>2019</Year><Month>Sep</Month>'
            f"</PubDate></Journal>\n<ArticleTitle>{title}</ArticleTitle>\n<Abstract><AbstractText Label='AIM'>{abstract}"
            "</AbstractText></Abstract>\n<AuthorList><Author><LastName>Li</LastName><Initials>A</Initials></Author>"
            "</AuthorList></Article></MedlineCitation>".encode(),
            b"</PubmedArticle>\n",
        )
        for n, (title, abstract) in enumerate(PAPERS)
    ]
    head = b'<?xml version="1.0" encoding="utf-8"?>\n<PubmedArticleSet>\n'
    return Sample("pubmed", tuple(records), head, tail=b"</PubmedArticleSet>\n")


def _parquet() -> Sample:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    titles, abstracts = zip(*PAPERS, strict=True)
    out = io.BytesIO()
    table = arrow.table({"title": titles, "abstract": abstracts, "year": [2022] * len(PAPERS)})
    parquet.write_table(table, out, row_group_size=3, write_page_checksum=True)
    return Sample("parquet", (), out.getvalue())


FORMATS: dict[str, Callable[[], Sample]] = {
    "listing-bylines": lambda: _listing("000"),
    "listing-compact": lambda: _listing("001"),
    "listing-spaced": lambda: _listing("004"),
    "arxiv": lambda: _json_lines("arxiv", "arxiv"),
    "semantic-scholar": lambda: _json_lines("semantic-scholar", "semantic-scholar"),
    "openalex": lambda: _json_lines("openalex", "openalex"),
    "jsonl": lambda: _json_lines("jsonl", "any"),
    "json": _json_array,
    "csv": lambda: _table("csv", ",", csv.QUOTE_ALL),
    "tsv": lambda: _table("tsv", "\t", csv.QUOTE_MINIMAL),
    "bibtex": _bibtex,
    "ris": _ris,
    "acl-anthology": _anthology,
    "pubmed": _pubmed,
    "parquet": _parquet,
}


@cache
def sample(name: str) -> Sample:
    return FORMATS[name]()


# The damage

TOKENS = [
    *(b"{", b"}", b"[", b"]", b'"', b"'", b",", b":", b"\\", b"\n", b"\n\n", b"\r", b"\r\n", b"\t", b";", b"|", b"%", b"#"),
    *(b"<", b">", b"&", b"&amp;", b"&#0;", b"&#xD800;", b"&x;", b"<!--", b"<![CDATA[", b"]]>", b"<?xml", b"</", b"<a>"),
    *(b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b"</paper>", b"<paper>", b"</collection>", b"</PubmedArticleSet>"),
    *(b"@", b"@article{", b"@comment{", b"\n@string{", b"\n}\n", b"$", b"\\'", b"\\url{", b" and ", b"title = {"),
    *(b"\nER  -\n", b"ER  - ", b"\nTY  - JOUR\n", b"\nAB  - ", b"\nTI  - "),
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x1b[31m", b"\x85", b"\xff\xfe", b"\\ud800"),
    *(b"9" * 5_000, b"-1", b"1e999", b"NaN", b"null", b"true", b'"title": ', b'{"title": "', b'[{"', b"}, {"),
    *("•".encode(), b"Subscribe", b"Daily Papers", b"\nJan 26\n", b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"PAR1"),
]  # fmt: skip
RUNS = [b"[", b"{", b'{"a":', b"(", b"<a>", b"@a{", b'"', b"\\", b" ", b"x", b"\n", b"$", b"1", b",", b"&lt;", b"\0"]
_LONGEST_RUN = 20_000
_LONGEST_SPLICE = 150  # less than any record: with one of another format a file is of both


def _span(rng: random.Random, raw: bytes) -> tuple[int, int]:
    start = rng.randrange(len(raw) + 1)
    return start, min(len(raw), start + rng.choice([1, 1, 2, 5, 20, 100, 1_000]))


def _flip(rng: random.Random, raw: bytes) -> bytes:
    if not raw:
        return raw
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def _delete(rng: random.Random, raw: bytes) -> bytes:
    start, end = _span(rng, raw)
    return raw[:start] + raw[end:]


def _insert_noise(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + rng.randbytes(rng.choice([1, 2, 10, 100])) + raw[at:]


def _overwrite(rng: random.Random, raw: bytes) -> bytes:
    start, end = _span(rng, raw)
    return raw[:start] + rng.randbytes(end - start) + raw[end:]


def _duplicate(rng: random.Random, raw: bytes) -> bytes:
    start, end = _span(rng, raw)
    return raw[:end] + raw[start:end] * rng.choice([1, 1, 2, 50]) + raw[end:]


def _insert_token(rng: random.Random, raw: bytes) -> bytes:
    at = rng.choice([0, len(raw), *[rng.randrange(len(raw) + 1)] * 8])
    return raw[:at] + rng.choice(TOKENS) + raw[at:]


def _insert_run(rng: random.Random, raw: bytes) -> bytes:
    at, piece = rng.randrange(len(raw) + 1), rng.choice(RUNS)
    return raw[:at] + piece * (rng.choice([100, 1_000, _LONGEST_RUN]) // len(piece)) + raw[at:]


def _swap_lines(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    if len(lines) > 1:
        first, second = rng.sample(range(len(lines)), 2)
        lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _change_line_ends(rng: random.Random, raw: bytes) -> bytes:
    return raw.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\n\r\n"]))


def _splice(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    start, end = _span(rng, other := sample(rng.choice(list(FORMATS))).whole)
    return raw[:at] + other[start : min(end, start + _LONGEST_SPLICE)] + raw[at:]


MUTATIONS: list[Callable[[random.Random, bytes], bytes]] = [
    *(_flip, _delete, _insert_noise, _overwrite, _duplicate, _insert_token, _insert_token),
    *(_insert_run, _swap_lines, _change_line_ends, _splice),
]


def _mutated(rng: random.Random, raw: bytes) -> bytes:
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        raw = rng.choice(MUTATIONS)(rng, raw)
    return raw


def _zip(raw: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("papers/dump"), raw)
    return out.getvalue()


PACKERS: list[Callable[[bytes], bytes]] = [
    lambda raw: gzip.compress(raw, mtime=0),
    lambda raw: lzma.compress(raw, preset=0),
    lambda raw: zstandard.ZstdCompressor(write_checksum=True).compress(raw),  # as its command does
    _zip,
    lambda raw: gzip.compress(raw[: len(raw) // 2], mtime=0) + gzip.compress(raw[len(raw) // 2 :], mtime=0),
    lambda raw: lzma.compress(raw[: len(raw) // 2], preset=0) + lzma.compress(raw[len(raw) // 2 :], preset=0),
]


def damaged(dump: Sample, seed: int) -> Damaged:
    """A sample after some damage: in one record, anywhere, in its compression, or by a cut."""
    rng = random.Random(f"{dump.name} {seed}")
    kind = rng.choice(["record", "record", "anywhere", "anywhere", "cut", "packed"])
    if kind == "packed":
        return Damaged(_mutated(rng, rng.choice(PACKERS)(dump.whole)), None)
    if not dump.records:  # Parquet, which is compressed within
        raw = _mutated(rng, dump.whole) if kind != "cut" else dump.whole[: rng.randrange(len(dump.whole))]
        return Damaged(raw, None, cut=kind == "cut")
    harmed, cut = rng.randrange(len(dump.records)), False
    start, record = dump.starts()[harmed], dump.records[harmed]
    inside = start + len(record.begin)
    if kind == "record":
        body = _mutated(rng, record.body)
        text = dump.whole[:inside] + body + dump.whole[inside + len(record.body) :]
    elif kind == "cut":
        text, cut = dump.whole[: rng.randrange(inside, inside + len(record.body))], dump.shows_cuts
    else:
        text = _mutated(rng, dump.whole)
    raw = text if rng.random() < 0.8 else rng.choice(PACKERS)(text)
    return Damaged(raw, text, harmed if kind == "record" and re.search(rb"\w", body) else None, cut)


# What has to come of it


def check(dump: Sample, seed: int, path: Path) -> None:
    """Read a damaged dump from a file, as a rebuild does."""
    case = damaged(dump, seed)
    try:
        with _time_limit():
            dumps = read(case.raw, path)
    except DumpError:
        return
    assert dumps, "a file without dumps is no error"
    for one in dumps:
        assert one.papers or one.rejected, "nothing found and nothing reported"
        _check_values(one, case.text)
    if case.cut:
        assert any(one.rejected or one.notes for one in dumps), "the cut is not reported"
    assert not (lost := unreported(dump, case, dumps)), f"lost in silence: {lost}"


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        pytest.fail(
            f"reading it takes more than {LONGEST_READING} s"
        )  # no Exception, so that no reader takes it for damage

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_READING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _check_values(dump: Dump, text: bytes | None) -> None:
    for paper in dump.papers:
        assert title_key(paper.title)
        assert paper.abstract
        for value in (paper.title, paper.abstract, *paper.authors, *paper.categories, *paper.links):
            assert value == clean(value) != ""
        assert paper.paper_id == printable(paper.paper_id)
        assert not paper.date or datetime.date.fromisoformat((paper.date + "-01-01")[:10])
        for address in (*paper.links, *([paper.url] if paper.url else [])):
            assert re.fullmatch(r"https?://\S+", address, re.I)
        assert (paper.author_count or 1) > 0
        assert (paper.votes or 0) >= 0
    reasons = [*(place.why for place in dump.rejected), *(note.why for note in dump.notes)]
    assert all(why and why == printable(why).replace("\n", " ") for why in reasons)
    lines = [*(paper.sources[0].line for paper in dump.papers), *(place.line for place in dump.rejected)]
    assert min(lines) >= 1
    if text is not None and dump.format not in {"json", "unknown"}:  # their lines are no lines
        assert max(lines) <= text.count(b"\n") + text.count(b"\r") + 1


def unreported(dump: Sample, case: Damaged, dumps: list[Dump]) -> list[str]:
    """The titles of those records that are neither in a paper nor rejected.

    What is rejected reaches up to the next paper, since an open quote or brace takes what follows with it; and
    where nothing but rejections comes of a file, all of it is.
    """
    papers = [paper for one in dumps for paper in one.papers]
    rejected = [place.line for one in dumps for place in one.rejected]
    changed = [paper.sources[0].line for paper in papers if paper.title not in dump.titles]
    lines = {title: [paper.sources[0].line for paper in papers if paper.title == title] for title in dump.titles}
    lost = [title for title in dump.titles if not any(title in f"{paper.title} {paper.abstract}" for paper in papers)]
    if not papers or not lost:
        return []
    if case.text is None:  # where a record stood, or in which order, is not known
        return lost[len(changed) :] if not rejected else []
    standing = _standing(dump, case)
    silent = []
    for at, title in enumerate(standing):
        neighbours = [
            max((line for before in standing[:at] for line in lines[before]), default=0),
            min((line for after in standing[at + 1 :] for line in lines[after]), default=2**63),
        ]
        whole = case.harmed not in (None, dump.titles.index(title))  # and so its title, too
        reports = rejected if whole else rejected + changed
        if title in lost and not any(min(neighbours) <= line <= max(neighbours) for line in reports):
            silent.append(title)
    return silent


def _standing(dump: Sample, case: Damaged) -> list[str]:
    """The titles of the records that the damage has left, in the order in which they now stand."""
    assert case.text is not None
    text = case.text.replace(b"\r\n", b"\n")
    found = [text.find(record.whole) for record in dump.records]
    if case.harmed is not None:
        found[case.harmed] = dump.starts()[case.harmed]
    return [title for at, title in sorted(zip(found, dump.titles, strict=True)) if at >= 0]


@pytest.mark.parametrize("name", FORMATS)
def test_sound_sample_is_read_whole(name: str, tmp_path: Path) -> None:
    for pack in (bytes, *PACKERS):
        (dump,) = read(pack(sample(name).whole), tmp_path / "dump")
        assert tuple(paper.title for paper in dump.papers) == sample(name).titles
        assert not dump.rejected


def check_all(name: str, seeds: range, folder: Path) -> None:
    for seed in seeds:
        try:
            check(sample(name), seed, folder / "dump")
        except BaseException as exc:
            exc.add_note(f"To get it again: damaged(sample({name!r}), {seed}).raw")
            raise


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_dump_is_read_or_reported(name: str, tmp_path: Path) -> None:
    check_all(name, range(FAST_DUMPS // len(FORMATS) + 1), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_ten_thousand_damaged_dumps_are_read_or_reported(name: str, tmp_path: Path) -> None:
    check_all(name, range(FAST_DUMPS // len(FORMATS) + 1, DUMPS // len(FORMATS) + 1), tmp_path)
