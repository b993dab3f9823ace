"""Storing runs that another tracker has seen: over when they are born, with the times they had."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Model, Q

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.runs.actions.create import ensure_experiment
from studio.runs.attachments import note_uses
from studio.runs.families import IDS_PER_QUERY, in_use, recount
from studio.runs.history import reactivate
from studio.runs.lifecycle import Past, born_over, record_event
from studio.runs.limits import MAX_LABELS, MAX_PARAMETERS, as_number, clean_text, split_value
from studio.runs.models import (
    Dependency,
    Description,
    Experiment,
    Parameter,
    Property,
    Run,
    RunDefinition,
    RunEvent,
    RunText,
    Tag,
    new_uid,
)
from studio.runs.rows import insert_rows
from studio.runs.searchtext import body_of, first_tag_of, refresh, start_of
from studio.runs.turn import in_turn

MAX_TITLE = 500
# Columns that another studio knows and other trackers do not.
MORE = (
    *("script", "arguments", "snapshot", "error", "exit_code", "exit_signal"),
    *("warnings", "max_duration_s", "archived_at"),
)


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run to be stored. Texts are clean (`limits.clean_labels`, `clean_name`); values of tags
    and parameters may be longer than an index takes.

    parent: a run that is stored; parent_at: the place of the parent among the runs of the call.
    uid: taken when it is free in the workspace. message: what its history begins with. more: values
    of MORE, of their columns' types.
    """

    experiment: Experiment
    name: str
    created_at: datetime
    past: Past
    message: str
    uid: str = ""
    type: str = "interactive"
    parent: Run | None = None
    parent_at: int | None = None
    submitter: User | None = None
    description: str = ""
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def import_runs(workspace: Workspace, pasts: Sequence[PastRun], *, by: Actor) -> list[Run]:
    """All or nothing: the runs, numbered in the order given, with what hangs on them and one line
    of history each; no alert rule hears of them. One whose parent went to the trash meanwhile
    becomes a run of its own.

    Queries: a fixed number for each call, experiment and generation, not for each run.
    """
    _require(workspace, by)
    with in_turn():
        there = in_use(past.parent for past in pasts if past.parent is not None)
        pasts = [_below_what_is_there(past, there) for past in pasts]
        taken = _taken(workspace, [past.uid for past in pasts if past.uid])
        numbers = _numbered(pasts, by=by)
        runs = [
            _build(workspace, past, number=number, uid=_free(past.uid, taken))
            for past, number in zip(pasts, numbers, strict=True)
        ]
        _insert(runs, pasts)
        _attach(runs, pasts, by=by)
        recount(run.parent_id for run in runs)
    return runs


def _below_what_is_there(past: PastRun, there: Container[int]) -> PastRun:
    if past.parent is None or past.parent.pk in there:
        return past
    return replace(past, parent=None)


def experiment_of_title(
    workspace: Workspace, title: str, *, name: str, by: Actor
) -> tuple[Experiment, bool]:
    """The experiment that is called so by other trackers and whether it was made now, as `name`
    (what stands in addresses)."""
    found = find_titled(workspace, title)
    if found is not None:
        return found, False
    with in_turn():
        made, is_new = ensure_experiment(workspace, name, by=by)
        if is_new and title != name:
            made.title = title[:MAX_TITLE]
            made.save(update_fields=["title"])
    return made, is_new


def keep_title(experiment: Experiment, title: str) -> None:
    """Call an experiment that was just imported as it was called before; where another is called so
    it keeps its name (2 queries). Raises Invalid for a title that can't be stored."""
    title = clean_text(title, field="title", most=MAX_TITLE)
    if title and find_titled(experiment.workspace, title) is None:
        Experiment.objects.filter(pk=experiment.pk).update(title=title)


def find_titled(workspace: Workspace, title: str) -> Experiment | None:
    """(1 query.)"""
    called = Q(title=title[:MAX_TITLE]) | Q(title="", name=title)
    return Experiment.objects.filter(called, workspace=workspace).order_by("pk").first()


