"""Copies of the whole database: one SQLite file, whatever the database is, and the way back from it.

A copy is consistent (one snapshot), whole (it gets its name only when it was checked and lies on the disk)
and private (mode 0600: the actors' keys are in it). Decides nothing about what a copy means for followers.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Row, delete, func, insert, literal_column, select, text

from dramafeed.errors import StorageError
from dramafeed.storage import schema
from dramafeed.storage.store import Store

_ROWS = 200  # in one batch: a received activity may have a megabyte
_TABLES = [table for table in schema.metadata.sorted_tables if table is not schema.version]
PART = ".part"

Progress = Callable[[str], None]


def write(store: Store, target: Path, progress: Progress = lambda _row: None) -> None:
    """Copy the whole database into a new SQLite file. Writers are not held up.

    Args:
        store: SQLite (also one of an older schema) or PostgreSQL.
        target: a file that is not there yet, in a folder that is.
        progress: told in words how far it is.

    Raises:
        StorageError: the file is there, cannot be written, or the copy turned out damaged; nothing is left.
    """
    if target.exists():
        raise StorageError(f"{target} exists already; choose another name.")
    part = target.with_name(f".{target.name}{PART}")
    try:
        _make_private(part)
        if store.path:
            progress(f"copying {store.path.stat().st_size / 1e6:.1f} MB")
            with closing(_open(store.path)) as source:
                # Nobody else knows this file: no locks are needed, and a network share may have none.
                source.execute("VACUUM INTO ?", (f"{part.absolute().as_uri()}?nolock=1",))
        else:
            _export(store, part, progress)
        _check(part, target, "?mode=ro&nolock=1")
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StorageError(f"No copy could be made at {target}: {reason}.") from error
    finally:
        _remove(part)


@contextmanager
def opened(file: Path, folder: Path) -> Iterator[Store]:
    """A backup's copy to work on, at this release's schema; gone at the end unless it was put in place.

    Args:
        file: the backup; it stays as it is.
        folder: where the work is done; made when it is missing.

    Raises:
        StorageError: the file is damaged, no database of dramafeed, or of a later release.
    """
    if not file.is_file():
        raise StorageError(f"{file} is not there; name a file that `dramafeed backup` wrote.")
    work = folder / f".restore-{os.getpid()}{PART}"
    try:
        store = _work_on(file, work)
        try:
            yield store
        finally:
            store.close()
    finally:
        _remove(work)


def _work_on(file: Path, work: Path) -> Store:
    try:
        work.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(work)
        shutil.copyfile(file, work)
        log = file.with_name(f"{file.name}-wal")  # of a database that was copied by hand
        if log.exists():
            shutil.copyfile(log, work.with_name(f"{work.name}-wal"))
        _check(work, file)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{file} cannot be read ({error}); take another backup.") from error
    store = Store(f"sqlite:///{work}")
    if store.version() is None:
        store.close()
        raise StorageError(f"{file} holds no dramafeed; name a file that `dramafeed backup` wrote.")
    store.migrate()
    return store


def place_of(url: str) -> Path | None:
    """The file that DATABASE_URL names; None when it names a server."""
    store = Store(url, make=False)
    store.close()
    return store.path


def require_room(url: str, *, replace: bool) -> None:
    """Make sure that a restored database may take the place of what `url` names.

    Args:
        url: DATABASE_URL.
        replace: a person said that what is there may go aside.

    Raises:
        StorageError: something is there and may not be replaced, or a process has it open.
    """
    store = Store(url, make=False)
    try:
        if store.path and not store.path.exists():
            return
        if not replace and _holds_something(store):
            raise StorageError(
                f"{store.name} is in use by a site; to put the backup in its place (what is there is kept "
                "aside), add --replace."
            )
        if not store.path:
            _require_alone(store)
    finally:
        store.close()
    if store.path:
        _take(store.path)


def install(copy: Store, url: str, keep: Path, progress: Progress = lambda _row: None) -> Path | None:
    """Put an opened copy in the place of the database that `url` names, all at once or not at all.

    Args:
        copy: from `opened`.
        url: DATABASE_URL, after `require_room`.
        keep: the file name for what was there.
        progress: told in words how far it is.

    Returns:
        Where what was there is kept; None when nothing was there.

    Raises:
        StorageError: the place cannot be used.
    """
    target = Store(url, make=False)
    try:
        held = _holds_something(target)
        if target.path and copy.path:
            target.close()
            copy.close()
            _put_in_place(copy.path, target.path, keep if held else None)
            return keep if held else None
        if held:
            keep.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write(target, keep, progress)
        target.create()
        with copy.reading() as source, target.transaction() as tx:
            _copy_rows(source.connection, tx.connection, progress)
            _count_on(tx.connection)
        return keep if held else None
    finally:
        target.close()


# ---- files


def _make_private(path: Path) -> None:
    _remove(path)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _open(path: Path, words: str = "") -> sqlite3.Connection:
    place = f"{path.absolute().as_uri()}{words}"
    return sqlite3.connect(place, uri=True, isolation_level=None, timeout=30)


def _check(path: Path, name: Path, words: str = "") -> None:
    """Raise StorageError, calling the file `name`, unless every page and index of it is whole."""
    with closing(_open(path, words)) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StorageError(f"{name} is damaged ({found}); take another copy.")


def _take(path: Path) -> None:
    """Merge a database's log into its file, which only the one process that has it open may do."""
    with closing(_open(path)) as connection:
        connection.execute("PRAGMA busy_timeout=0")
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StorageError(
                    f"{path} is open in another process; stop the site (serve, web, worker) first."
                ) from error
        except sqlite3.DatabaseError:
            return  # damaged: a reason to restore, not to refuse


