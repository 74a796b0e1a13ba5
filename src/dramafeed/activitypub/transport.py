"""The one door out: GET a document, POST a signed body, with every limit that strangers require.

Addresses are judged when they are dialled (`dialling`). Redirects are followed for GET only, hop by
hop; a signature never leaves the host it was made for. Every failure is a `TransportError`. Will
not know what a document means, nor store anything.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin

from dramafeed.activitypub import addresses
from dramafeed.activitypub.cavage import sign_cavage
from dramafeed.activitypub.keys import Signer
from dramafeed.activitypub.reach import ANYWHERE, PUBLIC_ONLY, Limits, Policy, Resolve
from dramafeed.activitypub.vocabulary.strict import load
from dramafeed.activitypub.vocabulary.terms import (
    ACTIVITY_JSON,
    ACTIVITY_STREAMS,
    JRD_JSON,
    LD_JSON,
    Document,
)
from dramafeed.errors import ForbiddenAddressError, MalformedError, TransportError

if TYPE_CHECKING:
    import aiohttp

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST_WAIT = 7 * 24 * 3600
_SNIPPET_BYTES = 2048
_SNIPPET_CHARACTERS = 200
_PROFILE = re.compile(r';\s*profile\s*=\s*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Accept:
    """What is asked for, and which media types are taken as an answer (none named: any)."""

    header: str
    types: frozenset[str] = frozenset()

    def takes(self, content_type: str) -> bool:
        """True when a body of this type may be read. JSON-LD must carry the profile: a plain file
        that somebody uploaded somewhere does not.
        """
        kind = content_type.partition(";")[0].strip().lower()
        if self.types and kind not in self.types:
            return False
        if kind != "application/ld+json" or not self.types:
            return True
        match = _PROFILE.search(content_type)
        return match is not None and ACTIVITY_STREAMS in (match[1] or match[2]).split()


ACTIVITY = Accept(f"{ACTIVITY_JSON}, {LD_JSON}", frozenset({ACTIVITY_JSON, "application/ld+json"}))
JRD = Accept(f"{JRD_JSON}, application/json", frozenset({JRD_JSON, "application/json"}))
ANY = Accept("*/*")


@dataclass(frozen=True)
class Fetched:
    """A JSON document and the address that finally gave it."""

    url: str
    document: Document
    media_type: str


@dataclass(frozen=True)
class Body:
    """A body and the address that finally gave it."""

    url: str
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Answer:
    """What another server said to a POST: any status, redirects included. `body` is for people."""

    status: int
    retry_after: int | None = None
    body: str = ""


@dataclass(frozen=True)
class Observation:
    """What a server said, whatever it was. Header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    certificate_end: datetime | None = None


def user_agent(version: str, base_url: str) -> str:
    """How we introduce ourselves; the address lets others see who asks."""
    return f"dramafeed/{version} (+{base_url})"


