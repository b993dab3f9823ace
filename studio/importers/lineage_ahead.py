"""What of the lineage that a source tells an import would add: counted, nothing is written."""

from collections.abc import Sequence

from studio.accounts.models import Workspace
from studio.importers.report import Report
from studio.lineage.checks import CONTEXT, NewInput, checked
from studio.lineage.importing import PastInput, PastLink, PastModel
from studio.lineage.models import LoggedModel, ModelInput, RunInput, RunOutput
from studio.runs.limits import Invalid
from studio.runs.models import Run

# The origin of a run; the run, where it is here; what is told of it.
News = tuple[str, Run | None, object]


def count_ahead(workspace: Workspace, news: Sequence[News], report: Report) -> None:
    """Count the models, uses of data sets and links among these that are not here yet.

    Those that the import will refuse, for a limit or because a model is missing, are counted too.
    Queries: 1 for models, 1 for data sets, 2 for links.
    """
    origins = {run.pk: origin for origin, run, _ in news if run is not None}
    models = {what.uid for _, _, what in news if isinstance(what, PastModel)}
    if models:
        here = LoggedModel.objects.filter(workspace=workspace, uid__in=models)
        report.n_models += len(models) - here.count()
    report.n_datasets += len(_inputs(news, origins))
    report.n_links += len(_links(news, origins))


def _inputs(news: Sequence[News], origins: dict[int, str]) -> set[tuple[str, ...]]:
    """(origin, name, digest, context) of those that are not noted yet."""
    found: set[tuple[str, ...]] = set()
    for origin, _, what in news:
        if isinstance(what, PastInput):
            try:
                # Without the long texts, which are no part of what it is known by.
                one = checked(NewInput(*what.used.key, labels=what.used.labels))
            except Invalid:
                continue
            found.add((origin, *one.key, one.labels.get(CONTEXT, "")))
    if found and origins:
        names = ("run_id", "dataset__name", "dataset__digest", "context")
        noted = RunInput.objects.filter(run__in=origins).values_list(*names)
        found -= {(origins[pk], *rest) for pk, *rest in noted}
    return found


def _links(news: Sequence[News], origins: dict[int, str]) -> set[tuple[str, str, bool]]:
    """(origin, id of the model, whether the run made it) of those that are not noted yet."""
    found = {
        (origin, what.uid, what.step is not None)
        for origin, _, what in news
        if isinstance(what, PastLink)
    }
    if found and origins:
        for kind, is_made in ((ModelInput, False), (RunOutput, True)):
            noted = kind.objects.filter(run__in=origins).values_list("run_id", "model__uid")
            found -= {(origins[pk], uid, is_made) for pk, uid in noted}
    return found
