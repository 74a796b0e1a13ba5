"""How a connection is made: names are resolved once, and each address is judged before dialling.

The judge sits in the socket factory, which sees the final address of each connection, so neither a
redirect, nor an IP literal, nor a name that changes its answer (DNS rebinding) gets around it. The
only importer of aiohttp; loaded when a `Transport` opens.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

from dramafeed.activitypub.reach import Limits, Policy, Resolve

FAILURES = (aiohttp.ClientError, TimeoutError, OSError, UnicodeError)

_SNIPPET_SECONDS = 1.0


class RefusedError(OSError):
    """An address that may not be dialled; an OSError, as aiohttp passes those on unchanged."""


class BodyError(Exception):
    """A response body breaks a limit."""


def open_session(
    *,
    user_agent: str,
    policy: Policy,
    limits: Limits,
    resolve: Resolve | None,
) -> aiohttp.ClientSession:
    """A session, for the running event loop, that reaches only what the policy allows."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    connector = aiohttp.TCPConnector(
        limit=limits.connections,
        ssl=context,
        resolver=_Resolver(resolve or _look_up, policy),
        socket_factory=_socket_factory(policy),
        # Several common servers hang up after five idle seconds; a request must not meet that.
        keepalive_timeout=4,
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers={"User-Agent": user_agent},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect),
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=_Response,
        trust_env=False,
        # Bodies are unpacked below, where the size of what comes out is counted.
        auto_decompress=False,
    )


class _Response(aiohttp.ClientResponse):
    """Remembers the TLS session, which aiohttp lets go of as soon as a short answer is read."""

    tls: ssl.SSLObject | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """As aiohttp does it."""
        self.tls = connection.transport and connection.transport.get_extra_info("ssl_object")
        return await super().start(connection)


def certificate_end(response: aiohttp.ClientResponse) -> datetime | None:
    """When the certificate that the server showed runs out; None without TLS."""
    shown = response.tls.getpeercert() if isinstance(response, _Response) and response.tls else None
    end = shown.get("notAfter") if shown else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) if isinstance(end, str) else None


async def _look_up(host: str) -> Sequence[str]:
    """The addresses of a host, as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _refusal(host: str, ip: str, reason: str) -> RefusedError:
    where = ip if host == ip else f"{host} ({ip})"
    return RefusedError(f"{where} may not be contacted: the address is {reason}")


class _Resolver(AbstractResolver):
    """Leaves out forbidden addresses, so that a host with a good one remains reachable."""

    def __init__(self, resolve: Resolve, policy: Policy) -> None:
        self._resolve = resolve
        self._judge = policy.forbidden

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results: list[ResolveResult] = []
        refused: RefusedError | None = None
        for ip in await self._resolve(host):
            reason = self._judge(ip)
            if reason is not None:
                refused = refused or _refusal(host, ip, reason)
                continue
            kind = socket.AF_INET6 if ":" in ip else socket.AF_INET
            if family in (socket.AF_UNSPEC, kind):
                results.append(
                    ResolveResult(hostname=host, host=ip, port=port, family=kind, proto=0, flags=0)
                )
        if not results:
            raise refused or OSError(f"{host} has no address")
        return results

    async def close(self) -> None:
        """Nothing is held open."""


def _socket_factory(policy: Policy) -> Callable[[Any], socket.socket]:
    def make(address_info: Any) -> socket.socket:
        family, kind, protocol, _, address = address_info
        reason = policy.forbidden(str(address[0]))
        if reason is not None:
            raise _refusal(str(address[0]), str(address[0]), reason)
        return socket.socket(family, kind, protocol)

    return make


def exact_url(url: str) -> yarl.URL:
    """A URL that goes out as it is written, and as it was signed."""
    return yarl.URL(url, encoded=True)


def refusal_in(error: BaseException) -> RefusedError | None:
    """The refusal that made a request fail, if one did."""
    cause = _cause(error)
    return cause if isinstance(cause, RefusedError) else None


def reason_of(error: BaseException) -> str:
    """Why a request failed, in the words of whoever noticed."""
    cause = _cause(error)
    return str(cause) or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """What aiohttp wraps when a connection cannot be made."""
    if isinstance(error, aiohttp.ClientConnectorError) and error.__cause__ is not None:
        return error.__cause__
    return error


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, unpacked, if neither its packed nor its unpacked form exceeds `limit` bytes.

    Raises:
        BodyError: it is too large, packed twice, or packed in a way that was not offered.
    """
    encodings = response.headers.getall("Content-Encoding", [])
    coding = ",".join(encodings).strip().lower() or "identity"
    if coding not in ("identity", "gzip", "x-gzip"):
        raise BodyError(f"is packed as {coding[:40]!r}, which was not asked for")
    unpacker = None if coding == "identity" else zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    received = 0
    body = bytearray()
    async for chunk in response.content.iter_any():
        received += len(chunk)
        try:
            # One byte more than is allowed is enough to know.
            body += chunk if unpacker is None else unpacker.decompress(chunk, limit + 1 - len(body))
        except zlib.error as error:
            raise BodyError("is not the gzip that it claims to be") from error
        if received > limit or len(body) > limit:
            raise BodyError(f"is larger than {limit} bytes")
    if unpacker is not None and not unpacker.eof:
        raise BodyError("ends in the middle of its gzip")
    return bytes(body)


async def read_snippet(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The beginning of a body that is only for people; nothing when it does not come."""
    if response.content.at_eof():  # as most inboxes answer
        return b""
    snippet = bytearray()
    try:
        async with asyncio.timeout(_SNIPPET_SECONDS):
            async for chunk in response.content.iter_any():
                snippet += chunk
                if len(snippet) >= limit:
                    break
    except FAILURES:
        return b""
    return bytes(snippet[:limit])
