"""Remote actors: fetched once, cached under their verified id, refreshed seldom."""

from __future__ import annotations

from datetime import datetime, timedelta

from dramafeed.activitypub.vocabulary import RemoteActor
from dramafeed.errors import SignatureError
from dramafeed.storage.actors import CachedActor

REFRESH_PAUSE = timedelta(minutes=5)  # at most one refetch of a key in this time


def cached(actor: RemoteActor, key_id: str, now: datetime) -> CachedActor:
    """The row of a fetched actor.

    Args:
        key_id: the key that a request named; it must be the actor's own.

    Raises:
        SignatureError: the actor does not claim that key.
    """
    key = actor.key(key_id)
    if key is None:
        raise SignatureError(f"{actor.id} does not claim the key {key_id}.")
    return CachedActor(
        uri=actor.id,
        host=actor.domain,
        inbox=actor.inbox,
        shared_inbox=actor.shared_inbox,
        key_id=key.id,
        public_pem=key.pem,
        name=actor.name,
        handle=actor.handle,
        url=actor.url,
        icon=actor.icon or "",
        fetched_at=now,
        refreshed_at=now,
    )
