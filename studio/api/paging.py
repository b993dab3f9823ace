"""Pages of lists: {"items": […], "next": cursor or null}; a cursor names the last item seen."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.http import JsonResponse
from ninja.params.functions import Query

T = TypeVar("T")
MAX_LIMIT = 500
DEFAULT_LIMIT = 50
Limit = Query(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


def page(
    found: Sequence[T],
    *,
    limit: int,
    item: Callable[[T], dict[str, Any]],
    cursor: Callable[[T], str],
) -> JsonResponse:
    """The answer for `found`, of which one more than `limit` was asked for."""
    shown = found[:limit]
    more = len(found) > limit
    return JsonResponse(
        {"items": [item(one) for one in shown], "next": cursor(shown[-1]) if more else None}
    )
