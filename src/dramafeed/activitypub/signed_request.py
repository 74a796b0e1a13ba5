"""What both forms of signature have in common: the request, its host, its digest and its age.

Every check here is cheap and needs no key. Will not read signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache

from dramafeed.activitypub import addresses
from dramafeed.errors import MalformedError, SignatureError

MAX_AGE = timedelta(hours=1)
MAX_AHEAD = timedelta(minutes=5)
MAX_HEADER = 8192
# An HTTP date, or what mail programs make of it; nothing before or after.
_DATE = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} "
    r"(?:GMT|UTC|[+-][0-9]{4})"
)
_BODILESS = frozenset({"GET", "HEAD"})


class Form(StrEnum):
    """The two ways of signing a request: the draft that everybody uses, and the standard."""

    CAVAGE = "draft-cavage"
    RFC9421 = "rfc9421"


@dataclass(frozen=True)
class SignedRequest:
    """A request as it arrived. `origin` is our own, from BASE_URL, never from the request.

    `target` is the raw path with its query. `headers` has names in lower case and every value that
    was sent under a name. `allowed_hosts` are authorities at which we answer besides the origin's.
    """

    method: str
    target: str
    headers: Mapping[str, Sequence[str]]
    body: bytes
    origin: str
    allowed_hosts: frozenset[str] = frozenset()

    @property
    def has_body(self) -> bool:
        """True for methods that carry a body, whose digest must then be signed."""
        return self.method.upper() not in _BODILESS


@dataclass(frozen=True)
class ParsedSignature:
    """A signature that passed every check that needs no key.

    `messages` are the texts of which one must have been signed; for RFC 9421 they are built later.
    """

    form: Form
    key_id: str
    signature: bytes
    covered: tuple[str, ...]
    messages: tuple[bytes, ...] = ()
    request: SignedRequest | None = field(default=None, repr=False)


def http_date(now: datetime) -> str:
    """The value of a Date header (RFC 9110 section 5.6.7)."""
    return _http_date(int(now.timestamp()))


@lru_cache(maxsize=8)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def single(request: SignedRequest, name: str) -> str:
    """The value of a header that must be there exactly once."""
    values = request.headers.get(name, ())
    if len(values) != 1:
        raise SignatureError(f"The header {name} is {'missing' if not values else 'repeated'}.")
    value = values[0].strip(" \t")
    if len(value) > MAX_HEADER:
        raise SignatureError(f"The header {name} is longer than {MAX_HEADER} characters.")
    return value


def combined(request: SignedRequest, name: str) -> str:
    """All values of a header, as they are signed: joined by a comma."""
    values = request.headers.get(name, ())
    if not values:
        raise SignatureError(f"The header {name} is signed but missing.")
    value = ", ".join(each.strip(" \t") for each in values)
    if len(value) > MAX_HEADER or "\n" in value or "\r" in value:
        raise SignatureError(f"The header {name} is too long or spans lines.")
    return value


def check_host(request: SignedRequest) -> None:
    """The request must be meant for us: a signature for another server is no signature here."""
    host = single(request, "host")
    scheme = request.origin.partition(":")[0]
    try:
        ours = addresses.authority(request.origin)
        theirs = addresses.canonical_authority(host, scheme)
        others = {addresses.canonical_authority(each, scheme) for each in request.allowed_hosts}
    except MalformedError as error:
        raise SignatureError(f"The header host cannot be used: {error}") from error
    if theirs not in {ours, *others}:
        raise SignatureError(f"The request is for {theirs}, which is not this site.")


def check_window(moment: datetime, now: datetime, what: str) -> None:
    """Refuses what was signed more than an hour ago or lies more than five minutes ahead."""
    if moment < now - MAX_AGE:
        raise SignatureError(f"{what} is more than an hour old.")
    if moment > now + MAX_AHEAD:
        raise SignatureError(f"{what} is more than five minutes in the future.")


def check_not_expired(moment: datetime, now: datetime) -> None:
    """Refuses what its own sender calls expired; the clocks may differ a little."""
    if moment < now - MAX_AHEAD:
        raise SignatureError("The signature has expired.")


def instant(seconds: int) -> datetime:
    """A Unix time as an instant."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SignatureError("A time of the signature is out of range.") from error


def check_date(request: SignedRequest, now: datetime) -> None:
    """The Date header must be readable and recent (RFC 9110 section 5.6.7)."""
    check_window(_date(single(request, "date")), now, "The header date")


@lru_cache(maxsize=64)  # what comes within a second says the same
def _date(value: str) -> datetime:
    if not _DATE.fullmatch(value):
        raise SignatureError("The header date is not a date.")
    try:
        moment = parsedate_to_datetime(value)
        # "-0000" gives a naive time: UTC, as the sender does not know its zone.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise SignatureError("The header date is not a date.") from error


def check_digest(request: SignedRequest, name: str) -> None:
    """The SHA-256 in `digest` (RFC 3230) or `content-digest` (RFC 9530) must be the body's own."""
    claimed = [
        value for algorithm, value in _digests(combined(request, name), name) if algorithm == "sha-256"
    ]
    if len(claimed) != 1:
        raise SignatureError(f"The header {name} must name sha-256 exactly once.")
    try:
        digest = base64.b64decode(claimed[0], validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"The header {name} is not base64.") from error
    if not hmac.compare_digest(digest, hashlib.sha256(request.body).digest()):
        raise SignatureError(f"The header {name} does not match the body.")


def _digests(value: str, name: str) -> list[tuple[str, str]]:
    members: list[tuple[str, str]] = []
    for member in value.split(","):
        algorithm, equals, digest = member.strip(" \t").partition("=")
        if not equals:
            raise SignatureError(f"The header {name} is not a list of digests.")
        if name == "content-digest":
            if len(digest) < 2 or digest[0] != ":" or digest[-1] != ":":
                raise SignatureError(f"The header {name} is not a list of byte sequences.")
            digest = digest[1:-1]
        members.append((algorithm.lower(), digest))
    return members
