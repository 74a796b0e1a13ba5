"""What strangers can make this site do, through signed POSTs at its inboxes: little, and boundedly much."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Table, func, select
from werkzeug.test import TestResponse

from dramafeed.activitypub.signatures import Signer, sign_cavage
from dramafeed.activitypub.transport import Fetched
from dramafeed.inbox import receive
from dramafeed.storage import fetches, schema
from dramafeed.worker import Worker
from tests.fakes import follow_of, key_of, undo_of
from tests.site import BASE_URL, Site

MINA = f"{BASE_URL}/ap/actors/mina"


def stranger(site: Site, host: str, name: str, kind: str = "Follow", number: int = 1) -> TestResponse:
    """POST an activity of an actor that nobody here knows, signed with some key that it names as its own."""
    actor = f"https://{host}/users/{name}"
    activity = {"id": f"{actor}#{kind}{number}", "type": kind, "actor": actor, "object": MINA}
    if kind == "Delete":
        activity["object"] = actor
    body = json.dumps(activity).encode()
    signer = Signer(key_of("stranger"), f"{actor}#main-key")
    headers = sign_cavage(signer, "POST", f"{BASE_URL}/ap/inbox", now=site.clock(), body=body)
    return site.http.post("/ap/inbox", data=body, headers=headers, base_url=BASE_URL)


def stored(site: Site) -> dict[str, int]:
    """state -> rows of the inbox table."""
    with site.store.reading() as look:
        return look.received.counts()


class Observed:
    """Notes when each fetch of a site happens, and how many of one host were under way together."""

    def __init__(self, site: Site) -> None:
        self.times: list[tuple[str, datetime]] = []
        self.most_at_once = 0
        self._now: Counter[str] = Counter()
        self._site = site
        self._get_json = site.fediverse.get_json
        site.fediverse.get_json = self.get_json  # type: ignore[method-assign,assignment]

    async def get_json(self, url: str, **options: Any) -> Fetched:
        """GET, slowly."""
        host = urlsplit(url).netloc
        self.times.append((host, self._site.clock()))
        self._now[host] += 1
        self.most_at_once = max(self.most_at_once, self._now[host])
        try:
            for _ in range(20):
                await asyncio.sleep(0)
            return await self._get_json(url, **options)
        finally:
            self._now[host] -= 1

    def most_in(self, span: timedelta, host: str) -> int:
        """The largest number of fetches from a host within any span of this length."""
        times = [at for each, at in self.times if each == host]
        return max((sum(first <= at < first + span for at in times) for first in times), default=0)


def test_a_flood_fetches_little(site: Site) -> None:
    """A46: 240 POSTs that name 240 keys of one host: one fetch at a time, ten in any minute."""
    site.fediverse.server("victim.example", down=lambda: 404)
    seen = Observed(site)
    for number in range(240):
        stranger(site, "victim.example", f"u{number}")
        if number % 4 == 0:
            site.clock.step(2)
            site.turn()
    assert seen.most_at_once == 1
    assert seen.most_in(timedelta(minutes=1), "victim.example") == 10
    site.run(300, step=5)
    assert seen.most_in(timedelta(minutes=1), "victim.example") == 10


def test_many_processes_keep_one_bound(site: Site) -> None:
    """A46: the bounds hold for all workers together, and survive their end."""
    site.fediverse.server("victim.example", down=lambda: 404)
    seen = Observed(site)
    for number in range(30):
        stranger(site, "victim.example", f"u{number}")

    async def three_at_once() -> None:
        workers = [
            Worker(site.store, site.settings, site.fediverse, clock=site.clock)  # type: ignore[arg-type]
            for _ in range(3)
        ]
        await asyncio.gather(*(worker.run_once() for worker in workers))

    asyncio.run(three_at_once())
    assert seen.most_at_once == 1
    assert len(seen.times) == 10
    site.restart()
    site.turn()
    assert len(seen.times) == 10


def test_hosts_do_not_wait_for_each_other(site: Site) -> None:
    """A46: many hosts that give no answer do not delay a genuine follower from another."""
    for number in range(100):
        host = site.fediverse.server(f"silent{number % 25}.example", down=lambda: 0).host
        stranger(site, host, f"u{number}")
    site.turn()
    site.followed("social.example")
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 1


def test_a_key_that_does_not_exist_is_remembered(site: Site) -> None:
    """A46: after 404 the key is refused at once for an hour, without another fetch."""
    site.fediverse.server("social.example", down=lambda: 404)
    assert stranger(site, "social.example", "ann").status_code == 202
    site.turn()
    assert len(site.fediverse.fetches) == 1
    assert stored(site) == {}
    answer = stranger(site, "social.example", "ann", number=2)
    assert answer.status_code == 401
    assert "https://social.example/users/ann#main-key" in answer.get_json(force=True)["detail"]
    site.run(3500, step=100)
    assert len(site.fediverse.fetches) == 1
    site.run(200, step=100)
    assert stranger(site, "social.example", "ann", number=3).status_code == 202
    site.turn()
    assert len(site.fediverse.fetches) == 2


def test_a_host_in_trouble_is_asked_seldom_and_its_follow_waits(site: Site) -> None:
    """A46: a key host that answers 503 is asked after 1, 5 and 30 minutes, once for all that waits."""
    server = site.fediverse.server()
    server.down = lambda: 503
    seen = Observed(site)
    start = site.clock()
    for number in range(5):
        site.post(server, follow_of(server, MINA, number))
    site.run(300, step=10)
    for number in range(5, 9):  # what comes while the key waits for its next try
        assert site.post(server, follow_of(server, MINA, number)).status_code == 202
        site.turn()
    site.run(400, step=10)
    server.down = lambda: None
    site.run(1900, step=20)
    pauses = [int((at - start).total_seconds()) for _host, at in seen.times]
    assert pauses == [0, 60, 360, 2160]
    assert [a["object"]["id"] for a in server.accepted] == [
        follow_of(server, MINA, n)["id"] for n in range(9)
    ]


def test_a_silent_host_rests(site: Site) -> None:
    """A46: a host that gave no answer is left alone for a minute, whichever of its keys is named."""
    site.fediverse.server("silent.example", down=lambda: 0)
    seen = Observed(site)
    for number in range(20):
        stranger(site, "silent.example", f"u{number}")
    site.run(50, step=5)
    assert len(seen.times) == 1
    site.run(20, step=5)
    assert len(seen.times) == 2


def test_what_strangers_leave_behind_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A47: keys of 120 hosts that do not exist leave no rows in the inbox and few elsewhere."""
    monkeypatch.setattr(fetches, "MAX_FAILED_KEYS", 50)
    for number in range(120):
        stranger(site, f"h{number}.example", "ann")
        site.fediverse.server(f"h{number}.example", down=lambda: 410)
    site.run(20, step=10)
    assert len(site.fediverse.fetches) == 120
    assert stored(site) == {}
    site.clock.step(61)
    site.worker.prune()
    assert rows_of(site, schema.fetch_hosts) == 0
    assert rows_of(site, schema.failed_keys) <= 50
    site.clock.step(2 * 86400)
    site.worker.prune()
    assert rows_of(site, schema.failed_keys) == 0


