"""Conditions on many ids of runs, quick to write out."""

import json
from collections.abc import Collection
from typing import Any

from django.db.models import BigIntegerField, Func, Q, TextField, Value

# So many are cheaper written one by one, and databases see how many they are.
WRITTEN_OUT = 60


class Ids(Func):
    """Keys as one parameter: Django takes 10 ms to write out 5,000 of them."""

    template = "(SELECT value FROM JSON_EACH(%(expressions)s))"
    output_field = BigIntegerField()

    def __init__(self, ids: Collection[int]) -> None:
        super().__init__(Value(json.dumps(list(ids)), output_field=TextField()))

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        template = "(SELECT JSON_ARRAY_ELEMENTS_TEXT(%(expressions)s::json)::bigint)"
        return self.as_sql(compiler, connection, template=template)


def any_of(ids: Collection[int]) -> Q:
    """The runs of these ids."""
    return Q(pk__in=ids if len(ids) <= WRITTEN_OUT else Ids(ids))
