"""The worker's half of the inbox: handles what is verified, fetches the keys that quarantine waits for.

A stranger decides which key is fetched, so fetching is bounded whatever arrives: `AT_ONCE` in all, one per
host, few a minute per host (`storage.fetches`), and none for a key that failed until its pause is over.
Fetches are tasks beside the caller's loop: a host that does not answer holds up nobody else's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from dramafeed.activitypub import addresses
from dramafeed.activitypub.dereference import Getter, fetch_key_owner, fetch_with_key
from dramafeed.activitypub.signatures import Signer
from dramafeed.errors import DramafeedError, MalformedError, SignatureError, StorageError, TransportError
from dramafeed.inbox import receive
from dramafeed.inbox.actors import cached
from dramafeed.model import INSTANCE_HANDLE
from dramafeed.settings import Settings
from dramafeed.storage import Reading, Store, Transaction
from dramafeed.storage.actors import CachedActor
from dramafeed.storage.fetches import FailedKey
from dramafeed.storage.jobs import Job, JobKind
from dramafeed.storage.received import Received, ReceivedState

log = logging.getLogger("dramafeed.worker")

AT_ONCE = 16  # fetches under way
_LEASE_SECONDS = 60  # longer than a fetch may take: three documents of ten seconds each
_PROCESSED_AT_ONCE = 64
_AFTER_A_FAULT = timedelta(minutes=10)
_RETRIES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
_FINAL_FOR = timedelta(hours=1)  # how long a key that does not exist is not asked for again
_GONE = (404, 410)


class Arrivals:
    """What came in, for one event loop.

    Args:
        store: the database.
        settings: addresses and pauses.
        door: the way out.
        signer_of: finds an actor's key; fetches are signed by the instance actor.
        clock: gives the present, aware.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        door: Getter,
        *,
        signer_of: Callable[[Reading, str], Signer | None],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._settings = settings
        self._door = door
        self._signer_of = signer_of
        self._clock = clock
        self.fetching: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []

    # ---- verified activities

    def process(self) -> int:
        """Handle verified activities that are due, one transaction each; how many."""
        now = self._clock()
        with self._store.transaction() as tx:
            rows = tx.received.lease(now, _LEASE_SECONDS, _PROCESSED_AT_ONCE)
        for row in rows:
            self._process(row)
        return len(rows)

    def _process(self, row: Received) -> None:
        try:
            with self._store.transaction() as tx:
                receive.process(tx, self._settings, row, self._clock())
        except StorageError:
            raise
        except DramafeedError as error:
            log.info("dropped %s of %s: %s", row.activity_id, row.actor, error)
            with self._store.transaction() as tx:
                tx.received.settle(row.id, ReceivedState.DROPPED, str(error))
        except Exception as error:
            # A fault in one handler must not stop the inbox; the row stays, with its reason.
            log.exception("%s of %s failed and is tried again", row.activity_id, row.actor)
            with self._store.transaction() as tx:
                tx.received.postpone([row.id], self._clock() + _AFTER_A_FAULT, repr(error))

    # ---- fetches

    def start_fetches(self) -> int:
        """Begin the fetches that are wanted and allowed now, as tasks; how much was done.

        Raises:
            Exception: what an earlier fetch raised that is no fault of the other server.
        """
        if self._faults:
            raise self._faults[0]
        room = AT_ONCE - len(self.fetching)
        if room <= 0:
            return 0
        now = self._clock()
        with self._store.reading() as look:
            keys = look.received.wanted_keys(now, room)
            actors = bool(look.jobs.due(now, (JobKind.REFRESH,), 1))
        if not keys and not actors:
            return 0
        done = 0
        with self._store.transaction() as tx:
            signer = self._signer_of(tx, INSTANCE_HANDLE)
            if signer is None:  # before the first pass; or the keys are lost, and a person must act
                return 0
            for host, key_id in tx.received.wanted_keys(now, room):
                done += 1
                self._begin_key(tx, host, key_id, signer, now)
            for job in tx.jobs.due(now, (JobKind.REFRESH,), max(0, room - done)):
                done += 1
                self._begin_refresh(tx, job, signer, now)
        return done

    def _begin_key(self, tx: Transaction, host: str, key_id: str, signer: Signer, now: datetime) -> None:
        owner = tx.actors.remote_by_key(key_id)
        if owner is not None:  # came to be known meanwhile
            self._release(tx, owner, key_id, now)
        elif tx.fetches.claim(host, now, _LEASE_SECONDS) is None:
            self._begin(self._fetch_key(host, key_id, signer))

    def _begin_refresh(self, tx: Transaction, job: Job, signer: Signer, now: datetime) -> None:
        host = addresses.authority(job.subject)
        later = tx.fetches.claim(host, now, _LEASE_SECONDS)
        tx.jobs.take(job, later or now + timedelta(seconds=_LEASE_SECONDS))
        if later is None:
            self._begin(self._fetch_again(host, job, signer))

    def _begin(self, fetch: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(fetch)
        self.fetching.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.fetching.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._faults.append(error)

    async def finish(self, seconds: float) -> None:
        """Wait a while for the fetches under way; what is not done by then is fetched by somebody else."""
        if self.fetching:
            _done, late = await asyncio.wait(self.fetching, timeout=seconds)
            for task in late:
                task.cancel()

    # ---- one key

    async def _fetch_key(self, host: str, key_id: str, signer: Signer) -> None:
        try:
            actor = await fetch_key_owner(self._door, key_id, signer=signer)
            owner = cached(actor, key_id, self._clock())
        except (TransportError, MalformedError, SignatureError) as error:
            with self._store.transaction() as tx:
                self._note_failure(tx, host, key_id, error)
            return
        now = self._clock()
        with self._store.transaction() as tx:
            tx.fetches.release(host, now)
            tx.fetches.forget_failure(key_id)
            tx.actors.put_remote(owner)
            self._release(tx, owner, key_id, now)

    def _release(self, tx: Transaction, owner: CachedActor, key_id: str, now: datetime) -> None:
        """Verify every request that names a key that is known now."""
        for row in tx.received.waiting_for(key_id):
            try:
                if owner.uri != row.actor:
                    raise SignatureError(f"the key belongs to {owner.uri}, not to {row.actor}")
                receive.check_quarantined(row, owner.public_pem, self._settings)
            except SignatureError as error:
                self._drop(tx, row, str(error))
            else:
                tx.received.verify(row.id, now)

    def _note_failure(self, tx: Transaction, host: str, key_id: str, error: DramafeedError) -> None:
        """Try the key again after a pause, or never; a host that gave no answer rests as well."""
        now, known = self._clock(), tx.fetches.failed(key_id)
        tries = 0 if known is None or known.final else known.tries
        transient = isinstance(error, TransportError) and error.status not in _GONE
        final = not transient or tries >= len(_RETRIES)
        until = now + (_FINAL_FOR if final else _RETRIES[tries])
        silent = isinstance(error, TransportError) and error.status is None
        tx.fetches.release(host, now + _RETRIES[0] if silent else now)
        tx.fetches.note_failure(FailedKey(key_id, tries + 1, until, final, str(error)[:500]))
        rows = tx.received.waiting_for(key_id)
        if final:
            for row in rows:
                self._drop(tx, row, str(error))
        else:
            tx.received.postpone([row.id for row in rows], until, str(error))

    def _drop(self, tx: Transaction, row: Received, reason: str) -> None:
        log.info("dropped %s of %s: %s", row.activity_id, row.actor, reason)
        tx.received.forget(row.id)

    # ---- one actor again

    async def _fetch_again(self, host: str, job: Job, signer: Signer) -> None:
        """Fetch a known actor whose key or profile changed."""
        try:
            actor, key_id = await fetch_with_key(self._door, job.subject, signer=signer)
            row = cached(actor, key_id, self._clock())
        except (TransportError, MalformedError, SignatureError) as error:
            now = self._clock()
            with self._store.transaction() as tx:
                tx.fetches.release(host, now)
                if job.attempts + 1 >= len(_RETRIES):
                    tx.jobs.finish(job.id, reason=str(error))
                else:
                    tx.jobs.postpone(job.id, now + _RETRIES[job.attempts], str(error))
            return
        with self._store.transaction() as tx:
            tx.fetches.release(host, self._clock())
            tx.actors.put_remote(row)
            tx.audience.move_inbox(row.uri, row.shared_inbox or row.inbox, row.inbox, row.host)
            tx.jobs.finish(job.id)
