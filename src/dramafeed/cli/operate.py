"""Commands for operators: doctor, keys, backup, restore, migrate."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
from flask import current_app, has_app_context

from dramafeed import doctor, server
from dramafeed.cli.opening import open_store
from dramafeed.errors import SettingsError, StorageError
from dramafeed.publishing import operations
from dramafeed.publishing.restoring import restore as put_back
from dramafeed.settings import Settings
from dramafeed.storage import Store, copies


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
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def backup(settings: Settings, file: Path) -> None:
    """Copy the whole database, of whichever kind, into the new SQLite file FILE; the site may run."""
    store = Store(settings.database_url, make=False)
    if store.path and not store.path.exists():
        raise StorageError(f"There is no database at {store.path}; set DRAMAFEED_DATA to its folder.")
    with closing(store):
        copies.write(store, file.absolute(), _on_a_terminal)
    _on_a_terminal("")
    click.echo(f"{file} is a copy of {store.name}; it holds private keys, so keep it private.")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="A database that is in use goes aside.")
@click.pass_obj
def restore(settings: Settings, file: Path, replace: bool) -> None:
    """Make the backup FILE the database that the settings name, SQLite or PostgreSQL."""
    if has_app_context() and "dramafeed" in current_app.extensions:
        current_app.extensions["dramafeed"].store.close()  # a host application has opened it already
    rows = put_back(settings, file, datetime.now(UTC), replace=replace, progress=_on_a_terminal)
    _on_a_terminal("")
    for row in rows:
        click.echo(row)
    click.echo("Now start the site; it compares the content folder with the backup.")


def _on_a_terminal(row: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{row}", err=True, nl=False)


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this release."""
    with closing(Store(settings.database_url)) as store:
        click.echo(store.migrate())


COMMANDS = (examine, keys, backup, restore, migrate)
