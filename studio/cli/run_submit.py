"""`studio run submit-script`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from studio.cli.command import Command, Pair, experiment_option
from studio.cli.connection import Call
from studio.cli.output import note, remark
from studio.cli.records import run_object
from studio.cli.run_logs import follow_to_the_end

if TYPE_CHECKING:
    from studio.sdk.runconfig import RunConfiguration
    from studio.sdk.script import ScriptRunConfig


@click.command(
    "submit-script",
    cls=Command,
    # What follows the script is the script's, options too.
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    example="""
    studio run submit-script train.py --lr 0.1
    studio run submit-script -c venv -e explore-runs --async --query run_id -o tsv train.py
    """,
)
@experiment_option
@click.option(
    "-c", "--run-configuration-name", "configuration", metavar="NAME",
    help="A run configuration of the folder: .studio/NAME.runconfig.",
)  # fmt: skip
@click.option(
    "--source-directory", "source", metavar="FOLDER", help="What travels; default: --path."
)
@click.option("--async", "is_async", is_flag=True, help="Return at once, without the log.")
@click.option("--target", "--ct", "target", metavar="NAME", help="The compute target.")
@click.option(
    "-d", "--conda-dependencies", "requirements", metavar="FILE",
    help="A requirements.txt of the source folder.",
)  # fmt: skip
@click.option("--display-name", metavar="NAME", help="The run's name.")
@click.option("--tag", "tags", type=Pair(), multiple=True, help="A tag of the run; repeatable.")
@click.argument("script", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def submit_script(call: Call, /, **asked: Any) -> dict[str, Any] | None:
    """Send a folder and run SCRIPT of it on a compute target; writes its log until it ends.

    What follows SCRIPT are its ARGUMENTS. SCRIPT, ARGUMENTS and --target win over the run
    configuration. Options of this command stand before SCRIPT. Exit code 4 when the run ended
    otherwise than Completed; Ctrl-C leaves it running.
    """
    from studio.sdk.script import submit

    experiment = asked["experiment"] or call.config().experiment
    if not experiment:
        hint = "or attach the folder to one: studio folder attach -e NAME"
        raise click.UsageError(f"Give the experiment: -e NAME, {hint}.")
    configuration = _configuration(call, asked)
    if sys.stderr.isatty():
        remark(f"Sending {configuration.source_directory} …")
    record = submit(
        call.client(), experiment, configuration,
        tags=dict(asked["tags"]), display_name=asked["display_name"],
    )  # fmt: skip
    if asked["is_async"]:
        return run_object(record)
    remark(f"Run {record['uid']} is {record['status']}. {record.get('url') or ''}")
    follow_to_the_end(call, record["uid"])
    return None


def _configuration(call: Call, asked: dict[str, Any]) -> ScriptRunConfig:
    """What to run, from the run configuration and what stands on the line."""
    from studio.sdk.environment import Environment
    from studio.sdk.script import ScriptRunConfig

    source = asked["source"] or call.path
    found = _loaded(asked["configuration"], (call.path, source))
    script, command = asked["script"] or found.script, found.command
    if asked["script"]:
        command = None
    elif command:
        script = None
    if not (script or command):
        raise click.UsageError("Give the script: studio run submit-script [OPTIONS] train.py.")
    environment: Environment = found.environment
    if asked["requirements"]:
        variables = environment.environment_variables
        environment = Environment(
            requirements=asked["requirements"], environment_variables=variables
        )
    environment.environment_variables |= found.environment_variables
    given = list(asked["arguments"]) if asked["script"] else []
    return ScriptRunConfig(
        source, script, None if command else given or found.arguments, command=command,
        compute_target=asked["target"] or found.target, environment=environment,
        max_run_duration_seconds=found.max_run_duration_seconds,
    )  # fmt: skip


def _loaded(name: str | None, folders: tuple[str, str]) -> RunConfiguration:
    """The run configuration of that name in the project or the source folder; a plain one
    without a name."""
    from studio.sdk.errors import RunConfigurationException, UserErrorException
    from studio.sdk.runconfig import RunConfiguration

    if not name:
        return RunConfiguration()
    try:
        found = RunConfiguration.load(folders[0], name)
    except RunConfigurationException:
        raise
    except UserErrorException:
        if Path(folders[1]).resolve() == Path(folders[0]).resolve():
            raise
        found = RunConfiguration.load(folders[1], name)
    for text in found.notices:
        note(text)
    return found


COMMANDS = (submit_script,)
