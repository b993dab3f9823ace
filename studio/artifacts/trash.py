"""What lies in a workspace's trash, and how many bytes purging it frees."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import BigIntegerField, Count, IntegerField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from studio.accounts.models import Workspace
from studio.artifacts.models import Artifact
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet


def trash(workspace: Workspace) -> RunQuerySet:
    """What people deleted, newest first, each run with `n_together` (runs that went with it, itself
    included) and `n_bytes` of their files."""
    together = Run.objects.filter(deleted_with=OuterRef("pk")).order_by()
    files = Artifact.objects.filter(run__deleted_with=OuterRef("pk")).order_by()
    runs = Run.objects.filter(workspace=workspace).chosen_in_trash()
    return (
        runs.annotate(
            n_together=Subquery(
                together.values("deleted_with").annotate(n=Count("pk")).values("n"),
                output_field=IntegerField(),
            ),
            n_bytes=Coalesce(
                Subquery(
                    files.values("run__deleted_with").annotate(n=Sum("n_bytes")).values("n"),
                    output_field=BigIntegerField(),
                ),
                0,
            ),
        )
        .select_related("experiment", "workspace")
        .order_by("-deleted_at", "-pk")
    )


def trash_total(workspace: Workspace) -> dict[str, int]:
    """n_runs in the trash, child runs included, and n_bytes of their files (2 queries)."""
    inside = Run.objects.filter(workspace=workspace).in_trash()
    files = Artifact.objects.filter(workspace=workspace, run__deleted_at__isnull=False)
    n_bytes = files.aggregate(n=Sum("n_bytes"))["n"] or 0
    return {"n_runs": inside.count(), "n_bytes": n_bytes}


def purged_at(run: Run) -> datetime | None:
    """When the studio purges this run by itself, None for one that is not in the trash."""
    if run.deleted_at is None:
        return None
    return run.deleted_at + timedelta(days=settings.TRASH_DAYS)
