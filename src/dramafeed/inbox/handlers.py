"""What each activity does: one small function per type, in a table.

A handler gets a verified activity inside a transaction and returns a word for the record. It may write
rows; it never fetches and never sends.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

from dramafeed.activitypub import vocabulary
from dramafeed.activitypub.vocabulary import IncomingActivity
from dramafeed.inbox.actors import REFRESH_PAUSE
from dramafeed.model import State, followers_key
from dramafeed.settings import Settings
from dramafeed.storage import Transaction
from dramafeed.storage.actors import CachedActor
from dramafeed.storage.audience import Follower
from dramafeed.storage.identity import record_site_event
from dramafeed.storage.jobs import Activity, JobKind

Handler = Callable[[Transaction, Settings, IncomingActivity, CachedActor, datetime], str]


def _ours(tx: Transaction, settings: Settings, actor_id: str | None) -> str | None:
    """The handle of the actor of ours that an id names."""
    base = settings.urls.actor("")
    if not actor_id or not actor_id.startswith(base):
        return None
    thing = tx.editions.by_handle(actor_id.removeprefix(base))
    return thing.handle if thing and thing.state is State.PUBLIC else None


def follow(
    tx: Transaction, settings: Settings, activity: IncomingActivity, actor: CachedActor, now: datetime
) -> str:
    """Take a follower in and owe the Accept."""
    handle = _ours(tx, settings, activity.object_id)
    if handle is None:
        return "nobody of ours"
    if tx.audience.was_undone(actor.uri, activity.id):
        return "undone before it came"
    follower = Follower(
        handle=handle,
        actor=actor.uri,
        inbox=actor.shared_inbox or actor.inbox,
        personal_inbox=actor.inbox,
        follow_id=activity.id,
        since=now,
    )
    tx.audience.follow(follower, actor.host)
    tx.meta.touch([followers_key(handle)], now)
    _accept(tx, settings, follower, actor, now)
    if not tx.meta.get("first_follower"):
        tx.meta.put("first_follower", "yes")
        event = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{activity.id}#{now.isoformat()}"))
        record_site_event(tx, settings.base_url, settings.handle_domain, event, now)
    return "follows"


def _accept(
    tx: Transaction, settings: Settings, follower: Follower, actor: CachedActor, now: datetime
) -> None:
    number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{follower.handle}#accept {follower.follow_id}"))
    document = vocabulary.accept(
        urls=settings.urls,
        uid=number,
        handle=follower.handle,
        follow_id=follower.follow_id,
        follower=actor.uri,
    )
    about = f"follow:{uuid.uuid5(uuid.NAMESPACE_URL, actor.uri)}"
    activity = Activity(number, "accept", about, follower.handle, now, vocabulary.dumps(document))
    tx.jobs.add_activity(activity)
    inbox = tx.audience.inbox(actor.inbox, actor.host)
    tx.jobs.deliver(activity, [inbox], now, needs_public=False)


def undo(
    tx: Transaction, settings: Settings, activity: IncomingActivity, actor: CachedActor, now: datetime
) -> str:
    """Take back a Follow; one that has not come yet is remembered."""
    inner = activity.object
    if inner is None:
        return "nothing named"
    if inner.inline and inner.type != "Follow":
        return "not a follow"
    if inner.inline and inner.actor and inner.actor != actor.uri:
        return "somebody else's follow"
    handle = _ours(tx, settings, inner.object) if inner.inline else None
    if handle is None and inner.id:
        handle = tx.audience.handle_of_follow(actor.uri, inner.id)
    gone = handle is not None and tx.audience.unfollow(handle, actor.uri)
    if gone and handle:
        tx.meta.touch([followers_key(handle)], now)
        return "unfollowed"
    if inner.id:
        tx.audience.remember_undo(actor.uri, inner.id, now)
    return "nothing to undo"


def delete(
    tx: Transaction, _settings: Settings, activity: IncomingActivity, actor: CachedActor, now: datetime
) -> str:
    """An account is gone: it follows nobody any more."""
    if activity.object_id != actor.uri:
        return "nothing of ours"
    handles = tx.audience.unfollow_all(actor.uri)
    tx.meta.touch([followers_key(handle) for handle in handles], now)
    tx.actors.drop_remote(actor.uri)
    return "account deleted"


def block(
    tx: Transaction, settings: Settings, activity: IncomingActivity, actor: CachedActor, now: datetime
) -> str:
    """Somebody blocks an actor of ours: they follow it no longer."""
    handle = _ours(tx, settings, activity.object_id)
    if handle is None or not tx.audience.unfollow(handle, actor.uri):
        return "no follower"
    tx.meta.touch([followers_key(handle)], now)
    return "unfollowed by block"


def update(
    tx: Transaction, _settings: Settings, activity: IncomingActivity, actor: CachedActor, now: datetime
) -> str:
    """A profile changed: fetch it anew, once for all changes within the pause."""
    if activity.object_id != actor.uri:
        return "nothing of ours"
    tx.jobs.owe(JobKind.REFRESH, actor.uri, max(now, actor.refreshed_at + REFRESH_PAUSE), now)
    return "refresh owed"


HANDLERS: dict[str, Handler] = {
    "Follow": follow,
    "Undo": undo,
    "Delete": delete,
    "Block": block,
    "Update": update,
}
