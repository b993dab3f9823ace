"""The script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from studio.cli.command import Command

KINDS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
INSTALL = """
    studio completion bash >> ~/.bashrc
    studio completion zsh >> ~/.zshrc
    studio completion fish > ~/.config/fish/completions/studio.fish
    """


@click.command(cls=Command, connects=False, example=INSTALL)
@click.argument("shell", type=click.Choice(list(KINDS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Write the completion script of a shell; put it where the shell reads it at its start."""
    made = KINDS[shell](ctx.find_root().command, {}, "studio", "_STUDIO_COMPLETE")
    click.echo(made.source())
