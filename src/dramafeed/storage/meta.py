"""Facts about the installation, leases, and the change counter that tells processes what is new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from dramafeed.storage import counters, schema
from dramafeed.storage.upsert import upsert, upsert_all

_GAP = 1_000_000


class Meta:
    """Gateway to `meta`, `leases` and `documents`."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def get(self, key: str, default: str = "") -> str:
        """The stored value, or `default`."""
        found = self._db.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).scalar()
        return default if found is None else str(found)

    def put(self, key: str, value: str) -> None:
        """Store a value."""
        upsert(self._db, schema.meta, {"key": key}, {"value": value})

    # ---- leases

    def take_lease(self, role: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew a role; False when another holder's time has not run out."""
        table = schema.leases
        row = self._db.execute(select(table).where(table.c.role == role).with_for_update()).first()
        if row is None:
            self._db.execute(insert(table).values(role=role, holder=holder, until=now + length))
            return True
        if row.holder != holder and row.until > now and row.until < now + 10 * length:
            return False
        self._db.execute(update(table).where(table.c.role == role).values(holder=holder, until=now + length))
        return True

    def drop_lease(self, role: str, holder: str) -> None:
        """Give a role back."""
        table = schema.leases
        self._db.execute(delete(table).where(table.c.role == role, table.c.holder == holder))

    def holder(self, role: str, now: datetime) -> str | None:
        """Who holds a role now."""
        table = schema.leases
        row = self._db.execute(select(table).where(table.c.role == role)).first()
        return row.holder if row is not None and row.until > now else None

    # ---- after a restore

    def renew(self, now: datetime) -> None:
        """A copy becomes the database: nobody holds a role, and every document counts as changed now.

        The numbers leave a gap, so that none is given out again that a process or cache may know already.
        """
        self._db.execute(delete(schema.leases))
        for counter in counters.COUNTERS:
            self.put(counter, str(counters.current(self._db, counter) + _GAP))
        self._db.execute(update(schema.documents).values(seq=self.seq(), committed_at=now))

    # ---- documents

    def last_change(self) -> datetime | None:
        """When the newest of all documents was committed."""
        found: datetime | None = self._db.execute(select(func.max(schema.documents.c.committed_at))).scalar()
        return found

    def touch(self, keys: Iterable[str], now: datetime) -> int:
        """Mark documents as changed, under one new sequence number; the number."""
        seq = counters.advance(self._db, counters.DOCUMENTS)
        rows = [{"key": key, "seq": seq, "committed_at": now} for key in sorted(set(keys))]
        upsert_all(self._db, schema.documents, "key", rows)
        return seq

    def seq(self) -> int:
        """The newest sequence number."""
        return counters.current(self._db, counters.DOCUMENTS)

    def touched_since(self, seq: int) -> set[str]:
        """Keys of the documents that changed after `seq`."""
        table = schema.documents
        return set(self._db.execute(select(table.c.key).where(table.c.seq > seq)).scalars())

    def changed_at(self, keys: Sequence[str]) -> datetime | None:
        """When the newest change among documents was committed; None when none of them ever changed."""
        table = schema.documents
        query = select(func.max(table.c.committed_at)).where(table.c.key.in_(keys))
        found: datetime | None = self._db.execute(query).scalar()
        return found
