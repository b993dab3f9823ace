"""The band over a list that filters by its logs, without scripts."""

from typing import Any

import pytest
from django.test import Client

from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.work.models import Work
from studio.work.running import run_work
from tests import make


@pytest.fixture
def page(run: Any, carol_client: Client) -> Any:
    """The list as a reader sees it who asks for `q`."""

    def get(q: str) -> str:
        answer = carol_client.get(f"/w/{run.workspace.name}/runs", {"q": q})
        assert answer.status_code == 200
        return " ".join(answer.content.decode().split())

    return get


def test_a_reader_starts_a_search_and_is_told_how_old_it_is(
    run: Any, experiment: Any, people: Any, page: Any, carol_client: Client
) -> None:
    by = make.actor(people.bob)
    append_log(run, MAIN_LOG, 0, b"CUDA <b>out</b> of memory\n", by=by)
    quiet = make.run(experiment)
    append_log(quiet, MAIN_LOG, 0, b"epoch\n", by=by)
    assert "have not been searched" in page("log~cuda")
    assert 'id="runs-log_search" hidden' in page("status:running")

    form = {"all": "1", "list": "?q=log~cuda", "back": f"/w/{run.workspace.name}/runs"}
    started = carol_client.post(f"/w/{run.workspace.name}/runs-logs/start", form)
    assert (started.status_code, started["Location"]) == (
        303,
        f"/w/{run.workspace.name}/runs?q=log~cuda",
    )
    assert "Searching logs, newest run first" in page("log~CUDA")
    run_work(Work.objects.get().pk)

    html = page("log~CUDA")
    assert ": 1 found." in html
    assert "<mark>CUDA</mark> &lt;b&gt;out&lt;/b&gt; of memory" in html
    assert "line=1&amp;find=cuda#L1" in html
    append_log(quiet, MAIN_LOG, 6, b"epoch\n", by=by)
    make.run(experiment)
    assert "1 found; 1 run written to since; 1 run of this list not searched." in page("log~CUDA")


def test_what_no_log_can_hold_is_refused_in_words(
    run: Any, page: Any, carol_client: Client
) -> None:
    assert "at most 1,000 fit" in page(f"log~{'x' * 1_200}")
    form = {"all": "1", "list": "?q=name~x"}
    refused = carol_client.post(f"/w/{run.workspace.name}/runs-logs/start", form)
    assert refused.status_code == 422
    assert "Nothing is asked of logs" in refused.content.decode()
