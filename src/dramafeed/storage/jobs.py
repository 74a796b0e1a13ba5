"""Gateway to what is owed: jobs (decisions to be carried out) and deliveries (one POST each).

A lease is a due time in the future: who takes a row moves its `due_at` ahead, and a row whose holder died
is simply due again. Deliveries about one thing to one inbox leave in the order they were owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from dramafeed.model import State
from dramafeed.storage import schema
from dramafeed.storage.upsert import insert_from, insert_ignoring, upsert

_JOBS = schema.jobs
_ACTIVITIES = schema.activities
_DELIVERIES = schema.deliveries
_THINGS = schema.things
_STEP_BACK = timedelta(seconds=10)  # how long a delivery to a slow host waits for room


class JobKind(StrEnum):
    """What is owed. The subject is a review uid, an actor handle, or a remote actor's URI (REFRESH)."""

    CREATE = "create"
    ANNOUNCE = "announce"
    UPDATE = "update"
    DELETE = "delete"
    UPDATE_ACTOR = "update_actor"
    REFRESH = "refresh"


class JobState(StrEnum):
    """HELD waits for a person."""

    PENDING = "pending"
    HELD = "held"
    DONE = "done"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    LEASED = "leased"
    DONE = "done"
    GAVE_UP = "gave_up"
    CANCELLED = "cancelled"


_OPEN = (DeliveryState.PENDING, DeliveryState.LEASED)
_PENDING_UNLESS_CANCELLED = case(
    (_DELIVERIES.c.cancelled, DeliveryState.CANCELLED), else_=DeliveryState.PENDING
)


@dataclass(frozen=True)
class Job:
    """One decision that is owed. `first_at` is when its first cause came up."""

    id: int
    kind: JobKind
    subject: str
    state: JobState
    due_at: datetime
    first_at: datetime
    attempts: int
    reason: str


@dataclass(frozen=True)
class Activity:
    """One activity as it was frozen. `uid` is the thing it is about."""

    id: str
    kind: str
    uid: str
    handle: str
    created_at: datetime
    body: bytes


@dataclass(frozen=True)
class Delivery:
    """One POST that is owed, leased to the caller; `attempts` counts this one."""

    id: int
    activity_id: str
    kind: str
    uid: str
    handle: str
    inbox_id: int
    inbox: str
    host: str
    attempts: int
    first_at: datetime
    body: bytes
    dialect: str = ""  # the signature form that the host understood last
    slow: bool = False  # the host kept us waiting lately


@dataclass(frozen=True)
class Settled:
    """What became of one attempt. With state PENDING the next try is at `due_at`."""

    id: int
    state: DeliveryState
    due_at: datetime
    status: int | None = None
    error: str = ""


@dataclass(frozen=True)
class LedgerRow:
    """Where one delivery stands, for people."""

    kind: str
    inbox: str
    state: str
    attempts: int
    last_status: int | None
    last_error: str
    due_at: datetime


