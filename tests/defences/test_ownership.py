"""What belongs to whom: actors, keys, documents and activities of others, through the whole site."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from dramafeed.activitypub.keys import PrivateKey
from tests.activitypub.test_keys import BAD_KEYS, pem_of, small_key
from tests.defences.watch import Watch
from tests.fakes import follow_of, undo_of
from tests.hostile import Server, World, crafted, document, redirect, reply, within
from tests.site import BASE_URL, Site

MINA = f"{BASE_URL}/ap/actors/mina"
BLOG = f"{BASE_URL}/ap/actors/blog"


def activity(server: Server, kind: str, thing: Any, number: int = 1, **more: Any) -> dict[str, Any]:
    """An activity by the server's actor."""
    return {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": f"{server.origin}/{kind.lower()}/{number}",
        "type": kind,
        "actor": server.actor,
        "object": thing,
        **more,
    }


def followers(site: Site, handle: str = "mina") -> int:
    """How many follow, as everybody can see."""
    total: int = site.document(f"/ap/actors/{handle}/followers")["totalItems"]
    return total


# ---------------------------------------------------------------------------- whose key


@pytest.mark.parametrize("known", [True, False], ids=["known key", "unknown key"])
def test_one_signs_for_another(world: World, site: Site, watch: Watch, known: bool) -> None:
    """A02: a sound signature by one actor says nothing about another, on the same server or elsewhere."""
    ann, eve = world.server(), world.server("evil.example")
    bob = ann.neighbour("bob")
    site.follow(ann)
    if known:
        site.follow(bob)
        site.follow(eve)
    for liar in (eve, bob):
        for forged in (activity(ann, "Undo", follow_of(ann, MINA)), activity(ann, "Follow", BLOG)):
            own = {"sign": liar.key.sign, "parameters": {"keyId": liar.signer.key_id}}
            if known or liar is eve:
                watch.refuses(ann, forged, 401, "", **own)
            else:
                watch.futile(ann, forged, "belongs to", **own)
    assert followers(site) == (3 if known else 1)


def test_a_known_key_id_with_another_key(world: World, site: Site, watch: Watch) -> None:
    """A02: naming somebody's key does not help without having it."""
    ann, eve = world.server(), world.server("evil.example")
    site.follow(ann)
    watch.refuses(ann, undo_of(ann, follow_of(ann, MINA)), 401, "does not match", sign=eve.key.sign)
    stranger = ann.neighbour("stranger")
    watch.futile(stranger, follow_of(stranger, MINA), "does not match", sign=eve.key.sign)


def test_neighbours_do_not_act_for_each_other(world: World, site: Site, watch: Watch) -> None:
    """A03: bob of the same server cannot undo, delete, update or block what is alice's."""
    alice = world.server()
    bob = alice.neighbour("bob")
    site.follow(alice)
    site.follow(bob, "blog")
    follow = follow_of(alice, MINA)
    without_actor = {name: value for name, value in follow.items() if name != "actor"}
    for number, forged in enumerate(
        (
            activity(bob, "Undo", follow),
            activity(bob, "Undo", follow["id"]),
            activity(bob, "Undo", without_actor),
            activity(bob, "Undo", {**follow, "actor": bob.actor}),
            activity(bob, "Delete", alice.actor),
            activity(bob, "Delete", {"id": alice.actor, "type": "Tombstone"}),
            activity(bob, "Delete", follow["id"]),
            activity(bob, "Update", {**alice.actor_document(), "inbox": bob.inbox}),
            activity(bob, "Reject", follow),
            activity(bob, "Remove", follow["id"]),
        )
    ):
        body = json.dumps({**forged, "id": f"{bob.origin}/forged/{number}"}).encode()
        assert watch.knock(body, crafted(bob, body, site.clock())).status_code == 202
        site.turn()
    assert (followers(site), followers(site, "blog")) == (1, 1)
    asked = [path for path in alice.gets if path == "/users/alice"]
    assert asked == []
    site.review("vincenzo")
    site.settle()
    assert [post.author for post in alice.posts.values()] == [MINA]


