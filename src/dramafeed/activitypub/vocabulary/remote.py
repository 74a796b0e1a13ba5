"""Actors, keys and WebFinger descriptors of other servers, read into typed values.

The rule behind all of it: a document speaks only for its own id, and a key only for the actor that
owns it (FEP-fe34). Will not fetch anything.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from dramafeed.activitypub import addresses
from dramafeed.activitypub.vocabulary.incoming import (
    address,
    checked_url,
    first_url,
    page,
    text,
    type_name,
)
from dramafeed.activitypub.vocabulary.terms import (
    ACTIVITY_JSON,
    ACTIVITY_STREAMS,
    Document,
)
from dramafeed.errors import MalformedError

ACTOR_TYPES = frozenset({"Application", "Group", "Organization", "Person", "Service"})
MAX_KEYS = 10
MAX_PEM = 8192
MAX_NAME = 200

_HANDLE = re.compile(r"[^\s@/\\:<>\"'&#?%]{1,128}")
_ACCOUNT = re.compile(r"(?:acct:)?@?([^\s@/\\:<>\"'&#?%]{1,128})@([^\s@/\\<>\"'&#?%]{1,255})")


@dataclass(frozen=True)
class RemoteKey:
    """A public key with the actor it belongs to."""

    id: str
    owner: str
    pem: str


@dataclass(frozen=True)
class RemoteActor:
    """An actor of another server. `domain` is the authority of its id, `name` safe plain text."""

    id: str
    type: str
    handle: str
    domain: str
    name: str
    url: str
    inbox: str
    shared_inbox: str | None = None
    icon: str | None = None
    followers: str | None = None
    keys: tuple[RemoteKey, ...] = ()
    also_known_as: tuple[str, ...] = ()
    moved_to: str | None = None

    @property
    def delivery_inbox(self) -> str:
        """Where public posts go: the shared inbox if there is one."""
        return self.shared_inbox or self.inbox

    def key(self, key_id: str) -> RemoteKey | None:
        """The key with this id, if the actor claims it."""
        return next((key for key in self.keys if key.id == key_id), None)


def parse_actor(document: Document, url: str) -> RemoteActor:
    """The actor that lives at `url`, which must be its id.

    Raises:
        MalformedError: with the key that is wrong.
    """
    identity = address(document, "id", compulsory=True)
    if identity != url:
        raise MalformedError(f"The document at {url} says that it is {identity}.")
    kind = type_name(document)
    if kind not in ACTOR_TYPES:
        raise MalformedError(f"{url} is not an actor but {kind}.")
    inbox = address(document, "inbox", compulsory=True)
    if not addresses.same_origin(inbox, identity):
        raise MalformedError(f"The inbox of {url} is on another server: {inbox}.")
    handle = document.get("preferredUsername")
    if not isinstance(handle, str) or not _HANDLE.fullmatch(handle) or not handle.isprintable():
        raise MalformedError(f"'preferredUsername' of {url} is not a handle.")
    return RemoteActor(
        id=identity,
        type=kind,
        handle=handle,
        domain=addresses.authority(identity),
        name=_display_name(document) or handle,
        url=page(document) or identity,
        inbox=inbox,
        shared_inbox=_shared_inbox(document, identity),
        icon=_icon(document.get("icon")),
        followers=_on_origin(document.get("followers"), identity),
        keys=_keys(document.get("publicKey"), identity),
        also_known_as=_aliases(document.get("alsoKnownAs")),
        moved_to=first_url([document.get("movedTo")]),
    )


def key_owner(document: Document, key_id: str) -> str:
    """The actor for which the document at a key's address speaks; to be asked whether it agrees.

    The document may be the actor, a stub of it, or the bare key (GoToSocial's `/main-key`).

    Raises:
        MalformedError: the document does not name that key, or names an owner on another server.
    """
    claimed = document.get("publicKey", document if "owner" in document else None)
    for key in claimed if isinstance(claimed, list) else [claimed]:
        if isinstance(key, dict) and key.get("id") == key_id:
            owner = checked_url(key.get("owner"), "owner")
            if not addresses.same_origin(owner, key_id):
                raise MalformedError(f"The key {key_id} names an owner on another server: {owner}.")
            return owner
    raise MalformedError(f"The document at the address of the key {key_id} does not contain it.")


def parse_webfinger(document: Document) -> tuple[str, str | None]:
    """The subject as `user@domain`, and the actor it points to (RFC 7033 section 4.4).

    Raises:
        MalformedError: there is no usable subject.
    """
    subject = document.get("subject")
    match = _ACCOUNT.fullmatch(subject) if isinstance(subject, str) else None
    if match is None:
        raise MalformedError("'subject' is not an account.")
    links = document.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "self" and _is_activity(link.get("type")):
            target = first_url([link.get("href")])
            if target:
                return f"{match[1]}@{addresses.canonical_authority(match[2])}", target
    return f"{match[1]}@{addresses.canonical_authority(match[2])}", None


def _is_activity(media_type: Any) -> bool:
    if not isinstance(media_type, str):
        return False
    return media_type == ACTIVITY_JSON or (
        media_type.startswith("application/ld+json") and ACTIVITY_STREAMS in media_type
    )


def _display_name(document: Document) -> str:
    name = document.get("name")
    if not isinstance(name, str):
        return ""
    plain = text({"name": name[: 4 * MAX_NAME]}, "name", 4 * MAX_NAME) or ""
    return unicodedata.normalize("NFC", " ".join(plain.split()))[:MAX_NAME].strip()


def _shared_inbox(document: Document, identity: str) -> str | None:
    """A shared inbox on another server is ignored: it could be somebody else's."""
    endpoints = document.get("endpoints")
    return _on_origin(endpoints.get("sharedInbox"), identity) if isinstance(endpoints, dict) else None


def _on_origin(value: Any, identity: str) -> str | None:
    return value if isinstance(value, str) and addresses.same_origin(value, identity) else None


def _icon(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        return page(value)
    return first_url([value])


def _aliases(value: Any) -> tuple[str, ...]:
    members = value if isinstance(value, list) else [value]
    return tuple(filter(None, (first_url([each]) for each in members[:256])))


def _keys(value: Any, identity: str) -> tuple[RemoteKey, ...]:
    if value is None:
        return ()
    members = value if isinstance(value, list) else [value]
    if len(members) > MAX_KEYS:
        raise MalformedError(f"{identity} has more than {MAX_KEYS} keys.")
    keys = tuple(_key(member, identity) for member in members)
    if len({key.id for key in keys}) != len(keys):
        raise MalformedError(f"{identity} gives two keys the same id.")
    return keys


def _key(value: Any, identity: str) -> RemoteKey:
    if not isinstance(value, dict):
        raise MalformedError("'publicKey' is not a key.")
    if value.get("owner") != identity:
        raise MalformedError(f"{identity} shows a key that belongs to somebody else.")
    key_id = checked_url(value.get("id"), "publicKey.id")
    if not addresses.same_origin(key_id, identity):
        raise MalformedError(f"{identity} shows a key from another server: {key_id}.")
    pem = value.get("publicKeyPem")
    if not isinstance(pem, str) or not pem.isascii() or len(pem) > MAX_PEM:
        raise MalformedError(f"The key {key_id} is not a PEM text.")
    return RemoteKey(id=key_id, owner=identity, pem=pem)
