"""Notices that files changed, and says so once they have been left alone for a moment.

The operating system's notices (watchfiles, where it is installed) only wake it up; what changed is
always found by comparing file times and sizes, because notices do not work on every file system.
Will not read files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from . import tree
from .tree import Stat

Snapshot = Mapping[str, Stat]


@dataclass(frozen=True)
class Waiting:
    """Paths that changed but may still be written: their state, and since when they have it."""

    since: Mapping[str, tuple[Stat | None, float]] = field(default_factory=dict)


def stable(
    previous: Snapshot, snapshot: Snapshot, waiting: Waiting, now: float, settle_seconds: float
) -> tuple[frozenset[str], Waiting]:
    """Decides which changes have settled. Pure: the clock and both states are arguments.

    Args:
        previous: the state that was last reported.
        snapshot: the state now.
        waiting: what this function returned the last time.
        now: a clock that only goes forward, in seconds.
        settle_seconds: how long a file must have kept its state.

    Returns:
        The changed paths that settled, and those to ask about again. A path that disappeared
        waits too: many editors save by deleting and writing anew.
    """
    settled: set[str] = set()
    since: dict[str, tuple[Stat | None, float]] = {}
    for path in previous.keys() | snapshot.keys():
        state = snapshot.get(path)
        if state == previous.get(path):
            continue
        known, began = waiting.since.get(path, (None, now))
        if path not in waiting.since or known != state:
            began = now
        if now - began >= settle_seconds:
            settled.add(path)
        else:
            since[path] = (state, began)
    return frozenset(settled), Waiting(since)


class Notices(Protocol):
    """Tells whether the system noticed something; asking is cheap and never blocks."""

    def happened(self) -> bool:
        """True when anything below the folder changed since the last question."""


class _SystemNotices:
    """Notices of the operating system, gathered by watchfiles in a thread of its own."""

    def __init__(self, notifier: Any) -> None:
        self._notifier = notifier

    def happened(self) -> bool:
        # One millisecond is the shortest wait it knows; what it gathered is there at once.
        return isinstance(self._notifier.watch(1, 1, 1, None), set)


def system_notices(root: Path) -> Notices | None:
    """Begins to listen below `root`; None where watchfiles is missing or the system cannot."""
    try:
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError
    except ImportError:
        return None
    try:
        return _SystemNotices(RustNotify([str(root)], False, False, 300, True, True))
    except (OSError, WatchfilesRustInternalError):  # no such folder; too many watches
        return None


class Watcher:
    """Watches one content folder.

    Args:
        root: the folder; it may be missing for a while.
        settle_seconds: how long a file must have kept its state before it is reported.
        rescan_seconds: how often to look even when nothing was noticed.
        poll_seconds: how often to look where the system gives no notices.
        monotonic: a clock that only goes forward.
        notices: begins to listen at a folder; None where the system gives no notices.
    """

    def __init__(
        self,
        root: Path,
        *,
        settle_seconds: float = 2.0,
        rescan_seconds: float = 30.0,
        poll_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        notices: Callable[[Path], Notices | None] = system_notices,
    ) -> None:
        self.root = root
        self._settle_seconds = settle_seconds
        self._rescan_seconds = rescan_seconds
        self._poll_seconds = poll_seconds
        self._monotonic = monotonic
        self._listen = notices
        self._notices: Notices | None = None
        self._identity = ""
        self._reported: dict[str, Stat] = {}
        self._waiting = Waiting()
        self._next_look = monotonic()
        self._look(self._next_look, report=False)

    @property
    def unsettled(self) -> bool:
        """True while something changed that may still be written."""
        return bool(self._waiting.since)

    def poll(self) -> frozenset[str]:
        """The paths that changed and have settled since the last report. Never blocks."""
        now = self._monotonic()
        noticed = self._notices is not None and self._notices.happened()
        if not noticed and now < self._next_look:
            return frozenset()
        return self._look(now, report=True)

    def _look(self, now: float, *, report: bool) -> frozenset[str]:
        found = tree.scan(self.root)
        if found.identity != self._identity or not found.identity:
            # Listening is bound to the folder itself, not to its name: begin again at a new one.
            self._notices = self._listen(self.root) if found.identity else None
            self._identity = found.identity
        if not found.complete:  # unmounted or unreadable: nothing may be concluded
            self._next_look = now + self._poll_seconds
            return frozenset()
        snapshot = {path: entry.stat for path, entry in found.entries.items()}
        if not report:
            self._reported = snapshot
        settled, self._waiting = stable(self._reported, snapshot, self._waiting, now, self._settle_seconds)
        self._reported.update({path: snapshot[path] for path in settled & snapshot.keys()})
        for path in settled - snapshot.keys():
            del self._reported[path]
        # A look costs time in proportion to the folder: never spend more than a tenth on looking.
        calm = self._rescan_seconds if self._notices else self._poll_seconds
        pause = self._settle_seconds / 4 if self._waiting.since else calm
        self._next_look = now + max(pause, 10 * (self._monotonic() - now))
        return settled


def watch(
    root: Path, stop: Event, *, settle_seconds: float = 2.0, rescan_seconds: float = 30.0
) -> Iterator[frozenset[str]]:
    """Yields sets of changed paths until `stop` is set; blocks in between.

    Args:
        root: the content folder.
        stop: ends the iteration within a second.
        settle_seconds: as in `Watcher`.
        rescan_seconds: as in `Watcher`.
    """
    watcher = Watcher(root, settle_seconds=settle_seconds, rescan_seconds=rescan_seconds)
    while not stop.wait(0.25):
        changed = watcher.poll()
        if changed:
            yield changed