def test_documents_that_are_not_at_their_address(world: World, site: Site, watch: Watch) -> None:
    """A04: an actor document whose id is elsewhere is believed nowhere, and the other server is not asked."""
    ann, eve = world.server(), world.server("evil.example")
    bob = eve.neighbour("bob")
    for lie in (
        {**eve.actor_document(), "id": ann.actor},
        json.loads(json.dumps(eve.actor_document()).replace(eve.actor, ann.actor)),
        json.loads(json.dumps(eve.actor_document()).replace(eve.actor, bob.actor)),
        {key: value for key, value in eve.actor_document().items() if key != "id"},
    ):
        eve.faults["/users/ann"] = document(lie)
        watch.futile(eve, follow_of(eve, MINA, len(eve.peer.seen)))
    assert not ann.peer.connections
    eve.faults["/users/ann"] = redirect(ann.actor)
    watch.futile(eve, follow_of(eve, MINA, 99))


def test_an_id_is_asked_once(world: World, site: Site, watch: Watch) -> None:
    """A04: an old address of an actor leads to the id, which is asked once and believed."""
    ann = world.server()
    old = f"{ann.origin}/@ann/key"
    stub = {"id": old, "owner": ann.actor, "publicKeyPem": ann.key.public_pem}
    ann.faults["/@ann/key"] = document(stub)
    shown = ann.actor_document()
    shown["publicKey"]["id"] = old
    ann.faults["/users/ann"] = document(shown)
    body = json.dumps(follow_of(ann, MINA)).encode()
    watch.knock(body, crafted(ann, body, site.clock(), parameters={"keyId": old}))
    site.turn()
    assert followers(site) == 1
    assert ann.gets == ["/@ann/key", "/users/ann"]


UPLOADS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("text/plain", lambda raw: raw),
    ("image/png", lambda raw: raw),
    ("text/html", lambda raw: b"<pre>" + raw + b"</pre>"),
    ("application/json", lambda raw: raw),
    ("application/ld+json", lambda raw: raw),
    ("application/octet-stream", lambda raw: raw),
    ("application/activity+json", lambda raw: b"<pre>" + raw + b"</pre>"),
    ("application/activity+json", lambda raw: b"\x89PNG\r\n\x1a\n" + raw),
]


def test_uploads_are_no_actors(world: World, site: Site, watch: Watch) -> None:
    """A05: a file that somebody uploaded to a server makes them nobody, whatever it contains."""
    evil = world.server("files.example")
    document_of = json.dumps(evil.actor_document()).encode()
    for number, (kind, wrap) in enumerate(UPLOADS):
        evil.faults["/users/ann"] = reply(wrap(document_of), kind=kind)
        watch.futile(evil, follow_of(evil, MINA, number), "", hours=5)
    evil.faults.clear()
    site.follow(evil, number=99)
    assert followers(site) == 1


def test_files_of_writers_are_no_documents(site: Site) -> None:
    """A05: nothing that a writer drops is ever served as an ActivityPub document."""
    lie = json.dumps({"id": f"{BASE_URL}/ap/actors/eve", "type": "Person"})
    site.review("vincenzo", f"```\n{lie}\n```")
    for path in ("reviews/actor.json", "pages/actor.json", "eve.json", "reviews/eve.activity+json"):
        site.write(path, lie)
    site.write("pages/eve.md", f"---\ntitle: Eve\n---\n{lie}\n")
    site.run(10)
    wish = "application/activity+json"
    for rule in (
        "/reviews/vincenzo/",
        "/pages/eve/",
        "/eve/",
        "/reviews/actor.json",
        "/eve.json",
        "/media/eve.json",
    ):
        answer = site.get(rule, Accept=wish)
        if answer.status_code in (301, 302, 303):
            assert "/ap/" in answer.location or answer.location.endswith("/")
            answer = site.get(answer.location, Accept=wish)
        if answer.status_code == 200 and "json" in answer.content_type:
            assert answer.json is not None
            assert answer.json["id"].startswith(f"{BASE_URL}/ap/reviews/")


# ---------------------------------------------------------------------------- once, and in any order


