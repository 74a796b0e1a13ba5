"""The database: schema and its fingerprint, migrations, leases, locks, leasing of deliveries."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.operations import Operations
from sqlalchemy import Column, Text, inspect

from dramafeed.errors import StorageError
from dramafeed.model import Author, Image, Link, Picture, Rating, Review, SpoilerLevel, Spoilers
from dramafeed.storage import Store, codec, migrations, schema
from dramafeed.storage import store as store_module
from dramafeed.storage.jobs import Activity, DeliveryState, JobKind, Settled
from tests import databases
from tests.fakes import NOON
from tests.site import Site


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database with the tables."""
    made = Store(databases.url_of(tmp_path))
    made.create()
    yield made
    made.close()


def _owe(store: Store, uid: str, numbers: range, *, inbox: str = "https://a.example/inbox") -> None:
    with store.transaction() as tx:
        inbox_id = tx.audience.inbox(inbox, "a.example")
        for number in numbers:
            activity = Activity(f"{uid}-{number}", "delete", uid, "blog", NOON, b"{}")
            tx.jobs.add_activity(activity)
            tx.jobs.deliver(activity, [inbox_id], NOON, needs_public=False)


def test_the_schema_has_the_fingerprint_of_its_last_revision() -> None:
    """Whoever changes a table adds a revision: otherwise existing databases would not get it."""
    assert migrations.fingerprint() == migrations.REVISIONS[-1].fingerprint
    assert migrations.REVISIONS[-1].number == schema.VERSION


def test_a_revision_runs_in_one_transaction(store: Store) -> None:
    """Alembic's operations change a live database; a failing one changes nothing."""

    def add(operations: Operations) -> None:
        operations.add_column("dramafeed_meta", Column("note", Text))

    def fail(operations: Operations) -> None:
        add(operations)
        raise RuntimeError("half way")

    for step, columns in ((fail, 2), (add, 3)):
        revision = migrations.Revision("0002", "", step)
        try:
            with store.transaction() as tx:
                migrations.upgrade(tx.connection, "0001", (revision,))
        except RuntimeError:
            pass
        with store.engine.connect() as connection:
            assert len(inspect(connection).get_columns("dramafeed_meta")) == columns
    assert store.version() == "0002"


def test_a_newer_database_is_refused_with_the_cure(store: Store) -> None:
    """A release never writes into a database that a later one has changed."""
    with store.transaction() as tx:
        tx.connection.execute(schema.version.update().values(version_num="9999"))
    other = Store(store.url)
    with pytest.raises(StorageError, match="install the release that wrote it"):
        other.migrate()
    with pytest.raises(StorageError, match="newer than this release"), other.reading():
        pass
    other.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://x/y"])
def test_other_databases_are_refused_with_what_to_write(url: str) -> None:
    """Only the two tested drivers are taken."""
    with pytest.raises(StorageError, match=r"sqlite:///PATH or postgresql\+psycopg"):
        Store(url)


def test_nobody_else_can_read_the_keys(tmp_path: Path) -> None:
    """The database file is for its owner alone, wherever it lies."""
    made = Store(f"sqlite:///{tmp_path}/keys.sqlite3")
    made.create()
    assert (tmp_path / "keys.sqlite3").stat().st_mode & 0o077 == 0
    made.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_a_network_file_system_is_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """SQLite's locks do not hold there; the innermost mount counts, also through a link."""
    share, link = tmp_path / "a share", tmp_path / "link"
    (share / "local").mkdir(parents=True)
    link.symlink_to(share)
    mounts = tmp_path / "mounts"
    escaped = str(share).replace(" ", "\\040")
    mounts.write_text(
        f"disk / ext4 rw 0 0\nhost:/x {escaped} {kind} rw 0 0\ndisk {escaped}/local ext4 rw 0 0\n"
    )
    monkeypatch.setattr(store_module, "_MOUNTS", mounts)
    for folder in (share, link, share / "var"):
        with pytest.raises(
            StorageError, match=rf"network file system \({kind}\).*local disk, or .*PostgreSQL"
        ):
            Store(f"sqlite:///{folder}/site.sqlite3")
    for folder in (tmp_path, share / "local"):
        Store(f"sqlite:///{folder}/site.sqlite3").close()
    assert not (share / "site.sqlite3").exists()


def test_trouble_with_the_database_is_one_sentence(tmp_path: Path) -> None:
    """A damaged file, and a server that is not there: named, with what it said."""
    (tmp_path / "broken.sqlite3").write_text("this was a database once " * 50)
    nowhere = f"postgresql+psycopg://me@/site?host={tmp_path}"
    for url, says in ((f"sqlite:///{tmp_path}/broken.sqlite3", "not a database"), (nowhere, "No such file")):
        made = Store(url)
        for act in (made.version, made.create, made.migrate):
            with pytest.raises(StorageError, match=f"cannot be used now: .*{says}"):
                act()
        made.close()


def test_a_long_address_is_a_subject_too(store: Store) -> None:
    """Actors of other servers have ids of any length; PostgreSQL counts letters where SQLite does not."""
    uri = f"https://a.example/users/{'x' * 900}"
    with store.transaction() as tx:
        tx.jobs.owe(JobKind.REFRESH, uri, NOON, NOON)
        assert tx.jobs.pending(JobKind.REFRESH, uri)


def test_a_lease_has_one_holder_and_runs_out(store: Store) -> None:
    """A88: The second process waits; when the first has died, it takes over."""
    one, two = store.lease_of("publisher"), store.lease_of("publisher")
    assert one.renew(NOON)
    assert not two.renew(NOON + timedelta(seconds=20))
    assert one.renew(NOON + timedelta(seconds=20))
    assert not two.renew(NOON + timedelta(seconds=40))
    assert two.renew(NOON + timedelta(seconds=51))
    two.release()
    assert store.lease_of("publisher").renew(NOON + timedelta(seconds=52))