def _require(workspace: Workspace, by: Actor) -> None:
    require(by, Permission.SUBMIT_RUN, workspace)
    require(by, Permission.LOG_TO_RUN, workspace)
    if by.run_uid:
        raise NotAllowed("The token of a run can't import runs. Use one of a person.")


def _taken(workspace: Workspace, uids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for at in range(0, len(uids), IDS_PER_QUERY):
        part = Run.objects.filter(workspace=workspace, uid__in=uids[at : at + IDS_PER_QUERY])
        found.update(part.values_list("uid", flat=True))
    return found


def _free(uid: str, taken: set[str]) -> str:
    chosen = new_uid() if not uid or uid in taken else uid
    taken.add(chosen)
    return chosen


def _numbered(pasts: Sequence[PastRun], *, by: Actor) -> list[int]:
    """The next numbers of each experiment, in the order given (2 queries for each)."""
    moments: dict[int, list[datetime]] = {}
    for past in pasts:
        moments.setdefault(past.experiment.pk, []).append(past.created_at)
    following: dict[int, int] = {}
    for pk in sorted(moments):
        experiment = Experiment.objects.select_for_update(no_key=True).get(pk=pk)
        if experiment.archived_at is not None:
            reactivate(experiment, by=by)
        following[pk] = experiment.last_number
        newest = max(moments[pk])
        experiment.latest_run_at = max(experiment.latest_run_at or newest, newest)
        experiment.last_number += len(moments[pk])
        experiment.save(update_fields=["last_number", "latest_run_at"])
    numbers = []
    for past in pasts:
        following[past.experiment.pk] += 1
        numbers.append(following[past.experiment.pk])
    return numbers


def _build(workspace: Workspace, past: PastRun, *, number: int, uid: str) -> Run:
    run = Run(
        workspace=workspace,
        experiment=past.experiment,
        uid=uid,
        number=number,
        display_name=past.name or f"{past.experiment.name}-{number}"[:255],
        type=past.type,
        parent=past.parent,
        root=(past.parent.root or past.parent) if past.parent else None,
        submitter=past.submitter,
        created_at=past.created_at,
        first_tag=first_tag_of(past.tags),
        description_start=start_of(past.description),
    )
    for name in MORE:
        if name in past.more:
            setattr(run, name, past.more[name])
    born_over(run, past.past)
    return run


def _insert(runs: Sequence[Run], pasts: Sequence[PastRun]) -> None:
    """Parents before their children: one statement or a few for each generation."""
    waiting = list(range(len(runs)))
    while waiting:
        later = [i for i in waiting if (at := pasts[i].parent_at) is not None and not runs[at].pk]
        ready = [i for i in waiting if i not in set(later)]
        if not ready:
            raise ValueError("runs that are each other's parents can't be stored")
        for i in ready:
            if (at := pasts[i].parent_at) is not None:
                runs[i].parent, runs[i].root = runs[at], runs[at].root or runs[at]
        Run.objects.bulk_create([runs[i] for i in ready])
        waiting = later


def _attach(runs: Sequence[Run], pasts: Sequence[PastRun], *, by: Actor) -> None:
    """Everything that hangs on the new runs (1 query for each table that gets rows)."""
    pairs = list(zip(runs, pasts, strict=True))
    rows: tuple[Sequence[Model], ...] = (
        [row for run, past in pairs for row in _tags(run, past.tags)],
        [row for run, past in pairs for row in _properties(run, past.properties)],
        [row for run, past in pairs for row in _parameters(run, past.parameters)],
        [
            RunText(run=run, body=body_of(run.display_name, past.description, past.tags.items()))
            for run, past in pairs
        ],
        # Rendered when somebody looks: a history may bring ten thousand of them.
        [
            Description(run=run, text=past.description, edited_by=by.name)
            for run, past in pairs
            if past.description
        ],
        [
            RunDefinition(run=run, facts=dict(past.definition))
            for run, past in pairs
            if past.definition
        ],
        [
            RunEvent(
                workspace_id=run.workspace_id,
                run=run,
                kind="imported",
                actor=by.name,
                actor_user=by.user,
                after=run.status,
                message=past.message,
                work=by.work_uid or None,
            )
            for run, past in pairs
        ],
    )
    for table in rows:
        insert_rows(table)
    for run, past in pairs:
        note_uses(run, past.description)


def _tags(run: Run, tags: Mapping[str, str | None]) -> list[Tag]:
    split = ((key, *split_value(key, value)) for key, value in tags.items())
    return [
        Tag(run=run, workspace_id=run.workspace_id, key=key, value=head, rest=rest)
        for key, head, rest in split
    ]


def _properties(run: Run, values: Mapping[str, str]) -> list[Property]:
    return [
        Property(run=run, workspace_id=run.workspace_id, key=k, value=v) for k, v in values.items()
    ]


def _parameters(run: Run, values: Mapping[str, str]) -> list[Parameter]:
    split = ((key, value, *split_value(key, value)) for key, value in values.items())
    return [
        Parameter(
            run=run,
            workspace_id=run.workspace_id,
            key=key,
            value=head or "",
            rest=rest,
            number=as_number(value),
        )
        for key, value, head, rest in split
    ]


def complete_run(
    run: Run,
    *,
    by: Actor,
    tags: Mapping[str, str | None],
    properties: Mapping[str, str],
    parameters: Mapping[str, str],
) -> dict[str, list[str]]:
    """Add those tags, properties and parameters whose keys an imported run does not have: what
    people changed here stays as it is. The keys that were added, by table; with a line of history.
    """
    _require(run.workspace, by)
    with in_turn():
        Run.objects.select_for_update(no_key=True).only("pk").get(pk=run.pk)
        known: dict[str, dict[str, Any]] = {
            "tags": dict(run.tags.values_list("key", "value")),
            "properties": dict(run.properties.values_list("key", "value")),
            "parameters": dict(run.parameters.values_list("key", "value")),
        }
        new: dict[str, dict[str, Any]] = {
            "tags": _missing(tags, known["tags"], most=MAX_LABELS),
            "properties": _missing(properties, known["properties"], most=MAX_LABELS),
            "parameters": _missing(parameters, known["parameters"], most=MAX_PARAMETERS),
        }
        insert_rows(_tags(run, new["tags"]))
        insert_rows(_properties(run, new["properties"]))
        insert_rows(_parameters(run, new["parameters"]))
        if new["tags"]:
            refresh(run)
        for kind, labels in new.items():
            if labels:
                _record(run, kind, known[kind], labels, by=by)
    return {kind: sorted(labels) for kind, labels in new.items() if labels}


def _missing(given: Mapping[str, Any], known: Mapping[str, Any], *, most: int) -> dict[str, Any]:
    room = max(0, most - len(known))
    return dict([(k, v) for k, v in given.items() if k not in known][:room])


def _record(run: Run, kind: str, before: dict[str, Any], new: dict[str, Any], *, by: Actor) -> None:
    """As the actions of people write it: tags as they were and are, of the others what is new."""
    old = before if kind == "tags" else None
    after = before | new if kind == "tags" else new
    record_event(run, kind, by=by, before=old, after=after, message="Imported")


def import_dependencies(run: Run, needs: Sequence[Run], *, by: Actor) -> None:
    """Note which steps an imported step of a pipeline waited for; those of another parent are left
    out (2 queries)."""
    _require(run.workspace, by)
    same = [one for one in needs if one.parent_id == run.parent_id is not None and one != run]
    rows = (Dependency(run=run, needs=one) for one in same)
    Dependency.objects.bulk_create(rows, ignore_conflicts=True)
