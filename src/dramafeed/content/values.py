"""Single values as writers type them: text becomes dates, ratings, numbers, addresses and choices.

Every function takes what stands in the front matter (a text, a list or a mapping of texts) and
returns the typed value, or raises `MistakeError` with one plain sentence and what to write instead.
Will not look at other files or at the clock.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from dramafeed.model import Federate, Link, Rating, Role, Source, SpoilerLevel, Spoilers

from .names import nearest, one_line, slugify

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MAX_TEXT = 2000
MAX_ITEMS = 100


class MistakeError(ValueError):
    """A value that cannot be used; `fix` is what to write instead."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Moment(NamedTuple):
    """An instant in UTC; `date_only` when the writer gave a day without a time."""

    instant: datetime
    date_only: bool


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Plain text on one line, at most `limit` letters."""
    if not isinstance(value, str):
        raise MistakeError("This must be a text", "Write it on one line, in quotes.")
    result = one_line(value)
    if len(result) > limit:
        raise MistakeError(f"The text is longer than {limit} letters", "Shorten it.")
    return result


def title(value: object) -> str:
    """A title: text that is not empty."""
    return _not_empty(text(value, 300), "a title")


def name(value: object) -> str:
    """A person's name."""
    return _not_empty(text(value, 100), "a name")


def _not_empty(value: str, what: str) -> str:
    if not value:
        raise MistakeError("There is nothing here", f"Write {what}.")
    return value


def texts(value: object) -> tuple[str, ...]:
    """A list of texts; one text alone is a list of one."""
    return _unique(_each(value, text))


def words(value: object) -> tuple[str, ...]:
    """A list of short texts, also written as one text with commas."""
    if isinstance(value, str):
        value = value.split(",")
    return texts(value)


def tags(value: object) -> tuple[str, ...]:
    """Tags; a leading # is dropped, and two that make the same address count once."""
    kept: dict[str, str] = {}
    for tag in words(value):
        bare = tag.lstrip("#").strip()
        slug = slugify(bare)
        if not slug or len(bare) > 60:
            raise MistakeError(f"`{tag}` is no tag", "A tag has letters or digits, at most 60 of them.")
        kept.setdefault(slug, bare)
    return tuple(kept.values())


def _each(value: object, convert: Callable[[object], T]) -> list[T]:
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_ITEMS:
        raise MistakeError(f"The list has more than {MAX_ITEMS} entries", "Shorten it.")
    return [convert(item) for item in items]


def _unique(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v for v in values if v))


# ---------------------------------------------------------------------------- choices

_YES = {"yes", "true", "on", "y", "1"}
_NO = {"no", "false", "off", "n", "0"}


def yes_no(value: object) -> bool:
    """yes or no, in the words people use."""
    word = text(value).casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise MistakeError(f"`{word}` is neither yes nor no", "Write yes or no.")


def choice(value: object, known: tuple[str, ...]) -> str:
    """One of a few known words."""
    word = text(value).casefold()
    if word in known:
        return word
    raise MistakeError(f"`{text(value)}` is not one of the known values", _choices(word, known))


def member(value: object, enum: type[E]) -> E:
    """One member of a closed list."""
    return enum(choice(value, tuple(m.value for m in enum)))


def _choices(word: str, known: tuple[str, ...]) -> str:
    near = nearest(word, known)
    listing = ", ".join(known[:-1]) + f" or {known[-1]}"
    return f"Did you mean {near}?" if near else f"Write {listing}."


def federate(value: object) -> Federate:
    """yes, no, now or unlisted."""
    word = text(value).casefold()
    if word in _YES:
        return Federate.YES
    return Federate.NO if word in _NO else member(value, Federate)


