"""Changes are told once they have settled; time is stepped, never slept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from dramafeed.content import Watcher, watch, watcher
from dramafeed.content.tree import Tree
from dramafeed.content.watcher import Waiting, stable, system_notices

from .conftest import Folder


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bell:
    """Notices that a test rings."""

    def __init__(self) -> None:
        self.rung = False

    def changes(self) -> set[str] | None:
        rung, self.rung = self.rung, False
        return None if rung else set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def watched(folder: Folder, clock: Clock, bell: Bell) -> Watcher:
    return Watcher(folder.root, monotonic=clock, notices=lambda _root: bell)


def test_a_change_is_told_when_it_settled(folder: Folder, watched: Watcher, clock: Clock, bell: Bell) -> None:
    """Nothing is told while a file changes; two seconds after the last change it is, once."""
    folder.write("reviews/rain.md", "one")
    bell.rung = True
    assert watched.poll() == frozenset()
    for _ in range(5):
        clock.now += 1
        folder.write("reviews/rain.md", "more")
        assert watched.poll() == frozenset()
    clock.now += 2
    assert watched.poll() == {"reviews/rain.md"}
    clock.now += 100
    assert watched.poll() == frozenset()


def test_deletions_settle_too(folder: Folder, watched: Watcher, clock: Clock, bell: Bell) -> None:
    """An editor that deletes and writes anew makes one change, a deleted file is told late."""
    file = folder.root / "authors" / "mina.md"
    content = file.read_bytes()
    file.unlink()
    bell.rung = True
    assert watched.poll() == frozenset()
    clock.now += 1
    folder.write("authors/mina.md", content)
    assert watched.poll() == frozenset()
    clock.now += 2
    assert watched.poll() == {"authors/mina.md"}
    file.unlink()
    bell.rung = True
    watched.poll()
    clock.now += 2
    assert watched.poll() == {"authors/mina.md"}


def test_nobody_looks_without_a_reason(
    folder: Folder, watched: Watcher, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a notice the folder is looked at only every thirty seconds."""
    looks: list[Path] = []
    real = watcher.scan

    def scan(root: Path) -> Tree:
        looks.append(root)
        return real(root)

    monkeypatch.setattr(watcher, "scan", scan)
    for _ in range(29):
        clock.now += 1
        watched.poll()
    assert looks == []
    clock.now += 1
    watched.poll()
    assert len(looks) == 1


def test_the_rescan_finds_what_nobody_noticed(folder: Folder, watched: Watcher, clock: Clock) -> None:
    """On file systems without notices a change is found all the same."""
    folder.write("reviews/rain.md", "one")
    clock.now += 30
    assert watched.poll() == frozenset()
    clock.now += 2
    assert watched.poll() == {"reviews/rain.md"}


def test_without_notices_it_polls(folder: Folder, clock: Clock) -> None:
    """Where the system gives no notices at all, it looks every second."""
    watched = Watcher(folder.root, monotonic=clock, notices=lambda _root: None)
    folder.write("reviews/rain.md", "one")
    clock.now += 1
    watched.poll()
    clock.now += 2
    assert watched.poll() == {"reviews/rain.md"}


def test_a_missing_folder_means_nothing(folder: Folder, clock: Clock, tmp_path: Path) -> None:
    """An unmounted folder is no deletion; when it is back, listening begins again."""
    heard: list[Path] = []

    def listen(root: Path) -> None:
        heard.append(root)

    watched = Watcher(folder.root, monotonic=clock, notices=listen)
    folder.root.rename(tmp_path / "elsewhere")
    for _ in range(5):
        clock.now += 1
        assert watched.poll() == frozenset()
    (tmp_path / "elsewhere").rename(folder.root)
    folder.write("reviews/rain.md", "one")
    clock.now += 1
    watched.poll()
    clock.now += 2
    assert (watched.poll(), len(heard)) == ({"reviews/rain.md"}, 2)


def test_stable_is_a_function_of_its_arguments() -> None:
    """The decision needs no folder and no clock."""
    old, new = (1, 1, 1, 1), (2, 1, 1, 1)
    settled, waiting = stable({"a": old}, {"a": new, "b": old}, Waiting(), 10.0, 2.0)
    assert settled == frozenset()
    settled, waiting = stable({"a": old}, {"a": new, "b": new}, waiting, 12.0, 2.0)
    assert settled == {"a"}
    settled, _ = stable({"a": new}, {"a": new, "b": new}, waiting, 14.0, 2.0)
    assert settled == {"b"}


def test_settling_at_once() -> None:
    """With no settling time a change is told at once."""
    assert stable({}, {"a": (1, 1, 1, 1)}, Waiting(), 0.0, 0.0)[0] == {"a"}


def test_system_notices(folder: Folder) -> None:
    """The system's notices arrive without waiting for them."""
    pytest.importorskip("watchfiles")
    (folder.root / "reviews").mkdir()
    notices = system_notices(folder.root)
    assert notices is not None
    folder.write("reviews/rain.md", "one")
    file = str(folder.root.resolve() / "reviews" / "rain.md")
    assert any(file in (notices.changes() or ()) for _ in range(3000))  # each question takes a millisecond


def test_without_watchfiles(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional."""
    monkeypatch.setitem(sys.modules, "watchfiles._rust_notify", None)
    assert system_notices(folder.root) is None


def test_watch_yields_changes_until_stopped(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocking form gives the sets of settled changes and ends when asked."""
    told = [frozenset(), frozenset({"a"}), frozenset(), frozenset({"b"})]

    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            return not told

    monkeypatch.setattr(Watcher, "poll", lambda _self: told.pop(0))
    assert list(watch(folder.root, Stop())) == [{"a"}, {"b"}]


def test_a_large_folder_is_looked_at_less_often(new_folder: Callable[..., Folder]) -> None:
    """Looking never takes more than a tenth of the time."""
    folder = new_folder()
    ticks = iter([0.0, 0.0, 5.0, 6.0, 6.0, 7.0])
    watched = Watcher(folder.root, monotonic=lambda: next(ticks), notices=lambda _root: None)
    assert watched.poll() == frozenset()
    assert next(ticks) == 6.0  # the look that took five seconds was the last one
