"""GET and PATCH …/runs/{uid}, tags, properties, parameters, star, events."""

import pytest

from studio.runs.models import Run, Star
from tests import make


@pytest.fixture
def send(api, run):
    return lambda path, body: api.post(f"/runs/{run.uid}/{path}", body)


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


class TestEditing:
    def test_name_and_description_change_together(self, api, run):
        body = {"display_name": "New", "description": "*hi*", "description_version": 0}
        changed = api.patch(f"/runs/{run.uid}", body).json()
        assert (changed["display_name"], changed["description"]) == ("New", "*hi*")
        assert changed["description_version"] == 1

    def test_a_stale_description_is_refused_with_what_is_stored(self, api, run):
        api.patch(f"/runs/{run.uid}", {"description": "first"})
        body = {"description": "mine", "description_version": 0, "display_name": "New"}
        answer = api.patch(f"/runs/{run.uid}", body)
        assert error(answer) == (409, "conflict")
        assert answer.json()["error"]["current"] == {"version": 1, "text": "first"}
        assert Run.objects.get(pk=run.pk).display_name == run.display_name

    def test_an_invisible_name_is_refused(self, api, run):
        answer = api.patch(f"/runs/{run.uid}", {"display_name": "\u200b "})
        assert error(answer) == (422, "invalid")


class TestTags:
    def test_tags_are_set_and_removed_in_one_go(self, send):
        send("tags", {"set": {"a": "1", "b": None}})
        changed = send("tags", {"set": {"c": "3"}, "remove": ["a", "unknown"]}).json()
        assert changed["tags"] == {"b": None, "c": "3"}

    def test_the_same_change_again_changes_nothing(self, send, run):
        for _ in range(2):
            send("tags", {"set": {"a": "1"}})
        assert run.events.filter(kind="tags").count() == 1


class TestProperties:
    def test_a_property_is_written_once(self, send):
        assert send("properties", {"set": {"a": "1"}}).json()["properties"] == {"a": "1"}
        assert send("properties", {"set": {"a": "1"}}).status_code == 200

    def test_another_value_is_refused_and_nothing_of_the_call_is_kept(self, send, run):
        send("properties", {"set": {"a": "1"}})
        answer = send("properties", {"set": {"b": "2", "a": "3"}})
        assert error(answer) == (409, "property_conflict")
        facts = answer.json()["error"]
        assert (facts["key"], facts["value"], facts["existing"]) == ("a", "3", "1")
        assert dict(run.properties.values_list("key", "value")) == {"a": "1"}


def test_a_parameter_takes_its_newest_value(send):
    send("parameters", {"set": {"lr": 0.1, "name": "x"}})
    assert send("parameters", {"set": {"lr": 0.2}}).json()["parameters"]["lr"] == "0.2"


class TestStar:
    def test_a_star_is_each_persons_own(self, send, api, run, people, workspace):
        assert send("star", {"starred": True}).json()["starred"] is True
        carol = make.Api(people.carol, workspace)
        assert carol.get(f"/runs/{run.uid}").json()["starred"] is False

    def test_starring_twice_is_one_star(self, send):
        for _ in range(2):
            send("star", {"starred": True})
        assert Star.objects.count() == 1
        assert send("star", {"starred": False}).json()["starred"] is False

    @pytest.mark.parametrize("body", [{}, {"starred": 1}, {"starred": True, "x": 1}, [True]])
    def test_anything_but_true_or_false_is_refused(self, body, send):
        assert error(send("star", body)) == (422, "invalid")


class TestEvents:
    def test_the_history_tells_who_changed_what_oldest_first(self, send, api, run):
        send("tags", {"set": {"a": "1"}})
        send("complete", {})
        items = api.get(f"/runs/{run.uid}/events").json()["items"]
        assert [item["kind"] for item in items] == ["status", "tags", "status"]
        assert (items[1]["before"], items[1]["after"]) == ({}, {"a": "1"})
        assert {item["actor"] for item in items} == {"bob"}

    def test_pages_together_are_the_history(self, send, api, run):
        for i in range(5):
            send("tags", {"set": {"a": str(i)}})
        first = api.get(f"/runs/{run.uid}/events?limit=4").json()
        rest = api.get(f"/runs/{run.uid}/events?limit=4&cursor={first['next']}").json()
        assert (len(first["items"]), len(rest["items"]), rest["next"]) == (4, 2, None)


def test_reading_one_run_takes_a_fixed_number_of_queries(api, run, count_queries):
    few = count_queries(lambda: api.get(f"/runs/{run.uid}"))
    for i in range(10):
        make.run(run.experiment, parent=run, tags={"a": str(i)})
    assert count_queries(lambda: api.get(f"/runs/{run.uid}")) == few <= 5
