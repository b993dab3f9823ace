"""Names of experiments as foreign clients give them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0014_status_news")]
    operations = [
        migrations.AddField(
            "experiment", "title", models.CharField(blank=True, default="", max_length=500)
        ),
        migrations.AddConstraint(
            "experiment",
            models.UniqueConstraint(
                condition=~models.Q(title=""),
                fields=["workspace", "title"],
                name="experiment_title_once",
            ),
        ),
    ]
