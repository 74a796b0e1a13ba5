"""Opening the database, and transactions over its gateways.

SQLite runs in WAL mode with `synchronous=FULL` (a power cut loses nothing that was answered) and every
writing transaction begins IMMEDIATE, because upgrading a read lock fails at once instead of waiting.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from dramafeed.errors import StorageError
from dramafeed.storage import migrations, schema
from dramafeed.storage.actors import Actors
from dramafeed.storage.audience import Audience
from dramafeed.storage.counters import COUNTERS
from dramafeed.storage.editions import Editions
from dramafeed.storage.fetches import Fetches
from dramafeed.storage.files import Files
from dramafeed.storage.jobs import Jobs
from dramafeed.storage.meta import Meta
from dramafeed.storage.received import ReceivedRows

_CREATE_LOCK = 0x6472616D61
_MOUNTS = Path("/proc/self/mounts")
_NETWORK_FILE_SYSTEMS = (
    *("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs"),
    *("fuse.glusterfs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs"),
)


class Reading:
    """A consistent look at the database; the gateways' reading methods."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.meta = Meta(connection)
        self.editions = Editions(connection)
        self.files = Files(connection)
        self.actors = Actors(connection)
        self.audience = Audience(connection)
        self.jobs = Jobs(connection)
        self.received = ReceivedRows(connection)
        self.fetches = Fetches(connection)


class Transaction(Reading):
    """The same gateways inside a writing transaction."""


