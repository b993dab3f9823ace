"""The scope “admin” of tokens: those there are keep what they may do."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def raise_scopes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    tokens = apps.get_model("accounts", "ApiToken").objects
    tokens.filter(scope="write", run_uid="").update(scope="admin")


def lower_scopes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("accounts", "ApiToken").objects.filter(scope="admin").update(scope="write")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_sign_ins")]

    operations = [
        migrations.AlterField(
            model_name="apitoken",
            name="scope",
            field=models.CharField(
                choices=[
                    ("read", "Read"),
                    ("write", "Read and write"),
                    ("admin", "Read, write and manage"),
                ],
                max_length=10,
            ),
        ),
        migrations.RunPython(raise_scopes, lower_scopes),
    ]
