"""Commands about the audience and what it was told: status, followers, deliveries, queue, withdraw, join."""

from __future__ import annotations

import click

from dramafeed import server
from dramafeed.cli.opening import open_store
from dramafeed.publishing import operations
from dramafeed.settings import Settings


@click.command()
@click.pass_obj
def status(settings: Settings) -> None:
    """What is public, who follows, what is owed, and what is wrong."""
    for row in operations.status(settings, open_store(settings)):
        click.echo(row)


@click.command()
@click.pass_obj
def followers(settings: Settings) -> None:
    """Who follows the blog and each author."""
    for row in operations.followers(settings, open_store(settings)):
        click.echo(row)


@click.command()
@click.argument("review")
@click.pass_obj
def deliveries(settings: Settings, review: str) -> None:
    """The ledger of REVIEW (slug, path or uid): every inbox, tries, last answer, next try."""
    for row in operations.deliveries(open_store(settings), review):
        click.echo(row)


@click.command()
@click.argument("action", type=click.Choice(["show", "retry", "drop"]), default="show")
@click.pass_obj
def queue(settings: Settings, action: str) -> None:
    """What is still owed to other servers; `retry` tries all of it now, `drop` gives it up."""
    for row in operations.queue(open_store(settings), action):
        click.echo(row)


@click.command()
@click.argument("review")
@click.pass_obj
def withdraw(settings: Settings, review: str) -> None:
    """Take REVIEW (slug, path or uid) back: now and everywhere."""
    publisher = server.make_publisher(settings, open_store(settings))
    thing = publisher.withdraw(review)
    told = "other servers are told" if thing.deleted else "nobody outside had been told"
    click.echo(f"{thing.path} is withdrawn; {told}. Remove the file too, or it stays as a warning.")


@click.command()
@click.argument("old")
@click.argument("new_path", metavar="NEW")
@click.pass_obj
def join(settings: Settings, old: str, new_path: str) -> None:
    """Say that the files OLD and NEW (paths in the content folder) are one renamed review."""
    operations.join(open_store(settings), old, new_path)
    click.echo(f"{new_path} takes the place of {old} at the next pass.")


COMMANDS = (status, followers, deliveries, queue, withdraw, join)
