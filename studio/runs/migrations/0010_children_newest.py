"""The child runs of one run, newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0009_attachments")]
    operations = [
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["parent", "-created_at", "-id"],
                name="run_children_newest",
                condition=models.Q(parent__isnull=False, deleted_at=None, archived_at=None),
            ),
        ),
    ]
