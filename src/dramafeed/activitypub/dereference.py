"""Fetching with the rule that a document speaks only for its own id (FEP-fe34).

A document whose id is not the address asked for is believed only if the id itself, on the same
server, gives a document of that id. Will not remember anything.
"""

from __future__ import annotations

from typing import Protocol

from dramafeed.activitypub import addresses
from dramafeed.activitypub.keys import Signer
from dramafeed.activitypub.transport import ACTIVITY, Accept, Fetched
from dramafeed.activitypub.vocabulary.remote import (
    ACTOR_TYPES,
    RemoteActor,
    key_owner,
    parse_actor,
)
from dramafeed.errors import MalformedError


class Getter(Protocol):
    """The way out (`transport.Transport`)."""

    async def get_json(self, url: str, *, signer: Signer | None = None, accept: Accept = ACTIVITY) -> Fetched:
        """GET a JSON object."""
        ...


async def fetch_document(transport: Getter, url: str, *, signer: Signer | None = None) -> Fetched:
    """The document at a URL; its `url` is the document's own id.

    Raises:
        TransportError: no usable answer.
        MalformedError: the document does not own its id.
    """
    fetched = await transport.get_json(addresses.without_fragment(url), signer=signer)
    identity = _identity(fetched)
    if not _speaks_for(fetched, identity, url):
        if not addresses.same_origin(identity, fetched.url):
            raise MalformedError(f"{url} gave a document of another server: {identity}.")
        fetched = await transport.get_json(addresses.without_fragment(identity), signer=signer)
        if _identity(fetched) != identity or not addresses.same_origin(fetched.url, identity):
            raise MalformedError(f"{url} gave a document that {identity} does not confirm.")
    return Fetched(identity, fetched.document, fetched.media_type)


async def fetch_actor(transport: Getter, url: str, *, signer: Signer | None = None) -> RemoteActor:
    """The actor at a URL. Raises as `fetch_document` does."""
    fetched = await fetch_document(transport, url, signer=signer)
    return parse_actor(fetched.document, fetched.url)


async def fetch_key_owner(transport: Getter, key_id: str, *, signer: Signer | None = None) -> RemoteActor:
    """The actor who owns a key and says so: the key's document alone proves nothing.

    Raises as `fetch_document` does; also when the actor does not list the key.
    """
    fetched = await transport.get_json(addresses.without_fragment(key_id), signer=signer)
    if not addresses.same_origin(fetched.url, key_id):
        raise MalformedError(f"The key {key_id} is kept on another server: {fetched.url}.")
    document = fetched.document
    if document.get("type") in ACTOR_TYPES and document.get("id") == fetched.url:
        actor = parse_actor(document, fetched.url)
    else:
        owner = key_owner(document, key_id)
        actor = await fetch_actor(transport, owner, signer=signer)
        if actor.id != owner:
            raise MalformedError(f"The key {key_id} names an owner that is another: {actor.id}.")
    if actor.key(key_id) is None:
        raise MalformedError(f"{actor.id} does not say that the key {key_id} is its own.")
    return actor


async def fetch_with_key(
    transport: Getter, url: str, *, signer: Signer | None = None
) -> tuple[RemoteActor, str]:
    """The actor at a URL, and the id of its first key.

    That an actor lists a key proves nothing when the key has an address elsewhere: a neighbour could list
    yours. The key's own address must agree. Raises as `fetch_key_owner` does; also when there is no key.
    """
    actor = await fetch_actor(transport, url, signer=signer)
    if not actor.keys:
        raise MalformedError(f"{actor.id} has no key.")
    key_id = actor.keys[0].id
    if addresses.without_fragment(key_id) != actor.id:
        owner = await fetch_key_owner(transport, key_id, signer=signer)
        if owner.id != actor.id:
            raise MalformedError(f"{actor.id} lists the key {key_id} of {owner.id}.")
    return actor, key_id


def _identity(fetched: Fetched) -> str:
    identity = fetched.document.get("id")
    if not isinstance(identity, str):
        raise MalformedError(f"The document at {fetched.url} has no id.")
    return identity


def _speaks_for(fetched: Fetched, identity: str, asked: str) -> bool:
    """True when the server of the id gave the document under the id itself."""
    if identity == fetched.url:
        return True
    return identity == asked and addresses.same_origin(identity, fetched.url)
