"""Gateway to what came in: verified activities to be processed, and the quarantine of unknown keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, or_, select, update

from dramafeed.storage import schema
from dramafeed.storage.upsert import insert_new

_ROWS = schema.received
_HOSTS = schema.fetch_hosts


class ReceivedState(StrEnum):
    """VERIFIED: signed by a key we know. QUARANTINED: the key must be fetched first."""

    VERIFIED = "verified"
    QUARANTINED = "quarantined"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Received:
    """One POST; `id` is 0 until it is stored. `request` is what verification needs, as JSON text."""

    id: int
    actor: str
    activity_id: str
    host: str
    key_id: str
    state: ReceivedState
    received_at: datetime
    request: str
    body: bytes


class ReceivedRows:
    """The inbox table."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, arrived: Received, due_at: datetime) -> bool:
        """Store a POST once per (actor, activity id); False when it was there.

        A verified one takes the place of a quarantined one, so that a stranger who guesses an id cannot
        keep the real activity out.
        """
        row = {**vars(arrived), "due_at": due_at, "reason": ""}
        del row["id"]
        if insert_new(self._db, _ROWS, row):
            return True
        if arrived.state is ReceivedState.QUARANTINED:
            return False
        same = and_(_ROWS.c.actor == arrived.actor, _ROWS.c.activity_id == arrived.activity_id)
        unverified = and_(same, _ROWS.c.state == ReceivedState.QUARANTINED)
        if not self._db.execute(delete(_ROWS).where(unverified)).rowcount:
            return False
        return insert_new(self._db, _ROWS, row)

    # ---- quarantine

    def quarantined(self, host: str | None = None) -> int:
        """How many wait for a key, of one host or of all."""
        query = select(func.count()).select_from(_ROWS).where(_ROWS.c.state == ReceivedState.QUARANTINED)
        if host is not None:
            query = query.where(_ROWS.c.host == host)
        return int(self._db.execute(query).scalar() or 0)

    def wanted_keys(self, now: datetime, limit: int) -> list[tuple[str, str]]:
        """(host, key id) of what has waited longest, one of each host that may be asked now."""
        query = (
            select(_ROWS.c.host, func.min(_ROWS.c.id))
            .join(_HOSTS, _HOSTS.c.host == _ROWS.c.host, isouter=True)
            .where(_ROWS.c.state == ReceivedState.QUARANTINED, _ROWS.c.due_at <= now)
            .where(or_(_HOSTS.c.closed_until.is_(None), _HOSTS.c.closed_until <= now))
            .group_by(_ROWS.c.host)
            .order_by(func.min(_ROWS.c.id))
            .limit(limit)
        )
        numbers = [number for _host, number in self._db.execute(query)]
        found = select(_ROWS.c.host, _ROWS.c.key_id).where(_ROWS.c.id.in_(numbers)).order_by(_ROWS.c.id)
        return [(row.host, row.key_id) for row in self._db.execute(found)]

    def waiting_for(self, key_id: str) -> list[Received]:
        """Everything in quarantine that names a key, oldest first."""
        query = select(_ROWS).where(_ROWS.c.state == ReceivedState.QUARANTINED, _ROWS.c.key_id == key_id)
        return [_received(row) for row in self._db.execute(query.order_by(_ROWS.c.id))]

    def verify(self, number: int, now: datetime) -> None:
        """A quarantined row turned out to be genuine: it is due for processing."""
        values = {"state": ReceivedState.VERIFIED, "due_at": now, "request": ""}
        self._db.execute(update(_ROWS).where(_in_quarantine(number)).values(values))

    def forget(self, number: int) -> None:
        """A quarantined row turned out to be nobody's: nothing of it is kept."""
        self._db.execute(delete(_ROWS).where(_in_quarantine(number)))

    # ---- verified

    def lease(self, now: datetime, seconds: int, limit: int) -> list[Received]:
        """Take verified rows that are due, oldest first; they come back by themselves after `seconds`."""
        query = (
            select(_ROWS)
            .where(_ROWS.c.state == ReceivedState.VERIFIED, _ROWS.c.due_at <= now)
            .order_by(_ROWS.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = [_received(row) for row in self._db.execute(query)]
        if rows:
            self._db.execute(
                update(_ROWS)
                .where(_ROWS.c.id.in_([row.id for row in rows]))
                .values(due_at=now + timedelta(seconds=seconds))
            )
        return rows

    def settle(self, number: int, state: ReceivedState, reason: str = "") -> None:
        """Processed or dropped; the body is no longer needed, the id stays to know a repeat by."""
        self._db.execute(
            update(_ROWS)
            .where(_ROWS.c.id == number)
            .values(state=state, reason=reason[:500], body=b"", request="")
        )

    def postpone(self, numbers: Sequence[int], until: datetime, reason: str) -> None:
        """Try again later."""
        values = {"due_at": until, "reason": reason[:500]}
        self._db.execute(update(_ROWS).where(_ROWS.c.id.in_(numbers)).values(values))

    def prune(self, before: datetime) -> None:
        """Forget settled rows that are older than any repeat could be."""
        settled = (ReceivedState.DONE, ReceivedState.DROPPED)
        self._db.execute(delete(_ROWS).where(_ROWS.c.state.in_(settled), _ROWS.c.received_at < before))

    def next_due(self) -> datetime | None:
        """When the next row is due; one in quarantine also waits until its host may be asked."""
        verified = select(func.min(_ROWS.c.due_at)).where(_ROWS.c.state == ReceivedState.VERIFIED)
        later = case((_HOSTS.c.closed_until > _ROWS.c.due_at, _HOSTS.c.closed_until), else_=_ROWS.c.due_at)
        quarantined = (
            select(func.min(later))
            .select_from(_ROWS.outerjoin(_HOSTS, _HOSTS.c.host == _ROWS.c.host))
            .where(_ROWS.c.state == ReceivedState.QUARANTINED)
        )
        found = [self._db.execute(query).scalar() for query in (verified, quarantined)]
        return min((instant for instant in found if instant is not None), default=None)

    def counts(self) -> dict[str, int]:
        """state -> rows."""
        query = select(_ROWS.c.state, func.count()).group_by(_ROWS.c.state)
        return dict(tuple(row) for row in self._db.execute(query))


def _in_quarantine(number: int) -> ColumnElement[bool]:
    return and_(_ROWS.c.id == number, _ROWS.c.state == ReceivedState.QUARANTINED)


def _received(row: Row[Any]) -> Received:
    return Received(
        id=row.id,
        actor=row.actor,
        activity_id=row.activity_id,
        host=row.host,
        key_id=row.key_id,
        state=ReceivedState(row.state),
        received_at=row.received_at,
        request=row.request,
        body=row.body,
    )