def spoilers(value: object) -> Spoilers:
    """none, mild, full, or how far it goes ("to episode 6"), which withholds like full."""
    scope = text(value, 100)
    word = scope.casefold()
    levels = tuple(level.value for level in SpoilerLevel)
    if word in levels:
        return Spoilers(SpoilerLevel(word))
    if word in _NO:
        return Spoilers(SpoilerLevel.NONE)
    if word in _YES or (" " not in word and nearest(word, levels)):
        raise MistakeError(f"`{scope}` does not say how much is given away", _choices(word, levels))
    return Spoilers(SpoilerLevel.FULL, _not_empty(scope, "none, mild or full"))


def comments(value: object) -> str:
    """open, approve or closed."""
    return choice(value, ("open", "approve", "closed"))


_LANGUAGES = {
    "kr": "ko",
    "korean": "ko",
    "jp": "ja",
    "japanese": "ja",
    "cn": "zh",
    "chinese": "zh",
    "english": "en",
    "dutch": "nl",
    "german": "de",
    "french": "fr",
    "spanish": "es",
}


def language(value: object) -> str:
    """A language tag such as en or ko-KR (BCP 47)."""
    word = text(value)
    known = _LANGUAGES.get(word.casefold())
    if known:
        raise MistakeError(f"`{word}` is not a language tag", f"Write {known}.")
    if not re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}", word):
        fix = f"Write {word.replace('_', '-')}." if "_" in word else "Write en, ko or nl-BE."
        raise MistakeError(f"`{word}` is not a language tag", fix)
    first, *rest = word.split("-")
    return "-".join([first.lower(), *(p.upper() if len(p) == 2 else p for p in rest)])


def timezone_name(value: object) -> str:
    """A time zone such as Europe/Brussels."""
    word = text(value)
    try:
        ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        near = next((z for z in sorted(known) if z.casefold() == word.casefold()), nearest(word, known))
        city = next((z for z in sorted(known) if z.casefold().endswith("/" + word.casefold())), near)
        fix = f"Did you mean {city}?" if city else "Write one such as Europe/Brussels or Asia/Seoul."
        raise MistakeError(f"There is no time zone `{word}`", fix) from None
    return word


# ---------------------------------------------------------------------------- numbers, dates


def number(value: object) -> int:
    """A whole number from 1 to 9999."""
    word = text(value)
    if re.fullmatch(r"[0-9]{1,4}", word) and int(word) > 0:
        return int(word)
    digits = re.search(r"[0-9]{1,4}", word)
    fix = f"Write {int(digits[0])}." if digits and int(digits[0]) else "Write a number such as 12."
    raise MistakeError(f"`{word}` is not a whole number", fix)


def episodes(value: object) -> str:
    """One episode or a range, as `8` or `1-8`."""
    word = text(value)
    match = re.fullmatch(r"([0-9]{1,4})(?:\s*(?:-|–|—|to|until)\s*([0-9]{1,4}))?", word, re.I)
    if not match:
        raise MistakeError(f"`{word}` is no range of episodes", "Write 8 or 1-8.")
    first, last = int(match[1]), int(match[2] or match[1])
    if first > last:
        raise MistakeError(f"The range `{word}` ends before it begins", f"Write {last}-{first}.")
    return str(first) if first == last else f"{first}-{last}"


