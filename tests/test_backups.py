"""Copies of the database: consistent, private, checked; one a day; and what a restore refuses."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic.operations import Operations
from sqlalchemy import Column, Text, inspect, text

from dramafeed import server
from dramafeed.errors import StorageError
from dramafeed.publishing import operations
from dramafeed.publishing.restoring import restore
from dramafeed.storage import Store, copies, migrations, schema
from dramafeed.storage.daily import DailyBackups
from tests import databases
from tests.fakes import NOON
from tests.site import Site

ROOT = Path(__file__).parents[1]
sqlite_only = pytest.mark.skipif(bool(databases.CLUSTER), reason="the file itself is the subject")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database with the tables."""
    made = Store(databases.url_of(tmp_path))
    made.create()
    yield made
    made.close()


def eventually(look: Callable[[], list[Path]]) -> list[Path]:
    """What a thread makes in its own time."""
    for _ in range(200):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def _facts(file: Path) -> dict[str, str]:
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT key, value FROM dramafeed_meta"))


def _damage(file: Path) -> None:
    """A row that breaks its table's rules: nothing but a check of the whole file notices."""
    rule = "at BIGINT NOT NULL"
    for before, after in ((rule, rule[:-9]), (rule[:-9], rule)):
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema=ON")
            change = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'dramafeed_undone'"
            assert connection.execute(change, (before, after)).rowcount == 1
        if after != rule:
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute("INSERT INTO dramafeed_undone (actor, activity_id) VALUES ('a', 'b')")


# ---- one copy


def test_a_copy_under_load_is_one_moment(store: Store, tmp_path: Path) -> None:
    """Writers go on; what two rows say together they say in every copy; nobody else may read it."""
    stop, moved = threading.Event(), threading.Event()

    def write() -> None:
        while not stop.is_set():
            with store.transaction() as tx:
                number = str(tx.meta.touch(["home"], NOON))
                tx.meta.put("left", number)
                tx.meta.put("right", number)
            moved.set()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    seen = []
    try:
        for number in range(5):
            moved.clear()
            assert moved.wait(20)
            copies.write(store, tmp_path / f"{number}.sqlite3")
            facts = _facts(tmp_path / f"{number}.sqlite3")
            assert facts["left"] == facts["right"] == facts["seq"]
            seen.append(int(facts["seq"]))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert seen == sorted(set(seen)), "the writers went on meanwhile"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.sqlite3")} == {0o600}
    assert not list(tmp_path.glob(".*"))


def test_a_copy_is_never_written_over_a_file(store: Store, tmp_path: Path) -> None:
    """An older backup is never lost to a newer one."""
    target = tmp_path / "backup.sqlite3"
    target.write_text("mine")
    with pytest.raises(StorageError, match="exists already; choose another name"):
        copies.write(store, target)
    assert target.read_text() == "mine"


def test_a_copy_that_cannot_be_written_leaves_nothing(store: Store, tmp_path: Path) -> None:
    """A missing folder is one sentence."""
    with pytest.raises(StorageError, match="No such file or directory"):
        copies.write(store, tmp_path / "missing/backup.sqlite3")
    assert not list(tmp_path.glob("*backup*"))


@sqlite_only
def test_a_damaged_database_is_not_copied_over_its_good_copies(store: Store, tmp_path: Path) -> None:
    """Every copy is checked before it gets its name."""
    assert store.path
    store.close()
    _damage(store.path)
    with pytest.raises(StorageError, match="is damaged"):
        copies.write(store, tmp_path / "copy.sqlite3")
    assert not (tmp_path / "copy.sqlite3").exists()


# ---- every day


class Days:
    """A site whose backups a test makes day by day."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.clock = site.clock
        self.folder = site.folder / "backups"
        self.seconds = 0.0
        self.start()

    def start(self) -> None:
        """A new process."""
        self.backups = DailyBackups(
            self.site.store, self.folder, clock=self.clock, monotonic=lambda: self.seconds
        )

    def step(self, hours: float = 0) -> Path | None:
        """Time passes; the copy, if one was due."""
        self.clock.step(hours * 3600)
        self.seconds += hours * 3600
        return self.backups.step()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def days(site: Site) -> Days:
    """Backups of a site that has published."""
    return Days(site)


@sqlite_only
def test_a_copy_a_day_and_seven_are_kept(days: Days) -> None:
    """Older ones go; what others put there stays, whatever its name."""
    days.folder.mkdir()
    foreign = ("notes.txt", "dramafeed.sqlite3", "dramafeed-00000000-0001-20200101.sqlite3")
    for name in foreign:
        (days.folder / name).write_text("not ours")
    made = [path for _ in range(10 * 24) if (path := days.step(hours=1))]
    assert len(made) == 10
    assert days.names() == sorted([*foreign, *(path.name for path in made[-7:])])
    assert {path.stat().st_mode & 0o777 for path in made[-7:]} == {0o600}


@sqlite_only
def test_a_restart_neither_repeats_nor_skips_a_day(days: Days) -> None:
    """What was done is remembered in the database."""
    assert days.step()
    days.start()
    assert not days.step(hours=1)
    days.site.clock.step(23 * 3600)
    days.start()
    assert days.step()


@sqlite_only
def test_two_processes_make_one_copy(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes the copy between this one's look and its turn: this one looks again."""
    other, lease = Days(days.site), days.backups._lease
    renew = lease.renew

    def later(now: datetime) -> bool:
        assert other.step()
        return renew(now)

    monkeypatch.setattr(lease, "renew", later)
    assert days.step() is None
    assert len(days.names()) == 1


