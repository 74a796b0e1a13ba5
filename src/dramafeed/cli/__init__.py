"""The commands: parse, call one function, print. `dramafeed ...`, or `flask dramafeed ...` in a host.

One module per group of the help; each lists its `COMMANDS`.
"""

from __future__ import annotations

import logging
from typing import Any

import click
from flask import current_app, has_app_context

from dramafeed import __version__
from dramafeed.cli import audience, operate, run, write
from dramafeed.errors import DramafeedError, SettingsError
from dramafeed.settings import PREFIX, TABLE, from_environment

_GROUPS: dict[str, tuple[click.Command, ...]] = {
    "write": write.COMMANDS,
    "run": run.COMMANDS,
    "audience": audience.COMMANDS,
    "operate": operate.COMMANDS,
}


class Commands(click.Group):
    """Prints commands in groups, and a person's mistake as one sentence without a traceback."""

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are for."""
        for title, commands in _GROUPS.items():
            with formatter.section(title.capitalize()):
                formatter.write_dl([(each.name or "", each.get_short_help_str(80)) for each in commands])
        with formatter.section("Settings (environment)"):
            formatter.write_dl([(f"{PREFIX}{row.name}", f"{row.help} [{row.default}]") for row in TABLE])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a mistake ends it with 2 (settings) or 1."""
        try:
            return super().invoke(ctx)
        except DramafeedError as error:
            click.echo(f"dramafeed: {error}", err=True)
            ctx.exit(2 if isinstance(error, SettingsError) else 1)


def main() -> None:
    """Entry point of the console script."""
    dramafeed(prog_name="dramafeed")


@click.group("dramafeed", cls=Commands)
@click.version_option(__version__)
@click.pass_context
def dramafeed(ctx: click.Context) -> None:
    """A blog of K-drama reviews from a folder of files: pages, feeds, and posts in the fediverse."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if has_app_context() and "dramafeed" in current_app.extensions:
        ctx.obj = current_app.extensions["dramafeed"].settings
    else:
        ctx.obj = from_environment()


for _command in (command for commands in _GROUPS.values() for command in commands):
    dramafeed.add_command(_command)
