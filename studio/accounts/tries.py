"""How often a password was tried in vain: for pages and for programs, in all processes alike.

Counted in the database for TRIES_WINDOW_S each. Three counters, so that neither many sources for
one account nor many accounts from one source go on for long.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property

from django.core.cache import cache
from django.db.models import Count, Q
from django.utils import timezone

from studio.accounts.models import BrowserSession, WrongPassword

TRIES_WINDOW_S = 300
# Of one account from one source; of one account from everywhere; from one source at all.
TRIES, TRIES_OF_ACCOUNT, TRIES_OF_SOURCE = 10, 50, 100
PER_DELETE = 500


class Tries:
    """Those for the account called `name` from `address` (as `sources.address_of` tells it), as
    they are when first asked for."""

    def __init__(self, name: str, address: str) -> None:
        folded = name.casefold()[:150].encode(errors="replace")
        self.name, self.address = name, address
        self.account = hashlib.sha256(folded).hexdigest()

    @property
    def are_used_up(self) -> bool:
        """Whether to ask for patience instead of looking at a password. An account that others
        guess at stays open where it has a session: nobody locks its person out (1 query, 1 more
        for an account that many guess at).
        """
        if self._n["pair"] >= TRIES or self._n["source"] >= TRIES_OF_SOURCE:
            return True
        return self._n["account"] >= TRIES_OF_ACCOUNT and not self._is_known_here()

    @property
    def is_first_refusal(self) -> bool:
        """Whether this is the first refusal without a look in this window, in this process: one is
        recorded."""
        return bool(cache.add(f"told:{self.address}:{self.account}", 1, TRIES_WINDOW_S))

    def count(self) -> None:
        """One more was wrong (1 query)."""
        WrongPassword.objects.create(account=self.account, address=self.address)

    def forget(self) -> None:
        """The password was right: nothing was guessed from here. The other counters stay, or an
        account of one's own would reset them (1 query, none where nothing was wrong)."""
        if self._n["pair"]:
            WrongPassword.objects.filter(self._pair).update(forgiven=True)

    @cached_property
    def _n(self) -> Mapping[str, int]:
        account, source = Q(account=self.account), Q(address=self.address)
        found = WrongPassword.objects.filter(account | source, at__gt=_window()).aggregate(
            pair=Count("pk", filter=self._pair),
            account=Count("pk", filter=account),
            source=Count("pk", filter=source),
        )
        return {counter: int(n) for counter, n in found.items()}

    @property
    def _pair(self) -> Q:
        return Q(account=self.account, address=self.address, forgiven=False)

    def _is_known_here(self) -> bool:
        sessions = BrowserSession.objects.filter(address=self.address)
        return sessions.filter(user__username=self.name).exists()


def forget_tries() -> int:
    """Delete what counts no more; how many."""
    n_gone = 0
    old = (
        WrongPassword.objects.filter(at__lte=_window()).order_by("pk").values_list("pk", flat=True)
    )
    while keys := list(old[:PER_DELETE]):
        n_gone += WrongPassword.objects.filter(pk__in=keys).delete()[0]
    return n_gone


def _window() -> datetime:
    return timezone.now() - timedelta(seconds=TRIES_WINDOW_S)