def test_replays(site: Site, world: World, watch: Watch) -> None:
    """A10: the same request a hundred times counts once; not even after an Undo does it count again."""
    ann = world.server()
    body = json.dumps(follow_of(ann, MINA)).encode()
    headers = crafted(ann, body, site.clock())
    for _ in range(100):
        assert watch.knock(body, headers).status_code == 202
    site.turn()
    assert [each["type"] for each in ann.accepted] == ["Accept"]
    assert followers(site) == 1
    site.post(ann, undo_of(ann, follow_of(ann, MINA)))
    site.turn()
    assert followers(site) == 0
    site.clock.step(3500)
    site.worker.prune()
    assert watch.knock(body, headers).status_code == 202
    site.turn()
    assert followers(site) == 0
    assert [each["type"] for each in ann.accepted] == ["Accept"]


def test_a_replay_outlives_no_memory(site: Site, world: World, watch: Watch) -> None:
    """A10: by the time that an activity id is forgotten, the request that carried it is stale for long."""
    ann = world.server()
    body = json.dumps(follow_of(ann, MINA)).encode()
    headers = crafted(ann, body, site.clock())
    watch.knock(body, headers)
    site.turn()
    site.clock.step(40 * 86400)
    site.worker.prune()
    watch.refused(401, "", body, headers)


@pytest.mark.parametrize("order", list(itertools.permutations(["follow", "undo", "again"])))
def test_any_order_of_follow_and_undo(world: World, order: tuple[str, ...]) -> None:
    """A11: whatever the order, the Undo ends the Follow that it names and no other."""
    site, ann = world.site(), world.server()
    acts = {
        "follow": follow_of(ann, MINA, 1),
        "undo": undo_of(ann, follow_of(ann, MINA, 1)),
        "again": follow_of(ann, BLOG, 2),
    }
    for name in order:
        assert site.post(ann, acts[name]).status_code == 202
        site.turn()
    assert (followers(site), followers(site, "blog")) == (0, 1)


@pytest.mark.parametrize("order", list(itertools.permutations(["follow", "undo", "delete"])))
def test_any_order_of_a_farewell(world: World, order: tuple[str, ...]) -> None:
    """A11: an account that says farewell follows nobody afterwards, in whichever order its words arrive."""
    site, ann = world.site(), world.server()
    site.follow(ann, "blog", 9)  # known, so that the farewell is heard
    acts = {
        "follow": follow_of(ann, MINA, 1),
        "undo": undo_of(ann, follow_of(ann, MINA, 1)),
        "delete": activity(ann, "Delete", ann.actor),
    }
    for name in order:
        if name == "delete":
            site.post(ann, acts[name])
            ann.faults["/users/ann"] = reply(b"", 410)
        else:
            site.post(ann, acts[name])
    for _ in range(5):
        site.turn()
        site.clock.step(3600)
    assert (followers(site), followers(site, "blog")) == (0, 0)


# ---------------------------------------------------------------------------- keys


def test_key_documents_of_others(world: World, site: Site, watch: Watch) -> None:
    """A15: a key counts when its owner lists it: no other page of the server makes a key anybody's."""
    ann = world.server()
    mallory = ann.neighbour("mallory")
    key_id = f"{ann.origin}/files/key"
    stolen = {"id": key_id, "owner": ann.actor, "publicKeyPem": mallory.key.public_pem}
    forged: dict[str, Any] = {"sign": mallory.key.sign, "parameters": {"keyId": key_id}}
    for number, upload in enumerate(
        (
            stolen,
            {**ann.actor_document(), "publicKey": stolen},
            {**mallory.actor_document(), "publicKey": stolen},
            {"id": key_id, "type": "Person", "publicKey": stolen},
        )
    ):
        ann.faults["/files/key"] = document(upload)
        watch.futile(ann, follow_of(ann, MINA, 100 + number), "", **forged)
    site.follow(ann)
    assert followers(site) == 1


