"""Gateway to what came in: verified activities to be processed, and the quarantine of unknown keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select, update

from dramafeed.storage import schema

_ROWS = schema.received


class ReceivedState(StrEnum):
    """VERIFIED: signed by a key we know. QUARANTINED: the key must be fetched first."""

    VERIFIED = "verified"
    QUARANTINED = "quarantined"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Received:
    """One stored POST. `request` is what verification needs, as JSON text."""

    id: int
    actor: str
    activity_id: str
    host: str
    key_id: str
    state: ReceivedState
    attempts: int
    received_at: datetime
    request: str
    body: bytes


class ReceivedRows:
    """The inbox table."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(
        self,
        *,
        actor: str,
        activity_id: str,
        host: str,
        key_id: str,
        state: ReceivedState,
        now: datetime,
        request: str,
        body: bytes,
    ) -> bool:
        """Store a POST once per (actor, activity id); False when it was there.

        A verified one takes the place of a quarantined one, so that a stranger who guesses an id cannot
        keep the real activity out.
        """
        same = (_ROWS.c.actor == actor) & (_ROWS.c.activity_id == activity_id)
        row = self._db.execute(select(_ROWS.c.id, _ROWS.c.state).where(same)).first()
        if row is not None:
            weak = (ReceivedState.QUARANTINED, ReceivedState.DROPPED)
            if row.state not in weak or (state is ReceivedState.QUARANTINED and row.state == state):
                return False
            self._db.execute(delete(_ROWS).where(_ROWS.c.id == row.id))
        self._db.execute(
            insert(_ROWS).values(
                actor=actor,
                activity_id=activity_id,
                host=host,
                key_id=key_id,
                state=state,
                attempts=0,
                due_at=now,
                received_at=now,
                reason="",
                request=request,
                body=body,
            )
        )
        return True

    def quarantined(self, host: str | None = None) -> int:
        """How many wait for a key, of one host or of all."""
        query = select(func.count()).select_from(_ROWS).where(_ROWS.c.state == ReceivedState.QUARANTINED)
        if host is not None:
            query = query.where(_ROWS.c.host == host)
        return int(self._db.execute(query).scalar() or 0)

    def lease(self, now: datetime, seconds: int, limit: int) -> list[Received]:
        """Take due rows for processing, oldest first; they come back by themselves after `seconds`."""
        waiting = (ReceivedState.VERIFIED, ReceivedState.QUARANTINED)
        query = (
            select(_ROWS)
            .where(_ROWS.c.state.in_(waiting), _ROWS.c.due_at <= now)
            .order_by(_ROWS.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = self._db.execute(query).all()
        numbers = [row.id for row in rows]
        if numbers:
            self._db.execute(
                update(_ROWS)
                .where(_ROWS.c.id.in_(numbers))
                .values(due_at=now + timedelta(seconds=seconds), attempts=_ROWS.c.attempts + 1)
            )
        return [
            Received(
                id=row.id,
                actor=row.actor,
                activity_id=row.activity_id,
                host=row.host,
                key_id=row.key_id,
                state=ReceivedState(row.state),
                attempts=row.attempts + 1,
                received_at=row.received_at,
                request=row.request,
                body=row.body,
            )
            for row in rows
        ]

    def settle(self, number: int, state: ReceivedState, reason: str = "") -> None:
        """Processed or dropped; the body is no longer needed, the id stays to know a repeat by."""
        self._db.execute(
            update(_ROWS)
            .where(_ROWS.c.id == number)
            .values(state=state, reason=reason[:500], body=b"", request="")
        )

    def postpone(self, number: int, until: datetime, reason: str) -> None:
        """Try again later."""
        self._db.execute(update(_ROWS).where(_ROWS.c.id == number).values(due_at=until, reason=reason[:500]))

    def prune(self, before: datetime) -> None:
        """Forget settled rows that are older than any repeat could be."""
        settled = (ReceivedState.DONE, ReceivedState.DROPPED)
        self._db.execute(delete(_ROWS).where(_ROWS.c.state.in_(settled), _ROWS.c.received_at < before))

    def next_due(self) -> datetime | None:
        """When the next row is due."""
        waiting = (ReceivedState.VERIFIED, ReceivedState.QUARANTINED)
        query = select(func.min(_ROWS.c.due_at)).where(_ROWS.c.state.in_(waiting))
        found: datetime | None = self._db.execute(query).scalar()
        return found

    def counts(self) -> dict[str, int]:
        """state -> rows."""
        query = select(_ROWS.c.state, func.count()).group_by(_ROWS.c.state)
        return dict(tuple(row) for row in self._db.execute(query))
