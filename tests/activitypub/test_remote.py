"""Actors, keys and descriptors of other servers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.activitypub.vocabulary import key_owner, parse_actor, parse_webfinger
from dramafeed.errors import MalformedError
from tests.activitypub.samples import ACTOR, KEY_ID, key


def document(**changes: Any) -> dict[str, Any]:
    """An actor as Mastodon serves it, with some keys changed (`...` removes one)."""
    whole = {
        "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
        "id": ACTOR,
        "type": "Person",
        "following": f"{ACTOR}/following",
        "followers": f"{ACTOR}/followers",
        "inbox": f"{ACTOR}/inbox",
        "outbox": f"{ACTOR}/outbox",
        "preferredUsername": "ann",
        "name": "Ann \u202eB\u0000 \n C",
        "url": "https://social.example/@ann",
        "icon": {"type": "Image", "mediaType": "image/png", "url": "https://cdn.example/a.png"},
        "endpoints": {"sharedInbox": "https://social.example/inbox"},
        "publicKey": {"id": KEY_ID, "owner": ACTOR, "publicKeyPem": key().public_pem},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def test_actor() -> None:
    """A Mastodon actor is read with all that following and showing it needs."""
    actor = parse_actor(document(), ACTOR)
    assert (actor.id, actor.type, actor.handle, actor.domain) == (
        ACTOR, "Person", "ann", "social.example",
    )  # fmt: skip
    assert actor.name == "Ann B C"
    assert actor.delivery_inbox == "https://social.example/inbox"
    assert actor.icon == "https://cdn.example/a.png"
    assert actor.followers == f"{ACTOR}/followers"
    held = actor.key(KEY_ID)
    assert held is not None
    assert held.pem == key().public_pem
    assert actor.key(f"{ACTOR}#other") is None


@pytest.mark.parametrize("kind", ["Application", "Group", "Organization", "Person", "Service"])
def test_actor_types(kind: str) -> None:
    """All five actor types may act."""
    assert parse_actor(document(type=kind), ACTOR).type == kind


@pytest.mark.parametrize("kind", ["Note", "Tombstone", "Key", "person", None, ["Person"]])
def test_other_types_are_no_actors(kind: Any) -> None:
    """A05: a post or a file is no actor, whatever else it contains."""
    with pytest.raises(MalformedError):
        parse_actor(document(type=kind), ACTOR)


@pytest.mark.parametrize(
    "url", [f"{ACTOR}/", f"{ACTOR}?x", "https://social.example/users/bob", "https://x.example/u"]
)
def test_the_id_is_the_address(url: str) -> None:
    """A04: a document is believed only at its own address, compared byte for byte."""
    with pytest.raises(MalformedError, match="says that it is"):
        parse_actor(document(), url)


@pytest.mark.parametrize(
    "inbox",
    [
        "https://victim.example/inbox",
        "https://social.example:8443/inbox",
        None,
        5,
        [],
        ...,
        "http://social.example/inbox",
        "https://social.example@victim.example/inbox",
    ],
)
def test_the_inbox_is_on_the_server_of_the_actor(inbox: Any) -> None:
    """A30: nobody can point deliveries at somebody else's server."""
    with pytest.raises(MalformedError):
        parse_actor(document(inbox=inbox), ACTOR)


@pytest.mark.parametrize(
    "shared", ["https://victim.example/inbox", "https://social.example:8443/inbox", 5, None, []]
)
def test_a_foreign_shared_inbox_is_ignored(shared: Any) -> None:
    """A30: posts then go to the personal inbox."""
    actor = parse_actor(document(endpoints={"sharedInbox": shared}), ACTOR)
    assert actor.shared_inbox is None
    assert actor.delivery_inbox == f"{ACTOR}/inbox"


def test_hosts_are_compared_in_canonical_form() -> None:
    """A24, A30: another spelling of the same host is the same server."""
    actor = parse_actor(document(inbox="https://SOCIAL.example.:443/users/ann/inbox"), ACTOR)
    assert actor.domain == "social.example"


def test_the_page_may_be_on_another_host() -> None:
    """A31: Threads and others keep their pages elsewhere."""
    page = "https://www.social.example/@ann"
    assert parse_actor(document(url=page), ACTOR).url == page
    assert parse_actor(document(url="javascript:alert(1)"), ACTOR).url == ACTOR


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "https://social.example/users/bob"},
        {"owner": f"{ACTOR}/"},
        {"owner": None},
        {"id": "https://victim.example/users/ann#main-key"},
        {"id": None},
        {"publicKeyPem": None},
        {"publicKeyPem": 5},
        {"publicKeyPem": "x" * 8193},
        {"publicKeyPem": "한"},
    ],
)
def test_a_key_belongs_to_the_actor_that_shows_it(changes: dict[str, Any]) -> None:
    """A02, A15, A16: a key of another owner or server, or no key at all, spoils the document."""
    shown = {"id": KEY_ID, "owner": ACTOR, "publicKeyPem": "x"} | changes
    with pytest.raises(MalformedError):
        parse_actor(document(publicKey=shown), ACTOR)


