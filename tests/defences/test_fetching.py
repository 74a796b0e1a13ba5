"""What others can make this site ask for: through the worker, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from dramafeed.errors import ForbiddenAddressError
from tests.defences.watch import Watch, watching
from tests.fakes import follow_of
from tests.hostile import (
    QUICK,
    Peer,
    Seen,
    Server,
    World,
    bomb,
    connections,
    crafted,
    document,
    drip,
    endless,
    endless_gzip,
    hostile_fediverse,
    nested_gzip,
    redirect,
    reply,
    silent,
    within,
)
from tests.site import BASE_URL, Site

# ruff: noqa: S104 - the address that means all of them is asked for here, never listened on

MINA = f"{BASE_URL}/ap/actors/mina"


@pytest.fixture
def victim(world: World) -> Iterator[Peer]:
    """Somebody inside, whom no test may reach."""
    made = world.victim()
    yield made
    assert made.connections == 0


def claimed(eve: Server, actor: str, number: int = 1) -> dict[str, Any]:
    """A Follow by an actor at any address."""
    return {
        **follow_of(eve, MINA, number),
        "actor": actor,
        "id": f"{actor.partition('/users')[0]}/f/{number}",
    }


def led_to(watch: Watch, eve: Server, actor: str, number: int = 1, words: str = "") -> None:
    """Eve signs as an actor whose key is at this address: taken in at most, and never believed."""
    how = {"parameters": {"keyId": f"{actor}#main-key"}}
    watch.futile(eve, claimed(eve, actor, number), words, hours=5, **how)


PRIVATE_NAMES = [
    "127.0.0.1",
    "::1",
    "169.254.169.254",
    "10.0.0.1 192.168.1.1",
    "::ffff:7f00:1",
    "64:ff9b::7f00:1",
]


def test_keys_in_the_local_network(world: World, site: Site, watch: Watch, victim: Peer) -> None:
    """A32: a key id or actor inside, spelt as an address or behind a name, is not fetched."""
    eve = world.server("evil.example")
    led_to(watch, eve, victim.url("/users/ann"), 1, "may not be contacted")
    led_to(watch, eve, "http://169.254.169.254/users/ann", 2, "may not be contacted")
    for number, ips in enumerate(PRIVATE_NAMES, 3):
        world.names.put("inner.example", ips)
        with connections() as dialled:
            led_to(watch, eve, victim.url("/users/ann", "inner.example"), number, "may not be contacted")
        assert dialled == []
    site.follow(eve)


def test_redirects_into_the_local_network(world: World, site: Site, watch: Watch, victim: Peer) -> None:
    """A33: wherever a redirect leads, the address is judged again, and no signature travels with it."""
    eve, second = world.server("evil.example"), world.server("second.example")
    world.names.put("inner.example", "127.0.0.1")
    targets = [victim.url("/x"), victim.url("/x", "inner.example"), "http://[::1]/x", "file:///etc/passwd"]
    ways = [(target, 302) for target in targets] + [(targets[0], status) for status in (301, 303, 307, 308)]
    for number, (target, status) in enumerate(ways):
        second.faults["/hop"] = redirect(target, status)
        eve.faults["/users/ann"] = redirect(second.url("/hop"), status)
        watch.futile(eve, follow_of(eve, MINA, number), "", hours=5)
    assert second.gets
    assert not any("signature" in seen.headers for seen in second.peer.seen)
    assert all("signature" in seen.headers for seen in eve.peer.seen)


FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


def test_odd_ranges(world: World) -> None:
    """A34: no address of these ranges is dialled, as a literal or behind a name, by GET or POST."""
    assert len(set(FORBIDDEN)) > 40

    async def work() -> None:
        async with world.transport(limits=QUICK) as door:
            for number, ip in enumerate(FORBIDDEN):
                world.names.put(f"n{number}.example", ip)
                literal = f"https://[{ip}]/" if ":" in ip else f"https://{ip}/"
                for url in (f"https://n{number}.example/", literal):
                    with pytest.raises(ForbiddenAddressError):
                        await door.get_json(url)
                    with pytest.raises(ForbiddenAddressError):
                        await door.post(url, b"{}", {})

    with connections() as dialled:
        asyncio.run(work())
    assert dialled == []


def test_a_public_address_is_dialled(world: World) -> None:
    """A34: the same door does dial what is public, so the test above can fail."""
    world.names.put("public.example", "127.0.0.9")

    async def work() -> None:
        from dramafeed.activitypub.reach import PUBLIC_ONLY, Policy

        policy = Policy(PUBLIC_ONLY.schemes, True, lambda _ip: None)
        async with world.transport(limits=QUICK, policy=policy) as door:
            with pytest.raises(Exception, match="no usable answer"):
                await door.get_json("https://public.example/")

    with connections() as dialled:
        asyncio.run(work())
    assert dialled == [("127.0.0.9", 443)]


def test_rebinding_between_fetch_and_delivery(world: World, site: Site, watch: Watch) -> None:
    """A35: a name that is public when its actor is fetched and private later is not sent to."""
    eve = world.server("evil.example")
    inside = world.victim(port=eve.peer.port)
    site.follow(eve)
    flips = ("127.0.0.1", "127.0.0.1 ::1", "::ffff:127.0.0.1")
    for number, later in enumerate(flips, 2):
        world.names.put("evil.example", later)
        site.follow(eve, number=number)
    assert len(eve.accepted) == 1
    assert not inside.connections
    with site.store.reading() as look:
        assert look.jobs.delivery_counts() == {"done": 1, "gave_up": len(flips)}


def test_rebinding_within_one_answer(world: World, site: Site, watch: Watch) -> None:
    """A35: of several addresses of one name, only the public ones are dialled."""
    eve = world.server("evil.example")
    inside = world.victim(port=eve.peer.port)
    world.names.put("evil.example", f"127.0.0.1 {eve.peer.host} ::1")
    site.follow(eve)
    assert [each["type"] for each in eve.accepted] == ["Accept"]
    assert {seen.headers["host"][0] for seen in eve.peer.seen} == {f"evil.example:{eve.peer.port}"}
    assert not inside.connections


SPELLINGS = [
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "[::ffff:7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::1]",
    "[::]",
    "0",
    "0.0.0.0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "intranet",
    "１２７.0.0.1",
    "127。0。0。1",
    "127.0.0.1%00.evil.example",
    "evil.example@127.0.0.1",
    "127.0.0.1#evil.example",
    "[::1%lo]",
    "[127.0.0.1]",
]


def test_spellings_of_loopback(world: World, site: Site, watch: Watch, victim: Peer) -> None:
    """A36: no spelling of an address inside leads there."""
    eve = world.server("evil.example")
    for name in ("localhost", "intranet", "0", "127.1", "0x7f.1"):
        world.names.put(name, "127.0.0.1")
    with connections() as dialled:
        for number, host in enumerate(SPELLINGS):
            actor = f"http://{host}:{victim.port}/users/ann"
            body = json.dumps(claimed(eve, actor, number)).encode()
            raw = crafted(eve, body, site.clock(), parameters={"keyId": f"{actor}#main-key"})
            raw["Signature"] = raw["Signature"].encode().decode("latin-1")
            assert watch.knock(body, raw).status_code in (202, 400, 401)
            site.turn()
    assert dialled == []


PORTS = (22, 80, 6379, 8443)


def test_only_https_on_its_own_port(world: World) -> None:
    """A37: with the settings of a public site, no other scheme or port is asked, nor the name resolved."""
    world.door = world.transport(limits=QUICK)
    site, eve = world.site(), world.server("evil.example")
    with watching(site) as watch, connections() as dialled:
        led_to(watch, eve, eve.actor)
        for number, origin in enumerate(
            ("http://evil.example", *map("https://evil.example:{}".format, PORTS))
        ):
            led_to(watch, eve, f"{origin}/users/ann", number)
        for actor in (
            "file:///etc/passwd",
            "data:,x",
            "ftp://evil.example/users/ann",
            "gopher://x/1",
            "//x/y",
        ):
            how = {"parameters": {"keyId": f"{actor}#main-key"}}
            watch.refuses(eve, {**follow_of(eve, MINA), "actor": actor}, 400, "", **how)
    assert dialled == []
    assert world.names.asked == []


def test_rendering_fetches_nothing(world: World, site: Site) -> None:
    """A38: addresses inside a review are shown, never asked, whoever publishes or reads it."""
    other = world.server("pictures.example")
    body = (
        f"![far]({other.url('/a.png')})\n\n<img src={other.url('/b.png')}>\n\n{other.url('/c')}\n\n"
        f"[x]({other.url('/d')} 'y')\n\n[[{other.url('/e')}]]\n\n@ann@pictures.example"
    )
    with connections() as dialled:
        site.review("vincenzo", body, trailer=other.url("/trailer"))
        site.run(10)
        site.review("arang", body)
        site.run(10)
        for path in ("/", "/reviews/arang/", "/feed.xml", "/feed.json", "/ap/actors/mina/outbox?page=1"):
            assert site.get(path).status_code in (200, 301, 404), path
        assert site.get("/reviews/arang/").status_code == 200
    assert dialled == []
    assert world.names.asked == []


def test_circles_and_chains(world: World, site: Site, watch: Watch) -> None:
    """A39: an actor behind a circle or an endless chain costs four requests a try, in vain."""
    eve = world.server("evil.example")

    def on(seen: Seen) -> bytes:
        return redirect(f"{seen.target}x")

    circle = redirect(eve.actor)
    for number, fault in enumerate(({"/users/ann": circle}, {"*": on})):
        eve.faults.clear()
        eve.faults.update(fault)
        eve.peer.seen.clear()
        watch.futile(eve, follow_of(eve, MINA, number), "redirects", hours=5)
        assert len(eve.peer.seen) <= 4 * 5
    eve.faults.clear()
    site.follow(eve)


def huge(content: dict[str, Any]) -> bytes:
    """A sound document that is larger than anybody needs."""
    return document({**content, "summary": "x" * 3_000_000})


def test_documents_without_end(world: World, site: Site, watch: Watch) -> None:
    """A40: an actor document of any length costs a few megabytes at most, and its actor is never believed."""
    eve = world.server("evil.example")
    for number, fault in enumerate((endless, huge(eve.actor_document()))):
        eve.faults["/users/ann"] = fault
        with within(megabytes=12):
            watch.futile(eve, follow_of(eve, MINA, number), "larger than", hours=5)


def test_bombs(world: World, site: Site, watch: Watch) -> None:
    """A41: what counts is the unpacked size; whatever is packed twice or otherwise is not unpacked at all."""
    eve = world.server("evil.example")
    other = [reply(b"x", Content_Encoding=coding) for coding in ("br", "deflate", "zstd")]
    faults = (bomb(200), endless_gzip, nested_gzip(eve.actor_document()), *other)
    for number, fault in enumerate(faults):
        eve.faults["/users/ann"] = fault
        with within(megabytes=12, seconds=20):
            watch.futile(eve, follow_of(eve, MINA, number), "", hours=5)


def test_slow_servers() -> None:
    """A42: who answers byte by byte, or not at all, takes one deadline, and others are served meanwhile."""
    with hostile_fediverse(limits=QUICK) as world:
        site, ann = world.site(), world.server()
        slow = [world.server(f"slow{number}.example") for number in range(20)]
        for number, server in enumerate(slow):
            server.faults["*"] = silent if number % 2 else drip(document(server.actor_document()))
            site.post(server, follow_of(server, MINA))
        with watching(site), within(seconds=3):
            site.follow(ann)
        assert [each["type"] for each in ann.accepted] == ["Accept"]
        assert site.document("/ap/actors/mina/followers")["totalItems"] == 1
        assert all(server.peer.connections for server in slow)
