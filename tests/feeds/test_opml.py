"""OPML 2.0, including what the W3C validator complains about in such lists."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from lxml import etree

from dramafeed.feeds import Outline, opml

UPDATED = datetime(2022, 11, 4, 18, tzinfo=UTC)
OUTLINES = (
    Outline("All", "https://b.example/feed.xml", "https://b.example/", "A & <B>", "en"),
    Outline("Writers", children=(Outline("김민지 & \x00co", "https://b.example/m/feed.xml"),)),
)


def test_a_list_has_head_and_body() -> None:
    """Title, date of the last change, one outline for each feed."""
    root = etree.fromstring(opml("Feeds & <more>", OUTLINES, UPDATED))
    assert (root.tag, root.get("version")) == ("opml", "2.0")
    assert root.findtext("head/title") == "Feeds & <more>"
    assert parsedate_to_datetime(root.findtext("head/dateModified") or "") == UPDATED
    assert dict(root[1][0].attrib) == {
        "text": "All",
        "type": "rss",
        "title": "All",
        "xmlUrl": "https://b.example/feed.xml",
        "htmlUrl": "https://b.example/",
        "description": "A & <B>",
        "language": "en",
    }


def test_a_group_has_a_text_and_nothing_else() -> None:
    """MissingOutlineType: title or URL without a type."""
    group = etree.fromstring(opml("Feeds", OUTLINES))[1][1]
    assert dict(group.attrib) == {"text": "Writers"}
    assert [child.get("text") for child in group] == ["김민지 & co"]


def test_each_feed_has_a_title_and_an_address() -> None:
    """MissingTitleAttr, MissingXmlURL."""
    feeds = etree.fromstring(opml("Feeds", OUTLINES)).findall(".//outline[@type]")
    assert len(feeds) == 2
    assert all(feed.get("title") and feed.get("xmlUrl") for feed in feeds)


def test_what_is_not_known_is_left_out() -> None:
    """An empty address or language would be a wrong one."""
    (feed,) = etree.fromstring(opml("Feeds", [Outline("A", "https://b.example/a.xml")]))[1]
    assert set(feed.attrib) == {"text", "title", "type", "xmlUrl"}


def test_no_date_is_made_up() -> None:
    """The list has no clock; without a date it says none."""
    assert b"dateModified" not in opml("Feeds", OUTLINES)


def test_a_date_without_a_zone_is_refused() -> None:
    """As in feeds: it would mean another instant on another machine."""
    with pytest.raises(ValueError, match="updated has no time zone"):
        opml("Feeds", OUTLINES, datetime(2022, 11, 4))  # noqa: DTZ001 - the mistake under test


def test_the_same_list_gives_the_same_bytes() -> None:
    """Its ETag depends on it."""
    assert opml("Feeds", OUTLINES, UPDATED) == opml("Feeds", list(OUTLINES), UPDATED)
