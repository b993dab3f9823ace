"""Wrong passwords are counted in the database, for all web processes together. A table of its own:
older code, which does not know it, goes on."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_squashed_0007_closed_workspaces")]

    operations = [
        migrations.CreateModel(
            name="WrongPassword",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("account", models.CharField(max_length=64)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("forgiven", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["account", "at"], name="wrong_password_of_account"),
                    models.Index(fields=["address", "at"], name="wrong_password_from"),
                ],
            },
        )
    ]
