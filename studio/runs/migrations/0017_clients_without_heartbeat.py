"""Runs whose clients send no heartbeat."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0016_long_values")]
    operations = [
        migrations.AddField("run", "has_heartbeat", models.BooleanField(default=True)),
    ]
