"""Outlines count what they leave out, and hold the earliest and the latest point."""

from typing import Any

from django.db import migrations, models

from studio.metrics.outlines import outline_of


def count(apps: Any, schema_editor: Any) -> None:
    outlines = apps.get_model("metrics", "Outline").objects
    last_seen = 0
    while some := list(
        outlines.filter(pk__gt=last_seen).select_related("chunk").order_by("pk")[:200]
    ):
        for outline in some:
            outline.data, n = outline_of(outline.chunk.data)
            outline.n_gaps, outline.n_low = n.n_gaps, n.n_low
        outlines.bulk_update(some, ["data", "n_gaps", "n_low"])
        last_seen = some[-1].pk


class Migration(migrations.Migration):
    dependencies = [("metrics", "0004_outlines")]
    operations = [
        migrations.AddField("outline", "n_gaps", models.IntegerField(default=0)),
        migrations.AddField("outline", "n_low", models.IntegerField(default=0)),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
