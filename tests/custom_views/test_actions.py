"""Making, saving, restoring, copying and deleting views: what is stored, and what is remembered."""

from typing import Any

import pytest

from studio.accounts.permissions import Actor, NotAllowed
from studio.custom_views import actions
from studio.custom_views.actions import (
    Draft,
    ViewConflict,
    bring_back,
    create_view,
    delete_view,
    duplicate_view,
    restore_version,
    save_view,
)
from studio.custom_views.models import CustomView, Place, ViewRevision
from studio.runs.limits import Invalid
from tests import make
from tests.custom_views.world import events, found, reading, running, view
from tests.rows import all_rows, changed_tables

pytestmark = [pytest.mark.data, pytest.mark.django_db]


def versions(of: Any) -> list[tuple[int, str, Any, str, int | None]]:
    own = ViewRevision.objects.filter(view=of).order_by("pk")
    return list(own.values_list("version", "name", "state", "actor", "restored"))


def content(name: str = "Best", q: str = "net", description: str = "") -> dict[str, Any]:
    return {"name": name, "description": description, "state": {"q": q}}


class TestMaking:
    def test_a_new_view_is_its_makers_own_and_private(self, people: Any, workspace: Any) -> None:
        made = view(workspace, people.bob, name="  Best   nets ", description=" a\r\nb ")

        stored = CustomView.objects.get()
        assert (stored.name, stored.description, stored.state) == (
            "Best nets",
            "a\nb",
            {"q": "net"},
        )
        assert (stored.owner, stored.owner_name, stored.everyone) == (people.bob, "bob", "")
        assert (stored.version, stored.changed_by, stored.place) == (1, "bob", Place.RUNS)
        assert made.address == f"best-nets-{made.uid}"
        assert versions(made) == [(1, "Best nets", {"q": "net"}, "bob", None)]
        assert events(made) == [("made", "bob", None, content("Best nets", description="a\nb"))]

    def test_who_can_not_have_views_is_told_why(self, people: Any, workspace: Any) -> None:
        before = all_rows()
        nobody = [make.actor(people.carol), make.actor(people.dave), reading(people.bob)]
        for by in (*nobody, running(people.bob), Actor.system("worker")):
            with pytest.raises(NotAllowed):
                create_view(workspace, Draft("Mine", {}), by=by)
        assert not changed_tables(before)

    @pytest.mark.parametrize(
        ("facts", "field"),
        [
            *(({"name": name}, "name") for name in ("", "  ", "\u200b", "a" * 101, "a\x00", 1)),
            ({"description": "a" * 2_001}, "description"),
            ({"description": None}, "description"),
            ({"state": {"x": "1"}}, "state"),
            ({"state": {"q": "status:"}}, "q"),
            ({"place": "nowhere"}, "place"),
            ({"place": ["runs"]}, "place"),
            ({"place": "experiment"}, "place"),
        ],
    )
    def test_what_can_be_no_view_is_refused_and_nothing_kept(
        self, people: Any, workspace: Any, facts: dict[str, Any], field: str
    ) -> None:
        before = all_rows()

        with pytest.raises(Invalid) as refused:
            view(workspace, people.bob, **facts)

        assert refused.value.field == field
        assert not changed_tables(before)

    def test_a_view_is_of_an_experiment_of_its_own_workspace(
        self, people: Any, workspace: Any, experiment: Any
    ) -> None:
        secret = make.workspace("secret", owner=people.dave)
        other = make.experiment(secret, "hidden", by=people.dave)
        facts = {"place": "experiment", "experiment": experiment}

        assert view(workspace, people.bob, **facts).experiment_name == "vision"
        for wrong in (facts | {"experiment": other}, facts | {"place": "runs"}):
            with pytest.raises(Invalid, match="experiment"):
                view(workspace, people.bob, "Another", **wrong)

    def test_there_is_an_end_to_views(
        self, people: Any, workspace: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(actions, "MAX_VIEWS", 2)
        one, _ = view(workspace, people.bob, "A"), view(workspace, people.bob, "B")
        with pytest.raises(Invalid, match="2 views"):
            view(workspace, people.bob, "C")
        delete_view(one, by=make.actor(people.bob))
        view(workspace, people.bob, "C")

        # Neither by the way round.
        with pytest.raises(Invalid, match="2 views"):
            bring_back(one, by=make.actor(people.bob))
        view(workspace, people.alice, "A")


class TestNames:
    @pytest.mark.parametrize("name", ["Best", "best", " BEST  "])
    def test_a_persons_views_have_different_names(
        self, people: Any, workspace: Any, name: str
    ) -> None:
        held, other = view(workspace, people.bob), view(workspace, people.bob, "Other")

        for attempt in (
            lambda: view(workspace, people.bob, name),
            lambda: duplicate_view(held, by=make.actor(people.bob), name=name),
            lambda: save_view(other, by=make.actor(people.bob), expected_version=1, name=name),
        ):
            with pytest.raises(Invalid, match="You have a view") as refused:
                attempt()
            assert refused.value.field == "name"
        assert versions(other) == [(1, "Other", {"q": "net"}, "bob", None)]

    def test_letter_case_counts_in_no_alphabet(self, people: Any, workspace: Any) -> None:
        view(workspace, people.bob, "Über Größe")

        with pytest.raises(Invalid, match="You have a view"):
            view(workspace, people.bob, "über GRÖSSE")

    def test_of_others_views_a_name_tells_nothing(self, people: Any, workspace: Any) -> None:
        """Alice keeps a private “Secret”; nobody who tries that name learns it."""
        view(workspace, people.alice, "Secret")
        shared = view(workspace, people.alice, everyone="edit")
        view(workspace, people.bob, "Secret")

        told = []
        for name in ("Secret", "Nothing"):
            with pytest.raises(NotAllowed) as refused:
                save_view(shared, by=make.actor(people.bob), expected_version=1, name=name)
            told.append(str(refused.value))
        assert told == ["Only alice can rename this view."] * 2

    def test_a_view_may_be_renamed_in_letter_case_only(self, people: Any, workspace: Any) -> None:
        held = view(workspace, people.bob)

        saved = save_view(held, by=make.actor(people.bob), expected_version=1, name="BEST")

        assert (saved.name, saved.version) == ("BEST", 2)

    def test_copies_find_a_free_name(self, people: Any, workspace: Any) -> None:
        bob = make.actor(people.bob)
        for name in ("Best", "ÜBER", "a" * 89 + " " + "b" * 10):
            held = view(workspace, people.bob, name)
            copies = [duplicate_view(held, by=bob).name for _ in range(3)]
            stem = name[:90].strip()
            assert copies == [f"{stem} copy", f"{stem} copy 2", f"{stem} copy 3"]
        view(workspace, people.bob, "über COPY 4")
        assert duplicate_view(CustomView.objects.get(name="ÜBER"), by=bob).name == "ÜBER copy 5"


class TestSaving:
    def test_each_save_is_a_version_and_an_event(self, people: Any, workspace: Any) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob)

        two = save_view(held, by=bob, expected_version=1, state={"q": "a"})
        save_view(two, by=bob, expected_version=2, name="Better", state={"q": "a"})
        save_view(held, by=bob, expected_version=None, description="why", state={"q": "b"})

        assert versions(held) == [
            (1, "Best", {"q": "net"}, "bob", None),
            (2, "Best", {"q": "a"}, "bob", None),
            (3, "Better", {"q": "a"}, "bob", None),
            (4, "Better", {"q": "b"}, "bob", None),
        ]
        assert events(held)[1:] == [
            ("saved", "bob", content(), content(q="a")),
            ("described", "bob", content(q="a"), content("Better", "a")),
            ("saved", "bob", content("Better", "a"), content("Better", "b", "why")),
        ]
        stored = CustomView.objects.get()
        assert (stored.version, stored.state) == (4, {"q": "b"})
        assert stored.changed_at == held.revisions.get(version=4).at > stored.created_at

    def test_nothing_new_makes_no_version(self, people: Any, workspace: Any) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob, description="a\nb")
        before = all_rows()

        same: dict[str, Any] = {
            "state": {"q": " net ", "size": "50"},
            "name": "Best ",
            "description": "a\r\nb\n",
        }
        assert save_view(held, by=bob, expected_version=1, **same).version == 1
        assert save_view(held, by=bob, expected_version=None).version == 1

        assert not changed_tables(before)

    def test_the_second_of_two_is_told_what_is_stored_now(
        self, people: Any, workspace: Any
    ) -> None:
        held = view(workspace, people.bob, people={"alice": "edit"})
        save_view(held, by=make.actor(people.alice), expected_version=1, state={"q": "hers"})
        before = all_rows()

        for expected in (1, 0, 3, -1):
            with pytest.raises(ViewConflict, match="alice saved version 2 of “Best”") as conflict:
                save_view(
                    held, by=make.actor(people.bob), expected_version=expected, state={"q": "his"}
                )
            assert conflict.value.view.state == {"q": "hers"}
            assert conflict.value.view.version == 2
        assert not changed_tables(before)

    def test_a_view_that_was_deleted_meanwhile_says_so(self, people: Any, workspace: Any) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob)
        delete_view(CustomView.objects.get(), by=bob)
        before = all_rows()

        for expected in (1, None):
            with pytest.raises(Invalid, match="“Best” was deleted meanwhile") as refused:
                save_view(held, by=bob, expected_version=expected, state={"q": "his"})
            assert refused.value.field == "view"
        with pytest.raises(Invalid, match="deleted meanwhile"):
            restore_version(held, 1, by=bob)
        assert not changed_tables(before)

    def test_what_was_shared_counts_as_it_is_now(self, people: Any, workspace: Any) -> None:
        from studio.custom_views.sharing import share_view

        held = view(workspace, people.alice, people={"bob": "edit"})
        opened = found(workspace, people.bob, held)
        share_view(held, everyone="", people={"bob": "see"}, by=make.actor(people.alice))

        with pytest.raises(NotAllowed, match="alice lets you see this view, not edit it"):
            save_view(opened, by=make.actor(people.bob), expected_version=1, state={})

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"state": {"q": "("}}, "q"),
            ({"state": [1]}, "state"),
            ({"name": ""}, "name"),
            ({"description": "a\x00"}, "description"),
        ],
    )
    def test_what_can_not_be_stored_is_refused(
        self, people: Any, workspace: Any, change: dict[str, Any], field: str
    ) -> None:
        held = view(workspace, people.bob)
        before = all_rows()

        with pytest.raises(Invalid) as refused:
            save_view(held, by=make.actor(people.bob), expected_version=1, **change)

        assert refused.value.field == field
        assert not changed_tables(before)


