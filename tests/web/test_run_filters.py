"""Pills and the editor of filters: two faces of one query, usable without scripts."""

from itertools import cycle
from typing import Any

import pytest
from django.test import Client

from studio.search.pills import pills
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.search.tree import Node
from studio.web.run_filters_place import alternatives
from tests import make
from tests.rows import all_rows, changed_tables
from tests.search.cases import GOOD
from tests.web.forms import form_of, link_of, query_of
from tests.web.pages import HTMX, read

LIST, FILTER, PILL = "/w/lab/runs", "/w/lab/runs-filter", "/w/lab/runs-pill"
CONDITION = "runs-filter_condition"
FORMS = (CONDITION, "runs-filter_text")


def apply(client: Client, answer: Any, **typed: Any) -> Any:
    """Press Apply in whichever form the editor shows."""
    html = answer.content.decode()
    form = form_of(answer, next(one for one in FORMS if f'id="{one}"' in html))
    return client.get(form.action, form.sent(**typed))


# Adding


def test_a_filter_is_added_by_pages_alone(bob_client: Client, experiment: Any) -> None:
    make.run(experiment, tags={"quality": "fantastic run"})
    page = bob_client.get(LIST, {"q": "type:interactive", "size": "25"})

    fields = bob_client.get(read(page).href(id="runs-filter_button"))
    names = bob_client.get(link_of(fields, "Tag", part="field=tag"))
    form = bob_client.get(link_of(names, "quality"))
    assert "fantastic run" in read(form).text
    done = apply(bob_client, form, value="fantastic run")

    expected = {"q": 'type:interactive tag.quality:"fantastic run"', "size": "25"}
    assert query_of(done) == expected
    assert done["Location"].startswith(LIST + "?")


@pytest.mark.parametrize(
    ("field", "typed", "condition"),
    [
        ("status", {"value": ["Failed", "Canceled"]}, "status:Failed|Canceled"),
        ("status", {"op": "ne", "value": ["Failed"]}, "status!=Failed"),
        ("experiment", {"find": "vision"}, "experiment:vision"),
        ("submitter", {"op": "contains", "value": "bo"}, "submitter~bo"),
        ("target", {"op": "lacks"}, "-has:target"),
        ("type", {"value": ["script"]}, "type:script"),
        ("name", {"op": "starts", "value": "re s"}, 'name^="re s"'),
        ("description", {"op": "contains", "value": "adam"}, "description~adam"),
        ("submitted", {"op": "within", "value": "-7d"}, "submitted>-7d"),
        ("started", {"op": "within", "value": "today"}, "started:today"),
        ("ended", {"op": "range", "low_at": "2026-11-01T10:30"}, "ended:2026-11-01T10:30Z.."),
        ("ended", {"op": "ge", "value": "2026-11"}, "ended>=2026-11"),
        ("duration", {"low": "1h", "high": "2h30m"}, "duration:1h..2h30m"),
        ("children", {"op": "has"}, "has:children"),
        ("is", {"value": ["starred", "mine"]}, "is:starred|mine"),
    ],
)
def test_each_field_makes_its_condition(
    bob_client: Client, run: Any, field: str, typed: Any, condition: str
) -> None:
    form = bob_client.get(FILTER, {"field": field})

    assert query_of(apply(bob_client, form, **typed)) == {"q": condition}


@pytest.mark.parametrize(
    ("field", "typed", "condition"),
    [
        ("metric", {"low": "0.1", "high": "0.5"}, "metric.loss:0.1..0.5"),
        ("metric", {"stat": "min", "op": "lt", "value": "1e-3"}, "metric.loss:min<1e-3"),
        ("metric", {"stat": "max", "op": "has"}, "has:metric.loss"),
        ("param", {"op": "range", "high": "2"}, "param.loss:..2"),
        ("param", {"find": "adam"}, "param.loss:adam"),
        ("property", {"op": "has"}, "has:property.loss"),
        ("tag", {"op": "lacks"}, "-has:tag.loss"),
    ],
)
def test_each_named_field_makes_its_condition(
    bob_client: Client, run: Any, field: str, typed: Any, condition: str
) -> None:
    names = bob_client.get(FILTER, {"field": field})
    form = form_of(names, "runs-filter_names")
    condition_form = bob_client.get(form.action, form.sent("pick", find="loss"))

    assert query_of(apply(bob_client, condition_form, **typed)) == {"q": condition}


def test_starred_mine_archived_and_parents_are_one_click(bob_client: Client, run: Any) -> None:
    page = read(bob_client.get(FILTER, {"q": "resnet"}))
    ready = {own["href"] for _, own in page.elements if own.get("href", "").startswith(LIST + "?")}

    found = {href.partition("q=")[2] for href in ready}
    assert found >= {"resnet%20is:starred", "resnet%20is:mine", "resnet%20is:archived"}
    assert "resnet%20has:children" in found


