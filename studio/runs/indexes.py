"""The indexes of runs: which question each of them answers."""

from django.db import models
from django.db.models.functions import Coalesce

from studio.runs.status import ACTIVE

RUN_INDEXES = [
    # Where two indexes serve a list equally, SQLite takes that made last: the narrower, which knows
    # all that the list asks of a run.
    # All runs with child runs, newest first.
    models.Index(
        fields=["workspace", "-created_at", "-id"],
        name="run_newest",
        condition=models.Q(deleted_at=None, archived_at=None),
    ),
    # The roots only: the default page.
    models.Index(
        fields=["workspace", "-created_at", "-id"],
        name="run_roots_newest",
        condition=models.Q(parent=None, deleted_at=None, archived_at=None),
    ),
    # One experiment's with child runs and archived ones.
    models.Index(fields=["experiment", "-created_at", "-id"], name="run_of_experiment"),
    # Its roots only, newest first.
    models.Index(
        fields=["experiment", "-created_at", "-id"],
        name="run_experiment_newest",
        condition=models.Q(parent=None, deleted_at=None, archived_at=None),
    ),
    # By number: those of the whole workspace are in another order.
    models.Index(
        fields=["experiment", "number", "-id"],
        name="run_experiment_number",
        condition=models.Q(deleted_at=None, archived_at=None),
    ),
    # One person's, one target's.
    models.Index(fields=["submitter", "-created_at", "-id"], name="run_of_submitter"),
    models.Index(
        fields=["target", "-created_at", "-id"],
        name="run_of_target",
        condition=models.Q(target__isnull=False),
    ),
    # By what clients of other protocols call their start, archived and deleted ones with them.
    models.Index(
        models.F("experiment"),
        Coalesce("started_at", "created_at").desc(),
        models.F("uid"),
        models.F("deleted_at"),
        name="run_experiment_start",
    ),
    # How an experiment's runs stand, and its runs of one status.
    models.Index(
        fields=["experiment", "status", "-created_at", "-id"],
        name="run_experiment_status",
        condition=models.Q(parent=None, deleted_at=None, archived_at=None),
    ),
    # Status counters, the status filter, the list sorted by status; with the parent, so that
    # root runs are told apart without reading a run.
    models.Index(
        fields=["workspace", "status", "-created_at", "-id", "parent"],
        name="run_listed_status",
        condition=models.Q(deleted_at=None, archived_at=None),
    ),
    # The same by type.
    models.Index(
        fields=["workspace", "type", "-created_at", "-id"],
        name="run_type_newest",
        condition=models.Q(deleted_at=None, archived_at=None),
    ),
    # SELECT … WHERE workspace_id = ? AND duration_s IS NOT NULL ORDER BY duration_s, id
    # DESC LIMIT 51, and the same by name, start …: the list sorted by these columns. Runs without a
    # value are in it too: they are the end of such a list.
    *(
        models.Index(
            fields=["workspace", column, "-id"],
            name=name,
            condition=models.Q(deleted_at=None, archived_at=None),
        )
        for column, name in (
            ("display_name", "run_by_name"),
            ("started_at", "run_by_start"),
            ("ended_at", "run_by_end"),
            ("duration_s", "run_by_duration"),
            ("number", "run_by_number"),
            ("first_tag", "run_by_first_tag"),
            ("description_start", "run_by_description"),
        )
    ),
    # The same by the number of child runs, and the filter for it, which asks about all runs.
    models.Index(fields=["workspace", "n_children", "-id"], name="run_by_children"),
    # Child roll-ups of a page of parents.
    models.Index(
        fields=["parent", "status"],
        name="run_children_of_status",
        condition=models.Q(parent__isnull=False),
    ),
    # The child runs of one run, newest first.
    models.Index(
        fields=["parent", "-created_at", "-id"],
        name="run_children_newest",
        condition=models.Q(parent__isnull=False, deleted_at=None, archived_at=None),
    ),
    # All below a run. As the one above it leaves out those without: taking “no parent” for a rare
    # value, SQLite began the default page here and sorted every root run, 600 ms at 1,000,000.
    models.Index(fields=["root"], name="run_descendants", condition=models.Q(root__isnull=False)),
    # The reaper: every run that is not finished.
    models.Index(
        fields=["status", "last_beat_at"],
        name="run_unfinished",
        condition=models.Q(status__in=sorted(ACTIVE)),
    ),
    # The trash, newest deletion first; and what went there together.
    models.Index(
        fields=["workspace", "-deleted_at", "-id"],
        name="run_trash",
        condition=models.Q(deleted_at__isnull=False),
    ),
    models.Index(
        fields=["deleted_with"],
        name="run_deleted_with",
        condition=models.Q(deleted_with__isnull=False),
    ),
]
