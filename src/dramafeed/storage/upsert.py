"""Insert or update rows, in the words of either database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Select, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(db: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Write `values` under `key`; with no values, only make sure that the row is there."""
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values({**key, **values})
    if values:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=dict(values))
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    db.execute(statement)


def upsert_all(db: Connection, table: Table, key: str, rows: list[dict[str, Any]]) -> None:
    """Write many rows of the same columns by their key."""
    if not rows:
        return
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table)
    written = {name: statement.excluded[name] for name in rows[0] if name != key}
    db.execute(statement.on_conflict_do_update(index_elements=[key], set_=written), rows)


def insert_ignoring(db: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, passing over those that are there already."""
    if rows:
        db.execute(_ignoring(db.dialect.name, table), rows)


def insert_new(db: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert one row; False when it was there already."""
    # One at a time, because psycopg does not tell for several how many were inserted.
    return db.execute(_ignoring(db.dialect.name, table).inline(), row).rowcount == 1


@cache
def _ignoring(dialect: str, table: Table) -> Insert:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def insert_from(db: Connection, table: Table, columns: Sequence[str], rows: Select[Any]) -> None:
    """Insert what a query finds (it must have a WHERE), passing over rows that are there already."""
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    db.execute(insert(table).from_select(columns, rows).on_conflict_do_nothing())
