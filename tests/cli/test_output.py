"""What scripts read stays as it is: formats, casing, queries, tables."""

import json
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from studio.cli.command import Command
from studio.cli.main import Root
from studio.cli.records import EXPERIMENT_COLUMNS, RUN_COLUMNS, experiment_object, run_object
from studio.cli.tables import drawn, tab_separated
from tests.cli.golden import check

PLAIN: dict[str, Any] = {
    "uid": "0f3a" * 8,
    "number": 7,
    "experiment": "explore-runs",
    "workspace": "lab",
    "display_name": "explore-runs-7",
    "type": "script",
    "status": "Completed",
    "status_at": "2026-11-21T10:00:12.345678Z",
    "status_reason": "",
    "parent": None,
    "root": "0f3a" * 8,
    "submitter": "alice",
    "target": "local",
    "created_at": "2026-11-21T10:00:00.000001Z",
    "started_at": "2026-11-21T10:00:02Z",
    "ended_at": "2026-11-21T10:00:12.345678Z",
    "duration_s": 10.345678,
    "last_beat_at": None,
    "tags": {"quality": "fantastic run", "worth another look": None},
    "properties": {"author": "azureml-user"},
    "parameters": {"lr": "0.1"},
    "description": "",
    "description_version": 0,
    "script": "train.py",
    "arguments": ["--lr", "0.1"],
    "error": None,
    "exit_code": 0,
    "exit_signal": None,
    "cancel": None,
    "snapshot": None,
    "archived_at": None,
    "deleted_at": None,
    "warnings": [],
    "n_children": 0,
    "starred": False,
    "url": "http://studio/w/lab/runs/0f3a",
}
# Names of others: control characters, wide letters, nothing where an object is expected.
HOSTILE = PLAIN | {
    "uid": "beef" * 8,
    "display_name": "\x1b]0;owned\x07 two\nlines\tand 深層学習",
    "status": "Failed",
    "tags": None,
    "properties": None,
    "parameters": None,
    "duration_s": None,
    "description": "# Head\n\n- a: b\n",
}
EXPERIMENT = {
    "name": "explore-runs",
    "description": "",
    "created_at": "2026-11-21T10:00:00Z",
    "archived_at": None,
    "latest_run_at": "2026-11-21T10:00:00Z",
    "starred": True,
    "tags": None,
}
QUERIES = {
    "author": "[?properties.author=='azureml-user'].run_id",
    "tag_key": "[?tags.keys(@)[?starts_with(@, 'worth another look')]].run_id",
    "both": "[?properties.author=='azureml-user' && tags.quality=='fantastic run'].run_id",
}


def printing(value: Any, columns: Any = None) -> click.Group:
    """`studio give`: shows a value as every command shows what it found."""
    group = Root(name="studio")
    command = click.command("give", cls=Command, example="", columns=columns, connects=False)
    made = command(lambda: value)
    setattr(group, "get_command", lambda ctx, name: made)  # noqa: B010
    return group


def shown(value: Any, *options: str, columns: Any = None) -> str:
    done = CliRunner().invoke(printing(value, columns), ["give", *options], prog_name="studio")
    assert done.exit_code == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("output", ["json", "yaml", "table", "tsv"])
@pytest.mark.parametrize(
    ("name", "value", "columns"),
    [
        ("runs", [run_object(PLAIN), run_object(HOSTILE)], RUN_COLUMNS),
        ("run", run_object(PLAIN | {"definition": {"command_line": "train.py"}}), None),
        ("experiments", [experiment_object(EXPERIMENT)], EXPERIMENT_COLUMNS),
        ("experiment", experiment_object(EXPERIMENT | {"n_runs": 3}), None),
        ("nothing", [], RUN_COLUMNS),
    ],
)
def test_outputs_stay_as_scripts_know_them(
    name: str, value: Any, columns: Any, output: str
) -> None:
    check(f"output-{name}-{output}", shown(value, "-o", output, columns=columns))


def test_every_format_holds_the_same_values() -> None:
    runs = [run_object(PLAIN), run_object(HOSTILE)]

    assert json.loads(shown(runs)) == runs
    assert yaml.safe_load(shown(runs, "-o", "yaml")) == runs
    assert all(isinstance(run[name], dict) for run in runs for name in ("tags", "properties"))


def test_the_format_may_be_chosen_for_all_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_OUTPUT", "tsv")

    assert shown(["a", "b"]) == "a\nb\n"
    assert shown(["a"], "-o", "json") == '[\n  "a"\n]\n'


def test_one_casing_is_everywhere() -> None:
    names = [*run_object(PLAIN), *experiment_object(EXPERIMENT)]

    assert all(name == name.lower() and " " not in name for name in names)


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_of_the_articles_select_also_among_runs_without_tags(query: str) -> None:
    runs = [run_object(PLAIN), run_object(HOSTILE)]

    assert json.loads(shown(runs, "--query", QUERIES[query])) == [PLAIN["uid"]]


@pytest.mark.parametrize(
    ("query", "value", "line"),
    [
        ("[].run_id", [run_object(PLAIN)], "0f3a" * 8),
        ("[].{id: run_number, status: status}", [run_object(PLAIN)], "7\tCompleted"),
        ("{status: status, by: submitter}", run_object(PLAIN), "Completed\talice"),
        ("[].[status, parent_run_id, starred]", [run_object(PLAIN)], "Completed\t\tfalse"),
        ("[0].tags", [run_object(PLAIN)], "fantastic run\t"),
        ("[].arguments[]", [run_object(PLAIN)], "--lr\n0.1"),
        ("nothing", run_object(PLAIN), ""),
        ("status", run_object(PLAIN), "Completed"),
    ],
)  # fmt: skip
def test_a_query_gives_lines_for_other_programs(query: str, value: Any, line: str) -> None:
    found = shown(value, "--query", query, "-o", "tsv")

    assert found == (line + "\n" if line else "")


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=20), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_people_write_a_line_stays_a_line(rows: list[dict[str, str]]) -> None:
    names = list(dict.fromkeys(key for row in rows for key in row))

    lines = tab_separated(rows, None).split("\n")
    assert len(lines) == len(rows)
    assert {line.count("\t") for line in lines} == {len(names) - 1}
    table = drawn(rows, None, width=None, colour=False)
    assert len(table.split("\n")) == len(rows) + 2
    assert all(c.isprintable() for c in table if c != "\n")


def test_a_table_fits_a_narrow_screen_and_colours_only_statuses() -> None:
    runs = [run_object(PLAIN), run_object(HOSTILE)]

    table = drawn(runs, RUN_COLUMNS, width=90, colour=True)

    assert max(len(line) for line in table.replace("\x1b[32m", "").split("\n")) <= 90 + 9
    assert table.count("\x1b[") == 4
    assert "\x1b[32mCompleted" in table
    assert "…" in table
