"""Pages of experiments in every order, what a row tells of their runs, stars and descriptions."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Max
from django.utils import timezone

from studio.accounts.permissions import Actor, NotAllowed
from studio.runs import actions
from studio.runs.actions.experiments import describe_experiment, star_experiment
from studio.runs.descriptions import description_of
from studio.runs.models import Experiment, Run
from studio.runs.summaries import SUBMITTERS_OF, summaries
from studio.search.experiment_pages import SORTS, experiment_page
from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db]


@pytest.fixture
def bob(people: Any) -> Any:
    return make.actor(people.bob)


@pytest.fixture
def seven(workspace: Any, bob: Any) -> list[Any]:
    """Experiments with 3, 0, 1, 1, 0, 2, 0 runs; the fourth and the last are starred."""
    made = []
    for name, n_runs in zip("gAbCdEf", (3, 0, 1, 1, 0, 2, 0), strict=True):
        experiment = make.experiment(workspace, name)
        for _ in range(n_runs):
            make.run(experiment)
        made.append(experiment)
    for experiment in (made[3], made[6]):
        star_experiment(experiment, by=bob, starred=True)
    return made


def walk(people: Any, sort: str, *, size: int) -> tuple[list[str], list[str]]:
    """The names seen on the way to the last page, and on the way back."""
    listed = Experiment.objects.starred_by(people.bob)
    page = experiment_page(listed, sort, size=size)
    pages = [page]
    while page.next:
        page = experiment_page(listed, sort, size=size, after=page.next)
        pages.append(page)
    back = [page]
    while page.previous:
        page = experiment_page(listed, sort, size=size, before=page.previous)
        back.insert(0, page)
    return tuple([e.name for page in one for e in page.experiments] for one in (pages, back))  # type: ignore[return-value]


ORDERS = {
    "-latest": "ECbgfdA",
    "latest": "gbCEfdA",
    "name": "AbCdEfg",
    "-name": "gfEdCbA",
    "-runs": "gECbfdA",
    "runs": "fdACbEg",
    "starred": "CfEbgdA",
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_join_in_both_directions(sort: str, size: int, seven: Any, people: Any) -> None:
    forth, back = walk(people, sort, size=size)

    assert "".join(forth) == ORDERS[sort]
    assert "".join(back) == ORDERS[sort]


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "bm9ib2R5"])
def test_a_made_up_cursor_gives_the_first_page(cursor: str, seven: Any, people: Any) -> None:
    listed = Experiment.objects.starred_by(people.bob)
    for place in ({"after": cursor}, {"before": cursor}):
        page = experiment_page(listed, "name", size=2, **place)
        assert [one.name for one in page.experiments] == ["A", "b"]


def test_a_cursor_of_another_order_gives_the_first_page(seven: Any, people: Any) -> None:
    listed = Experiment.objects.starred_by(people.bob)
    other = experiment_page(listed, "-name", size=2).next

    page = experiment_page(listed, "name", size=2, after=other)
    assert [one.name for one in page.experiments] == ["A", "b"]


def test_only_listed_root_runs_are_counted(experiment: Any, bob: Any) -> None:
    kept, gone, hidden = (make.run(experiment) for _ in range(3))
    actions.complete_run(kept, by=bob)
    make.run(experiment, parent=kept)
    Run.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    Run.objects.filter(pk=hidden.pk).update(archived_at=timezone.now())

    found = summaries([experiment])[experiment.pk]
    assert {status: n for status, n in found.counts.items() if n} == {"Completed": 1}
    assert (found.n_runs, found.latest) == (1, kept)
    assert Experiment.objects.numbers_of_runs() == {experiment.pk: 1}


def test_an_experiment_without_runs_has_an_empty_summary(experiment: Any) -> None:
    found = summaries([experiment])[experiment.pk]

    assert (found.n_runs, found.latest, list(found.submitters)) == (0, None, [])
    assert summaries([]) == {}


def test_the_latest_submitter_comes_first(workspace: Any, people: Any) -> None:
    one, other = make.experiment(workspace, "one"), make.experiment(workspace, "other")
    for who in (people.bob, people.alice, people.bob):
        make.run(one, by=who)
    make.run(other, by=people.alice)

    found = summaries([one, other])
    assert [who.username for who in found[one.pk].submitters] == ["bob", "alice"]
    assert [who.username for who in found[other.pk].submitters] == ["alice"]


def test_submitters_are_those_of_the_newest_hundred_runs(experiment: Any, people: Any) -> None:
    make.run(experiment, by=people.alice)
    newest = Run.objects.aggregate(at=Max("created_at"))["at"]
    for n in range(SUBMITTERS_OF):
        run = make.run(experiment)
        Run.objects.filter(pk=run.pk).update(created_at=newest + timedelta(seconds=n + 1))

    (found,) = summaries([experiment]).values()
    assert [who.username for who in found.submitters] == ["bob"]


def test_a_run_whose_submitter_is_gone_has_none(experiment: Any, people: Any) -> None:
    Run.objects.filter(pk=make.run(experiment).pk).update(submitter=None)

    (found,) = summaries([experiment]).values()
    assert (found.n_runs, list(found.submitters)) == (1, [])


def test_a_star_is_each_persons_own(experiment: Any, people: Any, bob: Any) -> None:
    for _ in range(2):
        star_experiment(experiment, by=bob, starred=True)

    assert Experiment.objects.starred_by(people.bob).get().is_starred
    assert not Experiment.objects.starred_by(people.carol).get().is_starred
    assert not Experiment.objects.only_starred_by(people.carol).exists()
    star_experiment(experiment, by=bob, starred=False)
    assert not Experiment.objects.only_starred_by(people.bob).exists()


def test_the_studio_itself_has_no_favourites(experiment: Any) -> None:
    with pytest.raises(NotAllowed):
        star_experiment(experiment, by=Actor.system("worker"), starred=True)


def test_a_description_is_rendered_when_it_is_saved(experiment: Any, bob: Any) -> None:
    run = make.run(experiment)
    text = f"# Cats\n\n<script>x</script> run:{run.uid} experiment:vision"
    saved = describe_experiment(experiment, text, by=bob)

    shown = description_of(saved)
    assert (shown.version, shown.edited_by) == (1, "bob")
    assert "<h1>" in shown.html
    assert "<script" not in shown.html
    assert f'<span class="md-ref">run:{run.uid}</span>' in shown.html
    assert '<span class="md-ref">experiment:vision</span>' in shown.html


def test_a_text_that_came_with_the_first_run_is_shown_too(workspace: Any, bob: Any) -> None:
    made, _ = actions.ensure_experiment(workspace, "nlp", by=bob, description="*Words*")

    assert "<em>Words</em>" in description_of(made).html


def test_who_saves_upon_an_older_text_is_told(experiment: Any, bob: Any, people: Any) -> None:
    alice = make.actor(people.alice)
    describe_experiment(experiment, "first", by=bob, expected_version=0)
    with pytest.raises(actions.EditConflict) as told:
        describe_experiment(experiment, "second", by=alice, expected_version=0)

    assert (told.value.current.text, told.value.current.version) == ("first", 1)
    assert "bob saved this description meanwhile" in str(told.value)
    describe_experiment(experiment, "second", by=alice, expected_version=1)
    describe_experiment(experiment, "second", by=bob)
    experiment.refresh_from_db()
    assert (experiment.description, experiment.description_version) == ("second", 2)
    assert description_of(experiment).edited_by == "alice"