def rows_of(site: Site, table: Table) -> int:
    """How many rows a table has."""
    with site.store.reading() as look:
        return int(look.connection.execute(select(func.count()).select_from(table)).scalar() or 0)


def test_actors_who_do_not_follow_are_forgotten(site: Site) -> None:
    """A47: of actors whose keys were fetched, followers stay and the others go after thirty days."""
    site.followed("social.example")
    other = site.fediverse.server("other.example")
    site.post(other, follow_of(other, f"{BASE_URL}/ap/actors/nobody"))
    site.turn()
    assert rows_of(site, schema.remote_actors) == 2
    site.clock.step(31 * 86400)
    site.worker.prune()
    assert rows_of(site, schema.remote_actors) == 1
    fetched = len(site.fediverse.fetches)
    site.follow(site.fediverse.server("social.example"), "blog")
    assert len(site.fediverse.fetches) == fetched


def test_a_full_quarantine_says_when_to_come_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A46: what waits is bounded per host and in all; beyond it 503, and nobody is pushed out."""
    monkeypatch.setattr(receive, "MAX_QUARANTINE_OF_HOST", 5)
    monkeypatch.setattr(receive, "MAX_QUARANTINE", 8)
    codes = [stranger(site, "one.example", f"u{n}").status_code for n in range(7)]
    codes += [stranger(site, "two.example", f"u{n}").status_code for n in range(5)]
    assert codes == [202] * 5 + [503] * 2 + [202] * 3 + [503] * 2
    assert int(stranger(site, "three.example", "ann").headers["Retry-After"]) > 0
    assert stored(site) == {"quarantined": 8}


def test_a_rotated_key_is_fetched_once_in_five_minutes(site: Site) -> None:
    """A14: requests that the cached key does not fit cause one fetch in five minutes."""
    server = site.followed()
    site.clock.step(600)
    seen = Observed(site)
    fresh = Signer(key_of("rotated"), f"{server.actor}#main-key")

    def with_new_key(number: int) -> int:
        body = json.dumps(follow_of(server, MINA, number)).encode()
        headers = sign_cavage(fresh, "POST", f"{BASE_URL}/ap/inbox", now=site.clock(), body=body)
        return site.http.post("/ap/inbox", data=body, headers=headers, base_url=BASE_URL).status_code

    for number in range(10, 39):  # the peer does not say yet that it has a new key
        assert with_new_key(number) == 401
        site.run(10, step=5)
    assert len(seen.times) == 1
    document = server.actor_document()
    document["publicKey"]["publicKeyPem"] = key_of("rotated").public_pem
    server.actor_document = lambda: document  # type: ignore[method-assign]
    site.clock.step(60)
    assert with_new_key(50) == 401
    site.turn()
    assert len(seen.times) == 2
    assert with_new_key(51) == 202


def test_a_wave_of_deletions_costs_nothing(site: Site) -> None:
    """A53: 1,450 Deletes of unknown accounts within a minute: 202 each, no fetch, no row."""
    for number in range(1450):
        answer = stranger(site, f"h{number % 40}.example", f"u{number}", kind="Delete")
        assert answer.status_code == 202
        site.clock.step(60 / 1450)
    site.run(60, step=10)
    assert site.fediverse.fetches == []
    assert stored(site) == {}


def test_a_burst_of_follows_fetches_one_key_once(site: Site) -> None:
    """A55: 60 Follows by one actor before its key is known cause one fetch; each is accepted."""
    server = site.fediverse.server()
    for number in range(60):
        site.post(server, follow_of(server, MINA, number))
    site.turn()
    assert len(site.fediverse.fetches) == 1
    assert len(server.accepted) == 60
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 1


def test_a_forgery_does_not_keep_the_genuine_out(site: Site) -> None:
    """A46: a stranger who guesses an id cannot keep the real activity out, and causes no second fetch."""
    server = site.followed(handles=("blog",))
    activity = follow_of(server, MINA)
    body = json.dumps(activity).encode()
    forger = Signer(key_of("stranger"), f"{server.actor}#other-key")
    headers = sign_cavage(forger, "POST", f"{BASE_URL}/ap/inbox", now=site.clock(), body=body)
    forged = site.http.post("/ap/inbox", data=body, headers=headers, base_url=BASE_URL)
    assert forged.status_code == 202
    assert site.post(server, activity).status_code == 202
    site.turn()
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 1
    assert site.post(server, activity).status_code == 202
    assert stored(site) == {"done": 2}


def test_the_same_request_again_changes_nothing(site: Site) -> None:
    """A10: a hundred repeats of one request: 202 each, one follower, one Accept."""
    server = site.fediverse.server()
    activity = site.follow(server)
    for _ in range(100):
        assert site.post(server, activity).status_code == 202
    site.turn()
    assert len(server.accepted) == 1
    assert stored(site) == {"done": 1}


def _until(condition: Callable[[], bool], worker: Worker) -> bool:
    """Run the worker's own loop until something is true, at most a few seconds."""

    async def run() -> bool:
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop, pause=0.01))
        for _ in range(500):
            if condition() or running.done():
                break
            await asyncio.sleep(0.01)
        stop.set()
        await running
        return condition()

    return asyncio.run(run())