def test_a_clock_that_jumped_back_does_not_lock_a_lease(store: Store) -> None:
    """A92: A lease far in the future is a clock's mistake, not a holder."""
    assert store.lease_of("publisher").renew(NOON + timedelta(days=300))
    assert store.lease_of("publisher").renew(NOON)


def test_eight_writers_wait_for_each_other(store: Store) -> None:
    """A87: writers begin IMMEDIATE, so none fails with "locked" and none is lost."""

    def count(_number: int) -> None:
        for _ in range(20):
            with store.transaction() as tx:
                tx.meta.touch(["home"], NOON)

    threads = [threading.Thread(target=count, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as reading:
        assert reading.meta.seq() == 160


WRITER = """
import sys
from datetime import UTC, datetime
from dramafeed.storage import Store
store = Store(sys.argv[1])
sys.stdin.readline()
print(store.lease_of("publisher").renew(datetime.now(UTC)))
for _ in range(40):
    with store.transaction() as tx:
        tx.meta.touch(["home"], datetime.now(UTC))
"""


def test_two_processes_share_one_database(store: Store) -> None:
    """A88: both write and wait for each other, nothing is lost; the role of the publisher has one of them."""
    command = [sys.executable, "-c", WRITER, store.url]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = sorted(one.communicate(timeout=60)[0].strip() for one in both)
    assert [one.returncode for one in both] == [0, 0]
    assert said == ["False", "True"]
    with store.reading() as reading:
        assert reading.meta.seq() == 80


def test_a_second_publisher_waits_and_serves(site: Site) -> None:
    """A88: a site that is started twice answers twice and publishes once; the second takes over."""
    second = Site(site.folder, site.clock, fediverse=site.fediverse)
    try:
        site.review("vincenzo")
        site.run(5)
        assert second.loop.step() is None
        assert second.titles() == ["Vincenzo"]
        site.clock.step(31)
        assert second.loop.step() is not None
        assert site.loop.step() is None
    finally:
        second.close()


def test_a_delivery_is_leased_once_and_comes_back(store: Store) -> None:
    """Whoever dies with a delivery loses nothing: it is due again when the lease runs out."""
    _owe(store, "u", range(1))
    with store.transaction() as tx:
        assert len(tx.jobs.lease(NOON, 60, 10)) == 1
        assert tx.jobs.lease(NOON + timedelta(seconds=59), 60, 10) == []
        (again,) = tx.jobs.lease(NOON + timedelta(seconds=61), 60, 10)
    assert again.attempts == 2


def test_deliveries_about_one_thing_leave_in_order(store: Store) -> None:
    """A Delete never overtakes its Create at the same inbox."""
    _owe(store, "u", range(3))
    _owe(store, "v", range(1))
    with store.transaction() as tx:
        leased = tx.jobs.lease(NOON, 60, 10)
        assert [delivery.activity_id for delivery in leased] == ["u-0", "v-0"]
        tx.jobs.settle([Settled(leased[0].id, DeliveryState.DONE, NOON, 202)])
        assert [delivery.activity_id for delivery in tx.jobs.lease(NOON, 60, 10)] == ["u-1"]


def test_a_retry_of_something_taken_back_is_not_made(store: Store) -> None:
    """What was under way when its review was withdrawn ends there."""
    _owe(store, "u", range(1))
    with store.transaction() as tx:
        (leased,) = tx.jobs.lease(NOON, 60, 10)
        assert tx.jobs.cancel_deliveries("u", NOON) == []
        tx.jobs.settle([Settled(leased.id, DeliveryState.PENDING, NOON)])
        assert tx.jobs.delivery_counts() == {"cancelled": 1}


def test_words_survive_the_database(store: Store) -> None:
    """Every field of an edition comes back equal, and defaults take no room."""
    picture = Picture("a.jpg", "image/jpeg", 1, 2, 3)
    review = Review(
        path="reviews/ㄱ.md",
        title="이상한 변호사 🐋",
        slug="ㄱ",
        body="x",
        published=NOON,
        rating=Rating(8.5),
        spoilers=Spoilers(SpoilerLevel.FULL, "to episode 6"),
        image=Image(picture, alt="a"),
        pictures=(("a.png", picture),),
        links=(("b", "reviews/b.md"),),
        tags=("a", "b"),
    )
    author = Author(slug="a", name="A", links=(Link("x", "https://x.example/"),))
    assert codec.decode(Review, codec.encode(review)) == review
    assert codec.decode(Author, codec.encode(author)) == author
    assert codec.encode(Author(slug="a", name="A")) == '{"name":"A","slug":"a"}'


def test_a_reader_sees_one_state_throughout(store: Store) -> None:
    """What commits during a look is not in it."""
    with store.transaction() as tx:
        tx.meta.put("a", "1")
    with store.reading() as reading:
        assert reading.meta.get("a") == "1"
        with store.transaction() as tx:
            tx.meta.put("a", "2")
        assert reading.meta.get("a") == "1"


def test_another_connections_commit_is_noticed(store: Store) -> None:
    """Web processes learn of new versions from a number that costs no read."""
    before = store.data_version()
    assert store.data_version() == before
    other = Store(store.url)
    with other.transaction() as tx:
        tx.meta.touch(["a"], NOON)
    other.close()
    if store.sqlite:
        assert store.data_version() != before
    with store.reading() as reading:
        assert reading.meta.touched_since(0) == {"a"}
