"""Activities and posts of other servers, read into typed values.

Keys that decide something (id, type, actor, object, audience) must have the right shape; keys that
only decorate may be missing or odd. Will not judge whether the sender may do what it says, nor
clean HTML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dramafeed.activitypub import addresses
from dramafeed.activitypub.vocabulary.strict import load
from dramafeed.activitypub.vocabulary.terms import PUBLIC, Document
from dramafeed.errors import MalformedError

MAX_CONTENT = 100_000
MAX_LIST = 10_000

_PUBLIC_NAMES = frozenset({PUBLIC, "as:Public", "Public"})
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9:/#._-]{0,127}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
# Controls, and the marks that turn text round: they are for pranks only.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]"
)


@dataclass(frozen=True)
class IncomingObject:
    """What an activity is about. Given by id alone, only `id` is set and `inline` is False.

    `content`, `summary` and `name` are the sender's HTML or text: to be cleaned before they are
    shown. `mentions` are actor ids, `hashtags` names without `#`.
    """

    id: str | None = None
    type: str | None = None
    actor: str | None = None
    object: str | None = None
    attributed_to: str | None = None
    in_reply_to: str | None = None
    url: str | None = None
    content: str | None = None
    summary: str | None = None
    name: str | None = None
    language: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    sensitive: bool = False
    mentions: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    has_attachments: bool = False
    inline: bool = False

    @property
    def public(self) -> bool:
        """True when it is addressed to everybody, listed or not."""
        return not _PUBLIC_NAMES.isdisjoint(self.to + self.cc)


@dataclass(frozen=True)
class IncomingActivity:
    """One activity as it arrived. `object` is the first of the objects, `object_ids` are all."""

    id: str
    type: str
    actor: str
    object: IncomingObject | None = None
    object_ids: tuple[str, ...] = ()
    target: str | None = None
    instrument: str | None = None
    content: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    published: datetime | None = None
    document: Document = field(default_factory=dict, compare=False, repr=False)

    @property
    def object_id(self) -> str | None:
        """The id of the object, when it has one."""
        return self.object.id if self.object else None

    @property
    def public(self) -> bool:
        """True when the activity itself is addressed to everybody, listed or not."""
        return not _PUBLIC_NAMES.isdisjoint(self.to + self.cc)


def parse_activity(raw: bytes) -> IncomingActivity:
    """The activity in the body of an inbox request.

    Raises:
        MalformedError: with the key that is wrong.
    """
    document = load(raw)
    actor = address(document, "actor", compulsory=True)
    identity = address(document, "id", compulsory=True)
    if not addresses.same_origin(identity, actor):
        raise MalformedError(f"The activity {identity} is not on the server of its actor {actor}.")
    listed = document.get("object")
    members = listed if isinstance(listed, list) else [] if listed is None else [listed]
    if len(members) > MAX_LIST:
        raise MalformedError("'object' has too many members.")
    return IncomingActivity(
        id=identity,
        type=type_name(document),
        actor=actor,
        object=_read_object(members[0]) if members else None,
        object_ids=tuple(filter(None, (_identity(member, "object") for member in members))),
        target=reference(document, "target"),
        instrument=reference(document, "instrument"),
        content=text(document, "content", MAX_CONTENT),
        to=audience(document, "to"),
        cc=audience(document, "cc"),
        published=moment(document, "published"),
        document=document,
    )


def parse_object(document: Document) -> IncomingObject:
    """A post that was fetched or came embedded in an activity.

    Raises:
        MalformedError: with the key that is wrong.
    """
    identity = address(document, "id", compulsory=True) if "id" in document else None
    return IncomingObject(
        id=identity,
        type=type_name(document),
        actor=reference(document, "actor"),
        object=reference(document, "object"),
        attributed_to=reference(document, "attributedTo"),
        in_reply_to=reference(document, "inReplyTo"),
        url=page(document) or identity,
        content=text(document, "content", MAX_CONTENT),
        summary=text(document, "summary", MAX_CONTENT),
        name=text(document, "name", MAX_CONTENT),
        language=_language(document),
        to=audience(document, "to"),
        cc=audience(document, "cc"),
        published=moment(document, "published"),
        updated=moment(document, "updated"),
        sensitive=document.get("sensitive") is True,
        mentions=_tagged(document, "Mention", "href"),
        hashtags=tuple(name.removeprefix("#") for name in _tagged(document, "Hashtag", "name")),
        has_attachments=bool(document.get("attachment")),
        inline=True,
    )


def _read_object(member: Any) -> IncomingObject:
    if isinstance(member, dict):
        return parse_object(member)
    return IncomingObject(id=_identity(member, "object"))


# --------------------------------------------------------------------------- one reader per shape


def checked_url(value: Any, key: str) -> str:
    """An http(s) URL, as it was written."""
    if not isinstance(value, str):
        raise MalformedError(f"{key!r} is not a URL.")
    try:
        addresses.parse(value)
    except MalformedError as error:
        raise MalformedError(f"{key!r} is not a usable URL: {error}") from error
    return value


def address(document: Document, key: str, *, compulsory: bool = False) -> str:
    """A key that must be a URL itself, not an object or a list."""
    if compulsory and key not in document:
        raise MalformedError(f"{key!r} is missing.")
    return checked_url(document.get(key), key)


def type_name(document: Document) -> str:
    """The `type`: one word."""
    kind = document.get("type")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise MalformedError("'type' is missing or is not one word.")
    return kind


def _identity(value: Any, key: str) -> str | None:
    """The id of something given by id or embedded."""
    if isinstance(value, dict):
        return checked_url(value["id"], f"{key}.id") if "id" in value else None
    return checked_url(value, key)


def reference(document: Document, key: str) -> str | None:
    """The id of what a key refers to; of several, the first."""
    value = document.get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None else _identity(value, key)


def audience(document: Document, key: str) -> tuple[str, ...]:
    """Recipients: one or a list of names, none of them ever resolved."""
    value = document.get(key)
    members = value if isinstance(value, list) else [] if value is None else [value]
    if len(members) > MAX_LIST:
        raise MalformedError(f"{key!r} has too many members.")
    if not all(isinstance(each, str) and len(each) <= addresses.MAX_URL for each in members):
        raise MalformedError(f"{key!r} is not a list of URLs.")
    return tuple(members)


def text(document: Document, key: str, limit: int) -> str | None:
    """A text without controls; None when absent."""
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MalformedError(f"{key!r} is not a text.")
    if len(value) > limit:
        raise MalformedError(f"{key!r} has {len(value)} characters; at most {limit} are read.")
    return _UNPRINTABLE.sub("", value)


def moment(document: Document, key: str) -> datetime | None:
    """An instant in UTC; a time without a zone is taken for UTC."""
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 64 or not _MOMENT.match(value):
        raise MalformedError(f"{key!r} is not a date and time.")
    try:
        instant = datetime.fromisoformat(value.upper())
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedError(f"{key!r} is not a date and time.") from error


def page(document: Document) -> str | None:
    """The address for people: a URL, a Link, or a list of them. It may be on any host."""
    value = document.get("url")
    candidates = value if isinstance(value, list) else [value]
    links = [each for each in candidates if isinstance(each, dict)]
    pages = [link.get("href") for link in links if link.get("mediaType") == "text/html"]
    anything = [each for each in candidates if isinstance(each, str)]
    return first_url([*pages, *anything, *(link.get("href") for link in links)])


def first_url(candidates: list[Any]) -> str | None:
    """The first candidate that is a usable URL."""
    return next((each for each in candidates if isinstance(each, str) and _usable(each)), None)


def _usable(url: str) -> bool:
    try:
        addresses.parse(url)
    except MalformedError:
        return False
    return True


def _language(document: Document) -> str | None:
    languages = document.get("contentMap")
    if not isinstance(languages, dict) or not languages:
        return None
    language = next(iter(languages))
    return language if _LANGUAGE.fullmatch(language) and language != "und" else None


def _tagged(document: Document, kind: str, key: str) -> tuple[str, ...]:
    """One key of all tags of a kind; a single tag may come without a list."""
    value = document.get("tag")
    tags = value if isinstance(value, list) else [value]
    names = (tag.get(key) for tag in tags[:MAX_LIST] if isinstance(tag, dict) and tag.get("type") == kind)
    return tuple(name for name in names if isinstance(name, str) and len(name) <= addresses.MAX_URL)
