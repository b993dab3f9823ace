"""Counting queries."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext


@pytest.fixture
def count_queries() -> Callable[[Callable[[], object]], int]:
    """The number of queries a call makes; savepoints and BEGIN are not counted."""

    def count(call: Callable[[], object]) -> int:
        call()  # notes that the token was used, once a minute
        with CaptureQueriesContext(connection) as caught:
            call()
        return sum("SAVEPOINT" not in query["sql"] for query in caught.captured_queries)

    return count