def test_a_neighbours_key_list_does_not_take_a_key_over(world: World, site: Site, watch: Watch) -> None:
    """A15: an actor that lists somebody else's key id, first or later, does not get it, even by a refresh."""
    ann = world.server()
    mallory = ann.neighbour("mallory")
    site.follow(ann)
    site.follow(mallory)
    own = mallory.actor_document()
    taken = {"id": ann.signer.key_id, "owner": mallory.actor, "publicKeyPem": mallory.key.public_pem}
    mallory.faults = ann.faults
    for keys in ([taken, own["publicKey"]], [own["publicKey"], taken], [taken]):
        ann.faults["/users/mallory"] = document({**own, "publicKey": keys})
        site.clock.step(600)
        site.post(mallory, activity(mallory, "Update", mallory.actor, len(ann.gets)))
        site.turn()
        forged = {"sign": mallory.key.sign, "parameters": {"keyId": ann.signer.key_id}}
        watch.refuses(ann, follow_of(ann, BLOG, len(ann.gets)), 401, "", **forged)
        body = json.dumps(follow_of(ann, MINA, len(ann.gets))).encode()
        assert watch.knock(body, crafted(ann, body, site.clock())).status_code == 202
        site.turn()
    assert "/users/mallory" in ann.gets[2:]
    with site.store.reading() as look:
        owner = look.actors.remote_by_key(ann.signer.key_id)
    assert owner is not None
    assert owner.uri == ann.actor


def test_keys_that_are_no_use(world: World, site: Site, watch: Watch) -> None:
    """A16: small, huge, foreign and broken keys make nobody known, and cost next to nothing."""
    eve = world.server("evil.example")
    small = small_key(1024)
    three = small_key(1024, 3)
    cases = [(pem, eve.key.sign) for pem, _words in BAD_KEYS.values()]
    cases += [(pem_of(key.public_key()), PrivateKey(key).sign) for key in (small, three)]
    cases += [("-----BEGIN PUBLIC KEY-----\n" + "A" * 200_000, eve.key.sign)]
    with within(seconds=10):
        for number, (pem, sign) in enumerate(cases):
            shown = eve.actor_document()
            shown["publicKey"]["publicKeyPem"] = pem
            eve.faults["/users/ann"] = document(shown)
            watch.futile(eve, follow_of(eve, MINA, number), sign=sign)


def test_signatures_inside_of_documents(world: World, site: Site, watch: Watch) -> None:
    """A21: what somebody forwards counts for nothing, whatever it says inside of its own signature."""
    ann, relay = world.server(), world.server("relay.example")
    site.follow(ann)
    inside = {"type": "RsaSignature2017", "creator": ann.signer.key_id, "signatureValue": "x" * 344}
    forwarded = {**undo_of(ann, follow_of(ann, MINA)), "signature": inside}
    own = {"sign": relay.key.sign, "parameters": {"keyId": relay.signer.key_id}}
    watch.refuses(ann, forwarded, 401, "not on the server", **own)
    assert followers(site) == 1


# ---------------------------------------------------------------------------- odd documents

TWICE = [
    ('"id": "{id}"', '"id": "{id}", "id": "{id}/2"'),
    ('"type": "Follow"', '"type": "Follow", "type": "Delete"'),
    ('"actor": "{actor}"', '"actor": "{actor}", "actor": "https://victim.example/users/v"'),
    ('"object": "{mina}"', '"object": "{mina}", "object": "{actor}"'),
    ('"object": "{mina}"', '"object": "{mina}", "obj\\u0065ct": "{actor}"'),
    ('"object": "{mina}"', '"object": {{"id": "{mina}", "id": "{actor}"}}'),
]


def test_keys_that_are_said_twice(world: World, site: Site, watch: Watch) -> None:
    """A23: a key that is said twice is refused, because two readers could believe two things."""
    ann = world.server()
    site.follow(ann, "blog", 9)
    follow = follow_of(ann, MINA)
    words = {"id": follow["id"], "actor": ann.actor, "mina": MINA}
    text = json.dumps(follow)
    for once, twice in TWICE:
        assert once.format(**words) in text
        body = text.replace(once.format(**words), twice.format(**words)).encode()
        watch.refused(400, "twice", body, crafted(ann, body, site.clock()))


