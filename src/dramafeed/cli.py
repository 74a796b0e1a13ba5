"""The commands: parse, call one function, print. `dramafeed ...`, or `flask dramafeed ...` in a host."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask import current_app, has_app_context

from dramafeed import __version__, server
from dramafeed.content import importer, starters
from dramafeed.content import load as load_library
from dramafeed.errors import DramafeedError, SettingsError
from dramafeed.model import Library, Problem, Severity
from dramafeed.publishing import operations
from dramafeed.publishing.publisher import Confirmed, Report
from dramafeed.settings import PREFIX, TABLE, Settings, from_environment
from dramafeed.storage import Store

_GROUPS = {
    "write": ("init", "new", "check", "import", "publish"),
    "run": ("serve", "web", "worker"),
    "audience": ("status", "followers", "deliveries", "queue", "withdraw", "join"),
    "operate": ("keys", "migrate"),
}


class Commands(click.Group):
    """Prints commands in groups, and a person's mistake as one sentence without a traceback."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are for."""
        for title, names in _GROUPS.items():
            rows = [
                (name, command.get_short_help_str(80))
                for name in names
                if (command := self.get_command(ctx, name))
            ]
            with formatter.section(title.capitalize()):
                formatter.write_dl(rows)
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


def _store(settings: Settings) -> Store:
    store = Store(settings.database_url)
    if store.version() is None:
        store.create()
    return store


# ---- write


@dramafeed.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Lay out a new site (in the present folder, or FOLDER)."""
    made = starters.new_site(folder)
    for path in made:
        click.echo(f"made {path}")
    click.echo("Everything was there already." if not made else "Now run: dramafeed serve")


@dramafeed.group()
def new() -> None:
    """Make a ready-to-edit file."""


@new.command("review")
@click.argument("title")
@click.option("--author", default="", help="The author's slug or name.")
@click.pass_obj
def new_review(settings: Settings, title: str, author: str) -> None:
    """A draft of a review called TITLE."""
    click.echo(f"made {starters.new_review(settings.content, title, author)}")


@new.command("author")
@click.argument("name")
@click.pass_obj
def new_author(settings: Settings, name: str) -> None:
    """A file for the author NAME."""
    click.echo(f"made {starters.new_author(settings.content, name)}")


@dramafeed.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text")
@click.pass_obj
def check(settings: Settings, paths: tuple[Path, ...], form: str) -> None:
    """Say what is wrong in the content folder (or in PATHS), and what to write instead."""
    library = _library(settings)
    problems = operations.problems_of(settings, library, _wanted(settings, paths))
    if form == "json":
        click.echo(json.dumps([vars(problem) for problem in problems], ensure_ascii=False, indent=2))
    for problem in problems if form != "json" else ():
        click.echo(_github(settings, problem) if form == "github" else _shown(settings, problem))
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    if form == "text":
        warnings = len(problems) - errors
        click.echo(
            f"{len(library.reviews)} reviews can be published; {errors} errors, {warnings} warnings.",
            err=True,
        )
    sys.exit(1 if errors or not library.complete else 0)


def _library(settings: Settings) -> Library:
    return load_library(settings.content, settings.media, now=datetime.now(UTC))


def _wanted(settings: Settings, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Paths relative to the content folder, however the person wrote them."""
    root = settings.content.resolve()
    found = []
    for path in paths:
        whole = path.resolve() if path.exists() else root / path
        if not whole.is_relative_to(root):
            raise SettingsError(f"{path} is not in the content folder {root}; put it there first.")
        found.append(whole.relative_to(root).as_posix())
    return tuple(found)


def _shown(settings: Settings, problem: Problem) -> str:
    """A problem with the path as the person's shell sees it, so that editors can jump to it."""
    path = settings.content / problem.path
    try:
        shown = path.relative_to(Path.cwd())
    except ValueError:
        shown = path
    label = "" if problem.severity is Severity.ERROR else "warning: "
    text = f"{shown}:{problem.line}:{problem.column}: {label}{problem.message.rstrip('.')}."
    return f"{text} {problem.fix}".rstrip()


def _github(settings: Settings, problem: Problem) -> str:
    shown = _shown(settings, problem).split(":", 3)
    level = problem.severity.value
    return f"::{level} file={shown[0]},line={problem.line},col={problem.column}::{shown[3].strip()}"


