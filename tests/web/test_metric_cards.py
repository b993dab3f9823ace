"""The cards of the tab Metrics: columns to choose, names in groups, news, what cannot be drawn."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import from_lists, pack
from tests.browser import charting
from tests.web.pages import HTMX, read
from tests.web.test_run_metrics import address, get, names_listed

pytestmark = pytest.mark.django_db


@pytest.fixture
def tabled(run):
    rows = [{"alpha": i, "who": "x", "beta": i * i, "gamma": -i} for i in range(5)]
    charting.log(run, charting.others("grid", "table", rows))
    return run


@pytest.mark.parametrize(
    ("chosen", "axes", "kept"),
    [
        ({}, ("alpha", "beta"), ""),
        ({"x.grid": "gamma", "y.grid": "alpha"}, ("gamma", "alpha"), "x.grid=gamma&y.grid=alpha"),
        ({"x.grid": "", "y.grid": "gamma"}, ("row", "gamma"), "x.grid=&y.grid=gamma"),
        ({"x.grid": "alpha", "y.grid": "beta"}, ("alpha", "beta"), ""),
        ({"x.grid": "who", "y.grid": "none"}, ("alpha", "beta"), ""),
        ({"x.other": "gamma"}, ("alpha", "beta"), ""),
    ],
)
def test_any_two_numeric_columns_are_the_axes_and_stand_in_the_address(
    chosen, axes, kept, tabled, bob_client
) -> None:
    figure = get(bob_client, tabled, "run-figure", m="grid", **chosen).json()
    titles = [figure["layout"][name]["title"]["text"] for name in ("xaxis", "yaxis")]
    assert tuple(titles) == axes

    answer = get(bob_client, tabled, htmx=True, m="grid", **chosen)
    assert answer["HX-Push-Url"] == f"{address(tabled)}?m=grid" + (f"&{kept}" if kept else "")
    page = read(answer)
    assert kept in page.one("div", role="img")["data-figure-url"]


def test_a_table_of_many_rows_is_thinned_and_keeps_its_extremes(run, bob_client) -> None:
    rows = [{"x": i, "y": 1000.0 if i == 4321 else i % 7} for i in range(9000)]
    charting.log(run, charting.others("grid", "table", rows))

    figure = get(bob_client, run, "run-figure", m="grid").json()
    assert len(figure["data"][0]["y"]) <= 2002
    assert 1000.0 in figure["data"][0]["y"]
    assert " of 9,000 rows, min/max kept" in figure["badge"]


def test_names_with_slashes_stand_in_groups(run, bob_client) -> None:
    names = ["val/loss", "lr", "train/loss", "train/acc", "val/acc", "alone/loss"]
    charting.log(run, *[charting.scalars(name, [1.0]) for name in names])

    page = read(get(bob_client, run))
    groups = [
        own["title"]
        for tag, own in page.elements
        if own.get("class", "").startswith("metric-group")
    ]
    assert groups == ["train/", "val/"]
    listed = [own["value"] for tag, own in page.elements if own.get("name") == "m"]
    assert listed == ["alone/loss", "lr", "train/acc", "train/loss", "val/acc", "val/loss"]


def test_two_thousand_metrics_make_a_small_page(run, bob_client) -> None:
    charting.log(run, *[charting.scalars(f"layer{i:04}/norm", [1.0]) for i in range(2000)])

    whole = get(bob_client, run)
    assert names_listed(whole) == 200
    assert len(whole.content) < 150_000


def test_the_last_values_of_the_listed_names_are_news(run, bob_client, dave_client) -> None:
    charting.log(run, charting.scalars("loss", [3.0]), charting.scalars("lr", [0.5]))
    url = f"{address(run, 'run-metric-news')}?find=lo"
    first = bob_client.get(url).json()
    assert first["last"] == {"loss": "3"}
    assert (first["n_names"], first["is_live"]) == (2, True)
    assert bob_client.get(f"{url}&v={first['version']}").status_code == 204

    charting.log(run, charting.scalars("loss", ["NaN"], first=1), charting.scalars("new", [1.0]))
    second = bob_client.get(f"{url}&v={first['version']}").json()
    assert (second["last"], second["n_names"]) == ({"loss": "NaN"}, 3)
    assert dave_client.get(url).status_code == 404


def store(run, kind: str, value: object) -> None:
    """A document that no client could have sent: from an import, or an older version."""
    metric = Metric.objects.create(
        run=run, workspace=run.workspace, name="odd", kind=kind, n_points=1, last_step=0
    )
    data = pack(from_lists([0], [1.0], [value], numeric=False))
    MetricChunk.objects.create(metric=metric, n_points=1, data=data)


def plain(kind: str, **data: object) -> dict[str, object]:
    return charting.document(kind, **data)


ODD = [
    ("confusion_matrix", plain("confusion_matrix", class_labels=[], matrix=[]), "class_labels is"),
    ("confusion_matrix", plain("confusion_matrix", class_labels=["a"], matrix=[[1, 2]]), "matrix"),
    (
        "confusion_matrix",
        plain("confusion_matrix", class_labels=["a"], matrix=[[10**400]]),
        "range",
    ),
    ("confusion_matrix", {"schema_type": "confusion_matrix"}, "must be"),
    ("confusion_matrix", "not even an object", "must be an object"),
    ("accuracy_table", plain("accuracy_table"), "class_labels must be a list"),
    (
        "accuracy_table",
        plain(
            "accuracy_table",
            class_labels=["a"],
            probability_thresholds=[],
            percentile_thresholds=[],
            probability_tables=[[]],
            percentile_tables=[[]],
        ),
        "probability_thresholds is empty",
    ),
    ("residuals", plain("residuals", bin_edges=[0], bin_counts=[]), "bin_counts is empty"),
    ("residuals", plain("residuals", bin_edges=[0, None], bin_counts=[1]), "numbers only"),
    ("predictions", plain("predictions", bin_counts=[1]), "bin_averages must be a list"),
    (
        "residuals",
        {**charting.residuals_document(), "schema_version": "2.0.0"},
        "the schema version 2.0.0 is not known here",
    ),
]


@pytest.mark.parametrize(("kind", "value", "words"), ODD)
def test_a_document_that_cannot_be_drawn_is_words_and_its_json(
    kind, value, words, run, bob_client
) -> None:
    store(run, kind, value)

    figure = get(bob_client, run, "run-figure", m="odd").json()
    assert (figure["data"], figure["badge"]) == ([], "Not drawn, see below")
    for table in (
        get(bob_client, run, "run-metric-table", m="odd"),
        get(bob_client, run, m="odd", **{"as": "table"}),
    ):
        text = read(table).text
        assert words in text
        assert ("schema_type" if isinstance(value, dict) else value) in text
    assert get(bob_client, run, m="odd").status_code == 200
    assert b"".join(get(bob_client, run, "run-metric-csv", m="odd").streaming_content)


@pytest.mark.parametrize("shape", ["chart", "table"])
def test_the_page_costs_the_same_however_many_are_ticked(shape, run, bob_client) -> None:
    charting.log_every_kind(run)
    several = [f"{name} {i}" for i in range(5) for name in ("grid", "note")]
    kinds = {"grid": ("table", [{"a": 1, "b": 2}]), "note": ("text", ["x", "y"])}
    charting.log(run, *[charting.others(name, *kinds[name.split()[0]]) for name in several])

    def cost(*names: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            bob_client.get(address(run), {"m": names, "as": shape}, headers=HTMX)
        return len(seen)

    assert cost("grid 0", "note 0") == cost("loss", "matrix", *several)
