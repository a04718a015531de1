"""Records of the same paper -> one paper (pure).

Records with the same arXiv id are of one paper, and so are records without any id that share a title, up to
case, punctuation and spacing. Otherwise two signs are needed, since one alone can err: arXiv has several papers
below one DOI (ACM's sample 10.1145/1122445.1122456, or that of a whole volume), unrelated dumps number their
records 1, 2, ..., and different papers are called "Summary":

    the same DOI or other id, and the same title or abstracts that are alike
    the same title, and abstracts that are alike, or one of the two without any id

Two arXiv ids or two DOIs never come together by way of a third record: each pair of them needs the same title
and abstracts that are alike. Which records are joined does not depend on the order they are read in.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from rag.dumps.identity import split_version
from rag.text import title_key
from rag.types import Note, Paper

_SLUG_LENGTH = 48

_ALIKE = 0.25
"""Abstracts are alike if they share this part of all their words.

Of 20,000 random pairs of abstracts of arXiv the most alike share 0.20. Among 140,268 papers of arXiv 21 pairs have
the same title and different ids: 20 are one work given in twice and share 0.18 to 1.00 (18 of them 0.29 and more),
one is of two works and shares 0.14; papers called "Summary" in SciFact share 0.09.
"""
_MOST_TOGETHER = 20
"""Records of so many ids below one title or DOI are no longer compared, which takes time that grows with the square.

The most that one title or DOI has among those papers of arXiv is 4.
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """The distinct papers in the order they were first read, and a note on each record that lost its wording or id."""

    papers: tuple[Paper, ...]
    notes: tuple[Note, ...]
    joined: int
    """Records that belong to a paper with another id than theirs."""


class _Key(NamedTuple):
    """What makes records one paper without a doubt. The first in order names the paper."""

    rank: int
    """0: an arXiv id, 1: a DOI and a title, 2: an id of another kind and a title, 3: a title."""
    id: str
    title: str


def merge(records: Iterable[Paper]) -> Merged:
    """Merge records into distinct papers.

    Title and abstract are those most records give, of equally frequent ones the last read, since later
    dumps are newer; a version of a preprint that is older than another does not count. Every other field is
    filled from whichever record knows it, the last one first; votes are the highest count. What was joined
    by another sign than its own id, and a title or abstract that lost, is noted at the line of its record.
    """
    groups = _Groups(records)
    groups.join()
    papers: list[Paper] = []
    notes: list[Note] = []
    joined = 0
    for name, unique, group in groups.named():
        paper = replace(_merge_group(group) if len(group) > 1 else group[0], paper_id=unique)
        papers.append(paper)
        joined += sum(_name(record) != name for record in group)
        notes += _notes(name, group, paper)
    return Merged(tuple(papers), tuple(notes), joined)


def paper_id(title: str) -> str:
    """A readable id for a paper that brings none, the same for every spelling that `title_key` joins.

    >>> paper_id("Reversible Column Networks")
    'reversible-column-networks-a44af239'
    """
    key = title_key(title)
    return _slug(key) + _hash(key)


def _slug(key: str) -> str:
    slug = ""
    for word in key.split():
        if len(slug) + len(word) > _SLUG_LENGTH:
            break
        slug += word + "-"
    return slug


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class _Groups:
    """The records below their keys, and which keys are of one paper. Keys are compared in their own order."""

    def __init__(self, records: Iterable[Paper]) -> None:
        self._records = list(records)
        self._rows: dict[_Key, list[int]] = {}
        for row, record in enumerate(self._records):
            self._rows.setdefault(_key(record), []).append(row)
        self._together: dict[_Key, tuple[_Key, ...]] = {}

    def join(self) -> None:
        """Find the keys that are of one paper, by their ids and then by their titles."""
        for keys in self._sharing(self._ids):
            for one, other in combinations(keys, 2):
                if self._titles(one) & self._titles(other) or self._overlap(one, other) >= _ALIKE:
                    self._unite(one, other)
        of_one_title = self._sharing(self._titles)
        for keys in of_one_title:
            for one, other in combinations([key for key in keys if key.id], 2):
                if self._overlap(one, other) >= _ALIKE:
                    self._unite(one, other)
        for *keys, last in of_one_title:
            if not last.id:  # at most one such key has a title; it joins the paper that it is most like
                nearest = max(keys, key=lambda key: self._overlap(key, last))
                only_one = set(keys) <= set(self._of(nearest))
                if only_one or self._overlap(nearest, last) >= _ALIKE:
                    self._unite(nearest, last)

    def named(self) -> Iterator[tuple[str, str, list[Paper]]]:
        """Each paper's id, the same made unique if other papers have it too, and its records as they were read."""
        papers = [keys for key in self._rows if key == min(keys := self._of(key), key=lambda key: self._rows[key][0])]
        names = [self._name(min(keys)) for keys in papers]
        papers_named = Counter(names)
        for keys, name in zip(papers, names, strict=True):
            unique = name if papers_named[name] == 1 else f"{name} {self._suffix(min(keys))}"
            yield name, unique, [self._records[row] for row in sorted(row for key in keys for row in self._rows[key])]

    def _name(self, key: _Key) -> str:
        """The id its records were given; of several rather one that is of nobody else's making."""
        names = {_name(self._records[row]) for row in self._rows[key]}
        return max(names, key=lambda name: (name != key.id, name))

    def _suffix(self, key: _Key) -> str:
        """What tells a key from all others: a readable title, and a hash of the rest too."""
        return _slug(min(self._titles(key))) + _hash(f"{key.id}\n{key.title}")

    def _sharing(self, signs: Callable[[_Key], set[str]]) -> list[list[_Key]]:
        """The keys that share a sign, for each sign that several but not too many share."""
        first: dict[str, _Key] = {}
        shared: dict[str, set[_Key]] = {}
        for key in self._rows:
            for sign in signs(key):
                if (other := first.setdefault(sign, key)) != key:
                    shared.setdefault(sign, {other}).add(key)
        return [sorted(keys) for _, keys in sorted(shared.items()) if len(keys) <= _MOST_TOGETHER]

    def _unite(self, one: _Key, other: _Key) -> None:
        ours, theirs = self._of(one), self._of(other)
        if ours is theirs or len(ours) + len(theirs) > _MOST_TOGETHER:
            return
        if all(self._may_be_one(left, right) for left in ours for right in theirs):
            self._together.update(dict.fromkeys(ours + theirs, ours + theirs))

    def _may_be_one(self, one: _Key, other: _Key) -> bool:
        """Whether no two arXiv ids or DOIs speak against it, or title and abstract outweigh them."""
        of_arxiv = one.rank == other.rank == 0
        dois, others = (self._ids(key) if key.rank < 2 else set() for key in (one, other))
        if not of_arxiv and not (dois and others and not dois & others):
            return True
        return bool(self._titles(one) & self._titles(other)) and self._overlap(one, other) >= _ALIKE

    def _of(self, key: _Key) -> tuple[_Key, ...]:
        return self._together.get(key) or (key,)

    def _ids(self, key: _Key) -> set[str]:
        """The ids of these records besides arXiv's."""
        if key.rank == 0:
            return {doi for row in self._rows[key] if (doi := self._records[row].doi)}
        return {key.id} if key.id else set()

    def _titles(self, key: _Key) -> set[str]:
        return {key.title} if key.rank else {title_key(self._records[row].title) for row in self._rows[key]}

    def _overlap(self, one: _Key, other: _Key) -> float:
        ours, theirs = (
            # The longest: some dumps cut abstracts off.
            _words(max((self._records[row].abstract for row in self._rows[key]), key=lambda text: (len(text), text)))
            for key in (one, other)
        )
        return len(ours & theirs) / max(1, len(ours | theirs))


