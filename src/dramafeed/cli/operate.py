"""Commands for operators: doctor, keys, migrate."""

from __future__ import annotations

import sys

import click

from dramafeed import doctor, server
from dramafeed.cli.opening import open_store
from dramafeed.errors import SettingsError
from dramafeed.publishing import operations
from dramafeed.settings import Settings
from dramafeed.storage import Store


@click.command("doctor")
@click.option("--url", default="", help="Look at the site at this address instead; works from any machine.")
@click.pass_obj
def examine(settings: Settings, url: str) -> None:
    """Look at the site as other servers do, and say what is broken and how to mend it."""
    store = None if url else open_store(settings)
    found = server.examine(settings, store) if store else server.examine_elsewhere(settings, url)
    for finding in found:
        click.echo(f"{finding.mark:6} {finding.text}")
        for line in finding.lines:
            click.echo(f"           {line}")
    wrong = sum(finding.mark is doctor.Mark.WRONG for finding in found)
    if wrong:
        click.echo(f"{wrong} to mend; then run this again.")
    elif store and doctor.conclude(settings, store, found):
        for row in operations.told(settings, store):
            click.echo(row)
    sys.exit(1 if wrong else 0)


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


COMMANDS = (examine, keys, migrate)
