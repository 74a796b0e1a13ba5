"""The feeds of every list, and the lists for machines: OPML, sitemap, robots.txt.

All are finished documents. What a feed says is decided by `Renderings`, its form by `dramafeed.feeds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from xml.sax.saxutils import escape

from flask import Blueprint, Response
from werkzeug.exceptions import Gone, NotFound, ServiceUnavailable

from dramafeed.feeds import (
    ATOM_TYPE,
    JSON_FEED_TYPE,
    OPML_TYPE,
    RSS_TYPE,
    FeedAuthor,
    FeedDocument,
    FeedUrls,
    Outline,
    atom,
    json_feed,
    opml,
    rss,
)
from dramafeed.model import (
    ALL_REVIEWS_KEY,
    ANY_REVIEW_KEY,
    AUTHORS_KEY,
    DRAMAS_KEY,
    LabelKind,
    PublicAuthor,
    ThingKind,
)
from dramafeed.storage import Reading
from dramafeed.web import theme
from dramafeed.web.documents import Rendered
from dramafeed.web.listing import (
    ROUTES,
    Listing,
    Sort,
    Stage,
    address,
    by_author,
    by_drama,
    by_label,
    find_listing,
    whole_site,
)
from dramafeed.web.pages import failed
from dramafeed.web.state import finished, mounted

feeds = Blueprint("dramafeed_feeds", __name__)

MAX_AGE = 1800
_FORMATS: dict[str, tuple[Callable[[FeedDocument], bytes], str]] = {
    "feed.xml": (rss, RSS_TYPE),
    "atom.xml": (atom, ATOM_TYPE),
    "feed.json": (json_feed, JSON_FEED_TYPE),
}
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # the last change of a feed that is empty
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_EVERYTHING = (ALL_REVIEWS_KEY, AUTHORS_KEY, DRAMAS_KEY)
# In a browser a feed may have its stylesheet and pictures; nothing in it runs.
_POLICY = ("Content-Security-Policy", "default-src 'none'; img-src 'self'; style-src 'self'; sandbox")


def feed(sort: Sort, file: str, name: str = "") -> Response:
    """The newest reviews of a list in one of the three formats."""
    return finished(partial(_render_feed, sort, file, name))


for _sort, _rule in ROUTES.items():
    for _file in _FORMATS:
        _endpoint = f"{_sort.value}_{_file.replace('.', '_')}"
        feeds.add_url_rule(f"{_rule}{_file}", _endpoint, partial(feed, _sort, _file))

for _error in (NotFound, Gone, ServiceUnavailable):
    feeds.register_error_handler(_error, failed)


def _render_feed(sort: Sort, file: str, name: str, reading: Reading) -> Rendered:
    stage = Stage.of(reading, mounted().settings)
    listing = find_listing(stage, sort, name, file)
    reviews = listing.newest(stage)
    write, content_type = _FORMATS[file]
    document = FeedDocument(
        id=listing.feed_id,
        title=theme.feed_title(stage, listing),
        home_url=listing.url,
        self_urls=_feed_urls(stage, listing),
        created=_NEVER,
        subtitle=listing.description,
        language=stage.site.site.language,
        entries=tuple(stage.renderings.feed_entry(public) for public in reviews),
        authors=_feed_authors(stage, listing),
        icon_url=_icon(stage),
        stylesheet_url=theme.asset_url(stage.urls, theme.FEED_STYLE),
    )
    self_url = stage.urls.feed(listing.url, file)
    return Rendered(
        body=write(document),
        content_type=content_type,
        keys=listing.shows(reviews),
        max_age=MAX_AGE,
        headers=(("Link", f'<{self_url}>; rel="self"'), _POLICY),
    )


def _feed_urls(stage: Stage, listing: Listing) -> FeedUrls:
    return FeedUrls(*(stage.urls.feed(listing.url, file) for file in _FORMATS))


def _feed_authors(stage: Stage, listing: Listing) -> tuple[FeedAuthor, ...]:
    """Whose feed it is: the writer's or, for all others, the blog's."""
    if isinstance(listing.about, PublicAuthor):
        handle = listing.about.thing.handle
        name, url = listing.title, listing.url
    else:
        handle = stage.site.thing.handle
        name, url = stage.site.site.title, stage.urls.home
    return (FeedAuthor(name, url, stage.urls.account(handle) if handle else ""),)


def _icon(stage: Stage) -> str:
    avatar = stage.renderings.image_url(stage.site.site.avatar)
    return avatar or theme.asset_url(stage.urls, theme.ICON_PNG)


# --------------------------------------------------------------------------- lists for machines


@feeds.get("/feeds.opml")
def subscriptions() -> Response:
    """All feeds in one file that readers import."""
    return finished(_render_opml)


def _render_opml(reading: Reading) -> Rendered:
    stage = Stage.of(reading, mounted().settings)
    title = stage.site.site.title
    groups = [_outline(stage, whole_site(stage))]
    for name, listings in _groups(stage):
        children = tuple(_outline(stage, listing) for listing in listings)
        if children:
            groups.append(Outline(name, children=children))
    return Rendered(opml(title, groups), OPML_TYPE, _EVERYTHING, headers=(_POLICY,))


def _groups(stage: Stage) -> Iterable[tuple[str, Iterable[Listing]]]:
    """Every list that has reviews, in the groups that people look for them in."""
    editions = stage.reading.editions
    by_writer, of_drama = editions.counts_by_author(), editions.counts_by_drama()
    yield "Authors", (by_author(stage, a) for a in editions.authors() if a.thing.uid in by_writer)
    yield "Dramas", (by_drama(stage, d) for d in editions.dramas() if d.thing.uid in of_drama)
    for title, kind in (("Kinds", LabelKind.KIND), ("Tags", LabelKind.TAG)):
        names = editions.label_names(kind).items()
        yield title, [by_label(stage, kind, slug, name) for slug, name in names]


def _outline(stage: Stage, listing: Listing) -> Outline:
    return Outline(
        text=theme.feed_title(stage, listing),
        xml_url=stage.urls.feed(listing.url, "feed.xml"),
        html_url=listing.url,
        description=listing.description,
        language=stage.site.site.language,
    )


@feeds.get("/sitemap.xml")
def sitemap() -> Response:
    """Every page, for search engines."""
    return finished(_render_sitemap)


def _render_sitemap(reading: Reading) -> Rendered:
    stage = Stage.of(reading, mounted().settings)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f'<urlset xmlns="{_SITEMAP}">']
    for url, changed in _places(stage):
        when = f"<lastmod>{changed.isoformat(timespec='seconds')}</lastmod>" if changed else ""
        lines.append(f"<url><loc>{escape(url)}</loc>{when}</url>")
    body = "\n".join([*lines, "</urlset>\n"]).encode()
    return Rendered(
        body, "application/xml; charset=utf-8", (*_EVERYTHING, ANY_REVIEW_KEY), headers=(_POLICY,)
    )


def _places(stage: Stage) -> Iterable[tuple[str, datetime | None]]:
    """The address of every page, and when the ones that know it were changed."""
    urls, editions = stage.urls, stage.reading.editions
    yield urls.home, None
    for _uid, slug, changed in editions.addresses(ThingKind.REVIEW):
        yield urls.review(slug), changed
    for _uid, slug, _changed in editions.addresses(ThingKind.PAGE):
        yield urls.page(slug), None
    yield urls.at("/authors/"), None
    yield urls.at("/dramas/"), None
    for kind, reviewed in (
        (ThingKind.AUTHOR, editions.counts_by_author()),
        (ThingKind.DRAMA, editions.counts_by_drama()),
    ):
        for uid, slug, _changed in editions.addresses(kind):
            if uid in reviewed:
                yield address(urls, kind, slug), None
    yield from ((urls.kind(slug), None) for slug in editions.label_names(LabelKind.KIND))
    yield from ((urls.tag(slug), None) for slug in editions.label_names(LabelKind.TAG))


@feeds.get("/robots.txt")
def robots() -> Response:
    """Everything public may be read; the sitemap says where it is."""
    urls = mounted().settings.urls
    text = f"User-agent: *\nDisallow:\n\nSitemap: {urls.at('/sitemap.xml')}\n"
    rendered = Rendered(text.encode(), "text/plain; charset=utf-8", (), max_age=3600)
    return finished(lambda _reading: rendered)
