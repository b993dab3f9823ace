"""Conditions on many ids, as quick to write out as on one."""

import json
from collections.abc import Collection
from typing import Any

from django.db.models import BigIntegerField, Func, Q, TextField, Value

from studio.queries.fixed import Given

# So many are cheaper written one by one, and databases see how many they are.
WRITTEN_OUT = 60


class IdsField(TextField):  # type: ignore[type-arg]
    """Ids as one text, the type of such a value in a query."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> str:
        return json.dumps(list(value))


class Ids(Func):
    """Keys as one parameter: Django takes 10 ms to write out 5,000 of them, and databases bound
    their number."""

    template = "(SELECT value FROM JSON_EACH(%(expressions)s))"
    output_field = BigIntegerField()

    def __init__(self, ids: Collection[int] | Given) -> None:
        super().__init__(
            ids if isinstance(ids, Given) else Value(list(ids), output_field=IdsField())
        )

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        template = "(SELECT JSON_ARRAY_ELEMENTS_TEXT(%(expressions)s::json)::bigint)"
        return self.as_sql(compiler, connection, template=template)


def any_of(ids: Collection[int]) -> Q:
    """The runs of these ids."""
    return Q(pk__in=ids if len(ids) <= WRITTEN_OUT else Ids(ids))
