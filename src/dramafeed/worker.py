"""The only loop: carry out what is owed, whatever process it runs in.

`Worker.run_once` does everything that is due at one instant and returns (tests step the clock);
`Worker.run` does the same for ever, with many deliveries under way at once. Every step is a transaction
that either records its result or leaves the row to be taken up again, so the process may die anywhere.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from dramafeed.activitypub.dereference import fetch_key_owner, fetch_with_key
from dramafeed.activitypub.signatures import PrivateKey, Signer
from dramafeed.activitypub.transport import Transport
from dramafeed.content import Watcher
from dramafeed.delivery.fan_out import FanOut
from dramafeed.delivery.policy import Decision, Verdict
from dramafeed.delivery.send import Attempt, attempt
from dramafeed.errors import (
    DramafeedError,
    MalformedError,
    SignatureError,
    StorageError,
    TransportError,
)
from dramafeed.inbox import receive
from dramafeed.inbox.actors import cached
from dramafeed.model import INSTANCE_HANDLE
from dramafeed.publishing import gate
from dramafeed.publishing.publisher import Publisher, Report
from dramafeed.settings import Settings
from dramafeed.storage import Reading, Store, Transaction
from dramafeed.storage.jobs import Delivery, DeliveryState, Job, JobKind, Settled
from dramafeed.storage.received import Received, ReceivedState

log = logging.getLogger("dramafeed.worker")

AT_ONCE = 64  # deliveries under way
LEASE_SECONDS = 60  # longer than any attempt may take
_FAN_OUT = (JobKind.CREATE, JobKind.ANNOUNCE, JobKind.UPDATE, JobKind.DELETE, JobKind.UPDATE_ACTOR)
_AFTER_A_FAULT = timedelta(minutes=10)
_KEPT_RECEIVED = timedelta(days=30)  # longer than any signature is valid or any server repeats
_KEPT_DELIVERIES = timedelta(days=90)


class Worker:
    """Carries out jobs, deliveries and received activities.

    Args:
        store: the database.
        settings: addresses and pauses.
        door: the way out; made by the caller because it belongs to an event loop.
        clock: gives the present, aware.
        jitter: gives a random number in [0, 1).
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        door: Transport,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._settings = settings
        self._door = door
        self._clock = clock
        self._jitter = jitter
        self._signers: dict[str, Signer] = {}

    async def run_once(self) -> int:
        """Do all that is due at this instant; how many things were done."""
        done = 0
        while worked := await self._step():
            done += worked
        return done

    async def run(self, stop: asyncio.Event, pause: float = 0.5) -> None:
        """Work until `stop` is set. Deliveries to slow servers never hold up the others."""
        under_way: set[asyncio.Task[Attempt]] = set()
        while not stop.is_set():
            worked = 0
            if self._anything_due():
                worked = self.carry_out_jobs() + await self.process_received() + await self.refresh_actors()
                for delivery in self._lease(AT_ONCE - len(under_way)):
                    under_way.add(asyncio.create_task(self._attempt(delivery)))
                    worked += 1
            finished = await _some(under_way, stop, 0.02 if worked else pause)
            self._settle([task.result() for task in finished])
            under_way -= finished
        self._settle([task.result() for task in await _all(under_way)])

    async def _step(self) -> int:
        if not self._anything_due():
            return 0
        worked = self.carry_out_jobs() + await self.process_received() + await self.refresh_actors()
        leased = self._lease(AT_ONCE)
        attempts = await asyncio.gather(*(self._attempt(delivery) for delivery in leased))
        self._settle(attempts)
        return worked + len(leased)

    def _anything_due(self) -> bool:
        """One cheap look: most of the time there is nothing to do."""
        now = self._clock()
        with self._store.reading() as look:
            due = (look.jobs.next_due(), look.received.next_due())
        return any(instant is not None and instant <= now for instant in due)

    def prune(self) -> None:
        """Forget what no longer matters."""
        now = self._clock()
        with self._store.transaction() as tx:
            tx.received.prune(now - _KEPT_RECEIVED)
            tx.jobs.prune(now - _KEPT_DELIVERIES)
            tx.audience.forget_undone(now - _KEPT_RECEIVED)

    # ---- fan-out

    def carry_out_jobs(self) -> int:
        """Turn due decisions into deliveries, one transaction each; how many."""
        done = 0
        while self._carry_out_one():
            done += 1
        return done

    def _carry_out_one(self) -> bool:
        now = self._clock()
        with self._store.reading() as look:
            if not look.jobs.due(now, _FAN_OUT, 1) or not self._may_send(look):
                return False
        job: Job | None = None
        try:
            with self._store.transaction() as tx:
                job = next(iter(tx.jobs.due(now, _FAN_OUT, 1)), None)
                if job is None:
                    return False
                sent = FanOut(tx, self._settings, now).carry_out(job)
                tx.jobs.finish(job.id, reason=f"{sent} inboxes")
        except StorageError:
            raise
        except Exception as error:
            # A fault with one review must not keep all others from their readers.
            if job is None:
                raise
            log.exception("%s of %s failed and is tried again", job.kind.value, job.subject)
            with self._store.transaction() as tx:
                tx.jobs.postpone(job.id, now + _AFTER_A_FAULT, repr(error))
            return True
        log.info("%s of %s goes to %d inboxes", job.kind.value, job.subject, sent)
        return True

    def _may_send(self, look: Reading) -> bool:
        """Nothing leaves while the gate is closed or an identity is not on disk yet."""
        return gate.is_open(look, self._settings) and not look.editions.has_unwritten_events()

    # ---- deliveries

    def _lease(self, limit: int) -> list[Delivery]:
        if limit <= 0:
            return []
        now = self._clock()
        with self._store.reading() as look:
            if not look.jobs.has_due_delivery(now) or not self._may_send(look):
                return []
        with self._store.transaction() as tx:
            return tx.jobs.lease(now, LEASE_SECONDS, limit)

    async def _attempt(self, delivery: Delivery) -> Attempt:
        try:
            signer = self._signer(delivery.handle)
        except LookupError as error:  # the actor is gone, and with it whatever it still owed
            return Attempt(delivery, Decision(Verdict.GAVE_UP), None, str(error))
        with self._store.reading() as look:
            dialect = look.jobs.dialect(delivery.host)
        return await attempt(
            delivery, signer, self._door, now=self._clock(), jitter=self._jitter(), dialect=dialect
        )

    def _signer(self, handle: str) -> Signer:
        """The actor's key, parsed once: loading a PEM costs more than a hundred signatures."""
        if handle not in self._signers:
            with self._store.reading() as look:
                key = look.actors.key(handle)
            if key is None:
                raise LookupError(f"the actor {handle} has no key")
            urls = self._settings.urls
            key_id = urls.instance_key if handle == INSTANCE_HANDLE else urls.key(handle)
            self._signers[handle] = Signer(PrivateKey.from_pem(key.private_pem), key_id)
        return self._signers[handle]

    def _settle(self, attempts: Sequence[Attempt]) -> None:
        """Record results, many in one commit."""
        if not attempts:
            return
        now = self._clock()
        with self._store.transaction() as tx:
            tx.jobs.settle([_settled(one, now) for one in attempts])
            for one in attempts:
                self._follow_up(tx, one)

    def _follow_up(self, tx: Transaction, one: Attempt) -> None:
        delivery = one.delivery
        if one.decision.verdict is not Verdict.DONE:
            log.info(
                "%s to %s: %s (%s)", delivery.kind, delivery.inbox, one.decision.verdict.value, one.error
            )
        if one.dialect and one.dialect != tx.jobs.dialect(delivery.host):
            tx.jobs.put_dialect(delivery.host, one.dialect)
        if one.decision.verdict is Verdict.GONE:
            tx.audience.drop_inbox(delivery.inbox_id)
            tx.jobs.drop_inbox(delivery.inbox_id)
        if delivery.kind == "delete" and not tx.jobs.owes(delivery.uid, ("delete", "undo")):
            tx.audience.forget(delivery.uid)
            tx.meta.touch([f"review:{delivery.uid}"], self._clock())

    # ---- what came in

    async def process_received(self) -> int:
        """Handle verified activities and fetch the keys of quarantined ones; how many."""
        now = self._clock()
        with self._store.reading() as look:
            due = look.received.next_due()
        if due is None or due > now:
            return 0
        with self._store.transaction() as tx:
            rows = tx.received.lease(now, LEASE_SECONDS, AT_ONCE)
        quarantined = [row for row in rows if row.state is ReceivedState.QUARANTINED]
        for row in rows:
            if row.state is ReceivedState.VERIFIED:
                self._process(row)
        await self._release(quarantined)
        return len(rows)

    def _process(self, row: Received) -> None:
        try:
            with self._store.transaction() as tx:
                receive.process(tx, self._settings, row, self._clock())
        except StorageError:
            raise
        except DramafeedError as error:
            self._drop(row, str(error))
        except Exception as error:
            # A fault in one handler must not stop the inbox; the row stays, with its reason.
            log.exception("%s of %s failed and is tried again", row.activity_id, row.actor)
            with self._store.transaction() as tx:
                tx.received.postpone(row.id, self._clock() + _AFTER_A_FAULT, repr(error))

    async def _release(self, rows: Sequence[Received]) -> None:
        """Fetch each key once, verify every request that names it, then process or drop."""
        by_key: dict[str, list[Received]] = {}
        for row in rows:
            by_key.setdefault(row.key_id, []).append(row)
        by_host: dict[str, list[str]] = {}
        for key_id, waiting in by_key.items():
            by_host.setdefault(waiting[0].host, []).append(key_id)
        await asyncio.gather(*(self._release_host(keys, by_key) for keys in by_host.values()))

    async def _release_host(self, keys: Sequence[str], by_key: dict[str, list[Received]]) -> None:
        for key_id in keys:  # one fetch at a time per host
            await self._release_key(key_id, by_key[key_id])

    async def _release_key(self, key_id: str, rows: Sequence[Received]) -> None:
        now = self._clock()
        try:
            signer = self._signer(INSTANCE_HANDLE)
            owner = cached(await fetch_key_owner(self._door, key_id, signer=signer), key_id, now)
        except TransportError as error:
            self._later(rows, error)
            return
        except (MalformedError, SignatureError) as error:
            for row in rows:
                self._drop(row, str(error))
            return
        for row in rows:
            try:
                if owner.uri != row.actor:
                    raise SignatureError(f"the key belongs to {owner.uri}, not to {row.actor}")
                receive.check_quarantined(row, owner.public_pem, self._settings)
            except SignatureError as error:
                self._drop(row, str(error))
                continue
            with self._store.transaction() as tx:
                tx.actors.put_remote(owner)
            self._process(row)

    def _later(self, rows: Sequence[Received], error: TransportError) -> None:
        now = self._clock()
        for row in rows:
            final = error.status in (404, 410) or row.attempts > len(receive.RETRIES)
            if final:
                self._drop(row, str(error))
                continue
            with self._store.transaction() as tx:
                tx.received.postpone(row.id, now + receive.RETRIES[row.attempts - 1], str(error))

    def _drop(self, row: Received, reason: str) -> None:
        log.info("dropped %s of %s: %s", row.activity_id, row.actor, reason)
        with self._store.transaction() as tx:
            tx.received.settle(row.id, ReceivedState.DROPPED, reason)

    async def refresh_actors(self) -> int:
        """Fetch again the remote actors whose key or profile changed; how many."""
        now = self._clock()
        with self._store.reading() as look:
            if not look.jobs.due(now, (JobKind.REFRESH,), 1):
                return 0
        with self._store.transaction() as tx:
            jobs = tx.jobs.due(now, (JobKind.REFRESH,), AT_ONCE)
            for job in jobs:
                tx.jobs.postpone(job.id, now + timedelta(seconds=LEASE_SECONDS))
        await asyncio.gather(*(self._refresh(job) for job in jobs))
        return len(jobs)

    async def _refresh(self, job: Job) -> None:
        now = self._clock()
        try:
            actor, key_id = await fetch_with_key(
                self._door, job.subject, signer=self._signer(INSTANCE_HANDLE)
            )
            row = cached(actor, key_id, now)
        except DramafeedError as error:
            with self._store.transaction() as tx:
                if job.attempts + 1 >= len(receive.RETRIES):
                    tx.jobs.finish(job.id, reason=str(error))
                else:
                    tx.jobs.postpone(job.id, now + receive.RETRIES[job.attempts], str(error))
            return
        with self._store.transaction() as tx:
            tx.actors.put_remote(row)
            tx.audience.move_inbox(row.uri, row.shared_inbox or row.inbox, row.inbox, row.host)
            tx.jobs.finish(job.id)


