"""What whoever takes a webhook may do: drip, hang, flood, lie about names and certificates."""

import gzip
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.alerts import outgoing, sending
from studio.alerts.drafts import Address
from studio.alerts.matching import match_news
from studio.alerts.models import AlertRule, Delivery, State
from studio.alerts.sending import LINES, send_due
from studio.runs import actions
from tests import make
from tests.alerts.mailbox import Mailbox
from tests.alerts.scripted import Server

HEAD = b"HTTP/1.1 200 OK\r\n"
NO = b"HTTP/1.1 500 No\r\n"


@pytest.fixture
def inside(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own addresses are allowed; a request has a second."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]
    monkeypatch.setattr(outgoing, "TOTAL_S", 1.0)


def answering(answer: Callable[[Server, socket.socket], None], host: str = "127.0.0.1") -> Server:
    """A server that reads the head of each request, then does as told."""

    def serve(connection: socket.socket) -> None:
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += connection.recv(65_536)
        server.seen.append(seen)
        answer(server, connection)

    server = Server(serve, host)
    return server


def says(text: bytes) -> Callable[[Server, socket.socket], None]:
    return lambda server, connection: connection.sendall(text)


def drips(before: bytes, what: bytes) -> Callable[[Server, socket.socket], None]:
    def answer(server: Server, connection: socket.socket) -> None:
        connection.sendall(before)
        server.drip(connection, what, every_s=0.01)

    return answer


def floods(before: bytes, what: bytes) -> Callable[[Server, socket.socket], None]:
    def answer(server: Server, connection: socket.socket) -> None:
        connection.sendall(before)
        while not server.over.is_set():
            connection.sendall(what * 1_000)

    return answer


def url_of(server: Server, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.port}/hook"


NEVER_ENDING = {
    "nothing": drips(b"", b""),
    "a status line byte by byte": drips(b"HTTP/1.1 2", b"0"),
    "a flood of 100": floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
GARBAGE = {
    "no HTTP": says(b"<html>HTTP/0.9 has no head</html>\n"),
    "a status that is none": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "nothing and the end": says(b""),
    "a flood of headers": floods(HEAD, b"X-More: 1\r\n"),
    "a long header": floods(HEAD + b"X-More: ", b"x" * 100),
}


@pytest.mark.parametrize("how", [*NEVER_ENDING, *GARBAGE])
def test_a_bad_answer_is_none_and_ends(how: str, inside: None) -> None:
    with answering((NEVER_ENDING | GARBAGE)[how]) as server, pytest.raises(outgoing.Away) as away:
        outgoing.post(url_of(server), b"{}", {})

    assert away.value.maybe_taken
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        drips(HEAD + b"\r\n", b"x"),
        floods(HEAD + b"\r\n", b"x" * 1_000),
        drips(HEAD, b"X-More: 1\r\n"),
        drips(HEAD + b"X-More: ", b"x"),
    ],
    ids=["a body byte by byte", "a flood", "headers for ever", "a header byte by byte"],
)
def test_who_took_it_may_say_whatever_they_like(
    body: Callable[[Server, socket.socket], None], inside: None
) -> None:
    with answering(body) as server:
        assert outgoing.post(url_of(server), b"{}", {}).is_accepted


@pytest.mark.parametrize(
    "body",
    [
        drips(NO + b"\r\n", b"x"),
        floods(NO + b"\r\n", b"x" * 1_000),
        says(NO + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50_000_000))),
        says(NO + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"),
    ],
    ids=["drip", "flood", "bomb", "bad chunks"],
)
def test_of_a_refusal_the_beginning_is_read(
    body: Callable[[Server, socket.socket], None], inside: None
) -> None:
    with answering(body) as server:
        answer = outgoing.post(url_of(server), b"{}", {})

    assert answer.status == 500
    assert len(answer.text) <= outgoing.MAX_ANSWER_BYTES


@pytest.fixture
def unproven(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that this machine made for itself."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_a_certificate_that_nobody_proves_is_refused(
    unproven: ssl.SSLContext, inside: None
) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with unproven.wrap_socket(connection, server_side=True) as secured:
            seen.append(secured.recv(65_536))

    with Server(serve) as server, pytest.raises(outgoing.Away, match="certificate"):
        outgoing.post(f"https://127.0.0.1:{server.port}/", b"secret", {})

    assert not seen


