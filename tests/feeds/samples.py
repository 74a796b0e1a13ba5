"""Entries and feeds to build tests from, and a look at the HTML in them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from dramafeed.feeds import FeedAuthor, FeedDocument, FeedEntry, FeedImage, FeedReplies, FeedUrls

BLOG = "https://blog.example"


def an_entry(number: int = 1, **changes: Any) -> FeedEntry:
    """A complete entry; `changes` are fields to set otherwise."""
    published = datetime(2022, 11, 4, 18, tzinfo=UTC) + timedelta(days=number)
    values: dict[str, Any] = {
        "id": f"urn:uuid:6e2f8f36-0d4b-5b0e-9f3a-{number:012}",
        "url": f"{BLOG}/reviews/review-{number}/",
        "title": f"Review {number}",
        "published": published,
        "updated": published + timedelta(hours=1),
        "html": f'<p>Text <a href="{BLOG}/dramas/x/">with a link</a> {number}.</p>' * 40,
        "summary": f"Summary {number}.",
        "authors": (FeedAuthor("Ilse", f"{BLOG}/authors/ilse/", "ilse@blog.example"),),
        "categories": ("review", "slice of life"),
        "image": FeedImage(f"{BLOG}/media/{number}.jpg", "image/jpeg", 1280, 720, 48213, "A roof", "Netflix"),
        "object_url": f"{BLOG}/ap/reviews/{number}",
        "account": "ilse@blog.example",
        "replies": FeedReplies(f"{BLOG}/reviews/review-{number}/#replies", number),
    }
    return FeedEntry(**values | changes)


def a_feed(*entries: FeedEntry, **changes: Any) -> FeedDocument:
    """A feed of the blog."""
    values: dict[str, Any] = {
        "id": "urn:uuid:3b1f5c7a-2f0e-5a44-9d0b-6a1d5a0f9a01",
        "title": "Kim & Lee watch dramas",
        "home_url": f"{BLOG}/",
        "self_urls": FeedUrls(f"{BLOG}/feed.xml", f"{BLOG}/atom.xml", f"{BLOG}/feed.json"),
        "created": datetime(2022, 1, 1, tzinfo=UTC),
        "subtitle": "Reviews",
        "icon_url": f"{BLOG}/media/icon.png",
        "entries": entries,
    }
    return FeedDocument(**values | changes)


class Page(HTMLParser):
    """The links, tags and text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.words += data
