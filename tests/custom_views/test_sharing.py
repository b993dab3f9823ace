"""Sharing, pins, defaults and last use."""

from datetime import timedelta
from typing import Any

import pytest

from studio.accounts.models import Membership
from studio.accounts.permissions import Actor, NotAllowed
from studio.custom_views import sharing
from studio.custom_views.actions import bring_back, delete_view
from studio.custom_views.finding import default_view, kind_of_sharing, pinned_views
from studio.custom_views.models import CustomView, DefaultView, ViewGrant, ViewPin, ViewUse
from studio.custom_views.sharing import (
    drop_default,
    note_use,
    order_pins,
    pin_view,
    set_default,
    share_view,
    sharing_of,
)
from studio.runs.limits import Invalid
from tests import make
from tests.custom_views.world import events, found, member, reading, running, view
from tests.rows import all_rows, changed_tables

pytestmark = [pytest.mark.data, pytest.mark.django_db]

WRONG_WORDS: list[Any] = ["all", "own", None, 1, ["see"], {}]


class TestSharing:
    def test_each_change_is_remembered_with_before_and_after(
        self, people: Any, workspace: Any
    ) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob)
        steps = [
            ("see", {"carol": "edit", "alice": "see"}),
            ("edit", {"alice": "edit"}),
            ("edit", {"alice": "edit", "carol": ""}),
            ("", {}),
        ]
        for everyone, some in steps:
            share_view(held, everyone=everyone, people=some, by=bob)
            kept = {name: access for name, access in some.items() if access}
            assert sharing_of(held) == {"everyone": everyone, "people": kept}
            assert CustomView.objects.get().everyone == held.everyone == everyone

        told = [event[2:] for event in events(held) if event[0] == "shared"]
        none: dict[str, Any] = {"everyone": "", "people": {}}
        first = {"everyone": "see", "people": {"alice": "see", "carol": "edit"}}
        second = {"everyone": "edit", "people": {"alice": "edit"}}
        assert told == [(none, first), (first, second), (second, none)]
        assert not ViewGrant.objects.exists()

    @pytest.mark.parametrize(
        ("everyone", "some", "field"),
        [
            *((word, {}, "everyone") for word in WRONG_WORDS),
            *(("", {"alice": word}, "people") for word in WRONG_WORDS),
            *(("", {name: "see"}, "people") for name in ("dave", "nobody", "", "a\x00", "é")),
            *(("", {name: "see"}, "people") for name in ("\ud800", "a" * 9_000, "ALICE")),
            ("", {"bob": "see"}, "people"),
            ("", {f"u{n}": "see" for n in range(501)}, "people"),
        ],
    )
    def test_what_can_not_be_shared_changes_nothing(
        self, people: Any, workspace: Any, everyone: Any, some: Any, field: str
    ) -> None:
        held = view(workspace, people.bob, everyone="see", people={"alice": "edit"})
        before = all_rows()

        with pytest.raises(Invalid) as refused:
            share_view(held, everyone=everyone, people=some, by=make.actor(people.bob))

        assert refused.value.field == field
        assert len(str(refused.value)) < 300
        assert str(refused.value).encode()
        assert not changed_tables(before)

    def test_a_deleted_view_is_not_shared(self, people: Any, workspace: Any) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob)
        delete_view(CustomView.objects.get(), by=bob)

        with pytest.raises(Invalid, match="deleted meanwhile"):
            share_view(held, everyone="see", people={}, by=bob)

    def test_a_workspace_owner_can_end_what_is_shared_with_everyone(
        self, people: Any, workspace: Any
    ) -> None:
        held = view(workspace, people.bob, everyone="edit")

        share_view(held, everyone="", people={}, by=make.actor(people.alice))

        assert found(workspace, people.alice, held) is None
        assert found(workspace, people.bob, held) is not None
        assert events(held)[-1][:2] == ("shared", "alice")

    def test_its_kind_is_told_in_a_word(self, people: Any, workspace: Any) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob)
        for everyone, some, kind in (
            ("", {}, "private"),
            ("", {"alice": "see", "carol": "see"}, "people"),
            ("see", {"alice": "edit"}, "workspace"),
        ):
            share_view(held, everyone=everyone, people=some, by=bob)
            assert kind_of_sharing(found(workspace, people.bob, held)) == kind


def pinned(workspace: Any, user: Any) -> list[str]:
    return [one.name for one in pinned_views(workspace, user, make.actor(user))]


