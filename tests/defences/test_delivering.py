"""What other servers may answer to a delivery, and that nobody else suffers from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from dramafeed.storage import schema
from tests.defences.watch import watching
from tests.hostile import (
    QUICK,
    Server,
    World,
    drip,
    endless,
    hang_up,
    hostile_fediverse,
    redirect,
    reply,
    says,
    silent,
)
from tests.hostile import reset as reset_connection
from tests.site import Site

DONE, GAVE_UP = "done", "gave_up"

# what an inbox answers -> what becomes of the delivery, and after how many tries
ANSWERS: dict[str, tuple[Any, str, int]] = {
    **{str(status): (reply(b"", status), DONE, 1) for status in (200, 201, 202, 204)},
    **{
        str(status): (reply(b"no", status), GAVE_UP, 1) for status in (400, 403, 404, 405, 413, 415, 422, 501)
    },
    **{str(status): (reply(b"", status), GAVE_UP, 12) for status in (401, 408, 500, 502, 503, 504)},
    "429": (reply(b"", 429, Retry_After="120"), GAVE_UP, 12),
    "503 with a date": (reply(b"", 503, Retry_After="soon"), GAVE_UP, 12),
    "410": (reply(b"", 410), GAVE_UP, 1),
    "reset": (reset_connection, GAVE_UP, 12),
    "hang up": (hang_up, GAVE_UP, 12),
    "garbage": (says(b"SSH-2.0-OpenSSH_9\r\n"), GAVE_UP, 12),
    "silent": (silent, GAVE_UP, 12),
    "drip": (drip(reply(b"", 202)), GAVE_UP, 12),
    "endless body": (endless, DONE, 1),
}
NETWORK = {"no such name": 12, "stranger": 12, "misnamed": 12}


def tries(site: Site) -> dict[str, tuple[str, int]]:
    """host -> what became of the Create there, and after how many tries."""
    rows = (
        select(schema.inboxes.c.host, schema.deliveries.c.state, schema.deliveries.c.attempts)
        .join(schema.inboxes, schema.inboxes.c.id == schema.deliveries.c.inbox_id)
        .join(schema.activities, schema.activities.c.id == schema.deliveries.c.activity_id)
        .where(schema.activities.c.kind == "create")
    )
    with site.store.engine.connect() as look:
        return {host.partition(":")[0]: (state, count) for host, state, count in look.execute(rows)}


@pytest.fixture
def world() -> Iterator[World]:
    """A world in which nobody is waited for long."""
    with hostile_fediverse(limits=QUICK) as made:
        yield made


def follows(site: Site, world: World, name: str, **options: Any) -> Server:
    """A server of its own that follows while it is still well."""
    server = world.server(name.replace(" ", "-") + ".example", **options)
    for _ in range(3):  # a machine that is busy may need a moment more than this world has patience
        site.follow(server, number=len(server.peer.seen))
        if server.accepted:
            return server
        site.clock.step(120)
        site.turn()
    raise AssertionError(f"{name} could not follow")


def test_every_answer_has_its_outcome(world: World) -> None:
    """A90: one publication, an inbox for every answer that there is: each ends as the table says, the honest
    one has its post once, and no server is asked anywhere but at its inbox.
    """
    site = world.site()
    honest = follows(site, world, "honest")
    broken = {name: follows(site, world, f"s {name}") for name in ANSWERS}
    lost = {name: follows(site, world, name, tls="trusted") for name in NETWORK if name != "no such name"}
    lost["no such name"] = follows(site, world, "no such name")
    elsewhere = world.server("elsewhere.example")
    moved = {status: follows(site, world, f"moved {status}") for status in (301, 302, 303, 307, 308)}
    for name, (answer, _state, _tries) in ANSWERS.items():
        broken[name].faults["/inbox"] = answer
    for status, server in moved.items():
        server.faults["/inbox"] = redirect(elsewhere.url("/inbox"), status)
    del world.names.table["no-such-name.example"]
    impostors = [world.impostor(lost[tls], tls) for tls in ("stranger", "misnamed")]
    with watching(site):
        site.review("vincenzo")
        site.settle()
    ended = tries(site)
    for name, (_answer, state, count) in ANSWERS.items():
        assert ended[broken[name].host] == (state, count), name
    for name, count in NETWORK.items():
        assert ended[lost[name].host] == (GAVE_UP, count), name
    for server in moved.values():
        assert ended[server.host] == (GAVE_UP, 1)
    assert ended[honest.host] == (DONE, 1)
    assert set(honest.seen.values()) == {1}
    assert not elsewhere.peer.connections
    assert not any(impostor.seen for impostor in impostors)


def test_a_vanished_inbox_is_forgotten_and_a_stumbling_one_is_not(world: World) -> None:
    """A90: 410 of a personal inbox ends its follow; 503, then 202 delivers once, with equal bodies."""
    site = world.site()
    gone = follows(site, world, "gone", shared=False)
    tired = follows(site, world, "tired", shared=False)
    gone.faults["/users/ann/inbox"] = reply(b"", 410)
    answers = iter([503, 429, 500])
    tired.down = lambda: next(answers, None)
    site.review("vincenzo")
    site.settle()
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 1
    creates = [(status, body) for status, body in tired.requests if body["type"] == "Create"]
    assert [status for status, _body in creates] == [503, 429, 500, 202]
    assert len({str(body) for _status, body in creates}) == 1
    assert Counter(tired.seen.values()).keys() == {1}


def test_a_server_that_pleads_for_time_gets_it(world: World) -> None:
    """A90: Retry-After is kept to: nothing is sent before."""
    site = world.site()
    tired = follows(site, world, "tired")
    tired.faults["/inbox"] = reply(b"", 429, Retry_After="7200")
    site.review("vincenzo")
    site.run(90, step=10)
    asked = sum(seen.target == "/inbox" for seen in tired.peer.seen)
    assert asked == 1
    site.run(7000, step=500)
    assert sum(seen.target == "/inbox" for seen in tired.peer.seen) == 1
    del tired.faults["/inbox"]
    site.run(600, step=100)
    assert len(tired.posts) == 1
