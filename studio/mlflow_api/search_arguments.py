"""What searches of runs and of experiments have in common: sizes, views, tokens of pages."""

import hashlib
import json
from enum import StrEnum
from typing import Any

from studio.mlflow_api.asked import Asked
from studio.mlflow_api.errors import wrong
from studio.search.cursors import Place, read_cursor, write_cursor

MOST_RESULTS = 50_000


class View(StrEnum):
    """Which of the deleted and the others are asked for."""

    ACTIVE = "ACTIVE_ONLY"
    DELETED = "DELETED_ONLY"
    ALL = "ALL"


# As the protocol numbers them.
_NUMBERED = {"1": View.ACTIVE, "2": View.DELETED, "3": View.ALL}


def view_of(asked: Asked, name: str) -> View:
    """The view by its name or number; ACTIVE for what there is not, as names of other versions."""
    given = asked.arguments.get(name)
    if isinstance(given, int | str) and str(given) in _NUMBERED:
        return _NUMBERED[str(given)]
    return View(given) if isinstance(given, str) and given in set(View) else View.ACTIVE


def size_of(asked: Asked, default: int) -> int:
    """How many results a page holds. Raises MlflowError."""
    found = asked.whole_or("max_results", default)
    if found is None or not 1 <= found <= MOST_RESULTS:
        raise wrong(
            f"Invalid value {found} for parameter 'max_results' supplied. It must be a positive "
            f"integer of at most {MOST_RESULTS}."
        )
    return found


def name_of(*asked: Any) -> str:
    """A query in short: a token is good for the one it was made by."""
    text = json.dumps(asked, ensure_ascii=True, default=str)
    return f"mlflow/{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def place_of(token: str, name: str) -> Place | None:
    """Where a page begins; None for no token. Raises MlflowError for a damaged one, and for that of
    another query."""
    if not token:
        return None
    found = read_cursor(token, name)
    if found is None:
        raise wrong(
            "Invalid page_token: it is damaged, or of a search with another filter, order, view or "
            "other experiments."
        )
    return found


def token_of(place: Place, name: str) -> str:
    return write_cursor(place, name)
