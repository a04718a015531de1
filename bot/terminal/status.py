"""What serves -> the status line (pure)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """What the line tells; `papers` is None until they are open, and if they cannot be opened any more."""

    papers: int | None = None
    generation: str = ""
    model: str | None = None
    is_loading: bool = True
    filter: str = ""
    tokens_per_s: float | None = None
    unsaved: int = 0


def status_line(status: Status, width: int) -> str:
    """The line, of at most `width` characters: what matters less is left out first.

    >>> status_line(Status(313, "gen-20261122-101500-3f9c", "Qwen3-4B", False), 80)
    '313 papers · gen-20261122-101500-3f9c · Qwen3-4B'
    >>> status_line(Status(313, "gen-20261122-101500-3f9c", "Qwen3-4B", False, "year>=2024"), 40)
    '313 papers · Qwen3-4B · year>=2024'
    >>> status_line(Status(), 40), status_line(Status(313), 40)
    ('loading the papers …', '313 papers · loading the model …')
    >>> status_line(Status(is_loading=False), 40)
    'the papers cannot be opened'
    """
    if status.papers is None:
        return ("loading the papers …" if status.is_loading else "the papers cannot be opened")[:width]
    model = "loading the model …" if status.is_loading else status.model or "no model: verbatim sentences"
    # The less a part matters, the higher its number.
    parts = [
        (0, f"{status.papers:,} papers"),
        (5, "" if status.is_loading else status.generation),
        (3, model),
        (1, status.filter),
        (4, f"{status.tokens_per_s:.0f} tokens/s" if status.tokens_per_s else ""),
        (2, f"{status.unsaved} not saved" if status.unsaved else ""),
    ]
    parts = [part for part in parts if part[1]]
    while len(line := " · ".join(text for _, text in parts)) > width and len(parts) > 1:
        parts.remove(max(parts))
    return line[:width]
