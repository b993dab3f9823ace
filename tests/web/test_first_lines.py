"""The lines an empty workspace shows put a run into it, as they stand there."""

import io
import re
import shlex
from html import unescape
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from studio.accounts.actions import find_token
from studio.accounts.models import Scope
from studio.runs.models import Run
from tests import make
from tests.cli.running import studio
from tests.web.pages import read


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("lines", "status"), [("log", "Completed"), ("submit", "Queued"), ("shell", "Queued")]
)
def test_the_lines_of_an_empty_workspace_work_as_they_stand(
    live_server: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, lines: str, status: str
) -> None:
    bob = make.user("bob")
    workspace = make.workspace("lab", owner=make.user("alice"), contributor=bob)
    page = make.client(bob).get("/w/lab/runs", headers={"Host": live_server.url[7:]})
    code = shown(page, lines)
    (tmp_path / "train.py").write_text("print('hello')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STUDIO_TOKEN", make.token(bob, workspace=workspace))

    if lines == "shell":
        assert studio(*shlex.split(code)[1:]).code == 0
    else:
        exec(code, {"__name__": "__main__"})

    assert [run.status for run in Run.objects.filter(workspace=workspace)] == [status]


def shown(page: Any, lines: str) -> str:
    """The code block, whose button copies the same."""
    text = page.content.decode()
    found = re.search(rf'data-lines="{lines}">(.*?)</code>', text, re.DOTALL)
    assert found
    copied = re.findall(r'data-copy="(.*?)"', text, re.DOTALL)
    assert unescape(found[1]) in map(unescape, copied)
    return unescape(found[1])


def test_the_command_for_a_token_gives_one_that_may_log(people: Any, bob_client: Client) -> None:
    command = shown(bob_client.get("/w/lab/runs"), "token")
    inner = re.fullmatch(r"export STUDIO_TOKEN=\$\(\.venv/bin/python manage\.py (.*)\)", command)
    assert inner
    out = io.StringIO()
    call_command(*shlex.split(inner[1]), stdout=out)

    token = find_token(out.getvalue().strip())
    assert token is not None
    assert (token.user, token.scope) == (people.bob, Scope.WRITE)


def test_a_reader_is_not_told_to_log(carol_client: Client, workspace: Any) -> None:
    page = read(carol_client.get("/w/lab/runs"))

    assert "STUDIO_TOKEN" not in page.text
    assert "contributors" in page.text
