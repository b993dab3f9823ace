"""P7, P20 and P20b: values, names and amounts that no example shows. They come back as they are
through every way out, or are refused in words, and nobody else's page breaks for them."""

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client

from studio.custom_views.actions import MAX_VIEWS
from studio.custom_views.models import CustomView
from studio.runs.limits import MAX_LABELS
from tests import make
from tests.api.calls import batch
from tests.exports.archives import contents, written
from tests.faults.conftest import Promise
from tests.mlflow_api.client import Mlflow, point

pytestmark = [pytest.mark.data, pytest.mark.faults, pytest.mark.django_db]

# As JSON carries it -> the double, to the bit.
NUMBERS: list[tuple[Any, str]] = [
    ("NaN", "nan"),
    ("Infinity", "inf"),
    ("-Infinity", "-inf"),
    (-0.0, "-0x0.0p+0"),
    (1e308, (1e308).hex()),
    (5e-324, (5e-324).hex()),
    (2**53 + 2, (2.0**53 + 2).hex()),
    (-(2**60), (-(2.0**60)).hex()),
]
EXPECTED = [number for _, number in NUMBERS]
NASTY = [
    "\ud800",
    "a\0b",
    "x" * 200_000,
    "\u200b",
    "e\u0301",
    "\u202eabc",
    "<img src=x>",
    "😀" * 90,
]


def bits(values: list[Any]) -> list[str]:
    return [float(value).hex() for value in values]


def standard(content: bytes) -> Any:
    """JSON, without the words for numbers that are none."""
    return json.loads(content, parse_constant=pytest.fail)


@pytest.fixture
def mlflow(people: Any, workspace: Any) -> Mlflow:
    return Mlflow(people.bob, workspace)


@pytest.mark.parametrize("door", ["API", "MLflow"])
def test_odd_numbers_leave_by_every_door_as_they_came(
    door: str, api: Any, mlflow: Mlflow, run: Any, bob_client: Client, promise: Promise
) -> None:
    promise("P7", f"odd numbers through the {door} and out", n=len(NUMBERS))
    values = [number for number, _ in NUMBERS]
    for _ in range(2):  # the same again, as after a lost answer
        if door == "MLflow":
            points = [point(value, i, 1_700_000_000_000 + i) for i, value in enumerate(values)]
            assert mlflow.post("runs/log-batch", run_id=run.uid, metrics=points).status_code == 200
        else:
            sent = batch(*values, steps=list(range(len(values)))) | {"batch": "1" * 32}
            assert api.post(f"/runs/{run.uid}/batches", sent).status_code == 200

    points_url = f"/runs/{run.uid}/metrics/points"
    assert bits(standard(api.get(points_url, name="loss").content)["values"]) == EXPECTED
    assert bits([value for _, _, value in mlflow.history(run)]) == EXPECTED
    page = f"/w/lab/runs/{run.uid}/metrics"
    text = bob_client.get(f"{page}/csv", {"m": "loss"}).getvalue().decode()
    assert bits([row["value"] for row in csv.DictReader(io.StringIO(text))]) == EXPECTED
    ((_, rows),) = contents(written(run.workspace))["points"].items()
    assert bits([row.rstrip(")").rpartition(", ")[2] for row in rows]) == EXPECTED

    drawings = [
        bob_client.get(f"{page}/figure", {"m": "loss"}),
        bob_client.get("/w/lab/runs-chart", {"charts": "kind=line&y=metric.loss", "chart": "0"}),
    ]
    for answer in drawings:
        assert answer.status_code == 200
        standard(answer.content)
    for address in ("/w/lab/runs", f"/w/lab/runs/{run.uid}", page):
        assert bob_client.get(address).status_code == 200
    for address in (f"/runs/{run.uid}", f"/runs/{run.uid}/metrics", "/runs"):
        standard(api.get(address).content)


