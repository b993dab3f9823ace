"""GET …/runs/{uid}/metrics/values: what `run.get_metrics()` reads."""

import json
import uuid

import pytest

pytestmark = pytest.mark.data


def series(name, *values, kind="scalar"):
    return {"name": name, "kind": kind, "times": [1.7e9] * len(values), "values": list(values)}


@pytest.fixture
def send(api):
    def post(uid, *metrics):
        body = {"batch": str(uuid.uuid4()), "metrics": list(metrics)}
        assert api.post(f"/runs/{uid}/batches", body).status_code == 200

    return post


@pytest.fixture
def read(api):
    def pages(uid, **query):
        cursor = ""
        while cursor is not None:
            answer = api.get(f"/runs/{uid}/metrics/values", cursor=cursor, **query).json()
            yield answer["items"]
            cursor = answer["next"]

    return pages


@pytest.fixture
def family(api, run):
    """A child and a grandchild of the run, which is not the root of everything."""
    uids = [run.uid]
    for uid in ("child", "grandchild"):
        body = {"uid": uid, "experiment": "vision", "parent": uids[-1], "start": True}
        assert api.post("/runs", body).status_code == 201
        uids.append(uid)
    return uids


def test_every_kind_comes_in_one_answer_without_the_samples_of_machines(
    send, read, api, run, django_assert_max_num_queries
):
    rows = [{"x": 1, "y": "a"}, {"x": 2}]
    send(run.uid, series("loss", 0.5, "NaN"), series("rows", *rows, kind="table"))
    send(run.uid, series("system/host/cpu_percent", 3.0), series("note", "hi", kind="text"))
    with django_assert_max_num_queries(5):
        (items,) = read(run.uid)
    assert [(i["run"], i["name"], i["kind"], i["values"]) for i in items] == [
        (run.uid, "loss", "scalar", [0.5, "NaN"]),
        (run.uid, "rows", "table", rows),
        (run.uid, "note", "text", ["hi"]),
    ]
    ((sample,),) = read(run.uid, name="system/host/cpu_percent")
    assert sample["values"] == [3.0]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_of_any_size_give_every_value_once_and_in_order(send, read, run, limit):
    send(run.uid, series("a", 1, 2, 3), series("b", 4), series("c", 5, 6))
    found = {}
    for items in read(run.uid, limit=limit):
        assert sum(len(item["values"]) for item in items) <= limit
        for item in items:
            found.setdefault(item["name"], []).extend(item["values"])
    assert found == {"a": [1, 2, 3], "b": [4], "c": [5, 6]}


def test_pages_have_a_size_and_give_every_value_once(send, read, run, monkeypatch):
    monkeypatch.setattr("studio.api.metric_values.MAX_BYTES", 1_000)
    texts, numbers = [f"{n}" * 300 for n in range(8)], list(range(100))
    send(run.uid, series("a", *texts, kind="text"), series("b", *numbers))
    send(run.uid, series("c", "x" * 5_000, "y", kind="text"))
    pages = list(read(run.uid))
    found = {}
    for items in pages:
        sent = len(json.dumps([item["values"] for item in items]))
        assert sent < 1_100 or [item["values"] for item in items] == [["x" * 5_000]]
        for item in items:
            found.setdefault(item["name"], []).extend(item["values"])
    assert found == {"a": texts, "b": numbers, "c": ["x" * 5_000, "y"]}
    assert len(pages) >= 7


def test_a_tree_holds_the_run_and_all_below_it(send, read, family):
    for number, uid in enumerate(family):
        send(uid, series("loss", number))
    for begin, expected in (
        (family[0], {family[0]: [0], "child": [1], "grandchild": [2]}),
        ("child", {"child": [1], "grandchild": [2]}),
    ):
        (items,) = read(begin, tree=True)
        assert {item["run"]: item["values"] for item in items} == expected
    assert [item["run"] for page in read(family[0]) for item in page] == [family[0]]


def test_a_wrong_cursor_is_refused(api, run):
    for cursor in ("x", "1", "1.-1", "9" * 50 + ".0"):
        answer = api.get(f"/runs/{run.uid}/metrics/values", cursor=cursor)
        assert answer.status_code == 422, cursor


def test_a_text_is_found_in_either_form_of_its_letters(send, api, run):
    send(run.uid, series("note", "cafe\N{COMBINING ACUTE ACCENT}", kind="text"))
    for asked in ("café", "cafe\N{COMBINING ACUTE ACCENT}"):
        for query in (f"metric.note:{asked}", f"metric.note~{asked}"):
            found = api.get("/runs", q=query).json()["items"]
            assert [item["uid"] for item in found] == [run.uid], query
