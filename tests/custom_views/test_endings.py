"""What stays of a view, and what ends, when people and experiments go."""

from typing import Any

import pytest

from studio.accounts.models import Membership
from studio.custom_views.actions import bring_back, delete_view, duplicate_view, save_view
from studio.custom_views.models import DefaultView, Place, ViewEvent, ViewGrant, ViewPin, ViewUse
from studio.custom_views.rights import rights
from studio.custom_views.sharing import note_use, pin_view, set_default, share_view, sharing_of
from tests import make
from tests.custom_views.world import events, found, member, view

pytestmark = [pytest.mark.data, pytest.mark.django_db]


def test_the_views_of_a_deleted_account_are_the_workspace_owners(
    people: Any, workspace: Any
) -> None:
    erin = member(workspace, "erin")
    private, shared = view(workspace, erin), view(workspace, erin, "B", people={"bob": "edit"})
    pinned_by_nobody = view(workspace, people.bob, everyone="see")
    erin.username = "erin.b"
    erin.save()
    erin.delete()

    for one in (private, shared):
        one.refresh_from_db()
        assert (one.owner, one.owner_name) == (None, "erin.b")
        held = found(workspace, people.alice, one)
        save_view(held, by=make.actor(people.alice), expected_version=1, name="Same")
    assert found(workspace, people.bob, private) is None
    assert found(workspace, people.carol, private) is None
    assert found(workspace, people.bob, shared).owner_name == "erin.b"
    assert pinned_by_nobody.owner == people.bob
    assert {event.actor for event in ViewEvent.objects.filter(view=private)} == {
        "erin",
        "alice",
    }
    delete_view(private, by=make.actor(people.alice))
    assert bring_back(private, by=make.actor(people.alice)).deleted_at is None


def test_a_view_outlives_its_experiment_and_remembers_it(
    people: Any, workspace: Any, experiment: Any
) -> None:
    from studio.runs.actions.experiments import rename_experiment

    bob = make.actor(people.bob)
    held = view(workspace, people.bob, place="experiment", experiment=experiment)
    rename_experiment(experiment, "renamed", by=bob)
    experiment.delete()

    still = found(workspace, people.bob, held)
    assert (still.place, still.experiment, still.experiment_name) == (
        Place.EXPERIMENT,
        None,
        "renamed",
    )
    assert save_view(still, by=bob, expected_version=1, state={}).version == 2
    assert duplicate_view(still, by=bob).place == Place.RUNS


def test_what_was_granted_to_a_member_ends_with_the_membership(people: Any, workspace: Any) -> None:
    elsewhere = make.workspace("elsewhere", owner=people.alice, contributor=people.bob)
    here = view(workspace, people.alice, people={"bob": "edit", "carol": "see"})
    there = view(elsewhere, people.alice, people={"bob": "edit"})
    Membership.objects.filter(user=people.bob, workspace=workspace).delete()

    assert found(workspace, people.bob, here) is None
    Membership.objects.create(user=people.bob, workspace=workspace, role="contributor")

    assert found(workspace, people.bob, here) is None
    assert sharing_of(here) == {"everyone": "", "people": {"carol": "see"}}
    assert found(elsewhere, people.bob, there) is not None


def test_what_a_former_member_made_waits_for_them_unseen(people: Any, workspace: Any) -> None:
    private = view(workspace, people.bob)
    shared = view(workspace, people.bob, "Shared", everyone="see", people={"carol": "see"})
    Membership.objects.filter(user=people.bob).delete()

    assert found(workspace, people.bob, private) is found(workspace, people.bob, shared) is None
    assert found(workspace, people.alice, private) is None
    assert rights(make.actor(people.alice), found(workspace, people.alice, shared)).may_manage
    Membership.objects.create(user=people.bob, workspace=workspace, role="contributor")
    assert found(workspace, people.bob, private) is not None


def test_with_an_account_goes_all_that_was_for_itself(people: Any, workspace: Any) -> None:
    erin, held = member(workspace, "erin"), view(workspace, people.bob, everyone="see")
    share_view(held, everyone="see", people={"erin": "edit"}, by=make.actor(people.bob))
    pin_view(held, by=make.actor(erin), pinned=True)
    note_use(held, by=make.actor(erin))
    set_default(held, by=make.actor(erin))
    erin.delete()

    for model in (ViewPin, ViewUse, DefaultView, ViewGrant):
        assert not model.objects.exists()
    assert found(workspace, people.bob, held) is not None
    assert events(held)[-1][3] == {"everyone": "see", "people": {"erin": "edit"}}
