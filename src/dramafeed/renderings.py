"""One review, four readings: the page, the feeds, the fediverse and plain text, from the same edition.

Pure, but for `actor_of`, which looks up the editions it needs. Decides what each surface may say (the one
spoiler rule, the byline, the teaser); leaves the wire form to `activitypub.vocabulary`, `feeds` and the
templates.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from dramafeed.activitypub import vocabulary
from dramafeed.content import Surface, first_sentences, render, slugify
from dramafeed.feeds import FeedAuthor, FeedEntry, FeedImage
from dramafeed.model import (
    BodyFormat,
    Federation,
    Image,
    LabelKind,
    Picture,
    PublicAuthor,
    PublicReview,
    PublicSite,
    Rating,
    Review,
    Spoilers,
    ThingKind,
)
from dramafeed.storage import Reading
from dramafeed.urls import Urls

Document = dict[str, Any]

SUMMARY_LENGTH = 280  # characters of a meta description and of a feed's summary
TEASER_LENGTH = 400  # characters of the excerpt in a post (servers fold longer ones)
_MAX_WARNING = 200


@dataclass(frozen=True)
class PageText:
    """What the template of a review page shows besides the plain fields."""

    body: str  # HTML
    summary: str  # plain, free of spoilers
    banner: str  # the spoiler banner; "" when nothing is given away
    rating: str  # "8/10"
    rating_words: str  # "8 out of 10"
    stars: str


class Renderings:
    """All readings of a site's editions.

    Args:
        urls: every address of the site.
        site: the site's current edition.
    """

    def __init__(self, urls: Urls, site: PublicSite) -> None:
        self.urls = urls
        self.site = site

    # ---- pages

    def page(self, public: PublicReview) -> PageText:
        """What the review's own page says."""
        review = public.review
        return PageText(
            body=self._body(public, Surface.PAGE),
            summary=self.summary(public),
            banner=spoiler_banner(review.spoilers),
            rating=rating_text(review.rating),
            rating_words=rating_words(review.rating),
            stars=rating_stars(review.rating),
        )

    def summary(self, public: PublicReview) -> str:
        """One or two plain sentences about a review that give nothing away."""
        review = public.review
        if review.summary:
            return review.summary
        if review.spoilers.withheld:
            return f"{spoiler_warning(review)}."
        return _opening(self._body(public, Surface.PLAIN), SUMMARY_LENGTH)

    def text(self, body: str) -> str:
        """HTML of a bio or another short Markdown text of the site, for pages and profiles."""
        return render(body, BodyFormat.MARKDOWN, Surface.PAGE, base_url=self.urls.base)

    def image_url(self, image: Image | None) -> str:
        """The address of a picture; "" when there is none."""
        return self.urls.media(image.picture.name) if image and image.picture else ""

    def _body(self, public: PublicReview, surface: Surface) -> str:
        review = public.review
        return _rendered(
            review.body,
            review.format,
            surface,
            tuple((raw, self.urls.review(slug)) for raw, slug in public.links.items()),
            tuple((raw, self.urls.media(p.name), p) for raw, p in review.pictures),
            self.urls.review(public.thing.slug),
            self.urls.base,
        )

    # ---- feeds

    def feed_entry(self, public: PublicReview) -> FeedEntry:
        """The review as an item of any feed."""
        review, thing = public.review, public.thing
        return FeedEntry(
            id=self.urls.feed_id(thing.uid),
            url=self.urls.review(thing.slug),
            title=review.title,
            published=public.published,
            updated=public.updated,
            html=self.feed_html(public),
            summary=self.summary(public),
            authors=tuple(self._feed_author(author) for author in public.authors),
            categories=categories(review),
            image=self._feed_image(review.image),
            language=review.lang,
            object_url=self.urls.object(thing.uid),
            account=self.urls.account(thing.attributed_to) if thing.attributed_to else "",
        )

    def feed_html(self, public: PublicReview) -> str:
        """The text of a feed item: the whole review, or the teaser when it gives the story away."""
        review, page = public.review, self.urls.review(public.thing.slug)
        parts = [f"<p>{html.escape(line)}</p>" for line in self._feed_lines(public)]
        if review.spoilers.withheld:
            if review.summary:
                parts.append(f"<p>{html.escape(review.summary)}</p>")
            parts.append(f'<p><a href="{html.escape(page)}">Read the full review</a></p>')
        else:
            parts.append(self._body(public, Surface.FEED))
        if review.trailer:
            parts.append(f'<p><a href="{html.escape(review.trailer)}">Trailer</a></p>')
        return "\n".join(parts)

    def _feed_lines(self, public: PublicReview) -> list[str]:
        review = public.review
        lines = []
        if len(public.authors) > 1:
            lines.append(f"By {_names(public)}")
        if review.spoilers.withheld:
            lines.append(f"{spoiler_warning(review)}.")
        elif banner := spoiler_banner(review.spoilers):
            lines.append(banner)
        if review.rating:
            lines.append(f"{rating_stars(review.rating)} {rating_words(review.rating)}")
        if review.verdict and not review.spoilers.withheld:
            lines.append(review.verdict)
        if review.correction:
            lines.append(f"Correction: {review.correction}")
        return lines

    def _feed_author(self, author: PublicAuthor) -> FeedAuthor:
        return FeedAuthor(
            name=author.author.name,
            url=self.urls.author(author.thing.slug),
            account=self.urls.account(author.thing.handle) if author.thing.handle else "",
        )

    def _feed_image(self, image: Image | None) -> FeedImage | None:
        if image is None or image.picture is None:
            return None
        picture = image.picture
        return FeedImage(
            url=self.urls.media(picture.name),
            media_type=picture.media_type,
            width=picture.width,
            height=picture.height,
            size=picture.size,
            alt=image.alt,
            credit=image.credit,
            caption=image.caption,
        )

    # ---- the fediverse

    def post(self, public: PublicReview) -> Document:
        """The Note (or Article) of a review; `updated` only when it was revised."""
        review, thing = public.review, public.thing
        wish = self._federation(review, thing.form)
        handle = thing.attributed_to or self.site.site.handle
        content = vocabulary.PostContent(
            uid=thing.uid,
            handle=handle,
            page=self.urls.review(thing.slug),
            content_html=self._post_html(public, wish),
            language=review.lang or self.site.site.language,
            published=public.published,
            title=review.title,
            excerpt=self._excerpt(public),
            updated=thing.revised_at,
            spoiler=self._content_warning(review),
            tags=self._hashtags(public),
            mentions=tuple(
                vocabulary.Mention(self.urls.actor(h), self.urls.account(h))
                for author in public.authors
                if (h := author.thing.handle) and h != handle
            ),
            images=self._attachments(review, wish),
            unlisted=thing.unlisted,
        )
        build = vocabulary.article if wish.object == "article" else vocabulary.note
        return build(urls=self.urls, post=content)

    def form(self, review: Review) -> str:
        """`note` or `article`, as the writer or the site wishes; frozen once the review is public."""
        return self._federation(review, "").object or "note"

    def _federation(self, review: Review, form: str) -> Federation:
        mine, site = review.federation, self.site.site.federation
        return Federation(
            object=form or mine.object or site.object or "note",
            body=mine.body or site.body or "teaser",
            media=mine.media or site.media or "poster",
        )

    def _post_html(self, public: PublicReview, wish: Federation) -> str:
        review = public.review
        full = wish.body == "full" or wish.object == "article"
        if full and not (review.spoilers.withheld and review.summary):
            body = self._body(public, Surface.FEDIVERSE)
            if len(body.encode()) <= vocabulary.MAX_ACTIVITY_BYTES // 3:  # it is sent twice: contentMap
                return body
        return vocabulary.teaser_html(
            title=review.title,
            rating=rating_line(review.rating),
            excerpt=self._excerpt(public),
            page=self.urls.review(public.thing.slug),
            link_text="Read the full review" if review.kind == "review" else "Read it all",
            tags=self._hashtags(public),
        )

    def _excerpt(self, public: PublicReview) -> str:
        review = public.review
        text = review.summary or _opening(self._body(public, Surface.PLAIN), TEASER_LENGTH)
        if review.summary and review.spoilers.withheld:
            text = f"{text} ({spoiler_warning(review)}.)"
        if _byline_needed(public):
            text = f"By {_names(public)}. {text}"
        return text

    def _content_warning(self, review: Review) -> str:
        """The line that hides a post: spoilers that no summary avoids, or content notes."""
        parts = []
        if review.spoilers.withheld and not review.summary:
            parts.append(spoiler_warning(review))
        if review.content_notes:
            notes = ", ".join(review.content_notes)
            parts.append(notes if parts else f"{review.title}: {notes}")
        return " · ".join(parts)[:_MAX_WARNING]

    def _hashtags(self, public: PublicReview) -> tuple[tuple[str, str], ...]:
        tags = [(label.name, self._label_url(label)) for label in labels(public.review)]
        if public.drama:
            tags.append((public.drama.drama.title, self.urls.drama(public.drama.thing.slug)))
        unique: dict[str, tuple[str, str]] = {}
        for name, url in tags:
            spelled = vocabulary.hashtag(name)
            if spelled:
                unique.setdefault(spelled.casefold(), (name, url))
        return tuple(unique.values())

    def _label_url(self, label: Label) -> str:
        return self.urls.tag(label.slug) if label.kind is LabelKind.TAG else self.urls.kind(label.slug)

    def _attachments(self, review: Review, wish: Federation) -> tuple[Image, ...]:
        shown = wish.media == "poster" and review.image is not None and review.image.picture is not None
        return (review.image,) if shown and review.image else ()

    # ---- actors

    def author_actor(self, author: PublicAuthor, public_pem: str, since: datetime) -> Document:
        """The Person of an author."""
        words = author.author
        page = self.urls.author(author.thing.slug)
        fields = (
            vocabulary.ProfileField("Reviews", page),
            *(vocabulary.ProfileField(link.name, link.url) for link in words.links),
        )
        profile = vocabulary.ActorProfile(
            handle=author.thing.handle or "",
            kind=vocabulary.ActorKind.PERSON,
            name=words.name,
            page=page,
            public_key_pem=public_pem,
            published=since,
            summary_html=self.text(words.bio),
            icon=words.avatar,
            fields=fields,
            attribution_hosts=(self.urls.hostname,),
            moved_to="",
        )
        return vocabulary.actor(urls=self.urls, profile=profile)

    def blog_actor(self, public_pem: str, since: datetime) -> Document:
        """The Organization of the blog."""
        site = self.site.site
        summary = f"<p>{html.escape(site.description)}</p>" if site.description else ""
        profile = vocabulary.ActorProfile(
            handle=self.site.thing.handle or site.handle,
            kind=vocabulary.ActorKind.BLOG,
            name=site.title,
            page=self.urls.home,
            public_key_pem=public_pem,
            published=since,
            summary_html=summary,
            icon=site.avatar,
            header=site.header,
            fields=(
                vocabulary.ProfileField("Blog", self.urls.home),
                *(vocabulary.ProfileField(link.name, link.url) for link in site.links),
            ),
            attribution_hosts=(self.urls.hostname,),
        )
        return vocabulary.actor(urls=self.urls, profile=profile)


