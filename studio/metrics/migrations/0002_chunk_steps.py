"""Which steps a chunk holds, so that the value at one step is found without reading all of them."""

from typing import Any

from django.db import migrations, models

from studio.metrics.packing import unpack


def read_steps(apps: Any, schema_editor: Any) -> None:
    chunks = apps.get_model("metrics", "MetricChunk").objects
    last_seen = 0
    while some := list(chunks.filter(pk__gt=last_seen).order_by("pk")[:200]):
        for chunk in some:
            steps = unpack(chunk.data).steps
            if len(steps):
                chunk.first_step, chunk.last_step = int(steps.min()), int(steps.max())
        chunks.bulk_update(some, ["first_step", "last_step"])
        last_seen = some[-1].pk


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_initial")]
    operations = [
        migrations.AddField("metricchunk", "first_step", models.BigIntegerField(default=0)),
        migrations.AddField("metricchunk", "last_step", models.BigIntegerField(default=0)),
        migrations.RunPython(read_steps, migrations.RunPython.noop),
    ]
