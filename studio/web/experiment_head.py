"""The head of an experiment's own page: name, star, description, and why one may not change it."""

from typing import Any

from studio.accounts.permissions import Permission
from studio.runs.descriptions import description_of
from studio.runs.models import Experiment
from studio.web.access import Request
from studio.web.deep_links import linked

NO_EDIT = "Your role does not allow changing experiments"


def experiment_head(request: Request, experiment: Experiment) -> dict[str, Any]:
    """What `experiments/_head.html` shows besides `workspace` and `experiment` (2 queries and those
    of `linked`); `experiment` comes from `find_experiment`."""
    description = description_of(experiment) if experiment.description else None
    return {
        "experiment": experiment,
        "experiment_starred": experiment.stars.filter(user=request.user).exists(),
        "experiment_description": linked(request, description) if description else None,
        "experiment_edit_refused": why_not_edit(request),
    }


def why_not_edit(request: Request) -> str:
    """Why the experiment can't be changed, in words; "" when it can."""
    return "" if Permission.EDIT_EXPERIMENT in request.permissions else NO_EDIT
