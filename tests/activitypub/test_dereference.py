"""A document speaks only for its own id, and a key only for the actor that claims it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dramafeed.activitypub.dereference import fetch_actor, fetch_document, fetch_key_owner, fetch_with_key
from dramafeed.activitypub.signatures import Signer
from dramafeed.activitypub.transport import ACTIVITY, Accept, Fetched, Transport
from dramafeed.activitypub.vocabulary import RemoteActor
from dramafeed.errors import MalformedError, TransportError
from tests.activitypub.samples import NOW, key, signer
from tests.hostile import Peer, redirect, reply

ANN = "https://social.example/users/ann"
EVE = "https://evil.example/users/eve"


def actor(identity: str, **changes: Any) -> dict[str, Any]:
    """An actor document."""
    return {
        "id": identity,
        "type": "Person",
        "preferredUsername": "ann",
        "inbox": f"{identity}/inbox",
        "publicKey": {
            "id": f"{identity}#main-key",
            "owner": identity,
            "publicKeyPem": key().public_pem,
        },
        **changes,
    }


class Web:
    """What is at which address; a pair stands for a redirect and where it ends."""

    def __init__(self, **_: Any) -> None:
        self.pages: dict[str, dict[str, Any] | tuple[str, dict[str, Any]]] = {}
        self.asked: list[tuple[str, Signer | None]] = []

    async def get_json(self, url: str, *, signer: Signer | None = None, accept: Accept = ACTIVITY) -> Fetched:
        """GET as the real door does it."""
        self.asked.append((url, signer))
        if url not in self.pages:
            raise TransportError(url, "answered 404.", status=404)
        page = self.pages[url]
        final, document = page if isinstance(page, tuple) else (url, page)
        return Fetched(final, document, "application/activity+json")


@pytest.fixture
def web() -> Web:
    """An empty web."""
    return Web()


def test_an_actor_at_its_own_address(web: Web) -> None:
    """One request, signed as told, is enough."""
    web.pages[ANN] = actor(ANN)
    ours = signer()
    assert asyncio.run(fetch_actor(web, ANN, signer=ours)).id == ANN
    assert web.asked == [(ANN, ours)]


def test_a_document_of_another_address_on_the_same_server(web: Web) -> None:
    """A04: the id is asked once, and must confirm itself."""
    page = "https://social.example/@ann"
    web.pages[page] = actor(ANN)
    web.pages[ANN] = actor(ANN, name="The real one")
    assert asyncio.run(fetch_actor(web, page)).name == "The real one"
    assert [url for url, _ in web.asked] == [page, ANN]


@pytest.mark.parametrize(
    "second",
    [
        actor("https://social.example/users/bob"),
        actor("https://social.example/@ann"),
        (EVE, actor(ANN)),
        {"type": "Person"},
    ],
)
def test_an_id_that_does_not_confirm(web: Web, second: Any) -> None:
    """A04: when the id gives another document, or leads to another server, nothing is believed."""
    page = "https://social.example/@ann"
    web.pages[page] = actor(ANN)
    web.pages[ANN] = second
    with pytest.raises(MalformedError):
        asyncio.run(fetch_actor(web, page))
    assert len(web.asked) == 2


def test_a_document_that_claims_to_be_of_another_server(web: Web) -> None:
    """A04: a foreign id is refused without asking there."""
    web.pages[EVE] = actor(ANN)
    with pytest.raises(MalformedError, match="another server"):
        asyncio.run(fetch_actor(web, EVE))
    assert len(web.asked) == 1


def test_redirects_to_another_server(web: Web) -> None:
    """A04: after a redirect elsewhere, the document counts as that server's."""
    web.pages[ANN] = (EVE, actor(ANN))
    with pytest.raises(MalformedError):
        asyncio.run(fetch_actor(web, ANN))
    web.pages[ANN] = (EVE, actor(EVE))
    assert asyncio.run(fetch_actor(web, ANN)).id == EVE


def test_redirects_on_the_same_server(web: Web) -> None:
    """An id that redirects on its own server still speaks for itself."""
    web.pages[ANN] = ("https://social.example/ap/ann", actor(ANN))
    assert asyncio.run(fetch_document(web, ANN)).url == ANN
    assert len(web.asked) == 1


@pytest.mark.parametrize("identity", [None, 5, "", "word", [ANN]])
def test_documents_without_an_id(web: Web, identity: Any) -> None:
    """A27: a document that is nobody's is refused."""
    web.pages[ANN] = actor(ANN) | {"id": identity}
    with pytest.raises(MalformedError):
        asyncio.run(fetch_document(web, ANN))


# --------------------------------------------------------------------------- keys


def owner(web: Web, key_id: str) -> RemoteActor:
    """The actor behind a key id."""
    return asyncio.run(fetch_key_owner(web, key_id))


def test_a_key_inside_its_actor(web: Web) -> None:
    """Mastodon's key id is the actor's with a fragment: one request."""
    web.pages[ANN] = actor(ANN)
    assert owner(web, f"{ANN}#main-key").id == ANN
    assert len(web.asked) == 1


