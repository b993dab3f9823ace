"""What is told of a run's making: the facts its client gives, and the environment of its script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.compute.addresses import without_logins

if TYPE_CHECKING:
    from studio.runs.actions.create import NewRun

# What of a submitted environment is told of the run, and the kinds there are.
OF_ENVIRONMENT = ("name", "python", "requirements", "packages")
WORKERS_OWN, GIVEN, BUILT = "worker", "interpreter", "built"


def definition_of(new: NewRun) -> dict[str, Any]:
    """What a run is said to be at its birth: what its client tells, and the environment that a
    worker makes for it."""
    if new.submit is None:
        return dict(new.definition)
    return {**new.definition, "environment": environment_facts(new.submit.environment)}


def environment_facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What readers are told of the environment of a job: its kind and what makes it, nothing of its
    variables, which may hold secrets, and no login that an address holds."""
    given = {key: environment.get(key) for key in OF_ENVIRONMENT}
    facts = {key: _masked(value) for key, value in given.items() if value}
    is_built = "requirements" in facts or "packages" in facts
    kind = BUILT if is_built else GIVEN if "python" in facts else WORKERS_OWN
    return {"kind": kind, **facts}


def _masked(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_masked(one) for one in value]
    return without_logins(value) if isinstance(value, str) else value
