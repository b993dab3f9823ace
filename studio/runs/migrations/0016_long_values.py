"""What follows values of tags and parameters that are too long for an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0015_experiment_titles")]
    operations = [
        migrations.AddField("tag", "rest", models.TextField(blank=True, null=True)),
        migrations.AddField("parameter", "rest", models.TextField(blank=True, null=True)),
    ]
