"""What people type into forms, as it is meant."""

from studio.search.tree import UNSTORABLE
from studio.web.access import Request


def typed_text(request: Request, name: str = "text") -> str:
    """A field of several lines; browsers send their ends as CR LF."""
    return request.POST.get(name, "").replace("\r\n", "\n")


def storable(text: str) -> str:
    """The text of an address if a database can be asked for it, else "": no name is so."""
    return "" if UNSTORABLE.search(text) else text


def number_in(text: str) -> int | None:
    """The version that a form or an address names, None for none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