def test_a_hanging_key_host_holds_up_no_delivery(site: Site) -> None:
    """A46: while a key host does not answer, reviews are delivered and other keys are fetched."""
    server = site.followed()
    other = site.fediverse.server("other.example")
    fetch = site.fediverse.get_json

    async def hang(url: str, **options: Any) -> Fetched:
        if "hangs.example" in url:
            await asyncio.Event().wait()
        return await fetch(url, **options)

    site.fediverse.get_json = hang  # type: ignore[method-assign,assignment]
    stranger(site, "hangs.example", "ann")
    site.post(other, follow_of(other, MINA))
    site.review("vincenzo")
    for _ in range(5):
        site.clock.step(30)
        site.loop.step()
    assert _until(lambda: bool(server.posts) and bool(other.accepted), site.worker)


@pytest.mark.parametrize("part", ["actor", "id", "object"])
def test_ids_have_room_in_every_index(site: Site, part: str) -> None:
    """PostgreSQL's index entries are small: an id beyond 1,000 bytes is refused before anything is stored."""
    server = site.followed()
    activity = undo_of(server, follow_of(server, MINA, 77))
    long = f"https://{server.host}/" + "x" * (1_001 - len(f"https://{server.host}/"))
    place = activity["object"] if part == "object" else activity
    place["id" if part == "object" else part] = long
    answer = site.post(server, activity)
    assert answer.status_code == 400
    assert "1000 bytes" in answer.get_json(force=True)["detail"]
    place["id" if part == "object" else part] = long[:-1]
    assert site.post(server, activity).status_code == (401 if part == "actor" else 202)
    site.turn()
    assert stored(site).get("verified", 0) == 0
