"""Editions as RSS 2.0, Atom, JSON Feed 1.1 and OPML 2.0: pure functions from values to bytes.

The caller fills a `FeedDocument`; the same document always gives the same bytes, in any process.
Will not query, read a clock or know of a request. (feedgen is imported in `xml` alone.)
"""

from __future__ import annotations

from .document import (
    FeedAuthor,
    FeedDocument,
    FeedEntry,
    FeedImage,
    FeedReplies,
    FeedUrls,
    Outline,
)
from .json_feed import JSON_FEED_TYPE, json_feed
from .opml import OPML_TYPE, opml
from .xml import ATOM_TYPE, RSS_TYPE, atom, rss

__all__ = [
    "ATOM_TYPE",
    "JSON_FEED_TYPE",
    "OPML_TYPE",
    "RSS_TYPE",
    "FeedAuthor",
    "FeedDocument",
    "FeedEntry",
    "FeedImage",
    "FeedReplies",
    "FeedUrls",
    "Outline",
    "atom",
    "json_feed",
    "opml",
    "rss",
]
