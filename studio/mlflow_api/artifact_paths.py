"""Where a client puts files: EXPERIMENT/RUN/artifacts/LABEL, or EXPERIMENT/models/MODEL/artifacts/
LABEL. A path is read once, into a run and a label; it is never a path on a disk."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from django.db.models.functions import Left, Substr

from studio.artifacts.models import Artifact, ArtifactQuerySet
from studio.artifacts.paths import MAX_PATH, clean_path
from studio.lineage.models import MODEL_UID_RULE, MODELS_FOLDER, LoggedModel
from studio.mlflow_api.asked import Asked
from studio.mlflow_api.errors import missing, wrong
from studio.mlflow_api.finding import lifecycle_of, run_of
from studio.runs.models import Run

ARTIFACTS = "artifacts"
EXPERIMENT = re.compile(r"[0-9]{1,18}")
MODEL = re.compile(MODEL_UID_RULE)
# Files of models lie among those of their run, below folders of such a shape.
HEAD = f"{MODELS_FOLDER}m-"
OF_A_MODEL = re.compile(rf"{HEAD}.{{32}}(/.*)?", re.DOTALL)
N_OF_A_MODEL = len(HEAD) + 32
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder of a run. label: of the artifact; inside: the part of it that clients see,
    "" for the top; model: the one whose files are meant, if any."""

    run: Run
    label: str
    inside: str
    model: LoggedModel | None = None

    @property
    def top(self) -> str:
        """What labels of this place begin with, and clients do not see."""
        return self.model.folder if self.model else ""


def place_of(asked: Asked, path: str, *, writes: bool = False) -> Place:
    """What the path, decoded as it came in the address, stands for (1 query). Raises MlflowError
    for one that can't be, and for a run or model that is not there or, when it is written to,
    deleted."""
    parts = path.split("/")
    if writes and parts[-1] == "":
        raise wrong("Name a file: the path ends with a slash.")
    if len(path) > 2 * MAX_PATH or len(parts) < 3 or not EXPERIMENT.fullmatch(parts[0]):
        raise wrong(_how(path))
    if parts[1] == MODELS_FOLDER.rstrip("/") and MODEL.fullmatch(parts[2]):
        if parts[3:4] != [ARTIFACTS]:
            raise wrong(_how(path))
        return place_in_model(asked, parts[2], _inside(parts[4:]), writes=writes)
    if parts[2] != ARTIFACTS:
        raise wrong(_how(path))
    return place_in_run(asked, parts[1], _inside(parts[3:]), writes=writes)


def place_in_run(asked: Asked, uid: str, inside: str, *, writes: bool = False) -> Place:
    """A file or folder by the id of its run (1 query). Raises MlflowError."""
    run = run_of(asked, uid, deleted=not writes)
    if OF_A_MODEL.fullmatch(inside):
        if writes:
            raise wrong(f"Files of a logged model are put to the model, not to “{inside[:100]}”.")
        raise missing(f"The run has no file “{inside[:200]}”.")
    return Place(run, inside, inside)


def place_in_model(asked: Asked, uid: str, inside: str, *, writes: bool = False) -> Place:
    """A file or folder of a logged model (1 query). Raises MlflowError."""
    model = LoggedModel.objects.of(asked.workspace, deleted=True).filter(uid=uid).first()
    if model is None:
        raise missing(f"Logged model with ID '{uid}' not found.")
    model.run.workspace = asked.workspace
    model.run.experiment = model.experiment
    if writes and (model.deleted_at is not None or lifecycle_of(model.run) == "deleted"):
        raise wrong(f"The logged model {uid} is deleted; nothing can be put there.")
    return Place(model.run, f"{model.folder}{inside}".rstrip("/"), inside, model)


def checked_label(inside: str) -> str:
    """The label of a file or folder that a client names, "" for the top. Raises MlflowError, and
    Invalid for what no file of the studio can be called.

    Stricter than for others: clients write these names to their own disks, on any system, and
    some decode them once more.
    """
    if not inside:
        return ""
    again = unquote(inside)
    if "\\" in again or DRIVE.match(again) or "\0" in again:
        raise wrong(f"“{inside[:100]}” is not a plain relative path.")
    if again.startswith("/") or not {".", ".."}.isdisjoint(again.split("/")):
        raise wrong(f"“{inside[:100]}” is not a plain relative path.")
    return clean_path(inside)


def _inside(parts: list[str]) -> str:
    # A folder may be named with a slash at its end.
    if parts and parts[-1] == "":
        parts = parts[:-1]
    if "" in parts:
        raise wrong("A path holds an empty part (“//”).")
    return checked_label("/".join(parts))


def _how(path: str) -> str:
    return (
        f"“{path[:100]}” is no place for artifacts. Ask the run or the logged model for its "
        "artifact_uri."
    )


def files_at(place: Place) -> ArtifactQuerySet:
    """The files among which a client looks: those of the model, else those of the run without
    those of its models."""
    found = Artifact.objects.of(place.run, below=place.top)
    if place.model:
        return found
    shaped = found.alias(head=Left("path", len(HEAD)), mark=Substr("path", N_OF_A_MODEL + 1, 1))
    return shaped.exclude(head=HEAD, mark="/")
