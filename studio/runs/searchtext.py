"""Keeps the column that bare words search: one casefolded text per run."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from studio.runs.models import Description, Run, RunText


def folded(text: str) -> str:
    """The form in which texts are stored and asked for: NFC, casefolded."""
    return unicodedata.normalize("NFC", text).casefold()


def body_of(name: str, description: str, tags: Iterable[tuple[str, str | None]]) -> str:
    lines = [name, *(key if value is None else f"{key}: {value}" for key, value in tags)]
    return folded("\n".join([*lines, description]))


def refresh(run: Run) -> None:
    """Write the run's search text again from its name, tags and description (3 queries)."""
    description = Description.objects.filter(run=run).values_list("text", flat=True).first() or ""
    tags = run.tags.order_by("key").values_list("key", "value")
    body = body_of(run.display_name, description, tags)
    RunText.objects.update_or_create(run=run, defaults={"body": body})


def refresh_many(runs: Sequence[Run], tags: Mapping[int, Mapping[str, str | None]]) -> None:
    """As `refresh`, for runs whose tags by id are known (2 queries)."""
    ids = [run.pk for run in runs]
    texts = dict(Description.objects.filter(run__in=ids).values_list("run_id", "text"))
    RunText.objects.bulk_create(
        [
            RunText(
                run=run,
                body=body_of(run.display_name, texts.get(run.pk, ""), sorted(tags[run.pk].items())),
            )
            for run in runs
        ],
        update_conflicts=True,
        unique_fields=["run"],
        update_fields=["body"],
    )
