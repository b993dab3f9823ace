"""The lines an empty workspace shows put a run into it, as they stand there."""

import re
from html import unescape
from typing import Any

import pytest

from studio.runs.models import Run
from tests import make


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("lines", "status"), [("log", "Completed"), ("submit", "Queued")])
def test_the_lines_of_an_empty_workspace_work_as_they_stand(
    live_server: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, lines: str, status: str
) -> None:
    bob = make.user("bob")
    workspace = make.workspace("lab", owner=make.user("alice"), contributor=bob)
    page = make.client(bob).get("/w/lab/runs", headers={"Host": live_server.url[7:]})
    found = re.search(rf'data-lines="{lines}">(.*?)</code>', page.content.decode(), re.DOTALL)
    assert found
    (tmp_path / "train.py").write_text("print('hello')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STUDIO_TOKEN", make.token(bob, workspace=workspace))

    exec(unescape(found[1]), {"__name__": "__main__"})

    assert [run.status for run in Run.objects.filter(workspace=workspace)] == [status]
