"""What looking for views costs, with one view and with a thousand."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.custom_views.actions import Draft, create_view, save_view
from studio.custom_views.finding import base_of, default_view, find_view, pinned_views
from studio.custom_views.models import CustomView, ViewGrant, ViewPin, new_uid
from studio.custom_views.rights import may_see, rights
from studio.custom_views.sharing import pin_view, set_default
from tests import make
from tests.custom_views.world import found, view

pytestmark = [pytest.mark.data, pytest.mark.django_db]
N_VIEWS = 1_000


def knowing(user: Any, workspace: Any, role: str) -> Any:
    """A person whose role this request has read already."""
    return replace(make.actor(user), seen_role=(workspace.pk, role))


def n_queries(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        ask()
    return len(asked)


@pytest.fixture
def many(people: Any, workspace: Any) -> None:
    """A thousand views of alice's; a tenth are shared with everyone, a tenth with bob."""
    made = CustomView.objects.bulk_create(
        CustomView(
            workspace=workspace,
            uid=new_uid(),
            name=f"View {n}",
            owner=people.alice,
            owner_name="alice",
            everyone="" if n % 10 else "see",
            state={"q": str(n)},
        )
        for n in range(N_VIEWS)
    )
    ViewGrant.objects.bulk_create(ViewGrant(view=one, user=people.bob) for one in made[1::10])
    ViewPin.objects.bulk_create(
        ViewPin(view=one, user=people.bob, position=n) for n, one in enumerate(made[1:200:10])
    )


@pytest.mark.parametrize("who", ["alice", "bob", "carol"])
def test_a_view_and_its_rights_are_one_query(people: Any, workspace: Any, who: str) -> None:
    held = view(workspace, people.alice, everyone="see", people={"bob": "edit"})
    role = {"alice": "owner", "bob": "contributor", "carol": "reader"}[who]
    by = knowing(getattr(people, who), workspace, role)

    assert n_queries(lambda: find_view(workspace, by, held.address)) == 1
    assert n_queries(lambda: find_view(workspace, by, new_uid())) == 1
    assert n_queries(lambda: find_view(workspace, by, "none")) == 0
    opened = found(workspace, by, held)
    assert n_queries(lambda: (rights(by, opened), may_see(by, opened), base_of(opened))) == 0
    assert n_queries(lambda: (opened.owner.username, opened.experiment, opened.n_grants)) == 0
    plain = CustomView.objects.get()
    assert n_queries(lambda: rights(make.actor(by.user), plain)) <= 3


def test_an_older_version_is_one_query_more(people: Any, workspace: Any) -> None:
    bob, held = make.actor(people.bob), view(workspace, people.bob)
    saved = save_view(held, by=bob, expected_version=1, state={"q": "new"})

    assert n_queries(lambda: base_of(saved, 1)) == 1
    older, now = base_of(saved, 1), base_of(saved, 2)
    assert (older.state.q, older.version, now.state.q, now.version) == ("net", 1, "new", 2)
    assert base_of(saved, 7) == base_of(saved) == now


def test_defaults_and_pins_are_two_queries_however_many_and_one_for_none(
    people: Any, workspace: Any, many: None
) -> None:
    nobody = knowing(people.dave, workspace, "contributor")
    assert n_queries(lambda: pinned_views(workspace, people.dave, nobody)) == 1
    assert n_queries(lambda: default_view(workspace, nobody, "runs", None)) == 1
    by = knowing(people.bob, workspace, "contributor")
    for one in CustomView.objects.filter(everyone="see")[:3]:
        pin_view(one, by=by, pinned=True)
        set_default(one, by=by)

    def pins() -> list[Any]:
        some = list(pinned_views(workspace, people.bob, by))
        return [(one.address, str(one.experiment)) for one in some]

    assert len(pins()) == 23
    assert n_queries(pins) == 2
    assert n_queries(lambda: default_view(workspace, by, "runs", None)) == 2
    opened = default_view(workspace, by, "runs", None)
    assert opened is not None
    assert n_queries(lambda: opened.workspace.name) == 0


def plan(queryset: Any) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return str(queryset.explain())


def test_a_list_of_a_thousand_views_reads_indexes(people: Any, workspace: Any, many: None) -> None:
    here = CustomView.objects.of(workspace)
    some = here.visible_to(people.bob, is_owner=False).with_facts_for(people.bob)
    told = plan(some.order_by("name", "pk")[:50])

    assert some.count() == N_VIEWS // 5
    assert n_queries(lambda: list(some.order_by("name", "pk")[:50])) == 1
    scanned = re.findall(r"(?:Seq Scan on|SCAN) (\w+)(?! USING)", told)
    # PostgreSQL reads tables of a few rows whole, whatever indexes there are.
    is_postgres = connection.vendor == "postgresql"
    assert not ({"custom_views_customview"} & set(scanned) if is_postgres else scanned), told
    assert "view_by_name" in told or "view_name_once" in told, told


def test_a_view_is_found_among_a_thousand_by_its_uid(
    people: Any, workspace: Any, many: None
) -> None:
    uid = CustomView.objects.filter(everyone="see")[0].uid
    here = CustomView.objects.of(workspace).visible_to(people.bob, is_owner=False)
    told = plan(here.with_facts_for(people.bob).filter(uid=uid))

    assert re.search(r"uid", told), told
    assert not re.search(r"SCAN custom_views_customview|Seq Scan on custom_views_customview", told)


def test_making_a_view_reads_no_others_but_their_names(
    people: Any, workspace: Any, many: None
) -> None:
    by = knowing(people.bob, workspace, "contributor")

    assert n_queries(lambda: create_view(workspace, Draft("Mine", {}), by=by)) <= 10


def test_the_tables_are_those_of_the_models() -> None:
    call_command("makemigrations", "custom_views", check=True, dry_run=True, verbosity=0)
