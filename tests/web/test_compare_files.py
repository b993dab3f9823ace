"""A comparison as a file: CSV and Markdown."""

import csv
import io
from typing import Any

import pytest
from django.test import Client

from studio.metrics.models import Metric
from tests import make
from tests.web.comparing import PAGE, chosen, three_runs


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    return three_runs(experiment)


def as_csv(client: Client, runs: Any, **query: str) -> list[list[str]]:
    answer = client.get(f"{PAGE}/table", {"chosen": chosen(runs), "format": "csv", **query})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="comparison-lab-' in answer["Content-Disposition"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_the_table_is_a_csv_with_exact_values(runs: Any, bob_client: Client) -> None:
    Metric.objects.filter(run=runs[0]).update(last=1 / 3)
    rows = as_csv(bob_client, runs)

    assert rows[0] == ["section", "name", *(f"try-{i} ({runs[i].uid[:8]})" for i in range(3))]
    assert ["Metrics", "loss", repr(1 / 3), "0.75", "1.0"] in rows
    assert ["Tags", "quality", "", "great", "great"] in rows


def test_the_csv_has_the_differences_to_the_baseline(runs: Any, bob_client: Client) -> None:
    rows = as_csv(bob_client, runs, base=runs[2].uid)

    assert ["Metrics", "loss", "1.0", "0.5", "0.75", "-0.5", "-0.25"] in rows
    assert rows[0][-1] == f"try-1 ({runs[1].uid[:8]}) - baseline"


def test_no_cell_of_the_csv_is_a_formula(experiment: Any, bob_client: Client) -> None:
    formula = "=HYPERLINK(1)"
    runs = [
        make.run(experiment, display_name=f"{formula}{i}", parameters={formula: f"{formula}{i}"})
        for i in (1, 2)
    ]

    cells = [cell for row in as_csv(bob_client, runs) for cell in row]

    assert any(formula in cell for cell in cells)
    assert not any(cell.startswith("=") for cell in cells)


def test_the_table_is_markdown_to_paste(runs: Any, bob_client: Client) -> None:
    query = {"chosen": chosen(runs), "base": runs[0].uid, "find": "lo"}
    answer = bob_client.get(f"{PAGE}/table", {**query, "format": "md"})

    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    lines = answer.content.decode().splitlines()
    assert lines[0] == "## Comparison of 3 runs"
    assert "### Metrics: 1 of 1 differs" in lines
    assert f"|  | try-0 `{runs[0].uid[:8]}` (baseline) | " in "\n".join(lines)
    assert "| loss | 0.5 · least | 0.75 · +0.25 (+50.0 %) | 1 · greatest · +0.5 (+100 %) |" in lines


def test_a_file_leaves_out_what_is_folded_and_has_what_was_cut(
    experiment: Any, bob_client: Client
) -> None:
    runs = [
        make.run(experiment, parameters={f"p{at}": str(i) for at in range(50)}, tags={"n": str(i)})
        for i in range(90)
    ]

    rows = as_csv(bob_client, runs, folded="tags")

    assert len([row for row in rows if row[0] == "Parameters"]) == 50
    assert "Tags" not in {row[0] for row in rows}


def test_a_format_that_there_is_not_is_refused(runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(f"{PAGE}/table", {"chosen": chosen(runs), "format": "<b>"})

    assert answer.status_code == 422
    assert answer["Content-Type"].startswith("text/plain")


def test_a_file_of_nothing_is_only_a_head(workspace: Any, bob_client: Client) -> None:
    assert as_csv(bob_client, []) == [["section", "name"]]
    answer = bob_client.get(f"{PAGE}/table")
    assert answer.content.decode() == "## Comparison of 0 runs\n"