def test_an_actor_document_that_says_its_key_twice(world: World, site: Site, watch: Watch) -> None:
    """A23: what we fetch is read as strictly as what is sent to us."""
    eve = world.server("evil.example")
    text = json.dumps(eve.actor_document())
    eve.faults["/users/ann"] = reply(text.replace('"id":', '"id": "x", "id":', 1).encode())
    watch.futile(eve, follow_of(eve, MINA), "twice", hours=5)


SPELLINGS = [
    "{scheme}://SOCIAL.example:{port}/users/ann",
    "{scheme}://social.example.:{port}/users/ann",
    "HTTP://social.example:{port}/users/ann",
    "{scheme}://social.example:{port}/users/%61nn",
    "{scheme}://social.example:0{port}/users/ann",
    "{scheme}://ann@social.example:{port}/users/ann",
    "{scheme}://social.example:{port}@evil.example/users/ann",
    "{scheme}://social.example%2eevil.example:{port}/users/ann",
    "{scheme}://social.example:{port}\\@evil.example/users/ann",
    "{scheme}://ｓocial.example:{port}/users/ann",
    "{scheme}://xn--social-.example:{port}/users/ann",
    "{scheme}:///social.example:{port}/users/ann",
    "//social.example:{port}/users/ann",
    "https://social.example/users/ann",
]


def spelled(ann: Server) -> list[str]:
    """Ann's address in other spellings."""
    return [spelling.format(scheme="http", port=ann.peer.port) for spelling in SPELLINGS]


def test_other_spellings_of_an_actor(world: World, site: Site, watch: Watch) -> None:
    """A24: another spelling of somebody's address is nobody: no second name, and no way to her key."""
    ann = world.server()
    site.follow(ann)
    for odd in spelled(ann):
        for forged in (
            {**follow_of(ann, BLOG, 2), "actor": odd},
            {**undo_of(ann, follow_of(ann, MINA)), "actor": odd},
            {**activity(ann, "Delete", odd), "actor": odd},
        ):
            body = json.dumps(forged).encode()
            response = watch.knock(body, crafted(ann, body, site.clock()))
            assert response.status_code in (202, 400, 401)
            site.turn()
        with site.store.reading() as look:
            assert look.audience.is_known(ann.actor), odd
            assert not look.audience.is_known(odd)
        assert (followers(site), followers(site, "blog")) == (1, 0), odd


def test_other_spellings_of_a_key(world: World, site: Site, watch: Watch) -> None:
    """A24: a key id in another spelling never leads to somebody else's key, nor to another server."""
    ann, eve = world.server(), world.server("evil.example")
    site.follow(ann)
    for number, odd in enumerate(spelled(ann)):
        body = json.dumps(follow_of(ann, BLOG, number)).encode()
        raw = crafted(ann, body, site.clock(), parameters={"keyId": f"{odd}#main-key"}, sign=eve.key.sign)
        raw["Signature"] = raw["Signature"].encode().decode("latin-1")
        assert watch.knock(body, raw).status_code in (202, 400, 401)
        site.turn()
        assert followers(site, "blog") == 0, odd
    assert not eve.peer.connections


def test_whom_a_follow_names_is_compared_exactly(world: World, site: Site, watch: Watch) -> None:
    """A24: an address of ours in another spelling is not ours."""
    ann = world.server()
    odd_ones = ["https://BLOG.example/ap/actors/mina", "https://blog.example:443/ap/actors/mina"]
    odd_ones += [f"{MINA}/", f"{MINA}#", f"{MINA}?a", MINA.replace("ap", "%61p"), f"{MINA}/../blog"]
    for number, odd in enumerate([*odd_ones, "http://blog.example/ap/actors/mina"]):
        site.post(ann, {**follow_of(ann, MINA, number), "object": odd})
    site.turn()
    assert (followers(site), followers(site, "blog")) == (0, 0)


# ---------------------------------------------------------------------------- shapes and states

