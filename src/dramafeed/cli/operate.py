"""Commands for operators: keys, migrate."""

from __future__ import annotations

import click

from dramafeed.cli.opening import open_store
from dramafeed.errors import SettingsError
from dramafeed.publishing import operations
from dramafeed.settings import Settings
from dramafeed.storage import Store


@click.group()
def keys() -> None:
    """The actors' keys."""


@keys.command("new")
@click.option(
    "--i-lost-them",
    "lost",
    is_flag=True,
    help="Followers' servers may refuse posts until they refetch.",
)
@click.pass_obj
def keys_new(settings: Settings, lost: bool) -> None:
    """Make new keys after the old ones were lost with the database."""
    if not lost:
        raise SettingsError(
            "New keys break every follow until other servers refetch them; add --i-lost-them."
        )
    for row in operations.new_keys(settings, open_store(settings)):
        click.echo(row)


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this release."""
    click.echo(Store(settings.database_url).migrate())


COMMANDS = (keys, migrate)