def test_a_second_condition_on_a_key_stands_beside_the_first(bob_client: Client, run: Any) -> None:
    asked = {"q": "metric.loss>0.1", "field": "metric", "name": "loss", "apply": "1"}

    done = bob_client.get(FILTER, asked | {"op": "lt", "value": "0.3"})
    assert query_of(done)["q"] == "metric.loss>0.1 metric.loss<0.3"


def test_another_is_of_a_key_takes_the_place_of_the_first(bob_client: Client, run: Any) -> None:
    asked = {"q": "status:Failed -status:Queued", "field": "status", "op": "eq", "apply": "1"}

    done = bob_client.get(FILTER, asked | {"value": "Completed"})
    assert query_of(done)["q"] == "-status:Queued status:Completed"


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("metric", {"name": "loss", "op": "range", "low": "ab<c"}, "is not a number"),
        ("metric", {"name": "loss", "op": "range"}, "at least one end"),
        ("metric", {"op": "lt", "value": "3"}, "name is missing"),
        ("started", {"op": "lt", "value": "ab<c"}, "is not a time"),
        ("started", {"op": "range", "low_at": "ab<c"}, "is not a time"),
        ("started", {"op": "within", "value": "ab<c"}, "one of the periods"),
        ("duration", {"op": "gt", "value": "ab<c"}, "is not a duration"),
        ("status", {"op": "eq"}, "Tick at least one"),
        ("status", {"op": "eq", "value": "ab<c"}, "There is no status"),
        ("is", {"op": "eq", "value": "ab<c"}, "is: takes one of"),
        ("name", {"op": "contains"}, "A value is missing"),
        ("tag", {"name": "a\x00b", "op": "has"}, "cannot be stored"),
        ("name", {"op": "eq", "value": "x" * 4000}, "at most 4,000"),
    ],
)
def test_a_wrong_value_is_told_with_an_example_and_kept(
    bob_client: Client, run: Any, field: str, typed: Any, said: str
) -> None:
    asked = {"q": "resnet", "field": field, "apply": "1"} | typed
    for headers in ({}, HTMX):
        answer = bob_client.get(FILTER, asked, headers=headers)

        assert answer.status_code == 422
        page = read(answer)
        assert said in page.text
        assert "For example:" in page.text
        if "ab<c" in typed.values() and typed.get("op") != "within":
            kept = {own.get("value") for tag, own in page.elements if tag == "input"}
            assert "ab<c" in kept
    assert answer["HX-Retarget"] == "#runs-filter_panel"


def test_any_condition_can_be_written_as_text(bob_client: Client, run: Any) -> None:
    form = bob_client.get(FILTER, {"q": "resnet", "as": "text"})

    done = apply(bob_client, form, text="tag.a:1 OR -metric.loss<0.3")
    assert query_of(done)["q"] == "resnet (tag.a:1 OR -metric.loss<0.3)"
    wrong = apply(bob_client, form, text="tag.a:1 (")
    assert wrong.status_code == 422
    assert "never closed" in read(wrong).text
    assert dict(form_of(wrong, "runs-filter_text").fields)["text"] == "tag.a:1 ("


def test_values_and_names_come_from_all_data(bob_client: Client, experiment: Any) -> None:
    for i in range(60):
        make.run(experiment, tags={f"key{i:02}": "x", "n": f"value {i:02}"})

    names = read(bob_client.get(FILTER, {"field": "tag", "find": "Y5"}))
    assert "key59" in names.text
    assert "key49" not in names.text
    page = read(bob_client.get(FILTER, {"field": "tag", "name": "n", "find": "E 5"}))
    values = [own["value"] for _, own in page.elements if own.get("name") == "value"]
    assert values == [f"value {i}" for i in range(50, 60)] + ["E 5"]


@pytest.mark.parametrize(("typed", "name"), [("ual", "quality"), ("n", "n"), ("zz", "zz")])
def test_enter_takes_the_name_that_fits_best(
    bob_client: Client, experiment: Any, typed: str, name: str
) -> None:
    make.run(experiment, tags={"quality": "x", "n": "1", "nn": "1"})
    asked = {"field": "tag", "find": typed, "pick": "1"}

    assert ("name", name) in form_of(bob_client.get(FILTER, asked), CONDITION).fields


def test_searching_for_a_value_keeps_the_ticked_ones(bob_client: Client, experiment: Any) -> None:
    make.run(experiment, tags={"n": "one"})
    asked = {"field": "tag", "name": "n", "find": "on", "value": ["two", "three"]}

    ticked = form_of(bob_client.get(FILTER, asked), CONDITION).sent()["value"]
    assert ticked == ["two", "three"]


