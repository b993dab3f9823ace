"""What is known of a run that did not end by itself."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0011_dependencies")]
    operations = [
        migrations.AddField("run", "evidence", models.JSONField(null=True, blank=True)),
    ]
