"""A copy of the SQLite file every day, seven kept.

Copies are numbered in the order in which they were made, so that a clock that jumps cannot make an old one
look new. Files that others put into the folder are never touched. A failure is said and shown by `status`; it
stops nothing.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dramafeed.errors import StorageError
from dramafeed.storage import copies
from dramafeed.storage.store import Store

log = logging.getLogger("dramafeed.backups")

DONE, FAILED = "backup_done", "backup_failed"  # facts in `meta`: when the last one was made; what went wrong
_DAY = timedelta(days=1)
_KEPT = 7
_LEASE_SECONDS = 900  # longer than a copy takes
_PAUSE = 3600.0  # seconds after a failure
_AT_LEAST = 20 * 3600.0  # seconds between two copies of one process, whatever the clock says


class DailyBackups:
    """Makes the copy of the day, in one process at a time.

    Args:
        store: an SQLite database; any other is left to its own tools.
        folder: where copies go; made when it is missing. None: nowhere.
        clock: gives the present, aware.
        monotonic: seconds on a clock that only goes forward.
    """

    def __init__(
        self,
        store: Store,
        folder: Path | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._monotonic = monotonic
        self._lease = store.lease_of("backup", _LEASE_SECONDS)
        self._not_before = monotonic()

    def step(self) -> Path | None:
        """Make a copy if one is due; where it is.

        Raises:
            StorageError: the database cannot be used now.
        """
        if self._folder is None or not self._store.sqlite or self._monotonic() < self._not_before:
            return None
        now = self._clock()
        if not self._is_due(now) or not self._lease.renew(now):
            return None
        try:
            made = self._copy(self._folder, now) if self._is_due(now) else None
        except (StorageError, OSError) as error:
            self._not_before = self._monotonic() + _PAUSE
            said = f"{self._folder}: {error.strerror}." if isinstance(error, OSError) else error
            log.error("The backup of today failed: %s", said)
            self._note(FAILED, f"The backup of {now:%Y-%m-%d %H:%M} UTC failed: {said}")
            return None
        finally:
            self._lease.release()
        self._not_before = self._monotonic() + _AT_LEAST
        return made

    def _is_due(self, now: datetime) -> bool:
        with self._store.reading() as look:
            done = look.meta.get(DONE)
            published = look.meta.get("first_pass")
        return bool(published) and (not done or abs(now - datetime.fromisoformat(done)) >= _DAY)

    def _copy(self, folder: Path, now: datetime) -> Path:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in folder.glob(f".{self._prefix()}*{copies.PART}*"):  # of a process that died
            part.unlink(missing_ok=True)
        older = self._mine(folder)
        number = max(older, default=0) + 1
        path = folder / f"{self._prefix()}{number:04}-{now:%Y%m%d}.sqlite3"
        copies.write(self._store, path)
        with self._store.transaction() as tx:
            tx.meta.put(DONE, now.isoformat())
            tx.meta.put(FAILED, "")
        for old in sorted(older)[: -(_KEPT - 1)]:
            older[old].unlink(missing_ok=True)
        log.info("backup: %s", path)
        return path

    def _prefix(self) -> str:
        with self._store.reading() as look:
            return f"dramafeed-{look.meta.get('site_id')[:8]}-"

    def _mine(self, folder: Path) -> dict[int, Path]:
        """Number -> copy, of this site's copies; several sites may share a folder."""
        form = re.compile(rf"{re.escape(self._prefix())}(\d{{4,}})-\d{{8}}\.sqlite3")
        found = ((form.fullmatch(path.name), path) for path in folder.iterdir())
        return {int(match[1]): path for match, path in found if match}

    def _note(self, key: str, value: str) -> None:
        try:
            with self._store.transaction() as tx:
                tx.meta.put(key, value)
        except StorageError as error:
            log.error("%s", error)
