"""A workspace can be closed, and then deleted. The columns may be empty: older code, which does not
know them, goes on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_admin_scope")]

    operations = [
        migrations.AddField(
            model_name="workspace",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="closed_by",
            field=models.CharField(blank=True, max_length=200, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="deletion_began_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
