"""What somebody asks of an import."""

from collections.abc import Callable
from dataclasses import dataclass

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor


def _no_tick() -> None:
    """Nobody waits for a sign of life."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to, and how.

    experiment: the one that takes all runs, "" for one of each name of the source. again: bring
    back runs that were deleted here. is_dry: read everything, write nothing. trusts_names: a run
    belongs to the member of the workspace whose name the source says; only for operators, as a
    file can say any name. tick: called every now and then while a long file is read.
    """

    workspace: Workspace
    by: Actor
    experiment: str = ""
    again: bool = False
    is_dry: bool = False
    trusts_names: bool = False
    tick: Callable[[], None] = _no_tick
