"""One error shape for whatever goes wrong before or below a call."""

import sqlite3

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests.api.calls import batch


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_an_unknown_address_is_404_in_the_shape(db):
    for path in ("/api/v1/", "/api/v1/nothing", "/api/v1/workspaces/lab/runs/x/y/z"):
        assert code(Client().get(path)) == (404, "not_found")


def test_a_wrong_method_is_405_in_the_shape(api, run):
    answer = api.send("DELETE", f"/runs/{run.uid}", b"", "application/json")
    assert code(answer) == (405, "method_not_allowed")
    assert "GET" in answer["Allow"]


def test_another_content_type_is_415(api, run):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = api.send("POST", f"/runs/{run.uid}/tags", b"{}", kind)
        assert code(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "raw",
    [
        b" ",
        b"{",
        b"nope",
        b'{"set": {"a": NaN}}',
        b'{"set": {"a": -Infinity}}',
        b'{"set": {"a": "\xff"}}',
        b'{"set": {"a": "\xed\xa0\x80"}}',
        b'{"set": {"a": "\x00"}}',
        b"[" * 100_000,
        b'{"set": {"a": ' + b"9" * 5000 + b"}}",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_not_json_is_400(raw, api, run):
    answer = api.send("POST", f"/runs/{run.uid}/tags", raw, "application/json")
    assert code(answer) == (400, "bad_request")


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "x\\uDFFF"])
def test_text_no_database_can_store_is_422_wherever_it_stands(text, api, run):
    for body in ('{"set": {"a": "%s"}}', '{"set": {"%s": "a"}}', '{"set": {}, "remove": ["%s"]}'):
        raw = (body % text).encode()
        answer = api.send("POST", f"/runs/{run.uid}/tags", raw, "application/json")
        assert code(answer) == (422, "invalid")
    raw = '{"uid": "u", "experiment": "e", "definition": {"x": [{"y": "TEXT"}]}}'
    raw = raw.replace("TEXT", text)
    answer = api.send("POST", "/runs", raw.encode(), "application/json")
    assert code(answer) == (422, "invalid")
    assert answer.json()["error"]["field"] == "definition.x[0].y"


def test_a_surrogate_pair_is_a_character_like_any_other(api, run):
    raw = b'{"set": {"a": "\\ud83d\\ude80"}}'
    answer = api.send("POST", f"/runs/{run.uid}/tags", raw, "application/json")
    assert answer.json()["tags"] == {"a": "\N{ROCKET}"}


def test_unknown_fields_and_wrong_types_are_422_with_the_field(api, run):
    for body, field in (
        ({"set": {}, "more": 1}, "more"),
        ({"set": {"a": 1}}, "set.a"),
        ({"set": []}, "set"),
        ([], ""),
    ):
        answer = api.post(f"/runs/{run.uid}/tags", body)
        assert code(answer) == (422, "invalid")
        assert answer.json()["error"]["field"] == field


def test_too_large_a_body_is_413(api, run, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = api.post(f"/runs/{run.uid}/tags", {"set": {"a": "x" * 2000}})
    assert code(answer) == (413, "too_large")


def test_a_wrong_query_parameter_is_422(api, run):
    for path, field in (
        ("/runs?limit=0", "limit"),
        ("/runs?limit=501", "limit"),
        ("/runs?limit=x", "limit"),
        ("/runs?order=oldest", "order"),
        ("/runs?cursor=nobody", "cursor"),
        ("/experiments?archived=maybe", "archived"),
        (f"/runs/{run.uid}/events?cursor=x", "cursor"),
        (f"/runs/{run.uid}/metrics/points", "name"),
    ):
        answer = api.get(path)
        assert code(answer) == (422, "invalid"), path
        assert answer.json()["error"]["field"] == field


def test_a_locked_database_is_503_and_says_when_to_come_again(api, run, tmp_path):
    """A real lock: another connection holds the write lock of a real file."""
    from studio.api.api import api as ninja

    path = tmp_path / "locked.sqlite3"
    holder, victim = (sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2))
    holder.execute("CREATE TABLE t (x)")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        victim.execute("INSERT INTO t VALUES (1)")
    request = api.get(f"/runs/{run.uid}").wsgi_request
    answer = ninja.on_exception(request, OperationalError(str(caught.value)))
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert b"unavailable" in answer.content


def test_a_browser_session_without_a_token_can_not_call_the_api(bob_client, workspace, run):
    answer = bob_client.post(
        f"/api/v1/workspaces/lab/runs/{run.uid}/batches", batch(1), content_type="application/json"
    )
    assert code(answer) == (401, "unauthenticated")


def test_refusals_change_nothing(api, run):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM runs_runevent")
        before = cursor.fetchone()
        api.post(f"/runs/{run.uid}/tags", {"set": {"ok": "1", "": "2"}})
        cursor.execute("SELECT count(*) FROM runs_runevent")
        assert cursor.fetchone() == before
    assert not run.tags.exists()