@sqlite_only
def test_while_another_process_copies_nobody_else_does(days: Days) -> None:
    """The lease is held by the process that is at it."""
    assert days.site.store.lease_of("backup", 900).renew(days.clock())
    assert days.step() is None
    assert days.step(hours=1), "its process died, and its time ran out"


@sqlite_only
def test_a_clock_that_jumps_costs_no_good_copy(days: Days) -> None:
    """Back to 1970 and on to 2040, a hundred times: one process makes one copy a day at most."""
    good = [path for _ in range(4) if (path := days.step(hours=24))]
    before = days.clock.now
    for _ in range(100):
        for moment in (before - timedelta(days=365 * 50), before + timedelta(days=365 * 14)):
            days.clock.now = moment
            days.step()
    days.clock.now = before
    assert days.names() == [path.name for path in good]
    later = [days.step(hours=24) for _ in range(2)]
    assert all(later)
    assert days.names() == [path.name for path in [*good, *later] if path]


@sqlite_only
def test_a_failure_is_said_and_stops_nothing(days: Days, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence in the log and in `status`, another try an hour later, and the word is taken back."""
    days.folder.write_text("a file where the folder should be")
    assert days.step() is None
    days.step(hours=0.5)
    assert len([row for row in caplog.messages if "backup of today failed" in row]) == 1
    rows = operations.status(days.site.settings, days.site.store)
    assert any(row.startswith("The backup of 2026-11-22 12:00 UTC failed:") for row in rows)
    days.folder.unlink()
    assert days.step(hours=1)
    rows = operations.status(days.site.settings, days.site.store)
    assert not any("failed" in row for row in rows)
    assert any(row.startswith("Last backup: 2026-11-22 13:30 UTC, in ") for row in rows)


@sqlite_only
def test_the_worker_makes_the_copy_beside_its_work(site: Site) -> None:
    """`serve`, `worker` and a host's worker thread: nobody has to think of it."""
    stop = threading.Event()
    working = threading.Thread(
        target=server.work, args=(site.settings, site.store, stop), kwargs={"publish": False}
    )
    working.start()
    try:
        made = eventually(lambda: list(site.settings.data.glob("backups/dramafeed-*-0001-*.sqlite3")))
    finally:
        stop.set()
        working.join(20)
    assert _facts(made[0])["first_pass"] == "done"


@sqlite_only
def test_what_a_dead_process_left_is_cleared_away(days: Days) -> None:
    """Half a copy never looks like a copy, and does not stay for ever."""
    first = days.step()
    assert first
    half = first.with_name(f".{first.name}{copies.PART}")
    half.write_bytes(b"half")
    assert days.step(hours=24)
    assert not half.exists()
    assert len(days.names()) == 2


def test_nothing_is_copied_by_itself_elsewhere(site: Site) -> None:
    """Before the first pass, with BACKUPS=off, and on PostgreSQL there is no daily copy."""
    assert DailyBackups(site.store, None, clock=site.clock).step() is None
    empty = Site(site.folder / "empty", site.clock)
    empty.store.create()
    try:
        assert DailyBackups(empty.store, site.folder / "b", clock=site.clock).step() is None
        if not site.store.sqlite:
            assert DailyBackups(site.store, site.folder / "b", clock=site.clock).step() is None
    finally:
        empty.close()
    assert not (site.folder / "b").exists()


# ---- what a restore refuses


@pytest.fixture
def backup(site: Site) -> Path:
    """A backup of a site with one review."""
    site.review("vincenzo")
    site.run(5)
    file = site.folder / "backup.sqlite3"
    copies.write(site.store, file)
    return file


def test_a_database_in_use_is_not_replaced_unasked(site: Site, backup: Path) -> None:
    """Without --replace nothing is touched; with it, what was there is kept aside and can be put back."""
    site.review("signal", "Other words.")
    site.run(5)
    site.close()
    with pytest.raises(StorageError, match="add --replace"):
        restore(site.settings, backup, NOON)
    rows = restore(site.settings, backup, NOON, replace=True)
    (aside,) = site.settings.data.glob("*replaced-20261122-120000")
    assert str(aside) in rows[-1]
    assert aside.stat().st_mode & 0o777 == 0o600
    site.start()
    assert site.titles() == ["Vincenzo"]
    site.close()
    restore(site.settings, aside, NOON + timedelta(seconds=1), replace=True)
    site.start()
    assert sorted(site.titles()) == ["Signal", "Vincenzo"]


def test_a_running_site_is_not_restored_over(site: Site, backup: Path) -> None:
    """A88: another process has the database open: refused, and that process goes on undisturbed."""
    program = (
        "import sys; from dramafeed.storage import Store; s = Store(sys.argv[1])\n"
        "with s.reading() as r: r.meta.get('x')\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    site.close()
    other = subprocess.Popen(
        [sys.executable, "-c", program, site.settings.database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StorageError, match=r"open.*stop the site \(serve, web, worker\) first"):
            restore(site.settings, backup, NOON, replace=True)
    finally:
        other.communicate(timeout=10)
    assert restore(site.settings, backup, NOON, replace=True)
    site.start()


def _foreign(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")


def _torn(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE dramafeed_version SET version_num = '9999'")
        connection.commit()


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda file: file.write_text("not a database at all, but long enough to look"), "cannot be read"),
        (lambda file: file.unlink(), "is not there"),
        (_foreign, "holds no dramafeed"),
        (_torn, r"damaged|cannot be read"),
        (_damage, "is damaged"),
        (_newer, "install the release that wrote it"),
    ],
    ids=["text", "missing", "foreign", "torn", "damaged", "newer"],
)
def test_a_backup_that_cannot_be_used_changes_nothing(
    site: Site, backup: Path, spoil: Callable[[Path], object], says: str
) -> None:
    """Checked first: the database is as it was, and no half-made file stays."""
    site.close()
    spoil(backup)
    with pytest.raises(StorageError, match=says):
        restore(site.settings, backup, NOON, replace=True)
    assert not list(site.settings.data.glob(f".*{copies.PART}*"))
    assert not list(site.settings.data.glob("*replaced*"))
    site.start()
    assert site.titles() == ["Vincenzo"]


@sqlite_only
def test_a_database_that_was_copied_by_hand_is_taken_with_its_log(site: Site, backup: Path) -> None:
    """What had not reached the main file yet is in the file `-wal` beside it."""
    site.review("signal", "Other words.")
    site.run(5)
    path = site.store.path
    assert path is not None
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", f"{backup}{suffix}")
    assert Path(f"{backup}-wal").stat().st_size
    site.close()
    restore(site.settings, backup, NOON, replace=True)
    site.start()
    assert sorted(site.titles()) == ["Signal", "Vincenzo"]


@sqlite_only
def test_a_damaged_database_is_what_a_restore_is_for(site: Site, backup: Path) -> None:
    """The broken file goes aside as it is."""
    path = site.store.path
    assert path is not None
    site.close()
    path.write_bytes(b"broken" * 2000)
    with pytest.raises(StorageError, match="add --replace"):
        restore(site.settings, backup, NOON)
    rows = restore(site.settings, backup, NOON, replace=True)
    site.start()
    assert site.titles() == ["Vincenzo"]
    assert "replaced-" in rows[-1]


@sqlite_only
def test_a_backup_of_an_older_release_is_migrated(
    site: Site, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A95: what an earlier release wrote is brought to this one's schema, and the backup stays as it was."""

    def add(operations: Operations) -> None:
        operations.add_column("dramafeed_hosts", Column("note", Text))

    before = backup.read_bytes()
    site.close()
    monkeypatch.setattr(schema, "VERSION", "0002")
    later = (*migrations.REVISIONS, migrations.Revision("0002", "", add))
    monkeypatch.setattr(migrations.upgrade, "__defaults__", (later,))
    restore(site.settings, backup, NOON, replace=True)
    site.start()
    with site.store.engine.connect() as connection:
        columns = {column["name"] for column in inspect(connection).get_columns("dramafeed_hosts")}
    assert "note" in columns
    assert site.titles() == ["Vincenzo"]
    assert backup.read_bytes() == before


def test_numbers_go_on_after_those_of_the_backup(site: Site, backup: Path) -> None:
    """Rows made after a restore never meet the number of an older one."""
    site.close()
    restore(site.settings, backup, NOON, replace=True)
    site.start()
    with site.store.transaction() as tx:
        highest = tx.connection.execute(text("SELECT max(id) FROM dramafeed_editions")).scalar_one()
        thing = next(t for t in tx.editions.things(operations.ThingKind.REVIEW))
        assert tx.editions.add_edition(thing.uid, "{}", NOON) == highest + 1
