"""What a feed says, before any format: frozen values that the caller fills from editions.

Text is made printable when a value is made (control characters, lone surrogates, line ends), so
that RSS, Atom and JSON always say the same. Will not look anything up, make links absolute or read
a clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from html import escape

# Characters that XML 1.0 forbids or advises against (section 2.2), and that I-JSON forbids (RFC
# 7493, section 2.1): controls, lone surrogates, noncharacters. One would take the whole feed down.
# Written as "none of those allowed", which the regex engine tests 14 times faster.
_BEYOND_BMP = "".join(f"{chr(plane)}-{chr(plane + 0xFFFD)}" for plane in range(0x10000, 0x110000, 0x10000))
_UNPRINTABLE = re.compile(f"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd{_BEYOND_BMP}]")
_LINE_END = re.compile("\r\n?|\x85")  # XML parsers would turn them into \n anyway
_BLANKS = re.compile("[ \t\n\u2028\u2029]+")  # not every Unicode blank: a no-break space is meant
_SEVERAL_LINES = frozenset({"html", "summary"})


@dataclass(frozen=True)
class _Printable:
    """Cleans every text and pins every instant to a whole second in UTC."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _clean(value, field.name))


def _clean(value: object, name: str) -> object:
    if isinstance(value, str):
        return text(value) if name in _SEVERAL_LINES else line(value)
    if isinstance(value, datetime):
        return instant(value, name)
    if isinstance(value, tuple):
        return tuple(_clean(part, name) for part in value)
    return value


def text(value: str) -> str:
    """`value` without the characters that XML and JSON cannot carry, its line ends as newlines."""
    return _UNPRINTABLE.sub("", _LINE_END.sub("\n", value))


def line(value: str) -> str:
    """`text` on one line, without blanks at its ends."""
    return _BLANKS.sub(" ", text(value)).strip(" ")


def instant(value: datetime, name: str) -> datetime:
    """`value` in UTC, to the second, which is what RSS can say. Naive ones are a mistake."""
    if value.tzinfo is None:
        raise ValueError(f"{name} has no time zone: {value.isoformat()}")
    return value.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class FeedUrls(_Printable):
    """The addresses of one feed in its three formats."""

    rss: str
    atom: str
    json: str


@dataclass(frozen=True)
class FeedAuthor(_Printable):
    """A writer; `account` is `handle@domain` where they can be followed."""

    name: str
    url: str = ""
    account: str = ""


def _named(authors: tuple[FeedAuthor, ...]) -> tuple[FeedAuthor, ...]:
    return tuple(author for author in authors if author.name)


@dataclass(frozen=True)
class FeedImage(_Printable):
    """The lead picture of an entry; `size` in bytes. Width, height and size are 0 if unknown."""

    url: str
    media_type: str
    width: int = 0
    height: int = 0
    size: int = 0
    alt: str = ""
    credit: str = ""
    caption: str = ""

    @property
    def figure(self) -> str:
        """The picture as HTML, the one form that every reader shows: size, alt and credit."""
        size = "".join(
            f' {side}="{pixels}"'
            for side, pixels in (("width", self.width), ("height", self.height))
            if pixels
        )
        credit = f"<small>{escape(self.credit)}</small>" if self.credit else ""
        caption = " ".join(part for part in (escape(self.caption), credit) if part)
        legend = f"<figcaption>{caption}</figcaption>" if caption else ""
        image = f'<img src="{escape(self.url)}" alt="{escape(self.alt)}"{size}>'
        return f"<figure>{image}{legend}</figure>"


@dataclass(frozen=True)
class FeedReplies(_Printable):
    """Where the replies to an entry are read (`url`, a page) and how many are shown there."""

    url: str
    count: int = 0
    feed_url: str = ""  # an RSS feed of the replies


@dataclass(frozen=True)
class FeedEntry(_Printable):
    """One review in a feed.

    `html` is the text with absolute links and without the lead picture, which is put in front of
    it. `summary` is plain text. `object_url` is the ActivityPub id, `account` the `handle@domain`
    that posted it.
    """

    id: str
    url: str
    title: str
    published: datetime
    updated: datetime
    html: str
    summary: str = ""
    authors: tuple[FeedAuthor, ...] = ()
    categories: tuple[str, ...] = ()
    image: FeedImage | None = None
    language: str = ""  # "" = the feed's
    object_url: str = ""
    account: str = ""
    replies: FeedReplies | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        # Names and tags that were nothing but unprintable characters would make the feed invalid.
        object.__setattr__(self, "authors", _named(self.authors))
        object.__setattr__(self, "categories", tuple(dict.fromkeys(filter(None, self.categories))))
        object.__setattr__(self, "title", self.title or self.url)

    @property
    def full_text(self) -> str:
        """The whole HTML, the lead picture first."""
        return f"{self.image.figure}\n{self.html}" if self.image else self.html


@dataclass(frozen=True)
class FeedDocument(_Printable):
    """One feed, ready to be written in every format; entries stand in the order of the feed.

    `created` is the instant that an empty feed shows as its last change. `authors` stand in for
    entries without any; without both, the feed itself is the author. `links` are the relations of
    RFC 5005 (prev-archive, next-archive, current ...); `archive` marks a document that is never
    added to.
    """

    id: str
    title: str
    home_url: str
    self_urls: FeedUrls
    created: datetime
    subtitle: str = ""
    language: str = "en"
    entries: tuple[FeedEntry, ...] = ()
    authors: tuple[FeedAuthor, ...] = ()
    icon_url: str = ""
    stylesheet_url: str = ""
    hub: str = ""
    links: tuple[tuple[str, FeedUrls], ...] = ()
    archive: bool = False
    image_enclosures: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        title = self.title or self.home_url
        object.__setattr__(self, "title", title)
        # Atom wants an author for every entry (RFC 4287, section 4.2.1).
        authors = _named(self.authors) or (FeedAuthor(title, self.home_url),)
        object.__setattr__(self, "authors", authors)

    def authors_of(self, entry: FeedEntry) -> tuple[FeedAuthor, ...]:
        """Who wrote `entry`: its own authors, else those of the feed.

        Every format lets entries inherit them, but many readers do not, so each entry names them.
        """
        return entry.authors or self.authors

    def language_of(self, entry: FeedEntry) -> str:
        """The language of `entry` where it is not the feed's, else "".

        Readers take the language of an entry from the feed unless it has one of its own.
        """
        return "" if entry.language == self.language else entry.language

    @property
    def updated(self) -> datetime:
        """The last change of any entry: taken from the content, never from the clock."""
        return max((entry.updated for entry in self.entries), default=self.created)


@dataclass(frozen=True)
class Outline(_Printable):
    """One line of an OPML list: a feed, or a group of them (`children`, no `xml_url`)."""

    text: str
    xml_url: str = ""
    html_url: str = ""
    description: str = ""
    language: str = ""
    children: tuple[Outline, ...] = ()
