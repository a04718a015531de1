"""Records of the same paper -> one paper (pure).

Two records are of one paper if they carry the same id or, having none, the same title up to case,
punctuation and spacing.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rag.text import title_key
from rag.types import Note, Paper

_SLUG_LENGTH = 48


@dataclass(frozen=True, slots=True)
class Merged:
    """The distinct papers in the order they were first read, and a note on each record that lost its wording."""

    papers: tuple[Paper, ...]
    notes: tuple[Note, ...]


def merge(records: Iterable[Paper]) -> Merged:
    """Merge records into distinct papers.

    Title and abstract are those most records give, of equally frequent ones the last read, since later
    dumps are newer. Every other field is filled from whichever record knows it, the last one first;
    votes are the highest count. A title or abstract that lost is noted at the line of its record.
    """
    groups: dict[str, list[Paper]] = {}
    for record in records:
        groups.setdefault(record.paper_id or paper_id(record.title), []).append(record)
    papers, notes = [], []
    for key, group in groups.items():
        paper = _merge_group(key, group)
        papers.append(paper)
        for record in group:
            for field, lost in (
                ("title", record.title != paper.title),
                ("abstract", record.abstract != paper.abstract),
            ):
                if lost:
                    source = record.sources[0]
                    notes.append(Note(source.path, source.line, f"another {field} of {paper.title[:80]!r} was kept"))
    return Merged(tuple(papers), tuple(notes))


def paper_id(title: str) -> str:
    """A readable id for a paper that brings none, the same for every spelling that `title_key` joins.

    >>> paper_id("Reversible Column Networks")
    'reversible-column-networks-a44af239'
    """
    key = title_key(title)
    slug = ""
    for word in key.split():
        if len(slug) + len(word) > _SLUG_LENGTH:
            break
        slug += word + "-"
    return slug + hashlib.sha256(key.encode()).hexdigest()[:8]


def _merge_group(key: str, group: Sequence[Paper]) -> Paper:
    newest_first = group[::-1]
    abstract = _most_frequent([record.abstract for record in group])
    known = next(record for record in newest_first if record.abstract == abstract)
    return replace(
        known,
        paper_id=key,
        title=_most_frequent([record.title for record in group]),
        authors=next((r.authors for r in newest_first if r.authors), ()),
        categories=next((r.categories for r in newest_first if r.categories), ()),
        author_count=next((r.author_count for r in newest_first if r.author_count is not None), None),
        date=next((r.date for r in newest_first if r.date), None),
        votes=max((r.votes for r in group if r.votes is not None), default=None),
        url=next((r.url for r in newest_first if r.url), None),
        sources=tuple(source for record in group for source in record.sources),
    )


def _most_frequent(values: Sequence[str]) -> str:
    """The value that occurs most often; of equals the one that occurs last."""
    counts = Counter(values)
    last = {value: i for i, value in enumerate(values)}
    return max(counts, key=lambda value: (counts[value], last[value]))
