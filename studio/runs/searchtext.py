"""Keeps the column that bare words search, one casefolded text per run, and the beginnings of its
tags and description that lists sort by."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from studio.runs.limits import MAX_VALUE
from studio.runs.machine_tags import is_machine_tag
from studio.runs.models import SORTED_CHARS, Description, Run, RunText

# Of a description, so much is read for its first words.
_ENOUGH = 20 * SORTED_CHARS


def folded(text: str) -> str:
    """The form in which texts are stored and asked for: NFC, casefolded."""
    return unicodedata.normalize("NFC", text).casefold()


def body_of(name: str, description: str, tags: Iterable[tuple[str, str | None]]) -> str:
    words = (key if value is None else f"{key}: {value[:MAX_VALUE]}" for key, value in tags)
    return folded("\n".join([name, *words, description]))


def first_tag_of(tags: Mapping[str, str | None]) -> str | None:
    """What a run sorts by among tags: its first tag by key, `key: value`, of those that lists show;
    None without any."""
    key = min((key for key in tags if not is_machine_tag(key)), default=None)
    if key is None:
        return None
    return (f"{key}: {tags[key]}" if tags[key] else key)[:SORTED_CHARS]


def start_of(description: str) -> str | None:
    """What a run sorts by among descriptions: the first words on one line; None without any."""
    return " ".join(description[:_ENOUGH].split())[:SORTED_CHARS].rstrip() or None


def refresh(run: Run) -> None:
    """Write what is searched and sorted by again from the run's name, tags and description (4
    queries)."""
    description = Description.objects.filter(run=run).values_list("text", flat=True).first() or ""
    tags = dict(run.tags.order_by("key").values_list("key", "value"))
    run.first_tag, run.description_start = first_tag_of(tags), start_of(description)
    Run.objects.filter(pk=run.pk).update(
        first_tag=run.first_tag, description_start=run.description_start
    )
    body = body_of(run.display_name, description, tags.items())
    RunText.objects.update_or_create(run=run, defaults={"body": body})


def refresh_many(runs: Sequence[Run], tags: Mapping[int, Mapping[str, str | None]]) -> None:
    """As `refresh` for runs whose tags changed and are known by id (3 queries for each 500)."""
    changed = []
    for run in runs:
        first_tag = first_tag_of(tags[run.pk])
        if first_tag != run.first_tag:
            run.first_tag = first_tag
            changed.append(run)
    Run.objects.bulk_update(changed, ["first_tag"], batch_size=500)
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