# Editing


def test_every_condition_comes_back_unchanged_from_its_form(bob_client: Client, run: Any) -> None:
    # By turns filters that are on and filters that are switched off.
    switched_off = cycle((False, True))
    for _, tree, _ in GOOD:
        query = print_query(tree)
        is_fine = bob_client.get(LIST, {"q": query}).status_code == 200
        for index, pill in enumerate(pills(parse(f"({query}) extra"))[:-1]):
            for place in places(index, pill):
                off = next(switched_off)
                _comes_back(bob_client, f"({query}) extra", place, off=off, is_fine=is_fine)


def places(index: int, pill: Node) -> list[dict[str, str]]:
    parts = alternatives(pill)
    if len(parts) == 1:
        return [{"pill": str(index)}]
    return [{"pill": str(index), "part": str(part)} for part in range(len(parts))]


def _comes_back(
    client: Client, query: str, place: dict[str, str], *, off: bool, is_fine: bool
) -> None:
    held = {"q": "", "off": query, "hollow": "1"} if off else {"q": query}
    address = FILTER if "part" in place else PILL
    done = apply(client, client.get(address, held | place))
    if is_fine or done.status_code == 302:
        assert query_of(done)["off" if off else "q"] == print_query(parse(query)), query
    else:
        assert done.status_code == 422


def test_a_pill_says_what_it_is_and_leads_to_its_editor(bob_client: Client, run: Any) -> None:
    page = read(bob_client.get(LIST, {"q": "-status:failed", "off": "tag.quality:bad"}))

    assert "not status: failed" in page.text
    assert "switched off: tag quality: bad" in page.text
    classes = [own["class"] for _, own in page.elements if own.get("class", "").startswith("pill ")]
    assert classes == ["pill negated", "pill off"]
    editor = read(bob_client.get(page.href(id="runs-pill_0")))
    assert "Runs that match this are excluded" in editor.text


@pytest.mark.parametrize(
    ("held", "words", "expected"),
    [
        ({"q": "status:Failed a"}, "Negate", {"q": "-status:Failed a"}),
        ({"q": "-status:Failed a"}, "Include", {"q": "status:Failed a"}),
        ({"q": "status:Failed a"}, "Switch off", {"q": "a", "off": "status:Failed"}),
        ({"q": "status:Failed a"}, "Remove", {"q": "a"}),
        ({"q": "a", "off": "b c"}, "Switch on", {"q": "a b", "off": "c"}),
        ({"q": "a", "off": "b c"}, "Negate", {"q": "a", "off": "-b c"}),
        ({"q": "a", "off": "b c"}, "Remove", {"q": "a", "off": "c"}),
    ],
)
def test_a_pill_is_turned_switched_and_removed(
    bob_client: Client, run: Any, held: Any, words: str, expected: Any
) -> None:
    hollow = {"hollow": "1"} if "off" in held else {}
    to = link_of(bob_client.get(PILL, held | hollow | {"pill": "0"}), words)

    assert dict(bob_client.get(to).wsgi_request.GET.items()) == expected


def test_an_edited_pill_stays_in_its_place(bob_client: Client, run: Any) -> None:
    form = bob_client.get(PILL, {"q": "status:Failed metric.loss<0.3 a", "pill": "1"})

    done = apply(bob_client, form, op="range", low="0.1", high="0.2")
    assert query_of(done)["q"] == "status:Failed metric.loss:0.1..0.2 a"


def test_an_alternative_makes_a_group_whose_parts_are_edited(bob_client: Client, run: Any) -> None:
    editor = bob_client.get(PILL, {"q": "status:Failed a", "pill": "0"})
    fields = bob_client.get(link_of(editor, "Or …"))
    form = bob_client.get(link_of(fields, "Duration"))
    grouped = query_of(apply(bob_client, form, op="gt", value="1h"))
    assert grouped["q"] == "(status:Failed OR duration>1h) a"

    page = bob_client.get(LIST, grouped)
    assert "status: Failed or duration > 1h" in read(page).text
    group = bob_client.get(read(page).href(id="runs-pill_0"))
    part = bob_client.get(link_of(group, "duration > 1h"))
    assert query_of(apply(bob_client, part, value="2h"))["q"] == "(status:Failed OR duration>2h) a"
    without = read(group).href(**{"aria-label": "Remove alternative duration > 1h"})
    assert bob_client.get(without).wsgi_request.GET["q"] == "status:Failed a"


