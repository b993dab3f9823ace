"""Webhooks: signed, sent to nobody inside, led nowhere by redirects or names."""

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone

from studio.alerts import outgoing
from studio.alerts.drafts import Address
from studio.alerts.matching import match_news
from studio.alerts.models import AlertRule, Delivery, Destination, RuleEvent, State
from studio.alerts.sending import send_due, sent_lately
from studio.runs import actions
from studio.runs.limits import Invalid
from tests import make


class Hook(ThreadingHTTPServer):
    """A real HTTP server that keeps what it was sent and gives `answers` in their order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Hook)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.seen.append((self.path, dict(self.headers), body))
        status, headers = server.answers.pop(0) if server.answers else (200, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook(settings: Any) -> Iterator[Hook]:
    """A webhook on this machine, which the setting allows."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with Hook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def tell(run: Any) -> None:
    actions.fail_run(run, by=make.actor(run.submitter), error={"message": "a <b> & c"})
    match_news()
    send_due()


def test_a_webhook_gets_signed_json(
    run: Any, rule_of: Callable[..., AlertRule], hook: Hook
) -> None:
    rule = rule_of(addresses=[Address("webhook", url=hook.url)])

    tell(run)

    ((path, headers, body),) = hook.seen
    assert path == "/hook?x=1"
    at, given = (part.split("=")[1] for part in headers["X-Studio-Signature"].split(","))
    secret = Destination.objects.get().secret.encode()
    assert hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest() == given
    (alert,) = json.loads(body)["alerts"]
    assert alert["rule"]["uid"] == rule.uid
    assert (alert["facts"]["run"], alert["facts"]["status"]) == (run.uid, "Failed")


def test_a_slack_webhook_gets_one_line_and_no_markup_of_others(
    run: Any, rule_of: Callable[..., AlertRule], hook: Hook
) -> None:
    actions.rename_run(run, "<!channel> & me", by=make.actor(run.submitter))
    rule_of(addresses=[Address("slack", url=hook.url)])

    tell(run)

    text = json.loads(hook.seen[0][2])["text"]
    assert f"<{run.page_url}|Failed: vision / &lt;!channel&gt; &amp; me>" in text
    assert "> a &lt;b&gt; &amp; c" in text


@pytest.mark.parametrize(
    ("status", "state"), [(500, State.WAITING), (429, State.WAITING), (404, State.FAILED)]
)
def test_an_answer_that_may_pass_is_tried_again(
    status: int, state: str, run: Any, rule_of: Callable[..., AlertRule], hook: Hook
) -> None:
    rule_of(addresses=[Address("webhook", url=hook.url)])
    hook.answers = [(status, {})]

    tell(run)

    assert Delivery.objects.get().state == state
    assert str(status) in Delivery.objects.get().trouble


def test_a_redirect_is_not_followed(
    run: Any, rule_of: Callable[..., AlertRule], hook: Hook
) -> None:
    rule_of(addresses=[Address("webhook", url=hook.url)])
    hook.answers = [(302, {"Location": hook.url})]

    tell(run)

    assert len(hook.seen) == 1
    assert Delivery.objects.get().state == State.FAILED


INSIDE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://192.168.1.1:8080/",
    "http://172.16.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[2002:7f00:1::]/",
    "http://[64:ff9b::7f00:1]/",
    "http://localhost/",
    "http://224.0.0.1/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_nothing_is_sent_inside(url: str) -> None:
    with pytest.raises(outgoing.Refused):
        outgoing.post(url, b"{}", {})


@pytest.mark.parametrize(
    "url",
    [
        *("", "ftp://example.org/", "file:///etc/passwd", "https://", "//example.org"),
        *("javascript:x", "https://user:secret@example.org/", "https://exa mple/"),
        *("http://10.0.0.1/", "http://[::1]/"),
    ],
)
def test_a_rule_refuses_such_an_address_at_once(
    url: str, rule_of: Callable[..., AlertRule]
) -> None:
    with pytest.raises(Invalid):
        rule_of(addresses=[Address("webhook", url=url)])


def test_a_name_that_has_an_address_inside_is_refused_whatever_else_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The resolver is the outside world here: it says what a hostile name server would."""
    answers = [("93.184.216.34", 80), ("10.0.0.7", 80)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in answers]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(outgoing.Refused, match=r"10\.0\.0\.7"):
        outgoing.post("http://rebinding.example/", b"{}", {})


def test_many_addresses_of_one_host_are_one_place(
    run: Any, experiment: Any, rule_of: Callable[..., AlertRule], hook: Hook
) -> None:
    """Else a hundred rules of one person would aim the studio at somebody."""
    rule_of(name="one", addresses=[Address("webhook", url=f"{hook.url}&a={i}") for i in range(3)])
    destination = Destination.objects.order_by("pk").last()
    assert destination is not None

    tell(run)

    assert len(hook.seen) == 3
    assert len(sent_lately(destination, timezone.now())) == 3


def test_a_rule_of_ones_own_has_few_webhooks(rule_of: Callable[..., AlertRule]) -> None:
    with pytest.raises(Invalid):
        rule_of(addresses=[Address("webhook", url=f"https://example.org/{i}") for i in range(4)])


def test_histories_keep_no_address_that_lets_in(rule_of: Callable[..., AlertRule]) -> None:
    rule_of(addresses=[Address("slack", url="https://hooks.example.org/services/SECRET")])

    assert "SECRET" not in json.dumps(RuleEvent.objects.get().after)


def test_the_name_of_a_rule_is_no_markup_in_a_digest(
    run: Any, experiment: Any, rule_of: Callable[..., AlertRule], hook: Hook
) -> None:
    rule = rule_of(name="<!channel>", addresses=[Address("slack", url=hook.url)])
    AlertRule.objects.filter(pk=rule.pk).update(digest="hourly")
    for one in (run, make.run(experiment)):
        actions.fail_run(one, by=make.actor(one.submitter))
    match_news()

    send_due(timezone.now() + timedelta(hours=1))

    assert "<!channel>" not in json.loads(hook.seen[0][2])["text"]