def _put_in_place(work: Path, path: Path, keep: Path | None) -> None:
    """Two renames: a crash between them leaves the old file under its new name and nothing in its place."""
    _take(work)
    _give_to_owner_of(path if path.exists() else path.parent, work)
    _sync(work)
    if path.exists():
        _take(path)
    if keep is not None:
        for suffix in ("", "-wal", "-shm"):  # the last two only beside a damaged file
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.replace(keep.with_name(keep.name + suffix))
    work.replace(path)
    _sync(path.parent)


def _give_to_owner_of(model: Path, work: Path) -> None:
    """Root restores for the user that the site runs as."""
    if os.geteuid() == 0:
        owner = model.stat()
        os.chown(work, owner.st_uid, owner.st_gid)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---- rows


def _holds_something(store: Store) -> bool:
    """True unless there is no database, or one in which nothing ever happened. A damaged one counts."""
    if store.path and not (store.path.exists() and store.path.stat().st_size):
        return False
    try:
        if store.version() is None:
            return False
        with store.reading() as look:
            return bool(look.meta.get("site_id")) or not look.editions.empty()
    except StorageError:
        if store.path:
            return True
        raise


def _require_alone(store: Store) -> None:
    """Raise StorageError when others are connected to a PostgreSQL database with our name."""
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename = current_user AND pid <> pg_backend_pid()"
    )
    with store.engine.connect() as connection:
        count = connection.execute(others).scalar_one()
    if count:
        raise StorageError(
            f"{count} other connections to {store.name} are open; stop the site (serve, web, worker) first."
        )


def _export(store: Store, part: Path, progress: Progress) -> None:
    copy = Store(f"sqlite:///{part}")
    try:
        copy.create()
        with store.reading() as source, copy.transaction() as tx:
            _copy_rows(source.connection, tx.connection, progress)
    finally:
        copy.close()
    _take(part)


def _copy_rows(source: Connection, target: Connection, progress: Progress) -> None:
    for table in reversed(_TABLES):
        target.execute(delete(table))
    for table in _TABLES:
        total = source.execute(select(func.count()).select_from(table)).scalar_one()
        done = 0
        rows = source.execution_options(yield_per=_ROWS).execute(select(table))
        for batch in rows.partitions():
            target.execute(insert(table), [_plain(row) for row in batch])
            done += len(batch)
            progress(f"{table.name}: {done} of {total}")


def _plain(row: Row[tuple[object, ...]]) -> dict[str, object]:
    return dict(row._mapping)


def _count_on(target: Connection) -> None:
    """Let PostgreSQL's counters go on after the numbers that were copied."""
    for table in _TABLES:
        column = table.autoincrement_column
        if column is not None:
            counter = func.pg_get_serial_sequence(table.name, column.name)
            highest = select(func.coalesce(func.max(column), literal_column("0")) + 1).scalar_subquery()
            target.execute(select(func.setval(counter, highest, False)))
