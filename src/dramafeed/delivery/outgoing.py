"""Deliveries under way: leased ahead, sent many at once, recorded many in one commit.

Between the POST and the commit that records it lies a quarter of a second at most. A process that dies in it
repeats those POSTs with the same activity ids, which every server takes for what they are. Will not decide
what an answer means (`policy`), nor loop: whoever owns it calls `exchange` now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from dramafeed.activitypub.signatures import Signer
from dramafeed.delivery.policy import Decision, Verdict
from dramafeed.delivery.send import Attempt, Door, attempt
from dramafeed.storage import Reading, Store, Transaction
from dramafeed.storage.jobs import Delivery, DeliveryState, Settled

log = logging.getLogger("dramafeed.worker")

AT_ONCE = 64  # requests under way to hosts that answer quickly, as far as is known
SLOW_AT_ONCE = 16  # and to hosts that kept us waiting lately: they never take the others' room
LEASE_SECONDS = 120  # longer than it may take to reach the end of what is leased ahead
_AHEAD = 256
_BATCH = 128  # results that are worth a commit at once
_LATE = 3.0  # seconds after which a host counts as slow ...
_SLOW_FOR = timedelta(hours=1)  # ... for this long
_DELETES = ("delete", "undo")
_STATES = {
    Verdict.DONE: DeliveryState.DONE,
    Verdict.RETRY: DeliveryState.PENDING,
    Verdict.GAVE_UP: DeliveryState.GAVE_UP,
    Verdict.GONE: DeliveryState.GAVE_UP,
}

# The key of one of our actors, None when there is none.
SignerOf = Callable[[Reading, str], Signer | None]


class Outgoing:
    """The deliveries of one event loop.

    Args:
        store: the database.
        door: the way out.
        signer_of: finds an actor's key.
        may_send: says whether anything may leave now.
        clock: gives the present, aware.
        jitter: gives a random number in [0, 1).
    """

    def __init__(
        self,
        store: Store,
        door: Door,
        *,
        signer_of: SignerOf,
        may_send: Callable[[Reading], bool],
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._door = door
        self._signer_of = signer_of
        self._may_send = may_send
        self._clock = clock
        self._jitter = jitter
        self._ahead: deque[tuple[Delivery, Signer | None]] = deque()
        self._fast: set[asyncio.Task[Attempt]] = set()
        self._slow: set[asyncio.Task[Attempt]] = set()
        self._finished: list[Attempt] = []
        self._fault: BaseException | None = None
        self.due_for_exchange = asyncio.Event()

    @property
    def under_way(self) -> set[asyncio.Task[Attempt]]:
        """The requests that wait for their answer."""
        return self._fast | self._slow

    def exchange(self) -> int:
        """Record what has finished and take more, in one transaction; how many were taken.

        Raises:
            Exception: what an attempt raised that is no fault of the other server.
        """
        self.due_for_exchange.clear()
        if self._fault is not None:
            raise self._fault
        room = _AHEAD - len(self._ahead)
        more = room >= _AHEAD // 2 and self._any_due()
        if not more and not self._finished:
            return 0
        finished, leased = self._finished, []
        now = self._clock()
        with self._store.transaction() as tx:
            self._record(tx, finished, now)
            if more:
                leased = tx.jobs.lease(now, LEASE_SECONDS, room, SLOW_AT_ONCE - len(self._slow))
            signers = {handle: self._signer_of(tx, handle) for handle in {each.handle for each in leased}}
        self._finished = self._finished[len(finished) :]
        for delivery in leased:
            if delivery.slow:
                self._begin(self._slow, delivery, signers[delivery.handle])
            else:
                self._ahead.append((delivery, signers[delivery.handle]))
        self._fill()
        return len(leased)

    async def finish(self, seconds: float) -> None:
        """Begin nothing more, wait for what is under way, record it, and give the rest back."""
        unsent = [delivery.id for delivery, _signer in self._ahead]
        self._ahead.clear()
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=seconds)
        if not unsent and not self._finished:
            return
        with self._store.transaction() as tx:
            tx.jobs.give_back(unsent, self._clock())
            self._record(tx, self._finished, self._clock())
        self._finished = []

    def _any_due(self) -> bool:
        with self._store.reading() as look:
            return look.jobs.has_due_delivery(self._clock()) and self._may_send(look)

    # ---- sending

    def _fill(self) -> None:
        while self._ahead and len(self._fast) < AT_ONCE:
            self._begin(self._fast, *self._ahead.popleft())

    def _begin(self, lane: set[asyncio.Task[Attempt]], delivery: Delivery, signer: Signer | None) -> None:
        task = asyncio.create_task(self._attempt(delivery, signer))
        lane.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Attempt]) -> None:
        self._fast.discard(task)
        self._slow.discard(task)
        if task.cancelled():
            return
        self._fault = self._fault or task.exception()
        if self._fault is None:
            self._finished.append(task.result())
            self._fill()
        if self._fault or len(self._finished) >= _BATCH or not self._fast:
            self.due_for_exchange.set()

    async def _attempt(self, delivery: Delivery, signer: Signer | None) -> Attempt:
        if signer is None:  # the actor is gone, and with it whatever it still owed
            gone = f"the actor {delivery.handle} has no key"
            return Attempt(delivery, Decision(Verdict.GAVE_UP), None, gone)
        return await attempt(delivery, signer, self._door, now=self._clock(), jitter=self._jitter())

    # ---- recording

    def _record(self, tx: Transaction, attempts: list[Attempt], now: datetime) -> None:
        if not attempts:
            return
        tx.jobs.settle([_settled(one, now) for one in attempts])
        for one in attempts:
            self._follow_up(tx, one, now)
        withdrawn = {one.delivery.uid for one in attempts if one.delivery.kind in _DELETES}
        for uid in sorted(withdrawn):
            if not tx.jobs.owes(uid, _DELETES):
                tx.audience.forget(uid)
                tx.meta.touch([f"review:{uid}"], now)

    def _follow_up(self, tx: Transaction, one: Attempt, now: datetime) -> None:
        delivery, verdict = one.delivery, one.decision.verdict
        if verdict is not Verdict.DONE:
            log.info("%s to %s: %s (%s)", delivery.kind, delivery.inbox, verdict.value, one.error)
        if one.dialect and one.dialect != delivery.dialect:
            tx.jobs.put_dialect(delivery.host, one.dialect)
        late = one.seconds >= _LATE
        if late or delivery.slow:
            tx.jobs.put_slow(delivery.host, now + _SLOW_FOR if late else None)
        if verdict is Verdict.GONE:
            tx.audience.drop_inbox(delivery.inbox_id)
            tx.jobs.drop_inbox(delivery.inbox_id)


def _settled(one: Attempt, now: datetime) -> Settled:
    return Settled(
        id=one.delivery.id,
        state=_STATES[one.decision.verdict],
        due_at=one.decision.at or now,
        status=one.status,
        error=one.error,
    )
