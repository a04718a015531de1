"""Records of the same paper -> one paper (pure).

Two records are of one paper if they carry the same id or, having none, the same title up to case,
punctuation and spacing.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rag.text import title_key
from rag.types import Paper, Rejected

_SLUG_LENGTH = 48


@dataclass(frozen=True, slots=True)
class Merged:
    """The distinct papers in the order they were first read, and where records of one paper disagree."""

    papers: tuple[Paper, ...]
    disagreements: tuple[Rejected, ...]


def merge(records: Iterable[Paper]) -> Merged:
    """Merge records into distinct papers.

    Title and abstract are those most records give, of equally frequent ones the last read, since later
    dumps are newer. Every other field is filled from whichever record knows it, the last one first;
    votes are the highest count. An abstract that lost is reported at the line of its record.
    """
    groups: dict[str, list[Paper]] = {}
    for record in records:
        groups.setdefault(record.paper_id or paper_id(record.title), []).append(record)
    papers, disagreements = [], []
    for key, group in groups.items():
        paper = _merge_group(key, group)
        papers.append(paper)
        for record in group:
            if record.abstract != paper.abstract:
                source = record.sources[0]
                why = f"another abstract of {paper.title[:80]!r} was kept"
                disagreements.append(Rejected(source.path, source.line, why))
    return Merged(tuple(papers), tuple(disagreements))


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
        author_count=next((r.author_count for r in newest_first if r.author_count is not None), None),
        date=next((r.date for r in newest_first if r.date), None),
        votes=max((r.votes for r in group if r.votes is not None), default=None),
        url=next((r.url for r in newest_first if r.url), None),
        sources=tuple(source for record in group for source in record.sources),
    )


def _most_frequent(values: Sequence[str]) -> str:
    """The value that occurs most often; of equals the one that occurs last."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], max(i for i, other in enumerate(values) if other == value)))
