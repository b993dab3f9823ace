"""Custom views as YAML: written, read, taken in."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.accounts.permissions import Actor, NotAllowed
from studio.custom_views import actions, as_code, sharing
from studio.custom_views.actions import Draft
from studio.custom_views.entries import Entry, document, read_entries
from studio.custom_views.models import CustomView, Place, ViewEvent, ViewRevision
from studio.runs.limits import Invalid
from tests import make
from tests.rows import all_rows, changed_tables

pytestmark = pytest.mark.data
BASE = "version: 1\nviews:\n- name: Failures\n  list: runs\n  state:\n    q: status:failed\n"


def view(people: Any, workspace: Any, name: str = "Failures", **facts: Any) -> CustomView:
    facts.setdefault("state", {"q": "status:failed"})
    return actions.create_view(workspace, Draft(name, **facts), by=Actor.of_user(people.bob))


def exported(workspace: Any, person: Any) -> str:
    own = CustomView.objects.of(workspace).filter(owner=person)
    return as_code.export_views(workspace, own, by=Actor.of_user(person))


def imported(workspace: Any, text: str, person: Any, **how: Any) -> list[as_code.ViewReport]:
    return as_code.import_views(workspace, text, by=Actor.of_user(person), **how)


def results(reports: list[as_code.ViewReport]) -> list[tuple[str, str]]:
    return [(report.name, report.result) for report in reports]


class TestExport:
    def test_it_is_ordered_complete_and_leaves_out_what_is_empty(
        self, people: Any, experiment: Any
    ) -> None:
        room = experiment.workspace
        state = {"size": "100", "columns": "name,tag.a", "q": "cat", "pins": "2", "off": "dog"}
        shared = view(people, room, "zebra", state=state, description="One\n\ntwo: *lines*")
        people_may = {"carol": "see", "alice": "edit"}
        sharing.share_view(shared, everyone="see", people=people_may, by=Actor.of_user(people.bob))
        view(people, room, "Älter", state={}, place=Place.EXPERIMENT, experiment=experiment)
        view(people, room, "apple: 1", place=Place.PIPELINES)

        assert exported(room, people.bob) == (
            "version: 1\n"
            "views:\n"
            "- name: 'apple: 1'\n"
            "  list: pipelines\n"
            "  state:\n"
            "    q: status:failed\n"
            "- name: zebra\n"
            "  description: |-\n"
            "    One\n"
            "\n"
            "    two: *lines*\n"
            "  list: runs\n"
            "  state:\n"
            "    q: cat\n"
            "    'off': dog\n"
            "    columns: name,tag.a\n"
            "    pins: '2'\n"
            "    size: '100'\n"
            "  shared:\n"
            "    everyone: see\n"
            "    people:\n"
            "      alice: edit\n"
            "      carol: see\n"
            "- name: Älter\n"
            "  list: experiment\n"
            "  experiment: vision\n"
        )

    def test_nothing_is_an_empty_list(self, people: Any, workspace: Any) -> None:
        text = exported(workspace, people.bob)

        assert text == "version: 1\nviews: []\n"
        assert read_entries(text) == []

    def test_who_may_only_see_a_view_is_not_told_whom_it_is_shared_with(
        self, people: Any, workspace: Any
    ) -> None:
        made = view(people, workspace)
        sharing.share_view(
            made, everyone="see", people={"alice": "edit"}, by=Actor.of_user(people.bob)
        )
        every = CustomView.objects.of(workspace)

        told = {
            person.username: as_code.export_views(workspace, every, by=Actor.of_user(person))
            for person in (people.alice, people.bob, people.carol)
        }

        assert "alice: edit" in told["bob"]
        assert "alice: edit" in told["alice"], "an owner of the workspace looks after it"
        assert "alice" not in told["carol"]
        assert "everyone: see" in told["carol"]

    def test_it_takes_the_same_queries_for_one_and_for_many(
        self, people: Any, workspace: Any
    ) -> None:
        counts = []
        for n in (1, 4):
            for i in range(n):
                made = view(people, workspace, f"view {n} {i}")
                sharing.share_view(
                    made, everyone="", people={"carol": "see"}, by=Actor.of_user(people.bob)
                )
            with CaptureQueriesContext(connection) as caught:
                exported(workspace, people.bob)
            counts.append(len(caught))
        assert counts[0] == counts[1] <= 4


class TestImport:
    def test_a_new_name_is_created_the_same_stays_another_is_a_version(
        self, people: Any, workspace: Any
    ) -> None:
        text = f"{BASE}- name: Best\n  description: the lowest\n  state: {{order: metric.loss}}\n"
        first = imported(workspace, text, people.bob)
        again = imported(workspace, text, people.bob)
        changed = imported(workspace, text.replace("failed", "canceled"), people.bob)

        assert results(first) == [("Failures", "created"), ("Best", "created")]
        assert results(again) == [("Failures", "unchanged"), ("Best", "unchanged")]
        assert results(changed) == [("Failures", "changed"), ("Best", "unchanged")]
        assert changed[0].changes == "+1 filter, −1 filter"
        assert (changed[0].uid, changed[0].version) == (first[0].uid, 2)
        stored = CustomView.objects.get(uid=first[0].uid)
        assert (stored.state, stored.owner) == ({"q": "status:canceled"}, people.bob)
        assert ViewRevision.objects.filter(view=stored).count() == 2
        kinds = ViewEvent.objects.filter(view=stored).order_by("pk").values_list("kind", flat=True)
        assert list(kinds) == ["imported", "saved"]

    def test_a_description_and_the_case_of_a_name_are_changes(
        self, people: Any, workspace: Any
    ) -> None:
        made = view(people, workspace, "Über")
        text = document([Entry("über", "new", state=made.state)])

        (report,) = imported(workspace, text, people.bob)

        assert (report.result, report.changes, report.uid) == (
            *("changed", "name, description"),
            made.uid,
        )

    def test_a_dry_run_tells_the_same_and_changes_nothing(
        self, people: Any, workspace: Any
    ) -> None:
        view(people, workspace)
        text = BASE.replace("failed", "running") + (
            "- name: New\n  shared: {everyone: see}\n- name: Wrong\n  state: {q: '('}\n"
        )
        before = all_rows()

        dry = imported(workspace, text, people.bob, dry_run=True, share=True)
        assert not changed_tables(before)
        real = imported(workspace, text, people.bob, share=True)

        assert results(dry) == results(real)
        assert [one.result for one in real] == ["changed", "created", "refused"]
        assert [(one.changes, one.reason) for one in dry] == [
            (one.changes, one.reason) for one in real
        ]
        assert (dry[1].uid, len(real[1].uid)) == ("", 10)

    def test_what_can_not_be_is_refused_and_the_rest_is_taken(
        self, people: Any, experiment: Any
    ) -> None:
        room = experiment.workspace
        view(people, room, "Pipes", place=Place.PIPELINES)
        text = BASE + (
            "- name: Broken\n  state: {q: 'status:('}\n"
            "- name: failures\n  state: {q: cat}\n"
            "- name: Elsewhere\n  list: experiment\n  experiment: nothing\n"
            "- name: Pipes\n  list: runs\n"
            f"- name: {'x' * 101}\n"
            "- name: In it\n  list: experiment\n  experiment: vision\n"
        )

        found = {one.name: one for one in imported(room, text, people.bob)}

        taken = {name for name, one in found.items() if one.result == "created"}
        assert taken == {"Failures", "In it"}
        reasons = {name: one.reason for name, one in found.items() if one.result == "refused"}
        assert reasons.keys() == {"Broken", "failures", "Elsewhere", "Pipes", "x" * 100}
        assert "Correct would be" in reasons["Broken"]
        assert "twice" in reasons["failures"]
        assert "no experiment “nothing”" in reasons["Elsewhere"]
        assert "of another list" in reasons["Pipes"]
        assert "at most 100 fit" in reasons["x" * 100]

    def test_only_own_views_are_meant(self, people: Any, workspace: Any) -> None:
        made = view(people, workspace)
        sharing.share_view(made, everyone="edit", people={}, by=Actor.of_user(people.bob))

        (report,) = imported(workspace, BASE.replace("failed", "running"), people.alice)

        assert report.result == "created"
        made.refresh_from_db()
        assert made.state == {"q": "status:failed"}

    def test_names_that_the_workspace_lacks_are_told(self, people: Any, experiment: Any) -> None:
        state = {"q": "experiment:visoin", "columns": "metric.loss,name"}
        text = document([Entry("A", state=state), Entry("B", state={"q": "experiment:vision"})])

        first, second = imported(experiment.workspace, text, people.bob, dry_run=True)

        assert [str(one) for one in first.unknown] == [
            "experiment “visoin”",
            "metric “loss”",
        ]
        assert (first.result, second.unknown) == ("created", ())

    def test_a_view_of_an_experiment_that_is_gone_stays_as_it_is(
        self, people: Any, experiment: Any
    ) -> None:
        view(people, experiment.workspace, place=Place.EXPERIMENT, experiment=experiment)
        experiment.delete()
        text = exported(experiment.workspace, people.bob)

        assert "experiment: vision" in text
        assert results(imported(experiment.workspace, text, people.bob)) == [
            ("Failures", "unchanged")
        ]

    @pytest.mark.parametrize("who", ["carol", "dave"])
    def test_who_can_have_no_views_is_refused(self, who: str, people: Any, workspace: Any) -> None:
        with pytest.raises(NotAllowed):
            imported(workspace, BASE, getattr(people, who))


class TestSharing:
    TEXT = BASE + "  shared:\n    everyone: see\n    people:\n      carol: edit\n"

    def test_it_is_left_alone_unless_asked_for(self, people: Any, workspace: Any) -> None:
        imported(workspace, self.TEXT, people.bob)
        (made,) = CustomView.objects.of(workspace)
        assert sharing.sharing_of(made) == {"everyone": "", "people": {}}

        (report,) = imported(workspace, self.TEXT, people.bob, share=True)

        assert (report.result, report.changes, report.version) == ("changed", "sharing", 1)
        made.refresh_from_db()
        assert sharing.sharing_of(made) == {"everyone": "see", "people": {"carol": "edit"}}
        assert results(imported(workspace, self.TEXT, people.bob, share=True)) == [
            ("Failures", "unchanged")
        ]
        imported(workspace, BASE, people.bob, share=True)
        made.refresh_from_db()
        assert sharing.sharing_of(made) == {"everyone": "", "people": {}}

    @pytest.mark.parametrize("name", ["dave", "nobody", "bob"])
    def test_a_view_that_can_not_be_shared_so_is_not_taken_at_all(
        self, name: str, people: Any, workspace: Any
    ) -> None:
        text = self.TEXT.replace("carol", name)

        (report,) = imported(workspace, text, people.bob, share=True)

        assert (report.result, name in report.reason) == ("refused", True)
        assert not CustomView.objects.exists()


WRONG = {
    "- a": ("document", "must be a mapping"),
    "views: []": ("version", "version: 1"),
    "version: 2\nviews: []": ("version", "reads version 1"),
    "version: 1\nview: []": (
        "view",
        "The document: there is no “view”. There are: version, views.",
    ),
    "version: 1\nviews: {a: b}": ("views", "must be a list"),
    "version: 1\nviews: [a]": ("views[0]", "View 1 must be a mapping"),
    "version: 1\nviews: [{name: a}, {list: runs}]": ("views[1].name", "View 2 has no name"),
    "version: 1\nviews: [{name: [a]}]": ("views[0].name", "has no name"),
    BASE + "  colour: red": ("views[0].colour", "View 1, “Failures”: there is no “colour”. There"),
    BASE + "    view: x": ("views[0].state.view", "“state”: there is no “view”. There are: charts"),
    BASE + "    columns: [name]": ("views[0].state.columns", "“columns” must be a text"),
    BASE + "  description: {a: b}": ("views[0].description", "must be a text"),
    BASE + "  shared: everyone": ("views[0].shared", "must be a mapping"),
    BASE + "  shared: {all: see}": ("views[0].shared.all", "There are: everyone, people"),
    BASE + "  shared: {everyone: own}": ("views[0].shared", "There are: see, edit"),
    BASE + "  shared: {people: {carol: }}": ("views[0].shared", "can't be granted"),
    BASE + "  experiment: a": ("views[0].experiment", "goes together"),
    BASE.replace("runs", "experiment"): ("views[0].experiment", "goes together"),
    BASE.replace("runs", "jobs"): ("views[0].list", "There are: runs, experiment, pipelines"),
    "version: 1\nviews:\n" + "- name: a\n" * 1001: ("views", "1,001 views; at most 1,000"),
}


@pytest.mark.any_database
@pytest.mark.parametrize("text", WRONG, ids=[told[:40] for _, told in WRONG.values()])
def test_a_document_that_is_none_is_refused_as_a_whole(
    text: str, people: Any, workspace: Any
) -> None:
    field, told = WRONG[text]
    before = all_rows()

    with pytest.raises(Invalid) as refused:
        imported(workspace, text, people.bob)

    assert (refused.value.field, told in str(refused.value)) == (field, True), refused.value
    assert not changed_tables(before)


NAMES = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=9
)
STATES = st.fixed_dictionaries(
    {},
    optional={
        "q": st.sampled_from(["status:failed", 'tag."a, b":x', "cat -dog", "#x: {y}", "'"]),
        "columns": st.sampled_from(["name", "metric.loss:min,tag.é", 'param."a,b"']),
        "order": st.sampled_from(["-submitted,name", "metric.loss"]),
        "group": st.just("experiment,tag.a"),
        "charts": st.just("kind=line&y=metric.a;kind=bar&y=param.lr&title=a%3Bb"),
        "mine": st.just("1"),
        "pins": st.sampled_from(["0", "3"]),
        "size": st.just("200"),
        "chosen": st.just("0" * 32),
        "children": st.sampled_from(["tree", "flat"]),
    },
)
ENTRIES = st.builds(
    Entry,
    name=NAMES,
    description=st.sampled_from(["", "yes", "a\n b\n\n#c", "- x: 'y' \n", "\u2028", "~"]),
    place=st.sampled_from(["runs", "pipelines"]),
    state=STATES,
    everyone=st.sampled_from(["", "see", "edit"]),
    people=st.dictionaries(st.just("carol"), st.sampled_from(["see", "edit"])),
) | st.builds(
    Entry, name=NAMES, place=st.just("experiment"), experiment=st.just("vision"), state=STATES
)


@given(entries=st.lists(ENTRIES, max_size=4))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_taken_into_another_workspace_is_written_the_same(
    entries: list[Entry], people: Any, experiment: Any
) -> None:
    here = experiment.workspace
    there = make.workspace(f"there{CustomView.objects.count()}", owner=people.alice)
    there.memberships.create(user=people.bob, role="contributor")
    there.memberships.create(user=people.carol, role="reader")
    make.experiment(there, "vision", by=people.bob)
    imported(here, document(entries), people.bob, share=True)
    first = exported(here, people.bob)

    imported(there, first, people.bob, share=True)

    assert exported(there, people.bob) == first
    assert {one.result for one in imported(here, first, people.bob, share=True)} <= {"unchanged"}
    assert document(read_entries(first)) == first
    CustomView.objects.all().delete()
    there.delete()
