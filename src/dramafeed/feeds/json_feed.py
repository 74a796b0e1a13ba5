"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/): plain dictionaries in a fixed order.

What the format has no word for stands under `_dramafeed`, as its section on extensions asks.
"""

from __future__ import annotations

import json
from typing import Any

from .document import FeedAuthor, FeedDocument, FeedEntry, FeedImage

JSON_FEED_TYPE = "application/feed+json; charset=utf-8"
VERSION = "https://jsonfeed.org/version/1.1"

_Object = dict[str, Any]


def json_feed(feed: FeedDocument) -> bytes:
    """The feed as JSON Feed 1.1."""
    document = _without_gaps(
        version=VERSION,
        title=feed.title,
        home_page_url=feed.home_url,
        feed_url=feed.self_urls.json,
        description=feed.subtitle,
        next_url=_older(feed),
        icon=feed.icon_url,
        authors=[_author(author) for author in feed.authors],
        language=feed.language,
        hubs=[{"type": "WebSub", "url": feed.hub}] if feed.hub else [],
    )
    # An empty list of items is required where there are none, so it does not pass the gap filter.
    document["items"] = [_item(feed, entry) for entry in feed.entries]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _without_gaps(**members: Any) -> _Object:
    """The members that say something; the format leaves out what is not known."""
    return {name: value for name, value in members.items() if value}


def _older(feed: FeedDocument) -> str:
    """The address of the next older items: what RFC 5005 calls next or prev-archive."""
    links = dict(feed.links)
    older = links.get("next") or links.get("prev-archive")
    return older.json if older else ""


def _author(author: FeedAuthor) -> _Object:
    extension = _without_gaps(account=author.account)
    return _without_gaps(name=author.name, url=author.url, _dramafeed=extension)


def _item(feed: FeedDocument, entry: FeedEntry) -> _Object:
    image = entry.image
    item = _without_gaps(
        id=entry.id,
        url=entry.url,
        title=entry.title,
        summary=entry.summary,
        image=image.url if image else "",
        date_published=entry.published.isoformat(),
        date_modified=entry.updated.isoformat(),
        authors=[_author(author) for author in feed.authors_of(entry)],
        tags=list(entry.categories),
        language=feed.language_of(entry),
        attachments=[_attachment(image)] if image and feed.image_enclosures else [],
        _dramafeed=_extension(entry),
    )
    item["content_html"] = entry.full_text  # required, even when empty
    return item


def _attachment(image: FeedImage) -> _Object:
    return _without_gaps(url=image.url, mime_type=image.media_type, title=image.alt, size_in_bytes=image.size)


def _extension(entry: FeedEntry) -> _Object:
    """The fediverse side of an entry, and whom to thank for its picture."""
    replies = entry.replies
    extension = _without_gaps(
        object_url=entry.object_url,
        account=entry.account,
        image_credit=entry.image.credit if entry.image else "",
    )
    if replies:
        extension |= {"replies_url": replies.url, "replies_count": replies.count}
    return extension
