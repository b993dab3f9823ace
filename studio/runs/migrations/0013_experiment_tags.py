"""Tags of experiments."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0012_evidence")]
    operations = [
        migrations.AddField("experiment", "tags", models.JSONField(blank=True, default=dict)),
    ]
