"""Where the addresses that MLflow's clients print lead to: `/#/experiments/E/runs/R`. What stands
behind the # never reaches the server; `mlflow_links.js` asks for it here."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from studio.runs.models import Experiment, Run
from studio.web.access import Request, personal
from studio.web.accounts import last_workspace

# The id that clients know the experiment of this name by, in each workspace.
DEFAULT_ID, DEFAULT_NAME = 0, "Default"
MOST = 2**63


@personal("GET", "HEAD")
def to_experiment(request: Request, number: int) -> HttpResponse:
    """To an experiment's runs, for those who may see it, else 404."""
    experiments = Experiment.objects.visible_to(request.user).select_related("workspace")
    if number == DEFAULT_ID:
        room = last_workspace(request, request.user)
        found = experiments.filter(workspace=room).known_as(DEFAULT_NAME).first()
    else:
        found = experiments.filter(pk=number).first() if number < MOST else None
    if found is None:
        raise Http404
    return redirect("experiment-runs", workspace=found.workspace.name, name=found.name)


@personal("GET", "HEAD")
def to_run(request: Request, number: int, uid: str) -> HttpResponse:
    """To a run's page, for those who may see it, else 404. It may have been moved since: its own id
    counts, the experiment's only where several workspaces know that id."""
    runs = Run.objects.visible_to(request.user).filter(uid=uid).select_related("workspace")
    found = list(runs.order_by("pk")[:100])
    named = [run for run in found if run.experiment_id == number]
    if not found:
        raise Http404
    run = (named or found)[0]
    return redirect("run-detail", workspace=run.workspace.name, uid=run.uid)
