"""What the W3C feed validator complains about, each under the validator's own name for it.

The validator is on no package index, so its findings are tests here: a feed that passes them has no
error and no warning at the level of the public service.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

import pytest
from lxml import etree

from dramafeed.feeds import FeedDocument, atom, rss
from tests.feeds.samples import Page, a_feed, an_entry

ATOM, DC = "{http://www.w3.org/2005/Atom}", "{http://purl.org/dc/elements/1.1/}"
MEDIA = "{http://search.yahoo.com/mrss/}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
KNOWN = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/rss/1.0/modules/content/": "content",
    "http://purl.org/syndication/history/1.0": "fh",
    "http://purl.org/syndication/thread/1.0": "thr",
    "http://search.yahoo.com/mrss/": "media",
    "http://wellformedweb.org/CommentAPI/": "wfw",
    "http://www.w3.org/2005/Atom": None,  # "atom" in RSS, the default in Atom
    "https://podcastindex.org/namespace/1.0": "podcast",
}


@pytest.fixture
def channel(feed: FeedDocument) -> Any:
    """The feed as RSS."""
    return etree.fromstring(rss(feed)).find("channel")


@pytest.fixture
def document(feed: FeedDocument) -> Any:
    """The feed as Atom."""
    return etree.fromstring(atom(feed))


def test_missing_atom_self_link_and_self_doesnt_match_location(
    feed: FeedDocument, channel: Any, document: Any
) -> None:
    """MissingAtomSelfLink, MissingSelf, SelfDoesntMatchLocation, SelfNotAtom."""
    (link,) = channel.findall(f"{ATOM}link[@rel='self']")
    assert (link.get("href"), link.get("type")) == (feed.self_urls.rss, "application/rss+xml")
    (link,) = document.findall(f"{ATOM}link[@rel='self']")
    assert (link.get("href"), link.get("type")) == (feed.self_urls.atom, "application/atom+xml")


def test_contains_rel_ref(channel: Any, document: Any) -> None:
    """ContainsRelRef, InvalidFullLink, RelativeSelf: every address is absolute."""
    texts = channel.findall(f"item/{CONTENT}") + document.findall(f"{ATOM}entry/{ATOM}content")
    links = [link for text in texts for link in Page(text.text or "").links]
    links += [link for tree in (channel, document) for link in tree.xpath("//@href | //@url")]
    links += [node.text for node in channel.iter("link", "comments", "url")]
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


def test_duplicate_updated(document: Any) -> None:
    """DuplicateUpdated, MissingElement: each Atom entry has an instant of its own."""
    updated = [entry.findtext(f"{ATOM}updated") for entry in document.findall(f"{ATOM}entry")]
    assert len(set(updated)) == len(updated)
    assert None not in updated


def test_the_second_of_a_tie_stays(feed: FeedDocument, document: Any) -> None:
    """What is done against DuplicateUpdated shows in no reader, and leaves older entries alone."""
    entries = document.findall(f"{ATOM}entry")
    for entry, element in zip(feed.entries, entries, strict=True):
        written = datetime.fromisoformat(element.findtext(f"{ATOM}updated"))
        assert written.replace(microsecond=0) == entry.updated
    if entries:
        assert "." not in entries[-1].findtext(f"{ATOM}updated")


def test_a_newcomer_changes_no_entry_below_it() -> None:
    """A third review at noon leaves the two that readers have seen as they are."""
    noon = {"updated": an_entry(0).updated}
    first, second, third = (an_entry(number, **noon) for number in (1, 2, 3))
    path = f"{ATOM}entry/{ATOM}updated"
    before = [e.text for e in etree.fromstring(atom(a_feed(second, first))).findall(path)]
    after = [e.text for e in etree.fromstring(atom(a_feed(third, second, first))).findall(path)]
    assert after[1:] == before
    assert after == sorted(after, reverse=True)


def test_invalid_contact(channel: Any) -> None:
    """InvalidContact, MissingRealName: elements that must hold an email address are not used."""
    assert channel.xpath(".//author | managingEditor | webMaster") == []


def test_duplicate_item_semantics(channel: Any) -> None:
    """DuplicateItemSemantics, DuplicateSemantics: nothing is said twice in two vocabularies."""
    for item in channel.findall("item"):
        names = {child.tag for child in item}
        assert not names & {f"{DC}date", f"{DC}subject", f"{ATOM}published", f"{ATOM}id", "author"}


def test_duplicate_element(channel: Any, document: Any) -> None:
    """DuplicateElement: what may stand once stands once."""
    many = {"item", "category", "entry", "link", "author", "creator", "person"}
    for parent in (channel, *channel.iter("item"), document, *document.iter(f"{ATOM}entry")):
        counts = Counter(child.tag for child in parent)
        repeated = {etree.QName(tag).localname for tag, count in counts.items() if count > 1}
        assert repeated <= many


def test_duplicate_atom_link(document: Any) -> None:
    """DuplicateAtomLink: relation and type tell the links of a feed or entry apart."""
    for parent in (document, *document.findall(f"{ATOM}entry")):
        links = [(link.get("rel"), link.get("type")) for link in parent.findall(f"{ATOM}link")]
        assert len(set(links)) == len(links)


def test_invalid_mime_type(channel: Any, document: Any) -> None:
    """InvalidMIMEType, InvalidMIMEAttribute: types are types, and Atom's content is html."""
    html = {content.get("type") for content in document.iter(f"{ATOM}content")}
    assert html <= {"html"}
    types = channel.xpath(".//@type") + document.xpath("//*[local-name()='link']/@type")
    assert all(re.fullmatch(r"plain|\w+/[\w.+-]+", value) for value in types)