def _key(record: Paper) -> _Key:
    if record.arxiv_id:
        return _Key(0, split_version(record.arxiv_id)[0], "")
    rank = 1 if record.doi else 2 if record.paper_id else 3
    return _Key(rank, record.doi or record.paper_id, title_key(record.title))


@lru_cache(maxsize=2 * _MOST_TOGETHER)
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))


def _name(record: Paper) -> str:
    """The id that the record would have as a paper of its own."""
    return record.paper_id or paper_id(record.title)


def _merge_group(group: Sequence[Paper]) -> Paper:
    newest_first = group[::-1]
    current = _without_old_versions(group)
    abstract = _most_frequent([record.abstract for record in current])
    known = next(record for record in newest_first if record.abstract == abstract)
    first = min(map(_key, group))
    own = [record for record in newest_first if _key(record) == first]
    return replace(
        known,
        title=_most_frequent([record.title for record in current]),
        authors=next((r.authors for r in newest_first if r.authors), ()),
        categories=next((r.categories for r in newest_first if r.categories), ()),
        author_count=next((r.author_count for r in newest_first if r.author_count is not None), None),
        date=next((r.date for r in newest_first if r.date), None),
        votes=max((r.votes for r in group if r.votes is not None), default=None),
        url=next((r.url for r in newest_first if r.url), None),
        sources=tuple(source for record in group for source in record.sources),
        doi=next((r.doi for r in [*own, *newest_first] if r.doi), None),
        arxiv_id=max((r.arxiv_id for r in own if r.arxiv_id), key=split_version, default=None),
    )


def _without_old_versions(group: Sequence[Paper]) -> list[Paper]:
    """The records without those of a version of a preprint that another record has newer."""
    versions = [split_version(record.arxiv_id or "") for record in group]
    newest = dict(sorted(versions))
    return [record for record, (id_, number) in zip(group, versions, strict=True) if number in (0, newest[id_])]


def _notes(name: str, group: Sequence[Paper], paper: Paper) -> Iterator[Note]:
    title = f"{paper.title[:80]!r}"
    names: dict[str | None, set[str]] = {}
    for record in group:
        for sign in (record.doi, title_key(record.title)):
            names.setdefault(sign, set()).add(_name(record))
    for record in group:
        source, whys = record.sources[0], []
        if _name(record) != name:
            signs = {"DOI": record.doi, "title": title_key(record.title)}
            shared = next((what for what, sign in signs.items() if sign and len(names[sign]) > 1), "id")
            whys.append(f"joined with {title} ({paper.paper_id}) by its {shared}")
        if record.title != paper.title:
            whys.append(f"another title of {title} was kept")
        if record.abstract != paper.abstract:
            whys.append(f"another abstract of {title} was kept")
        yield from (Note(source.path, source.line, why) for why in whys)


def _most_frequent(values: Sequence[str]) -> str:
    """The value that occurs most often; of equals the one that occurs last."""
    counts = Counter(values)
    last = {value: i for i, value in enumerate(values)}
    return max(counts, key=lambda value: (counts[value], last[value]))