def test_a_negated_group_stays_negated_when_a_part_changes(bob_client: Client, run: Any) -> None:
    asked = {"q": "-(a OR status:Failed)", "pill": "0", "part": "1"}

    done = apply(bob_client, bob_client.get(FILTER, asked), value="Canceled")
    assert query_of(done)["q"] == "-(a OR status:Canceled)"
    whole = bob_client.get(PILL, {"q": asked["q"], "pill": "0"})
    assert "None of these" in read(whole).text


def test_an_emptied_text_removes_its_pill(bob_client: Client, run: Any) -> None:
    form = bob_client.get(PILL, {"q": "resnet a", "pill": "0"})

    assert query_of(apply(bob_client, form, text=" ")) == {"q": "a"}


@pytest.mark.parametrize(
    "asked",
    [
        {"q": "a", "pill": "1"},
        {"q": "a", "pill": "-1"},
        {"q": "a", "pill": "x"},
        {"q": "a", "pill": "9" * 30},
        {"q": "a", "pill": ""},
        {"q": "a", "pill": "0", "part": "3"},
        {"q": "a", "part": "0"},
        {"q": "(", "pill": "0"},
        {"q": "a", "off": "(", "pill": "0", "hollow": "1"},
    ],
)
def test_a_pill_that_is_not_there_is_not_found(
    bob_client: Client, run: Any, asked: dict[str, str]
) -> None:
    assert bob_client.get(PILL, asked).status_code == 404


def test_a_value_that_cannot_be_is_put_right_in_its_pill(bob_client: Client, run: Any) -> None:
    page = read(bob_client.get(LIST, {"q": "duration>soon a"}))
    form = bob_client.get(page.href(id="runs-pill_0"))

    assert query_of(apply(bob_client, form, value="1h"))["q"] == "duration>1h a"


def test_a_filter_added_to_an_unreadable_query_replaces_it(bob_client: Client, run: Any) -> None:
    form = bob_client.get(FILTER, {"q": "(((", "field": "status"})

    assert query_of(apply(bob_client, form, value="Failed"))["q"] == "status:Failed"


def test_a_query_of_the_greatest_length_still_has_its_pills(bob_client: Client, run: Any) -> None:
    longest = "x" * 4000

    assert bob_client.get(LIST, {"q": longest}).status_code == 200
    assert bob_client.get(LIST, {"off": longest}).status_code == 200
    assert bob_client.get(FILTER, {"q": longest}).status_code == 200
    assert bob_client.get(PILL, {"off": longest, "pill": "0", "hollow": "1"}).status_code == 200


def test_the_editor_stays_with_its_list(bob_client: Client, experiment: Any, run: Any) -> None:
    for base in (f"/w/lab/experiments/{experiment.name}", "/w/lab/pipelines"):
        page = read(bob_client.get(base, {"q": "a", "order": "name"}))
        fields = bob_client.get(page.href(id="runs-filter_button"))
        form = bob_client.get(link_of(fields, "Status", part="field=status"))
        done = apply(bob_client, form, value="Failed")
        assert done["Location"] == f"{base}?q=a%20status:Failed&order=name"


def test_hostile_names_and_values_are_shown_as_they_are(
    bob_client: Client, experiment: Any
) -> None:
    key, value = '<script>"x"</script>', "\"><img src=x onerror='a()'>"
    make.run(experiment, tags={key: value})
    query = print_query(parse('tag."<script>\\"x\\"</script>":"\\"><img src=x onerror=\'a()\'>"'))

    pages = [
        bob_client.get(LIST, {"q": query}),
        bob_client.get(LIST, {"q": f"{query} a", "off": query, "explain": "1"}),
        bob_client.get(PILL, {"q": query, "pill": "0"}),
        bob_client.get(PILL, {"q": f"({query} OR a) b", "pill": "0"}),
        bob_client.get(FILTER, {"field": "tag", "find": key}),
        bob_client.get(FILTER, {"field": "tag", "name": key, "find": value}),
        bob_client.get(FILTER, {"as": "text", "text": query, "apply": "1", "q": "x" * 3990}),
    ]
    for page in pages:
        html = page.content.decode()
        assert "<script>&" not in html
        assert '<script>"' not in html
        assert "<img src=x" not in html
    assert key in read(pages[4]).text
    assert value in read(pages[5]).text


def test_looking_at_filters_writes_nothing(bob_client: Client, run: Any) -> None:
    before = all_rows()
    asked = {"q": "status:failed (a OR b)", "off": "c"}

    for address in (FILTER, PILL, "/w/lab/runs-explain"):
        for extra in ({}, {"pill": "0"}, {"pill": "1"}, {"field": "status", "apply": "1"}):
            bob_client.get(address, asked | extra)
    assert not changed_tables(before)
