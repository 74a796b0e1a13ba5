"""Many deliveries at once: slow servers, ends of processes, keys that change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from dramafeed.activitypub.transport import Answer
from dramafeed.delivery import outgoing
from dramafeed.publishing import operations
from dramafeed.worker import Worker
from tests.fakes import RemoteServer, follow_of
from tests.site import BASE_URL, Site


def _crowd(site: Site, count: int) -> list[RemoteServer]:
    servers = [site.fediverse.server(f"h{number}.example") for number in range(count)]
    for server in servers:
        site.post(server, follow_of(server, f"{BASE_URL}/ap/actors/mina"))
    site.turn()
    return servers


def _review_is_due(site: Site, name: str) -> None:
    site.review(name, f"About {name}.")
    for _ in range(5):
        site.clock.step(30)
        site.loop.step()


class Hanging:
    """Some hosts take a request and never answer."""

    def __init__(self, site: Site, hosts: set[str]) -> None:
        self._post = site.fediverse.post
        self._hosts = hosts
        self.under_way = 0
        self.most = 0
        site.fediverse.post = self.post  # type: ignore[method-assign,assignment]

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST, or wait for ever."""
        if url.split("/")[2] in self._hosts:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await asyncio.Event().wait()
            finally:
                self.under_way -= 1
        return await self._post(url, body, headers)


def test_slow_hosts_take_nobody_elses_room(site: Site) -> None:
    """A91: with 40 hosts known to be slow hanging, all others have the review while those still wait."""
    servers = _crowd(site, 60)
    slow = {server.host for server in servers[:40]}
    with site.store.transaction() as tx:
        for host in slow:
            tx.jobs.put_slow(host, site.clock.now.replace(year=2027))
    hanging = Hanging(site, slow)
    _review_is_due(site, "vincenzo")

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(site.worker.run(stop, pause=0.01))
        for _ in range(500):
            if all(server.posts for server in servers[40:]) or running.done():
                break
            await asyncio.sleep(0.01)
        assert 0 < hanging.most <= outgoing.SLOW_AT_ONCE
        running.cancel()

    asyncio.run(run())
    assert all(server.posts for server in servers[40:])
    assert not any(server.posts for server in servers[:40])


def test_a_host_that_was_late_is_slow_until_it_answers_in_time(site: Site) -> None:
    """A91: lateness is remembered for all workers, and forgotten with the first quick answer."""
    (server,) = _crowd(site, 1)
    late, outgoing._LATE = outgoing._LATE, 0.0
    try:
        _review_is_due(site, "vincenzo")
        site.turn()
    finally:
        outgoing._LATE = late
    assert _slow_hosts(site) == 1
    _review_is_due(site, "beyond")
    site.turn()
    assert len(server.posts) == 2
    assert _slow_hosts(site) == 0


def _slow_hosts(site: Site) -> int:
    with site.store.reading() as look:
        query = "SELECT count(*) FROM dramafeed_hosts WHERE slow_until IS NOT NULL"
        return int(look.connection.exec_driver_sql(query).scalar() or 0)


def test_a_new_key_is_used_at_once(site: Site) -> None:
    """A worker that runs on while the keys are replaced signs its next delivery with the new key."""
    server = site.followed()
    with site.store.transaction() as tx:
        tx.meta.put("keys_lost", "yes")
    operations.new_keys(site.settings, site.store)
    site.run(5)
    site.review("vincenzo")
    site.run(130, step=10)
    assert [status for status, activity in server.requests if activity["type"] == "Create"] == [202]
    assert server.posts


def test_what_was_leased_ahead_goes_back_at_the_end(site: Site) -> None:
    """A worker that is stopped gives back what it had not begun: another sends it at once, as a first try."""
    servers = _crowd(site, 100)
    Hanging(site, {server.host for server in servers[:90]})
    _review_is_due(site, "vincenzo")
    stopped = Worker(
        site.store,
        site.settings,
        site.fediverse,  # type: ignore[arg-type]
        clock=site.clock,
    )

    async def run_briefly() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(stopped.run(stop))
        await asyncio.sleep(0.05)
        stop.set()
        await asyncio.sleep(0.05)
        for task in stopped._outgoing.under_way:
            task.cancel()  # as if their time were up
        await running

    asyncio.run(run_briefly())
    assert not any(server.posts for server in servers[90:])
    with site.store.reading() as look:
        counts = look.jobs.delivery_counts(look.editions.listed(limit=1)[0].thing.uid)
    assert counts == {"leased": outgoing.AT_ONCE, "pending": 100 - outgoing.AT_ONCE}


def test_one_commit_records_many(site: Site) -> None:
    """Results are recorded together: 60 deliveries need no 60 commits."""
    _crowd(site, 60)
    _review_is_due(site, "vincenzo")
    commits = []
    real = site.store.transaction
    site.store.transaction = lambda: commits.append(1) or real()  # type: ignore[method-assign,func-returns-value]
    asyncio.run(site.worker.run_once())
    assert len(commits) < 10
