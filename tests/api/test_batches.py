"""POST …/runs/{uid}/batches, GET …/metrics and …/metrics/points."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from studio.accounts.models import ApiToken
from studio.metrics.models import Metric, MetricChunk
from studio.runs.models import Run
from tests.api.calls import batch

pytestmark = pytest.mark.data


@pytest.fixture
def send(api, run):
    return lambda body: api.post(f"/runs/{run.uid}/batches", body)


@pytest.fixture
def metrics(api, run):
    def read():
        items = api.get(f"/runs/{run.uid}/metrics").json()["items"]
        return {item["name"]: item for item in items}

    return read


@pytest.fixture
def points(api, run):
    def read(name="loss", **query):
        return api.get(f"/runs/{run.uid}/metrics/points", name=name, **query).json()

    return read


def test_points_come_back_as_they_were_sent(send, points):
    sent = batch(0.5, 0.25, 1e-300, steps=[1, 5, 9], times=[1.5e9, 1.6e9, 1.7e9])
    assert send(sent).json() == {
        "accepted": 3,
        "duplicate": False,
        "status": "Running",
        "cancel": None,
    }
    assert points() == {
        "name": "loss",
        "kind": "scalar",
        "steps": [1, 5, 9],
        "times": [1.5e9, 1.6e9, 1.7e9],
        "values": [0.5, 0.25, 1e-300],
        "next": None,
    }


def test_the_summary_tells_last_min_and_max_with_their_steps(send, metrics):
    send(batch(3, 1, 2, steps=[10, 20, 30]))
    send(batch(5, steps=[15]))
    assert metrics()["loss"] == {
        **{"name": "loss", "kind": "scalar", "n_points": 4},
        **{"last": 2.0, "last_step": 30, "last_at": 1.7e9},
        **{"min": 1.0, "min_step": 20, "max": 5.0, "max_step": 15},
    }


def test_a_batch_sent_again_is_answered_and_stored_once(send, metrics):
    sent = batch(1.0, 2.0)
    assert [send(sent).json()["duplicate"] for _ in range(3)] == [False, True, True]
    assert metrics()["loss"]["n_points"] == 2
    assert MetricChunk.objects.count() == 1


def test_the_same_batch_id_is_another_batch_for_another_run(send, api, run):
    sent = batch(1.0)
    send(sent)
    other = api.post("/runs", {"uid": "other", "experiment": "vision", "start": True}).json()
    assert api.post(f"/runs/{other['uid']}/batches", sent).json()["duplicate"] is False


def test_without_steps_the_server_numbers_on(send, points):
    send(batch(1, 2))
    send(batch(3, steps=[10]))
    send(batch(4, 5))
    assert points()["steps"] == [0, 1, 10, 11, 12]


def test_late_points_are_put_in_their_place(send, points):
    send(batch(3, 4, steps=[3, 4]))
    send(batch(1, 2, steps=[1, 2]))
    assert points()["values"] == [1, 2, 3, 4]


def test_what_is_no_finite_number_is_kept_but_never_min_or_max(send, metrics, points):
    send(batch("NaN", 2, "Infinity", "-Infinity"))
    assert points()["values"] == ["NaN", 2, "Infinity", "-Infinity"]
    found = metrics()["loss"]
    assert (found["last"], found["min"], found["max"]) == ("-Infinity", 2, 2)
    send(batch("NaN", name="lost"))
    assert (metrics()["lost"]["last"], metrics()["lost"]["min"]) == ("NaN", None)
    send(batch(7.5))
    assert metrics()["loss"]["last"] == 7.5


@pytest.mark.parametrize(
    ("kind", "values", "last"),
    [
        ("list", [1.5, 2.5], 2.5),
        ("text", ["a", "Grüße \N{ROCKET}", True, None], "null"),
        ("table", [{"x": 1, "y": "a"}, {"x": 2}], '{"x": 2}'),
        ("image", [{"path": "plots/a.png"}], "plots/a.png"),
        (
            "residuals",
            [
                {
                    "schema_type": "residuals",
                    "schema_version": "1.0.0",
                    "data": {"bin_edges": [0, 1, 2], "bin_counts": [3, 4]},
                }
            ],
            "residuals",
        ),
    ],
)
def test_every_kind_comes_back(kind, values, last, send, points, metrics):
    assert send(batch(*values, kind=kind)).status_code == 200
    assert (points()["kind"], points()["values"]) == (kind, values)
    assert metrics()["loss"]["last"] == last


def test_another_kind_under_the_same_name_is_dropped_with_a_warning(send, api, run, points):
    send(batch(1.0))
    assert send(batch("a", kind="text")).status_code == 200
    assert points()["values"] == [1.0]
    (warning,) = api.get(f"/runs/{run.uid}").json()["warnings"]
    assert "loss" in warning
    assert "text" in warning


def test_one_name_twice_in_a_batch_is_one_series(send, points):
    sent = batch(1, 2)
    sent["metrics"] += batch(3)["metrics"] + batch("x", kind="text")["metrics"]
    send(sent)
    assert (points()["steps"], points()["values"]) == ([0, 1, 2], [1, 2, 3])


def test_a_finished_run_still_takes_points(send, api, run, metrics):
    api.post(f"/runs/{run.uid}/complete")
    assert send(batch(1.0)).json()["status"] == "Completed"
    assert metrics()["loss"]["n_points"] == 1


def test_a_run_in_the_trash_takes_none(send, run):
    from django.utils import timezone

    type(run).objects.filter(pk=run.pk).update(deleted_at=timezone.now())
    assert send(batch(1.0)).status_code == 404


def test_names_beyond_ten_thousand_are_dropped_alone_with_one_warning(send, api, run, metrics):
    many = batch()
    one = batch(1.0)["metrics"][0]
    many["metrics"] = [{**one, "name": f"m{i}"} for i in range(9_999)]
    assert send(many).json()["accepted"] == 9_999
    for more in ("one", "two"):
        names = [f"{more}{i}" for i in range(7)] + ["m1"]
        sent = {**batch(), "metrics": [{**one, "name": name} for name in names]}
        assert send(sent).status_code == 200
    assert Metric.objects.count() == 10_000
    found = Metric.objects.filter(name__in=["one0", "m1"])
    assert dict(found.values_list("name", "n_points")) == {"one0": 1, "m1": 3}
    (warning,) = api.get(f"/runs/{run.uid}").json()["warnings"]
    assert "at most 10,000 metric names" in warning
    assert "“one1”, “one2”, “one3”, “one4”, “one5” and 1 more" in warning


def test_queries_are_the_same_for_one_point_and_for_thousands(send, django_assert_num_queries):
    def wide(n_names, n_points):
        sent = batch()
        one = batch(*[1.0] * n_points)["metrics"][0]
        sent["metrics"] = [{**one, "name": f"m{i}"} for i in range(n_names)]
        return sent

    send(wide(200, 1))
    # On a slow machine a second passes between the requests, and the run's beat is written anew; or
    # a minute, and the token's use is.
    ApiToken.objects.update(last_used_at=timezone.now() + timedelta(hours=1))
    Run.objects.update(last_beat_at=timezone.now() + timedelta(hours=1))
    for sent in (wide(1, 1), wide(1, 500), wide(200, 100)):
        # Token, run with role, the transaction's two, run row, batch, names, chunks, summaries.
        with django_assert_num_queries(9):
            assert send(sent).status_code == 200


def test_the_greatest_step_ends_the_numbering_with_a_warning(send, api, run, metrics):
    assert send(batch(1, steps=[2**63 - 1])).status_code == 200
    assert send(batch(1)).status_code == 200
    sent = batch(1, 2)
    sent["metrics"] += [{**batch(1)["metrics"][0], "name": "other"}]
    assert send(sent).status_code == 200
    assert [metrics()[name]["n_points"] for name in ("loss", "other")] == [2, 1]
    (warning,) = api.get(f"/runs/{run.uid}").json()["warnings"]
    assert "“loss”" in warning


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"batch": "x"}, "batch"),
        ({"metrics": {}}, "metrics"),
        ({"more": 1}, "more"),
        ({"metrics": [{**batch(1)["metrics"][0], "kind": "sound"}]}, "metrics[0].kind"),
        ({"metrics": [{**batch(1)["metrics"][0], "values": []}]}, "metrics[0].values"),
        ({"metrics": [{**batch(1)["metrics"][0], "times": []}]}, "metrics[0].times"),
        ({"metrics": [{**batch(1)["metrics"][0], "steps": [1.0]}]}, "metrics[0].steps"),
        ({"metrics": [{**batch(1)["metrics"][0], "values": ["x"]}]}, "metrics[0].values"),
        ({"metrics": [{**batch(1)["metrics"][0], "values": [True]}]}, "metrics[0].values"),
        ({"metrics": [{**batch(1)["metrics"][0], "name": ""}]}, "metrics[0].name"),
    ],
)
def test_wrong_batches_are_refused_with_the_field(wrong, field, send):
    answer = send({**batch(1.0), **wrong})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert not Metric.objects.exists()


def test_more_than_a_hundred_thousand_points_are_refused(send):
    sent = batch(*[0.0] * 60_000)
    sent["metrics"] *= 2
    assert send(sent).status_code == 422


def test_points_come_in_pages(send, points):
    send(batch(*range(10)))
    first = points(limit=4)
    rest = points(limit=6, cursor=first["next"])
    assert first["values"] + rest["values"] == list(range(10))
    assert rest["next"] is None


def test_metrics_come_in_pages_by_name(send, api, run):
    for name in "cab":
        send(batch(1, name=name))
    page = api.get(f"/runs/{run.uid}/metrics?limit=2").json()
    assert [item["name"] for item in page["items"]] == ["a", "b"]
    rest = api.get(f"/runs/{run.uid}/metrics", limit=2, cursor=page["next"]).json()
    assert [item["name"] for item in rest["items"]] == ["c"]


def test_an_unknown_metric_is_404(api, run):
    assert api.get(f"/runs/{run.uid}/metrics/points?name=x").status_code == 404


def test_answers_are_standard_json(send, api, run):
    send(batch("NaN", "Infinity"))

    def refuse(word):
        raise AssertionError(word)

    for path in ("metrics", "metrics/points?name=loss"):
        json.loads(api.get(f"/runs/{run.uid}/{path}").content, parse_constant=refuse)