def test_too_many_tags_views_and_letters_are_refused_and_what_fits_slows_no_page(
    api: Any, mlflow: Mlflow, run: Any, people: Any, bob_client: Client,
    django_assert_max_num_queries: Any, promise: Promise,
) -> None:  # fmt: skip
    promise("P20", "10,000 tags, 1,000 views, a name of 5,000", n=10_000)
    tags = {f"tag{i}": "v" for i in range(10_000)}
    refused = [
        api.post(f"/runs/{run.uid}/tags", {"set": tags}),
        api.patch(f"/runs/{run.uid}", {"display_name": "n" * 5_000}),
        api.post(f"/runs/{run.uid}/batches", batch(1.0, name="n" * 5_000)),
        mlflow.post("runs/set-tag", run_id=run.uid, key="k" * 5_000, value="v"),
        mlflow.post("runs/update", run_id=run.uid, run_name="n" * 5_000),
        mlflow.post("experiments/create", name="n" * 5_000),
    ]
    for answer in refused:
        assert 400 <= answer.status_code < 500, answer.content
        assert answer.content
    addresses = ["/w/lab/runs", f"/w/lab/runs/{run.uid}", "/w/lab/views"]
    for address in addresses:
        assert bob_client.get(address).status_code == 200
    before = [len(bob_client.get(address).content) for address in addresses]

    most = dict.fromkeys(list(tags)[:MAX_LABELS], "v")
    assert api.post(f"/runs/{run.uid}/tags", {"set": most}).status_code == 200
    assert api.post(f"/runs/{run.uid}/tags", {"set": {"more": "v"}}).status_code == 422
    views = [
        CustomView(workspace=run.workspace, owner=people.bob, name=f"view {i}", state={})
        for i in range(MAX_VIEWS)
    ]
    CustomView.objects.bulk_create(views)
    made = api.post("/views", {"name": "one more", "state": {}})
    assert 400 <= made.status_code < 500, made.content
    for address, size in zip(addresses, before, strict=True):
        with django_assert_max_num_queries(60):
            answer = bob_client.get(address)
        assert answer.status_code == 200
        promise(**{address.rpartition("/")[2][:8] + "_grew": len(answer.content) / size})


def test_what_is_nasty_is_refused_or_shown_and_breaks_nothing_for_others(
    api: Any, mlflow: Mlflow, run: Any, carol_client: Client, people: Any, promise: Promise
) -> None:
    at, n = f"/runs/{run.uid}", 0
    for text in NASTY:
        answers = [
            api.post(f"{at}/tags", {"set": {text: "v"}}),
            api.post(f"{at}/tags", {"set": {f"k{n}": text}}),
            api.post(f"{at}/parameters", {"set": {text: text}}),
            api.post(f"{at}/batches", batch(1.0, name=text)),
            api.patch(at, {"display_name": text}),
            api.patch(at, {"description": text}),
            api.post("/views", {"name": text, "state": {"q": text}}),
            api.post("/experiments", {"name": text}),
            mlflow.post("runs/set-tag", run_id=run.uid, key=text, value=text),
            mlflow.post("runs/log-parameter", run_id=run.uid, key=text, value=text),
            mlflow.post("runs/log-metric", run_id=run.uid, **point(key=text)),
            mlflow.post("experiments/create", name=text),
        ]
        n += len(answers)
        assert {answer.status_code for answer in answers} <= {200, 201, 400, 404, 409, 422}, text
    promise("P20b", "nasty texts stored or refused, then read by others", n=n)
    pages = ["", "/views", "/experiments", f"/runs/{run.uid}", f"/runs/{run.uid}/metrics", "/tags"]
    for page in ["/w/lab/runs", *(f"/w/lab{page}" for page in pages)]:
        answer = carol_client.get(page, follow=True)
        assert answer.status_code == 200, page
        assert b"<img src=x>" not in answer.content
    reader = make.Api(people.carol, run.workspace, scope="read")
    for path in (
        "/runs",
        at,
        f"{at}/metrics",
        f"{at}/events",
        "/experiments",
        "/runs-export?format=csv",
    ):
        path, _, query = path.partition("?")
        answer = reader.get(path, **dict([query.split("=")] if query else []))
        assert answer.status_code == 200, path
    assert written(run.workspace)
    found = Mlflow(people.carol, run.workspace, scope="read")
    assert found.get("runs/get", run_id=run.uid).status_code == 200
    # The two forms of one name are one name.
    for form in ("e\u0301", "\u00e9"):
        listed = reader.get("/runs", query=f'tag."{form}":v').json()
        assert [item["uid"] for item in listed["items"]] == [run.uid], listed