def test_unregistered_atom_link_rel(channel: Any, document: Any) -> None:
    """UnregisteredAtomLinkRel: only relations that the validator knows."""
    rels = set(channel.xpath(".//@rel") + document.xpath("//@rel"))
    paging = {"prev-archive", "next-archive", "current"}
    assert rels <= {"self", "alternate", "hub", "enclosure", "related", "replies"} | paging


def test_invalid_permalink_and_not_sufficiently_unique(channel: Any) -> None:
    """InvalidPermalink, InvalidUUID, DuplicateValue: a urn is an id, but no page."""
    guids = channel.findall("item/guid")
    assert {guid.get("isPermaLink") for guid in guids} <= {"false"}
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", guid.text) for guid in guids)
    assert len({guid.text for guid in guids}) == len(guids)


def test_media_group_without_alternates_and_invalid_credit_role(channel: Any, document: Any) -> None:
    """MediaGroupWithoutAlternates, InvalidCreditRole: no group, no role."""
    for tree in (channel, document):
        assert list(tree.iter(f"{MEDIA}group")) == []
        assert all(not credit.attrib for credit in tree.iter(f"{MEDIA}credit"))


def test_invalid_positive_integer(channel: Any, document: Any) -> None:
    """InvalidPositiveInteger, UseZeroForUnknown: sizes that are not known are left out."""
    for tree in (channel, document):
        sizes = tree.xpath("//@width | //@height | //@fileSize")
        assert all(int(size) > 0 for size in sizes)
    assert all(int(length) >= 0 for length in channel.xpath(".//enclosure/@length"))


def test_enclosures_are_complete(channel: Any) -> None:
    """MissingAttribute, DuplicateEnclosure: url, length and type, once."""
    for item in channel.findall("item"):
        enclosures = item.findall("enclosure")
        assert len(enclosures) <= 1
        assert all(set(one.attrib) == {"url", "length", "type"} for one in enclosures)


def test_contains_html_and_character_data(feed: FeedDocument, channel: Any) -> None:
    """CharacterData, ContainsHTML: in RSS titles, & and < are written as the RSS Profile asks."""
    raw = rss(feed)
    titles = re.findall(rb"<(?:item|channel)>\s*<title>(.*)</title>", raw)
    assert len(titles) == len(feed.entries) + 1
    assert all(b"&amp;" not in title and b"&lt;" not in title for title in titles)
    assert channel.findtext("title") == feed.title
    assert [item.findtext("title") for item in channel.findall("item")] == [
        entry.title for entry in feed.entries
    ]


def test_not_html(feed: FeedDocument, channel: Any) -> None:
    """NotHtml: a description is read as HTML, so a summary must say the same when it is."""
    for entry, item in zip(feed.entries, channel.findall("item"), strict=True):
        if entry.summary:
            page = Page(item.findtext("description"))
            assert (page.words, page.tags) == (entry.summary, Counter())
            assert not re.search(r"&(?!amp;|lt;|\s)|<", item.findtext("description"))


