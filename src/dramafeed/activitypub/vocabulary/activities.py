"""What our actors say (ActivityStreams activities) and the collections that list things.

Every function is a pure function of plain values: the same arguments give the same bytes. Will not
choose recipients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dramafeed.activitypub.vocabulary.posts import hashtags
from dramafeed.activitypub.vocabulary.terms import (
    ACTIVITY_STREAMS,
    PUBLIC,
    TAG_CONTEXT,
    Document,
    timestamp,
    without_context,
)
from dramafeed.urls import Urls


def _activity(urls: Urls, uid: str, kind: str, actor: str, context: Any = ACTIVITY_STREAMS) -> Document:
    return {"@context": context, "id": urls.activity(uid), "type": kind, "actor": actor}


def create(*, urls: Urls, uid: str, document: Mapping[str, Any]) -> Document:
    """The author publishes a note or article."""
    context = document["@context"]
    return {
        **_activity(urls, uid, "Create", document["attributedTo"], context),
        "published": document["published"],
        "to": document["to"],
        "cc": document["cc"],
        "object": without_context(document),
    }


def update(*, urls: Urls, uid: str, document: Mapping[str, Any]) -> Document:
    """The author changes a note or article, or one of our actors its own profile."""
    actor = document.get("attributedTo", document["id"])
    activity = _activity(urls, uid, "Update", actor, document["@context"])
    if "updated" in document:
        activity["published"] = document["updated"]
    activity["to"] = document.get("to", [PUBLIC])
    activity["cc"] = document.get("cc", [document["followers"]] if "followers" in document else [])
    return {**activity, "object": without_context(document)}


def delete(*, urls: Urls, uid: str, handle: str, object_id: str, deleted: datetime | None = None) -> Document:
    """The author takes an object back, for good: the id can never be used again."""
    grave: Document = {"id": object_id, "type": "Tombstone"}
    if deleted is not None:
        grave["deleted"] = timestamp(deleted)
    return {
        **_activity(urls, uid, "Delete", urls.actor(handle)),
        "to": [PUBLIC],
        "cc": [urls.followers(handle)],
        "object": grave,
    }


def announce(
    *, urls: Urls, uid: str, handle: str, object_id: str, author_id: str, published: datetime
) -> Document:
    """The blog passes an author's object on to its own followers."""
    return {
        **_activity(urls, uid, "Announce", urls.actor(handle)),
        "published": timestamp(published),
        "to": [PUBLIC],
        "cc": [urls.followers(handle), author_id],
        "object": object_id,
    }


def undo(*, urls: Urls, uid: str, handle: str, activity: Mapping[str, Any]) -> Document:
    """An earlier activity of the same actor is taken back."""
    document = _activity(urls, uid, "Undo", urls.actor(handle))
    for key in ("to", "cc"):
        if key in activity:
            document[key] = activity[key]
    return {**document, "object": without_context(activity)}


def accept(*, urls: Urls, uid: str, handle: str, follow_id: str, follower: str) -> Document:
    """The answer to a Follow, which is embedded: some servers match by its actor, not its id."""
    return _answer(urls, uid, "Accept", handle, follow_id, follower)


def reject(*, urls: Urls, uid: str, handle: str, follow_id: str, follower: str) -> Document:
    """Refuses a Follow, or ends one that was accepted."""
    return _answer(urls, uid, "Reject", handle, follow_id, follower)


def _answer(urls: Urls, uid: str, kind: str, handle: str, follow_id: str, follower: str) -> Document:
    actor = urls.actor(handle)
    return {
        **_activity(urls, uid, kind, actor),
        "to": [follower],
        "object": {"id": follow_id, "type": "Follow", "actor": follower, "object": actor},
    }


def add_featured(*, urls: Urls, uid: str, handle: str, object_id: str) -> Document:
    """An object is pinned to the top of the actor's profile."""
    return _featured(urls, uid, "Add", handle, object_id)


