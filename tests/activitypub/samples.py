"""Values that many tests start from."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache

from dramafeed.activitypub.signatures import PrivateKey, SignedRequest, Signer
from dramafeed.model import Image, Picture
from dramafeed.urls import Urls

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
URLS = Urls("https://blog.example", "blog.example")
BODY = b'{"type":"Like"}'
KEY_ID = "https://social.example/users/ann#main-key"
ACTOR = "https://social.example/users/ann"

POSTER = Image(
    picture=Picture("3f9a.jpg", "image/jpeg", 600, 900, 81234),
    alt="Two people under one umbrella",
)


def key(number: int = 0) -> PrivateKey:
    """A key of its own for each number, generated once."""
    return _key(number)


@cache
def _key(_number: int) -> PrivateKey:
    return PrivateKey.generate()


def signer(key_id: str = KEY_ID, number: int = 0) -> Signer:
    """Someone of another server."""
    return Signer(key(number), key_id)


def digest(body: bytes) -> str:
    """The value of a Digest header."""
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()


def request(
    headers: dict[str, str],
    *,
    method: str = "POST",
    target: str = "/ap/inbox",
    body: bytes = BODY,
    origin: str = "https://blog.example",
    allowed_hosts: frozenset[str] = frozenset(),
) -> SignedRequest:
    """A request as the web server would hand it over."""
    lowered = {name.lower(): [value] for name, value in headers.items()}
    return SignedRequest(method, target, lowered, body, origin, allowed_hosts)