def test_a_plain_summary_is_plain_in_every_reader() -> None:
    """An ampersand between blanks is one in HTML and in text; only ambiguous ones are escaped."""
    xml = etree.fromstring(rss(a_feed(an_entry(summary="Kim & Lee > R&B"))))
    description = xml.findtext("channel/item/description") or ""
    assert description == "Kim & Lee > R&amp;B"
    assert unescape(description) == "Kim & Lee > R&B"


def test_security_risk(channel: Any, document: Any) -> None:
    """SecurityRisk, DangerousStyleAttr: what is added in front of the text is harmless."""
    figure = Page(an_entry(html="").full_text)
    assert set(figure.tags) == {"figure", "img", "figcaption", "small"}


def test_unknown_namespace_and_nonstd_prefix(channel: Any, document: Any) -> None:
    """UnknownNamespace, NonstdPrefix, ReservedPrefix: known ones, under the names they go by."""
    for tree, prefix in ((channel, "atom"), (document, None)):
        for name, uri in tree.nsmap.items():
            assert uri in KNOWN
            assert name == (KNOWN[uri] or prefix)


def test_misplaced_item_and_misplaced_metadata(channel: Any, document: Any) -> None:
    """MisplacedItem, MisplacedMetadata: the entries come last."""
    for parent, name in ((channel, "item"), (document, f"{ATOM}entry")):
        is_entry = [child.tag == name for child in parent]
        assert is_entry == sorted(is_entry)


def test_need_description_before_content(channel: Any) -> None:
    """NeedDescriptionBeforeContent."""
    for item in channel.findall("item"):
        names = [child.tag for child in item]
        assert "description" in names
        if CONTENT in names:
            assert names.index("description") < names.index(CONTENT)


def test_image_matches_the_channel(channel: Any) -> None:
    """ImageTitleDoesntMatch, ImageLinkDoesntMatch, ImageUrlFormat."""
    for image in channel.findall("image"):
        assert image.findtext("title") == channel.findtext("title")
        assert image.findtext("link") == channel.findtext("link")
        assert image.findtext("url").endswith(".png")


@pytest.mark.parametrize("icon", ["", "https://blog.example/icon.webp"])
def test_a_picture_that_rss_does_not_know_is_left_out(icon: str) -> None:
    """ImageUrlFormat: RSS channels take GIF, JPEG and PNG; Atom takes any icon."""
    assert b"<image>" not in rss(a_feed(icon_url=icon))
    assert (b"<icon>" in atom(a_feed(icon_url=icon))) is bool(icon)


def test_missing_elements(channel: Any, document: Any) -> None:
    """MissingElement, MissingDescription, MissingDCLanguage, MissingGuid, NotBlank."""
    for name in ("title", "link", "description", "language"):
        assert channel.findtext(name)
    for name in ("id", "title", "updated"):
        assert document.findtext(f"{ATOM}{name}")
    assert document.findtext(f"{ATOM}author/{ATOM}name")
    assert all(item.findtext("title") and item.findtext("guid") for item in channel.iter("item"))


def test_a_feed_without_a_subtitle_still_has_a_description() -> None:
    """MissingDescription: RSS demands one, Atom does not."""
    assert b"<description>Kim &amp; Lee watch dramas</description>" in rss(a_feed(subtitle=""))
    assert b"<subtitle>" not in atom(a_feed(subtitle=""))


def test_dates_are_dates(channel: Any, document: Any) -> None:
    """InvalidRFC2822Date, IncorrectDOW, InvalidRFC3339Date, ImplausibleDate."""
    for date in channel.iter("pubDate", "lastBuildDate"):
        moment = parsedate_to_datetime(date.text)
        assert moment.strftime("%a") == date.text[:3]
        assert moment.year >= 1990
    for date in (
        *document.iter(f"{ATOM}updated", f"{ATOM}published"),
        *channel.iter(f"{ATOM}updated"),
    ):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", date.text)


def test_bad_characters(feed: FeedDocument) -> None:
    """BadCharacters: no controls, neither C0 nor those of Windows code pages."""
    for xml in (rss(feed), atom(feed)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]", xml.decode())
