"""Looking at runs: list, show."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from studio.cli.command import Command, Expression, Pair, RunId, experiment_option, run_option
from studio.cli.command import unused_experiment_option as unused
from studio.cli.connection import Call
from studio.cli.output import note
from studio.cli.records import RUN_COLUMNS, run_object

DEFAULT_LAST = 10


class StatusName(click.ParamType):  # type: ignore[type-arg]
    """Any status, in capitals or small letters."""

    name = "status"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from studio.sdk.names import STATUSES

        found = next((known for known in STATUSES if known.lower() == str(value).lower()), None)
        if found is None:
            self.fail(f"{value!r} is none of {', '.join(STATUSES)}", param, ctx)
        return found


@click.command(
    "list",
    cls=Command,
    columns=RUN_COLUMNS,
    example="""
    studio run list --last 5 --output table
    studio run list -e explore-runs --status Failed --status Canceled
    studio run list --tags quality="fantastic run" --filter "metric.loss<0.3 submitted>-7d"
    studio run list --query "[?properties.author=='azureml-user'].run_id" -o tsv
    """,
)
@experiment_option
@click.option("--all-experiments", is_flag=True, help="Not only that of the folder.")
@click.option(
    "--last", type=click.IntRange(min=1), default=DEFAULT_LAST, metavar="N", show_default=True,
    help="How many of the newest.",
)  # fmt: skip
@click.option("--status", type=StatusName(), multiple=True, help="A status; may be repeated.")
@click.option("--tags", type=Pair(), multiple=True, help="A tag with its value, or its key alone.")
@click.option("--filter", "search", metavar="SEARCH", help="The search grammar of the studio.")
@click.option("--parent-run-id", "parent", type=RunId(), metavar="ID", help="Child runs of this.")
@click.option("--include-children", is_flag=True, help="Child runs too.")
@click.argument("expression", type=Expression(), required=False)
@click.pass_obj
def list_runs(call: Call, /, **asked: Any) -> list[dict[str, Any]]:
    """Runs, newest first: root runs, the last 10.

    EXPRESSION is the same as --query.
    """
    from studio.sdk.search import find_runs

    call.query = call.query or asked["expression"]
    last: int = asked["last"]
    records = find_runs(
        call.client(),
        experiment=_experiment(call, asked),
        status=asked["status"],
        tags={key: value for key, value in asked["tags"] if value is not None},
        query=_search(asked["search"], [key for key, value in asked["tags"] if value is None]),
        parent=asked["parent"],
        include_children=asked["include_children"],
        limit=last + 1,
    )
    found = list(islice(records, last + 1))
    if len(found) > last:
        note(f"there are more than these {last}: --last N shows more")
    return [run_object(record) for record in found[:last]]


@click.command(
    "show",
    cls=Command,
    example="""
    studio run show -r ID
    studio run show -r ID --query status -o tsv
    """,
)
@run_option
@unused
@click.pass_obj
def show_run(call: Call, run_id: str) -> dict[str, Any]:
    """One run, with its definition."""
    return run_object(call.client().get(f"/runs/{run_id}"))


def _experiment(call: Call, asked: dict[str, Any]) -> str | None:
    if asked["all_experiments"] or asked["parent"]:
        return None
    return asked["experiment"] or call.config().experiment


def _search(search: str | None, keys: list[str]) -> str | None:
    """The search given, and that each of the keys is a tag, whatever its value."""
    escaped = [key.replace("\\", "\\\\").replace('"', '\\"') for key in keys]
    terms = [f'has:tag."{key}"' for key in escaped]
    return " ".join([f"({search})" if search and terms else search or "", *terms]).strip() or None


COMMANDS = (list_runs, show_run)