def remove_featured(*, urls: Urls, uid: str, handle: str, object_id: str) -> Document:
    """An object is no longer pinned."""
    return _featured(urls, uid, "Remove", handle, object_id)


def _featured(urls: Urls, uid: str, kind: str, handle: str, object_id: str) -> Document:
    return {
        **_activity(urls, uid, kind, urls.actor(handle)),
        "to": [PUBLIC],
        "cc": [urls.followers(handle)],
        "object": object_id,
        "target": urls.featured(handle),
    }


def move(*, urls: Urls, uid: str, handle: str, target: str) -> Document:
    """The actor asks its followers to follow `target`, which must list it in `alsoKnownAs`."""
    actor = urls.actor(handle)
    return {
        **_activity(urls, uid, "Move", actor),
        "to": [urls.followers(handle)],
        "object": actor,
        "target": target,
    }


# --------------------------------------------------------------------------- collections


def collection(
    *,
    id: str,  # noqa: A002 - the wire's own word
    total: int | None = None,
    items: Sequence[Any] | None = None,
    first: str | None = None,
) -> Document:
    """A Collection: a count, a link to its first page, or all items at once."""
    return _collection("Collection", "items", id, total, items, first)


def ordered_collection(
    *,
    id: str,  # noqa: A002 - the wire's own word
    total: int | None = None,
    items: Sequence[Any] | None = None,
    first: str | None = None,
) -> Document:
    """An OrderedCollection. Without `first` and `items` only the count is public: for followers."""
    return _collection("OrderedCollection", "orderedItems", id, total, items, first)


def _collection(
    kind: str,
    key: str,
    identity: str,
    total: int | None,
    items: Sequence[Any] | None,
    first: str | None,
) -> Document:
    document: Document = {"@context": _context(items or ()), "id": identity, "type": kind}
    if total is not None:
        document["totalItems"] = total
    if first is not None:
        document["first"] = first
    if items is not None:
        document[key] = _embedded(items)
    return document


def collection_page(
    *,
    id: str,  # noqa: A002 - the wire's own word
    part_of: str,
    items: Sequence[Any],
    next_page: str | None = None,
    prev_page: str | None = None,
    total: int | None = None,
) -> Document:
    """One page of a Collection."""
    page = _page("CollectionPage", id, part_of, _context(items), next_page, prev_page, total)
    return {**page, "items": _embedded(items)}


def ordered_collection_page(
    *,
    id: str,  # noqa: A002 - the wire's own word
    part_of: str,
    items: Sequence[Any],
    next_page: str | None = None,
    prev_page: str | None = None,
    total: int | None = None,
) -> Document:
    """One page of an OrderedCollection, newest first."""
    page = _page("OrderedCollectionPage", id, part_of, _context(items), next_page, prev_page, total)
    return {**page, "orderedItems": _embedded(items)}


def _page(
    kind: str,
    identity: str,
    part_of: str,
    context: Any,
    next_page: str | None,
    prev_page: str | None,
    total: int | None,
) -> Document:
    page: Document = {"@context": context, "id": identity, "type": kind, "partOf": part_of}
    optional = {"totalItems": total, "next": next_page, "prev": prev_page}
    return page | {key: value for key, value in optional.items() if value is not None}


def _context(items: Sequence[Any]) -> Any:
    """The context that embedded documents bring along, which then speaks for the whole."""
    contexts = (item.get("@context") for item in items if isinstance(item, Mapping))
    return next((each for each in contexts if isinstance(each, list)), ACTIVITY_STREAMS)


def _embedded(items: Sequence[Any]) -> list[Any]:
    return [without_context(item) if isinstance(item, Mapping) else item for item in items]


def featured_tags(*, urls: Urls, handle: str, tags: Sequence[tuple[str, str]]) -> Document:
    """The hashtags that an actor shows on its profile."""
    items = [{"type": "Hashtag", "href": page, "name": f"#{word}"} for word, page in hashtags(tags)]
    document = collection(id=urls.featured_tags(handle), total=len(items), items=items)
    return {**document, "@context": list(TAG_CONTEXT)}
