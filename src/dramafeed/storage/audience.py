"""Gateway to the audience: who follows which actor, and which inboxes were told about a thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, select, update

from dramafeed.storage import schema
from dramafeed.storage.upsert import insert_ignoring, upsert


@dataclass(frozen=True)
class Follower:
    """One follower of one of our actors. `inbox` is where deliveries go (shared where possible)."""

    handle: str
    actor: str
    inbox: str
    personal_inbox: str
    follow_id: str
    since: datetime


class Audience:
    """Followers, inboxes, and the audience of each thing."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    # ---- inboxes

    def inbox(self, url: str, host: str) -> int:
        """The number of an inbox, made when it is new."""
        table = schema.inboxes
        upsert(self._db, table, {"url": url}, {"host": host})
        return int(self._db.execute(select(table.c.id).where(table.c.url == url)).scalar_one())

    # ---- followers

    def follow(self, follower: Follower, host: str) -> None:
        """Add a follower, or take over a repeated Follow's id and inbox."""
        values = {
            "inbox_id": self.inbox(follower.inbox, host),
            "personal_inbox": follower.personal_inbox,
            "follow_id": follower.follow_id,
            "since": follower.since,
        }
        upsert(self._db, schema.followers, {"handle": follower.handle, "actor": follower.actor}, values)

    def unfollow(self, handle: str, actor: str) -> bool:
        """Remove a follower; False when there was none."""
        table = schema.followers
        gone = self._db.execute(delete(table).where(table.c.handle == handle, table.c.actor == actor))
        return gone.rowcount > 0

    def move_inbox(self, actor: str, inbox: str, personal_inbox: str, host: str) -> None:
        """A remote actor's inboxes changed: deliveries of who follows go to the new ones."""
        if not self.is_known(actor):
            return
        table = schema.followers
        values = {"inbox_id": self.inbox(inbox, host), "personal_inbox": personal_inbox}
        self._db.execute(update(table).where(table.c.actor == actor).values(values))

    def drop_inbox(self, inbox_id: int) -> None:
        """A personal inbox answered 410: its follower is gone. A shared inbox says nothing of followers."""
        table, inboxes = schema.followers, schema.inboxes
        url = select(inboxes.c.url).where(inboxes.c.id == inbox_id).scalar_subquery()
        self._db.execute(delete(table).where(table.c.inbox_id == inbox_id, table.c.personal_inbox == url))

    def unfollow_all(self, actor: str) -> list[str]:
        """Remove an actor from every follower list; the handles it followed."""
        table = schema.followers
        query = select(table.c.handle).where(table.c.actor == actor)
        handles = [str(handle) for handle in self._db.execute(query).scalars()]
        self._db.execute(delete(table).where(table.c.actor == actor))
        return handles

    def follower(self, handle: str, actor: str) -> Follower | None:
        """One follower."""
        table = schema.followers
        return next(iter(self._followers(and_(table.c.handle == handle, table.c.actor == actor))), None)

    def followers(self, handle: str) -> list[Follower]:
        """All followers of an actor of ours, oldest first."""
        return self._followers(schema.followers.c.handle == handle)

    def _followers(self, condition: object) -> list[Follower]:
        table, inboxes = schema.followers, schema.inboxes
        query = (
            select(
                table.c.handle,
                table.c.actor,
                inboxes.c.url.label("inbox"),
                table.c.personal_inbox,
                table.c.follow_id,
                table.c.since,
            )
            .join(inboxes, inboxes.c.id == table.c.inbox_id)
            .where(condition)  # type: ignore[arg-type]
            .order_by(table.c.since, table.c.actor)
        )
        return [Follower(**row._mapping) for row in self._db.execute(query)]

    def handle_of_follow(self, actor: str, follow_id: str) -> str | None:
        """The handle that an actor's Follow of this id was for."""
        table = schema.followers
        query = select(table.c.handle).where(table.c.actor == actor, table.c.follow_id == follow_id)
        found = self._db.execute(query).scalar()
        return None if found is None else str(found)

    def is_known(self, actor: str) -> bool:
        """True when a remote actor follows anyone here."""
        table = schema.followers
        query = select(table.c.handle).where(table.c.actor == actor).limit(1)
        return self._db.execute(query).first() is not None

    def follower_count(self, handle: str) -> int:
        """How many follow an actor of ours."""
        table = schema.followers
        query = select(func.count()).select_from(table).where(table.c.handle == handle)
        return int(self._db.execute(query).scalar() or 0)

    def counts(self) -> dict[str, int]:
        """handle -> followers."""
        table = schema.followers
        query = select(table.c.handle, func.count()).group_by(table.c.handle)
        return dict(tuple(row) for row in self._db.execute(query))

    def inboxes_of(self, handles: Iterable[str]) -> list[int]:
        """Distinct inbox numbers of the followers of any of these actors, in order."""
        table = schema.followers
        query = select(table.c.inbox_id).where(table.c.handle.in_(list(handles))).distinct()
        return sorted(self._db.execute(query).scalars())

    # ---- Undo before Follow

    def remember_undo(self, actor: str, activity_id: str, now: datetime) -> None:
        """An Undo came for a Follow that has not come yet."""
        upsert(self._db, schema.undone, {"actor": actor, "activity_id": activity_id}, {"at": now})

    def was_undone(self, actor: str, activity_id: str) -> bool:
        """True when this very Follow was taken back before it came."""
        table = schema.undone
        query = select(table.c.at).where(table.c.actor == actor, table.c.activity_id == activity_id)
        return self._db.execute(query).first() is not None

    def forget_undone(self, before: datetime) -> None:
        """Drop remembered Undos that are too old to matter."""
        self._db.execute(delete(schema.undone).where(schema.undone.c.at < before))

    # ---- the audience of a thing

    def tell(self, uid: str, inbox_ids: Iterable[int], *, announced: bool) -> None:
        """These inboxes are about to be told of a thing (announced: by the blog's Announce as well)."""
        table = schema.audience
        rows = [{"uid": uid, "inbox_id": n, "announced": announced} for n in inbox_ids]
        insert_ignoring(self._db, table, rows)
        if announced:
            numbers = [row["inbox_id"] for row in rows]
            for start in range(0, len(numbers), 500):
                chunk = numbers[start : start + 500]
                self._db.execute(
                    update(table)
                    .where(table.c.uid == uid, table.c.inbox_id.in_(chunk))
                    .values(announced=True)
                )

    def told(self, uid: str, *, announced: bool = False) -> list[int]:
        """Inboxes that were told of a thing; with `announced`, those the Announce went to."""
        table = schema.audience
        query = select(table.c.inbox_id).where(table.c.uid == uid)
        if announced:
            query = query.where(table.c.announced)
        return sorted(self._db.execute(query).scalars())

    def was_told(self, uid: str) -> bool:
        """True when anyone was told about a thing."""
        table = schema.audience
        return self._db.execute(select(table.c.uid).where(table.c.uid == uid).limit(1)).first() is not None

    def untell(self, uid: str, inbox_ids: Iterable[int]) -> None:
        """These inboxes turned out never to have been sent anything about a thing."""
        table = schema.audience
        numbers = list(inbox_ids)
        for start in range(0, len(numbers), 500):
            chunk = numbers[start : start + 500]
            self._db.execute(delete(table).where(table.c.uid == uid, table.c.inbox_id.in_(chunk)))

    def forget(self, uid: str) -> None:
        """A thing's Delete is done: its audience needs no more word of it."""
        self._db.execute(delete(schema.audience).where(schema.audience.c.uid == uid))
