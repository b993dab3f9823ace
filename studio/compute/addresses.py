"""Logins in addresses: found, so that they are refused, and masked, so that nobody reads them."""

import re

# Up to the last “@” before the path: a password may hold one.
LOGIN = re.compile(r"(?<=://)[^/\s]*@")
SSH = "ssh://"


def has_secret_login(text: str) -> bool:
    """Whether an address in the text has a password or token in it; the name alone that ssh asks
    for (`git+ssh://git@…`) is none."""
    return any(
        ":" in found[0] or text[max(0, found.start() - len(SSH)) : found.start()].lower() != SSH
        for found in LOGIN.finditer(text)
    )


def without_logins(text: str) -> str:
    """The text with **** in place of each login."""
    return LOGIN.sub("****@", text)