class TestPins:
    def test_pins_keep_the_order_they_are_put_in(self, people: Any, workspace: Any) -> None:
        carol = make.actor(people.carol)
        some = [view(workspace, people.bob, name, everyone="see") for name in "ABCD"]
        for one in some:
            pin_view(one, by=carol, pinned=True)
        a, b, c, d = (one.uid for one in some)
        assert pinned(workspace, people.carol) == list("ABCD")

        for uids, names in (
            ([d, b], "DBAC"),
            ([], "DBAC"),
            ([c, c, "none", "\x00", ""], "CDBA"),
            ([a, b, c, d], "ABCD"),
        ):
            order_pins(workspace, uids, by=carol)
            assert pinned(workspace, people.carol) == list(names)
        pin_view(some[0], by=carol, pinned=True)
        pin_view(some[1], by=carol, pinned=False)
        pin_view(some[1], by=carol, pinned=False)
        assert pinned(workspace, people.carol) == list("ACD")
        assert pinned(workspace, people.bob) == []

    def test_a_view_that_is_not_shared_any_more_leaves_the_sidebar_and_comes_back(
        self, people: Any, workspace: Any
    ) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob, everyone="see")
        pin_view(held, by=make.actor(people.carol), pinned=True)

        share_view(held, everyone="", people={}, by=bob)
        assert pinned(workspace, people.carol) == []
        share_view(held, everyone="", people={"carol": "see"}, by=bob)
        assert pinned(workspace, people.carol) == ["Best"]
        delete_view(held, by=bob)
        assert pinned(workspace, people.carol) == []
        bring_back(held, by=bob)
        assert pinned(workspace, people.carol) == ["Best"]

    def test_there_is_an_end_to_pins_that_one_can_see(
        self, people: Any, workspace: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sharing, "MAX_PINS", 2)
        carol = make.actor(people.carol)
        a, b, c, d = (view(workspace, people.bob, name, everyone="see") for name in "ABCD")
        for one in (a, b, b):
            pin_view(one, by=carol, pinned=True)

        with pytest.raises(Invalid, match="2 views are pinned"):
            pin_view(c, by=carol, pinned=True)
        share_view(a, everyone="", people={}, by=make.actor(people.bob))
        pin_view(c, by=carol, pinned=True)
        delete_view(b, by=make.actor(people.bob))
        pin_view(d, by=carol, pinned=True)
        assert pinned(workspace, people.carol) == ["C", "D"]

    def test_pins_of_other_workspaces_stay_there(self, people: Any, workspace: Any) -> None:
        other = make.workspace("other", owner=people.alice, contributor=people.bob)
        bob = make.actor(people.bob)
        for where in (workspace, other):
            pin_view(view(where, people.bob, where.name), by=bob, pinned=True)

        assert (pinned(workspace, people.bob), pinned(other, people.bob)) == (["lab"], ["other"])

    def test_programs_have_no_pins(self, people: Any, workspace: Any) -> None:
        held = view(workspace, people.bob, everyone="see")
        for by in (reading(people.bob), running(people.bob), Actor.system("worker")):
            with pytest.raises(NotAllowed):
                pin_view(held, by=by, pinned=True)
            with pytest.raises(NotAllowed):
                order_pins(workspace, [held.uid], by=by)
        assert not ViewPin.objects.exists()


def opening(workspace: Any, user: Any, place: str = "runs", experiment: Any = None) -> str | None:
    held = default_view(workspace, make.actor(user), place, experiment)
    return held.name if held else None


