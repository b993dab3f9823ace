"""The list of runs as a file, from its page and from the API."""

import logging
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from studio.runs.actions import change_tags
from studio.runs.models import Run
from studio.search.columns import DEFAULT_COLUMNS
from tests import make
from tests.exports.reading import READERS, body_of

ENDINGS = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
PAGE = "/w/lab/runs-export"


@pytest.fixture
def runs(experiment: Any, people: Any) -> list[Any]:
    """Three root runs, the last of them alice's, and a child run of the first."""
    other = make.experiment(experiment.workspace, "speech")
    first = make.run(experiment, tags={"quality": "good"})
    second = make.run(other)
    third = make.run(experiment, by=people.alice)
    return [first, second, third, make.run(experiment, parent=first)]


def rows(client: Client, **query: str) -> list[dict[str, Any]]:
    kind = query.setdefault("format", "jsonl")
    return READERS[kind]([body_of(client.get(PAGE, query))])


def uids(client: Client, **query: str) -> list[str]:
    return [row["uid"] for row in rows(client, **query)]


@pytest.mark.parametrize("kind", ENDINGS)
def test_it_is_a_download_with_a_telling_name(kind: str, runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(PAGE, {"format": kind})

    assert answer["Content-Type"] == ENDINGS[kind]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Content-Disposition"].startswith('attachment; filename="runs-lab-20')
    assert f'.{kind}";' in answer["Content-Disposition"]
    assert answer["Content-Disposition"].isascii()
    assert answer.streaming
    assert "Content-Encoding" not in answer
    assert [row["uid"] for row in READERS[kind]([body_of(answer)])] == [
        run.uid for run in runs[2::-1]
    ]


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_head_request_is_answered_with_headers_alone(
    kind: str, runs: Any, bob_client: Client
) -> None:
    answer = bob_client.head(PAGE, {"format": kind})

    assert body_of(answer) == b""
    assert "attachment" in answer["Content-Disposition"]
    assert "Content-Length" not in answer


def test_without_columns_it_has_the_usual_ones_after_the_uid(runs: Any, bob_client: Client) -> None:
    row = rows(bob_client)[-1]

    assert list(row) == ["uid", *map(str, DEFAULT_COLUMNS)]
    assert row["name"] == runs[0].display_name
    assert row["tags"] == {"quality": "good"}
    assert row["star"] is False


def test_it_obeys_what_the_address_of_the_list_says(runs: Any, bob_client: Client) -> None:
    first, second, third, child = (run.uid for run in runs)

    assert uids(bob_client, order="submitted") == [first, second, third]
    assert uids(bob_client, q="tag.quality:good") == [first]
    assert uids(bob_client, mine="1") == [second, first]
    assert uids(bob_client, children="flat") == [child, third, second, first]
    assert uids(bob_client, experiment="vision") == [third, first]
    assert uids(bob_client, type="pipeline") == []
    assert uids(bob_client, only="1", chosen=f"{child},{second}") == [child, second]
    assert uids(bob_client, size="25", after="nonsense") == [third, second, first]
    (row,) = rows(bob_client, q="tag.quality:good", columns="name,tag.quality,metric.loss:min")
    assert row == {
        "uid": first,
        "name": runs[0].display_name,
        "tag.quality": "good",
        "metric.loss:min": None,
    }


def test_a_file_of_one_experiment_is_called_after_it(runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(PAGE, {"experiment": "vision"})

    assert 'filename="runs-lab-vision-20' in answer["Content-Disposition"]
    assert bob_client.get(PAGE, {"experiment": "nowhere"}).status_code == 404


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"format": "xlsx"}, "There are: csv, jsonl, parquet, zip."),
        ({"format": ""}, "There are: csv, jsonl, parquet, zip."),
        ({"q": "status:"}, "In “q”, at character 8: "),
        ({"q": "duration>soon"}, "In “q”, at character 10: "),
        ({"order": "metric.loss,colour"}, "In “order”, at character 13: "),
        ({"columns": "name,tag."}, "In “columns”, at character 6: "),
    ],
)
def test_what_cannot_be_understood_is_said_and_is_no_file(
    query: dict[str, str], words: str, runs: Any, bob_client: Client
) -> None:
    answer = bob_client.get(PAGE, query)

    assert answer.status_code == 422
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "Content-Disposition" not in answer
    assert words in answer.content.decode()


