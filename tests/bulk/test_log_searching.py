"""Filtering runs by their logs: background work that looks, and what lists make of it."""

from typing import Any

import pytest

from studio.accounts.permissions import NotAllowed
from studio.artifacts import log_findings
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG, Artifact, LogFinding, LogSearch
from studio.bulk import log_searching
from studio.bulk.log_searching import start_log_search
from studio.bulk.selection import Selection
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.search.apply import search
from studio.work.actions import cancel_work
from studio.work.models import Work
from studio.work.running import run_work
from tests import make

pytestmark = pytest.mark.data


@pytest.fixture
def by(people: Any) -> Any:
    return make.actor(people.bob)


@pytest.fixture
def runs(experiment: Any, by: Any) -> list[Run]:
    """Six runs: 0 and 3 ran out of memory, 5 has no log."""
    made = [make.run(experiment, display_name=f"run {i}") for i in range(6)]
    for i, run in enumerate(made[:5]):
        end = b"RuntimeError: CUDA out of memory\n" if i in (0, 3) else b"done\n"
        append_log(run, MAIN_LOG, 0, b"epoch 1\n" + end, by=by)
    return made


def look(workspace: Any, query: str, by: Any) -> Work:
    work = start_log_search(workspace, Selection(query=query), by=by)
    run_work(work.pk)
    work.refresh_from_db()
    return work


def found(workspace: Any, query: str, by: Any) -> list[str]:
    kept = search(Run.objects.of(workspace), query, user=by.user, workspace=workspace)
    return sorted(run.display_name for run in kept)


def test_runs_are_filtered_by_what_was_found_in_their_logs(
    runs: list[Run], workspace: Any, by: Any
) -> None:
    assert found(workspace, 'log~"cuda OUT of"', by) == []

    work = look(workspace, 'log~"CUDA out of"', by)

    assert (work.state, work.n_total, work.n_done) == ("Done", 6, 6)
    for query, expected in (
        ('log~"cuda OUT of"', [0, 3]),
        ('-log~"cuda out of"', [1, 2, 4, 5]),
        ('log~"cuda out of" name:"run 3"', [3]),
        ('log~"cuda out of" OR name:"run 1"', [0, 1, 3]),
        ('log~nothing|"cuda out of"', [0, 3]),
        ("log~nothing", []),
    ):
        assert found(workspace, query, by) == [f"run {i}" for i in expected], query
    first = LogFinding.objects.get(run=runs[3])
    assert (first.path, first.line) == (MAIN_LOG, 2)
    assert ["CUDA out of", True] in first.parts


def test_only_runs_that_meet_the_other_conditions_are_looked_at(
    runs: list[Run], workspace: Any, by: Any
) -> None:
    work = look(workspace, 'name~"run 3"|"run 4" log~cuda', by)

    assert work.n_total == 2
    assert found(workspace, "log~cuda", by) == ["run 3"]
    look(workspace, "log~cuda", by)
    assert found(workspace, "log~cuda", by) == ["run 0", "run 3"]
    assert LogSearch.objects.count() == 1


def test_a_search_again_reads_what_was_written_since(
    runs: list[Run], workspace: Any, by: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(workspace, "log~cuda", by)
    one = LogSearch.objects.get()
    assert log_findings.n_written_since(one, most=10) == 0
    append_log(runs[1], MAIN_LOG, 13, b"CUDA error\n", by=by)
    assert log_findings.n_written_since(one, most=10) == 1
    read: list[int] = []
    first_hit = log_findings.first_hit

    def noted(log: Artifact, *about: Any, **limits: Any) -> Any:
        read.append(log.run_id)
        return first_hit(log, *about, **limits)

    monkeypatch.setattr(log_findings, "first_hit", noted)

    look(workspace, "log~cuda", by)

    assert read == [runs[1].pk]
    assert found(workspace, "log~cuda", by) == ["run 0", "run 1", "run 3"]


def test_the_newest_runs_are_looked_at_first_and_no_more_than_the_limit(
    runs: list[Run], workspace: Any, by: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_searching, "MAX_RUNS", 4)
    monkeypatch.setattr(log_searching, "BYTES_PER_PIECE", 20)

    work = look(workspace, "log~cuda", by)

    assert (work.state, work.n_total, work.n_done) == ("Done", 4, 4)
    assert found(workspace, "log~cuda", by) == ["run 3"]


def test_a_search_that_is_cancelled_keeps_what_it_found(
    runs: list[Run], workspace: Any, by: Any
) -> None:
    work = start_log_search(workspace, Selection(query="log~cuda"), by=by)
    assert start_log_search(workspace, Selection(query="log~CUDA"), by=by).pk == work.pk
    run_work(work.pk, slice_s=0.0)
    cancel_work(work, by=by)
    run_work(work.pk)
    work.refresh_from_db()

    assert work.state == "Canceled"
    assert not LogFinding.objects.filter(is_pending=True).exists()


def test_who_may_search_and_for_what(runs: list[Run], workspace: Any, people: Any, by: Any) -> None:
    with pytest.raises(NotAllowed):
        start_log_search(workspace, Selection(query="log~x"), by=make.actor(people.dave))
    for query, words in (("name:x", "Nothing is asked of logs"), ("log~a|b|c|d|e|f", "at most 5")):
        with pytest.raises(Invalid, match=words):
            start_log_search(workspace, Selection(query=query), by=by)
    elsewhere = make.workspace("elsewhere", owner=people.alice, contributor=people.bob)
    look(workspace, "log~cuda", by)
    assert found(elsewhere, "log~cuda", by) == []


def test_the_api_starts_a_search_and_lists_what_it_found(
    runs: list[Run], workspace: Any, api: Any
) -> None:
    query = 'name~"run 3"|"run 4" log~"CUDA"'
    begun = api.post("/log-searches", {"selection": {"query": query}})
    assert (begun.status_code, begun.json()["kind"]) == (200, "log_search")
    run_work(Work.objects.get().pk)

    listed = api.get('/runs?q=log~"cuda"').json()["items"]
    assert [run["uid"] for run in listed] == [runs[3].uid]
    assert Work.objects.get(uid=begun.json()["id"]).n_done == 2
    wrong = api.post("/log-searches", {"selection": {"query": "name:x"}})
    assert wrong.status_code == 422
    assert "Nothing is asked of logs" in wrong.json()["error"]["message"]


def test_searches_end_with_their_runs_and_with_time(
    runs: list[Run], workspace: Any, people: Any, by: Any, settings: Any
) -> None:
    look(workspace, "log~cuda", by)
    Run.objects.filter(pk=runs[0].pk).delete()
    assert not LogFinding.objects.filter(run=runs[0].pk).exists()

    assert log_findings.forget_log_searches() == 0
    settings.RECORD_DAYS = 0
    assert log_findings.forget_log_searches() == 1
    assert not LogFinding.objects.exists()
