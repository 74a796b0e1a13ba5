"""RSS 2.0 (https://www.rssboard.org/rss-specification) and Atom (RFC 4287) through feedgen.

The only module that imports feedgen, and where its traps end: each comment that starts with "Trap"
names one, and each has a regression test. feedgen writes the channel and the entries; two pairs of
extensions write what it cannot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import partial
from html import escape
from typing import Any

from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem

from .document import FeedDocument, FeedEntry, FeedImage, FeedReplies

_RSS = "application/rss+xml"
_ATOM = "application/atom+xml"
RSS_TYPE = f"{_RSS}; charset=utf-8"
ATOM_TYPE = f"{_ATOM}; charset=utf-8"

_NS_ATOM = "http://www.w3.org/2005/Atom"
_NS_DC = "http://purl.org/dc/elements/1.1/"
_NS_HISTORY = "http://purl.org/syndication/history/1.0"  # RFC 5005
_NS_MEDIA = "http://search.yahoo.com/mrss/"
_NS_PODCAST = "https://podcastindex.org/namespace/1.0"
_NS_THREAD = "http://purl.org/syndication/thread/1.0"  # RFC 4685
_NS_WFW = "http://wellformedweb.org/CommentAPI/"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def rss(feed: FeedDocument) -> bytes:
    """The feed as RSS 2.0, with the modules content, dc, media, podcast, thr and atom."""
    channel = _generator(feed)
    channel.description(feed.subtitle or feed.title)  # required in RSS
    channel.link(href=feed.self_urls.rss, rel="self", type=_RSS)
    # Trap: the channel's <link> is whatever link came last.
    channel.link(href=feed.home_url, rel="alternate")
    if feed.icon_url.partition("?")[0].lower().endswith((".gif", ".jpeg", ".jpg", ".png")):
        channel.image(url=feed.icon_url, title=feed.title, link=feed.home_url)
    # Trap: for a date in RSS, feedgen switches the locale of the whole process, which other threads
    # would feel. So it is given none: lastBuildDate and every pubDate are written by us.
    channel._FeedGenerator__rss_lastBuildDate = None
    channel.register_extension("dramafeed", partial(_RssChannel, feed), atom=False)
    for entry in feed.entries:
        _add_item(channel, feed, entry)
    return _printed(feed, _with_profile_titles(channel.rss_str(pretty=True)))


def atom(feed: FeedDocument) -> bytes:
    """The feed as Atom, with the modules media, thr and, for archives, fh."""
    document = _generator(feed)
    if feed.subtitle:
        document.subtitle(feed.subtitle)
    if feed.icon_url:
        document.icon(feed.icon_url)
    document.author([_person(author.name, author.url) for author in feed.authors])
    document.link(href=feed.home_url, rel="alternate", type="text/html")
    document.link(href=feed.self_urls.atom, rel="self", type=_ATOM)
    if feed.hub:
        document.link(href=feed.hub, rel="hub")
    for rel, urls in feed.links:
        document.link(href=urls.atom, rel=rel, type=_ATOM)
    document.register_extension("dramafeed", partial(_AtomFeed, feed), rss=False)
    for entry, updated in zip(feed.entries, _distinct_updates(feed.entries), strict=True):
        _add_entry(document, feed, entry, updated)
    return _printed(feed, document.atom_str(pretty=True))


def _generator(feed: FeedDocument) -> Any:
    """What both formats have in common; links are added by each in its own order."""
    generator = FeedGenerator()
    generator.id(feed.id)
    generator.title(feed.title)
    generator.language(feed.language)
    generator.generator("dramafeed")
    # Trap: without this, every rendering says "now" and no ETag ever matches.
    generator.updated(feed.updated)
    return generator


def _person(name: str, url: str) -> dict[str, str]:
    return {"name": name, "uri": url} if url else {"name": name}


def _add_item(channel: Any, feed: FeedDocument, entry: FeedEntry) -> None:
    # Trap: entries are put in front of the others unless told otherwise.
    item = channel.add_entry(order="append")
    item.guid(entry.id, permalink=False)
    item.title(entry.title)
    item.link(href=entry.url, rel="alternate")
    # Trap: content:encoded appears only beside a description; without a summary, feedgen makes the
    # full text the description.
    item.description(_as_html(entry.summary))
    item.content(entry.full_text, type="CDATA")
    for category in entry.categories:
        item.category(term=category)
    if entry.replies:
        item.comments(entry.replies.url)
    if entry.image and feed.image_enclosures:
        item.enclosure(entry.image.url, str(entry.image.size), entry.image.media_type)
    item.register_extension("dramafeed", partial(_RssItem, feed, entry), atom=False)


def _add_entry(document: Any, feed: FeedDocument, entry: FeedEntry, updated: datetime) -> None:
    element = document.add_entry(order="append")
    element.id(entry.id)
    element.title(entry.title)
    element.published(entry.published)
    element.updated(updated)
    element.author([_person(author.name, author.url) for author in feed.authors_of(entry)])
    if entry.summary:
        element.summary(entry.summary)
    # Trap: type "CDATA" would be written into the feed, where it is not a legal type.
    element.content(entry.full_text, type="html")
    for category in entry.categories:
        element.category(term=category)
    # Trap: links of entries lose rel, type and length, and know five relations only. feedgen is
    # given no link; the extension writes them all.
    element.register_extension("dramafeed", partial(_AtomEntry, feed, entry), rss=False)


class _RssChannel:
    """Writes what feedgen leaves out of a channel: hub, paging, the date of the last change."""

    def __init__(self, feed: FeedDocument) -> None:
        self.feed = feed

    def extend_ns(self) -> dict[str, str]:
        namespaces = {
            "dc": _NS_DC,
            "media": _NS_MEDIA,
            "podcast": _NS_PODCAST,
            "thr": _NS_THREAD,
            "wfw": _NS_WFW,
        }
        return namespaces | ({"fh": _NS_HISTORY} if self.feed.archive else {})

    def extend_rss(self, root: Any) -> None:
        (channel,) = root
        _add(channel, "lastBuildDate", format_datetime(self.feed.updated))
        # Trap: of all links, only "self" reaches RSS.
        if self.feed.hub:
            _add(channel, f"{{{_NS_ATOM}}}link", href=self.feed.hub, rel="hub")
        for rel, urls in self.feed.links:
            _add(channel, f"{{{_NS_ATOM}}}link", href=urls.rss, rel=rel, type=_RSS)
        if self.feed.archive:
            _add(channel, f"{{{_NS_HISTORY}}}archive")


class _RssItem:
    """Writes what feedgen leaves out of an item."""

    def __init__(self, feed: FeedDocument, entry: FeedEntry) -> None:
        self.feed = feed
        self.entry = entry

    def extend_rss(self, item: Any) -> None:
        entry = self.entry
        _add(item, "pubDate", format_datetime(entry.published))
        _add(item, f"{{{_NS_ATOM}}}updated", entry.updated.isoformat())
        # Trap: an <author> without an address vanishes; beside dc:creator it would be said twice.
        for author in self.feed.authors_of(entry):
            _add(item, f"{{{_NS_DC}}}creator", author.name)
        if language := self.feed.language_of(entry):
            _add(item, f"{{{_NS_DC}}}language", language)
        if entry.image:
            _add_media(item, entry.image)
        self._add_podcast(item)
        if entry.replies:
            _add(item, f"{{{_NS_THREAD}}}total", str(entry.replies.count))
            if entry.replies.feed_url:
                _add(item, f"{{{_NS_WFW}}}commentRss", entry.replies.feed_url)

    def _add_podcast(self, item: Any) -> None:
        """Who wrote it and where it is discussed (https://podcastindex.org/namespace/1.0)."""
        for author in self.feed.authors_of(self.entry):
            person = _add(item, f"{{{_NS_PODCAST}}}person", author.name, href=author.url)
            person.set("group", "writing")
            person.set("role", "author")
        if self.entry.object_url:
            account = self.entry.account
            _add(
                item,
                f"{{{_NS_PODCAST}}}socialInteract",
                uri=self.entry.object_url,
                protocol="activitypub",
                accountId=f"@{account}" if account else "",
            )


class _AtomFeed:
    """Declares the namespaces of an Atom feed and marks an archive (RFC 5005, section 4)."""

    def __init__(self, feed: FeedDocument) -> None:
        self.feed = feed

    def extend_ns(self) -> dict[str, str]:
        namespaces = {"media": _NS_MEDIA, "thr": _NS_THREAD}
        return namespaces | ({"fh": _NS_HISTORY} if self.feed.archive else {})

    def extend_atom(self, root: Any) -> None:
        if self.feed.archive:
            _add(root, f"{{{_NS_HISTORY}}}archive")


class _AtomEntry:
    """Writes the links of an entry and what feedgen leaves out of it.

    Trap: feedgen builds Atom without its namespace and adds that as an attribute, so elements of
    Atom are named without it here too; spelled in full they would get a prefix of their own.
    """

    def __init__(self, feed: FeedDocument, entry: FeedEntry) -> None:
        self.feed = feed
        self.entry = entry

    def extend_atom(self, element: Any) -> None:
        entry = self.entry
        if language := self.feed.language_of(entry):
            element.set(_XML_LANG, language)
        _add(element, "link", rel="alternate", type="text/html", href=entry.url)
        if entry.image and self.feed.image_enclosures:
            image = entry.image
            size = str(image.size) if image.size else ""
            _add(element, "link", rel="enclosure", type=image.media_type, length=size, href=image.url)
        if entry.object_url:
            # "related", not "alternate": a reader that opens the last alternate would show JSON.
            activity = "application/activity+json"
            _add(element, "link", rel="related", type=activity, href=entry.object_url)
        if entry.replies:
            _add_replies(element, entry.replies)
        if entry.image:
            _add_media(element, entry.image)


def _add_replies(element: Any, replies: FeedReplies) -> None:
    """Links to the replies, and how many there are (RFC 4685, sections 4 and 5)."""
    count = {f"{{{_NS_THREAD}}}count": str(replies.count)}
    if replies.feed_url:
        _add(element, "link", rel="replies", type=_RSS, href=replies.feed_url, **count)
    # The page comes last: readers that know one link only take that for the comments.
    _add(element, "link", rel="replies", type="text/html", href=replies.url, **count)
    _add(element, f"{{{_NS_THREAD}}}total", str(replies.count))


def _add_media(parent: Any, image: FeedImage) -> None:
    """The lead picture (https://www.rssboard.org/media-rss).

    Trap: feedgen's own media extension wraps it in a media:group and has no credit or description.
    A credit has no role, as there is none for whoever owns a picture. Some readers look for a
    thumbnail only.
    """
    size = {
        name: str(pixels) for name, pixels in (("width", image.width), ("height", image.height)) if pixels
    }
    content = _add(
        parent,
        f"{{{_NS_MEDIA}}}content",
        url=image.url,
        type=image.media_type,
        medium="image",
        fileSize=str(image.size) if image.size else "",
        **size,
    )
    if image.alt:
        _add(content, f"{{{_NS_MEDIA}}}description", image.alt, type="plain")
    if image.credit:
        _add(content, f"{{{_NS_MEDIA}}}credit", image.credit)
    _add(content, f"{{{_NS_MEDIA}}}thumbnail", url=image.url, **size)


def _add(parent: Any, name: str, text: str = "", **attributes: str) -> Any:
    """A new last child; attributes without a value are left out."""
    element = xml_elem(name, parent, **{key: value for key, value in attributes.items() if value})
    element.text = text or None
    return element


def _as_html(text: str) -> str:
    """Plain text for RSS's description, which readers take for HTML.

    Only what HTML would not show as it stands is escaped: readers that take it for text then show
    "Kim & Lee" too.
    """
    return re.sub(r"&(?=\S)", "&amp;", text).replace("<", "&lt;")


_TITLE = re.compile(rb"<(?:channel|item)>\s*<title>[^<]*")


def _with_profile_titles(xml: bytes) -> bytes:
    """Titles with & and < as the RSS Profile wants them, since some readers take titles for HTML.

    (https://www.rssboard.org/rss-profile, "Character Data".) XML parsers see no difference.
    """
    return _TITLE.sub(lambda title: title[0].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;"), xml)


def _distinct_updates(entries: Iterable[FeedEntry]) -> list[datetime]:
    """When each entry changed, ties spaced by a microsecond: validators warn of equal instants.

    The older ones, further down, keep theirs, so that a new entry changes nothing below it. The
    second stays what RSS and JSON Feed say.
    """
    ties: Counter[datetime] = Counter()
    distinct = []
    for entry in reversed(list(entries)):
        distinct.append(entry.updated + timedelta(microseconds=ties[entry.updated]))
        ties[entry.updated] += 1
    return distinct[::-1]


def _printed(feed: FeedDocument, xml: bytes) -> bytes:
    """The document, with a stylesheet for people who open it in a browser."""
    if not feed.stylesheet_url:
        return xml
    declaration, _, document = xml.partition(b"\n")
    href = escape(feed.stylesheet_url).replace("?&gt;", "?%3E")
    return b"\n".join((declaration, f'<?xml-stylesheet type="text/css" href="{href}"?>'.encode(), document))
