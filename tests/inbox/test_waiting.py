"""Requests that store something wait for the database together: few at a time, each for its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from dramafeed.storage import Transaction, schema
from dramafeed.storage.together import PLACES, SharedCommits
from tests.fakes import follow_of
from tests.site import BASE_URL, Site

MINA = f"{BASE_URL}/ap/actors/mina"
_LONG = 20  # seconds after which a test that hangs fails


@contextmanager
def held(site: Site) -> Iterator[None]:
    """Somebody else writes, and takes their time."""
    with site.store.transaction() as tx:
        if not site.store.sqlite:
            tx.connection.exec_driver_sql(f"LOCK TABLE {schema.received.name} IN EXCLUSIVE MODE")
        yield


def stored(site: Site) -> int:
    """How many activities wait for the worker."""
    with site.store.reading() as look:
        return look.received.counts().get("verified", 0)


def test_who_waits_to_write_leaves_a_thread_to_readers(site: Site) -> None:
    """A52: while the database is locked three POSTs wait, a fourth is sent away, and a cold page is shown.

    The three need two commits, and none is answered before its row would survive a crash.
    """
    server = site.followed()
    commits: list[tuple[int, int]] = []  # of each: POSTs that were answered before, rows that were stored
    asked: list[Future[Any]] = []

    def note(connection: Connection) -> None:
        if connection.get_execution_options().get("dramafeed_write"):
            answered = [one.result().status_code for one in asked if one.done()]
            commits.append((answered.count(202), stored(site)))

    event.listen(site.app.extensions["dramafeed"].store.engine, "commit", note)
    with ThreadPoolExecutor(PLACES + 1) as threads:
        with held(site):
            follows = [follow_of(server, MINA, number) for number in range(100, 101 + PLACES)]
            asked.extend(threads.submit(site.post, server, each) for each in follows)
            wait(asked, _LONG, FIRST_COMPLETED)
            (refused,) = [one.result() for one in asked if one.done()]
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert "database" in refused.get_json(force=True)["detail"]
            assert site.get("/authors/mina/").status_code == 200
            assert sum(one.done() for one in asked) == 1
        statuses = sorted(one.result(_LONG).status_code for one in asked)
    assert statuses == [202] * PLACES + [503]
    assert stored(site) == PLACES
    assert len(commits) == 2
    assert all(answered <= rows for answered, rows in commits)


def test_one_that_fails_takes_nobody_with_it(site: Site) -> None:
    """A transaction that many share goes on without the one whose work is impossible."""
    commits = SharedCommits(site.store)
    begun, others_wait = threading.Event(), threading.Event()
    runs: list[str] = []

    def slowly(_tx: Transaction) -> None:
        begun.set()
        assert others_wait.wait(_LONG)

    def put(tx: Transaction) -> str:
        runs.append("put")
        tx.meta.put("kept", "yes")
        return "put"

    def fail(tx: Transaction) -> None:
        runs.append("failed")
        tx.meta.put("lost", "yes")
        raise ZeroDivisionError

    with ThreadPoolExecutor(PLACES) as threads:
        threads.submit(commits.write, slowly)
        assert begun.wait(_LONG)
        good = threads.submit(commits.write, put)
        _until(lambda: len(commits._queue) == 1)
        bad = threads.submit(commits.write, fail)
        _until(lambda: len(commits._queue) == 2)
        others_wait.set()
        assert good.result(_LONG) == "put"
        with pytest.raises(ZeroDivisionError):
            bad.result(_LONG)
    with site.store.reading() as look:
        assert look.meta.get("kept") == "yes"
        assert not look.meta.get("lost")
    assert runs == ["put", "failed", "put"]


def _until(reached: Any) -> None:
    """Let other threads come as far as this."""
    end = time.monotonic() + _LONG
    while not reached():
        assert time.monotonic() < end
        threading.Event().wait(0.001)
