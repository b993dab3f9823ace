"""Every wrong use of a logging call has its own clear error, at the call; nothing is logged."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import Experiment, OfflineRun, RunDetails, UserErrorException
from studio.sdk.monitoring import name_of, this_host
from studio.sdk.notebook import link, run_table, table
from tests.sdk.fake_server import FakeStudio
from tests.waiting import wait_until

MATRIX = {"class_labels": ["a", "b"], "matrix": [[1, 2], [3, 4]]}
MISUSES: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("log", ("m", [1, 2]), {}, "m: log takes one value, use log_list for list"),
    ("log", ("m", range(3)), {}, "use log_list for range"),
    ("log", ("m", (i for i in [1])), {}, "use log_list for generator"),
    ("log", ("m", {"a": 1}), {}, "m: use log_row or log_table"),
    ("log", ("m", object()), {}, "m: cannot log object"),
    ("log", ("", 1), {}, "a metric needs a name"),
    ("log", ("m", 1), {"step": "first"}, "a step must be a whole number, not 'first'"),
    ("log_list", ("m", "text"), {}, "m: log_list takes a list of numbers"),
    ("log_list", ("m", 3), {}, "m: log_list takes a list of numbers"),
    ("log_list", ("m", [1, "x"]), {}, "m: must be a number, not str"),
    ("log_row", ("m",), {}, "m: a row needs at least one column"),
    ("log_row", ("m",), {"x": [1]}, "m.x: log takes one value"),
    ("log_table", ("m", [1]), {}, "m: log_table takes a dict of columns, not list"),
    ("log_table", ("m", {"x": [1], "y": [1, 2]}), {}, "equally long: 'x' has 1, 'y' has 2"),
    ("log_image", ("m",), {}, "m: log_image takes either path or plot"),
    ("log_image", ("m",), {"path": "x", "plot": 1}, "m: log_image takes either path or plot"),
    ("log_image", ("m",), {"path": "none.png"}, "m: there is no image file 'none.png'"),
    ("log_image", ("m",), {"path": __file__}, "is not a PNG, JPEG"),
    ("log_image", ("m",), {"plot": 1}, "m: plot must be a matplotlib figure"),
    ("log_confusion_matrix", ("m", "{"), {}, "m: this is not JSON"),
    ("log_confusion_matrix", ("m", 3), {}, "m: give a dict or JSON text, not int"),
    ("log_confusion_matrix", ("m", {**MATRIX, "matrix": [[1]]}), {}, "data.matrix"),
    ("log_accuracy_table", ("m", {"class_labels": ["a"]}), {}, "data.probability_thresholds"),
    ("log_residuals", ("m", {"bin_edges": [1], "bin_counts": [1]}), {}, "data.bin_edges"),
    ("log_predictions", ("m", {"bin_counts": [1]}), {}, "data.bin_averages"),
]


@pytest.mark.parametrize("offline", [False, True])
def test_each_misuse_is_refused_with_words_of_its_own(
    experiment: Experiment, studio: FakeStudio, offline: bool
) -> None:
    told = set()
    run = OfflineRun.create() if offline else experiment.start_logging(snapshot_directory=None)
    for call, arguments, options, words in MISUSES:
        with pytest.raises(UserErrorException) as raised:
            getattr(run, call)(*arguments, **options)
        assert words in str(raised.value), (call, arguments)
        told.add(str(raised.value))
    assert len(told) == len(MISUSES) - 1  # both image sources, or none, is one mistake
    assert run.get_metrics() == {}
    run.complete()


def test_filters_that_mean_nothing_are_refused_at_the_call(experiment: Experiment) -> None:
    with pytest.raises(UserErrorException, match="no status 'Done'"):
        experiment.get_runs(status="Done")
    with pytest.raises(UserErrorException, match="tags takes a name or a dict"):
        experiment.get_runs(tags=3)


def test_an_offline_run_samples_the_machine_and_gives_files_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STUDIO_MONITOR", "1")
    run = OfflineRun.create()
    name = name_of(this_host(), "host_memory_used_bytes")
    wait_until(lambda: run.get_metrics(name), 10, "a sample")
    assert run.get_metrics(name)[name][0] > 1e6
    assert run.get_metrics() == {}
    run.upload_file("a/b.txt", __file__)
    run.download_files(output_directory=tmp_path)
    assert (tmp_path / "a" / "b.txt").read_bytes() == Path(__file__).read_bytes()
    with run.child_run() as child:
        child.log("loss", 1)
    assert run.get_metrics(recursive=True)[child.id] == {"loss": [1.0]}
    assert list(run.get_children(status="Completed")) == [child]
    assert list(run.get_children(status="Failed")) == []
    assert run.read_log() == b""
    run.complete()
    assert "system/" not in capsys.readouterr().out


def test_what_a_notebook_shows_is_escaped_and_linked(
    experiment: Experiment, studio: FakeStudio
) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    with experiment.start_logging(snapshot_directory=None, display_name=hostile) as run:
        run.log(hostile, hostile)
        run.tag(hostile, hostile)
    with pytest.raises(ValueError, match="img"), run.child_run() as child:
        raise ValueError(hostile)
    shown = [RunDetails(run)._repr_html_(), RunDetails(child)._repr_html_()]
    shown += [run_table([{"experiment": hostile, "url": "javascript:alert(1)"}])]
    shown += [experiment._repr_html_(), experiment.workspace._repr_html_()]
    shown += [experiment.workspace.runs.search("x")._repr_html_(), table([hostile], [[hostile]])]
    assert not [page for page in shown if "<img" in page]
    assert html.escape(hostile) in shown[0]
    assert html.escape(hostile) in shown[1]
    assert not [page for page in shown if "javascript:" in page]
    assert f'href="{studio.url}/w/default/runs/{run.id}"' in shown[0]
    assert link("https://x/'\"", "a<b") == (
        '<a href="https://x/&#x27;&quot;" target="_blank" rel="noopener">a&lt;b</a>'
    )
