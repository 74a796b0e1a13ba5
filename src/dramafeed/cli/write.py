"""Commands for writing: init, new, check, import, publish."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from dramafeed import server
from dramafeed.cli.opening import open_store
from dramafeed.content import importer, starters
from dramafeed.content import load as load_library
from dramafeed.errors import SettingsError
from dramafeed.model import Library, Problem, Severity
from dramafeed.publishing import operations
from dramafeed.publishing.publisher import Confirmed, Report
from dramafeed.settings import Settings


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Lay out a new site (in the present folder, or FOLDER)."""
    made = starters.new_site(folder)
    for path in made:
        click.echo(f"made {path}")
    click.echo("Everything was there already." if not made else "Now run: dramafeed serve")


@click.group()
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


@click.command()
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


@click.command("import")
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


@click.command()
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
    publisher = server.make_publisher(settings, open_store(settings), settle_seconds=0)
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


COMMANDS = (init, new, check, import_files, publish)
