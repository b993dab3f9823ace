"""docs/custom_views.md says what there is: its examples are taken, run and answered."""

import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from studio.custom_views.as_code import import_views
from studio.custom_views.entries import KEYS, STATE_KEYS
from studio.custom_views.stored import KEPT
from tests import make
from tests.architecture.test_policies import operations

PAGE = (Path(__file__).parents[2] / "docs" / "custom_views.md").read_text(encoding="utf-8")


def example(kind: str) -> str:
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_document_of_the_page_is_taken_and_written_the_same(
    people: Any, experiment: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room, by = experiment.workspace, make.actor(people.bob)
    reports = import_views(room, example("yaml"), by=by, share=True)
    assert {report.result for report in reports} == {"created"}
    (tmp_path / "views.yaml").write_text(example("yaml"))
    monkeypatch.chdir(tmp_path)
    for line in example("sh").splitlines():
        program, *words = shlex.split(line)
        call_command(*words, stdout=io.StringIO())
        assert program == "manage.py"

    assert "--user bob" in example("sh")
    assert (tmp_path / "views.yaml").read_text() == example("yaml")


def test_every_request_of_the_page_is_answered(api: make.Api) -> None:
    uid = ""
    for request in example("http").strip().split("\n\n"):
        line, _, body = request.partition("\n")
        method, path = line.replace("{view}", uid).split(" ")
        json.loads(body or "{}")
        answer = api.send(method, path, body.encode(), "application/json")
        assert answer.status_code in (200, 201), (request, answer.content)
        uid = uid or answer.json()["uid"]


def test_every_operation_and_every_key_is_on_the_page() -> None:
    told = {line.split("?")[0] for line in example("http").splitlines() if line[:1].isalpha()}
    told |= set(re.findall(r"`(POST /\S+)`", PAGE))
    there = {
        name.replace("/api/v1/workspaces/{workspace}", "")
        for name, operation in operations()
        if "views" in operation["tags"]
    }

    assert told == there
    assert all(f"`{key}`" in PAGE for key in (*KEYS, *KEPT))
    assert set(STATE_KEYS) == set(KEPT)
