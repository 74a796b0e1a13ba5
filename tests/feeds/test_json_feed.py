"""JSON Feed 1.1 against a schema written from its specification."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest

from dramafeed.feeds import FeedAuthor, FeedDocument, FeedUrls, json_feed
from tests.feeds.samples import BLOG, a_feed, an_entry
from tests.feeds.vectors import FOLDER

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return datetime.fromisoformat(str(value)).tzinfo is not None and "T" in str(value)


@FORMATS.checks("uri", raises=ValueError)
def _is_absolute(value: object) -> bool:
    return bool(urlsplit(str(value)).netloc)


def validator() -> jsonschema.Draft202012Validator:
    """The specification as a schema, formats on."""
    schema = json.loads((FOLDER / "json-feed-1.1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=FORMATS)


def test_every_feed_is_valid(feed: FeedDocument) -> None:
    """No error in any vector, nor in a full page."""
    assert [error.message for error in validator().iter_errors(json.loads(json_feed(feed)))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": "https://jsonfeed.org/version/1"},
        {"items": [{"id": "1"}]},
        {"items": [{"id": 1, "content_html": ""}]},
        {"items": [{"id": "1", "content_html": "", "date_published": "2022-11-04"}]},
        {"items": [{"id": "1", "content_html": "", "url": "/relative"}]},
        {"items": [{"id": "1", "content_html": "", "tags": ["a", "a"]}]},
        {"items": [{"id": "1", "content_html": "", "authors": [{}]}]},
        {"author": {"name": "deprecated"}},
    ],
)
def test_the_schema_finds_what_is_wrong(change: dict[str, Any]) -> None:
    """A judge that lets everything pass judges nothing."""
    assert not validator().is_valid(json.loads(json_feed(a_feed())) | change)


def test_the_version_comes_first() -> None:
    """The specification asks for it at the very top."""
    assert json_feed(a_feed()).startswith(b'{"version":"https://jsonfeed.org/version/1.1",')


def test_the_fediverse_side_of_an_entry_is_an_extension() -> None:
    """Who follows the JSON finds the post, the account and the credit of the picture."""
    (item,) = json.loads(json_feed(a_feed(an_entry(7))))["items"]
    assert item["_dramafeed"] == {
        "object_url": f"{BLOG}/ap/reviews/7",
        "account": "ilse@blog.example",
        "image_credit": "Netflix",
        "replies_url": f"{BLOG}/reviews/review-7/#replies",
        "replies_count": 7,
    }
    assert item["authors"] == [
        {
            "name": "Ilse",
            "url": f"{BLOG}/authors/ilse/",
            "_dramafeed": {"account": "ilse@blog.example"},
        }
    ]


def test_what_is_not_known_is_left_out() -> None:
    """No empty strings, nulls or lists, except the items."""
    bare = an_entry(authors=(), categories=(), image=None, object_url="", account="", replies=None)
    feed = json.loads(json_feed(a_feed(bare, subtitle="", icon_url="")))
    assert {"description", "icon", "hubs", "next_url"}.isdisjoint(feed)
    (item,) = feed["items"]
    assert item["authors"] == feed["authors"]
    assert {"tags", "image", "attachments", "_dramafeed", "language"}.isdisjoint(item)
    assert json.loads(json_feed(a_feed()))["items"] == []


def test_an_entry_names_its_language_only_where_it_differs() -> None:
    """Both are "the primary language" otherwise."""
    feed = json.loads(json_feed(a_feed(an_entry(1, language="en"), an_entry(2, language="ko"))))
    assert feed["language"] == "en"
    assert [item.get("language") for item in feed["items"]] == [None, "ko"]


def test_older_items_are_the_next_ones() -> None:
    """next_url is what RFC 5005 calls next, or for archives prev-archive."""
    older = FeedUrls(f"{BLOG}/o.xml", f"{BLOG}/o.atom", f"{BLOG}/o.json")
    newer = FeedUrls(f"{BLOG}/n.xml", f"{BLOG}/n.atom", f"{BLOG}/n.json")
    for rel in ("next", "prev-archive"):
        feed = a_feed(links=(("next-archive", newer), (rel, older)))
        assert json.loads(json_feed(feed))["next_url"] == f"{BLOG}/o.json"


def test_a_hub_is_named_with_its_protocol() -> None:
    """WebSub is the type that readers know."""
    feed = json.loads(json_feed(a_feed(hub="https://hub.example/")))
    assert feed["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]


def test_pictures_are_attached_with_their_true_size_unless_switched_off() -> None:
    """The attachment carries the alt text; the image stays when it is off."""
    entry = an_entry(1, authors=(FeedAuthor("Ilse"),))
    (item,) = json.loads(json_feed(a_feed(entry)))["items"]
    assert item["attachments"] == [
        {
            "url": f"{BLOG}/media/1.jpg",
            "mime_type": "image/jpeg",
            "title": "A roof",
            "size_in_bytes": 48213,
        }
    ]
    (item,) = json.loads(json_feed(a_feed(entry, image_enclosures=False)))["items"]
    assert "attachments" not in item
    assert item["image"] == f"{BLOG}/media/1.jpg"


def test_text_is_written_as_it_is() -> None:
    """UTF-8, not escapes: a Korean feed is half the size and can be read."""
    assert "오징어 🦑".encode() in json_feed(a_feed(an_entry(title="오징어 🦑")))