class Jobs:
    """Jobs, activities and deliveries."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    # ---- jobs

    def owe(self, kind: JobKind, subject: str, due_at: datetime, now: datetime) -> None:
        """Owe a decision; one that is pending already only gets the new due time."""
        row = self.pending(kind, subject)
        if row is not None:
            self._db.execute(update(_JOBS).where(_JOBS.c.id == row.id).values(due_at=due_at))
            return
        self._db.execute(
            insert(_JOBS).values(
                kind=kind,
                subject=subject,
                state=JobState.PENDING,
                due_at=due_at,
                first_at=now,
                attempts=0,
                reason="",
            )
        )

    def pending(self, kind: JobKind, subject: str) -> Job | None:
        """The open (pending or held) job of this kind about this subject."""
        query = select(_JOBS).where(
            _JOBS.c.kind == kind,
            _JOBS.c.subject == subject,
            _JOBS.c.state.in_((JobState.PENDING, JobState.HELD)),
        )
        row = self._db.execute(query.limit(1)).first()
        return _as_job(row._mapping) if row else None

    def due(self, now: datetime, kinds: Iterable[JobKind], limit: int) -> list[Job]:
        """Pending jobs that are due, oldest first; those about a review only while it is public and present.

        Locks the rows until the transaction ends.
        """
        present = or_(
            _JOBS.c.kind.in_((JobKind.DELETE, JobKind.UPDATE_ACTOR, JobKind.REFRESH)),
            exists().where(
                _THINGS.c.uid == _JOBS.c.subject,
                _THINGS.c.state == State.PUBLIC,
                _THINGS.c.missing_since.is_(None),
            ),
        )
        query = (
            select(_JOBS)
            .where(
                _JOBS.c.state == JobState.PENDING,
                _JOBS.c.due_at <= now,
                _JOBS.c.kind.in_(list(kinds)),
                present,
            )
            .order_by(_JOBS.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [_as_job(row._mapping) for row in self._db.execute(query)]

    def finish(self, job_id: int, state: JobState = JobState.DONE, reason: str = "") -> None:
        """Settle a job."""
        self._db.execute(update(_JOBS).where(_JOBS.c.id == job_id).values(state=state, reason=reason[:500]))

    def take(self, job: Job, until: datetime) -> None:
        """Keep others from a job; it comes back by itself at `until`."""
        self._db.execute(update(_JOBS).where(_JOBS.c.id == job.id).values(due_at=until))

    def postpone(self, job_id: int, until: datetime, reason: str = "") -> None:
        """Try a job again later; this was an attempt."""
        self._db.execute(
            update(_JOBS)
            .where(_JOBS.c.id == job_id)
            .values(due_at=until, reason=reason[:500], attempts=_JOBS.c.attempts + 1)
        )

    def hold(self, job_ids: Sequence[int], reason: str) -> None:
        """Let jobs wait for a person."""
        self._db.execute(
            update(_JOBS).where(_JOBS.c.id.in_(list(job_ids))).values(state=JobState.HELD, reason=reason)
        )

    def release(self, kind: JobKind) -> int:
        """A person confirmed: held jobs of a kind go on; how many."""
        query = update(_JOBS).where(_JOBS.c.kind == kind, _JOBS.c.state == JobState.HELD)
        return self._db.execute(query.values(state=JobState.PENDING, reason="confirmed")).rowcount

    def cancel(self, subject: str, kinds: Iterable[JobKind]) -> int:
        """Drop open jobs about a subject; how many."""
        query = update(_JOBS).where(
            _JOBS.c.subject == subject,
            _JOBS.c.kind.in_(list(kinds)),
            _JOBS.c.state.in_((JobState.PENDING, JobState.HELD)),
        )
        return self._db.execute(query.values(state=JobState.CANCELLED)).rowcount

    def open_jobs(self, *kinds: JobKind) -> list[Job]:
        """All pending and held jobs (of some kinds), oldest first."""
        query = select(_JOBS).where(_JOBS.c.state.in_((JobState.PENDING, JobState.HELD)))
        if kinds:
            query = query.where(_JOBS.c.kind.in_(kinds))
        return [_as_job(row._mapping) for row in self._db.execute(query.order_by(_JOBS.c.id))]

    # ---- activities

    def add_activity(self, activity: Activity) -> None:
        """Freeze an activity; one with the same id stays as it is."""
        insert_ignoring(self._db, _ACTIVITIES, [dict(vars(activity))])

    def activity(self, activity_id: str) -> Activity | None:
        """One activity by id."""
        row = self._db.execute(select(_ACTIVITIES).where(_ACTIVITIES.c.id == activity_id)).first()
        return Activity(**row._mapping) if row else None

    def last_activity(self, uid: str, kinds: Iterable[str]) -> Activity | None:
        """The newest activity of some kinds about a thing."""
        query = (
            select(_ACTIVITIES)
            .where(_ACTIVITIES.c.uid == uid, _ACTIVITIES.c.kind.in_(list(kinds)))
            .order_by(_ACTIVITIES.c.created_at.desc(), _ACTIVITIES.c.id)
            .limit(1)
        )
        row = self._db.execute(query).first()
        return Activity(**row._mapping) if row else None

    # ---- deliveries

    def deliver(
        self, activity: Activity, inbox_ids: Iterable[int], now: datetime, *, needs_public: bool
    ) -> int:
        """Owe one delivery of an activity per inbox; how many inboxes."""
        numbers, inboxes = list(inbox_ids), schema.inboxes
        values = {
            "activity_id": activity.id,
            "uid": activity.uid,
            "needs_public": needs_public,
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "first_at": now,
            "due_at": now,
            "cancelled": False,
            "last_error": "",
        }
        fixed = [literal(value, _DELIVERIES.c[name].type) for name, value in values.items()]
        for start in range(0, len(numbers), 500):
            rows = select(inboxes.c.id, *fixed).where(inboxes.c.id.in_(numbers[start : start + 500]))
            insert_from(self._db, _DELIVERIES, ["inbox_id", *values], rows.order_by(inboxes.c.id))
        return len(numbers)

    def lease(self, now: datetime, seconds: int, limit: int, slow_limit: int = 1) -> list[Delivery]:
        """Take due deliveries; each comes back by itself after `seconds` unless it is settled.

        A delivery about a review waits while the review's file is missing or a draft, and while an earlier
        delivery about the same thing to the same inbox is open. Of those to slow hosts only `slow_limit` are
        taken; the others step back a little, so that they stand in nobody's way.
        """
        self._take_back(now)
        rows: list[tuple[Row[Any], bool]] = []
        back: list[tuple[Row[Any], bool]] = []
        for row in self._db.execute(_DUE, {"now": now, "limit": limit}):
            slow = row.slow_until is not None and row.slow_until > now
            slow_limit -= slow
            (back if slow and slow_limit < 0 else rows).append((row, slow))
        self._move([row.id for row, _slow in back], due_at=now + _STEP_BACK)
        self._move(
            [row.id for row, _slow in rows],
            state=DeliveryState.LEASED,
            due_at=now + timedelta(seconds=seconds),
            attempts=_DELIVERIES.c.attempts + 1,
        )
        bodies = self._bodies({row.activity_id for row, _slow in rows})
        return [
            Delivery(
                id=row.id,
                activity_id=row.activity_id,
                kind=bodies[row.activity_id].kind,
                uid=row.uid,
                handle=bodies[row.activity_id].handle,
                inbox_id=row.inbox_id,
                inbox=row.inbox,
                host=row.host,
                attempts=row.attempts + 1,
                first_at=row.first_at,
                body=bodies[row.activity_id].body,
                dialect=row.dialect or "",
                slow=slow,
            )
            for row, slow in rows
        ]

    def _take_back(self, now: datetime) -> None:
        """Leases of processes that died run out; what was cancelled meanwhile is not tried again."""
        run_out = and_(_DELIVERIES.c.state == DeliveryState.LEASED, _DELIVERIES.c.due_at <= now)
        self._db.execute(update(_DELIVERIES).where(run_out).values(state=_PENDING_UNLESS_CANCELLED))

    def _move(self, numbers: Sequence[int], **values: object) -> None:
        if numbers:
            self._db.execute(update(_DELIVERIES).where(_DELIVERIES.c.id.in_(numbers)).values(values))

    def give_back(self, numbers: Sequence[int], now: datetime) -> None:
        """Leased deliveries that were not begun are due again at once."""
        fewer = _DELIVERIES.c.attempts - 1
        self._move(numbers, state=_PENDING_UNLESS_CANCELLED, due_at=now, attempts=fewer)

    def has_due_delivery(self, now: datetime) -> bool:
        """True when a delivery may be due (a look without a lock)."""
        due = [
            select(_DELIVERIES.c.id).where(_DELIVERIES.c.state == state, _DELIVERIES.c.due_at <= now).limit(1)
            for state in _OPEN
        ]
        return any(self._db.execute(query).first() is not None for query in due)

    def _bodies(self, ids: set[str]) -> dict[str, Activity]:
        query = select(_ACTIVITIES).where(_ACTIVITIES.c.id.in_(sorted(ids)))
        return {row.id: Activity(**row._mapping) for row in self._db.execute(query)}

    def settle(self, results: Sequence[Settled]) -> None:
        """Record what became of attempts. A retry of something cancelled meanwhile is cancelled."""
        alike: dict[tuple[DeliveryState, datetime, int | None, str], list[int]] = {}
        for result in results:
            key = (result.state, result.due_at, result.status, result.error[:500])
            alike.setdefault(key, []).append(result.id)
        for (state, due_at, status, error), numbers in alike.items():
            self._move(
                numbers,
                state=_PENDING_UNLESS_CANCELLED if state is DeliveryState.PENDING else state,
                due_at=due_at,
                last_status=status,
                last_error=error,
            )

    def cancel_deliveries(self, uid: str, now: datetime) -> list[int]:
        """Take back what was not sent yet about a thing; the inboxes that never saw any attempt.

        An attempt that is under way is left to end; it will not be tried again.
        """
        about = and_(_DELIVERIES.c.uid == uid, _DELIVERIES.c.state.in_(_OPEN))
        under_way = and_(_DELIVERIES.c.state == DeliveryState.LEASED, _DELIVERIES.c.due_at > now)
        self._db.execute(update(_DELIVERIES).where(about, under_way).values(cancelled=True))
        self._db.execute(
            update(_DELIVERIES).where(about, ~under_way).values(state=DeliveryState.CANCELLED, cancelled=True)
        )
        touched = select(_DELIVERIES.c.inbox_id).where(_DELIVERIES.c.uid == uid, _DELIVERIES.c.attempts > 0)
        query = select(_DELIVERIES.c.inbox_id).where(
            _DELIVERIES.c.uid == uid, _DELIVERIES.c.inbox_id.not_in(touched)
        )
        return sorted(set(self._db.execute(query).scalars()))

    def drop_inbox(self, inbox_id: int) -> None:
        """An inbox is gone for good: nothing more is owed to it."""
        about = and_(_DELIVERIES.c.inbox_id == inbox_id, _DELIVERIES.c.state == DeliveryState.PENDING)
        self._db.execute(
            update(_DELIVERIES)
            .where(about)
            .values(state=DeliveryState.GAVE_UP, last_error="the inbox is gone")
        )

    def owes(self, uid: str, kinds: Iterable[str] = ()) -> bool:
        """True while deliveries (of activities of some kinds) about a thing are open."""
        query = select(_DELIVERIES.c.id).where(_DELIVERIES.c.uid == uid, _DELIVERIES.c.state.in_(_OPEN))
        wanted = list(kinds)
        if wanted:
            query = query.join(_ACTIVITIES, _ACTIVITIES.c.id == _DELIVERIES.c.activity_id)
            query = query.where(_ACTIVITIES.c.kind.in_(wanted))
        return self._db.execute(query.limit(1)).first() is not None

    def delivery_counts(self, uid: str | None = None) -> dict[str, int]:
        """state -> deliveries, of one thing or of all."""
        query = select(_DELIVERIES.c.state, func.count()).group_by(_DELIVERIES.c.state)
        if uid is not None:
            query = query.where(_DELIVERIES.c.uid == uid)
        return dict(tuple(row) for row in self._db.execute(query))

    def ledger(self, uid: str) -> list[LedgerRow]:
        """Every delivery about a thing, oldest first."""
        inboxes = schema.inboxes
        query = (
            select(
                _ACTIVITIES.c.kind,
                inboxes.c.url.label("inbox"),
                _DELIVERIES.c.state,
                _DELIVERIES.c.attempts,
                _DELIVERIES.c.last_status,
                _DELIVERIES.c.last_error,
                _DELIVERIES.c.due_at,
            )
            .join(_ACTIVITIES, _ACTIVITIES.c.id == _DELIVERIES.c.activity_id)
            .join(inboxes, inboxes.c.id == _DELIVERIES.c.inbox_id)
            .where(_DELIVERIES.c.uid == uid)
            .order_by(_DELIVERIES.c.id)
        )
        return [LedgerRow(**row._mapping) for row in self._db.execute(query)]

    def retry_all(self, now: datetime) -> int:
        """Make every delivery that waits for its next try due now; how many."""
        waiting = _DELIVERIES.c.state == DeliveryState.PENDING
        return self._db.execute(update(_DELIVERIES).where(waiting).values(due_at=now)).rowcount

    def drop_all(self) -> int:
        """Give up every delivery that waits; how many."""
        waiting = _DELIVERIES.c.state == DeliveryState.PENDING
        values = {"state": DeliveryState.GAVE_UP, "last_error": "dropped by the operator"}
        return self._db.execute(update(_DELIVERIES).where(waiting).values(values)).rowcount

    def next_due(self) -> datetime | None:
        """When the next job or delivery is due."""
        jobs = select(func.min(_JOBS.c.due_at)).where(_JOBS.c.state == JobState.PENDING)
        # One look per state: each is the first entry of an index, however many deliveries are open.
        first = select(func.min(_DELIVERIES.c.due_at))
        deliveries = [first.where(_DELIVERIES.c.state == state) for state in _OPEN]
        found = [self._db.execute(query).scalar() for query in (jobs, *deliveries)]
        return min((instant for instant in found if instant is not None), default=None)

    def prune(self, before: datetime) -> None:
        """Forget settled deliveries and jobs of long ago."""
        settled = (DeliveryState.DONE, DeliveryState.GAVE_UP, DeliveryState.CANCELLED)
        self._db.execute(
            delete(_DELIVERIES).where(_DELIVERIES.c.state.in_(settled), _DELIVERIES.c.first_at < before)
        )

    # ---- hosts

    def put_dialect(self, host: str, dialect: str) -> None:
        """Remember the signature form that a host understood."""
        upsert(self._db, schema.hosts, {"host": host}, {"dialect": dialect})

    def put_slow(self, host: str, until: datetime | None) -> None:
        """A host counts as slow until an instant; None: it does no longer."""
        insert_ignoring(self._db, schema.hosts, [{"host": host, "dialect": ""}])
        self._db.execute(update(schema.hosts).where(schema.hosts.c.host == host).values(slow_until=until))


def _due_deliveries() -> Select[Any]:
    """The query for `limit` deliveries that may be sent `now`, longest due first; locks what it finds."""
    earlier, inboxes, hosts = _DELIVERIES.alias("earlier"), schema.inboxes, schema.hosts
    waits = exists().where(
        earlier.c.inbox_id == _DELIVERIES.c.inbox_id,
        earlier.c.uid == _DELIVERIES.c.uid,
        earlier.c.state.in_(_OPEN),
        earlier.c.id < _DELIVERIES.c.id,
    )
    present = exists().where(
        _THINGS.c.uid == _DELIVERIES.c.uid,
        _THINGS.c.state == State.PUBLIC,
        _THINGS.c.missing_since.is_(None),
    )
    return (
        select(
            _DELIVERIES.c.id,
            _DELIVERIES.c.activity_id,
            _DELIVERIES.c.uid,
            _DELIVERIES.c.inbox_id,
            _DELIVERIES.c.attempts,
            _DELIVERIES.c.first_at,
            inboxes.c.url.label("inbox"),
            inboxes.c.host,
            hosts.c.dialect,
            hosts.c.slow_until,
        )
        .join(inboxes, inboxes.c.id == _DELIVERIES.c.inbox_id)
        .join(hosts, hosts.c.host == inboxes.c.host, isouter=True)
        .where(
            _DELIVERIES.c.state == DeliveryState.PENDING,
            _DELIVERIES.c.due_at <= bindparam("now"),
            or_(~_DELIVERIES.c.needs_public, present),
            ~waits,
        )
        .order_by(_DELIVERIES.c.due_at, _DELIVERIES.c.id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True, of=_DELIVERIES)
    )


_DUE = _due_deliveries()  # made once: putting it together costs as much as running it


def _as_job(row: object) -> Job:
    values = dict(row)  # type: ignore[call-overload]
    values["kind"] = JobKind(values["kind"])
    values["state"] = JobState(values["state"])
    return Job(**values)
