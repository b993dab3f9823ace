"""How often a password was tried in vain: for pages and for programs alike.

Counted in the memory of this process for TRIES_WINDOW_S. Three counters, so that neither many
sources for one account nor many accounts from one source go on for long.
"""

import hashlib
from contextlib import suppress

from django.core.cache import cache

from studio.accounts.models import BrowserSession

TRIES_WINDOW_S = 300
# Of one account from one source; of one account from everywhere; from one source at all.
TRIES, TRIES_OF_ACCOUNT, TRIES_OF_SOURCE = 10, 50, 100


class Tries:
    """Those for the account called `name` from `address` (as `sources.address_of` tells it)."""

    def __init__(self, name: str, address: str) -> None:
        folded = name.casefold()[:150].encode(errors="replace")
        self.name, self.address = name, address
        account = hashlib.sha256(folded).hexdigest()
        self.pair = f"sign-in:{address}:{account}"
        self.account = f"sign-in-account:{account}"
        self.source = f"sign-in-source:{address}"

    @property
    def are_used_up(self) -> bool:
        """Whether to ask for patience instead of looking at a password. An account that others
        guess at stays open where it has a session: nobody locks its person out (at most 1 query).
        """
        if _n(self.pair) >= TRIES or _n(self.source) >= TRIES_OF_SOURCE:
            return True
        return _n(self.account) >= TRIES_OF_ACCOUNT and not self._is_known_here()

    @property
    def is_first_refusal(self) -> bool:
        """Whether this is the first refusal without a look in this window: one is recorded."""
        return bool(cache.add(f"{self.pair}:told", 1, TRIES_WINDOW_S))

    def count(self) -> None:
        """One more was wrong."""
        for key in (self.pair, self.account, self.source):
            cache.add(key, 0, TRIES_WINDOW_S)
            # It may run out between the two lines.
            with suppress(ValueError):
                cache.incr(key)

    def forget(self) -> None:
        """The password was right: nothing was guessed from here. The other counters stay, or an
        account of one's own would reset them."""
        cache.delete(self.pair)

    def _is_known_here(self) -> bool:
        sessions = BrowserSession.objects.filter(address=self.address)
        return sessions.filter(user__username=self.name).exists()


def _n(key: str) -> int:
    return int(cache.get(key, 0))
