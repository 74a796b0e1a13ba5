"""The nouns of dramafeed: frozen values without I/O, wire names or database rows.

Files become `Review`, `Author`, `Drama`, `Page` and `Site` (what a writer said, validated). A `Library`
is all of them together with the `Problem`s found. What the public sees is a `Thing` (identity: who is
who, where it lives, whether it is public) with its current edition; `PublicReview` and its kin join the
two for those who render.

Text fields are NFC and free of control characters; datetimes are aware and in UTC; paths are relative to
the content folder, in NFC, with `/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# --------------------------------------------------------------------------- what writers say


class Kind(StrEnum):
    """What sort of text a review file holds; shown as its label."""

    REVIEW = "review"
    RECAP = "recap"
    NEWS = "news"
    INTERVIEW = "interview"
    LIST = "list"


class SpoilerLevel(StrEnum):
    """How much a text gives away."""

    NONE = "none"
    MILD = "mild"
    FULL = "full"


class Federate(StrEnum):
    """The writer's wish for one review (`federate:` in front matter)."""

    YES = "yes"
    NO = "no"
    NOW = "now"
    UNLISTED = "unlisted"


class BodyFormat(StrEnum):
    """How the body text is written."""

    MARKDOWN = "markdown"
    PLAIN = "plain"


class AuthorStatus(StrEnum):
    """Whether an author still writes here."""

    ACTIVE = "active"
    ALUMNI = "alumni"


@dataclass(frozen=True)
class Spoilers:
    """The spoiler statement of a review. `scope` is the writer's free text ("to episode 6")."""

    level: SpoilerLevel = SpoilerLevel.NONE
    scope: str = ""

    @property
    def withheld(self) -> bool:
        """True when feeds and posts must carry the warning instead of the text."""
        return self.level is SpoilerLevel.FULL


@dataclass(frozen=True)
class Picture:
    """A derived picture under MEDIA: `name` is its content-hashed file name, `size` in bytes."""

    name: str
    media_type: str
    width: int
    height: int
    size: int


@dataclass(frozen=True)
class Image:
    """A picture with what the writer says about it. Without `picture` only the credit is known."""

    picture: Picture | None = None
    alt: str = ""
    credit: str = ""
    credit_url: str = ""
    caption: str = ""
    license: str = ""


@dataclass(frozen=True)
class Rating:
    """A rating as the writer gave it, e.g. 8 of 10."""

    value: float
    best: float = 10
    worst: float = 0


@dataclass(frozen=True)
class Link:
    """A named link of the site or of an author."""

    name: str
    url: str


@dataclass(frozen=True)
class Federation:
    """How reviews appear in the fediverse; None in a review means: as the site says."""

    object: str | None = None  # "note" | "article"
    body: str | None = None  # "teaser" | "full"
    media: str | None = None  # "poster" | "card"


@dataclass(frozen=True)
class Review:
    """One validated review file.

    `authors` and `drama` are slugs into the same Library. `links` maps each target as written in the body
    to the content path of the review it means, `pictures` each embedded picture as written to its Picture.
    """

    path: str
    title: str
    slug: str
    body: str
    format: BodyFormat = BodyFormat.MARKDOWN
    kind: Kind = Kind.REVIEW
    authors: tuple[str, ...] = ()
    byline_implied: bool = False  # the file names no author; `authors` comes from the site's defaults
    published: datetime | None = None
    date_only: bool = False  # `published` was a date without a time: 12:00 stands in for the time
    updated: datetime | None = None
    correction: str = ""
    draft: bool = False
    drama: str | None = None
    season: int | None = None
    episodes_covered: str = ""
    rating: Rating | None = None
    verdict: str = ""
    summary: str = ""
    spoilers: Spoilers = Spoilers()
    content_notes: tuple[str, ...] = ()
    image: Image | None = None
    trailer: str = ""
    tags: tuple[str, ...] = ()
    lang: str = ""
    explicit_slug: bool = False
    redirect_from: tuple[str, ...] = ()
    canonical_url: str = ""
    comments: str = ""
    federate: Federate = Federate.YES
    federation: Federation = Federation()
    imported_from: str = ""
    links: tuple[tuple[str, str], ...] = ()
    pictures: tuple[tuple[str, Picture], ...] = ()


