"""RSS and Atom: what is said, and where."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from dramafeed import feeds
from dramafeed.feeds import FeedAuthor, FeedDocument, FeedReplies, FeedUrls, atom, rss
from tests.feeds.samples import BLOG, a_feed, an_entry

NS = {
    "a": "http://www.w3.org/2005/Atom",
    "dc": "http://purl.org/dc/elements/1.1/",
    "fh": "http://purl.org/syndication/history/1.0",
    "thr": "http://purl.org/syndication/thread/1.0",
    "wfw": "http://wellformedweb.org/CommentAPI/",
}
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def item_of(**changes: Any) -> Any:
    """The RSS item of an entry."""
    return etree.fromstring(rss(a_feed(an_entry(**changes)))).find("channel/item")


def entry_of(**changes: Any) -> Any:
    """The Atom entry of an entry."""
    return etree.fromstring(atom(a_feed(an_entry(**changes)))).find("a:entry", NS)


def test_types_name_their_charset() -> None:
    """A server that sends these as they stand serves every format rightly."""
    assert feeds.RSS_TYPE == "application/rss+xml; charset=utf-8"
    assert feeds.ATOM_TYPE == "application/atom+xml; charset=utf-8"
    assert feeds.JSON_FEED_TYPE == "application/feed+json; charset=utf-8"
    assert feeds.OPML_TYPE == "text/x-opml; charset=utf-8"


def test_both_formats_agree_on_every_entry(twenty: FeedDocument) -> None:
    """Id, title, text and categories are the same words in RSS and in Atom."""
    items = etree.fromstring(rss(twenty)).findall("channel/item")
    entries = etree.fromstring(atom(twenty)).findall("a:entry", NS)
    content = "{http://purl.org/rss/1.0/modules/content/}encoded"
    for item, entry in zip(items, entries, strict=True):
        assert item.findtext("guid") == entry.findtext("a:id", None, NS)
        assert item.findtext("title") == entry.findtext("a:title", None, NS)
        assert item.findtext(content) == entry.findtext("a:content", None, NS)
        terms = [category.get("term") for category in entry.findall("a:category", NS)]
        assert [category.text for category in item.findall("category")] == terms


def test_atom_writers_have_their_pages() -> None:
    """Name and uri of each, in order; a writer without a page has a name only."""
    entry = entry_of(authors=(FeedAuthor("Ilse", f"{BLOG}/authors/ilse/"), FeedAuthor("김민지")))
    assert [
        (author.findtext("a:name", None, NS), author.findtext("a:uri", None, NS))
        for author in entry.findall("a:author", NS)
    ] == [("Ilse", f"{BLOG}/authors/ilse/"), ("김민지", None)]


def test_atom_entries_without_authors_name_those_of_the_feed() -> None:
    """They would inherit them (RFC 4287, section 4.2.1), but many readers do not look there."""
    root: Any = etree.fromstring(atom(a_feed(an_entry(authors=()), authors=(FeedAuthor("The blog"),))))
    assert root.findtext("a:entry/a:author/a:name", None, NS) == "The blog"
    assert root.findtext("a:author/a:name", None, NS) == "The blog"


def test_rss_items_without_authors_name_those_of_the_feed() -> None:
    """RSS inherits nothing, so each item says it."""
    xml = etree.fromstring(rss(a_feed(an_entry(authors=()), authors=(FeedAuthor("The blog"),))))
    assert xml.findtext("channel/item/dc:creator", None, NS) == "The blog"


def test_an_entry_in_another_language_says_so() -> None:
    """dc:language in RSS, xml:lang in Atom; nothing where it is the feed's."""
    assert item_of(language="ko").findtext("dc:language", None, NS) == "ko"
    assert entry_of(language="ko").get(LANG) == "ko"
    assert item_of(language="en").find("dc:language", NS) is None
    assert entry_of(language="en").get(LANG) is None


