"""Gateway to actors: the keys of ours, and what is cached of remote ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from dramafeed.storage import schema
from dramafeed.storage.upsert import upsert

# Made once: every request to an inbox asks this.
_BY_KEY = select(schema.remote_actors).where(schema.remote_actors.c.key_id == bindparam("wanted"))
MAX_IDLE = 20_000  # cached remote actors that follow nobody here


@dataclass(frozen=True)
class ActorKey:
    """The key pair of one of our actors, as PEM."""

    handle: str
    private_pem: str
    public_pem: str
    created_at: datetime


@dataclass(frozen=True)
class CachedActor:
    """What is known of a remote actor. `host` is the canonical authority of its id."""

    uri: str
    host: str
    inbox: str
    shared_inbox: str | None
    key_id: str
    public_pem: str
    name: str
    handle: str
    url: str
    icon: str
    fetched_at: datetime
    refreshed_at: datetime  # last time a refresh was asked for: bounds refetching


class Actors:
    """Keys and remote actors."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def key(self, handle: str) -> ActorKey | None:
        """The key pair of one of our actors."""
        row = self._db.execute(select(schema.keys).where(schema.keys.c.handle == handle)).first()
        return ActorKey(**row._mapping) if row else None

    def fingerprints(self) -> list[tuple[str, str]]:
        """(handle, SHA-256 of the public key) of every actor of ours, by handle."""
        query = select(schema.keys.c.handle, schema.keys.c.public_pem).order_by(schema.keys.c.handle)
        return [(h, hashlib.sha256(pem.encode()).hexdigest()) for h, pem in self._db.execute(query)]

    def put_key(self, key: ActorKey) -> None:
        """Store a key pair in place of an older one."""
        values = {
            "private_pem": key.private_pem,
            "public_pem": key.public_pem,
            "created_at": key.created_at,
        }
        upsert(self._db, schema.keys, {"handle": key.handle}, values)

    def drop_key(self, handle: str) -> None:
        """Remove the key pair of an actor that nobody was ever told about."""
        self._db.execute(delete(schema.keys).where(schema.keys.c.handle == handle))

    def remote(self, uri: str) -> CachedActor | None:
        """A cached remote actor by id."""
        table = schema.remote_actors
        row = self._db.execute(select(table).where(table.c.uri == uri)).first()
        return CachedActor(**row._mapping) if row else None

    def remote_by_key(self, key_id: str) -> CachedActor | None:
        """The cached remote actor that owns a key."""
        row = self._db.execute(_BY_KEY, {"wanted": key_id}).first()
        return CachedActor(**row._mapping) if row else None

    def put_remote(self, actor: CachedActor) -> None:
        """Cache a remote actor; a key id moves to the actor that owns it now."""
        table = schema.remote_actors
        stale = (table.c.key_id == actor.key_id) & (table.c.uri != actor.uri)
        self._db.execute(delete(table).where(stale))
        values = {name: value for name, value in vars(actor).items() if name != "uri"}
        upsert(self._db, table, {"uri": actor.uri}, values)

    def note_refresh(self, uri: str, now: datetime) -> None:
        """A refresh of this actor was asked for."""
        table = schema.remote_actors
        self._db.execute(update(table).where(table.c.uri == uri).values(refreshed_at=now))

    def drop_remote(self, uri: str) -> None:
        """Forget a remote actor."""
        table = schema.remote_actors
        self._db.execute(delete(table).where(table.c.uri == uri))

    def prune_remote(self, before: datetime) -> None:
        """Forget remote actors who follow nobody here and were fetched long ago; at most `MAX_IDLE` stay."""
        table, followers = schema.remote_actors, schema.followers
        idle = ~exists().where(followers.c.actor == table.c.uri)
        newest = select(table.c.fetched_at).where(idle).order_by(table.c.fetched_at.desc())
        limit = self._db.execute(newest.offset(MAX_IDLE).limit(1)).scalar()
        self._db.execute(delete(table).where(idle, table.c.fetched_at <= max(before, limit or before)))
