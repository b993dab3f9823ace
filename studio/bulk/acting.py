"""One change to many runs: told by a dry run, started by a person, done in the background."""

from collections import Counter
from dataclasses import replace
from typing import Any

from django.db.models import Case, CharField, Count, Value, When

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, Permission, can, require
from studio.artifacts.purging import finish_removals
from studio.bulk import selection as selecting
from studio.bulk.choices import CHOICES, Arguments, Choice, clean_arguments
from studio.bulk.selection import Selection
from studio.runs.history import Outcome
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.work.actions import start_work
from studio.work.beats import Beat
from studio.work.kinds import Piece, Problem
from studio.work.models import Work

BULK = "bulk"
NO_SUCH_RUN = "There is no such run"


def choice_called(name: str) -> Choice:
    """The action of that name. Raises Invalid with those there are."""
    try:
        return CHOICES[name]
    except KeyError as error:
        known = ", ".join(CHOICES)
        raise Invalid("action", f"There is no action “{name[:80]}”; choose of {known}.") from error


def start_bulk(
    workspace: Workspace, action: str, selection: Selection, arguments: Arguments, *, by: Actor
) -> Work:
    """Start changing every run of the selection that the action applies to.

    Raises Invalid, SearchSyntaxError, NotAllowed; nothing is started then.
    """
    choice = choice_called(action)
    require(by, choice.permission, workspace)
    kept = {
        "action": action,
        "selection": _for(choice, selecting.checked(selection)).dump(),
        "arguments": clean_arguments(choice, arguments),
    }
    return start_work(workspace, BULK, kept, by=by)


def _for(choice: Choice, selection: Selection) -> Selection:
    """Restoring and purging look into the trash, everything else never does."""
    return replace(selection, trash=choice.in_trash)


def dry_run(
    workspace: Workspace,
    selection: Selection,
    *,
    by: Actor,
    action: str = "",
    arguments: Arguments | None = None,
) -> dict[str, Any]:
    """What each action (or only `action`) would do, with nothing changed. Without `arguments`
    only what they can't change is told.

    {"n_selected", "actions": {name: {"allowed", "n_applies", "skipped": [{"reason", "n"}]}}}.
    Queries: one grouped count per action; for ids, one for each 500 of them.
    """
    require(by, Permission.SEE, workspace)
    selection = selecting.checked(selection)
    if action:
        choices = [choice_called(action)]
        selection = _for(choices[0], selection)
    else:
        choices = [one for one in CHOICES.values() if one.in_trash == selection.trash]
    told = {}
    for choice in choices:
        is_said = bool(action) and arguments is not None
        given = clean_arguments(choice, arguments or {}) if is_said else {}
        told[choice.name] = _told(choice, given, selection, workspace, by=by)
    return {"n_selected": selecting.count(selection, workspace, user=by.user), "actions": told}


def _told(
    choice: Choice, given: Arguments, selection: Selection, workspace: Workspace, *, by: Actor
) -> dict[str, Any]:
    found: Counter[str] = Counter()
    for runs in selecting.parts(selection, workspace, user=by.user):
        rows = with_reason(runs, choice, given, user=by.user).order_by().values_list("why_not")
        found.update(dict(rows.annotate(n=Count("pk"))))
    if selection.uids is not None and (missing := len(selection.uids) - found.total()):
        found[NO_SUCH_RUN] = missing
    applies = found.pop("", 0)
    return {
        "allowed": can(by, choice.permission, workspace),
        "n_applies": applies,
        "skipped": [{"reason": reason, "n": n} for reason, n in found.most_common()],
    }


def with_reason(runs: RunQuerySet, choice: Choice, given: Arguments, *, user: User | None) -> Any:
    """The runs with `why_not`: why the action leaves each out, "" when it applies."""
    cases = [When(q, then=Value(text)) for text, q in choice.reasons(given, user)]
    return runs.annotate(why_not=Case(*cases, default=Value(""), output_field=CharField()))


class BulkKind:
    """The background work of `start_bulk`."""

    def count(self, work: Work) -> int:
        selection = Selection.load(work.arguments["selection"])
        return selecting.count(selection, work.workspace, user=work.actor_user)

    def piece(self, work: Work, *, by: Actor) -> Piece:
        choice = choice_called(work.arguments["action"])
        given = work.arguments["arguments"]
        require(by, choice.permission, work.workspace)
        selection = Selection.load(work.arguments["selection"])
        part = selecting.next_slice(
            selection,
            work.workspace,
            user=by.user,
            cursor=work.cursor,
            most=choice.piece_size,
        )
        reasons = _reasons(part.runs, choice, given, user=by.user)
        outcome = Outcome()
        if applies := [run for run in part.runs if not reasons[run.pk]]:
            outcome = choice.apply(work.workspace, applies, given, by)
        outcome.refused += [(run, reasons[run.pk]) for run in part.runs if reasons[run.pk]]
        return piece_of(outcome, cursor=part.cursor, missing=part.missing)

    def settle(self, work: Work) -> None:
        if work.arguments["action"] == "purge":
            finish_removals(work.workspace, tick=Beat(work))


def _reasons(
    runs: list[Run], choice: Choice, given: Arguments, *, user: User | None
) -> dict[int, str]:
    named = Run.objects.filter(pk__in=[run.pk for run in runs])
    rows = with_reason(named, choice, given, user=user).order_by()
    return dict(rows.values_list("pk", "why_not"))


def piece_of(outcome: Outcome, *, cursor: Any, missing: tuple[str, ...] = ()) -> Piece:
    """The report of one piece: every run it was about is counted once."""
    skipped = Counter(reason for _, reason in outcome.refused)
    if missing:
        skipped[NO_SUCH_RUN] += len(missing)
    problems = [Problem(run.uid, reason) for run, reason in outcome.refused]
    problems += [Problem(uid, NO_SUCH_RUN) for uid in missing]
    return Piece(
        cursor=cursor,
        n_done=len(outcome.done),
        skipped=dict(skipped),
        problems=tuple(problems),
        result=outcome.facts,
    )
