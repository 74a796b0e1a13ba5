"""Lists of reviews: the whole site, an author, a drama, a tag or a kind. One idea for pages and feeds.

A list has a page with the newest reviews, older pages and three feeds. Older pages are numbered from the
oldest review, twenty each, so that a new review changes none of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

from flask import Response, abort, redirect
from werkzeug.exceptions import Gone, NotFound, ServiceUnavailable

from dramafeed.content import slugify
from dramafeed.model import (
    ALL_REVIEWS_KEY,
    Kind,
    LabelKind,
    PublicAuthor,
    PublicDrama,
    PublicReview,
    PublicSite,
    Site,
    State,
    Thing,
    ThingKind,
    list_key,
    thing_key,
)
from dramafeed.renderings import Renderings
from dramafeed.settings import Settings
from dramafeed.storage import Reading
from dramafeed.urls import Urls
from dramafeed.web.shown import Shown, plural

PAGE_SIZE = 20


class Sort(StrEnum):
    """What a list holds."""

    SITE = "site"
    AUTHOR = "author"
    DRAMA = "drama"
    TAG = "tag"
    KIND = "kind"


# Where each list lives below BASE_URL, as routes.
ROUTES = {
    Sort.SITE: "/",
    Sort.AUTHOR: "/authors/<name>/",
    Sort.DRAMA: "/dramas/<name>/",
    Sort.TAG: "/tags/<name>/",
    Sort.KIND: "/kinds/<name>/",
}


@dataclass(frozen=True)
class Stage:
    """What one rendering works with: a look at the database, the addresses and the site's own words."""

    reading: Reading
    settings: Settings
    urls: Urls
    site: PublicSite
    renderings: Renderings
    shown: Shown

    @classmethod
    def of(cls, reading: Reading, settings: Settings) -> Stage:
        """The stage of the site as the database has it."""
        site = reading.editions.site() or _unpublished(reading, settings)
        renderings = Renderings(settings.urls, site)
        shown = Shown(settings.urls, renderings, site.site.timezone)
        return cls(reading, settings, settings.urls, site, renderings, shown)

    @property
    def published(self) -> bool:
        """False before anything was ever published."""
        return self.site.thing.edition is not None

    @property
    def followable(self) -> bool:
        """Whether other servers can follow, so that showing a handle makes sense."""
        reachable = self.settings.public or self.settings.allow_private_addresses
        return reachable and self.settings.federate != "no"

    def find(self, kind: ThingKind, slug: str, rest: str = "") -> Thing:
        """The public thing that a slug leads to; `rest` is what follows the slug in the address.

        Raises:
            HTTPException: a redirect from an old slug or spelling; NotFound; Gone; ServiceUnavailable while
                nothing is published yet, because then absence means nothing.
        """
        editions = self.reading.editions
        thing = editions.by_slug(kind, slug)
        if thing is None and (spelled := slugify(slug)) != slug:
            thing = editions.by_slug(kind, spelled)
        if thing is None and not self.published and kind is not ThingKind.PAGE:
            raise ServiceUnavailable(retry_after=5)
        if thing is None or thing.state is State.HIDDEN:
            raise NotFound
        if thing.state is not State.PUBLIC or thing.edition is None:
            raise Gone if self.published else ServiceUnavailable(retry_after=5)
        if thing.slug != slug:
            moved(address(self.urls, kind, thing.slug) + rest)
        return thing


def _unpublished(reading: Reading, settings: Settings) -> PublicSite:
    """Stands in for the site before its first edition; the uid is already the later one if there is one."""
    fallback = str(uuid.uuid5(uuid.NAMESPACE_URL, settings.urls.home))
    uid = reading.meta.get("site_id") or fallback
    return PublicSite(Thing(uid=uid, kind=ThingKind.SITE, path="site.yaml", slug=""), Site())


def address(urls: Urls, kind: ThingKind, slug: str) -> str:
    """The page of a thing."""
    pages = {
        ThingKind.REVIEW: urls.review,
        ThingKind.AUTHOR: urls.author,
        ThingKind.DRAMA: urls.drama,
        ThingKind.PAGE: urls.page,
    }
    return pages[kind](slug) if kind in pages else urls.home


def moved(url: str) -> NoReturn:
    """End the request with a redirect to the present address."""
    abort(redirection(url))


def redirection(url: str) -> Response:
    """A permanent redirect. Remembered for minutes only: a slug may change hands."""
    response = redirect(url, 301, Response)
    response.headers["Cache-Control"] = "max-age=300, s-maxage=1"
    assert isinstance(response, Response)
    return response