class TestRestoring:
    def test_an_earlier_version_becomes_the_newest(self, people: Any, workspace: Any) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob, description="why")
        save_view(held, by=bob, expected_version=1, state={}, name="Other", description="")

        back = restore_version(held, 1, by=bob)

        assert (back.version, back.name, back.description) == (3, "Best", "why")
        assert versions(held)[-1] == (3, "Best", {"q": "net"}, "bob", 1)
        kind, _, before, after = events(held)[-1]
        assert (kind, before["name"], after["name"]) == ("restored", "Other", "Best")
        assert restore_version(held, 3, by=bob).version == 3

    def test_a_name_that_was_given_away_stays_with_the_other(
        self, people: Any, workspace: Any
    ) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob)
        save_view(held, by=bob, expected_version=1, name="Other")
        view(workspace, people.bob, "best")

        with pytest.raises(Invalid, match="You have a view “Best”"):
            restore_version(held, 1, by=bob)

    def test_an_editor_brings_back_all_but_the_name(self, people: Any, workspace: Any) -> None:
        held = view(workspace, people.alice, people={"bob": "edit"})
        save_view(held, by=make.actor(people.alice), expected_version=1, name="Other", state={})

        back = restore_version(held, 1, by=make.actor(people.bob))

        assert (back.name, back.state, back.changed_by) == ("Other", {"q": "net"}, "bob")

    def test_a_version_that_would_not_be_accepted_any_more_comes_back_all_the_same(
        self, people: Any, workspace: Any
    ) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob)
        odd = {"q": "status:", "size": "7", "x": 1, "order": "name"}
        ViewRevision.objects.filter(view=held).update(state=odd)
        save_view(held, by=bob, expected_version=1, state={"q": "a"})

        assert restore_version(held, 1, by=bob).state == {"q": "status:", "order": "name"}

    @pytest.mark.parametrize("version", [0, -1, 2, 10**6])
    def test_a_version_there_is_not_can_not_come_back(
        self, people: Any, workspace: Any, version: int
    ) -> None:
        view(workspace, people.alice)
        with pytest.raises(Invalid, match=f"no version {version}"):
            restore_version(view(workspace, people.bob), version, by=make.actor(people.bob))


