"""Which step of a pipeline waits for which: what may be asked for, and what is known."""

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from studio.runs.limits import Invalid
from studio.runs.models import Dependency, Run

MAX_DEPENDENCIES = 1_000
# As many as one graph is read with.
MOST_READ = 20_000
FIELD = "depends_on"


def check_dependencies(wanted: Sequence[tuple[str, Sequence[str]]], parent: Run | None) -> None:
    """Refuse what can't be waited for: (uid, uids it depends on) of runs about to be made as child
    runs of `parent` (2 queries at most). Raises Invalid."""
    asked = {uid for _, needs in wanted for uid in needs}
    if not asked:
        return
    if parent is None:
        raise Invalid(FIELD, "Only a child run can depend on another. Name its parent too.")
    if any(len(needs) > MAX_DEPENDENCIES for _, needs in wanted):
        raise Invalid(FIELD, f"A step depends on at most {MAX_DEPENDENCIES:,} others.")
    _refuse_unknown(asked - {uid for uid, _ in wanted}, parent)
    _refuse_cycles(wanted)


def _refuse_unknown(uids: set[str], parent: Run) -> None:
    of_workspace = Run.objects.filter(workspace=parent.workspace_id, deleted_at=None)
    found = dict(of_workspace.filter(uid__in=sorted(uids)).values_list("uid", "parent_id"))
    for uid in sorted(uids):
        if uid not in found:
            raise Invalid(FIELD, f"There is no run “{uid[:80]}” to depend on. Make it first.")
        if found[uid] != parent.pk:
            raise Invalid(
                FIELD,
                f"The run “{uid[:80]}” is no child run of “{parent.display_name}”. A step depends "
                "on steps of its own pipeline only.",
            )


def _refuse_cycles(wanted: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Only runs made by one call can wait for each other: none of them is there yet."""
    graph: TopologicalSorter[str] = TopologicalSorter(
        {uid: set(needs) for uid, needs in wanted if uid}
    )
    try:
        graph.prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise Invalid(FIELD, f"These steps wait for each other for ever: {circle}.") from error


def dependencies_of(runs: Sequence[Run], wanted: Sequence[Sequence[str]]) -> list[Dependency]:
    """The rows for new runs, each with the uids it depends on, as checked (1 query)."""
    uids = {uid for needs in wanted for uid in needs}
    if not uids:
        return []
    own = Run.objects.filter(workspace=runs[0].workspace_id, uid__in=sorted(uids))
    ids = dict(own.values_list("uid", "pk"))
    return [
        Dependency(run=run, needs_id=ids[uid])
        for run, needs in zip(runs, wanted, strict=True)
        for uid in dict.fromkeys(needs)
    ]


def needs_of(run_ids: Iterable[int]) -> Mapping[int, list[int]]:
    """Run id -> ids of the runs it depends on, for those that do, of at most MOST_READ
    dependencies (1 query)."""
    found: dict[int, list[int]] = {}
    rows = Dependency.objects.filter(run__in=list(run_ids)).order_by("pk")[:MOST_READ]
    for run_id, needs_id in rows.values_list("run_id", "needs_id"):
        found.setdefault(run_id, []).append(needs_id)
    return found


def needed_by(run: Run) -> list[Run]:
    """The runs that a step depends on, by number (1 query)."""
    needed = Run.objects.filter(dependents__run=run, deleted_at=None).order_by("number")
    return list(needed.only("uid", "display_name", "status"))


def waits_for(run: Run) -> list[Run]:
    """The runs that a queued step still waits for, by number (1 query)."""
    unmet = Run.objects.filter(dependents__in=Dependency.objects.filter(run=run).unmet())
    return list(unmet.only("uid", "display_name", "status").order_by("number"))