class PublishLoop:
    """Watches the content folder and publishes: one process at a time, by lease.

    Args:
        store: the database.
        publisher: makes the folder public.
        watcher: tells which files have settled since it was last asked.
        clock: gives the present, aware.
    """

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        watcher: Watcher,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lease = store.lease_of("publisher")
        self._store = store
        self._publisher = publisher
        self._watcher = watcher
        self._clock = clock
        self._next: datetime | None = clock()  # the first step always makes a pass
        self._wish = ""
        self._said: frozenset[str] = frozenset()
        self._started = False

    def step(self) -> Report | None:
        """Look once; the report if a pass was made. Another process's lease means: nothing."""
        now = self._clock()
        if not self._lease.renew(now):
            self._started = False
            return None
        if not self._started:
            self._publisher.start()
            self._started = True
            self._next = now
        changed = self._watcher.poll()
        if not changed and not self._is_wanted(now):
            self._publisher.write_ledger()
            return None
        report = self._publisher.run_pass()
        self._next = report.look_again
        if self._publisher.unsettled:
            soon = now + timedelta(seconds=1)
            self._next = min(self._next or soon, soon)
        self._say(report)
        return report

    @property
    def next_pass(self) -> datetime | None:
        """When a pass is due although no file changes."""
        return self._next

    def close(self) -> None:
        """Give the lease back."""
        self._lease.release()

    def _is_wanted(self, now: datetime) -> bool:
        """True when time alone asks for a pass, or a command did."""
        with self._store.reading() as look:
            wish = look.meta.get("pass_wanted")
        if wish != self._wish:
            self._wish = wish
            return True
        return self._next is not None and self._next <= now

    def _say(self, report: Report) -> None:
        for change in report.changes:
            log.info(
                "%s %s %s",
                change.kind.value,
                change.thing.kind.value,
                change.thing.path or change.thing.title,
            )
        problems = frozenset(str(problem) for problem in report.problems)
        for problem in sorted(problems - self._said):
            log.warning("%s", problem)
        if report.removals_held:
            log.warning("%s", report.removals_held)
        self._said = problems


def _settled(one: Attempt, now: datetime) -> Settled:
    states = {
        Verdict.DONE: DeliveryState.DONE,
        Verdict.RETRY: DeliveryState.PENDING,
        Verdict.GAVE_UP: DeliveryState.GAVE_UP,
        Verdict.GONE: DeliveryState.GAVE_UP,
    }
    return Settled(
        id=one.delivery.id,
        state=states[one.decision.verdict],
        due_at=one.decision.at or now,
        status=one.status,
        error=one.error,
    )


async def _some(
    tasks: set[asyncio.Task[Attempt]], stop: asyncio.Event, seconds: float
) -> set[asyncio.Task[Attempt]]:
    """The tasks that have finished, after waiting for at least one of them, `stop`, or some time."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({*tasks, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    return {task for task in tasks if task.done()}


async def _all(tasks: set[asyncio.Task[Attempt]]) -> set[asyncio.Task[Attempt]]:
    if tasks:
        await asyncio.wait(tasks, timeout=LEASE_SECONDS / 2)
    return {task for task in tasks if task.done()}
