"""The theme: templates with their common frame, the files beside them, and the headers of every page.

A template is given `frame` (the site around the page), `head` (what the page says about itself) and the
values that `pages` names for it; all are plain values from `shown`. A host application overrides a template
by having one of the same name (`dramafeed/review.html`) in its own folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from flask import current_app
from markupsafe import Markup

from dramafeed.model import Image, Link
from dramafeed.urls import Urls
from dramafeed.web.documents import Rendered
from dramafeed.web.listing import Listing, Stage
from dramafeed.web.shown import Feeds, Named, Shot, direction, korean

ACTIVITY_TYPE = "application/activity+json"
HTML_TYPE = "text/html; charset=utf-8"
PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = (
    ("Content-Security-Policy", PAGE_POLICY),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
)

STYLE, FEED_STYLE, ICON, ICON_PNG = (
    "dramafeed.css",
    "dramafeed-feed.css",
    "dramafeed.svg",
    "dramafeed.png",
)
ASSET_TYPES = {
    STYLE: "text/css; charset=utf-8",
    FEED_STYLE: "text/css; charset=utf-8",
    ICON: "image/svg+xml",
    ICON_PNG: "image/png",
}


@dataclass(frozen=True)
class Asset:
    """A file of the theme; `version` is part of its address."""

    body: bytes
    version: str


@cache
def asset(name: str) -> Asset:
    """A file of the theme, read once."""
    body = files("dramafeed.web").joinpath("static", name).read_bytes()
    return Asset(body, hashlib.sha256(body).hexdigest()[:8])


def asset_url(urls: Urls, name: str) -> str:
    """The absolute address of a file of the theme."""
    return urls.at(asset_route(name).replace("<version>", asset(name).version))


def asset_route(name: str) -> str:
    """The route of a file of the theme, for any version of it."""
    path = PurePosixPath(name)
    return f"/static/{path.stem}.<version>{path.suffix}"


@dataclass(frozen=True)
class Frame:
    """The site around a page: what header and footer show on every one."""

    title: str
    description: str
    home: str
    language: str
    direction: str
    account: str
    followable: bool
    menu: tuple[Named, ...]
    links: tuple[Link, ...]
    feeds: Feeds
    opml: str
    style: str
    icon: str
    icon_png: str


@dataclass(frozen=True)
class Head:
    """What a page says about itself to browsers, search engines, link cards and other servers.

    `url`, `canonical` and the picture are absolute. `feeds` are announced in this order, before the site's.
    `activity` is the id of the ActivityPub thing that the page shows, `properties` are further OpenGraph
    ones.
    """

    title: str
    url: str
    description: str = ""
    sort: str = "website"
    language: str = ""
    canonical: str = ""
    feeds: tuple[Feeds, ...] = ()
    activity: str = ""
    creator: str = ""
    picture: Shot | None = None
    properties: tuple[tuple[str, str], ...] = ()
    linked_data: tuple[Markup, ...] = ()


def page(stage: Stage, template: str, head: Head, keys: tuple[str, ...], **values: Any) -> Rendered:
    """A finished page.

    Args:
        stage: what it is made from.
        template: its name below `templates/dramafeed/`.
        head: what it says about itself.
        keys: everything that it shows, besides the site.
        values: what the template shows.
    """
    language = head.language or stage.site.site.language
    html = current_app.jinja_env.get_template(f"dramafeed/{template}").render(
        frame=frame(stage),
        head=head,
        language=language,
        direction=direction(language),
        here=stage.shown.path(head.url),
        korean=str if language.partition("-")[0] == "ko" else korean,
        **values,
    )
    headers: tuple[tuple[str, str], ...] = PAGE_HEADERS
    if head.activity:
        link = f'<{head.activity}>; rel="alternate"; type="{ACTIVITY_TYPE}"'
        headers = (*PAGE_HEADERS, ("Link", link))
    return Rendered(
        body=html.encode(),
        content_type=HTML_TYPE,
        keys=keys,
        vary_accept=True,
        headers=headers,
    )


def frame(stage: Stage) -> Frame:
    """The site around a page."""
    urls, shown, site = stage.urls, stage.shown, stage.site.site
    menu = [Named("Authors", urls.at("/authors/")), Named("Dramas", urls.at("/dramas/"))]
    menu += [Named(one.page.title, urls.page(one.thing.slug)) for one in stage.reading.editions.pages()]
    return Frame(
        title=site.title,
        description=site.description,
        home=shown.path(urls.home),
        language=site.language,
        direction=direction(site.language),
        account=f"@{urls.account(stage.site.thing.handle or site.handle)}",
        followable=stage.followable,
        menu=tuple(Named(entry.name, shown.path(entry.url)) for entry in menu),
        links=site.links,
        feeds=shown.feeds(site.title, urls.home),
        opml=shown.path(urls.at("/feeds.opml")),
        style=shown.path(asset_url(urls, STYLE)),
        icon=shown.path(asset_url(urls, ICON)),
        icon_png=shown.path(asset_url(urls, ICON_PNG)),
    )


def feeds_of(stage: Stage, listing: Listing) -> Feeds:
    """The feeds of a list, under the name that they have in readers."""
    return stage.shown.feeds(feed_title(stage, listing), listing.url)


def feed_title(stage: Stage, listing: Listing) -> str:
    """The title of a list's feeds."""
    blog = stage.site.site.title
    return blog if listing.url == stage.urls.home else f"{listing.title} · {blog}"


def card_picture(stage: Stage, *images: Image | None) -> Shot | None:
    """The first picture there is, with an absolute address, for link cards."""
    for image in images:
        if image is not None and image.picture is not None:
            picture = image.picture
            url = stage.renderings.image_url(image)
            return Shot(url, picture.width, picture.height, image.alt)
    return None
