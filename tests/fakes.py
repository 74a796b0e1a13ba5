"""The outside of the site, for tests: a clock that is stepped, and other servers that remember.

`Fediverse` stands where the network would be. Its servers behave as large servers do: one copy of a post
per id, edits only when `updated` grows, deleted ids for ever gone, boosts once. Every POST is verified with
the key that the site itself publishes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from dramafeed.activitypub import signatures
from dramafeed.activitypub.signatures import PrivateKey, SignedRequest, Signer
from dramafeed.activitypub.transport import Answer, Fetched
from dramafeed.errors import SignatureError, TransportError

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that only moves when told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        """The same time as a number of seconds."""
        return self.now.timestamp()

    def step(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


_generate = PrivateKey.generate  # sites under test get theirs from a ring: nobody else may share those


@cache
def key_of(name: str) -> PrivateKey:
    """A key pair per name, made once per test run: making one is slow."""
    assert name
    return _generate()


@dataclass
class Post:
    """One post as another server shows it."""

    document: dict[str, Any]
    author: str
    boosted_by: set[str] = field(default_factory=set)


@dataclass
class RemoteServer:
    """A server with one actor that may follow, and everything it was sent."""

    host: str
    shared: bool = True
    user: str = "ann"
    down: Callable[[], int | None] = lambda: None  # a status to answer with, or None for 202; 0 = no answer
    posts: dict[str, Post] = field(default_factory=dict)
    graves: set[str] = field(default_factory=set)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)  # activity id -> times accepted
    requests: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    boosts: dict[str, str] = field(default_factory=dict)  # announce id -> object id
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"https://{self.host}"

    @property
    def actor(self) -> str:
        return f"{self.origin}/users/{self.user}"

    @property
    def inbox(self) -> str:
        return f"{self.actor}/inbox"

    @property
    def shared_inbox(self) -> str:
        return f"{self.origin}/inbox"

    @property
    def key(self) -> PrivateKey:
        return key_of(self.host)

    @property
    def signer(self) -> Signer:
        return Signer(self.key, f"{self.actor}#main-key")

    def actor_document(self) -> dict[str, Any]:
        """What the server says of its actor."""
        document = {
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": self.actor,
            "type": "Person",
            "preferredUsername": self.user,
            "name": self.user.capitalize(),
            "inbox": self.inbox,
            "outbox": f"{self.actor}/outbox",
            "publicKey": {
                "id": f"{self.actor}#main-key",
                "owner": self.actor,
                "publicKeyPem": self.key.public_pem,
            },
        }
        if self.shared:
            document["endpoints"] = {"sharedInbox": self.shared_inbox}
        return document

    def accept(self, activity: dict[str, Any]) -> None:
        """Take an activity in, as large servers do."""
        times = self.seen[activity["id"]] = self.seen.get(activity["id"], 0) + 1
        self.accepted.append(activity)
        if times == 1:
            handler = getattr(self, f"_{activity['type'].lower()}", None)
            if handler:
                handler(activity)

    def _create(self, activity: dict[str, Any]) -> None:
        post = activity["object"]
        if post["id"] not in self.graves:
            self.posts.setdefault(post["id"], Post(post, activity["actor"]))

    def _update(self, activity: dict[str, Any]) -> None:
        post = activity["object"]
        if post["type"] in ("Person", "Organization"):
            self.profiles[post["id"]] = post
            return
        known = self.posts.get(post["id"])
        if known is None or known.author != activity["actor"]:
            return
        before = known.document.get("updated") or known.document["published"]
        if post["updated"] > before:
            known.document = post

    def _delete(self, activity: dict[str, Any]) -> None:
        gone = activity["object"]["id"]
        assert gone not in self.posts or self.posts[gone].author == activity["actor"]
        self.posts.pop(gone, None)
        self.graves.add(gone)

    def _announce(self, activity: dict[str, Any]) -> None:
        self.boosts[activity["id"]] = activity["object"]

    def _undo(self, activity: dict[str, Any]) -> None:
        self.boosts.pop(activity["object"]["id"], None)


class Fediverse:
    """All other servers, in place of the network (`activitypub.transport.Transport`).

    Args:
        clock: the same as the site's.
        look_up: GETs a document of the site by URL (through its HTTP door).
    """

    def __init__(self, clock: Clock, look_up: Callable[[str], dict[str, Any]]) -> None:
        self._clock = clock
        self.look_up = look_up
        self.servers: dict[str, RemoteServer] = {}
        self.fetches: list[str] = []
        self.on_post: Callable[[str], None] = lambda _moment: None  # "before" and "after" each POST

    @property
    def door(self) -> Fediverse:
        """The way out, for a worker: the whole network, or a real transport (`tests.hostile.World`)."""
        return self

    async def close(self) -> None:
        """Nothing is held open."""

    def server(self, host: str = "social.example", **options: Any) -> RemoteServer:
        """A server, made when it is new."""
        return self.servers.setdefault(host, RemoteServer(host, **options))

    async def get_json(self, url: str, *, signer: Signer | None = None, **_: Any) -> Fetched:
        """GET an actor."""
        self.fetches.append(url)
        server = self.servers.get(urlsplit(url).netloc)
        if server is None:
            raise TransportError(url, "there is no such server")
        status = server.down()
        if status is not None:
            raise TransportError(url, f"answered {status}", status=status or None)
        assert signer is not None, "other servers want signed fetches"
        return Fetched(url.partition("#")[0], server.actor_document(), "application/activity+json")

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST to an inbox; judged with the key that the site publishes."""
        self.on_post("before")
        server = self.servers[urlsplit(url).netloc]
        assert url in (server.inbox, server.shared_inbox)
        activity = json.loads(body)
        status = server.down()
        server.requests.append((202 if status is None else status, activity))
        if status == 0:
            raise TransportError(url, "no answer came")
        if status is not None:
            return Answer(status)
        try:
            check_signed(url, body, headers, activity["actor"], self.look_up, self._clock())
        except SignatureError as error:
            return Answer(401, body=str(error))
        server.accept(activity)
        self.on_post("after")
        return Answer(202)


def check_signed(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    actor: str,
    look_up: Callable[[str], dict[str, Any]],
    now: datetime,
) -> None:
    """What a careful server does with a POST: the signature must be by the key that the actor publishes.

    Raises:
        SignatureError: it is not.
    """
    parts = urlsplit(url)
    request = SignedRequest(
        method="POST",
        target=parts.path,
        headers={name.lower(): [value] for name, value in headers.items()},
        body=body,
        origin=f"{parts.scheme}://{parts.netloc}",
    )
    parsed = signatures.read(request, now=now)
    key = look_up(actor)["publicKey"]
    if parsed.key_id != key["id"]:
        raise SignatureError(f"{actor} does not own {parsed.key_id}")
    signatures.verify(parsed, key["publicKeyPem"])


def follow_of(server: RemoteServer, actor: str, number: int = 1) -> dict[str, Any]:
    """A Follow as servers send it."""
    return {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": f"{server.origin}/follows/{number}/{urlsplit(actor).path.rsplit('/', 1)[1]}",
        "type": "Follow",
        "actor": server.actor,
        "object": actor,
    }


def undo_of(server: RemoteServer, activity: dict[str, Any]) -> dict[str, Any]:
    """The Undo of an activity."""
    return {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": f"{activity['id']}/undo",
        "type": "Undo",
        "actor": server.actor,
        "object": activity,
    }
