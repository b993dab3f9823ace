"""What a kind of work has to say for itself; kinds are registered by the packages that own them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from studio.accounts.permissions import Actor
from studio.work.models import Work


@dataclass(frozen=True, slots=True)
class Problem:
    """One item that was skipped or failed, and why, in a sentence."""

    uid: str
    message: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What one piece did. `cursor` None: it was the last. Numbers in `result` are added up."""

    cursor: Any
    n_done: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    n_failed: int = 0
    problems: tuple[Problem, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)


class Kind(Protocol):
    """One kind of work. Every method may be called again after a worker was killed."""

    def count(self, work: Work) -> int:
        """How many items there are; asked once, before the first piece."""

    def piece(self, work: Work, *, by: Actor) -> Piece:
        """Do the items from `work.cursor` on (None: from the start), in the caller's transaction.

        Takes at most a second or two. Raises NotAllowed when `by` has lost the right meanwhile.
        """

    def settle(self, work: Work) -> None:
        """Finish what can't be part of a transaction, such as removing files."""


class UnknownKind(Exception):
    """No package of this process registered such a kind."""


_KINDS: dict[str, Kind] = {}


def register(name: str, kind: Kind) -> None:
    _KINDS[name] = kind


def kind_of(work: Work) -> Kind:
    """The kind of `work`. Raises UnknownKind."""
    try:
        return _KINDS[work.kind]
    except KeyError as error:
        raise UnknownKind(f"This studio knows no work of the kind “{work.kind}”.") from error