GTS = "https://gts.example/users/bo"
GTS_KEY = f"{GTS}/main-key"
GTS_PUBLIC = {"id": GTS_KEY, "owner": GTS, "publicKeyPem": key().public_pem}


@pytest.mark.parametrize(
    "document",
    [
        {"id": GTS, "type": "Person", "preferredUsername": "bo", "publicKey": GTS_PUBLIC},
        {**GTS_PUBLIC, "type": "Key"},
        GTS_PUBLIC,
    ],
)
def test_a_key_with_an_address_of_its_own(web: Web, document: Any) -> None:
    """A15: GoToSocial's key document leads to its actor, which must claim the key."""
    web.pages[GTS_KEY] = document
    web.pages[GTS] = actor(GTS, publicKey=GTS_PUBLIC)
    found = owner(web, GTS_KEY)
    assert found.id == GTS
    assert found.key(GTS_KEY)
    assert [url for url, _ in web.asked] == [GTS_KEY, GTS]


def test_a_key_that_its_actor_does_not_claim(web: Web) -> None:
    """A15: an uploaded key document makes nobody its owner."""
    web.pages[GTS_KEY] = GTS_PUBLIC
    web.pages[GTS] = actor(GTS)
    with pytest.raises(MalformedError, match="does not say"):
        owner(web, GTS_KEY)


def test_a_key_of_another_fragment(web: Web) -> None:
    """A15: an actor that shows another key does not own this one."""
    web.pages[ANN] = actor(ANN)
    with pytest.raises(MalformedError, match="does not say"):
        owner(web, f"{ANN}#other-key")


def test_a_key_of_somebody_on_another_server(web: Web) -> None:
    """A02, A15: neither an owner elsewhere nor a redirect elsewhere is followed."""
    evil_key = f"{EVE}/key"
    web.pages[ANN] = actor(ANN)
    web.pages[evil_key] = {"id": evil_key, "owner": ANN, "publicKeyPem": key().public_pem}
    with pytest.raises(MalformedError, match="another server"):
        owner(web, evil_key)
    web.pages[f"{ANN}/key"] = (evil_key, {"id": f"{ANN}/key", "owner": ANN})
    with pytest.raises(MalformedError, match="another server"):
        owner(web, f"{ANN}/key")
    assert ANN not in [url for url, _ in web.asked]


def test_an_owner_that_is_somebody_else(web: Web) -> None:
    """A15: the owner's address must be the owner's id."""
    web.pages[GTS_KEY] = {**GTS_PUBLIC, "owner": f"{GTS}?alias"}
    web.pages[f"{GTS}?alias"] = actor(GTS, publicKey=GTS_PUBLIC)
    web.pages[GTS] = actor(GTS, publicKey=GTS_PUBLIC)
    with pytest.raises(MalformedError):
        owner(web, GTS_KEY)


def test_a_key_document_of_another_key(web: Web) -> None:
    """A15: a document that holds some other key proves nothing about this one."""
    web.pages[f"{GTS}/other"] = GTS_PUBLIC
    with pytest.raises(MalformedError, match="does not contain"):
        owner(web, f"{GTS}/other")


def test_a_list_of_keys_proves_nothing(web: Web) -> None:
    """A15: the first key that an actor lists counts when its own address names that actor."""
    eve = "https://gts.example/users/eve"
    web.pages[ANN] = actor(ANN)
    assert asyncio.run(fetch_with_key(web, ANN))[1] == f"{ANN}#main-key"
    assert len(web.asked) == 1
    web.pages[GTS_KEY] = GTS_PUBLIC
    web.pages[GTS] = actor(GTS, publicKey=GTS_PUBLIC)
    assert asyncio.run(fetch_with_key(web, GTS))[1] == GTS_KEY
    web.pages[eve] = actor(eve, publicKey=[{**GTS_PUBLIC, "owner": eve}])
    with pytest.raises(MalformedError, match="lists the key"):
        asyncio.run(fetch_with_key(web, eve))
    web.pages[eve] = actor(eve, publicKey=[])
    with pytest.raises(MalformedError, match="no key"):
        asyncio.run(fetch_with_key(web, eve))


def test_over_the_wire() -> None:
    """The rules hold with the real door: page, redirect, key and forged id on loopback peers."""

    async def work() -> None:
        async with Peer({}) as good, Peer({}) as evil:
            ann = good.url("/users/ann")
            document = json.dumps(actor(ann)).encode()
            good.routes = {"/users/ann": reply(document), "/@ann": redirect("/users/ann")}
            evil.routes = {"/users/ann": reply(document), "/hop": redirect(ann)}
            transport = Transport(user_agent="x", clock=lambda: NOW, allow_private=True)
            async with transport:
                assert (await fetch_actor(transport, good.url("/@ann"))).id == ann
                assert (await fetch_actor(transport, evil.url("/hop"))).id == ann
                assert (await fetch_key_owner(transport, f"{ann}#main-key")).id == ann
                with pytest.raises(MalformedError):
                    await fetch_actor(transport, evil.url("/users/ann"))
                with pytest.raises(MalformedError):
                    await fetch_key_owner(transport, f"{evil.url('/users/ann')}#main-key")

    asyncio.run(work())
