"""schema.org descriptions for search engines and link cards, as JSON-LD. Pure.

Says nothing that the editions do not say: no rating without a rating, no spoiler anywhere.
"""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from dramafeed.model import (
    Drama,
    Image,
    Kind,
    PublicAuthor,
    PublicDrama,
    PublicReview,
    Rating,
)
from dramafeed.renderings import Renderings
from dramafeed.urls import Urls
from dramafeed.web.shown import plural, same_as

Node = dict[str, Any]

# Inside a script element `<` could end it; `&` would be changed by readers that decode entities first
# (Mastodon does); the two separators are line ends in old scripts.
_ESCAPES = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


class LinkedData:
    """Builds the descriptions.

    Args:
        urls: every address of the site.
        renderings: what may be said where.
    """

    def __init__(self, urls: Urls, renderings: Renderings) -> None:
        self._urls = urls
        self._renderings = renderings
        self._site = renderings.site

    def review(self, public: PublicReview) -> tuple[Markup, ...]:
        """The review, and the page that link cards are made from (Mastodon reads only WebPage)."""
        return script(self._review(public)), script(self._page_of(public))

    def home(self) -> tuple[Markup, ...]:
        """The site."""
        site = self._site.site
        return (
            script(
                _node(
                    "WebSite",
                    name=site.title,
                    url=self._urls.home,
                    description=site.description,
                    inLanguage=site.language,
                    publisher=self._publisher(),
                )
            ),
        )

    def author(self, public: PublicAuthor) -> tuple[Markup, ...]:
        """A writer's profile."""
        person = self._person(public)
        return (script(_node("ProfilePage", url=person["url"], mainEntity=person)),)

    def drama(self, public: PublicDrama) -> tuple[Markup, ...]:
        """A drama's facts."""
        return (script(self._series(public)),)

    # ---- the pieces

    def _review(self, public: PublicReview) -> Node:
        review = public.review
        common = {
            **self._article(public),
            "keywords": list(review.tags),
            "mainEntityOfPage": self._urls.review(public.thing.slug),
        }
        if review.kind in (Kind.REVIEW, Kind.RECAP) or review.rating:
            return _node(
                "Review",
                name=review.title,
                **common,
                itemReviewed=self._item(public),
                reviewRating=_rating(review.rating),
            )
        about = self._item(public) if public.drama else None
        return _node(
            "NewsArticle" if review.kind is Kind.NEWS else "Article",
            headline=review.title,
            **common,
            articleSection=plural(review.kind),
            about=about,
        )

    def _page_of(self, public: PublicReview) -> Node:
        return _node("WebPage", headline=public.review.title, **self._article(public))

    def _article(self, public: PublicReview) -> Node:
        """What every description of a review says."""
        review = public.review
        return {
            "url": self._urls.review(public.thing.slug),
            "description": self._renderings.summary(public),
            "inLanguage": review.lang or self._site.site.language,
            "datePublished": public.published.isoformat(),
            "dateModified": public.updated.isoformat(),
            "author": [self._person(author) for author in public.authors] or [self._publisher()],
            "publisher": self._publisher(),
            "image": self._image(review.image),
        }

    def _item(self, public: PublicReview) -> Node:
        """What is reviewed; without a drama record no more than the name in the title is known."""
        review = public.review
        if public.drama is None:
            return _node("CreativeWorkSeries", name=review.title)
        series = self._series(public.drama)
        if review.season is None:
            return series
        return _node(
            "TVSeason",
            name=f"{public.drama.drama.title}, season {review.season}",
            seasonNumber=review.season,
            partOfSeries=series,
            sameAs=series.get("sameAs"),
        )

    def _series(self, public: PublicDrama) -> Node:
        drama = public.drama
        return _node(
            "TVSeries",
            name=drama.title,
            alternateName=[n for n in (drama.title_native, drama.title_romanized, *drama.aliases) if n],
            url=self._urls.drama(public.thing.slug),
            startDate=drama.released,
            numberOfEpisodes=drama.episodes,
            numberOfSeasons=drama.seasons,
            genre=list(drama.genres),
            countryOfOrigin=_node("Country", name=drama.country) if drama.country else None,
            provider=_node("Organization", name=drama.platform) if drama.platform else None,
            author=[_named_person(name) for name in drama.writers],
            director=[_named_person(name) for name in drama.directors],
            actor=_cast(drama),
            isBasedOn=_origin(drama),
            sameAs=[url for _name, url in same_as(drama)],
        )

    def _person(self, public: PublicAuthor) -> Node:
        author = public.author
        return _node(
            "Person",
            name=author.name,
            url=self._urls.author(public.thing.slug),
            image=self._renderings.image_url(author.avatar),
            sameAs=[link.url for link in author.links],
        )

    def _publisher(self) -> Node:
        site = self._site.site
        logo = self._renderings.image_url(site.avatar)
        return _node("Organization", name=site.title, url=self._urls.home, logo=logo)

    def _image(self, image: Image | None) -> Node | None:
        if image is None or image.picture is None:
            return None
        url = self._renderings.image_url(image)
        return _node(
            "ImageObject",
            url=url,
            contentUrl=url,
            width=image.picture.width,
            height=image.picture.height,
            caption=image.caption or image.alt,
            creditText=image.credit,
            license=image.license if "://" in image.license else "",
        )


def script(node: Node) -> Markup:
    """A data block for a page; nothing in it can end the element."""
    text = json.dumps({"@context": "https://schema.org", **node}, ensure_ascii=False, separators=(",", ":"))
    safe = text.translate(_ESCAPES)
    return Markup(f'<script type="application/ld+json">{safe}</script>')  # noqa: S704


def _node(kind: str, **members: Any) -> Node:
    """A node without the members that say nothing."""
    return {"@type": kind, **{name: value for name, value in members.items() if value or value == 0}}


def _rating(rating: Rating | None) -> Node | None:
    if rating is None:
        return None
    return _node(
        "Rating",
        ratingValue=_number(rating.value),
        bestRating=_number(rating.best),
        worstRating=_number(rating.worst),
    )


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _named_person(name: str) -> Node:
    return _node("Person", name=name)


def _cast(drama: Drama) -> list[Node]:
    return [
        _node("PerformanceRole", actor=_named_person(role.actor), characterName=role.role)
        if role.role
        else _named_person(role.actor)
        for role in drama.cast
    ]


def _origin(drama: Drama) -> Node | None:
    source = drama.based_on
    if source is None or not source.title:
        return None
    by = _named_person(source.by) if source.by else None
    return _node("CreativeWork", name=source.title, author=by)