@dataclass(frozen=True)
class Author:
    """One writer: from `authors/<slug>.md`, or implied by a plain-text review (`implied`)."""

    slug: str
    name: str
    path: str = ""
    aliases: tuple[str, ...] = ()
    handle: str | None = None  # as written; None = derived from the name
    bio: str = ""  # Markdown
    avatar: Image | None = None
    pronouns: str = ""
    links: tuple[Link, ...] = ()
    fediverse: str = ""
    guest: bool = False
    status: AuthorStatus = AuthorStatus.ACTIVE
    moved_to: str = ""
    implied: bool = False


@dataclass(frozen=True)
class Role:
    """One cast member."""

    actor: str
    role: str = ""


@dataclass(frozen=True)
class Source:
    """The work a drama is based on."""

    kind: str = ""
    title: str = ""
    by: str = ""


@dataclass(frozen=True)
class Drama:
    """Facts about one series: from `dramas/<slug>.yaml`, or inline in a review (`implied`)."""

    slug: str
    title: str
    path: str = ""
    title_native: str = ""
    title_romanized: str = ""
    aliases: tuple[str, ...] = ()
    released: str = ""  # "2022" or "2022-01" or "2022-01-28": the precision given is kept
    platform: str = ""
    episodes: int | None = None
    seasons: int | None = None
    status: str = ""
    based_on: Source | None = None
    writers: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    cast: tuple[Role, ...] = ()
    genres: tuple[str, ...] = ()
    country: str = ""
    ids: tuple[tuple[str, str], ...] = ()  # (wikidata|tmdb|imdb|mydramalist, id)
    implied: bool = False


@dataclass(frozen=True)
class Page:
    """A plain page from `pages/<slug>.md`."""

    path: str
    slug: str
    title: str
    body: str
    pictures: tuple[tuple[str, Picture], ...] = ()


@dataclass(frozen=True)
class Site:
    """site.yaml: the editorial settings."""

    title: str = "dramafeed"
    description: str = ""
    language: str = "en"
    timezone: str = "UTC"
    handle: str = "blog"
    links: tuple[Link, ...] = ()
    default_author: str | None = None  # author slug
    editors: tuple[str, ...] = ()  # author slugs who may act on everybody's reviews
    spoilers: Spoilers = Spoilers()
    federation: Federation = Federation(object="note", body="teaser", media="poster")
    avatar: Image | None = None
    header: Image | None = None


class Severity(StrEnum):
    """Whether a problem keeps its file from being published."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """Something wrong in a content file, and what to write instead. Lines and columns count from 1."""

    path: str
    message: str
    fix: str = ""
    line: int = 1
    column: int = 1
    severity: Severity = Severity.ERROR
    field: str = ""

    def __str__(self) -> str:
        """`file:line:column: problem. fix`, the form that editors can jump to."""
        text = f"{self.path}:{self.line}:{self.column}: {self.message.rstrip('.')}."
        return f"{text} {self.fix}".rstrip()


@dataclass(frozen=True)
class FileFacts:
    """What the file system (and git) knows of a file: last change, and first commit where known."""

    modified: datetime
    committed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A review file without its words: all that a pass has to know of a review that did not change.

    `words_hash` is the hash of the whole review as an edition would hold it, `body_hash` that of its text,
    blind to white space at its ends ("" for an empty text). The other fields are those of `Review`.
    """

    path: str
    title: str
    slug: str
    words_hash: str
    body_hash: str
    explicit_slug: bool = False
    authors: tuple[str, ...] = ()
    byline_implied: bool = False
    published: datetime | None = None
    date_only: bool = False
    draft: bool = False
    drama: str | None = None
    federate: Federate = Federate.YES
    imported_from: str = ""


@dataclass(frozen=True)
class Library:
    """The whole content folder, read once.

    `cards` and `reviews` are keyed by path, `authors`, `dramas` and `pages` by slug. The words of `reviews`
    are read when somebody asks. `broken` holds the paths that exist but cannot be published (their last
    good edition stays). `site` is None when site.yaml is broken. `complete` is False when the folder itself
    could not be read: then nothing may be concluded from absence. What did not change since the last time is
    the same object as then; `changed` are the paths of reviews whose cards or standing may be others (None:
    all). The next time, `cards` is brought up to date in place.
    """

    site: Site | None = field(default_factory=Site)
    cards: Mapping[str, Card] = field(default_factory=dict)
    reviews: Mapping[str, Review] = field(default_factory=dict)
    changed: frozenset[str] | None = None
    authors: Mapping[str, Author] = field(default_factory=dict)
    dramas: Mapping[str, Drama] = field(default_factory=dict)
    pages: Mapping[str, Page] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    facts: Mapping[str, FileFacts] = field(default_factory=dict)
    complete: bool = True
    root_identity: str = ""  # device and inode of the folder: tells a replaced or unmounted one


