"""POST …/experiments/{name}/tags."""

import pytest

pytestmark = pytest.mark.data


def test_tags_merge_are_told_everywhere_and_have_a_history(api, experiment):
    path = f"/experiments/{experiment.name}"
    api.post(f"{path}/tags", {"set": {"team": "vision", "worth another look": None}})
    answer = api.post(f"{path}/tags", {"set": {"team": "speech"}, "remove": ["unknown"]})
    expected = {"team": "speech", "worth another look": None}
    assert answer.json()["tags"] == api.get(path).json()["tags"] == expected
    assert api.get("/experiments").json()["items"][0]["tags"] == expected
    api.post(f"{path}/tags", {"remove": ["team", "worth another look"]})
    assert api.get(path).json()["tags"] == {}
    events = [e for e in api.get(f"{path}/events").json()["items"] if e["kind"] == "tags"]
    assert [event["after"] for event in events][1:] == [expected, {}]
    assert events[0]["before"] == {}
    assert {event["actor"] for event in events} == {"bob"}


@pytest.mark.parametrize(
    "body",
    [{"set": {"": "x"}}, {"set": {"k": "v" * 100_000}}, {"set": ["team"]}, {"seen": {"team": "x"}}],
)
def test_what_cannot_be_a_tag_is_refused_and_changes_nothing(api, experiment, body):
    path = f"/experiments/{experiment.name}"
    assert api.post(f"{path}/tags", body).status_code == 422
    assert api.get(path).json()["tags"] == {}
