"""Two runs: what changed in their descriptions and sources."""

import re
from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.artifacts.test_differences import snapshot
from tests.web.comparing import PAGE, chosen, of_row, page, three_runs
from tests.web.pages import read


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    return three_runs(experiment)


@pytest.fixture
def pair(experiment: Any) -> list[Any]:
    """Two runs with sources in which text, a name and bytes differ."""
    files = [
        {"train.py": b"import os\nlr = 1\n", "old <b>.txt": b"x", "data.bin": b"\xff\x00"},
        {"train.py": b"import os\nlr = '</td>'\n", "new.txt": b"x", "data.bin": b"\xff\x01"},
    ]
    runs = [make.run(experiment) for _ in files]
    for run, some in zip(runs, files, strict=True):
        source = snapshot(experiment.workspace, some)
        Run.objects.filter(pk=run.pk).update(snapshot=source.digest)
    return runs


def test_two_runs_show_what_changed_in_their_descriptions(
    runs: Any, people: Any, bob_client: Client
) -> None:
    for run, text in zip(runs, ("same\nold <b>\n", "same\nnew\n"), strict=False):
        actions.describe_run(run, text, by=make.actor(people.bob))

    text = page(bob_client, runs[:2]).text

    assert re.search(r"− removed old <b>", text)
    assert re.search(r"\+ added new", text)
    assert "compare-description" not in page(bob_client, runs).ids()


def test_alike_descriptions_and_runs_without_a_source_are_told(
    runs: Any, pair: Any, bob_client: Client
) -> None:
    text = page(bob_client, runs[:2]).text

    assert "Both runs say the same" in text
    assert "Neither run was submitted with a snapshot" in text
    mixed = page(bob_client, [pair[0], runs[0]]).text
    assert "try-0 was submitted without a snapshot" in mixed


def test_two_runs_list_the_files_that_differ(pair: Any, bob_client: Client) -> None:
    found = page(bob_client, pair)

    assert "4 differ" in found.text
    for what, path in (
        ("Changed", "train.py"),
        ("Changed", "data.bin"),
        ("Removed", "old <b>.txt"),
        ("Added", "new.txt"),
    ):
        assert f"{what} {path}" in found.text
    links = [own["href"] for tag, own in found.elements if "/compare/file?" in own.get("href", "")]
    assert [bob_client.get(link).status_code for link in links] == [200] * 4


def file(client: Client, pair: Any, path: str) -> Any:
    return client.get(f"{PAGE}/file", {"a": pair[0].uid, "b": pair[1].uid, "path": path})


def test_a_file_is_shown_line_by_line(pair: Any, bob_client: Client) -> None:
    text = read(file(bob_client, pair, "train.py")).text

    assert "1 1 import os" in text
    assert "2 − removed lr = 1" in text
    assert "2 + added lr = '</td>'" in text


def test_a_file_of_bytes_says_that_it_is_one(pair: Any, bob_client: Client) -> None:
    text = read(file(bob_client, pair, "data.bin")).text

    assert "This file is binary: its lines can't be compared." in text


def test_a_file_that_only_one_run_has_is_all_new_or_all_old(pair: Any, bob_client: Client) -> None:
    assert "(has no such file)" in read(file(bob_client, pair, "new.txt")).text
    assert "1 − removed x" in read(file(bob_client, pair, "old <b>.txt")).text


@pytest.mark.parametrize("path", ["", "nothing.py", "../../etc/passwd", "/etc/passwd", "\0", "<b>"])
def test_a_file_that_neither_run_has_is_not_found(path: str, pair: Any, bob_client: Client) -> None:
    answer = file(bob_client, pair, path)

    assert answer.status_code == 404
    assert b"<b>" not in answer.content


def test_three_runs_lead_to_two_of_them_for_what_does_not_fit_into_a_cell(
    pair: Any, runs: Any, bob_client: Client
) -> None:
    answer = bob_client.get(PAGE, {"chosen": chosen([*pair, runs[0]]), "base": pair[0].uid})

    row = of_row(answer, "Snapshot")
    (link,) = re.findall(r'href="([^"]+)"', row)
    assert link == f"?chosen={chosen(pair)}&amp;base={pair[0].uid}#compare-files"
