"""A reader's record as the run that is stored."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from studio.accounts.models import User
from studio.importers.fitting import (
    fitting_description,
    fitting_labels,
    fitting_name,
    fitting_uid,
    moments,
)
from studio.importers.records import DatasetRecord, ModelRecord, RunRecord
from studio.lineage.checks import NewInput
from studio.lineage.importing import PastInput, PastModel
from studio.lineage.models import MODEL_UID_RULE, ModelStatus
from studio.runs.actions.importing import PastRun
from studio.runs.lifecycle import Past
from studio.runs.limits import MAX_LABELS, MAX_PARAMETERS, Invalid
from studio.runs.models import Experiment
from studio.runs.status import TERMINAL, Status

# Characters of a value, as other trackers have them.
MAX_TAG, MAX_PARAMETER = 8_000, 6_000
SUBMITTED_BY = "imported_submitter"
WITHOUT_END = "The source tells no moment at which it ended."


@dataclass(frozen=True, slots=True)
class Fitted:
    """The plain values of a record as they can be stored, and what had to be changed for it.

    digest: the same for the same values.
    """

    name: str
    uid: str
    past: Past
    created_at: datetime
    description: str
    submitter: str
    tags: dict[str, str | None]
    properties: dict[str, str]
    parameters: dict[str, str]
    problems: tuple[str, ...]
    digest: str
    more: Mapping[str, Any]

    def run_of(self, experiment: Experiment, message: str, user: User | None) -> PastRun:
        properties = dict(self.properties)
        if self.submitter and (user is None or user.username != self.submitter):
            properties.setdefault(SUBMITTED_BY, self.submitter)
        return PastRun(
            experiment=experiment,
            name=self.name,
            created_at=self.created_at,
            past=self.past,
            message=message,
            uid=self.uid,
            submitter=user,
            description=self.description,
            tags=self.tags,
            properties=properties,
            parameters=self.parameters,
            type=self.more.get("type", "interactive"),
            definition=self.more.get("definition", {}),
            more=self.more,
        )


def fitted(record: RunRecord, *, now: datetime) -> Fitted:
    """Raises ValueError for a status that is none, and for times without a zone."""
    tags, p1 = fitting_labels(record.tags, what="tag", most=MAX_LABELS, longest=MAX_TAG)
    properties, p2 = fitting_labels(record.properties, what="property", most=MAX_LABELS - 1)
    parameters, p3 = fitting_labels(
        record.parameters, what="parameter", most=MAX_PARAMETERS, longest=MAX_PARAMETER
    )
    description, p4 = fitting_description(record.description)
    past, created_at, p5 = _past_of(record, now)
    return Fitted(
        name=fitting_name(record.name),
        uid=fitting_uid(record.uid),
        past=past,
        created_at=created_at,
        description=description,
        submitter=fitting_name(record.submitter),
        tags=tags,
        properties=_texts(properties),
        parameters=_texts(parameters),
        problems=(*record.problems, *p1, *p2, *p3, *p4, *p5),
        digest=_digest(record),
        more=record.more,
    )


def _texts(labels: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value or "" for key, value in labels.items()}


def _past_of(record: RunRecord, now: datetime) -> tuple[Past, datetime, list[str]]:
    status = Status(record.status)
    given = (record.created_at, record.started_at, record.ended_at)
    if any(moment is not None and moment.tzinfo is None for moment in given):
        raise ValueError("A time has no time zone.")
    created, begun, over, problems = moments(*given, now)
    is_open = status not in TERMINAL
    reason = WITHOUT_END if over is None else str(record.more.get("status_reason", ""))
    if is_open:
        reason = f"It was {status.label} in the source when it was read; how it ended is not known."
    past = Past(
        status=Status.FAILED if is_open else status,
        started_at=begun,
        ended_at=over or begun or created,
        reason=reason,
        is_open=is_open,
    )
    return past, created, problems


def ended_later(past: Past, at: datetime) -> Past:
    """The same with a later sign of life, where the end is not known."""
    return replace(past, ended_at=max(past.ended_at, at))


def _digest(record: RunRecord) -> str:
    moments = [record.created_at, record.started_at, record.ended_at]
    plain = [
        record.status,
        record.name,
        record.description,
        [at and at.isoformat() for at in moments],
        *(sorted(labels.items()) for labels in (record.tags, record.properties)),
        sorted(record.parameters.items()),
    ]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def past_input(used: DatasetRecord) -> PastInput:
    return PastInput(new_input(used), used.created_at)


def new_input(used: DatasetRecord) -> NewInput:
    return NewInput(
        name=used.name,
        digest=used.digest,
        source_type=used.source_type,
        source=used.source,
        schema=used.schema,
        profile=used.profile,
        labels=used.labels,
    )


def past_model(made: ModelRecord) -> PastModel:
    """Raises Invalid for an id or a status that is none."""
    if not re.fullmatch(MODEL_UID_RULE, made.uid):
        raise Invalid("uid", "The id of a model is “m-” and 32 hexadecimal digits.")
    if made.status not in ModelStatus.values:
        raise Invalid("status", f"“{made.status[:40]}” is no status of a model.")
    return PastModel(
        uid=made.uid,
        name=made.name,
        status=ModelStatus(made.status),
        created_at=made.created_at,
        model_type=made.model_type,
        step=made.step,
        params=made.parameters,
        tags=made.tags,
        is_carried=made.is_carried,
        updated_at=made.updated_at,
        deleted_at=made.deleted_at,
    )
