"""What may be said of data sets and models, and the words for what may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.lineage.models import LoggedModel
from studio.runs.limits import (
    MAX_KEY_AND_VALUE_BYTES,
    Invalid,
    bytes_of,
    clean_key,
    clean_text,
)
from studio.runs.models import Run

MAX_NAME = 500
MAX_WORD = 255
MAX_SOURCE_BYTES = 65_536
MAX_TEXT_BYTES = 1_048_576
MAX_LABEL = 500
MAX_LABELS_OF_INPUT = 100
MAX_VALUE = 8_000
# Separators of the addresses that lead to a model, and marks of the filters that find it.
NOT_IN_NAME = "/:.%\"'"
# The label of an input that says what the run used it for.
CONTEXT = "mlflow.data.context"


class NoSuchModel(Invalid):
    """No model of that id in the workspace, or one that was deleted."""

    def __init__(self, uid: str) -> None:
        super().__init__("model_id", f"There is no logged model “{uid[:80]}” in this workspace.")


@dataclass(frozen=True, slots=True)
class NewInput:
    """A data set that a run used. labels: what the client says of the use, by key."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.digest


def checked(given: NewInput) -> NewInput:
    """The input as it will be stored. Raises Invalid."""
    labels = checked_labels(given.labels)
    name = clean_text(given.name, field="dataset name", most=MAX_NAME, allow_empty=False)
    digest = clean_text(given.digest, field="dataset digest", most=MAX_WORD, allow_empty=False)
    indexed(name, digest, field="dataset name and digest")
    return NewInput(
        name,
        digest,
        source_type=clean_text(given.source_type, field="source_type", most=MAX_WORD),
        source=long_text(given.source, field="source", most_bytes=MAX_SOURCE_BYTES),
        schema=long_text(given.schema, field="schema", most_bytes=MAX_TEXT_BYTES),
        profile=long_text(given.profile, field="profile", most_bytes=MAX_TEXT_BYTES),
        labels=labels,
    )


def checked_labels(given: Mapping[str, str]) -> dict[str, str]:
    """What is said of a use, as it will be stored. Raises Invalid."""
    if len(given) > MAX_LABELS_OF_INPUT:
        raise Invalid("tags", f"A data set of a run has at most {MAX_LABELS_OF_INPUT} tags.")
    labels = {
        clean_key(key, what="dataset tag"): clean_text(
            value, field=f"dataset tag “{key[:80]}”", most=MAX_LABEL
        )
        for key, value in given.items()
    }
    clean_text(labels.get(CONTEXT, ""), field=CONTEXT, most=MAX_WORD)
    return labels


def indexed(*texts: str, field: str) -> None:
    """Raise Invalid for texts that would not fit together into a row of an index."""
    n_bytes = sum(bytes_of(text, None) for text in texts)
    if n_bytes > MAX_KEY_AND_VALUE_BYTES:
        raise Invalid(
            field, f"{field} have {n_bytes:,} bytes; at most {MAX_KEY_AND_VALUE_BYTES:,} fit."
        )


def long_text(value: object, *, field: str, most_bytes: int) -> str:
    """A text kept as it came: what a program wrote is read by a program again. Raises Invalid."""
    text = clean_text(value, field=field, most=most_bytes) and str(value)
    n_bytes = len(text.encode())
    if n_bytes > most_bytes:
        raise Invalid(field, f"{field} has {n_bytes:,} bytes; at most {most_bytes:,} fit.")
    return text


def model_name(value: str, *, default: str) -> str:
    """The name of a model. Raises Invalid."""
    name = clean_text(value or default, field="name", most=MAX_WORD, allow_empty=False).strip()
    if found := [mark for mark in NOT_IN_NAME if mark in name]:
        raise Invalid("name", f"The name of a model can't hold “{found[0]}”.")
    return name


def model_labels(given: Mapping[str, str], *, what: str) -> dict[str, str]:
    """Parameters or tags of a model as they will be stored. Raises Invalid."""
    return {
        clean_key(key, what=what): clean_text(value, field=f"{what} “{key[:80]}”", most=MAX_VALUE)
        for key, value in given.items()
    }


def refuse_in_trash(run: Run) -> None:
    """Raise Invalid for a run that takes nothing any more."""
    if run.deleted_at is not None:
        raise Invalid("run_id", f"The run {run.uid} is deleted. Restore it to log to it.")


def refuse_deleted(model: LoggedModel) -> None:
    """Raise NoSuchModel for a model that was deleted."""
    if model.deleted_at is not None:
        raise NoSuchModel(model.uid)
    refuse_in_trash(model.run)
