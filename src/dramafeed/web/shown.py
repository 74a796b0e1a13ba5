"""What the templates are given: plain values, each with all that one piece of a page shows.

Pure, from editions. Addresses are paths (a page works under every name that leads to it) except where a
field says that it is absolute. Will not render anything and makes no spoiler decision: `Renderings` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from dramafeed.model import (
    AuthorStatus,
    Drama,
    Image,
    Kind,
    LabelKind,
    Link,
    PublicAuthor,
    PublicDrama,
    PublicReview,
    Rating,
    Review,
)
from dramafeed.renderings import Renderings, labels, rating_text, rating_words, spoiler_banner
from dramafeed.urls import Urls

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_PLURALS = {
    Kind.REVIEW: "Reviews",
    Kind.RECAP: "Recaps",
    Kind.NEWS: "News",
    Kind.INTERVIEW: "Interviews",
    Kind.LIST: "Lists",
}
_RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
_LETTERS = r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]+"
_TAGS = re.compile(r"""(<(?:[^>"']|"[^"]*"|'[^']*')*>)""")
_HANGUL = re.compile(rf"{_LETTERS}(?:[\s·,.!?]+{_LETTERS})*")


@dataclass(frozen=True)
class Moment:
    """An instant: `iso` for machines, `words` for people, both in the site's timezone."""

    iso: str
    words: str


@dataclass(frozen=True)
class Shot:
    """A picture with what is said about it. Without a file, `src` is "" and only the credit is known."""

    src: str
    width: int = 0
    height: int = 0
    alt: str = ""
    credit: str = ""
    credit_url: str = ""
    caption: str = ""
    license: str = ""


@dataclass(frozen=True)
class Score:
    """A rating: `filled` is the share of the stars in steps of 5 percent."""

    text: str
    words: str
    filled: int
    value: str
    best: str
    worst: str


@dataclass(frozen=True)
class Person:
    """A writer. `account` is `@handle@domain`, "" for guests; `bio` is HTML."""

    name: str
    url: str
    initial: str
    account: str
    avatar: Shot | None
    pronouns: str
    bio: Markup
    links: tuple[Link, ...]
    elsewhere: str
    alumni: bool
    moved_to: str


@dataclass(frozen=True)
class Named:
    """A name with the page that it leads to."""

    name: str
    url: str


@dataclass(frozen=True)
class Show:
    """A drama as lists mention it."""

    title: str
    native: str
    url: str
    year: str
    platform: str
    reviews: int = 0


@dataclass(frozen=True)
class Fact:
    """One row of a drama's facts box."""

    label: str
    values: tuple[str, ...]
    lang: str = ""


@dataclass(frozen=True)
class Facts:
    """A drama's facts box: rows, cast as (actor, role), and its pages at other places (absolute)."""

    title: str
    url: str
    rows: tuple[Fact, ...]
    cast: tuple[tuple[str, str], ...]
    elsewhere: tuple[Named, ...]


@dataclass(frozen=True)
class Card:
    """A review in a list. `kind` is "" for plain reviews; `banner` says how much it gives away."""

    title: str
    url: str
    lang: str
    direction: str
    kind: str
    picture: Shot | None
    score: Score | None
    summary: str
    banner: str
    authors: tuple[Named, ...]
    drama: Show | None
    published: Moment


@dataclass(frozen=True)
class Feeds:
    """The three feeds of one list."""

    name: str
    rss: str
    atom: str
    json: str


class Shown:
    """Turns public things into the values above.

    Args:
        urls: every address of the site.
        renderings: what may be said where.
        timezone: of the site.
    """

    def __init__(self, urls: Urls, renderings: Renderings, timezone: str) -> None:
        self._urls = urls
        self._renderings = renderings
        self._zone = ZoneInfo(timezone)

    def path(self, url: str) -> str:
        """An address of ours without scheme and host; others as they are."""
        return url.removeprefix(self._urls.origin) or "/"

    def html(self, text: str, language: str = "") -> Markup:
        """Sanitised HTML of ours, as a page in a language (else the site's) shows it.

        Links and pictures become paths, the highest headings h2, and Hangul in other languages Korean.
        """
        origin = re.escape(self._urls.origin)
        text = re.sub(rf'(<(?:a href|img src)="){origin}(?=[/"])', r"\1", _raised(text))
        language = language or self._renderings.site.site.language
        return Markup(text if language.partition("-")[0] == "ko" else _marked(text))  # noqa: S704

    def moment(self, instant: datetime) -> Moment:
        """An instant in the site's timezone."""
        local = instant.astimezone(self._zone)
        words = f"{local.day} {_MONTHS[local.month - 1]} {local.year}"
        return Moment(local.isoformat(timespec="seconds"), words)

    def shot(self, image: Image | None) -> Shot | None:
        """A picture, or None when there is neither picture nor credit."""
        if image is None or (image.picture is None and not image.credit):
            return None
        words = (image.alt, image.credit, image.credit_url, image.caption, image.license)
        if image.picture is None:
            return Shot("", 0, 0, *words)
        picture = image.picture
        return Shot(self.path(self._urls.media(picture.name)), picture.width, picture.height, *words)

    def person(self, public: PublicAuthor) -> Person:
        """A writer with everything."""
        author, handle = public.author, public.thing.handle
        avatar = self.shot(author.avatar)
        return Person(
            name=author.name,
            url=self.path(self._urls.author(public.thing.slug)),
            initial=author.name[:1].upper(),
            account=f"@{self._urls.account(handle)}" if handle else "",
            avatar=avatar if avatar and avatar.src else None,
            pronouns=author.pronouns,
            bio=self.html(self._renderings.text(author.bio)),
            links=author.links,
            elsewhere=author.fediverse,
            alumni=author.status is AuthorStatus.ALUMNI,
            moved_to=author.moved_to,
        )

    def named(self, public: PublicAuthor) -> Named:
        """A writer's name and page: all that lists show."""
        return Named(public.author.name, self.path(self._urls.author(public.thing.slug)))

    def show(self, public: PublicDrama, reviews: int = 0) -> Show:
        """A drama as lists mention it."""
        drama = public.drama
        url = self.path(self._urls.drama(public.thing.slug))
        return Show(drama.title, drama.title_native, url, drama.released[:4], drama.platform, reviews)

    def facts(self, public: PublicDrama) -> Facts:
        """A drama's facts box."""
        return Facts(
            title=public.drama.title,
            url=self.path(self._urls.drama(public.thing.slug)),
            rows=tuple(_rows(public.drama)),
            cast=tuple((role.actor, role.role) for role in public.drama.cast),
            elsewhere=tuple(Named(name, url) for name, url in same_as(public.drama)),
        )

    def card(self, public: PublicReview) -> Card:
        """A review in a list; it shows no more of its writers and drama than name and address."""
        review = public.review
        picture = self.shot(review.image)
        hidden = review.spoilers.withheld and not review.summary
        return Card(
            title=review.title,
            url=self.path(self._urls.review(public.thing.slug)),
            lang=self.other_language(review),
            direction=direction(review.lang) if review.lang else "auto",
            kind="" if review.kind is Kind.REVIEW else review.kind.value,
            picture=picture if picture and picture.src else None,
            score=score(review.rating),
            summary="" if hidden else self._renderings.summary(public),
            banner=spoiler_banner(review.spoilers),
            authors=tuple(self.named(author) for author in public.authors),
            drama=self.show(public.drama) if public.drama else None,
            published=self.moment(public.published),
        )

    def cards(self, reviews: Iterable[PublicReview]) -> tuple[Card, ...]:
        """Reviews in a list."""
        return tuple(self.card(public) for public in reviews)

    def tags(self, review: Review) -> tuple[Named, ...]:
        """The tags of a review."""
        return tuple(
            Named(label.name, self.path(self._urls.tag(label.slug)))
            for label in labels(review)
            if label.kind is LabelKind.TAG
        )

    def feeds(self, name: str, page_url: str) -> Feeds:
        """The feeds below a page of ours."""
        rss, atom, json = (
            self.path(self._urls.feed(page_url, file)) for file in ("feed.xml", "atom.xml", "feed.json")
        )
        return Feeds(name, rss, atom, json)

    def other_language(self, review: Review) -> str:
        """The language of a review where it is not the site's, else ""."""
        return "" if review.lang == self._renderings.site.site.language else review.lang


def _marked(html: str) -> str:
    """HTML whose Hangul is marked as Korean."""
    pieces = _TAGS.split(html)
    pieces[::2] = (_HANGUL.sub(r'<span lang="ko">\g<0></span>', words) for words in pieces[::2])
    return "".join(pieces)


def _raised(html: str) -> str:
    """Headings of a text moved up until the highest is h2: writers begin with `#` or with `##`."""
    levels = [int(level) for level in re.findall(r"<h([2-6])[ >]", html)]
    up = min(levels, default=2) - 2
    return re.sub(r"(</?h)([2-6])(?=[ >])", lambda tag: f"{tag[1]}{int(tag[2]) - up}", html) if up else html


def plural(kind: Kind) -> str:
    """The name of all texts of a kind."""
    return _PLURALS[kind]


def direction(language: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"


def korean(text: str) -> Markup:
    """`text` with its Hangul marked as Korean, so that voices and fonts fit."""
    cuts = [0, *(cut for found in _HANGUL.finditer(text) for cut in found.span()), len(text)]
    pieces = (text[start:end] for start, end in pairwise(cuts))
    marked = Markup('<span lang="ko">{}</span>')
    return Markup("").join(marked.format(piece) if n % 2 else escape(piece) for n, piece in enumerate(pieces))


def score(rating: Rating | None) -> Score | None:
    """A rating as stars, words and numbers."""
    if rating is None or rating.best <= 0:
        return None
    share = max(0.0, min(1.0, rating.value / rating.best))
    return Score(
        text=rating_text(rating),
        words=rating_words(rating),
        filled=int(share * 20 + 0.5) * 5,
        value=f"{rating.value:g}",
        best=f"{rating.best:g}",
        worst=f"{rating.worst:g}",
    )


def released(date: str) -> str:
    """`2015-11-06` as `6 November 2015`, `2015-11` as `November 2015`."""
    parts = [int(part) for part in date.split("-")] if re.fullmatch(r"\d{4}(-\d\d){0,2}", date) else []
    if len(parts) < 2 or not 1 <= parts[1] <= 12:
        return date
    month = f"{_MONTHS[parts[1] - 1]} {parts[0]}"
    return f"{parts[2]} {month}" if len(parts) == 3 else month


_PLACES = {
    "wikidata": ("Wikidata", "https://www.wikidata.org/wiki/{}"),
    "tmdb": ("TMDB", "https://www.themoviedb.org/{}"),
    "imdb": ("IMDb", "https://www.imdb.com/title/{}/"),
    "mydramalist": ("MyDramaList", "https://mydramalist.com/{}"),
}


def same_as(drama: Drama) -> list[tuple[str, str]]:
    """(name, address) of a drama's pages at other places."""
    found = []
    for place, word in drama.ids:
        if place not in _PLACES:
            continue
        name, pattern = _PLACES[place]
        page = f"tv/{word}" if place == "tmdb" and "/" not in word else word
        found.append((name, pattern.format(quote(page))))
    return found


def trailer_host(url: str) -> str:
    """Where a trailer is watched."""
    host = urlsplit(url).hostname or ""
    return "Vimeo" if host.endswith("vimeo.com") else "YouTube"


def _rows(drama: Drama) -> Iterable[Fact]:
    """The facts that are known, in the order in which people ask for them."""
    seasons = f"{drama.seasons} season{'s' * (drama.seasons != 1)}" if drama.seasons else ""
    episodes = f"{drama.episodes} episode{'s' * (drama.episodes != 1)}" if drama.episodes else ""
    rows = (
        Fact("Original title", _some(drama.title_native), "ko" if _HANGUL.search(drama.title_native) else ""),
        Fact("Romanised", _some(drama.title_romanized), "ko-Latn"),
        Fact("Also known as", drama.aliases),
        Fact("Released", _some(released(drama.released))),
        Fact("Watch on", _some(drama.platform)),
        Fact("Length", _some(", ".join(filter(None, (seasons, episodes))))),
        Fact("Status", _some(drama.status)),
        Fact("Genre", drama.genres),
        Fact("Written by", drama.writers),
        Fact("Directed by", drama.directors),
        Fact("Based on", _some(_origin(drama))),
        Fact("Country", _some(drama.country)),
    )
    return (row for row in rows if row.values)


def _some(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def _origin(drama: Drama) -> str:
    source = drama.based_on
    if source is None:
        return ""
    title = f"“{source.title}”" if source.title else ""
    if source.kind:
        title = f"the {source.kind} {title}".rstrip()
    return f"{title} by {source.by}".strip() if source.by else title
