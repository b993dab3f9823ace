"""What people type into forms, as it is meant."""

from studio.web.access import Request


def typed_text(request: Request, name: str = "text") -> str:
    """A field of several lines; browsers send their ends as CR LF."""
    return request.POST.get(name, "").replace("\r\n", "\n")


def number_in(text: str) -> int | None:
    """The version that a form or an address names, None for none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
