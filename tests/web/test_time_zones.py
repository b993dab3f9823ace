"""Days of a query are days where the person is, on every page and in what a page starts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from studio.custom_views.sharing import pin_view
from studio.runs.models import Run, Star
from studio.web.zones import ZONE
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.exports.reading import READERS, body_of
from tests.web.pages import HTMX, read, rows
from tests.web.test_bulk_pages import fields, show, start
from tests.web.viewing import VIEWS, view_of

pytestmark = [pytest.mark.data, pytest.mark.django_db]
LIST, EXPORT = "/w/lab/runs", "/w/lab/runs-export"
TOKYO = "Asia/Tokyo"
# Nine hours before the one that UTC has.
DAY = "submitted:2026-03-01"
BOUNDS = ("2026-02-28T14:59:59", "2026-02-28T15:00", "2026-03-01T14:59:59", "2026-03-01T15:00")


def submitted(experiment: Any, *moments: datetime) -> list[str]:
    """A run for each moment; their ids."""
    made = [make.run(experiment) for _ in moments]
    for run, at in zip(made, moments, strict=True):
        Run.objects.filter(pk=run.pk).update(created_at=at)
    return [run.uid for run in made]


@pytest.fixture
def runs(experiment: Any) -> list[str]:
    """Submitted right before the day begins in Tokyo, in it twice, and right after it."""
    return submitted(experiment, *(datetime.fromisoformat(f"{at}Z") for at in BOUNDS))


@pytest.fixture
def tokyo(bob_client: Client) -> Client:
    bob_client.cookies[ZONE] = TOKYO
    return bob_client


def listed(client: Client, query: str) -> set[str]:
    return set(rows(client.get(LIST, {"q": query})))


def test_a_day_is_the_one_of_the_browser(
    tokyo: Client, carol_client: Client, runs: list[str]
) -> None:
    assert listed(tokyo, DAY) == {runs[1], runs[2]}
    assert timezone.get_current_timezone_name() == "UTC", "left behind for the next person"
    assert listed(carol_client, DAY) == {runs[2], runs[3]}


def test_a_clock_without_a_zone_and_a_month_are_the_browsers_too(
    tokyo: Client, runs: list[str]
) -> None:
    assert listed(tokyo, "submitted:2026-03-01T00:00") == {runs[1]}
    assert listed(tokyo, "submitted:2026-02") == {runs[0]}
    assert listed(tokyo, "submitted>=2026-03-01T15:00:00Z") == {runs[3]}


def test_today_begins_at_the_midnight_of_the_browser(tokyo: Client, experiment: Any) -> None:
    midnight = datetime.now(ZoneInfo(TOKYO)).replace(hour=0, minute=0, second=0, microsecond=0)
    in_utc = midnight.astimezone(UTC)
    uids = submitted(experiment, in_utc - timedelta(seconds=1), in_utc)

    assert listed(tokyo, "submitted:today") == {uids[1]}
    assert listed(tokyo, "submitted:yesterday") == {uids[0]}


def test_the_day_when_clocks_go_forward_has_23_hours(bob_client: Client, experiment: Any) -> None:
    bob_client.cookies[ZONE] = "Europe/Berlin"
    bounds = [datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)]
    first, beyond = submitted(experiment, *bounds)

    assert listed(bob_client, "submitted:2026-03-29") == {first}
    assert listed(bob_client, "submitted:2026-03-30") == {beyond}


@pytest.mark.parametrize("name", ["Mars/Base", "Europe", "../../etc/hosts", "x" * 65, "a;b", ""])
def test_a_zone_that_is_none_is_utc(name: str, bob_client: Client, runs: list[str]) -> None:
    bob_client.cookies[ZONE] = name

    assert listed(bob_client, DAY) == {runs[2], runs[3]}


def test_counters_explanation_groups_and_files_mean_the_same_day(
    tokyo: Client, runs: list[str]
) -> None:
    page = read(tokyo.get(LIST, {"q": DAY}))
    counted = [own["hx-get"] for _, own in page.elements if "/runs-counts" in own.get("hx-get", "")]
    assert "2 runs" in read(tokyo.get(counted[0], headers=HTMX)).text

    part = tokyo.get(page.one("a", id="runs-explain_button")["hx-get"], headers=HTMX)
    assert "removes 2 runs" in read(part).text

    assert "of 2 runs" in read(tokyo.get(LIST, {"q": DAY, "group": "experiment"})).text
    sent = body_of(tokyo.get(EXPORT, {"q": DAY, "format": "jsonl"}))
    assert {row["uid"] for row in READERS["jsonl"]([sent])} == {runs[1], runs[2]}


@pytest.mark.parametrize("moved_to", ["", "America/New_York"])
def test_a_change_is_about_the_runs_that_its_dialog_counted(
    moved_to: str, tokyo: Client, runs: list[str]
) -> None:
    form = {"all": "1", "list": f"?q={DAY}", "back": LIST}
    page = read(show(tokyo, "star", form))
    assert "Star 2 runs" in page.text
    tokyo.cookies[ZONE] = moved_to
    assert start(tokyo, "star", fields(page)).status_code == 303

    run_work(Work.objects.get().pk)

    assert set(Star.objects.values_list("run__uid", flat=True)) == {runs[1], runs[2]}


def test_a_made_up_zone_of_a_form_is_refused_in_words(tokyo: Client, runs: list[str]) -> None:
    form = {"all": "1", "list": f"?q={DAY}", "back": LIST, "zone": "Mars/Base"}

    answer = start(tokyo, "star", form)

    assert answer.status_code == 422
    assert "There is no time zone “Mars/Base” here." in read(answer).text
    assert not Work.objects.exists()


def test_a_pinned_view_is_counted_for_each_zone(
    bob_client: Client, workspace: Any, people: Any, runs: list[str]
) -> None:
    cache.clear()
    view = view_of(workspace, people.bob, {"q": "submitted:2026-02"})
    pin_view(view, by=make.actor(people.bob), pinned=True)

    def number() -> str:
        return read(bob_client.get(f"{VIEWS}/rail", headers=HTMX)).texts[0]

    assert number() == "2"
    bob_client.cookies[ZONE] = TOKYO
    assert number() == "1"


def test_the_api_reads_days_as_those_of_utc(api: make.Api, runs: list[str]) -> None:
    api.client.cookies[ZONE] = TOKYO
    found = api.get("/runs", q=DAY).json()["items"]

    assert {run["uid"] for run in found} == {runs[2], runs[3]}


def test_a_link_to_set_a_password_is_good_whoever_made_it_where(
    people: Any, workspace: Any
) -> None:
    from studio.accounts.welcome import link_parts, user_of_link

    newcomer = make.user("newcomer")
    newcomer.set_unusable_password()
    newcomer.save()
    with timezone.override(ZoneInfo("Pacific/Kiritimati")):
        parts = link_parts(newcomer)
    just_before_its_end = timezone.now() + timedelta(days=7) - timedelta(hours=1)
    just_after = timezone.now() + timedelta(days=7, hours=1)

    assert user_of_link(*parts, now=just_before_its_end) == newcomer
    assert user_of_link(*parts, now=just_after) is None
