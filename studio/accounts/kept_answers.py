"""Answers to changes that came with a key of the client's, for a client that did not get them."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from studio.accounts.models import KeptAnswer, User, Workspace

KEPT_FOR = timedelta(days=1)
PER_DELETE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that was asked for under a key; `address` says which, `body` with what."""

    user: User
    workspace: Workspace | None
    key: str
    address: str
    body: str

    def is_mine(self) -> bool:
        """Whether no other request under this key is under way, from now to the end of the
        transaction (1 query on PostgreSQL). On SQLite a transaction waits for the one before."""
        if connection.vendor != "postgresql":
            return True
        told = f"{self.user.pk} {self.address} {self.key}".encode()
        number = int.from_bytes(hashlib.sha256(told).digest()[:8], "big", signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            return bool(cursor.fetchone()[0])

    def find(self) -> KeptAnswer | None:
        """The answer that was given before (1 query)."""
        found = KeptAnswer.objects.filter(user=self.user, key=self.key, address=self.address)
        return found.first()

    def keep(self, code: int, answer: str) -> None:
        """To be called in the transaction of the change: both are there afterwards, or neither."""
        KeptAnswer.objects.create(
            user=self.user,
            workspace=self.workspace,
            key=self.key,
            address=self.address,
            body=self.body,
            code=code,
            answer=answer,
        )


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 in hex of some parts, none of which runs into the next."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        whole.update(b"%d " % len(raw))
        whole.update(raw)
    return whole.hexdigest()


def forget_answers() -> int:
    """Delete those that were given more than a day ago; how many."""
    n_gone = 0
    old = KeptAnswer.objects.filter(at__lt=timezone.now() - KEPT_FOR).order_by("pk")
    while keys := list(old.values_list("pk", flat=True)[:PER_DELETE]):
        n_gone += KeptAnswer.objects.filter(pk__in=keys).delete()[0]
    return n_gone