_opening = lru_cache(maxsize=256)(first_sentences)


@lru_cache(maxsize=256)
def _rendered(
    body: str,
    body_format: BodyFormat,
    surface: Surface,
    links: tuple[tuple[str, str], ...],
    pictures: tuple[tuple[str, str, Picture], ...],
    page_url: str,
    base_url: str,
) -> str:
    """`content.render`, remembered: a list and its three feeds show the same texts again and again."""
    return render(
        body,
        body_format,
        surface,
        links=dict(links),
        pictures={raw: (url, picture) for raw, url, picture in pictures},
        page_url=page_url,
        base_url=base_url,
    )


def actor_of(reading: Reading, urls: Urls, handle: str) -> Document | None:
    """The actor of the blog or of an author; None when there is none or its key is lost."""
    thing, key, site = reading.editions.by_handle(handle), reading.actors.key(handle), reading.editions.site()
    if thing is None or key is None or site is None or thing.edition is None:
        return None
    renderings = Renderings(urls, site)
    since = thing.first_seen or key.created_at
    if thing.kind is ThingKind.SITE:
        return renderings.blog_actor(key.public_pem, since)
    return renderings.author_actor(reading.editions.author(thing), key.public_pem, since)


def wording(post: object) -> dict[str, Any]:
    """A Note without stamps and counters: others need an Update when this differs."""
    machine = {"@context", "updated", "likes", "shares", "replies"}
    return {k: v for k, v in post.items() if k not in machine} if isinstance(post, dict) else {}


