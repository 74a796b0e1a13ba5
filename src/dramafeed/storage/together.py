"""Writers that wait at the same time share one commit, and only so many of them may wait.

What a durable commit costs is mostly the disk, whatever is in it. Who comes first commits for all who came
meanwhile, and each gets its result only after that commit.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dramafeed.errors import StorageError
from dramafeed.storage.store import Store, Transaction

Result = TypeVar("Result")

PLACES = 3  # threads that may wait for the write lock; whoever serves has one thread more, for readers
_PATIENCE = 0.5  # seconds that one more waits for a place while commits get on


class CrowdedError(StorageError):
    """Too many wait for the database's write lock already."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    work: Callable[[Transaction], Any]
    result: Future[Any] = field(default_factory=Future)


class SharedCommits:
    """Transactions of many threads of one process, committed together.

    Args:
        store: the database.
        monotonic: seconds on a clock that only goes forward.
    """

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._places = threading.BoundedSemaphore(PLACES)
        self._turn = threading.Lock()  # its holder commits what is in the queue
        self._queue: deque[_Waiting] = deque()
        self._since = 0.0  # when the commit under way was begun

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Carry out `work` in a transaction, perhaps with others'; what it returns, once that is committed.

        It may be carried out anew, in another transaction, when one beside it fails.

        Raises:
            CrowdedError: too many wait already.
            StorageError: the database is in trouble.
            Exception: what `work` raises; the others' work is committed all the same.
        """
        if not self._turn.locked():
            self._since = self._monotonic()
        patience = self._since + _PATIENCE - self._monotonic()
        if not self._places.acquire(timeout=max(0.0, patience)):
            raise CrowdedError("Too many requests wait for the database; come again later.")
        try:
            mine = _Waiting(work)
            self._queue.append(mine)
            with self._turn:
                if not mine.result.done():
                    self._since = self._monotonic()
                    self._commit([self._queue.popleft() for _ in range(len(self._queue))])
            result: Result = mine.result.result()
            return result
        finally:
            self._places.release()

    def _commit(self, waiting: list[_Waiting]) -> None:
        """Commit all in one transaction; one that fails is left out, and the others begin again."""
        while waiting:
            failed: list[_Waiting] = waiting
            try:
                with self._store.transaction() as tx:
                    results = []
                    for each in waiting:
                        failed = [each]
                        results.append(each.work(tx))
                    failed = waiting
            except BaseException as error:  # noqa: BLE001 - each thread raises its own
                for each in failed:
                    each.result.set_exception(error)
                waiting = [each for each in waiting if each not in failed]
            else:
                for each, result in zip(waiting, results, strict=True):
                    each.result.set_result(result)
                return
