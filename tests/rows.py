"""Everything the database holds, to prove that a refused request changed nothing."""

from typing import Any

from django.apps import apps

# Written by signing in and by asking, not by what was asked for.
VOLATILE = {"last_login", "last_used_at"}
NOT_OURS = {"sessions.session", "contenttypes.contenttype"}

Rows = dict[str, list[dict[str, Any]]]


def all_rows() -> Rows:
    """Table label -> its rows in the order of their keys; tables of Django itself left out."""
    return {
        model._meta.label_lower: [
            {key: value for key, value in row.items() if key not in VOLATILE}
            for row in model._base_manager.order_by("pk").values()
        ]
        for model in apps.get_models(include_auto_created=True)
        if model._meta.label_lower not in NOT_OURS
    }


def changed_tables(before: Rows) -> list[str]:
    """The tables that differ from `before` by now."""
    now = all_rows()
    return sorted(label for label in now if now[label] != before.get(label))
