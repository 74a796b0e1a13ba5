"""What feed readers make of our feeds: they are the judges, and must see the same review."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import fastfeedparser
import feedparser
import pytest

from dramafeed.feeds import FeedAuthor, FeedDocument, atom, json_feed, rss
from tests.feeds.samples import BLOG, Page, a_feed, an_entry

TITLES = [
    "Kim & Lee",
    "I <3 dramas",
    "5 < 6 > 4",
    "\"Quotes\" & 'more'",
    "오징어 게임 🦑",
    "שלום עולם",
    "An end ]]> of a section",
    "<오징어 게임>",
]
XML = pytest.mark.parametrize("render", [rss, atom])
ALL = pytest.mark.parametrize("render", [rss, atom, json_feed])
Render = Callable[[FeedDocument], bytes]


def by_feedparser(xml: bytes) -> Any:
    """The feed as feedparser sees it; it must find nothing wrong with it."""
    feed = feedparser.parse(xml)
    assert not feed.bozo, feed.get("bozo_exception")
    return feed


def by_fastfeedparser(body: bytes) -> Any:
    """The feed as fastfeedparser sees it."""
    return fastfeedparser.parse(body)


def assert_same_html(read: str, written: str) -> None:
    """Sanitisers reorder attributes; words, links and elements must survive."""
    read_page, written_page = Page(read), Page(written)
    assert read_page.words == written_page.words
    assert sorted(read_page.links) == sorted(written_page.links)
    assert read_page.tags == written_page.tags


@pytest.mark.parametrize("title", TITLES)
@XML
def test_feedparser_shows_the_title_as_written(render: Render, title: str) -> None:
    """Plain text with &, <, quotes, Hangul and right-to-left script."""
    feed = by_feedparser(render(a_feed(an_entry(title=title), title=title)))
    assert feed.entries[0].title == title
    assert feed.feed.title == title


@pytest.mark.parametrize("title", TITLES)
@ALL
def test_fastfeedparser_shows_the_title_as_written(render: Render, title: str) -> None:
    """The same, in all three formats."""
    feed = by_fastfeedparser(render(a_feed(an_entry(title=title))))
    assert feed.entries[0].title == title


@XML
def test_feedparser_sees_the_whole_review(render: Render) -> None:
    """Full text, summary, tags, ids, dates, picture, credit, replies."""
    writers = (FeedAuthor("Ilse", f"{BLOG}/authors/ilse/"), FeedAuthor("김민지"))
    review = an_entry(7, authors=writers)
    entry = by_feedparser(render(a_feed(review))).entries[0]
    assert entry.id == review.id
    assert entry.link == review.url
    assert entry.summary == "Summary 7."
    assert_same_html(entry.content[0].value, review.full_text)
    assert [author.name for author in entry.authors] == ["Ilse", "김민지"]
    assert [tag.term for tag in entry.tags] == list(review.categories)
    assert datetime(*entry.published_parsed[:6], tzinfo=UTC) == review.published
    assert datetime(*entry.updated_parsed[:6], tzinfo=UTC) == review.updated
    assert entry.media_content[0]["url"] == f"{BLOG}/media/7.jpg"
    assert entry.media_thumbnail[0]["url"] == f"{BLOG}/media/7.jpg"
    assert entry.media_credit[0]["content"] == "Netflix"
    assert entry.thr_total == "7"
    (enclosure,) = entry.enclosures
    assert (enclosure.href, enclosure.type) == (f"{BLOG}/media/7.jpg", "image/jpeg")
    assert enclosure.length == "48213"


@ALL
def test_fastfeedparser_sees_the_whole_review(render: Render) -> None:
    """JSON Feed too."""
    review = an_entry(7)
    entry = by_fastfeedparser(render(a_feed(review))).entries[0]
    assert entry.id == review.id
    assert entry.link == review.url
    assert entry.author == "Ilse"
    assert entry.content[0]["value"] == review.full_text
    assert [tag["term"] for tag in entry.tags] == list(review.categories)
    assert datetime.fromisoformat(entry.published) == review.published
    assert datetime.fromisoformat(entry.updated) == review.updated


@XML
def test_fastfeedparser_sees_the_picture_with_its_alt_and_credit(render: Render) -> None:
    """What media:description and media:credit are for."""
    (picture,) = by_fastfeedparser(render(a_feed(an_entry(7)))).entries[0].media_content
    assert picture["url"] == f"{BLOG}/media/7.jpg"
    assert (picture["description"], picture["credit"]) == ("A roof", "Netflix")


def test_ids_are_the_same_in_every_format(feed: FeedDocument) -> None:
    """Readers key on them; whoever changes the format must not see everything twice."""
    ids = [entry.id for entry in feed.entries]
    assert [entry.id for entry in by_feedparser(rss(feed)).entries] == ids
    assert [entry.id for entry in by_feedparser(atom(feed)).entries] == ids
    assert [item["id"] for item in json.loads(json_feed(feed))["items"]] == ids


@ALL
def test_every_entry_has_a_writer(feed: FeedDocument, render: Render) -> None:
    """The first one by name; inherited from the feed where the entry has none."""
    for entry, read in zip(feed.entries, by_fastfeedparser(render(feed)).entries, strict=True):
        assert read.author == feed.authors_of(entry)[0].name


@XML
def test_feedparser_reads_every_feed(feed: FeedDocument, render: Render) -> None:
    """No vector makes it complain; page, feed and language are where they should be."""
    read = by_feedparser(render(feed))
    assert len(read.entries) == len(feed.entries)
    assert read.feed.link == feed.home_url
    assert read.feed.language == feed.language
    assert read.entries == [] or read.entries[0].link == feed.entries[0].url
