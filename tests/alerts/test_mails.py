"""What mails say, as it was agreed on: GOLDEN=write pytest tests/alerts/test_mails.py writes it
anew."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from studio.accounts.models import User, Workspace
from studio.alerts.mail import compose
from studio.alerts.models import AlertRule, Channel, Delivery, Destination, Firing

FOLDER = Path(__file__).parent / "golden"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
TRACEBACK = """  File "train.py", line 12, in step
    loss = model(batch)
RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB"""


def facts(number: int = 7, **changed: Any) -> dict[str, Any]:
    return {
        "workspace": "lab",
        "experiment": "vision",
        "run": f"r{number}",
        "name": f"resnet-{number}",
        "status": "Failed",
        "before": "Running",
        "reason": "",
        "duration_s": 3_725.0,
        "submitter": "bob",
        "error": "CUDA out of memory. Tried to allocate 2.00 GiB",
        "error_lines": TRACEBACK,
        "url": f"https://studio.example.org/w/lab/runs/r{number}",
        **changed,
    }


PLAIN: dict[str, Any] = {"error": "", "error_lines": ""}
SEVERAL = {
    "what": "entered the view “Best <b>”",
    "n": 25,
    "runs": [facts(number, status="Completed", **PLAIN) for number in (1, 2)],
    "workspace": "lab",
    "view": "best-aaaaaaaaaa",
}
MAILS: dict[str, list[dict[str, Any]]] = {
    "failed": [facts()],
    "canceled": [facts(status="Canceled", reason="by ana: wrong data", **PLAIN)],
    "digest-of-3": [facts(number, **({} if number == 2 else PLAIN)) for number in (1, 2, 3)],
    "digest-of-60": [facts(number, **PLAIN) for number in range(60)],
    "view": [SEVERAL],
    "view-count": [{**SEVERAL, "what": "in the view “Best” now", "n": 100, "runs": []}],
    "metric": [
        facts(status="Running", before="", what="loss < 0.3", metric="loss", value=0.25, **PLAIN)
    ],
    "test": [facts()],
}


def mail_of(name: str) -> Any:
    rule = AlertRule(uid="rrrrrrrrrr", name="Broken <runs>", workspace=Workspace(name="lab"))
    to = Destination(
        pk=1, rule=rule, channel=Channel.EMAIL, user=User(username="ana", email="ana@example.org")
    )
    made = [
        Delivery(
            destination=to, firing=Firing(rule=rule, at=AT, facts=told, is_test=name == "test")
        )
        for told in MAILS[name]
    ]
    return compose(to, made, message_id="m1")


@pytest.fixture(autouse=True)
def address(settings: Any) -> None:
    settings.STUDIO_BASE_URL = "https://studio.example.org"


@pytest.mark.parametrize("name", MAILS)
def test_the_text_of_a_mail(name: str) -> None:
    mail = mail_of(name)

    body = re.sub(r"/unsubscribe/\S+", "/unsubscribe/TOKEN", str(mail.body))
    text = f"Subject: {mail.subject}\n\n{body}"
    file = FOLDER / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()
    assert "\n\n\n" not in text
    assert all(line == line.rstrip() for line in text.splitlines() if line != "-- ")


@pytest.mark.parametrize("name", MAILS)
def test_the_html_of_a_mail_says_the_same_and_nothing_in_it_is_markup(name: str) -> None:
    ((html, kind),) = mail_of(name).alternatives

    assert kind == "text/html"
    assert "<b>" not in html
    assert "<runs>" not in html
    for told in MAILS[name][:50]:
        for run in told.get("runs", [told]):
            assert run["name"] in html
            assert run["url"] in html
