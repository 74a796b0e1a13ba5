"""Changes of the schema, oldest first; alembic is loaded only when there is something to change.

A release that changes `storage.schema` adds a `Revision` here: its number, the fingerprint of the schema it
leads to (`fingerprint()` prints it; a test compares), and a function over alembic's operations that runs on
SQLite and PostgreSQL. Revisions only go forward; each runs in one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from dramafeed.storage import schema

if TYPE_CHECKING:
    from alembic.operations import Operations


@dataclass(frozen=True)
class Revision:
    """One step of the schema. The first one is `metadata.create_all` and has no `upgrade`."""

    number: str
    fingerprint: str
    upgrade: Callable[[Operations], None] | None = None


REVISIONS: tuple[Revision, ...] = (Revision("0001", "307ae926576dc42e"),)


def upgrade(connection: Connection, found: str, revisions: tuple[Revision, ...] = REVISIONS) -> list[str]:
    """Run every revision after `found` inside the caller's transaction; their numbers."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    context = MigrationContext.configure(connection)
    operations = Operations(context)
    done = []
    for revision in revisions:
        if revision.number > found and revision.upgrade is not None:
            revision.upgrade(operations)
            done.append(revision.number)
    if done:
        connection.execute(schema.version.update().values(version_num=done[-1]))
    return done


def fingerprint() -> str:
    """A hash of the schema as both databases would create it."""
    rows = []
    dialects: tuple[Dialect, ...] = (sqlite.dialect(), postgresql.dialect())  # type: ignore[no-untyped-call]
    for dialect in dialects:
        for table in schema.metadata.sorted_tables:
            rows.append(str(CreateTable(table).compile(dialect=dialect)))
            indexes = sorted(table.indexes, key=lambda index: str(index.name))
            rows += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