@dramafeed.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--published",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M"]),
    help="When it came out (UTC).",
)
@click.pass_obj
def import_files(settings: Settings, files: tuple[Path, ...], published: datetime | None) -> None:
    """Turn foreign text in the "[Review] Title" layout into content files."""
    library = _library(settings)
    moment = published.replace(tzinfo=UTC) if published else None
    failed = False
    for file in files:
        result = importer.import_text(file, library, moment)
        failed |= any(problem.severity is Severity.ERROR for problem in result.problems)
        for path, text in result.files:
            operations.write_new(settings.content / path, text)
        for row in (*result.report, *(str(problem) for problem in result.problems)):
            click.echo(row)
        for suggestion in result.suggestions:
            click.echo(f"to confirm: {suggestion}")
    sys.exit(1 if failed else 0)


@dramafeed.command()
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only say what would happen, and how many inboxes it reaches.",
)
@click.option("--allow-mass-delete", is_flag=True, help="The missing reviews are meant to go.")
@click.option("--allow-mass-update", is_flag=True, help="Many edits at once are meant to be sent.")
@click.option(
    "--federate-old",
    is_flag=True,
    help="Tell followers about what the quiet rules kept back.",
)
@click.pass_obj
def publish(
    settings: Settings,
    dry_run: bool,
    allow_mass_delete: bool,
    allow_mass_update: bool,
    federate_old: bool,
) -> None:
    """One pass over the content folder."""
    publisher = server.make_publisher(settings, _store(settings), settle_seconds=0)
    publisher.start()
    confirmed = Confirmed(allow_mass_delete, allow_mass_update, federate_old)
    _print_report(
        publisher.dry_run(confirmed) if dry_run else publisher.run_pass(confirmed),
        dry_run,
    )


def _print_report(report: Report, dry_run: bool) -> None:
    for problem in report.problems:
        click.echo(str(problem))
    for row in operations.describe(report):
        click.echo(row)
    if report.removals_held:
        click.echo(report.removals_held)
    if report.updates_held:
        click.echo(
            f"{report.updates_held} Updates wait; confirm with `dramafeed publish --allow-mass-update`."
        )
    if dry_run:
        click.echo("Nothing was changed.")


# ---- run


@dramafeed.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Everything: the site, the watcher and the deliveries."""
    sys.exit(server.supervise(settings, lambda: _announce(settings)))


def _announce(settings: Settings) -> None:
    for row in operations.addresses(settings, _store(settings)):
        click.echo(row)


@dramafeed.command()
@click.pass_obj
def web(settings: Settings) -> None:
    """The web server alone."""
    server.run_web(settings)


@dramafeed.command()
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


# ---- audience


@dramafeed.command()
@click.pass_obj
def status(settings: Settings) -> None:
    """What is public, who follows, what is owed, and what is wrong."""
    for row in operations.status(settings, _store(settings)):
        click.echo(row)


@dramafeed.command()
@click.pass_obj
def followers(settings: Settings) -> None:
    """Who follows the blog and each author."""
    for row in operations.followers(settings, _store(settings)):
        click.echo(row)


@dramafeed.command()
@click.argument("review")
@click.pass_obj
def deliveries(settings: Settings, review: str) -> None:
    """The ledger of REVIEW (slug, path or uid): every inbox, tries, last answer, next try."""
    for row in operations.deliveries(_store(settings), review):
        click.echo(row)


@dramafeed.command()
@click.argument("action", type=click.Choice(["show", "retry", "drop"]), default="show")
@click.pass_obj
def queue(settings: Settings, action: str) -> None:
    """What is still owed to other servers; `retry` tries all of it now, `drop` gives it up."""
    for row in operations.queue(_store(settings), action):
        click.echo(row)


@dramafeed.command()
@click.argument("review")
@click.pass_obj
def withdraw(settings: Settings, review: str) -> None:
    """Take REVIEW (slug, path or uid) back: now and everywhere."""
    publisher = server.make_publisher(settings, _store(settings))
    thing = publisher.withdraw(review)
    told = "other servers are told" if thing.deleted else "nobody outside had been told"
    click.echo(f"{thing.path} is withdrawn; {told}. Remove the file too, or it stays as a warning.")


@dramafeed.command()
@click.argument("old")
@click.argument("new_path", metavar="NEW")
@click.pass_obj
def join(settings: Settings, old: str, new_path: str) -> None:
    """Say that the files OLD and NEW (paths in the content folder) are one renamed review."""
    operations.join(_store(settings), old, new_path)
    click.echo(f"{new_path} takes the place of {old} at the next pass.")


# ---- operate


@dramafeed.group()
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
    for row in operations.new_keys(settings, _store(settings)):
        click.echo(row)


@dramafeed.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this release."""
    click.echo(Store(settings.database_url).migrate())
