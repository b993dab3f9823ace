"""Tags of runs as clients set them. Two of them are columns here: the name and the description."""

from collections.abc import Mapping

from django.db import transaction

from studio.accounts.permissions import Actor
from studio.mlflow_api.errors import missing
from studio.mlflow_api.keys import check_keys
from studio.mlflow_api.runs_json import NOTE, RUN_NAME
from studio.runs.actions import change_tags, describe_run, rename_run
from studio.runs.models import Run

MAX_TAG_VALUE = 8_000
COLUMNS = {RUN_NAME, NOTE}


def put_tags(run: Run, tags: Mapping[str, str], *, by: Actor) -> None:
    """Set tags, all or none; a longer value than fits is cut, as MLflow does. Raises as the
    actions."""
    check_keys(tags, "tag")
    with transaction.atomic():
        if tags.get(RUN_NAME):
            rename_run(run, tags[RUN_NAME], by=by)
        if NOTE in tags:
            describe_run(run, tags[NOTE], by=by)
        others = stored_tags(tags)
        if others:
            change_tags(run, put=others, by=by, most=MAX_TAG_VALUE)


def stored_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those that are kept as tags, cut to what fits."""
    return {key: value[:MAX_TAG_VALUE] for key, value in tags.items() if key not in COLUMNS}


def drop_tag(run: Run, key: str, *, by: Actor) -> None:
    """Remove one. Raises MlflowError when there is none, and for the name, which every run has."""
    if key == NOTE and hasattr(run, "description_row") and run.description_row.text:
        describe_run(run, "", by=by)
        return
    if key in COLUMNS or not run.tags.filter(key=key).exists():
        raise missing(f"No tag with name: {key[:300]} in run with id {run.uid}")
    change_tags(run, remove=[key], by=by)