SHAPES: list[dict[str, Any]] = [
    {"actor": ["{actor}"]}, {"actor": {"id": "{actor}"}}, {"actor": None}, {"actor": 5}, {"actor": ""},
    {"id": 5}, {"id": None}, {"id": ["x"]}, {"id": ""}, {"id": "x" * 5000}, {"id": "urn:x"},
    {"type": ["Follow"]}, {"type": None}, {"type": {}}, {"type": "x" * 5000},
    {"to": {"a": "b"}}, {"to": 5}, {"cc": [5]}, {"cc": [[]]},
    {"object": 5}, {"object": True}, {"object": {"id": 5}}, {"object": {"type": []}}, {"object": "x" * 5000},
    {"published": 5}, {"published": "soon"}, {"object": {"type": "Note", "content": 5}},
]  # fmt: skip


def test_wrong_shapes(world: World, site: Site, watch: Watch) -> None:
    """A27: a part of the wrong shape or size is refused, before anything is stored."""
    ann = world.server()
    site.follow(ann, "blog", 9)
    for change in SHAPES:
        words = json.loads(json.dumps(change).replace("{actor}", ann.actor))
        watch.refuses(ann, {**follow_of(ann, MINA), **words}, 400, "")


def test_no_body_is_our_fault(world: World, site: Site, watch: Watch) -> None:
    """A27: whatever bytes arrive, the answer is 202, 400 or 401."""
    ann = world.server()
    site.follow(ann)
    for body in (
        b"",
        b"null",
        b"[]",
        b"0",
        b'"x"',
        b"{",
        b"\xff",
        b"{}",
        b'{"a":1}',
        b"<xml/>",
        b"a=b",
        b"\0" * 9,
    ):
        watch.refused(400, "", body, crafted(ann, body, site.clock()))


def test_states_that_never_were(world: World, site: Site, watch: Watch) -> None:
    """A28: answers to what we never asked, and acts on what is not ours, change nothing."""
    ann, other = world.server(), world.server("other.example")
    site.follow(ann)
    never = {"id": f"{MINA}#follow", "type": "Follow", "actor": MINA, "object": ann.actor}
    with_nobody = [
        activity(ann, "Accept", never),
        activity(ann, "Reject", never),
        activity(ann, "Follow", other.actor, 2),
        activity(ann, "Follow", ann.actor, 3),
        activity(ann, "Follow", f"{BASE_URL}/ap/actors/nobody", 4),
        activity(ann, "Follow", f"{BASE_URL}/ap/actor", 5),
        activity(ann, "Undo", {**follow_of(other, MINA), "actor": other.actor}, 6),
        activity(ann, "Undo", {"type": "Like", "actor": ann.actor, "object": MINA}, 7),
        activity(ann, "Add", MINA, 8),
    ]
    before = followers(site)
    for act in with_nobody:
        site.post(ann, act)
        site.turn()
    assert (followers(site), before) == (1, 1)
    assert [each["type"] for each in ann.accepted] == ["Accept"]
    assert not other.peer.connections


def test_an_actor_of_ours_does_not_follow_itself(world: World, site: Site, watch: Watch) -> None:
    """A28: a Follow that claims to be by one of us cannot be signed by anyone else, and is not asked for."""
    eve = world.server("evil.example")
    forged = {"id": f"{MINA}/x", "type": "Follow", "actor": MINA, "object": BLOG}
    watch.refuses(eve, forged, 401, "")


def test_a_move_changes_nothing(world: World, site: Site, watch: Watch) -> None:
    """A29: accounts do not move here yet: a Move, consented to or not, changes nothing and asks nobody."""
    ann, new = world.server(), world.server("new.example")
    site.follow(ann)
    for number, target in enumerate((new.actor, f"{BASE_URL}/ap/actors/blog", ann.actor)):
        site.post(ann, activity(ann, "Move", ann.actor, number, target=target))
        site.turn()
    body = json.dumps(activity(new, "Move", ann.actor, 9, target=new.actor)).encode()
    watch.knock(body, crafted(new, body, site.clock()))
    site.turn()
    with site.store.reading() as look:
        assert look.audience.is_known(ann.actor)
        assert not look.audience.is_known(new.actor)
    assert not new.peer.connections
    site.review("vincenzo")
    site.settle()
    assert ann.posts