_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt]|\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([Zz]|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_YEAR_FIRST = re.compile(r"(\d{4})[./](\d{1,2})[./](\d{1,2})(?:\s.*)?", re.ASCII)


def moment(value: object, zone: tzinfo) -> Moment:
    """A date or date-time, read in `zone` unless it names its own offset.

    A date alone means 12:00 of that day.
    """
    word = text(value)
    match = _MOMENT.fullmatch(word)
    if not match:
        swapped = _YEAR_FIRST.fullmatch(word)
        fix = "Write year-month-day, for example 2022-11-04 or 2022-11-04 18:00."
        if swapped:
            fix = f"Write {swapped[1]}-{int(swapped[2]):02}-{int(swapped[3]):02}."
        raise MistakeError(f"`{word}` is not a date that can be read", fix)
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    _check_day(word, year, month, day)
    if match[4] is None:
        return Moment(datetime(year, month, day, 12, tzinfo=zone).astimezone(UTC), True)
    hour, minute, second = int(match[4]), int(match[5]), int(match[6] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise MistakeError(f"There is no such time as in `{word}`", "Write the time as 00:00 to 23:59.")
    local = datetime(year, month, day, hour, minute, second, tzinfo=_offset(match[7]) or zone)
    return Moment(local.astimezone(UTC), False)


def _check_day(word: str, year: int, month: int, day: int) -> None:
    if not 1950 <= year <= 2199:
        raise MistakeError(f"The year of `{word}` is out of range", "Write a year from 1950 to 2199.")
    if not 1 <= month <= 12:
        raise MistakeError(f"There is no month {month}", "Write year-month-day, for example 2022-11-04.")
    last = calendar.monthrange(year, month)[1]
    if not 1 <= day <= last:
        raise MistakeError(f"There is no day {day} in {year}-{month:02}", f"Write a day from 1 to {last}.")


def _offset(word: str | None) -> tzinfo | None:
    if not word:
        return None
    if word in "Zz":
        return UTC
    hours, minutes = int(word[1:3]), int(word[-2:])
    if hours > 14 or minutes > 59:
        raise MistakeError(f"There is no offset `{word}`", "Write one such as +09:00.")
    return timezone((1 if word[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def released(value: object) -> str:
    """A year, month or day of release, in the precision given."""
    word = text(value)
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", word, re.ASCII)
    if not match:
        raise MistakeError(f"`{word}` is no date of release", "Write 2022, 2022-01 or 2022-01-28.")
    _check_day(word, int(match[1]), int(match[2] or 1), int(match[3] or 1))
    return "-".join([match[1], *(f"{int(part):02}" for part in match.groups()[1:] if part)])


_NUMBER = r"[0-9]{1,4}(?:[.,][0-9]{1,3})?"
_RATING = re.compile(rf"({_NUMBER})\s*(?:/|out of|of)\s*({_NUMBER})", re.I)


def rating(value: object) -> Rating:
    """A rating such as `8/10` or {value, best, worst}."""
    if isinstance(value, dict):
        unknown = set(value) - {"value", "best", "worst"}
        if unknown or "value" not in value:
            raise MistakeError("A rating has value, best and worst", "Write rating: 8/10.")
        return _rating(
            *(_decimal(value.get(k, d)) for k, d in (("value", ""), ("best", "10"), ("worst", "0")))
        )
    word = text(value)
    match = _RATING.fullmatch(word)
    if match:
        return _rating(_decimal(match[1]), _decimal(match[2]), 0.0)
    bare = re.fullmatch(_NUMBER, word)
    fix = f"Write {word}/10 or {word}/5." if bare else "Write it as 8/10 or 4.5/5."
    raise MistakeError(f"`{word}` does not say of how many" if bare else f"`{word}` is no rating", fix)


def _decimal(value: object) -> float:
    word = text(value)
    if not re.fullmatch(_NUMBER, word):
        raise MistakeError(f"`{word}` is not a number", "Write it as 8 or 4.5.")
    return float(word.replace(",", "."))


def _rating(value: float, best: float, worst: float) -> Rating:
    if worst >= best:
        raise MistakeError("The best rating must be above the worst", "Write it as 8/10.")
    if not worst <= value <= best:
        raise MistakeError(
            f"{value:g} is not between {worst:g} and {best:g}", f"Write a number from {worst:g} to {best:g}."
        )
    return Rating(value, best, worst)


# ---------------------------------------------------------------------------- addresses


def url(value: object) -> str:
    """A web address with http or https."""
    word = text(value)
    if re.fullmatch(r"(?:www\.)?[\w-]+(?:\.[\w-]+)+(?:/\S*)?", word):
        raise MistakeError(f"`{word}` is not a full web address", f"Write https://{word}")
    try:
        parts = urlsplit(word)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        _ = parts.port
    except ValueError:
        good = False
    if not good or re.search(r"[\s<>\"'`\\]", word):
        raise MistakeError(f"`{word}` is not a web address", "Write one that begins with https://")
    return word


_YOUTUBE_HOSTS = {"youtube.com", "m.youtube.com", "music.youtube.com", "youtube-nocookie.com"}
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


def trailer(value: object) -> str:
    """A YouTube or Vimeo video, as the one address it is known by."""
    word = text(value)
    if _YOUTUBE_ID.fullmatch(word):
        return f"https://www.youtube.com/watch?v={word}"
    if re.fullmatch(r"[0-9]{6,10}", word):
        return f"https://vimeo.com/{word}"
    found = _video(word if "//" in word else f"https://{word}")
    if found is None:
        raise MistakeError(
            f"`{word}` is no YouTube or Vimeo video",
            "Write its address, for example https://www.youtube.com/watch?v=abcdefghijk",
        )
    return found


def _video(address: str) -> str | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    host = (parts.hostname or "").removeprefix("www.")
    steps = [step for step in parts.path.split("/") if step]
    if host in _YOUTUBE_HOSTS:
        if steps and steps[0] in ("embed", "shorts", "live", "v"):
            return _youtube(steps[1] if len(steps) > 1 else "")
        return _youtube(parse_qs(parts.query).get("v", [""])[0])
    if host == "youtu.be":
        return _youtube(steps[0] if steps else "")
    if host in ("vimeo.com", "player.vimeo.com"):
        match = re.search(r"/([0-9]{6,10})(?:/([0-9a-f]{6,20}))?/?$", parts.path)
        return f"https://vimeo.com{match[0].rstrip('/')}" if match else None
    return None


def _youtube(video: str) -> str | None:
    return f"https://www.youtube.com/watch?v={video}" if _YOUTUBE_ID.fullmatch(video) else None


def slug(value: object) -> str:
    """A slug the writer chose: letters, digits and hyphens (spaces become hyphens)."""
    word = text(value)
    made = slugify(word)
    odd = [c for c in word if c not in " -_" and unicodedata.category(c)[0] not in "LNM"]
    if not made or odd or len(word.encode()) > 200:
        fix = f"Write slug: {made}" if made else "Write letters, digits and hyphens."
        raise MistakeError("A slug has only letters, digits and hyphens, and at most 200 bytes", fix)
    return made


def paths(value: object) -> tuple[str, ...]:
    """Old addresses on this site, as paths that begin with a slash."""
    return _unique(_each(value, _old_path))


def _old_path(value: object) -> str:
    word = text(value, 500)
    if "://" in word:
        path = re.sub(r"^[^:]*://[^/]*", "", word) or "/old-address/"
        raise MistakeError(f"`{word}` is a full address", f"Write only its path: {path}")
    path = "/" + word.strip("/") + ("/" if word.endswith("/") else "")
    steps = path.split("/")
    if path in ("/", "//") or ".." in steps or "." in steps or re.search(r"[\s?#%\\<>\"]", path):
        raise MistakeError(f"`{word}` is no path of an old page", "Write one such as /2020/old-title/.")
    if steps[1] in ("ap", ".well-known", "api", "desk", "hooks"):
        raise MistakeError(f"`/{steps[1]}/` is used by dramafeed itself", "Leave this path out.")
    return path


_ACCOUNT = re.compile(r"@?([A-Za-z0-9_][A-Za-z0-9_.-]*)@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?)")


def account(value: object) -> str:
    """A fediverse account elsewhere, as @name@server."""
    word = text(value)
    match = _ACCOUNT.fullmatch(word)
    if match:
        return f"@{match[1]}@{match[2].lower()}"
    page = re.fullmatch(r"https://([A-Za-z0-9.-]+(?::\d+)?)/(?:@|users/)([A-Za-z0-9_.-]+)/?", word)
    if page:
        return f"@{page[2]}@{page[1].lower()}"
    raise MistakeError(f"`{word}` is no fediverse account", "Write it as @name@server.example.")


def account_or_url(value: object) -> str:
    """A fediverse account as @name@server, or the address of its actor."""
    return url(value) if text(value).startswith("https://") else account(value)


def handle(value: object) -> str:
    """The part of a fediverse address before the second @."""
    word = text(value).removeprefix("@").lower()
    if "@" in word:
        raise MistakeError(
            f"`{word}` is an account on another server",
            f'Write it as fediverse: "@{word}", and a name of its own as handle.',
        )
    if not re.fullmatch(r"[a-z0-9_]{1,30}", word):
        fix = re.sub(r"[^a-z0-9]+", "_", word).strip("_")[:30] or "ilse"
        raise MistakeError(
            "A handle has only the letters a to z, digits and _, at most 30", f"Write handle: {fix}"
        )
    if word in ("actor", "instance"):
        raise MistakeError(f"The handle `{word}` is reserved", "Choose another one.")
    return word


def links(value: object) -> tuple[Link, ...]:
    """Named links: a mapping of name to address, or a list of addresses or {name, url}."""
    if isinstance(value, dict):
        return tuple(Link(text(key, 100), url(address)) for key, address in value.items())
    return tuple(_each(value, _link))


def _link(value: object) -> Link:
    if isinstance(value, dict):
        if set(value) == {"name", "url"}:
            return Link(text(value["name"], 100), url(value["url"]))
        if len(value) == 1:
            ((label, address),) = value.items()
            return Link(text(label, 100), url(address))
        raise MistakeError("A link has a name and a url", "Write: - {name: Instagram, url: https://...}")
    address = url(value)
    return Link((urlsplit(address).hostname or "").removeprefix("www."), address)


# ---------------------------------------------------------------------------- drama facts


def cast(value: object) -> tuple[Role, ...]:
    """The cast: a list of {actor, role} or of names, `Name as Role`."""
    return tuple(_each(value, _role))


def _role(value: object) -> Role:
    if isinstance(value, dict):
        if set(value) <= {"actor", "role"} and "actor" in value:
            return Role(name(value["actor"]), text(value.get("role", ""), 200))
        raise MistakeError("A cast member has an actor and a role", "Write: - {actor: Name, role: Character}")
    actor, _, role = text(value).partition(" as ")
    return Role(name(actor), text(role, 200))


def source(value: object) -> Source:
    """What a drama is based on: {kind, title, by}, or the title alone."""
    if isinstance(value, dict):
        unknown = sorted(set(value) - {"kind", "title", "by"})
        if unknown:
            raise MistakeError(
                f"`{unknown[0]}` is unknown here", "Write {kind: webtoon, title: ..., by: ...}."
            )
        return Source(*(text(value.get(key, ""), 300) for key in ("kind", "title", "by")))
    return Source(title=text(value, 300))


_IDS = {
    "wikidata": (r"Q[0-9]{1,12}", "Q109561846"),
    "tmdb": (r"(?:tv/|movie/)?[0-9]{1,9}", "99966"),
    "imdb": (r"tt[0-9]{6,10}", "tt14169960"),
    "mydramalist": (r"[0-9]{1,9}(?:-[a-z0-9-]{1,100})?", "688787"),
}


def ids(value: object) -> tuple[tuple[str, str], ...]:
    """Ids at other places: a mapping of wikidata, tmdb, imdb and mydramalist."""
    if not isinstance(value, dict):
        raise MistakeError("The ids need the names of their places", "Write: ids: {imdb: tt14169960}")
    return tuple((place, _id(place, value[place])) for place in sorted(value))


def _id(place: str, value: object) -> str:
    if place not in _IDS:
        raise MistakeError(f"`{place}` is not known as a place of ids", _choices(place, tuple(_IDS)))
    pattern, example = _IDS[place]
    word = text(value)
    match = re.search(rf"(?:^|/)({pattern})(?:[-/?].*)?$", word)  # also as the end of an address
    if not match:
        raise MistakeError(f"`{word}` is no {place} id", f"Write one such as {example}.")
    return match[1]
