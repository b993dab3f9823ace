"""What a training logs and reads back: scenarios 26 to 34 (test_scenarios_table.py has all).

The number of each scenario stands above what shows it.
"""

import math
from pathlib import Path

import pytest

from studio.sdk import Experiment, Run, UserErrorException
from tests.live.studio import Studio

pytestmark = pytest.mark.live


@pytest.fixture
def exp(shared_studio: Studio) -> Experiment:
    return Experiment(shared_studio.workspace, "logging-api")


def test_every_kind_of_metric_comes_back_as_it_was_logged(exp: Experiment) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    angles = [i / 10 for i in range(20)]
    with exp.start_logging(snapshot_directory=None, outputs=False) as run:
        # 26
        run.log("Category", "Red")
        run.log("scale factor", 2)
        run.log("Magic Number", 84)
        # 27
        run.log_list("Fibonacci", (round(1.618**i / math.sqrt(5)) for i in range(1, 13)))
        for angle in angles:
            # 28
            run.log("Sigmoid", 1 / (1 + math.exp(-angle)))
            # 29
            run.log_row("Cosine Wave", angle=angle, cos=math.cos(angle))
        run.log_table("Sine Wave", {"angle": angles, "sine": [math.sin(a) for a in angles]})
        # 30
        plt.plot(angles, [math.tanh(a) for a in angles])
        run.log_image("Hyperbolic Tangent", plot=plt)
        plt.close("all")
        with pytest.raises(UserErrorException, match="either path or plot"):
            run.log_image("both", path="x.png", plot=plt)
    found = run.get_metrics()
    assert (found["Category"], found["scale factor"], found["Magic Number"]) == (["Red"], [2], [84])
    assert len(found["Fibonacci"]) == 12
    assert len(found["Sigmoid"]) == 20
    assert found["Sine Wave"]["angle"] == found["Cosine Wave"]["angle"] == angles
    (image,) = found["Hyperbolic Tangent"]
    assert image in run.get_file_names()
    (picture,) = run.get_metrics("Hyperbolic Tangent", populate=True)["Hyperbolic Tangent"]
    assert picture.startswith(b"\x89PNG")
    # 34
    again = Run(exp, run.id)
    assert again.get_metrics(name="Magic Number") == {"Magic Number": [84]}
    assert run in list(exp.get_runs())
    assert [r.id for r in exp.workspace.runs.search("metric.Sigmoid>0.5 param.x:none")] == []
    assert next(exp.workspace.runs.search('experiment:logging-api metric."Magic Number":84')) == run


def test_45_000_cells_of_rows_come_back_in_order(exp: Experiment) -> None:
    # 31
    names, n_steps = ("train", "valid", "test"), 1_000
    with exp.start_logging(snapshot_directory=None, outputs=False) as run:
        for step in range(n_steps):
            for name in names:
                run.log_row(name, **{f"column {i}": step * i for i in range(15)})
    found = run.get_metrics()
    for name in names:
        assert len(found[name]) == 15
        assert found[name]["column 14"] == [14 * step for step in range(n_steps)]


def test_files_go_up_and_come_down_to_where_one_wants(exp: Experiment, tmp_path: Path) -> None:
    # 32
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("second")
    with exp.start_logging(snapshot_directory=None, outputs=False) as run:
        stored = run.upload_files(["a.txt"], [tmp_path / "a.txt"], return_artifacts=True)
        assert stored is not None
        assert stored["a.txt"]["size"] == 5
        run.upload_folder("folder", tmp_path / "sub")
    assert {"a.txt", "folder/b.txt"} <= set(run.get_file_names())
    run.download_file("a.txt", tmp_path / "chosen.txt")
    run.download_file("folder/b.txt", tmp_path / "sub")
    run.download_files(prefix="folder", output_directory=tmp_path / "out")
    run.download_files("folder", tmp_path / "bare", append_prefix=False)
    assert (tmp_path / "chosen.txt").read_text() == "first"
    for path in ("sub/b.txt", "out/folder/b.txt", "bare/b.txt"):
        assert (tmp_path / path).read_text() == "second"
