"""`manage.py createtoken USER --workspace W --scope write`: prints the new token, nothing else."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studio.accounts.actions import WrongToken, make_token
from studio.accounts.models import Scope, User, Workspace
from studio.accounts.permissions import NotAllowed
from studio.accounts.sign_ins import record_sign_in


class Command(BaseCommand):
    help = "Make an API token for a user and print it (it can't be shown again)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--workspace", help="limit the token to this workspace")
        parser.add_argument("--scope", choices=Scope.values, default=Scope.WRITE.value)
        parser.add_argument("--name", default="command line")

    def handle(self, *args: Any, **options: Any) -> str:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user “{options['user']}”.")
        workspace = None
        if options["workspace"]:
            workspace = Workspace.objects.open().filter(name=options["workspace"]).first()
            if workspace is None:
                raise CommandError(f"There is no workspace “{options['workspace']}”.")
        try:
            token, secret = make_token(
                user, name=options["name"], scope=Scope(options["scope"]), workspace=workspace
            )
        except (NotAllowed, WrongToken) as refused:
            raise CommandError(str(refused)) from refused
        record_sign_in("token-made", user=user, actor="command line", detail=token.name)
        return secret
