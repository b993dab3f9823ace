"""Requests to addresses that people typed: they reach the internet, and nothing of ours.

The name is resolved here and the connection goes to the address that was checked, so neither a
redirect nor a name that changes its mind leads inside.
"""

import ipaddress
import socket
from dataclasses import dataclass

import urllib3
from django.conf import settings
from urllib3.util import Timeout, Url, parse_url

TIMEOUT = Timeout(connect=5.0, read=10.0)
MAX_ANSWER_BYTES = 2_000
# Its last 32 bits are an IPv4 address (RFC 6052).
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """The address is none that the studio sends to; the text says why."""


class Away(Exception):
    """Nobody answered, or not in time: try again later."""


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
    """Send, to an address outside only; redirects are answers. Raises Refused or Away."""
    parts = check(url)
    host = (parts.host or "").strip("[]")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolve(host, port)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=TIMEOUT, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=TIMEOUT)
    shown = parts.host if parts.port is None else f"{parts.host}:{parts.port}"
    try:
        answer = pool.urlopen(
            "POST",
            parts.request_uri,
            body=body,
            headers={**headers, "Host": str(shown)},
            redirect=False,
            retries=False,
            preload_content=False,
        )
        text = answer.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
        return Answer(answer.status, text)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Away(f"{host} did not take it: {_words(error)}") from error
    finally:
        pool.close()


def _words(error: Exception) -> str:
    # urllib3 puts the whole connection object before what happened.
    return str(error).rpartition(">, ")[2].rpartition(": ")[2][:300] or type(error).__name__


def _resolve(host: str, port: int) -> str:
    """The first of the host's addresses, all of which must be outside."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Away(f"There is no host “{host[:200]}”.") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        _check_address(address)
    return addresses[0]


def _check_address(text: str) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    known = getattr(address, "ipv4_mapped", None) or address
    if any(known in network for network in allowed_networks() if network.version == known.version):
        return
    inner = [getattr(known, "sixtofour", None), *(getattr(known, "teredo", None) or ())]
    if known in NAT64:
        inner.append(ipaddress.IPv4Address(int(known) & 0xFFFFFFFF))
    if not all(one.is_global and not one.is_multicast for one in [known, *filter(None, inner)]):
        raise Refused(
            f"{text} is an address inside a private network. Whoever runs the studio can allow"
            " networks by STUDIO_WEBHOOK_NETWORKS."
        )


def allowed_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The private networks that webhooks may be in, by setting."""
    return [ipaddress.ip_network(text) for text in settings.WEBHOOK_NETWORKS]
