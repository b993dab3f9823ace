"""What runs used and made, for one run or many at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Q

from studio.lineage.models import Dataset, LoggedModel, RunInput, RunOutput
from studio.queries.reading import these
from studio.runs.models import Run

# Of schemas and profiles, so much is read for an answer about many runs.
MOST_CHARS = 8_000_000
# The same for a page.
MOST_CHARS_SHOWN = 1_000_000


@dataclass(slots=True)
class Lineage:
    """inputs: with their data sets, whose `schema_text` and `profile` are "" where an answer about
    many runs would grow too long; models_in: uids; models_out: (uid, step)."""

    inputs: list[RunInput] = field(default_factory=list)
    models_in: list[str] = field(default_factory=list)
    models_out: list[tuple[str, int]] = field(default_factory=list)


def of_runs(runs: Sequence[Run]) -> dict[int, Lineage]:
    """Id of each of these runs -> what it used and made, in the order it was logged (3 queries,
    1 when none of them used a data set, none for no runs)."""
    found = {run.pk: Lineage() for run in runs}
    if not found:
        return found
    using = set()
    for kind, run, uid, step in _models_and_users(list(found)):
        if kind == USED:
            found[run].models_in.append(uid)
        elif kind == MADE:
            found[run].models_out.append((uid, step))
        else:
            using.add(run)
    inputs = list(RunInput.objects.into([run for run in runs if run.pk in using])) if using else []
    _fill_texts(inputs, most=MOST_CHARS)
    for one in inputs:
        found[one.run_id].inputs.append(one)
    return found


USED, MADE, DATA = range(3)
# Written out because each page of runs asks it, and most have none of these: three questions of the
# ORM take ten times longer.
MODELS_AND_USERS = """
SELECT 0 AS kind, i.run_id, m.uid, 0 AS step, i.id AS place FROM lineage_modelinput i
JOIN lineage_loggedmodel m ON m.id = i.model_id WHERE i.run_id IN {these}
UNION ALL
SELECT 1, o.run_id, m.uid, o.step, o.id FROM lineage_runoutput o
JOIN lineage_loggedmodel m ON m.id = o.model_id WHERE o.run_id IN {these}
UNION ALL
SELECT 2, d.run_id, '', 0, d.id FROM lineage_runinput d WHERE d.run_id IN {these}
ORDER BY kind, place
"""


def _models_and_users(ids: Sequence[int]) -> Iterator[tuple[int, int, str, int]]:
    """(kind, run id, uid of the model, step) of models used and made, and DATA for each data set
    that a run used, in the order they were logged (1 query)."""
    sql, listed = these(ids)
    with connection.cursor() as cursor:
        cursor.execute(MODELS_AND_USERS.format(these=sql), [listed] * 3)
        for kind, run, uid, step, _ in cursor.fetchall():
            yield kind, run, uid, step


def _fill_texts(inputs: Sequence[RunInput], *, most: int) -> None:
    """Give the data sets their long texts, as many as fit (1 query, none without inputs)."""
    n_chars, wanted = 0, set()
    for one in inputs:
        n_chars += getattr(one, "n_chars", 0)
        if n_chars <= most:
            wanted.add(one.dataset_id)
    texts = {
        pk: rest
        for pk, *rest in Dataset.objects.filter(pk__in=wanted).values_list(
            "pk", "schema_text", "profile"
        )
    }
    for one in inputs:
        one.dataset.schema_text, one.dataset.profile = texts.get(one.dataset_id, ("", ""))


def inputs_of_run(run: Run, *, most: int) -> list[RunInput]:
    """The data sets that a run used; of very long texts `n_chars` alone tells (2 queries, 1 without
    any)."""
    inputs = list(RunInput.objects.into([run])[:most])
    _fill_texts(inputs, most=MOST_CHARS_SHOWN)
    return inputs


def models_used_by(run: Run, *, most: int) -> list[LoggedModel]:
    """The models that a run used, with the runs that keep them (1 query)."""
    used = LoggedModel.objects.filter(used_by__run=run).select_related("run")
    return list(used.order_by("used_by__pk")[:most])


def models_of_run(
    run: Run, *, most: int, most_points: int | None = None, after: int = 0
) -> list[LoggedModel]:
    """The models that a run made or keeps, also deleted ones, oldest first, those behind the id
    `after` (3 queries, 1 without any)."""
    made = RunOutput.objects.filter(run=run).values("model")
    found = LoggedModel.objects.filter(Q(run=run) | Q(pk__in=made), pk__gt=after)
    found = found.select_related("run").with_labels(most_points=most_points)
    return list(found.order_by("pk")[:most])


def names_of(run: Run, uids: Iterable[str]) -> dict[str, str]:
    """uid -> name of those models that the run keeps (1 query)."""
    found = LoggedModel.objects.filter(run=run, uid__in=list(uids))
    return dict(found.values_list("uid", "name"))
