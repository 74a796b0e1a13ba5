"""Notices that files changed, and says so once they have been left alone for a moment.

The operating system's notices (watchfiles, where it is installed) only say where to look; what changed is
always found by comparing file times and sizes, and the whole folder is looked through now and then, because
notices do not work on every file system. Will not read files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from .tree import Stat, Tree, differing, scan, update

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
    """Tells what the system noticed; asking is cheap and never blocks."""

    def changes(self) -> set[str] | None:
        """Absolute names below the folder that changed since the last question; None: anything may have."""
        ...


class _SystemNotices:
    """Notices of the operating system, gathered by watchfiles in a thread of its own."""

    def __init__(self, notifier: Any) -> None:
        self._notifier = notifier

    def changes(self) -> set[str] | None:
        # One millisecond is the shortest wait it knows; what it gathered is there at once.
        noticed = self._notifier.watch(1, 1, 1, None)
        return {name for _kind, name in noticed} if isinstance(noticed, set) else set()


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
        self._waiting = Waiting()
        self._tree = self._known = Tree(complete=False)  # the last one, and the last complete one
        self._moved: set[str] = set()  # paths that changed since `poll` looked
        self._unread: set[str] | None = None  # those that changed since `tree` was asked
        self._next_scan = self._rest = 0.0
        self._scan(monotonic())
        self._reported = {path: entry.stat for path, entry in self._known.entries.items()}
        self._moved.clear()

    @property
    def unsettled(self) -> bool:
        """True while something changed that may still be written."""
        return bool(self._waiting.since)

    def poll(self) -> frozenset[str]:
        """The paths that changed and have settled since the last report. Never blocks."""
        now = self._monotonic()
        self._observe(now)
        if not self._tree.complete or not (self._moved or self._waiting.since):
            return frozenset()  # of an unmounted or unreadable folder, nothing may be concluded
        return self._report(now)

    def tree(self) -> Tree:
        """The folder as it is now, at the price of what changed where the system gives notices."""
        now = self._monotonic()
        if self._notices is None:
            self._scan(now)
        else:
            self._observe(now)
        self._tree.changed = self._unread
        if self._tree.complete:
            self._unread = set()
        return self._tree

    def _observe(self, now: float) -> None:
        """Bring the tree up to date: by what was noticed, or by a pass when it is time for one."""
        noticed = self._notices.changes() if self._notices else set()
        if noticed is None or now >= self._next_scan:
            self._scan(now)
            return
        if self._notices:  # what still settles is looked at again whether noticed or not
            noticed |= {f"{self._tree.home}/{path}" for path in self._waiting.since}
        if not noticed:
            return
        moved = update(self._tree, noticed)
        if moved is None:
            self._scan(now)
        else:
            self._note(moved)

    def _scan(self, now: float) -> None:
        found = scan(self.root)
        if found.identity != self._tree.identity or not found.identity:
            # Listening is bound to the folder itself, not to its name: begin again at a new one.
            self._notices = self._listen(Path(found.home)) if found.identity else None
        if found.complete:
            self._note(differing(self._known, found))
            self._known = found
        self._tree = found
        calm = self._rescan_seconds if self._notices and found.complete else self._poll_seconds
        # A pass costs time in proportion to the folder: never spend more than a tenth on passes.
        self._rest = 10 * (self._monotonic() - now)
        self._next_scan = now + max(calm, self._rest)

    def _note(self, moved: set[str]) -> None:
        self._moved |= moved
        if self._unread is not None:
            self._unread |= moved

    def _report(self, now: float) -> frozenset[str]:
        paths = self._moved | self._waiting.since.keys()
        before = {path: self._reported[path] for path in paths & self._reported.keys()}
        entries = self._known.entries
        after = {path: entries[path].stat for path in paths & entries.keys()}
        settled, self._waiting = stable(before, after, self._waiting, now, self._settle_seconds)
        self._moved.clear()
        self._reported.update({path: after[path] for path in settled & after.keys()})
        for path in settled - after.keys():
            del self._reported[path]
        if self._waiting.since and not self._notices:
            self._next_scan = min(self._next_scan, now + max(self._settle_seconds / 4, self._rest))
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
