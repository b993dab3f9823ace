"""What a run used and made, as its Details show it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Sum
from django.db.models.functions import Substr
from django.urls import reverse

from studio.artifacts.browsing import Folder
from studio.artifacts.models import Artifact
from studio.lineage.finding import inputs_of_run, models_of_run, models_used_by, names_of
from studio.lineage.models import (
    MODELS_FOLDER,
    LoggedModel,
    ModelLabel,
    ModelMetric,
    ModelStatus,
    RunInput,
    model_of_label,
)
from studio.runs.machine_tags import is_machine_tag
from studio.runs.models import Run
from studio.web.access import Request

MOST_SHOWN = 50
MOST_COLUMNS = 200
MOST_POINTS = 100
MOST_CHARS = 4_000
# What a client calls the parts of a schema.
COLUMNS, TENSORS = "mlflow_colspec", "mlflow_tensorspec"


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """columns: (name, type) of its schema, as far as it can be read, else `schema` is its text;
    facts: what its profile says, likewise; is_too_long: neither is shown."""

    use: RunInput
    columns: list[tuple[str, str]]
    schema: str
    facts: list[tuple[str, str]]
    profile: str
    is_too_long: bool


@dataclass(frozen=True, slots=True)
class ModelRow:
    """files_url: "" where there is no file."""

    model: LoggedModel
    status: str
    files_url: str
    n_files: int
    n_bytes: int
    params: list[ModelLabel]
    tags: list[ModelLabel]
    points: list[ModelMetric]
    has_more_points: bool


def lineage_context(request: Request, run: Run) -> dict[str, Any]:
    """lineage: {datasets, used, models, n_more}, None where nothing was noted (3 queries, at most 5
    more)."""
    inputs = inputs_of_run(run, most=MOST_SHOWN + 1)
    used = models_used_by(run, most=MOST_SHOWN + 1)
    models = models_of_run(run, most=MOST_SHOWN + 1, most_points=MOST_POINTS + 1)
    if not inputs and not used and not models:
        return {"lineage": None}
    files = _files(run) if models else {}
    lineage = {
        "datasets": [_dataset(use) for use in inputs[:MOST_SHOWN]],
        "used": used[:MOST_SHOWN],
        "models": [_model(request, run, one, files) for one in models[:MOST_SHOWN]],
        "is_cut": max(len(inputs), len(used), len(models)) > MOST_SHOWN,
        "most": MOST_SHOWN,
    }
    return {"lineage": lineage}


def _dataset(use: RunInput) -> DatasetRow:
    columns, facts = columns_of(use.dataset.schema_text), facts_of(use.dataset.profile)
    return DatasetRow(
        use,
        columns[:MOST_COLUMNS],
        "" if columns else use.dataset.schema_text[:MOST_CHARS],
        facts,
        "" if facts else use.dataset.profile[:MOST_CHARS],
        bool(getattr(use, "n_chars", 0)) and not (use.dataset.schema_text or use.dataset.profile),
    )


def columns_of(schema: str) -> list[tuple[str, str]]:
    """(name, type) of the columns or tensors; none for a text of another kind."""
    told = _object(schema)
    found = told.get(COLUMNS) or told.get(TENSORS)
    if isinstance(found, dict):
        found = [
            {"name": name, "type": one} for name, one in found.items() if isinstance(name, str)
        ]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return []
    return [(_word(one.get("name", "")), _word(one.get("type", ""))) for one in found]


def facts_of(profile: str) -> list[tuple[str, str]]:
    """What a profile says, when it is an object of plain values."""
    told = _object(profile)
    if len(told) > MOST_COLUMNS or any(isinstance(one, dict | list) for one in told.values()):
        return []
    return [(name[:200], _word(value)) for name, value in told.items()]


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:200]


def _files(run: Run) -> dict[str, tuple[int, int]]:
    """uid -> (number, bytes) of the files of each model that the run keeps (1 query)."""
    rows = Artifact.objects.of(run, below=MODELS_FOLDER).order_by()
    uids = rows.annotate(uid=Substr("path", len(MODELS_FOLDER) + 1, 34)).values("uid")
    counted = uids.annotate(n=Count("pk"), size=Sum("n_bytes"))
    return {row["uid"]: (row["n"], int(row["size"])) for row in counted}


def _model(
    request: Request, run: Run, model: LoggedModel, files: Mapping[str, tuple[int, int]]
) -> ModelRow:
    n_files, n_bytes = files.get(model.uid, (0, 0)) if model.run_id == run.pk else (0, 0)
    query = urlencode({"dir": [MODELS_FOLDER.rstrip("/"), model.folder.rstrip("/")]}, doseq=True)
    url = f"{reverse('run-logs', args=[request.workspace.name, run.uid])}?{query}"
    points, labels = model.points, list(model.labels.all())
    return ModelRow(
        model,
        "Deleted" if model.deleted_at else str(ModelStatus(model.status).label),
        url if n_files else "",
        n_files,
        n_bytes,
        [one for one in labels if one.kind == ModelLabel.Kind.PARAM],
        [one for one in labels if one.kind == ModelLabel.Kind.TAG and not is_machine_tag(one.key)],
        points[:MOST_POINTS],
        len(points) > MOST_POINTS,
    )


def name_model_folders(run: Run, root: Folder) -> None:
    """Give the folders of the run's models their names (1 query where there are some)."""
    holder = root.folders.get(MODELS_FOLDER.rstrip("/"))
    folders: Sequence[Folder] = list(holder.folders.values()) if holder else ()
    of_models = {found[0]: one for one in folders if (found := model_of_label(one.path))}
    if not of_models:
        return
    for uid, name in names_of(run, of_models).items():
        of_models[uid].name = f"{name} ({uid[:10]}…)"
