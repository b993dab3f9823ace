"""`manage.py createworkspace NAME --owner USER`: a new workspace."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from studio.accounts.new_workspaces import WrongWorkspace, found_workspace


class Command(BaseCommand):
    help = "Make a workspace with a person as its owner, and print its page."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="letters, digits, - and _; it stands in addresses")
        parser.add_argument("--owner", required=True, help="user name of the first owner")

    def handle(self, *args: Any, **options: Any) -> str:
        try:
            made = found_workspace(options["name"], options["owner"])
        except WrongWorkspace as wrong:
            raise CommandError(str(wrong)) from wrong
        return reverse("run-list", args=[made.name])