def test_the_feed_names_its_language() -> None:
    """As xml:lang in Atom, as an element in RSS."""
    korean = a_feed(language="ko")
    assert etree.fromstring(atom(korean)).get(LANG) == "ko"
    assert etree.fromstring(rss(korean)).findtext("channel/language") == "ko"


def test_replies_are_counted_and_linked() -> None:
    """Zero replies are said too: a reader may show "0" and the link to be the first."""
    page, news = f"{BLOG}/reviews/x/#replies", f"{BLOG}/reviews/x/replies.xml"
    replies = FeedReplies(page, 0, news)
    item, entry = item_of(replies=replies), entry_of(replies=replies)
    assert item.findtext("comments") == page
    assert item.findtext("thr:total", None, NS) == "0"
    assert item.findtext("wfw:commentRss", None, NS) == news
    assert entry.findtext("thr:total", None, NS) == "0"
    links = entry.findall("a:link[@rel='replies']", NS)
    assert [(link.get("href"), link.get("type")) for link in links] == [
        (news, "application/rss+xml"),
        (page, "text/html"),  # last, since some readers keep the last only
    ]
    assert {link.get(f"{{{NS['thr']}}}count") for link in links} == {"0"}


def test_nothing_is_said_of_replies_that_are_not_counted() -> None:
    """No element of RFC 4685 without `replies`."""
    for element in (item_of(replies=None), entry_of(replies=None)):
        assert element.xpath(".//thr:* | .//wfw:* | comments | a:link[@rel='replies']", namespaces=NS) == []


def test_an_entry_that_was_never_federated_has_no_post() -> None:
    """No socialInteract and no related link without an ActivityPub id."""
    podcast = {"p": "https://podcastindex.org/namespace/1.0"}
    assert item_of(object_url="").find("p:socialInteract", podcast) is None
    assert entry_of(object_url="").find("a:link[@rel='related']", NS) is None
    post = item_of(account="").find("p:socialInteract", podcast)
    assert "accountId" not in post.attrib


def test_image_enclosures_can_be_switched_off() -> None:
    """Some readers list a picture twice; media:content stays."""
    feed = a_feed(an_entry(), image_enclosures=False)
    for xml in (rss(feed), atom(feed)):
        assert b"enclosure" not in xml
        assert b"media:content" in xml


def test_an_enclosure_of_unknown_size_is_legal() -> None:
    """RSS demands a length and knows 0 for "unknown"; Atom leaves it out."""
    image = feeds.FeedImage(f"{BLOG}/a.png", "image/png")
    assert item_of(image=image).find("enclosure").get("length") == "0"
    assert entry_of(image=image).find("a:link[@rel='enclosure']", NS).get("length") is None


def test_atom_links_to_hub_and_archives() -> None:
    """WebSub wants hub and self in the feed, RFC 5005 the way to older entries."""
    older = FeedUrls(f"{BLOG}/o.xml", f"{BLOG}/o.atom", f"{BLOG}/o.json")
    feed = a_feed(hub="https://hub.example/", links=(("prev-archive", older),), archive=True)
    root = etree.fromstring(atom(feed))
    assert {link.get("rel"): link.get("href") for link in root.findall("a:link", NS)} == {
        "alternate": f"{BLOG}/",
        "self": f"{BLOG}/atom.xml",
        "hub": "https://hub.example/",
        "prev-archive": older.atom,
    }
    assert root.find("fh:archive", NS) is not None
    assert etree.fromstring(atom(a_feed())).find("fh:archive", NS) is None


@pytest.mark.parametrize("render", [rss, atom])
def test_a_stylesheet_is_named_before_the_feed(render: Any) -> None:
    """People who open a feed in a browser see a page; the address is escaped."""
    url = f"{BLOG}/feed.css?a=1&b=<?>"
    root = etree.fromstring(render(a_feed(stylesheet_url=url)))
    instruction: Any = root.getprevious()
    assert instruction.target == "xml-stylesheet"
    assert instruction.text == f'type="text/css" href="{BLOG}/feed.css?a=1&amp;b=&lt;?%3E"'
    assert etree.fromstring(render(a_feed())).getprevious() is None
