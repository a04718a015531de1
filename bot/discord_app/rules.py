"""What a server's managers decided: where and for whom the bot answers, how much, and what it shows (pure)."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.queue import Limits

# Discord lets one option carry one channel or role, so lists grow one by one; this keeps them bounded.
MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class Rules:
    """One server's; the defaults let everybody ask everywhere within the program's own limits."""

    channels: tuple[int, ...] = ()
    """Where it answers; empty for everywhere."""
    roles: tuple[int, ...] = ()
    """Whom it answers; empty for everybody."""
    waiting_per_person: int | None = None
    waiting_per_server: int | None = None
    show_model: bool = True

    def refuses(self, channels: Collection[int], roles: Collection[int]) -> str | None:
        """Why it does not answer in this channel (or the one of this thread) or whom has these roles."""
        if self.channels and not set(self.channels) & set(channels):
            return "I may not answer in this channel; ask in " + ", ".join(f"<#{channel}>" for channel in self.channels)
        if self.roles and not set(self.roles) & set(roles):
            return "I may answer only some roles of this server, and you have none of them."
        return None

    def limits(self, most: Limits) -> Limits:
        """The program's limits, lowered to the server's."""
        return replace(
            most,
            waiting_per_person=min(self.waiting_per_person or most.waiting_per_person, most.waiting_per_person),
            waiting_per_server=min(self.waiting_per_server or most.waiting_per_server, most.waiting_per_server),
        )

    def with_toggled(self, channel: int | None, role: int | None) -> "Rules":
        """A channel or role is put on its list, or taken off it if it is there."""
        return replace(self, channels=_toggled(self.channels, channel), roles=_toggled(self.roles, role))

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Rules":
        """What `record` gave."""
        return cls(**record | {"channels": tuple(record["channels"]), "roles": tuple(record["roles"])})


def _toggled(listed: tuple[int, ...], item: int | None) -> tuple[int, ...]:
    if item is None:
        return listed
    return tuple(other for other in listed if other != item) if item in listed else (*listed, item)[-MOST_LISTED:]
