"""`GET /readyz`: what answers and what does not, within two seconds whatever hangs."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from studio.operations import readiness
from studio.operations.bounded import Question
from tests.prepared import ROOT, clean_environment

OK = dict.fromkeys(readiness.ASKS, "ok")
ABSENT_BUCKET = "s3://lab/x?endpoint=http://127.0.0.1:1&region=r"


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Ask these instead, with no answer known yet; a part that is not named is fine."""

    def instead(**parts: Any) -> None:
        fine = {name: (lambda: "ok") for name in readiness.ASKS}
        made = {name: Question(name, asked) for name, asked in (fine | parts).items()}
        monkeypatch.setattr(readiness, "QUESTIONS", made)

    return instead


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    over = threading.Event()
    yield over
    over.set()


def test_each_part_is_ok_or_a_sentence(ask: Any, client: Client) -> None:
    ask()
    fine = client.get("/readyz")
    ask(workers=lambda: "No worker serves.")
    lame = client.get("/readyz")

    assert (fine.status_code, fine.json()) == (200, OK)
    assert (lame.status_code, lame.json()) == (503, OK | {"workers": "No worker serves."})
    assert client.get("/readyz?only=database,storage").json() == {"database": "ok", "storage": "ok"}
    assert client.get("/readyz?only=database,storage").status_code == 200
    assert client.get("/readyz?only=kitchen").status_code == 400
    assert client.post("/readyz").status_code == 405


def test_who_watches_may_ask_by_any_name_and_nobody_else_may(ask: Any, client: Client) -> None:
    ask()
    by_number = {"Host": "10.0.0.7:8000"}

    assert client.get("/healthz", headers=by_number).status_code == 200
    assert client.get("/readyz?only=database", headers=by_number).status_code == 200
    assert client.get("/metrics", headers=by_number).status_code == 401
    for address in ("/sign-in", "/api/v1/whoami", "/healthz/", "/nowhere"):
        assert client.get(address, headers=by_number).status_code == 400, address


def test_what_hangs_is_told_and_asked_once(
    ask: Any, client: Client, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "WITHIN_S", 0.05)
    asked = []

    def hang() -> str:
        asked.append(threading.current_thread().name)
        hanging.wait(60)
        return "ok"

    ask(storage=hang)
    told = [client.get("/readyz") for _ in range(3)]

    assert {answer.status_code for answer in told} == {503}
    assert told[0].json()["storage"] == "No answer within 0.05 s."
    assert told[0].json()["database"] == "ok"
    assert len(asked) == 1


def test_an_answer_is_kept_so_that_asking_often_costs_nothing(ask: Any, client: Client) -> None:
    asked = []
    ask(database=lambda: asked.append(1) or "ok")

    assert [client.get("/readyz").status_code for _ in range(50)] == [200] * 50
    assert len(asked) == 1


def test_a_check_that_fails_is_no_answer_and_not_a_failed_page(ask: Any, client: Client) -> None:
    ask(broker=lambda: 1 // 0)

    assert client.get("/readyz").status_code == 503


def test_the_storage_that_is_away_or_full_is_said(
    settings: Any, tmp_path: Path, full_disk: Path
) -> None:
    assert readiness.storage() == "ok"
    (full_disk / "rest").write_bytes(b"")
    with pytest.raises(OSError, match=r"space|large"), (full_disk / "rest").open("wb") as file:
        file.write(b"x" * (1 << 20))

    assert readiness.storage() == "The storage of files is full."
    settings.STUDIO_STORAGE_URL = ABSENT_BUCKET
    assert readiness.storage() == "The storage of files does not answer."


@pytest.mark.parametrize("kind", ["amqp", "redis"])
def test_every_kind_of_broker_is_asked(kind: str, tmp_path: Path) -> None:
    """The settings of each differ, and are read when a process starts."""
    code = "import django; django.setup(); from studio.operations import readiness as r; "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(r.broker())"],
        env={
            **clean_environment(),
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "STUDIO_HOME": str(tmp_path),
            "CELERY_BROKER_URL": f"{kind}://127.0.0.1:1/0",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == "The message broker does not answer.\n", done.stderr


def test_the_broker_that_is_away_is_said(settings: Any, tmp_path: Path) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path / "gone")}

    assert readiness.broker() == "The message broker does not answer."


def test_workers_that_serve_are_seen(db: None, workspace: Any) -> None:
    from tests import make

    assert readiness.workers() == "No worker serves."
    make.served_target(workspace)
    assert readiness.workers() == "ok"