class Transport:
    """Carries requests of one event loop to other servers.

    Args:
        user_agent: how we introduce ourselves (`user_agent()`).
        clock: gives the present, aware; it goes into signatures.
        allow_private: also http, any port, and private addresses; for tests and local trials.
        limits: what one request may use.
        resolve: gives the IP addresses of a host name; the system's by default.
        policy: overrides `allow_private` in finer steps.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        allow_private: bool = False,
        limits: Limits | None = None,
        resolve: Resolve | None = None,
        policy: Policy | None = None,
    ) -> None:
        from dramafeed.activitypub import dialling

        self._dialling = dialling
        self._user_agent = user_agent
        self._clock = clock
        self._limits = limits or Limits()
        self._resolve = resolve
        self._policy = policy or (ANYWHERE if allow_private else PUBLIC_ONLY)
        self._open: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all connections."""
        if self._open is not None:
            await self._open.close()
            self._open = None

    async def get_json(self, url: str, *, signer: Signer | None = None, accept: Accept = ACTIVITY) -> Fetched:
        """GET a JSON object.

        Raises:
            TransportError: there is no usable answer; `status` is set when a server gave one.
            ForbiddenAddressError: the address, or one it redirects to, may not be contacted.
        """
        body = await self.get_bytes(url, signer=signer, accept=accept)
        try:
            document = load(body.content, limit=self._limits.size)
        except MalformedError as error:
            raise TransportError(url, f"the answer cannot be read. {error}") from error
        return Fetched(body.url, document, body.media_type)

    async def get_bytes(self, url: str, *, signer: Signer | None = None, accept: Accept = ANY) -> Body:
        """GET whatever is there. Raises as `get_json` does."""
        with self._failures(url):
            async with asyncio.timeout(self._limits.total):
                return await self._follow(url, signer, accept)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        content_type: str = ACTIVITY_JSON,
    ) -> Answer:
        """POST a body under headers that were signed for it. A redirect is an answer like others.

        Raises:
            TransportError: no answer came.
            ForbiddenAddressError: the address may not be contacted.
        """
        address = self._permitted(url)
        all_headers = {"Accept-Encoding": "identity", **headers, "Content-Type": content_type}
        with self._failures(url):
            async with asyncio.timeout(self._limits.total):
                response = await self._session().post(
                    self._dialling.exact_url(address.url),
                    data=body,
                    headers=all_headers,
                    allow_redirects=False,
                )
            # The status is the answer; the rest may be missing or slow.
            async with response:
                snippet = await self._dialling.read_snippet(response, _SNIPPET_BYTES)
                return Answer(
                    response.status,
                    self._retry_after(response),
                    _one_line(snippet.decode("utf-8", "replace")),
                )

    async def observe(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Observation:
        """One request, without following a redirect or refusing an answer: for diagnosis.

        Raises:
            TransportError: no answer came.
            ForbiddenAddressError: the address may not be contacted.
        """
        address = self._permitted(url)
        with self._failures(url):
            async with (
                asyncio.timeout(self._limits.total),
                self._session().request(
                    method,
                    self._dialling.exact_url(address.url),
                    data=body,
                    headers={"Accept-Encoding": "identity", **(headers or {})},
                    allow_redirects=False,
                ) as response,
            ):
                content = await self._dialling.read_snippet(response, self._limits.size)
                named = {name.lower(): value for name, value in response.headers.items()}
                end = self._dialling.certificate_end(response)
                return Observation(url, response.status, named, content, end)

    async def _follow(self, url: str, signer: Signer | None, accept: Accept) -> Body:
        address = self._permitted(url)
        start = address.origin
        visited: set[str] = set()
        while len(visited) <= self._limits.redirects:
            if address.url in visited:
                raise TransportError(url, f"redirects in a circle, back to {address.url}.")
            visited.add(address.url)
            if address.origin != start:
                signer = None  # for good: a way back could be part of a trick
            found = await self._hop(address, signer, accept)
            if isinstance(found, Body):
                return found
            address = self._permitted(_joined(address.url, found))
        raise TransportError(url, f"redirects more than {self._limits.redirects} times.")

    async def _hop(self, address: addresses.WebAddress, signer: Signer | None, accept: Accept) -> Body | str:
        """One request: a body, or the address to ask instead."""
        url = address.url
        headers = {"Accept": accept.header, "Accept-Encoding": "gzip"}
        if signer is not None:
            headers |= sign_cavage(signer, "GET", url, now=self._clock())
        async with self._session().get(
            self._dialling.exact_url(address.url), headers=headers, allow_redirects=False
        ) as response:
            status = response.status
            if status in _REDIRECTS and "Location" in response.headers:
                return str(response.headers["Location"])
            if status != 200:
                wait = self._retry_after(response)
                raise TransportError(url, f"answered {status}.", status=status, retry_after=wait)
            kinds = response.headers.getall("Content-Type", [])
            if accept.types and (len(kinds) != 1 or not accept.takes(kinds[0])):
                named = ", ".join(kinds)[:100] or "no media type"
                raise TransportError(url, f"answered with {named}, not with what was asked for.")
            try:
                content = await self._dialling.read_body(response, self._limits.size)
            except self._dialling.BodyError as error:
                raise TransportError(url, f"the answer {error}.") from error
            return Body(url, content, kinds[0] if kinds else "")

    def _permitted(self, url: str) -> addresses.WebAddress:
        """The address, unless its scheme, port or host alone forbids it."""
        try:
            address = addresses.parse(url)
        except MalformedError as error:
            raise ForbiddenAddressError(url[:200], f"is not an address that is fetched. {error}") from error
        policy = self._policy
        if address.scheme not in policy.schemes:
            raise ForbiddenAddressError(url, "only https addresses are contacted.")
        if policy.default_port_only and address.port != 443:
            raise ForbiddenAddressError(url, f"port {address.port} is not contacted, only 443.")
        if address.literal is not None:
            reason = policy.forbidden(address.host)
            if reason is not None:
                raise ForbiddenAddressError(url, f"may not be contacted: the address is {reason}.")
        elif policy.default_port_only and "." not in address.host:
            raise ForbiddenAddressError(url, f"{address.host!r} is not a public host name.")
        return address

    @contextmanager
    def _failures(self, url: str) -> Iterator[None]:
        """Turns everything that can happen on the way into a TransportError."""
        try:
            yield
        except self._dialling.FAILURES as error:
            refused = self._dialling.refusal_in(error)
            if refused is not None:
                raise ForbiddenAddressError(url, f"{refused}.") from error
            if isinstance(error, TimeoutError):
                message = f"no complete answer within {self._limits.total:g} seconds."
                raise TransportError(url, message) from error
            reason = _one_line(self._dialling.reason_of(error))
            raise TransportError(url, f"no usable answer ({reason}).") from error

    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            self._open = self._dialling.open_session(
                user_agent=self._user_agent,
                policy=self._policy,
                limits=self._limits,
                resolve=self._resolve,
            )
        return self._open

    def _retry_after(self, response: aiohttp.ClientResponse) -> int | None:
        value = response.headers.get("Retry-After", "").strip()
        if not value:
            return None
        if value.isascii() and value.isdigit():
            return min(int(value[:9]), _LONGEST_WAIT)
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return min(max(0, int((moment - self._clock()).total_seconds())), _LONGEST_WAIT)


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError as error:
        raise ForbiddenAddressError(base, "redirects to what is not an address.") from error


def _one_line(text: str) -> str:
    """The beginning of a text from outside, fit for a log."""
    return _UNPRINTABLE.sub(" ", text).strip()[:_SNIPPET_CHARACTERS]
