"""What the log says: a line each, about a request and a run, without secrets, forged by nobody."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from studio import logbook
from studio.operations.requests import RequestMiddleware
from tests import make

HOSTILE = "a\r\n2026-01-01T00:00:00Z ERROR studio forged\x1b[2J\x9b1m\u2028\u202eend"


class Log:
    """All that is logged meanwhile, in the format that is tested."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.text = io.StringIO()
        self.handler = logging.StreamHandler(self.text)
        self.handler.setFormatter(formatter)

    @property
    def lines(self) -> list[str]:
        return self.text.getvalue().splitlines()

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture(params=[logbook.PlainLines, logbook.JsonLines], ids=["plain", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    yield from listening(request.param())


@pytest.fixture
def json_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    monkeypatch.setattr(
        RequestMiddleware, "__init__", lambda self, then: vars(self).update(
            get_response=then, writes_lines=True
        ),
    )  # fmt: skip
    yield from listening(logbook.JsonLines())


def listening(formatter: logging.Formatter) -> Iterator[Log]:
    made, root = Log(formatter), logging.getLogger()
    before = root.level
    root.addHandler(made.handler)
    root.setLevel(logging.INFO)
    yield made
    root.removeHandler(made.handler)
    root.setLevel(before)


def test_what_people_typed_forges_no_line_and_moves_no_cursor(log: Log) -> None:
    logging.getLogger("studio.x").warning("name=%s", HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("studio.x").exception("failed")

    assert len([line for line in log.lines if not line.startswith("  | ")]) == 2
    assert not any(line.startswith("2026-01-01") for line in log.lines)
    text = log.text.getvalue().replace("\n", "")
    assert all(character.isprintable() for character in text)


@pytest.mark.parametrize(
    "secret",
    [
        "studio_" + "A-b_9" * 8,
        "Bearer abcdefghij0123456789",
        "postgres://studio:abcdefghij0123456789@db/studio",
        "Cookie: studio_session=abcdefghij0123456789; csrftoken=abcdefghij0123456789",
        "/welcome/MQ/abcdefghij0123456789",
        "/unsubscribe/abcdefghij0123456789",
        "{'password': 'abcdefghij0123456789'}",
        "?token=abcdefghij0123456789&x=1",
    ],
)
def test_a_secret_that_got_into_a_text_is_cut_out(secret: str, log: Log) -> None:
    try:
        raise ValueError(secret)
    except ValueError:
        logging.getLogger("studio.x").exception("refused %s", secret)

    assert "abcdefghij0123456789" not in log.text.getvalue()
    assert "A-b_9" not in log.text.getvalue()
    assert "refused" in log.text.getvalue()


def test_a_line_names_its_request_and_run(json_log: Log, api: make.Api, run: Any) -> None:
    given = {**api.headers, "X-Request-Id": "edge-1.a_B"}
    answer = api.client.get(f"{api.base}/runs/{run.uid}", headers=given)

    (line,) = [one for one in json_log.entries if one["logger"] == "studio.access"]
    assert answer["X-Request-Id"] == line["request"] == "edge-1.a_B"
    assert line["run"] == run.uid
    assert (line["level"], line["method"], line["status"]) == ("INFO", "GET", 200)
    assert line["route"] == "api/v1/workspaces/<workspace>/runs/<uid>"
    assert line["ms"] > 0
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "a\x1b[2J", "<b>"])
def test_an_id_that_is_not_plain_and_short_is_replaced(given: str, client: Client) -> None:
    made = client.get("/healthz", headers={"X-Request-Id": given})["X-Request-Id"]

    assert made != given
    assert logbook.PLAIN_ID.fullmatch(made)


def test_a_visit_logs_no_name_password_token_or_cookie(
    json_log: Log, people: Any, workspace: Any, api: make.Api
) -> None:
    client = Client(raise_request_exception=False)
    password = "correct horse battery"
    client.get("/sign-in")
    for typed in ("wrong " + password, password):
        client.post("/sign-in", {"username": "alice", "password": typed})
    cookie = client.cookies["studio_session"].value
    for path in (
        "/",
        "/w/lab/runs",
        "/w/lab/runs/none",
        "/welcome/MQ/abc123-secretlink",
        "/nobody",
    ):
        client.get(path, {"q": "submitter:alice", "token": "querysecret"})
    api.get("/runs")
    api.client.get(f"{api.base}/runs", headers={"Authorization": "Bearer studio_" + "x" * 40})
    text = json_log.text.getvalue()

    assert len(json_log.entries) > 9
    secret = api.headers["Authorization"].split()[1]
    # Who signed in, or tried to, is what the record of sign-ins is for; nothing else tells of it.
    visits = "".join(line for line in text.splitlines() if "studio.accounts" not in line)
    assert "alice" not in visits
    for hidden in (password, cookie, secret, "x" * 40, "secretlink", "querysecret"):
        assert hidden not in text


def test_programs_that_are_refused_as_they_expect_do_not_warn(
    json_log: Log, api: make.Api, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="django.request")
    mlflow = "/api/2.0/mlflow/runs/get"
    for path, headers in (
        (f"{api.base}/runs/{run.uid}/logs/logs/output.txt", api.headers),
        (f"{mlflow}?run_id=none", api.headers),
        (f"{api.base}/runs", {}),
        (mlflow, {}),
        ("/nowhere", {}),
    ):
        assert api.client.get(path, headers=headers).status_code in {401, 404}
    found = [one["level"] for one in json_log.entries if one["logger"] == "django.request"]
    assert found == ["INFO", "INFO", "WARNING", "WARNING", "WARNING"]

    caplog.set_level("WARNING", logger="django.request")
    api.client.get(f"{api.base}/runs/none", headers=api.headers)
    assert len([one for one in json_log.entries if one["logger"] == "django.request"]) == 5


def test_a_worker_says_which_run_it_speaks_of(log: Log) -> None:
    with logbook.about_run("run-1"):
        logging.getLogger("studio.execution").warning("log waits")
    logging.getLogger("studio.execution").warning("closed")

    assert "run-1" in log.lines[0]
    assert "run-1" not in log.lines[1]