def test_several_keys() -> None:
    """An actor may have up to ten keys, each under its own id."""
    keys = [{"id": f"{ACTOR}#key-{number}", "owner": ACTOR, "publicKeyPem": "x"} for number in range(11)]
    actor = parse_actor(document(publicKey=keys[:10]), ACTOR)
    assert [each.id for each in actor.keys] == [each["id"] for each in keys[:10]]
    assert parse_actor(document(publicKey=...), ACTOR).keys == ()
    for wrong in (keys, [keys[0], keys[0]], "x", [None]):
        with pytest.raises(MalformedError):
            parse_actor(document(publicKey=wrong), ACTOR)


@pytest.mark.parametrize("handle", [None, 5, "", "a b", "a@b", "<a>", 'a"b', "a\u202eb", "x" * 129])
def test_handles_are_words(handle: Any) -> None:
    """A27: a handle is one printable word."""
    with pytest.raises(MalformedError, match="preferredUsername"):
        parse_actor(document(preferredUsername=handle), ACTOR)


def test_names_are_clean_and_short() -> None:
    """A27: a display name is one short line; without one the handle serves."""
    assert len(parse_actor(document(name="x" * 100_000), ACTOR).name) == 200
    for nothing in (None, 5, "", " \n", "\u202e"):
        assert parse_actor(document(name=nothing), ACTOR).name == "ann"


def test_aliases_and_moves() -> None:
    """A29: what a Move needs to be checked both ways is read."""
    actor = parse_actor(
        document(alsoKnownAs=["https://old.example/u", 5, "x"], movedTo="https://new.example/u"),
        ACTOR,
    )
    assert actor.also_known_as == ("https://old.example/u",)
    assert actor.moved_to == "https://new.example/u"
    assert parse_actor(document(alsoKnownAs="https://old.example/u"), ACTOR).also_known_as


GTS_KEY = "https://gts.example/users/bo/main-key"


def test_key_documents() -> None:
    """A15: a key document, in all the shapes that are served, names the actor to ask."""
    bare = {
        "id": GTS_KEY,
        "type": "Key",
        "owner": "https://gts.example/users/bo",
        "publicKeyPem": "x",
    }
    stub = {"id": "https://gts.example/users/bo", "type": "Person", "publicKey": {**bare}}
    assert key_owner(bare, GTS_KEY) == "https://gts.example/users/bo"
    assert key_owner(stub, GTS_KEY) == "https://gts.example/users/bo"
    assert key_owner({**stub, "publicKey": [{}, bare]}, GTS_KEY) == "https://gts.example/users/bo"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": GTS_KEY, "owner": "https://victim.example/users/bo"},
        {"id": GTS_KEY, "owner": None},
        {"id": "https://gts.example/users/eve/main-key", "owner": "https://gts.example/users/eve"},
        {"publicKey": {"id": "https://gts.example/other", "owner": "https://gts.example/users/bo"}},
        {"publicKey": None},
        {"publicKey": ["x", 5, []]},
    ],
)
def test_key_documents_that_prove_nothing(document: dict[str, Any]) -> None:
    """A15: a document for another key, or for an owner elsewhere, is refused."""
    with pytest.raises(MalformedError):
        key_owner(document, GTS_KEY)


def test_webfinger() -> None:
    """A descriptor gives its subject and the actor behind it, if there is one."""
    link = {"rel": "self", "type": "application/activity+json", "href": ACTOR}
    page = {"rel": "http://webfinger.net/rel/profile-page", "href": "https://social.example/@ann"}
    found = parse_webfinger({"subject": "acct:ann@Social.Example", "links": [page, 5, link]})
    assert found == ("ann@social.example", ACTOR)
    ld = {**link, "type": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'}
    assert parse_webfinger({"subject": "ann@social.example", "links": [ld]})[1] == ACTOR
    for links in ([page], [{**link, "type": "text/html"}], [{**link, "href": 5}], None, {}):
        assert parse_webfinger({"subject": "acct:a@b.example", "links": links})[1] is None


@pytest.mark.parametrize("subject", [None, 5, "", "ann", "acct:@x", "acct:a@b@c", "a@b/c", "a@[x", "a b@c.d"])
def test_webfinger_without_a_subject(subject: Any) -> None:
    """A25: a descriptor that names no account is refused."""
    with pytest.raises(MalformedError):
        parse_webfinger({"subject": subject, "links": []})


ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=12) | st.sampled_from([ACTOR, KEY_ID, "Person"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "owner", "publicKeyPem", "href", "sharedInbox", "url", "rel", "type"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
KEYS = [*document(), "alsoKnownAs", "movedTo", "subject", "links", "owner", "publicKeyPem"]


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=4))
def test_any_shape_is_read_or_refused(changes: dict[str, Any]) -> None:
    """A27: no actor, key or descriptor gives anything but typed values or a MalformedError."""
    whole = document(**changes)
    for read in (lambda: parse_actor(whole, ACTOR), lambda: key_owner(whole, KEY_ID)):
        try:
            read()
        except MalformedError:
            continue
    try:
        parse_webfinger(whole)
    except MalformedError:
        return