class TestDefaults:
    def test_ones_own_comes_before_that_of_the_workspace(self, people: Any, workspace: Any) -> None:
        alice, bob = make.actor(people.alice), make.actor(people.bob)
        own = view(workspace, people.bob, "Own")
        ours = view(workspace, people.bob, "Ours", everyone="see")

        set_default(own, by=bob)
        set_default(ours, by=alice, for_everyone=True)
        assert [opening(workspace, who) for who in (people.bob, people.carol)] == ["Own", "Ours"]
        assert opening(workspace, people.bob, "pipelines") is None
        assert opening(workspace, people.dave) is None
        set_default(ours, by=bob)
        assert opening(workspace, people.bob) == "Ours"
        set_default(own, by=bob)
        drop_default(workspace, "runs", None, by=bob)
        assert opening(workspace, people.bob) == "Ours"
        drop_default(workspace, "runs", None, by=alice, for_everyone=True)
        assert not DefaultView.objects.exists()

    def test_one_that_is_not_visible_any_more_does_not_count(
        self, people: Any, workspace: Any
    ) -> None:
        alice, carol = make.actor(people.alice), make.actor(people.carol)
        hers = view(workspace, people.alice, "Hers", people={"carol": "see"})
        ours = view(workspace, people.bob, "Ours", everyone="see")
        set_default(hers, by=carol)
        set_default(ours, by=alice, for_everyone=True)
        assert opening(workspace, people.carol) == "Hers"

        share_view(hers, everyone="", people={}, by=alice)
        assert opening(workspace, people.carol) == "Ours"
        delete_view(ours, by=make.actor(people.bob))
        assert opening(workspace, people.carol) is None
        bring_back(ours, by=make.actor(people.bob))
        assert opening(workspace, people.carol) == "Ours"
        Membership.objects.filter(user=people.carol).delete()
        assert opening(workspace, people.carol) is None

    def test_a_default_of_the_workspace_ends_with_its_sharing(
        self, people: Any, workspace: Any
    ) -> None:
        alice, bob = make.actor(people.alice), make.actor(people.bob)
        ours = view(workspace, people.bob, everyone="edit")
        set_default(ours, by=alice, for_everyone=True)
        share_view(ours, everyone="see", people={}, by=bob)
        assert opening(workspace, people.carol) == "Best"

        share_view(ours, everyone="", people={"carol": "see"}, by=bob)

        assert opening(workspace, people.carol) is None
        assert not DefaultView.objects.exists()
        assert events(ours)[-1] == ("default", "bob", "runs", None)

    def test_only_owners_set_it_and_only_what_everyone_sees(
        self, people: Any, workspace: Any
    ) -> None:
        alice = make.actor(people.alice)
        ours, private = view(workspace, people.bob, everyone="see"), view(workspace, people.alice)
        for by in (people.bob, people.carol, people.dave):
            with pytest.raises(NotAllowed):
                set_default(ours, by=make.actor(by), for_everyone=True)
            with pytest.raises(NotAllowed):
                drop_default(workspace, "runs", None, by=make.actor(by), for_everyone=True)
        with pytest.raises(Invalid, match="Share the view"):
            set_default(private, by=alice, for_everyone=True)
        # As it is now, not as it was found.
        stale = CustomView.objects.get(pk=ours.pk)
        share_view(ours, everyone="", people={}, by=make.actor(people.bob))
        with pytest.raises(Invalid, match="Share the view"):
            set_default(stale, by=alice, for_everyone=True)
        delete_view(private, by=alice)
        with pytest.raises(Invalid, match="deleted meanwhile"):
            set_default(private, by=alice)
        assert not DefaultView.objects.exists()

    def test_both_views_remember_that_one_took_the_others_place(
        self, people: Any, workspace: Any
    ) -> None:
        alice = make.actor(people.alice)
        one, two = (view(workspace, people.bob, name, everyone="see") for name in "AB")

        for held in (one, two, two):
            set_default(held, by=alice, for_everyone=True)

        assert events(one)[2:] == [
            ("default", "alice", None, "runs"),
            ("default", "alice", "runs", None),
        ]
        assert events(two)[2:] == [("default", "alice", None, "runs")]
        assert opening(workspace, people.carol) == "B"

    def test_each_list_and_each_experiment_has_its_own(
        self, people: Any, workspace: Any, experiment: Any
    ) -> None:
        bob, other = make.actor(people.bob), make.experiment(workspace, "other")
        facts = {"place": "experiment", "experiment": experiment}
        held = view(workspace, people.bob, "E", **facts)
        set_default(held, by=bob)
        set_default(view(workspace, people.bob, "P", place="pipelines"), by=bob)

        assert opening(workspace, people.bob, "experiment", experiment) == "E"
        assert opening(workspace, people.bob, "experiment", other) is None
        assert opening(workspace, people.bob) is None
        assert opening(workspace, people.bob, "pipelines") == "P"
        experiment.delete()
        with pytest.raises(Invalid, match="experiment of this view is gone"):
            set_default(CustomView.objects.get(pk=held.pk), by=bob)


def test_the_last_use_is_kept_to_the_minute(people: Any, workspace: Any) -> None:
    held, erin = view(workspace, people.bob, everyone="see"), member(workspace, "erin")
    for who in (people.bob, erin, erin):
        note_use(held, by=make.actor(who))
    first = ViewUse.objects.get(user=erin)
    assert found(workspace, erin, held).used_at == first.at

    ViewUse.objects.filter(pk=first.pk).update(at=first.at - timedelta(hours=1))
    note_use(held, by=make.actor(erin))

    assert ViewUse.objects.get(user=erin).at >= first.at
    assert ViewUse.objects.count() == 2
