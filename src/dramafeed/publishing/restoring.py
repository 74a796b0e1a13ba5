"""A backup becomes the database: checked, brought up to date with the content folder, put in place."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from dramafeed.model import State, ThingKind
from dramafeed.publishing.remember import reconcile
from dramafeed.settings import Settings
from dramafeed.storage import Reading, copies, ledger


def restore(
    settings: Settings,
    file: Path,
    now: datetime,
    *,
    replace: bool = False,
    progress: copies.Progress = lambda _row: None,
) -> list[str]:
    """Put a backup in the place of the database; what was done, in words.

    Args:
        settings: say which database, and which content folder goes with it.
        file: what `dramafeed backup` or the daily copy wrote; it stays as it is.
        now: the present.
        replace: a database that is in use may go aside.
        progress: told in words how far it is.

    Raises:
        StorageError: the place is taken or open elsewhere, or the backup cannot be used; nothing was changed.
    """
    copies.require_room(settings.database_url, replace=replace)
    place = copies.place_of(settings.database_url)
    with copies.opened(file, place.parent if place else settings.data) as copy:
        with copy.transaction() as tx:
            rows = _account(tx, file)
            rows += reconcile(tx, settings, ledger.path_of(settings.content, settings.data), now)
        keep = place or settings.data / "dramafeed.sqlite3"
        keep = keep.with_name(f"{keep.name}.replaced-{now:%Y%m%d-%H%M%S}")
        kept = copies.install(copy, settings.database_url, keep, progress)
    if kept:
        rows.append(f"What was there is kept as {kept}; it holds private keys, so remove it in time.")
    return rows


def _account(tx: Reading, file: Path) -> list[str]:
    reviews = tx.editions.things(ThingKind.REVIEW)
    public = sum(thing.state is State.PUBLIC for thing in reviews)
    followers = sum(tx.audience.counts().values())
    changed = tx.meta.last_change()
    until = f", last changed {changed:%Y-%m-%d %H:%M} UTC" if changed else ""
    return [f"Restored {file}: {public} public reviews, {followers} followers{until}."]
