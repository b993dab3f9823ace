"""What of a call about many runs is refused, and what their histories will tell of the rest."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.accounts.permissions import Actor
from studio.runs.limits import Invalid
from studio.runs.models import Run, RunEvent


@dataclass(frozen=True, slots=True)
class Refused:
    """Something of a run that was left out. what: names it."""

    run: Run
    what: str
    why: str


class Sorted:
    """What is refused, and what the histories of runs will tell."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []
        self._told: dict[tuple[int, str], tuple[Run, dict[str, str]]] = {}

    def refusing(self, run: Run, what: str) -> "_Refusing":
        """A context in which Invalid means that this is left out."""
        return _Refusing(self.refused, run, what)

    def tell(self, kind: str, news: Iterable[tuple[Run, str, str]]) -> None:
        """(run, key, text) for a line of that kind in the run's history; texts of one key join."""
        for run, key, text in news:
            after = self._told.setdefault((run.pk, kind), (run, {}))[1]
            after[key] = ", ".join(filter(None, [after.get(key), text]))

    def events(self, by: Actor) -> list[RunEvent]:
        """The lines, not stored yet."""
        return [
            RunEvent(
                workspace_id=run.workspace_id,
                run=run,
                kind=kind,
                actor=by.name,
                actor_user=by.user,
                after=after,
                message="Imported",
                work=by.work_uid or None,
            )
            for (_, kind), (run, after) in self._told.items()
        ]


class _Refusing:
    """What is Invalid within is noted once, and the next one comes."""

    def __init__(self, refused: list[Refused], run: Run, what: str) -> None:
        self._refused, self._run, self._what = refused, run, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, where: Any) -> bool:
        if not isinstance(error, Invalid):
            return False
        told = Refused(self._run, self._what, str(error))
        if not self._refused or self._refused[-1] != told:
            self._refused.append(told)
        return True