# --------------------------------------------------------------------------- what the public sees


INSTANCE_HANDLE = "instance"  # of the actor that signs our GET requests; nobody can have it


class ThingKind(StrEnum):
    """What can have editions."""

    SITE = "site"
    AUTHOR = "author"
    DRAMA = "drama"
    REVIEW = "review"
    PAGE = "page"


class LabelKind(StrEnum):
    """The two sorts of label that have a page and feeds of their own."""

    TAG = "tag"
    KIND = "kind"


class State(StrEnum):
    """Where a thing stands. HIDDEN = draft again, its Delete still waits."""

    PUBLIC = "public"
    HIDDEN = "hidden"
    WITHDRAWN = "withdrawn"
    FORGOTTEN = "forgotten"


class Federated(StrEnum):
    """Whether a review was announced to other servers: kept back by a quiet rule, or told."""

    QUIET = "quiet"
    TOLD = "told"


@dataclass(frozen=True, slots=True)
class Thing:
    """Identity and standing of one thing; its words are in the edition it points to."""

    uid: str
    kind: ThingKind
    path: str
    slug: str
    generation: int = 0
    state: State = State.PUBLIC
    edition: int | None = None
    edition_hash: str = ""
    body_hash: str = ""
    title: str = ""
    handle: str | None = None  # of an author's or the site's actor; frozen
    published: datetime | None = None  # frozen at first publication
    attributed_to: str | None = None  # handle of the actor that Creates it; frozen
    revised_at: datetime | None = None  # strictly grows; ActivityPub's `updated`
    federated: Federated = Federated.QUIET
    unlisted: bool = False
    form: str = ""  # "note" or "article"; frozen
    dated: bool = True  # the writer gave the date
    first_seen: datetime | None = None
    missing_since: datetime | None = None
    hidden_since: datetime | None = None
    removal_confirmed: bool = False
    deleted: bool = False  # others were told that it is gone: this uid may never come back
    final: bool = False  # withdrawn by hand: the file's presence does not bring it back
    author_uids: tuple[str, ...] = ()
    drama_uid: str | None = None


@dataclass(frozen=True)
class PublicAuthor:
    """An author as the public sees them."""

    thing: Thing
    author: Author


@dataclass(frozen=True)
class PublicDrama:
    """A drama as the public sees it."""

    thing: Thing
    drama: Drama


@dataclass(frozen=True)
class PublicPage:
    """A plain page as the public sees it."""

    thing: Thing
    page: Page


@dataclass(frozen=True)
class PublicSite:
    """The site as the public sees it."""

    thing: Thing
    site: Site


@dataclass(frozen=True)
class PublicReview:
    """A review as the public sees it, with the current editions it refers to.

    `links` maps each target as written in the body to the slug of the public review it means.
    """

    thing: Thing
    review: Review
    authors: tuple[PublicAuthor, ...] = ()
    drama: PublicDrama | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def published(self) -> datetime:
        """The frozen instant of first publication."""
        if self.thing.published is None:
            raise ValueError(f"review {self.thing.uid} was never published")
        return self.thing.published

    @property
    def updated(self) -> datetime:
        """What pages and feeds show as updated: the writer's word, else the publication."""
        return self.review.updated or self.published


# --------------------------------------------------------------------------- names of documents
#
# What a document is made of, as the database counts its changes: a page, feed or object is rendered anew
# when one of the keys it names has changed.

SITE_KEY = "site"
AUTHORS_KEY = "authors"
DRAMAS_KEY = "dramas"
ALL_REVIEWS_KEY = "list:site"  # which reviews there are, and where they belong
ANY_REVIEW_KEY = "reviews"  # the words of any of them


def thing_key(kind: ThingKind, uid: str) -> str:
    """The words and standing of one thing."""
    return f"{kind.value}:{uid}"


def list_key(sort: str, name: str) -> str:
    """Which reviews a list holds: sort is author, drama (by uid), tag, kind (by slug) or actor (handle)."""
    return f"list:{sort}:{name}"


def followers_key(handle: str) -> str:
    """How many follow an actor of ours."""
    return f"followers:{handle}"
