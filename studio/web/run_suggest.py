"""What the search bar offers while somebody types, and how it tells of half a condition."""

from typing import Any

from django.http import HttpResponse

from studio.search.scanner import MAX_CHARACTERS
from studio.search.suggest import suggest
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_parts
from studio.web.run_list_reading import Wrong

# static/js/suggest.js sends it with a search that began by typing: where the cursor stands.
TYPING = "X-Typing-At"
# Their place is the beginning of what the typing has not closed yet.
_OPENED = ("(", '"')


@page
def run_suggest(request: Request) -> HttpResponse:
    """The ways to go on at `cursor` in `text`, counted in code points (at most 4 queries and those
    of the page); an empty list for what is too long to be read."""
    text = request.GET.get("text", "")
    cursor = _cursor(request.GET.get("cursor", ""), len(text))
    is_readable = len(text) <= MAX_CHARACTERS
    found = suggest(request.workspace, text, cursor) if is_readable else []
    context = {**frame(request, active="runs"), "suggestions": found}
    return render_parts(request, ["runs/_suggestions.html"], context)


def typing_context(request: Request, wrong: Wrong) -> dict[str, Any]:
    """How `runs/_query_error.html` tells of a mistake: is_typing: whether the search began by
    typing; is_half_typed: whether only the end is missing that somebody has not typed yet."""
    typed_at = request.headers.get(TYPING, "")
    if not typed_at or wrong.field != "q":
        return {"is_typing": False, "is_half_typed": False}
    cursor = _cursor(typed_at, len(wrong.text))
    reaches = wrong.position <= cursor <= wrong.position + wrong.length
    is_open = wrong.text.startswith(_OPENED, wrong.position) and cursor > wrong.position
    return {"is_typing": True, "is_half_typed": reaches or is_open}


def _cursor(text: str, default: int) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= 6
    return min(int(text), default) if is_number else default
