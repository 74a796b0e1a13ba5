"""The hostile fediverse itself: honest where nothing else is said, and faulty as told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dramafeed.errors import ForbiddenAddressError, TransportError
from tests.fakes import follow_of
from tests.hostile import (
    PATIENT,
    QUICK,
    World,
    bomb,
    connections,
    document,
    drip,
    effects,
    endless,
    endless_gzip,
    hang_up,
    hostile_fediverse,
    nested_gzip,
    redirect,
    reply,
    reset,
    says,
    silent,
    unmoved,
    within,
)
from tests.site import BASE_URL


def fetch(world: World, url: str) -> Any:
    """What the world's door brings, or the error."""

    async def work() -> Any:
        async with world.door as door:
            return (await door.get_json(url)).document

    return asyncio.run(work())


def test_an_honest_server_follows_and_receives() -> None:
    """Follow, Accept and Create travel over sockets; the server checks our signatures with our own keys."""
    with hostile_fediverse() as world:
        site, server = world.site(), world.server()
        site.follow(server)
        assert [each["type"] for each in server.accepted] == ["Accept"]
        site.review("vincenzo")
        site.settle()
        assert [post.author for post in server.posts.values()] == [f"{BASE_URL}/ap/actors/mina"]
        assert {status for status, _activity in server.requests} == {202}
        assert server.gets == ["/users/ann"]


def test_an_honest_server_refuses_what_is_not_signed_by_us() -> None:
    """A server that is shown another key than the site's says 401: so its 202 means something."""
    with hostile_fediverse() as world:
        site, server = world.site(), world.server()
        site.follow(server)
        world.look_up = lambda url: {
            "publicKey": {"id": f"{url}#main-key", "publicKeyPem": server.key.public_pem}
        }
        site.review("vincenzo")
        site.run(90, step=10)
        assert [status for status, _activity in server.requests][:3] == [202, 401, 401]
        assert not server.posts


FAULTS: dict[str, tuple[Any, str]] = {
    "endless": (endless, "larger than"),
    "endless gzip": (endless_gzip, "larger than"),
    "bomb": (bomb(20), "larger than"),
    "packed twice": (nested_gzip({"id": "x"}), "was not asked for"),
    "silent": (silent, "within"),
    "drip": (drip(reply(b"{}")), "within"),
    "hang up": (hang_up, "no usable answer"),
    "reset": (reset, "no usable answer"),
    "garbage": (says(b"SSH-2.0-OpenSSH_9\r\n"), "no usable answer"),
    "status": (reply(b"", 503), "answered 503"),
    "a page": (reply(b"<html>", kind="text/html"), "not with what was asked for"),
    "circle": (redirect("/x"), "in a circle"),
}


@pytest.mark.parametrize("fault, words", FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_real(fault: Any, words: str) -> None:
    """Each fault shows through the real transport as what it is."""
    with hostile_fediverse(limits=QUICK if words == "within" else PATIENT) as world:
        evil = world.server("evil.example", faults={"/x": fault})
        with pytest.raises(TransportError, match=words):
            fetch(world, evil.url("/x"))
        assert evil.peer.connections


def test_a_fault_may_depend_on_the_request() -> None:
    """A function of the request answers too, and `*` stands for every other path."""
    with hostile_fediverse() as world:
        echo = {"*": lambda seen: document({"id": seen.target})}
        evil = world.server("evil.example", faults=echo)
        assert fetch(world, evil.url("/a?b")) == {"id": "/a?b"}


@pytest.mark.parametrize(
    "tls, words", [("stranger", "certificate"), ("misnamed", "certificate"), ("trusted", "")]
)
def test_certificates(tls: str, words: str) -> None:
    """Only a certificate of somebody known, for this very name, is good enough."""
    with hostile_fediverse() as world:
        server = world.server("peer.example", tls=tls)
        if words:
            with pytest.raises(TransportError, match=words):
                fetch(world, server.actor)
        else:
            assert fetch(world, server.actor)["id"] == server.actor


def test_names_change_their_answers() -> None:
    """A name can mean one address now and another later, or none."""
    with hostile_fediverse() as world:
        world.names.put("flip.example", "127.0.0.10", "127.0.0.1 ::1")
        assert asyncio.run(world.names.resolve("flip.example")) == ["127.0.0.10"]
        assert [asyncio.run(world.names.resolve("flip.example")) for _ in range(2)] == [
            ["127.0.0.1", "::1"]
        ] * 2
        with pytest.raises(TransportError, match="no such host"):
            fetch(world, "http://nobody.example/")


def test_only_the_worlds_own_addresses_count_as_public() -> None:
    """A victim listens, and the product's own table keeps the door from it."""
    with hostile_fediverse() as world:
        world.server()
        victim = world.victim()
        with pytest.raises(ForbiddenAddressError):
            fetch(world, victim.url("/"))
        assert not victim.connections


def test_effects_are_seen() -> None:
    """What a Follow changes is an effect; the row that it came in by is not."""
    with hostile_fediverse() as world:
        site, server = world.site(), world.server()
        before = effects(site.store)
        with unmoved(site.store):
            site.post(server, follow_of(server, f"{BASE_URL}/ap/actors/mina"))
        with pytest.raises(AssertionError), unmoved(site.store, received=True):
            site.turn()
        changed = {name for name, rows in effects(site.store).items() if rows != before[name]}
        assert "dramafeed_followers" in changed


def test_limits_of_a_test_are_real() -> None:
    """Memory and time that are used up are noticed."""
    with pytest.raises(AssertionError, match="MB"), within(megabytes=2):
        bytes(3_000_000)
    with pytest.raises(AssertionError, match=r"s$"), within(seconds=1e-9):
        pass


def test_connections_are_seen() -> None:
    """Whatever dials is noticed, with the address that it really dials; afterwards nobody listens."""
    with hostile_fediverse() as world:
        server = world.server()
        with connections() as dialled:
            fetch(world, server.actor)
        assert dialled == [(server.peer.host, server.peer.port)]
        fetch(world, server.actor)
        assert len(dialled) == 1


def test_an_impostor_takes_a_name_over() -> None:
    """The same name and port, another machine: its certificate is what tells them apart."""
    with hostile_fediverse() as world:
        server = world.server(tls="trusted")
        assert fetch(world, server.actor)["id"] == server.actor
        impostor = world.impostor(server, "stranger")
        with connections() as dialled, pytest.raises(TransportError, match="certificate"):
            fetch(world, server.actor)
        assert dialled == [(impostor.host, server.peer.port)]
        assert not impostor.seen
