"""Parameters as tracking clients know them: written once, all of a request or none."""

from collections.abc import Mapping

from studio.accounts.permissions import Actor, Permission
from studio.runs.actions.rights import require_on
from studio.runs.labels import by_key, parameter_row
from studio.runs.lifecycle import record_event
from studio.runs.limits import MAX_PARAMETERS, Invalid
from studio.runs.models import Parameter, Run
from studio.runs.rows import insert_rows
from studio.runs.turn import in_turn

MAX_SHOWN = 200


class ParameterConflict(Invalid):
    """A parameter holds another value, and the client takes parameters for write-once."""

    def __init__(self, run: Run, key: str, existing: str, value: str) -> None:
        self.key, self.existing, self.value = key, existing, value
        super().__init__(
            "params",
            "Changing param values is not allowed. "
            f"Param with key='{key}' was already logged with value='{_short(existing)}' "
            f"for run ID='{run.uid}'. Attempted logging new value '{_short(value)}'.",
        )


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def add_parameters(run: Run, parameters: Mapping[str, str], *, by: Actor) -> None:
    """Add parameters; the same value again is fine and writes nothing.

    Keys and values are stored as they are. Raises ParameterConflict for another value, Invalid
    beyond the most a run holds; nothing is stored then. Queries: 4 and the right's.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    with in_turn():
        Run.objects.select_for_update().only("pk").get(pk=run.pk)
        rows = Parameter.objects.filter(run=run, key__in=parameters)
        before = by_key(rows)
        for key, value in parameters.items():
            if before.get(key, value) != value:
                raise ParameterConflict(run, key, before[key], value)
        added = {key: value for key, value in parameters.items() if key not in before}
        if not added:
            return
        n_there = Parameter.objects.filter(run=run).count()
        if n_there + len(added) > MAX_PARAMETERS:
            raise Invalid("params", f"A run holds at most {MAX_PARAMETERS:,} parameters.")
        insert_rows([parameter_row(run, key, value) for key, value in added.items()])
        record_event(run, "parameters", by=by, before=dict.fromkeys(added), after=added)
