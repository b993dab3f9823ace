"""The last-used workspace is a cookie: opening a page writes nothing."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RemoveField("user", "last_workspace")]