@dataclass(frozen=True)
class Label:
    """A tag or kind with the slug of its page."""

    kind: LabelKind
    slug: str
    name: str


def labels(review: Review) -> tuple[Label, ...]:
    """The labels of a review, its kind first; a tag that leaves no slug has no page and is passed over."""
    found = [Label(LabelKind.KIND, review.kind.value, review.kind.value.capitalize())]
    found += [Label(LabelKind.TAG, slug, tag) for tag in review.tags if (slug := slugify(tag))]
    return tuple(found)


def categories(review: Review) -> tuple[str, ...]:
    """What feeds list as categories: the kind and the tags, each once."""
    return tuple(dict.fromkeys(label.name for label in labels(review)))


def rating_text(rating: Rating | None) -> str:
    """`8/10`."""
    return f"{_number(rating.value)}/{_number(rating.best)}" if rating else ""


def rating_words(rating: Rating | None) -> str:
    """`8 out of 10`."""
    return f"{_number(rating.value)} out of {_number(rating.best)}" if rating else ""


def rating_line(rating: Rating | None) -> str:
    """`★ 8/10`, as a post shows it."""
    return f"★ {rating_text(rating)}" if rating else ""


def rating_stars(rating: Rating | None) -> str:
    """Up to five stars, with a half where it comes to one: `★★★★½`."""
    if rating is None or rating.best <= 0:
        return ""
    halves = max(0, min(10, int(rating.value / rating.best * 10 + 0.5)))
    half = "½" if halves % 2 else ""
    return "★" * (halves // 2) + half + "☆" * (5 - halves // 2 - len(half))


def spoiler_warning(review: Review) -> str:
    """Names the title and the scope: what a content warning and a withheld text say."""
    scope = review.spoilers.scope
    return f"{review.title}: spoilers {scope}" if scope else f"{review.title}: spoilers for the whole story"


def spoiler_banner(spoilers: Spoilers) -> str:
    """The banner on the page."""
    if spoilers.scope:
        return f"Spoilers {spoilers.scope}"
    words = {"none": "", "mild": "Mild spoilers", "full": "Spoilers for the whole story"}
    return words[spoilers.level.value]


def _byline_needed(public: PublicReview) -> bool:
    """True when the post's actor is not the (only) writer, so that the text must name who wrote it."""
    handles = [author.thing.handle for author in public.authors]
    return bool(handles) and handles != [public.thing.attributed_to]


def _names(public: PublicReview) -> str:
    names = [author.author.name for author in public.authors]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(value: float) -> str:
    return f"{value:g}"
