"""Where a page ends, as text: the values a run was sorted by, and its id. Signed, so that one who
makes a cursor up, or uses it for another order, gets the first page."""

import base64
import binascii
import json
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.crypto import constant_time_compare, salted_hmac

VERSION = "2"
SIGNATURE_BYTES = 9


class Place(NamedTuple):
    """A run's place in an order: its value in each lane, None for none, and its id."""

    values: tuple[Any, ...]
    pk: int

    @property
    def stage(self) -> int:
        """Index of the first lane with a value; their number when there is none."""
        for index, value in enumerate(self.values):
            if value is not None:
                return index
        return len(self.values)


def write_cursor(place: Place, order: str) -> str:
    """The text of a place in the order of that name."""
    packed = [{"at": v.isoformat()} if isinstance(v, datetime) else v for v in place.values]
    body = json.dumps([packed, place.pk], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(body, order) + body).decode().rstrip("=")


def read_cursor(cursor: str, order: str) -> Place | None:
    """The place a cursor of this order names; None for what somebody made up."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error):
        return None
    signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if not constant_time_compare(signature, _signature(body, order)):
        return None
    values, pk = json.loads(body)
    return Place(tuple(map(_value, values)), pk)


def _value(packed: Any) -> Any:
    return datetime.fromisoformat(packed["at"]) if isinstance(packed, dict) else packed


def _signature(body: bytes, order: str) -> bytes:
    salt = f"studio.search.cursors/{VERSION}/{order}"
    return salted_hmac(salt, body, algorithm="sha256").digest()[:SIGNATURE_BYTES]
