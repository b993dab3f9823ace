"""`manage.py createworkspace NAME --owner USER`: a new workspace."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from studio.accounts.actions import add_workspace
from studio.accounts.models import User, Workspace


class Command(BaseCommand):
    help = "Make a workspace with a person as its owner, and print its page."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="letters, digits, - and _; it stands in addresses")
        parser.add_argument("--owner", required=True, help="user name of the first owner")

    def handle(self, *args: Any, **options: Any) -> str:
        name, owner = options["name"], options["owner"]
        user = User.objects.filter(username=owner, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user “{owner}”.")
        try:
            Workspace._meta.get_field("name").clean(name, None)
        except ValidationError as wrong:
            raise CommandError(f"“{name}” can't be a name: {' '.join(wrong.messages)}") from wrong
        if Workspace.objects.filter(name=name).exists():
            raise CommandError(f"There is a workspace “{name}”. Take another name.")
        return reverse("run-list", args=[add_workspace(name, owner=user).name])
