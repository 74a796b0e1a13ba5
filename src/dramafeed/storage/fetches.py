"""Gateway to what bounds the fetching of keys, whichever process fetches.

A stranger's POST may make us ask a third party: so each host has one fetch at a time and few a minute, and
a key that could not be fetched is remembered. Both tables are small and are pruned.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from dramafeed.storage import schema
from dramafeed.storage.upsert import insert_ignoring, upsert

PER_MINUTE = 10  # fetches from one host
MAX_FAILED_KEYS = 10_000
_MINUTE = timedelta(minutes=1)
_HOSTS = schema.fetch_hosts
_FAILED = schema.failed_keys


@dataclass(frozen=True)
class FailedKey:
    """A key that could not be fetched. Unless `final`, `until` is the instant of the next try."""

    key_id: str
    tries: int
    until: datetime
    final: bool
    reason: str


class Fetches:
    """Hosts that keys are fetched from, and keys that failed."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def claim(self, host: str, now: datetime, seconds: int) -> datetime | None:
        """Begin a fetch from a host: None, or when to ask again. Unless released, it ends after `seconds`."""
        insert_ignoring(self._db, _HOSTS, [{"host": host, "closed_until": now, "recent": "[]"}])
        row = self._db.execute(select(_HOSTS).where(_HOSTS.c.host == host).with_for_update()).one()
        recent = [each for each in json.loads(row.recent) if each > (now - _MINUTE).timestamp()]
        closed_until: datetime = row.closed_until
        if closed_until <= now and len(recent) >= PER_MINUTE:
            closed_until = datetime.fromtimestamp(recent[0], UTC) + _MINUTE
            self.release(host, closed_until)
        if closed_until > now:
            return closed_until
        recent.append(now.timestamp())
        values = {"closed_until": now + timedelta(seconds=seconds), "recent": json.dumps(recent)}
        self._db.execute(update(_HOSTS).where(_HOSTS.c.host == host).values(values))
        return None

    def release(self, host: str, until: datetime) -> None:
        """A fetch has ended; the next one may begin at `until`."""
        self._db.execute(update(_HOSTS).where(_HOSTS.c.host == host).values(closed_until=until))

    def failed(self, key_id: str) -> FailedKey | None:
        """What is remembered of a key that could not be fetched."""
        row = self._db.execute(select(_FAILED).where(_FAILED.c.key_id == key_id)).first()
        return FailedKey(**row._mapping) if row else None

    def note_failure(self, failure: FailedKey) -> None:
        """Remember a key that could not be fetched."""
        values = {name: value for name, value in vars(failure).items() if name != "key_id"}
        upsert(self._db, _FAILED, {"key_id": failure.key_id}, values)

    def forget_failure(self, key_id: str) -> None:
        """The key was fetched after all."""
        self._db.execute(delete(_FAILED).where(_FAILED.c.key_id == key_id))

    def prune(self, now: datetime) -> None:
        """Forget hosts that are at rest and failures of the past; at most `MAX_FAILED_KEYS` stay."""
        self._db.execute(delete(_HOSTS).where(_HOSTS.c.closed_until < now - _MINUTE))
        self._db.execute(delete(_FAILED).where(_FAILED.c.until < now - timedelta(days=1)))
        newest = select(_FAILED.c.until).order_by(_FAILED.c.until.desc())
        oldest_kept = self._db.execute(newest.offset(MAX_FAILED_KEYS).limit(1)).scalar()
        if oldest_kept is not None:
            self._db.execute(delete(_FAILED).where(_FAILED.c.until <= oldest_kept))
