"""`manage.py workspace close|reopen|delete NAME`: take a workspace away from everybody, give it
back, or delete it for good."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.blobs import BlobError
from studio.operations.closing import (
    WrongWorkspace,
    close_workspace,
    find_workspace,
    reopen_workspace,
)
from studio.operations.emptying import delete_workspace, refuse_open, size_of

BY = Actor(name="command line")
CLOSE = (
    "Close a workspace: to everybody, every token and every program it is as if it were not there."
    " Its runs are cancelled. Nothing is deleted; its name stays taken."
)
REOPEN = "Open a closed workspace again, with everything that was in it."
DELETE = (
    "Delete a closed workspace for good: its runs, files, members, views, rules and history."
    " Interrupted, it goes on when it is started again."
)
AGAIN = "Start the same command again: it goes on where it stopped."


class Command(BaseCommand):
    help = "Close a workspace, open it again, or delete it for good."

    def add_arguments(self, parser: CommandParser) -> None:
        tasks = parser.add_subparsers(dest="task", required=True, metavar="{close,reopen,delete}")
        for task, told in (("close", CLOSE), ("reopen", REOPEN), ("delete", DELETE)):
            words = tasks.add_parser(task, help=told, description=told)
            words.add_argument("name", help="of the workspace")
            if task == "delete":
                words.add_argument("--yes", action="store_true", help="do not ask for the name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            workspace = find_workspace(options["name"])
            if options["task"] == "close":
                self._close(workspace)
            elif options["task"] == "reopen":
                self._reopen(workspace)
            else:
                self._delete(workspace, is_sure=options["yes"])
        except WrongWorkspace as refused:
            raise CommandError(str(refused)) from refused
        except (DatabaseError, InterfaceError, BlobError, OSError) as problem:
            raise CommandError(f"Stopped: {problem}. {AGAIN}") from problem
        except KeyboardInterrupt as stopped:
            raise CommandError(f"Stopped. {AGAIN}") from stopped

    def _close(self, workspace: Workspace) -> None:
        ending = close_workspace(workspace, by=BY)
        self.stdout.write(f"“{workspace.name}” is closed: nobody finds it any more.")
        if ending.n_runs:
            self.stdout.write(f"{_counted(ending.n_runs, 'run')} cancelled.")
        if ending.n_works:
            self.stdout.write(f"{_counted(ending.n_works, 'background job')} cancelled.")
        if ending.n_waiting:
            self.stdout.write(f"{_counted(ending.n_waiting, 'run')} still ending on workers.")

    def _reopen(self, workspace: Workspace) -> None:
        if not reopen_workspace(workspace, by=BY):
            raise WrongWorkspace(f"“{workspace.name}” is open.")
        self.stdout.write(f"“{workspace.name}” is open again.")

    def _delete(self, workspace: Workspace, *, is_sure: bool) -> None:
        refuse_open(workspace)
        if not is_sure:
            self._ask(workspace)
        done = delete_workspace(workspace, self.stderr.write, by=BY)
        self.stdout.write(
            f"“{workspace.name}” is deleted: {_counted(done.n_runs, 'run')},"
            f" {_counted(done.n_files, 'file')}, {_counted(done.n_rows, 'other row')}."
        )

    def _ask(self, workspace: Workspace) -> None:
        sizes = ", ".join(f"{n:,} {what}" for what, n in size_of(workspace).items())
        self.stdout.write(f"“{workspace.name}” has {sizes}. Deleting it can't be undone.")
        self.stdout.write(
            f"To keep a copy of its runs: manage.py export FILE.zip --workspace {workspace.name}"
        )
        try:
            typed = input("Type the name of the workspace to delete it: ")
        except EOFError:
            typed = ""
        if typed.strip() != workspace.name:
            raise WrongWorkspace("This is not its name. Nothing was deleted.")


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