def test_a_run_in_the_trash_or_of_another_workspace_is_not_in_it(
    runs: Any, people: Any, bob_client: Client
) -> None:
    other = make.workspace("other", owner=people.alice, contributor=people.bob)
    hidden = make.run(make.experiment(other, "hidden", by=people.bob), by=people.bob)
    Run.objects.filter(pk=runs[1].pk).update(deleted_at=runs[1].created_at)

    found = uids(bob_client, children="flat")

    assert runs[1].uid not in found
    assert hidden.uid not in found


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_failure_half_way_breaks_the_file_off(
    kind: str, experiment: Any, bob_client: Client, caplog: Any
) -> None:
    """Neither the rest of the rows nor an end that makes the file look whole is sent."""
    n_runs = 12_000 if kind == "parquet" else 1_800
    room = {"workspace": experiment.workspace, "experiment": experiment}
    Run.objects.bulk_create(Run(**room, number=i, display_name="run") for i in range(n_runs))
    pieces = iter(bob_client.get(PAGE, {"format": kind}))
    received = [next(pieces)]

    def refuse(execute: Any, *args: Any) -> Any:
        raise DatabaseError("the disk is gone")

    caplog.set_level(logging.ERROR, logger="studio.exports.download")
    with connection.execute_wrapper(refuse), pytest.raises(DatabaseError):
        received += pieces

    assert "export broke off what=runs-lab" in caplog.text
    assert not b"".join(received).endswith(b"PAR1")


def test_a_reader_who_leaves_is_no_failure(runs: Any, bob_client: Client, caplog: Any) -> None:
    answer = bob_client.get(PAGE)
    next(iter(answer))
    answer.close()

    assert "broke off" not in caplog.text


def test_the_api_exports_what_it_lists(runs: Any, api: make.Api) -> None:
    change_tags(runs[1], by=make.actor(runs[1].submitter), put={"quality": "bad"})
    query = {"order": "tag.quality", "columns": "name,tag.quality,tags,submitted"}
    listed = api.get("/runs", **query).json()["items"]
    for kind, read in READERS.items():
        answer = api.get("/runs-export", format=kind, **query)
        found = read([body_of(answer)])
        assert answer["Content-Type"] == ENDINGS[kind]
        assert [row["uid"] for row in found] == [item["uid"] for item in listed]
        if kind == "jsonl":
            assert [row | {"uid": ""} for row in found] == [
                {"uid": "", **item["columns"]} for item in listed
            ]
    child = api.get("/runs-export", format="jsonl", parent=runs[0].uid)
    assert [row["uid"] for row in READERS["jsonl"]([body_of(child)])] == [runs[3].uid]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "xlsx"}, "format"),
        ({"q": "status:"}, "q"),
        ({"order": "colour"}, "order"),
        ({"columns": "tag."}, "columns"),
    ],
)
def test_the_api_says_what_it_cannot_understand(
    query: dict[str, str], field: str, runs: Any, api: make.Api
) -> None:
    answer = api.get("/runs-export", **query)

    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["field"] == field or error["field"].endswith(field)
    assert error["message"]
    assert "Content-Disposition" not in answer


def test_the_api_document_describes_the_files(db: None) -> None:
    document = Client().get("/api/v1/openapi.json").json()
    operation = document["paths"]["/api/v1/workspaces/{workspace}/runs-export"]["get"]

    assert set(operation["responses"]["200"]["content"]) == {
        kind.partition(";")[0] for kind in ENDINGS.values()
    }
    assert {"format", "q", "order", "columns"} <= {one["name"] for one in operation["parameters"]}
    assert {"401", "404", "422"} <= set(operation["responses"])