@dataclass(frozen=True)
class Listing:
    """Some reviews that have a page and feeds.

    `url` is absolute. `keys` name what decides which reviews are in it and what it is about. `about` is the
    author or drama, None for the others.
    """

    sort: Sort
    title: str
    url: str
    feed_id: str
    keys: tuple[str, ...]
    description: str = ""
    about: PublicAuthor | PublicDrama | None = None
    narrowed: dict[str, Any] = field(default_factory=dict)

    def newest(self, stage: Stage, limit: int = PAGE_SIZE) -> list[PublicReview]:
        """The reviews of the page itself and of the feeds."""
        return stage.reading.editions.listed(**self.narrowed, limit=limit)

    def numbered(self, stage: Stage, number: int) -> list[PublicReview]:
        """The reviews of an older page, newest first.

        Raises:
            NotFound: it is not full yet.
        """
        editions = stage.reading.editions
        if not 1 <= number <= self.count(stage) // PAGE_SIZE:
            raise NotFound
        offset = (number - 1) * PAGE_SIZE
        return editions.listed(**self.narrowed, limit=PAGE_SIZE, offset=offset, oldest_first=True)[::-1]

    def count(self, stage: Stage) -> int:
        """How many reviews it holds in all."""
        return stage.reading.editions.count(**self.narrowed)

    def shows(self, reviews: Iterable[PublicReview]) -> tuple[str, ...]:
        """The keys of a document that shows these reviews of the list."""
        return (*self.keys, *(thing_key(ThingKind.REVIEW, public.thing.uid) for public in reviews))

    def page_url(self, number: int | None) -> str:
        """The absolute address of an older page; of the first page for None."""
        return self.url if number is None else f"{self.url}page/{number}/"


def last_page(count: int) -> int:
    """The number of the newest page that holds anything the first page does not show; 0 when none does."""
    return max(0, -(-(count - PAGE_SIZE) // PAGE_SIZE))


def find_listing(stage: Stage, sort: Sort, name: str = "", rest: str = "") -> Listing:
    """The list at an address.

    Args:
        sort: what it holds.
        name: slug of the author, drama, tag or kind.
        rest: what follows in the address, for redirects.

    Raises:
        HTTPException: a redirect; NotFound; Gone for a label that once had reviews.
    """
    if sort is Sort.SITE:
        return whole_site(stage)
    if sort is Sort.AUTHOR:
        thing = stage.find(ThingKind.AUTHOR, name, rest)
        return by_author(stage, stage.reading.editions.author(thing))
    if sort is Sort.DRAMA:
        thing = stage.find(ThingKind.DRAMA, name, rest)
        return by_drama(stage, stage.reading.editions.drama(thing))
    return _found_label(stage, LabelKind(sort.value), name, rest)


def whole_site(stage: Stage) -> Listing:
    """All reviews."""
    site = stage.site
    return Listing(
        sort=Sort.SITE,
        title=site.site.title,
        url=stage.urls.home,
        feed_id=f"urn:uuid:{site.thing.uid}",
        keys=(ALL_REVIEWS_KEY,),
        description=site.site.description,
    )


def by_author(stage: Stage, author: PublicAuthor) -> Listing:
    """The reviews of one writer."""
    uid = author.thing.uid
    return Listing(
        sort=Sort.AUTHOR,
        title=author.author.name,
        url=stage.urls.author(author.thing.slug),
        feed_id=f"urn:uuid:{uid}",
        keys=(list_key("author", uid), thing_key(ThingKind.AUTHOR, uid)),
        description=f"Reviews by {author.author.name} on {stage.site.site.title}.",
        about=author,
        narrowed={"author": uid},
    )


def by_drama(stage: Stage, drama: PublicDrama) -> Listing:
    """The reviews of one drama."""
    uid = drama.thing.uid
    return Listing(
        sort=Sort.DRAMA,
        title=drama.drama.title,
        url=stage.urls.drama(drama.thing.slug),
        feed_id=f"urn:uuid:{uid}",
        keys=(list_key("drama", uid), thing_key(ThingKind.DRAMA, uid)),
        description=f"{drama.drama.title}: facts, cast and reviews on {stage.site.site.title}.",
        about=drama,
        narrowed={"drama": uid},
    )


def by_label(stage: Stage, kind: LabelKind, slug: str, name: str) -> Listing:
    """The reviews with a tag or of a kind."""
    blog = stage.site.site.title
    tagged = kind is LabelKind.TAG
    title = name if tagged else plural(Kind(slug))
    return Listing(
        sort=Sort(kind.value),
        title=title,
        url=stage.urls.tag(slug) if tagged else stage.urls.kind(slug),
        feed_id=f"urn:uuid:{uuid.uuid5(uuid.UUID(stage.site.thing.uid), f'{kind.value}:{slug}')}",
        keys=(list_key(kind.value, slug),),
        description=f"Everything tagged “{name}” on {blog}." if tagged else f"{title} on {blog}.",
        narrowed={"label": (kind, slug)},
    )


def _found_label(stage: Stage, kind: LabelKind, slug: str, rest: str) -> Listing:
    name = stage.reading.editions.label_name(kind, slug)
    if name is not None:
        return by_label(stage, kind, slug, name)
    spelled = slugify(slug)
    if spelled != slug and stage.reading.editions.label_name(kind, spelled) is not None:
        moved((stage.urls.tag(spelled) if kind is LabelKind.TAG else stage.urls.kind(spelled)) + rest)
    if not stage.published:
        raise ServiceUnavailable(retry_after=5)
    was_there = stage.reading.meta.changed_at((list_key(kind.value, slug),)) is not None
    gone = was_there and not stage.reading.editions.label_waits(kind, slug)
    raise Gone if gone else NotFound
