"""Load data is the same every time, and the database is as the application would have left it."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, F

from studio.accounts.models import User
from studio.metrics.made_up import (
    CHILDREN,
    FAMILY,
    LATEST,
    N_WIDE,
    RARE_WORD,
    ROUND,
    WIDTH,
    draw,
    uid_moves,
)
from studio.metrics.models import Metric
from studio.metrics.seeding import MANY, Seeder
from studio.runs.actions import NewRun, create_run, describe_run
from studio.runs.families import recount
from studio.runs.models import Description, Experiment, Parameter, Property, Run, RunText, Star, Tag
from studio.runs.searchtext import refresh
from studio.runs.status import Status
from studio.search.apply import search
from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]
N_RUNS = 600
# Of all the values, whichever database they are in.
DIGEST = "e334cfba65f4b13a"
KINDS = (Run, Tag, Parameter, Metric, Description, RunText, Star)
# Keys depend on what was there before.
KEYS = {"id", "run_id", "workspace_id", "experiment_id", "submitter_id", "parent_id", "root_id"}
KEYS |= {"user_id", "target_id"}


@pytest.fixture
def room(people: Any) -> Any:
    return make.workspace("load", owner=people.alice)


def rows(workspace: Any, model: Any) -> list[dict[str, Any]]:
    """All rows of a workspace but for their keys, in the order they were made."""
    to = "" if model is Run else "run__"
    found = model.objects.filter(**{f"{to}workspace": workspace})
    last = [name for name in ("key", "name") if hasattr(model, name)]
    return [
        {name: value for name, value in row.items() if name not in KEYS}
        for row in found.order_by(f"{to}created_at", f"{to}uid", *last).values()
    ]


def test_the_same_seed_makes_the_same_rows(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS)
    first = {model: rows(room, model) for model in KINDS}
    Run.objects.filter(workspace=room).delete()
    Experiment.objects.filter(workspace=room).delete()

    Seeder(room, people.alice).write(N_RUNS)

    assert {model: rows(room, model) for model in KINDS} == first
    assert {model: len(found) for model, found in first.items()} == {
        Run: N_RUNS,
        Tag: 4 * N_RUNS,
        Parameter: 8 * N_RUNS,
        Metric: len(first[Metric]),
        Description: N_RUNS // 3,
        RunText: N_RUNS,
        Star: 3,
    }


def test_another_seed_makes_other_rows() -> None:
    one, other = (draw(seed).tables for seed in (1, 2))

    assert one["facts"]["uid_a"] != other["facts"]["uid_a"]
    assert one["metrics"]["millionths"] != other["metrics"]["millionths"]
    assert uid_moves(1, 0) != uid_moves(2, 0)


def test_a_run_is_the_same_whatever_comes_after_it(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS)
    larger = make.workspace("larger", owner=people.alice)

    Seeder(larger, people.alice).write(2 * N_RUNS)

    for model in (Tag, Parameter, Metric, Description, RunText):
        assert rows(larger, model)[: len(rows(room, model))] == rows(room, model)


def test_rows_added_to_many_are_those_an_empty_database_gets(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(MANY)
    second = make.workspace("second", owner=people.alice)
    before = {model: rows(room, model) for model in KINDS}

    Seeder(second, people.alice).write(MANY)

    for model in KINDS:
        assert rows(second, model) == before[model]
        assert rows(room, model) == before[model]


def test_both_databases_get_the_same_values(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS)

    found = [
        sorted(map(repr, model.objects.values_list(*names.split())))
        for model, names in (
            (Run, "uid display_name number status duration_s n_children description_start"),
            (Run, "uid created_at started_at ended_at status_at parent__uid submitter__username"),
            (Tag, "run__uid key value"),
            (Property, "run__uid key value"),
            (Parameter, "run__uid key value number"),
            (Metric, "run__uid name last last_text min max"),
            (Description, "run__uid text html edited_at"),
            (RunText, "run__uid body"),
        )
    ]

    assert hashlib.sha256(repr(found).encode()).hexdigest()[:16] == DIGEST


def test_a_load_of_several_rounds_has_every_row_once_in_its_place(people: Any, room: Any) -> None:
    n_runs = ROUND + 300
    Seeder(room, people.alice).write(n_runs)
    runs = Run.objects.filter(workspace=room)

    assert runs.count() == Tag.objects.filter(key="model").count() == n_runs
    assert Parameter.objects.count() == 8 * n_runs
    assert RunText.objects.filter(body__contains=RARE_WORD).count() == 1
    named = runs.filter(tags__key="model").values_list("display_name", "tags__value")
    assert all(name.startswith(f"{model}-") for name, model in named)
    losses = Metric.objects.filter(name="loss", last__isnull=False)
    assert losses.filter(min__lte=F("last"), max__gte=F("last")).count() == losses.count()
    assert losses.values("last").distinct().count() > 0.99 * losses.count()


def indexes() -> list[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
            return [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() UNION ALL SELECT "
            "conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint "
            "ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def settings_of_the_connection() -> list[Any]:
    if connection.vendor != "sqlite":
        return []
    names = ("cache_size", "synchronous", "journal_mode", "foreign_keys", "busy_timeout", "threads")
    with connection.cursor() as cursor:
        return [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


def test_indexes_constraints_and_settings_are_the_same_afterwards(people: Any, room: Any) -> None:
    before = indexes(), settings_of_the_connection()

    Seeder(room, people.alice).write(N_RUNS)

    assert (indexes(), settings_of_the_connection()) == before
    connection.check_constraints()


def test_runs_are_numbered_and_counted_as_their_experiment_says(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS)

    for experiment in Experiment.objects.filter(workspace=room):
        numbers = sorted(experiment.runs.values_list("number", flat=True))
        assert numbers == list(range(1, experiment.last_number + 1))
    main = Experiment.objects.get(workspace=room, name="load-main")
    assert main.last_number > N_RUNS * 0.8
    assert main.latest_run_at == main.runs.latest("created_at").created_at
    assert Run.objects.latest("created_at").created_at == LATEST - timedelta(seconds=30)


def test_families_share_an_experiment_and_the_rest_varies(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS)
    runs = Run.objects.filter(workspace=room)

    children = runs.filter(parent__isnull=False)
    assert children.count() == N_RUNS // FAMILY * CHILDREN
    assert not children.exclude(experiment=F("parent__experiment")).exists()
    assert not children.exclude(root=F("parent")).exists()
    statuses = dict(runs.values_list("status").annotate(Count("id")))
    assert set(statuses) == {
        Status.COMPLETED,
        Status.FAILED,
        Status.CANCELED,
        Status.NOT_STARTED,
    }
    assert runs.values("submitter").distinct().count() == 5
    assert 0 < runs.filter(target=None).count() < N_RUNS


def test_two_thousand_metric_names_exist_and_some_values_are_missing(
    people: Any, room: Any
) -> None:
    Seeder(room, people.alice).write(N_RUNS)
    metrics = Metric.objects.filter(workspace=room)

    assert metrics.filter(name__startswith="layer-").values("name").distinct().count() == (
        N_WIDE * WIDTH
    )
    assert metrics.filter(name="loss", last=None, last_text="NaN").exists()
    assert metrics.filter(name="val_loss").count() < metrics.filter(name="loss").count() < N_RUNS


def test_words_find_what_is_in_the_texts(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS)
    runs = Run.objects.filter(workspace=room)

    for text in ("zebrafish", "team-7", "baseline"):
        found = search(runs, text, user=people.alice, workspace=room)
        holding = RunText.objects.filter(run__workspace=room, body__contains=text)
        assert set(found.values_list("pk", flat=True)) == set(holding.values_list("pk", flat=True))
        assert found.exists()


def test_what_is_kept_for_lists_is_what_the_application_keeps(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS + 1)
    runs = Run.objects.filter(workspace=room).order_by("pk")
    before = {model: rows(room, model) for model in (Run, RunText)}

    for run in [*runs[:30], *runs[N_RUNS - 30 :]]:
        refresh(run)
    recount(runs.values_list("pk", flat=True))

    assert {model: rows(room, model) for model in before} == before


def test_a_run_is_as_if_it_had_been_written_by_the_actions(people: Any, room: Any) -> None:
    Seeder(room, people.alice).write(N_RUNS)
    made = Run.objects.get(workspace=room, display_name__endswith="-0000018")
    by, tags = make.actor(people.alice), dict(made.tags.values_list("key", "value"))
    other = make.experiment(make.workspace("by-hand", owner=people.alice), by=people.alice)
    new = NewRun(
        display_name=made.display_name,
        tags=tags,
        properties=dict(made.properties.values_list("key", "value")),
        parameters=dict(made.parameters.values_list("key", "value")),
        start=True,
    )

    written = create_run(other, new, by=by)
    describe_run(written, made.description_row.text, by=by)

    assert RARE_WORD in made.description_row.text
    for model in (Tag, Property, Parameter, Description, RunText):
        assert facts_of(model, made) == facts_of(model, written)
    written.refresh_from_db()
    for name in UNLIKE_NOTHING:
        assert getattr(made, name) == getattr(written, name), name


UNLIKE_NOTHING = ["display_name", "type", "first_tag", "description_start", "n_children", "error"]
UNLIKE_NOTHING += ["arguments", "warnings", "script", "snapshot", "status_reason", "deleted_at"]


def facts_of(model: Any, run: Any) -> list[dict[str, Any]]:
    """All rows of a run but for keys and moments."""
    return [
        {name: value for name, value in row.items() if name not in KEYS | {"edited_at"}}
        for row in model.objects.filter(run=run).order_by("pk").values()
    ]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("at", ["600 of 600 runs", "metric_by_last", "index of words"])
def test_an_interrupted_load_leaves_everything_as_it_was(people: Any, room: Any, at: str) -> None:
    seeder = Seeder(room, people.alice)
    before = indexes(), settings_of_the_connection()

    def stop(text: str) -> None:
        if at in text or (at == "index of words" and "trigram" in text):
            raise Interrupted

    with pytest.raises(Interrupted):
        seeder.write(N_RUNS, stop)

    assert (indexes(), settings_of_the_connection()) == before
    assert not Run.objects.exists()
    assert not Tag.objects.exists()
    Seeder(room, people.alice).write(30)
    assert Run.objects.count() == 30


def test_the_command_says_how_many_and_how_fast(capsys: Any, people: Any) -> None:
    User.objects.create_superuser("admin", password="correct horse battery")

    call_command("seed_load", runs=30, points=10)

    told = capsys.readouterr()
    assert "30 runs in" in told.out
    assert "30 of 30 runs" in told.err
