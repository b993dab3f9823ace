"""Requests to addresses that people typed: they reach the internet, and nothing of ours.

The name is resolved here and the connection goes to the address that was checked, so neither a
redirect nor a name that changes its mind leads inside.
"""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util import Timeout, Url, parse_url

from studio.alerts.deadline import Deadline

TIMEOUT = Timeout(connect=5.0, read=10.0)
# The whole request with its answer.
TOTAL_S = 20.0
MOST_ADDRESSES = 3
MAX_ANSWER_BYTES = 2_000
# All of IPv6 that the internet has (so far): what is beside it is local, reserved or a tunnel.
IPV6_OUTSIDE = ipaddress.ip_network("2000::/3")
# Its last 32 bits are an IPv4 address (RFC 6052).
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """The address is none that the studio sends to; the text says why."""


class Away(Exception):
    """Nobody answered, or not in time: try again later. `maybe_taken`: they may have got it."""

    def __init__(self, text: str, *, maybe_taken: bool = True) -> None:
        super().__init__(text)
        self.maybe_taken = maybe_taken


@dataclass(frozen=True, slots=True)
class Answer:
    """`text`: the beginning of the body."""

    status: int
    text: str

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be accepted later."""
        return self.status in {408, 425, 429} or self.status >= 500


def check(url: str) -> Url:
    """The parts of an address that may be sent to, as far as it says itself; raises Refused."""
    try:
        parts = parse_url(url)
    except urllib3.exceptions.LocationParseError as error:
        raise Refused("This is no address. One looks like https://example.org/hook.") from error
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise Refused("The address must begin with https:// or http:// and name a host.")
    if parts.auth:
        raise Refused("The address must not hold a user name or password.")
    host = parts.host.strip("[]")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return parts
    _check_address(str(literal))
    return parts


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send, to an address outside only, within 20 s; redirects are answers. Raises Refused or
    Away."""
    parts = check(url)
    host = (parts.host or "").strip("[]")
    shown = parts.host if parts.port is None else f"{parts.host}:{parts.port}"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    away = Away(f"{host} did not take it.", maybe_taken=False)
    with Deadline(TOTAL_S) as deadline:
        for address in _resolve(host, port)[:MOST_ADDRESSES]:
            pool = _pool(parts.scheme or "", address, port, host=host, deadline=deadline)
            try:
                return _asked(pool, parts.request_uri, body, {**headers, "Host": str(shown)})
            except (NewConnectionError, ConnectTimeoutError) as error:
                away = Away(f"{host} did not take it: {_words(error)}", maybe_taken=False)
            except (HTTPError, OSError) as error:
                why = f"no answer in {TOTAL_S:.0f} s" if deadline.has_passed else _words(error)
                raise Away(f"{host} did not take it: {why}") from error
            finally:
                pool.close()
    raise away


def _pool(
    scheme: str, address: str, port: int, *, host: str, deadline: Deadline
) -> urllib3.HTTPConnectionPool:
    """For one connection to the address, whoever's certificate must be the host's."""
    if scheme == "https":
        secure = urllib3.HTTPSConnectionPool(
            address,
            port,
            timeout=TIMEOUT,
            deadline=deadline,
            server_hostname=host,
            assert_hostname=host,
        )
        secure.ConnectionCls = _WatchedSecure
        return secure
    pool = urllib3.HTTPConnectionPool(address, port, timeout=TIMEOUT, deadline=deadline)
    pool.ConnectionCls = _Watched
    return pool


def _asked(
    pool: urllib3.HTTPConnectionPool, uri: str, body: bytes, headers: dict[str, str]
) -> Answer:
    found = pool.urlopen(
        "POST",
        uri,
        body=body,
        headers=headers,
        redirect=False,
        retries=False,
        preload_content=False,
        decode_content=False,
    )
    answer = Answer(found.status, "")
    if answer.is_accepted:
        return answer
    try:
        text = found.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
    except (HTTPError, OSError):
        return answer  # its status is all they said
    return Answer(found.status, text)


class _Watched(HTTPConnection):
    def __init__(self, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(*args, **options)
        self.deadline = deadline

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self.deadline.watch(made)
        return made


class _WatchedSecure(HTTPSConnection):
    def __init__(self, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(*args, **options)
        self.deadline = deadline

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self.deadline.watch(made)
        return made


def _words(error: Exception) -> str:
    # urllib3 puts the whole connection object before what happened.
    return str(error).rpartition(">, ")[2].rpartition(": ")[2][:300] or type(error).__name__


def _resolve(host: str, port: int) -> Sequence[str]:
    """The host's addresses, all of which must be outside."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Away(f"There is no host “{host[:200]}”.", maybe_taken=False) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        _check_address(address)
    return addresses


def _check_address(text: str) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    known = getattr(address, "ipv4_mapped", None) or address
    if any(known in network for network in allowed_networks() if network.version == known.version):
        return
    if not _is_outside(known):
        raise Refused(
            f"{text} is an address inside a private network. Whoever runs the studio can allow"
            " networks by STUDIO_WEBHOOK_NETWORKS."
        )


def _is_outside(known: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(known, ipaddress.IPv4Address):
        return known.is_global and not known.is_multicast
    if known in NAT64:
        return _is_outside(ipaddress.IPv4Address(int(known) & 0xFFFFFFFF))
    inner = filter(None, [known.sixtofour, *(known.teredo or ())])
    return known in IPV6_OUTSIDE and known.is_global and all(map(_is_outside, inner))


def allowed_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The private networks that webhooks may be in, by setting."""
    return [ipaddress.ip_network(text) for text in settings.WEBHOOK_NETWORKS]
