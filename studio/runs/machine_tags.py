"""Tags that a client writes for itself, such as `mlflow.source.name`: kept and searched like all
tags, but apart from those of people on pages."""

from django.db.models import Q, Value
from django.db.models.functions import Left
from django.db.models.lookups import Exact

PREFIX = "mlflow."


def is_machine_tag(key: str) -> bool:
    """Whether a client of a program wrote a tag of this key for itself."""
    return key.startswith(PREFIX)


# The same of rows. Not LIKE, which takes no heed of case on SQLite.
OF_MACHINES = Q(Exact(Left("key", len(PREFIX)), Value(PREFIX)))
