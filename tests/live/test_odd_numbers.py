"""P7: NaN, infinities, -0.0, the largest numbers: the SDK, the API and CSV give back what was
logged, also when the request that carried it is sent again."""

import csv
import io
import json
import math
from typing import Any

import pytest

from benchmarks.client import Browser
from studio.sdk import Experiment
from tests.live.studio import PASSWORD, Studio

pytestmark = pytest.mark.live

# As logged -> as a double, to the bit. Integers beyond 2^53 become the nearest one.
NUMBERS: list[tuple[Any, float]] = [
    (math.nan, math.nan),
    (math.inf, math.inf),
    (-math.inf, -math.inf),
    (-0.0, -0.0),
    (1e308, 1e308),
    (-1e308, -1e308),
    (5e-324, 5e-324),
    (0.1, 0.1),
    (2**53, 2.0**53),
    (2**53 + 2, 2.0**53 + 2),
    (2**53 + 1, 2.0**53),
    (-(2**60) - 1, -(2.0**60)),
    (10**400, math.inf),
]
EXPECTED = [number.hex() for _, number in NUMBERS]


def bits(values: list[Any]) -> list[str]:
    return [float(value).hex() for value in values]


def test_odd_numbers_come_back_as_they_were_logged(
    shared_studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    experiment = Experiment(shared_studio.workspace, "odd-numbers")
    with experiment.start_logging(snapshot_directory=None, outputs=False) as run:
        for step, (value, _) in enumerate(NUMBERS):
            run.log("odd", value, step=step)
        run.log_list("listed", [value for value, _ in NUMBERS])
        run.log_table("cells", {"value": [math.nan, -math.inf, -0.0, 2**53 + 1]})
    assert f"{2**53 + 1} is stored as {2.0**53}" in caplog.text
    found = experiment.workspace.get_run(run.id).get_metrics()
    assert bits(found["odd"]) == bits(found["listed"]) == EXPECTED
    cells = found["cells"]["value"]
    assert math.isnan(cells[0])
    assert cells[1:] == [-math.inf, 0.0, 2**53 + 1]
    assert math.copysign(1, cells[2]) == -1

    answer = run._client.request("GET", f"/runs/{run.id}/metrics/points", query={"name": "odd"})
    points = json.loads(answer.data, parse_constant=pytest.fail)
    assert points["values"][:3] == ["NaN", "Infinity", "-Infinity"]
    assert bits(points["values"]) == EXPECTED

    browser = Browser(shared_studio.port)
    browser.sign_in("admin", PASSWORD)
    for name in ("odd", "listed"):
        text = browser.page(f"/w/default/runs/{run.id}/metrics/csv?m={name}")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert bits([row["value"] for row in rows]) == EXPECTED
