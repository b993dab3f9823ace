"""The tags of a run edited by two people: nobody's text is lost, and nothing clashes that need not.
The same form stands on the run's page and in the cell of a list."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from tests import make
from tests.web.pages import HTMX, read

PANEL, CELL = "tags", "row-tags"


def tags_of(run: Any) -> dict[str, str | None]:
    return dict(run.tags.values_list("key", "value"))


def fields(page: Any) -> dict[str, list[str]]:
    """What a press on Save sends of the editor on a page."""
    found: dict[str, list[str]] = {}
    for tag, own in page.elements:
        name, is_box = own.get("name", ""), own.get("type") == "checkbox"
        names = ("guarded", "add", "key", "was", "there", "rename", "value", "gone")
        if tag == "input" and name in names and (not is_box or "checked" in own):
            found.setdefault(name, []).append(own["value"])
    return found


def opened(client: Client, run: Any, what: str) -> dict[str, list[str]]:
    path = f"/w/lab/runs/{run.uid}" + ("" if what == PANEL else "/edit-tags")
    return fields(read(client.get(path)))


def send(client: Client, run: Any, what: str, form: Any, headers: Any = None) -> Any:
    return client.post(f"/w/lab/runs/{run.uid}/{what}", form, headers=headers or {})


@pytest.mark.parametrize("what", [PANEL, CELL])
@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    ("mine", "hers", "shown"),
    [
        ({"value": "mine"}, {"put": {"q": "hers"}}, ["old", "hers", "mine"]),
        ({"value": "mine"}, {"remove": ["q"]}, ["old", "no such tag", "mine"]),
        ({"gone": "q"}, {"put": {"q": "hers"}}, ["old", "hers", "no such tag"]),
        ({"rename": "r"}, {"put": {"q": "hers"}}, ["old", "hers", "no such tag"]),
    ],
)
def test_the_second_is_told_and_overwrites_or_takes_theirs(
    bob_client: Client,
    run: Any,
    people: Any,
    what: str,
    headers: Any,
    mine: Any,
    hers: Any,
    shown: Any,
) -> None:
    actions.change_tags(run, by=make.actor(people.bob), put={"q": "old"})
    form = opened(bob_client, run, what) | {k: [v] for k, v in mine.items()}
    actions.change_tags(run, by=make.actor(people.alice), **hers)
    stored = tags_of(run)

    answer = send(bob_client, run, what, form, headers)
    page = read(answer)
    assert answer.status_code == 409
    assert "alice changed “q” meanwhile" in page.text
    at = page.texts.index("Before")
    assert page.texts[at : at + 6] == ["Before", shown[0], "alice", shown[1], "You", shown[2]]
    assert tags_of(run) == stored

    again = fields(page)
    assert send(bob_client, run, what, again | {"theirs": ["q"]}).status_code == 303
    assert tags_of(run) == stored
    assert send(bob_client, run, what, again).status_code == 303
    wanted = {"value": {"q": "mine"}, "gone": {}, "rename": {"r": "old"}}
    assert tags_of(run) == wanted[next(iter(mine))]


@pytest.mark.parametrize("what", [PANEL, CELL])
def test_what_clashes_with_nobody_is_saved(
    bob_client: Client, run: Any, people: Any, what: str
) -> None:
    put = {"q": "old", "bare": None, "lines": "one\ntwo\n", "same": "1", "left": "1"}
    actions.change_tags(run, by=make.actor(people.bob), put=put)
    form = opened(bob_client, run, what)
    hers = {"left": "hers", "same": "2", "new": "hers"}
    actions.change_tags(run, by=make.actor(people.alice), put=hers)
    at = {key: n for n, key in enumerate(form["key"])}
    form["value"][at["q"]] = "mine"
    form["value"][at["same"]] = "2"
    # As a browser sends them.
    form["was"][at["lines"]] = "one\r\ntwo\r\n"
    form["value"][at["lines"]] = "onetwo"
    form["rename"][at["bare"]] = "other"

    assert send(bob_client, run, what, form).status_code == 303
    assert tags_of(run) == {
        **{"q": "mine", "other": None, "lines": "one\ntwo\n", "same": "2"},
        **{"left": "hers", "new": "hers"},
    }


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"add": ["new: mine"]}, 409, "alice changed “new” meanwhile"),
        ({"rename": ["b", "new"]}, 422, "“new” is there already, by alice"),
        ({"rename": ["b", "b"]}, 422, "“b” would be there twice"),
        ({"rename": ["a", " "]}, 422, "Type a key for “b”"),
        ({"rename": ["k" * 300, "b"]}, 422, "at most 255 fit"),
        ({"rename": ["b", "a"]}, 303, ""),
    ],
)
def test_a_key_is_renamed_unless_it_is_taken(
    bob_client: Client, run: Any, people: Any, change: Any, status: int, words: str
) -> None:
    actions.change_tags(run, by=make.actor(people.bob), put={"a": "1", "b": "2"})
    form = opened(bob_client, run, PANEL)
    actions.change_tags(run, by=make.actor(people.alice), put={"new": "hers"})
    answer = send(bob_client, run, PANEL, form | change)

    assert answer.status_code == status
    before = {"a": "1", "b": "2", "new": "hers"}
    if status == 303:
        assert tags_of(run) == {"a": "2", "b": "1", "new": "hers"}
    else:
        assert words in read(answer).text
        assert tags_of(run) == before
        if "rename" in change:
            typed = [one.strip() for one in change["rename"]]
            assert fields(read(answer))["rename"] == typed


def test_values_of_a_key_and_keys_are_offered(
    bob_client: Client, run: Any, experiment: Any
) -> None:
    make.run(experiment, tags={"quality": "great", "owner": "x"})
    headers = {**HTMX, "HX-Target": f"runs-edit_tag_choices-{run.uid}"}
    for asked, offered in (
        ({"of": "quality", "value": ""}, ["great"]),
        ({"of": "quality", "value": "x"}, []),
        ({"rename": "own"}, ["owner"]),
    ):
        page = read(bob_client.get(f"/w/lab/runs/{run.uid}/edit-tags", asked, headers=headers))
        assert [own["value"] for tag, own in page.elements if tag == "option"] == offered
