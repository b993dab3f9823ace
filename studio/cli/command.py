"""What all commands have in common: options, output, examples in the help."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from studio.cli.connection import Call
from studio.cli.failures import INTERRUPTED, Failure
from studio.cli.output import FORMATS, chosen, note, show

WIDTH = 100


class RunId(click.ParamType):  # type: ignore[type-arg]
    """The id of a run: letters, digits, - and _."""

    name = "run id"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from studio.sdk.names import UID

        if not UID.fullmatch(value):
            self.fail(f"{value!r} is no run id; `studio run list` shows them", param, ctx)
        return value


class ExperimentName(click.ParamType):  # type: ignore[type-arg]
    """The name of an experiment."""

    name = "experiment"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from studio.sdk.names import EXPERIMENT

        if not EXPERIMENT.fullmatch(value):
            rule = "use letters, digits, _ and -, begin with a letter or digit"
            self.fail(f"{value!r} is no experiment name: {rule}", param, ctx)
        return value


class Pair(click.ParamType):  # type: ignore[type-arg]
    """`key=value`, or `flag` for a key without a value; comes out as (key, value or None)."""

    name = "key=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not key.strip():
            self.fail(f"{value!r} has no key: write key=value, or key alone", param, ctx)
        return key, text if equals else None


class Expression(click.ParamType):  # type: ignore[type-arg]
    """A JMESPath expression, compiled."""

    name = "JMESPath"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        import jmespath
        from jmespath.exceptions import JMESPathError

        try:
            return jmespath.compile(value)
        except JMESPathError as problem:
            text = str(problem).splitlines()[0].rstrip(":") + "."
            hint = "Put it in double quotes, texts inside it in single ones."
            self.fail(f"this is no JMESPath: {text} {hint}", param, ctx)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        setattr(ctx.ensure_object(Call), name, value)
        if name == "output":
            given = ctx.get_parameter_source(str(param.name))
            ctx.ensure_object(Call).output_is_given = (
                given is not click.core.ParameterSource.DEFAULT
            )

    return callback


def _without_meaning(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        note(f"{param.opts[-1]} has no meaning here and is left out")


def _option(*names: str, keep: str, **facts: Any) -> click.Option:
    return click.Option(names, expose_value=False, callback=_keep(keep), **facts)


def _common(*, connects: bool) -> list[click.Parameter]:
    formats = click.Choice(FORMATS, case_sensitive=False)
    found: list[click.Parameter] = []
    if connects:
        found += [
            _option("-w", "--workspace-name", keep="workspace", metavar="NAME",
                    help="The workspace; default: that of the folder."),
            _option("--path", keep="path", default=".", metavar="FOLDER",
                    help="The project folder; default: this one."),
            _option("--url", keep="url", metavar="URL",
                    help="The studio; default: that of the folder, STUDIO_URL, the last login."),
        ]  # fmt: skip
        found += [
            click.Option(names, expose_value=False, hidden=True, callback=_without_meaning)
            for names in (("-g", "--resource-group"), ("--subscription-id", "--subscription"))
        ]
    found += [
        _option("-o", "--output", keep="output", type=formats,
                default=lambda: os.environ.get("STUDIO_OUTPUT") or "json",
                help="The format; default: json, or STUDIO_OUTPUT."),
        _option("--query", keep="query", type=Expression(),
                help="A JMESPath expression that selects of the output."),
    ]  # fmt: skip
    return found


class Command(click.Command):
    """A command whose function returns what is to be shown, or None.

    `example`: command lines for the help. `columns`: the fields of a table. `connects`: it takes
    the options that say which studio.
    """

    def __init__(
        self,
        *args: Any,
        example: str,
        columns: Sequence[str] | None = None,
        connects: bool = True,
        **facts: Any,
    ) -> None:
        super().__init__(*args, **facts)
        self.example, self.columns = example, columns
        self.params += _common(connects=connects)
        self.context_settings.setdefault("max_content_width", WIDTH)

    def invoke(self, ctx: click.Context) -> None:
        """Run the command and show what it found."""
        try:
            value = super().invoke(ctx)
            if value is not None:
                reveal(ctx.ensure_object(Call), value, self.columns)
        except KeyboardInterrupt:  # click would write an empty line first
            raise Failure("interrupted", INTERRUPTED) from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, as they are to be typed."""
        _write_examples(self.example, formatter)


def reveal(call: Call, value: Any, columns: Sequence[str] | None = None) -> None:
    """Show a value as the options of the call ask for it."""
    whole = call.query is None
    show(chosen(value, call.query), call.output, columns if whole else None)


def _write_examples(text: str, formatter: click.HelpFormatter) -> None:
    lines = text.strip().splitlines()
    with formatter.section("Examples" if len(lines) > 1 else "Example"):
        for line in lines:
            formatter.write(f"  {line.strip()}\n")


class Family(click.Group):
    """A group of commands; without one of them it shows its help."""

    command_class = Command

    def __init__(self, *args: Any, example: str, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.example = example
        self.context_settings.setdefault("max_content_width", WIDTH)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, as they are to be typed."""
        _write_examples(self.example, formatter)


run_option = click.option(
    "-r", "--run", "run_id", type=RunId(), required=True, metavar="ID", help="The run's id."
)
experiment_option = click.option(
    "-e",
    "--experiment-name",
    "experiment",
    type=ExperimentName(),
    metavar="NAME",
    help="The experiment; default: that of the folder.",
)
# The original asks for the experiment of a run; here the id says all.
unused_experiment_option = click.option(
    "-e", "--experiment-name", "experiment", expose_value=False, hidden=True
)