class Store:
    """One database.

    Args:
        url: `sqlite:///path` or `postgresql+psycopg://...`.
        make: make the SQLite file and its folder when they are missing.

    Raises:
        StorageError: the URL is not one of the two, or the SQLite file lies on a network file system.
    """

    def __init__(self, url: str, *, make: bool = True) -> None:
        self.url = url
        self._watching: Any = None
        self._watch_lock = threading.Lock()
        self._current = False  # whether the schema was seen to be this release's
        parsed = make_url(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.path = Path(parsed.database or "") if self.sqlite else None
        self.name = str(self.path) if self.path else parsed.render_as_string()  # for people
        if self.path:
            self._engine = _sqlite_engine(url, self.path, make=make)
        elif parsed.drivername == "postgresql+psycopg":
            self._engine = create_engine(url, poolclass=QueuePool, pool_size=5, pool_pre_ping=True)
        else:
            raise StorageError(
                f"DRAMAFEED_DATABASE_URL is {parsed.render_as_string()}; "
                "write sqlite:///PATH or postgresql+psycopg://user@host/name."
            )

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine (migrations and tests)."""
        return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A writing transaction: committed at the end, rolled back when the block raises."""
        with self._plainly(), self._begun("BEGIN IMMEDIATE", dramafeed_write=True) as connection:
            yield Transaction(connection)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A read-only look; sees one state of the database throughout."""
        options = {} if self.sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._plainly(), self._begun("BEGIN", **options) as connection:
            yield Reading(connection)

    @contextmanager
    def _begun(self, on_sqlite: str, **options: Any) -> Iterator[Connection]:
        # Not in an event of the engine: SQLAlchemy then looks for listeners at every statement.
        with self._engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                if self.sqlite:
                    connection.exec_driver_sql(on_sqlite)
                yield connection

    @contextmanager
    def _plainly(self, *, current: bool = True) -> Iterator[None]:
        """Trouble that the operator can mend, in one sentence; bugs pass through."""
        try:
            if current and not self._current:
                self.require_current()
                self._current = True
            yield
        except DatabaseError as error:  # itself: the file is damaged. Its other kinds are mistakes of ours
            if not isinstance(error, OperationalError) and type(error) is not DatabaseError:
                raise
            reason = " ".join(str(error.orig).split())
            where = make_url(self.url).render_as_string()
            raise StorageError(f"The database {where} cannot be used now: {reason}") from error

    def create(self) -> None:
        """Make the tables of an empty database; leave an existing one as it is."""
        with self._changing() as connection:
            if not self.sqlite:  # two processes may meet an empty database at once
                connection.execute(select(func.pg_advisory_xact_lock(_CREATE_LOCK)))
            if inspect(connection).has_table(schema.version.name):
                return
            schema.metadata.create_all(connection)
            connection.execute(schema.version.insert().values(version_num=schema.VERSION))
            counters = [{"key": name, "value": "0"} for name in COUNTERS]
            connection.execute(schema.meta.insert(), counters)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A writing transaction for changes of the schema itself."""
        with (
            self._plainly(current=False),
            self._begun("BEGIN IMMEDIATE", dramafeed_write=True) as connection,
        ):
            yield connection

    def version(self) -> str | None:
        """The schema version that the database has; None when it is empty."""
        with self._plainly(current=False), self._engine.connect() as connection:
            if not inspect(connection).has_table(schema.version.name):
                return None
            found = connection.execute(select(schema.version.c.version_num)).scalar()
            return str(found) if found is not None else None

    def require_current(self) -> None:
        """Raise StorageError naming the cure unless the schema is the one this release knows."""
        found = self.version()
        if found == schema.VERSION:
            return
        if found is None or found < schema.VERSION:
            raise StorageError(
                f"The database has schema version {found or 'none'}, this release needs {schema.VERSION}; "
                "run `dramafeed migrate`."
            )
        self.require_not_newer()

    def require_not_newer(self) -> None:
        """Raise StorageError when a later release wrote this database."""
        found = self.version() or ""
        if found > schema.VERSION:
            raise StorageError(
                f"The database has schema version {found}, newer than this release knows ({schema.VERSION}); "
                "install the release that wrote it, or a later one."
            )

    def migrate(self) -> str:
        """Bring the schema to this release's; what was done, in words.

        Raises:
            StorageError: the database is newer than this release.
        """
        self.create()
        if self.version() == schema.VERSION:
            return f"The database has schema version {schema.VERSION} already."
        self.require_not_newer()
        with self._changing() as connection:
            if not self.sqlite:  # SQLite lets one writer in at a time anyway
                connection.execute(select(func.pg_advisory_xact_lock(_CREATE_LOCK)))
            done = migrations.upgrade(connection, self.version() or "")
        return f"Migrated to schema version {done[-1]}."

    def data_version(self) -> int:
        """A number that changes with every commit: the cheap question that web processes ask often.

        On SQLite it costs no page read, and is always asked on one connection of its own, because the pragma
        counts the changes that this very connection has not seen. On PostgreSQL it is the change counter.

        Raises:
            StorageError: the database is in trouble.
        """
        if not self.sqlite:
            with self.reading() as reading:
                return reading.meta.seq()
        with self._watch_lock, self._plainly():
            if self._watching is None:
                self._watching = self._engine.raw_connection()
            try:
                return int(self._watching.cursor().execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error as error:
                raise StorageError(f"The database cannot be used now: {error}") from error

    def lease_of(self, role: str, seconds: int = 30) -> Lease:
        """The lease of a role: one process at a time holds it, for `seconds` after each renewal."""
        return Lease(self, role, seconds)

    def rest(self) -> None:
        """Close the connections that nobody uses now: after much reading their caches are full."""
        self._engine.dispose()

    def close(self) -> None:
        """Close every connection."""
        with self._watch_lock:
            if self._watching is not None:
                self._watching.close()
                self._watching = None
        self._engine.dispose()


class Lease:
    """A role that one process holds for some seconds at a time."""

    def __init__(self, store: Store, role: str, seconds: int) -> None:
        self._store = store
        self._role = role
        self._length = timedelta(seconds=seconds)
        self._holder = f"{os.getpid()}-{uuid.uuid4()}"
        self._renewed: datetime | None = None

    def renew(self, now: datetime) -> bool:
        """Take or keep the role; False when another holder has it. Writes once in a third of its length."""
        if self._renewed is not None and abs(now - self._renewed) < self._length / 3:
            return True
        with self._store.transaction() as tx:
            taken = tx.meta.take_lease(self._role, self._holder, now, self._length)
        self._renewed = now if taken else None
        return taken

    def release(self) -> None:
        """Give the role back (a dead database is no reason to fail: the lease runs out by itself)."""
        try:
            with self._store.transaction() as tx:
                tx.meta.drop_lease(self._role, self._holder)
        except StorageError:
            return


def _sqlite_engine(url: str, path: Path, *, make: bool) -> Engine:
    if str(path) not in ("", ":memory:"):
        _refuse_network_file_system(path)
        if make:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)  # it holds the actors' private keys; SQLite's other files take its mode
    engine = create_engine(url, poolclass=QueuePool, pool_size=5, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # `Store` says how to begin
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-2000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _refuse_network_file_system(path: Path) -> None:
    """SQLite's locks do not hold on network file systems; better to say so than to lose a follower."""
    try:
        mounts = _MOUNTS.read_text().splitlines()
    except OSError:
        return  # not Linux
    target = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts:
        _device, mount, file_system = line.replace("\\040", "\0").split()[:3]
        mount = mount.replace("\0", " ")
        if (target == mount or target.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, file_system
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StorageError(
            f"{path} lies on a network file system ({kind}), where SQLite loses data; set DRAMAFEED_DATA to "
            "a folder on a local disk, or DRAMAFEED_DATABASE_URL to a PostgreSQL server."
        )
