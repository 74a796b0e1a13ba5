"""The only loop: carry out what is owed, whatever process it runs in.

`Worker.run_once` does everything that is due at one instant and returns (tests step the clock);
`Worker.run` does the same for ever, with many deliveries under way at once. Every step is a transaction
that either records its result or leaves the row to be taken up again, so the process may die anywhere.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dramafeed.activitypub.signatures import PrivateKey, Signer
from dramafeed.activitypub.transport import Transport
from dramafeed.content import Watcher
from dramafeed.delivery.fan_out import FanOut
from dramafeed.delivery.outgoing import LEASE_SECONDS, Outgoing
from dramafeed.errors import StorageError
from dramafeed.inbox.arrivals import Arrivals
from dramafeed.model import INSTANCE_HANDLE
from dramafeed.publishing import gate
from dramafeed.publishing.publisher import Publisher, Report
from dramafeed.settings import Settings
from dramafeed.storage import Reading, Store
from dramafeed.storage.jobs import Job, JobKind

log = logging.getLogger("dramafeed.worker")

_LOOK_EVERY = 0.25  # seconds between two looks while something is under way
_PRUNE_EVERY = timedelta(hours=1)
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
        self._clock = clock
        self._signers: dict[str, Signer] = {}
        self._outgoing = Outgoing(
            store, door, signer_of=self._signer_of, may_send=self._may_send, clock=clock, jitter=jitter
        )
        self._arrivals = Arrivals(store, settings, door, signer_of=self._signer_of, clock=clock)

    async def run_once(self) -> int:
        """Do all that is due at this instant; how many things were done."""
        done = 0
        while worked := self._turn():
            done += worked
            while under_way := self._arrivals.fetching | self._outgoing.under_way:
                await asyncio.wait(under_way)
        return done

    async def run(self, stop: asyncio.Event, pause: float = 0.5) -> None:
        """Work until `stop` is set. Neither slow inboxes nor slow fetches hold up the others."""
        pruned: datetime | None = None
        while not stop.is_set():
            if pruned is None or abs(self._clock() - pruned) >= _PRUNE_EVERY:
                pruned = self._clock()
                self.prune()
            busy = self._turn() or self._arrivals.fetching or self._outgoing.under_way
            events = (stop, self._outgoing.due_for_exchange)
            await _any_of(*events, seconds=_LOOK_EVERY if busy else pause)
        await asyncio.gather(self._arrivals.finish(1), self._outgoing.finish(LEASE_SECONDS / 4))

    def _turn(self) -> int:
        """Carry out what needs no waiting, record what has ended, begin what needs waiting; how much."""
        worked = 0
        if self._anything_due():
            worked = self.carry_out_jobs() + self._arrivals.process() + self._arrivals.start_fetches()
        return worked + self._outgoing.exchange()

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
            tx.actors.prune_remote(now - _KEPT_RECEIVED)
            tx.fetches.prune(now)

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

    # ---- keys

    def _signer_of(self, look: Reading, handle: str) -> Signer | None:
        """An actor's key. Parsed anew only when it changes: that costs more than a hundred signatures."""
        key = look.actors.key(handle)
        if key is None:
            return None
        known = self._signers.get(handle)
        if known is None or known.key.public_pem != key.public_pem:
            urls = self._settings.urls
            key_id = urls.instance_key if handle == INSTANCE_HANDLE else urls.key(handle)
            known = self._signers[handle] = Signer(PrivateKey.from_pem(key.private_pem), key_id)
        return known


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


async def _any_of(*events: asyncio.Event, seconds: float) -> None:
    """Wait until one of the events is set, or some time has passed."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
