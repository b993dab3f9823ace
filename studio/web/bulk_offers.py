"""The bulk changes as people meet them: a word for the button, a sentence for what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Offer:
    """One change. `action`: of bulk.choices, with the arguments `fixed`; `verb` and `tail` stand
    around "12 runs"; `means`: what happens, told before it does."""

    name: str
    action: str
    verb: str
    tail: str = ""
    means: str = ""
    is_danger: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def words(self, n: int) -> str:
        """«Delete 12 runs»."""
        return " ".join(part for part in (self.verb, runs(n), self.tail) if part)


def runs(n: int | None) -> str:
    """«12 runs», «1 run», «runs» while nobody has counted."""
    if n is None:
        return "runs"
    return "1 run" if n == 1 else f"{n:,} runs"


OFFERS = {
    one.name: one
    for one in (
        Offer(
            "cancel",
            "cancel",
            "Cancel",
            means="Their processes are asked to end and, after the grace period, killed.",
            is_danger=True,
        ),
        Offer("tags", "tags", "Change tags of"),
        Offer("star", "star", "Star", means="Stars are yours alone.", fixed={"starred": True}),
        Offer("unstar", "star", "Remove the star from", fixed={"starred": False}),
        Offer("move", "move", "Move", means="Their child runs go along."),
        Offer(
            "archive",
            "archive",
            "Archive",
            means="Archived runs leave the lists with their child runs, and stay in the search "
            "“is:archived”.",
        ),
        Offer("unarchive", "unarchive", "Unarchive", means="They are back in the lists."),
        Offer("delete", "delete", "Delete", is_danger=True),
        Offer(
            "restore",
            "restore",
            "Restore",
            means="They are back in the lists, with the child runs that were deleted with them.",
        ),
        Offer("purge", "purge", "Purge", tail="for good", is_danger=True),
    )
}
