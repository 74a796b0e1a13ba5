"""Numbers that only grow and tell what is new: rows of `meta` that writers count up."""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, Text, cast, select, update

from dramafeed.storage import schema

DOCUMENTS = "seq"
THINGS = "things"
COUNTERS = (DOCUMENTS, THINGS)


def advance(db: Connection, counter: str) -> int:
    """Count up; the new number."""
    # One statement: on PostgreSQL the row lock makes writers queue until the first has committed, so
    # that a reader who saw number n never finds a smaller number committed later.
    table = schema.meta
    counted = (
        update(table)
        .where(table.c.key == counter)
        .values(value=cast(cast(table.c.value, BigInteger) + 1, Text))
        .returning(table.c.value)
    )
    return int(db.execute(counted).scalar_one())


def current(db: Connection, counter: str) -> int:
    """The newest number."""
    return int(db.execute(select(schema.meta.c.value).where(schema.meta.c.key == counter)).scalar() or 0)
