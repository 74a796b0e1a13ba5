"""Commands that run the site: serve, web, worker."""

from __future__ import annotations

import sys

import click

from dramafeed import server
from dramafeed.cli.opening import open_store
from dramafeed.publishing import operations
from dramafeed.settings import Settings


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Everything: the site, the watcher and the deliveries."""
    sys.exit(server.supervise(settings, lambda: _announce(settings)))


def _announce(settings: Settings) -> None:
    for row in operations.addresses(settings, open_store(settings)):
        click.echo(row)


@click.command()
@click.pass_obj
def web(settings: Settings) -> None:
    """The web server alone."""
    server.run_web(settings)


@click.command()
@click.option(
    "--publish",
    "publishing",
    is_flag=True,
    help="Watch the content folder and publish it.",
)
@click.pass_obj
def worker(settings: Settings, publishing: bool) -> None:
    """Deliver, and process what came in."""
    server.run_worker(settings, publish=publishing)


COMMANDS = (serve, web, worker)
