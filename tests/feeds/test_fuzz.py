"""Any text whatever gives well-formed feeds that read back equal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dramafeed.feeds import (
    FeedAuthor,
    FeedDocument,
    FeedEntry,
    FeedImage,
    FeedReplies,
    FeedUrls,
    Outline,
    atom,
    json_feed,
    opml,
    rss,
)
from tests.feeds.samples import BLOG, Page

NS = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
}

# A busy machine is no failure.
UNHURRIED = settings(deadline=None)

# Any character, lone surrogates included, and the words of XML and HTML more often than chance.
WORDS = [
    "]]>",
    "<![CDATA[",
    "&amp;",
    "&",
    "<",
    "</title>",
    "<b>",
    "<!--",
    "-->",
    "<?",
    "\r\n",
    "\0",
]
TEXT = st.lists(st.one_of(st.sampled_from(WORDS), st.text(st.characters(), max_size=8)), max_size=5).map(
    "".join
)
MOMENT = st.datetimes(
    min_value=datetime(1900, 1, 2),  # noqa: DTZ001 - the zone comes with `timezones`
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.timezones() | st.just(UTC),
)
AUTHORS = st.lists(st.builds(FeedAuthor, TEXT, TEXT, TEXT), max_size=3).map(tuple)
NUMBER = st.integers(0, 10**9)
IMAGES = st.builds(FeedImage, TEXT, st.just("image/png"), NUMBER, NUMBER, NUMBER, TEXT, TEXT, TEXT)
ENTRIES = st.builds(
    FeedEntry,
    id=st.uuids().map(lambda uid: f"urn:uuid:{uid}"),
    url=st.just(f"{BLOG}/reviews/x/"),
    title=TEXT,
    published=MOMENT,
    updated=MOMENT,
    html=TEXT,
    summary=TEXT,
    authors=AUTHORS,
    categories=st.lists(TEXT, max_size=3).map(tuple),
    image=st.none() | IMAGES,
    language=st.sampled_from(["", "en", "ko"]),
    object_url=TEXT,
    account=TEXT,
    replies=st.none() | st.builds(FeedReplies, TEXT, NUMBER, TEXT),
)
FEEDS = st.builds(
    FeedDocument,
    id=st.just("urn:uuid:3b1f5c7a-2f0e-5a44-9d0b-6a1d5a0f9a01"),
    title=TEXT,
    home_url=st.just(f"{BLOG}/"),
    self_urls=st.just(FeedUrls(f"{BLOG}/feed.xml", f"{BLOG}/atom.xml", f"{BLOG}/feed.json")),
    created=MOMENT,
    subtitle=TEXT,
    language=st.sampled_from(["en", "ko", ""]),
    entries=st.lists(ENTRIES, max_size=3).map(tuple),
    authors=AUTHORS,
    icon_url=TEXT,
    stylesheet_url=TEXT,
    hub=TEXT,
    archive=st.booleans(),
    image_enclosures=st.booleans(),
)


def texts(parent: Any, path: str) -> list[str]:
    """The texts at `path`; an empty element has an empty text."""
    return [element.text or "" for element in parent.findall(path, NS)]


@UNHURRIED
@given(FEEDS)
def test_rss_reads_back_equal(feed: FeedDocument) -> None:
    """A77: Well-formed, and every text as the document has it."""
    channel: Any = etree.fromstring(rss(feed)).find("channel")
    assert texts(channel, "title") == [feed.title]
    assert parsedate_to_datetime(texts(channel, "lastBuildDate")[0]) == feed.updated
    for entry, item in zip(feed.entries, channel.findall("item"), strict=True):
        assert texts(item, "title") == [entry.title]
        assert texts(item, "guid") == [entry.id]
        assert texts(item, "category") == list(entry.categories)
        names = [author.name for author in feed.authors_of(entry)]
        assert texts(item, "dc:creator") == names
        assert texts(item, "content:encoded") == ([entry.full_text] if entry.summary else [])
        if entry.summary:
            assert Page(texts(item, "description")[0]).words == entry.summary
        else:
            assert texts(item, "description") == [entry.full_text]
        if entry.image and entry.image.alt:
            assert texts(item, "media:content/media:description") == [entry.image.alt]


@UNHURRIED
@given(FEEDS)
def test_atom_reads_back_equal(feed: FeedDocument) -> None:
    """A77: Well-formed, and every text as the document has it."""
    root = etree.fromstring(atom(feed))
    assert texts(root, "a:title") == [feed.title]
    assert texts(root, "a:subtitle") == ([feed.subtitle] if feed.subtitle else [])
    assert texts(root, "a:author/a:name") == [author.name for author in feed.authors]
    for entry, element in zip(feed.entries, root.findall("a:entry", NS), strict=True):
        assert texts(element, "a:title") == [entry.title]
        assert texts(element, "a:content") == [entry.full_text]
        assert texts(element, "a:summary") == ([entry.summary] if entry.summary else [])
        names = [author.name for author in feed.authors_of(entry)]
        assert texts(element, "a:author/a:name") == names
        terms = [category.get("term") for category in element.findall("a:category", NS)]
        assert terms == list(entry.categories)
        published = datetime.fromisoformat(texts(element, "a:published")[0])
        assert published == entry.published
        for link in element.findall("a:link[@rel='related']", NS):
            assert link.get("href") == entry.object_url


@UNHURRIED
@given(FEEDS)
def test_json_feed_reads_back_equal(feed: FeedDocument) -> None:
    """Valid UTF-8 and JSON, and every text as the document has it."""
    document = json.loads(json_feed(feed).decode("utf-8", "strict"))
    assert document["title"] == feed.title
    for entry, item in zip(feed.entries, document["items"], strict=True):
        assert item["title"] == entry.title
        assert item["content_html"] == entry.full_text
        assert item.get("summary", "") == entry.summary
        assert item.get("tags", []) == list(entry.categories)
        assert datetime.fromisoformat(item["date_modified"]) == entry.updated


@UNHURRIED
@given(FEEDS)
def test_the_picture_reads_back_equal(feed: FeedDocument) -> None:
    """The figure in front of the text is HTML, whatever its alt and credit say."""
    for entry in feed.entries:
        if entry.image:
            page = Page(entry.image.figure)
            assert page.links == [entry.image.url]
            assert page.words == " ".join(filter(None, (entry.image.caption, entry.image.credit)))
            assert page.tags["img"] == page.tags["figure"] == 1


@UNHURRIED
@given(TEXT, st.lists(st.builds(Outline, TEXT, TEXT, TEXT, TEXT, TEXT), max_size=3), MOMENT)
def test_opml_reads_back_equal(title: str, outlines: list[Outline], moment: datetime) -> None:
    """Well-formed, and every text as the outline has it."""
    root = etree.fromstring(opml(title, outlines, moment))
    for outline, element in zip(outlines, root.findall("body/outline"), strict=True):
        assert element.get("text") == outline.text
        assert element.get("xmlUrl", "") == outline.xml_url