class TestCopying:
    def test_a_copy_is_ones_own_whoever_shared_the_view(
        self, people: Any, workspace: Any, experiment: Any
    ) -> None:
        facts = {"place": "experiment", "experiment": experiment, "description": "why"}
        shared = view(workspace, people.alice, everyone="see", **facts)

        copy = duplicate_view(shared, by=make.actor(people.bob))

        assert (copy.owner, copy.everyone, copy.name) == (people.bob, "", "Best copy")
        assert (copy.state, copy.description, copy.experiment) == (
            {"q": "net"},
            "why",
            experiment,
        )
        assert events(copy)[0][:2] == ("duplicated", "bob")

    def test_nobody_copies_what_they_can_not_see(self, people: Any, workspace: Any) -> None:
        private = view(workspace, people.alice)

        with pytest.raises(NotAllowed, match="no such view"):
            duplicate_view(private, by=make.actor(people.bob))

    def test_a_copy_leaves_out_what_nobody_can_read(self, people: Any, workspace: Any) -> None:
        held = view(workspace, people.bob)
        CustomView.objects.update(state={"q": "a", "x": 1, "size": None})
        held.refresh_from_db()

        assert duplicate_view(held, by=make.actor(people.bob)).state == {"q": "a"}


class TestDeleting:
    def test_a_deleted_view_is_gone_for_everybody_until_it_is_brought_back(
        self, people: Any, workspace: Any
    ) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob, everyone="edit")

        delete_view(held, by=bob)
        delete_view(held, by=bob)
        for who in (people.alice, people.bob, people.carol):
            assert found(workspace, who, held) is None
        bring_back(held, by=bob)
        bring_back(held, by=bob)

        assert found(workspace, people.carol, held).state == {"q": "net"}
        assert events(held)[2:] == [
            ("deleted", "bob", content(), None),
            ("brought back", "bob", None, content()),
        ]
        assert [one[0] for one in versions(held)] == [1]

    def test_its_name_may_be_taken_meanwhile(self, people: Any, workspace: Any) -> None:
        bob, held = make.actor(people.bob), view(workspace, people.bob, "Über")
        delete_view(held, by=bob)
        other = view(workspace, people.bob, "über")
        before = all_rows()

        with pytest.raises(Invalid, match="You have a view “Über” already") as refused:
            bring_back(held, by=bob)

        assert refused.value.field == "name"
        assert not changed_tables(before)
        delete_view(other, by=bob)
        assert bring_back(held, by=bob).deleted_at is None
