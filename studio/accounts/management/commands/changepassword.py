"""`manage.py changepassword USER`: as Django's, with what another password means on the pages."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from studio.accounts.models import User
from studio.accounts.sessions import note_new_password


class Command(changepassword.Command):
    help = "Ask for another password of a user; their sessions end, and the change is recorded."

    def handle(self, *args: Any, **options: Any) -> str:
        options["username"] = options["username"] or getpass.getuser()
        told = str(super().handle(*args, **options))
        # Not around the question: a transaction must not wait for somebody who types.
        user = User.objects.get(username=options["username"])
        note_new_password(user, actor="command line")
        return told