def test_a_tls_handshake_that_never_ends_is_cut(inside: None) -> None:
    with (
        Server(lambda connection: server.drip(connection, b"")) as server,
        pytest.raises(outgoing.Away, match="no answer in"),
    ):
        outgoing.post(f"https://127.0.0.1:{server.port}/", b"{}", {})


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A name server of somebody else: what it says to each question about `evil.example`."""
    known, answers = socket.getaddrinfo, list[list[str]]()

    def ask(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if host != "evil.example":
            return known(host, port, *more, **options)
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (family[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in answers.pop(0)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    return answers


def test_a_name_is_asked_for_once_and_the_checked_address_is_the_one_connected_to(
    resolver: list[list[str]], settings: Any
) -> None:
    """Whatever the name would mean at a second question, nobody asks it."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    with answering(says(HEAD + b"\r\n")) as server:
        resolver += [["127.0.0.1"], ["127.0.0.2"]]

        assert outgoing.post(url_of(server, "evil.example"), b"{}", {}).is_accepted

        assert resolver == [["127.0.0.2"]]
        assert b"\r\nHost: evil.example:" in server.seen[0]
        with pytest.raises(outgoing.Refused, match=r"127\.0\.0\.2"):
            outgoing.post(url_of(server, "evil.example"), b"{}", {})


def test_another_address_of_the_host_is_tried_when_the_first_is_dead(
    resolver: list[list[str]], inside: None
) -> None:
    with answering(says(HEAD + b"\r\n")) as server:
        resolver += [["::1", "127.0.0.1"]]

        assert outgoing.post(url_of(server, "evil.example"), b"{}", {}).is_accepted


@pytest.mark.parametrize("mixed", [["127.0.0.1", "10.0.0.1"], ["127.0.0.1", "::ffff:10.0.0.1"]])
def test_one_address_inside_is_enough_to_send_nothing(
    mixed: list[str], resolver: list[list[str]], settings: Any
) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    with answering(says(HEAD + b"\r\n")) as server:
        resolver += [mixed]

        with pytest.raises(outgoing.Refused):
            outgoing.post(url_of(server, "evil.example"), b"{}", {})

        assert not server.seen


def test_an_address_of_ipv6_is_taken_when_it_is_allowed(inside: None) -> None:
    with answering(says(HEAD + b"\r\n"), "::1") as server:
        assert outgoing.post(url_of(server, "[::1]"), b"{}", {}).is_accepted


@pytest.mark.parametrize(
    "url",
    [
        "http://[::127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[fec0::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[2001:db8::1]/",
        "http://[ff02::1]/",
        "http://[2002:a00:1::]/",
        "http://[5f00::1]/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://198.18.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1.:80/",
        "http://①②⑦.0.0.1/",
    ],
)
def test_other_ways_to_write_an_address_inside_lead_nowhere(url: str) -> None:
    with pytest.raises((outgoing.Refused, outgoing.Away)) as nowhere:
        outgoing.post(url, b"{}", {})

    assert not getattr(nowhere.value, "maybe_taken", False)


def test_the_documented_function_knows_a_genuine_message(
    run: Any, rule_of: Callable[..., AlertRule], inside: None
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (block,) = [block for block in blocks if "is_genuine" in block]
    documented: dict[str, Any] = {}
    exec(block, documented)
    got: list[bytes] = []

    def take(connection: socket.socket) -> None:
        seen = b""
        while not (length := re.search(rb"(?i)content-length: (\d+)", seen)) or len(
            seen.partition(b"\r\n\r\n")[2]
        ) < int(length[1]):
            seen += connection.recv(65_536)
        got.append(seen)
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    with Server(take) as server:
        rule = rule_of(addresses=[Address("webhook", url=url_of(server))])
        actions.fail_run(run, by=make.actor(run.submitter), reason="ж <b>")
        match_news()
        send_due()

    head, _, body = got[0].partition(b"\r\n\r\n")
    (signed,) = re.findall(rb"X-Studio-Signature: (.+?)\r\n", head)
    header = signed.decode()
    secret = rule.destinations.get().secret
    is_genuine = documented["is_genuine"]
    assert is_genuine(secret, header, body)
    assert not is_genuine(secret, header, body + b" ")
    assert not is_genuine("another", header, body)
    later = re.sub(r"t=\d+", f"t={int(time.time()) + 60}", header)
    assert not is_genuine(secret, later, body)


def test_a_webhook_that_hangs_holds_up_no_mail_and_is_asked_once_a_turn(
    experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox, inside: None
) -> None:
    with answering(drips(b"", b"")) as server:
        rule_of(addresses=[Address("email"), Address("webhook", url=url_of(server))])
        for _ in range(3):
            run = make.run(experiment)
            actions.fail_run(run, by=make.actor(run.submitter), reason="wrong")
        match_news()
        assert sending._turns["posts"].acquire(blocking=False)
        try:
            send_due()  # somebody waits for the webhook
        finally:
            sending._turns["posts"].release()
        assert len(mailbox.mails) == 3

        send_due(lines=[line for line in LINES if line == "posts"])

        assert server.n_connections == 1
    posts = Delivery.objects.filter(destination__channel="webhook")
    assert {one.state for one in posts} == {State.WAITING}
