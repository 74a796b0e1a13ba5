"""How much an answer may cost: bytes, seconds, hops, and patience with broken servers."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from dramafeed.activitypub.reach import Limits
from dramafeed.errors import TransportError
from tests.activitypub.doors import DOCUMENT, QUICK, door, get, refused, run
from tests.hostile import Peer, bomb, drip, endless, endless_gzip, names, redirect, reply, silent

# --------------------------------------------------------------------------- A40, A41, A42: how much


@pytest.mark.parametrize("body", [endless, endless_gzip])
def test_endless_bodies(body: Any) -> None:
    """A40: reading stops at the limit, however the body comes."""
    result, _ = get({"/x": body})
    refused(result, "larger than 1048576 bytes")


def test_announced_sizes_do_not_matter() -> None:
    """A40: a body that says that it is huge is not read to its end."""
    head = b"HTTP/1.1 200 X\r\nContent-Type: application/activity+json\r\nContent-Length: 99999999999\r\n\r\n"

    async def liar(writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"x" * 2_000_000)
        await writer.drain()
        await asyncio.sleep(20)

    result, _ = get({"/x": liar})
    refused(result, "larger than")


def test_bombs() -> None:
    """A41: what counts is the unpacked size."""
    packed = bomb()
    assert len(packed) < 300_000
    start = time.process_time()
    result, _ = get({"/x": packed})
    refused(result, "larger than")
    assert time.process_time() - start < 1


def test_gzip_is_unpacked() -> None:
    """An ordinary gzipped document is read, up to the limit exactly."""
    result, _ = get({"/x": reply(gzip.compress(DOCUMENT), Content_Encoding="gzip")})
    assert result.document["type"] == "Note"
    limits = Limits(size=len(DOCUMENT))
    packed = gzip.compress(DOCUMENT, compresslevel=9)
    assert get({"/x": reply(DOCUMENT)}, limits=limits)[0].document
    assert len(packed) > len(DOCUMENT)
    refused(get({"/x": reply(packed, Content_Encoding="gzip")}, limits=limits)[0], "larger than")
    refused(get({"/x": reply(DOCUMENT + b" ")}, limits=limits)[0], "larger than")


@pytest.mark.parametrize(
    "coding, body",
    [
        ("br", b"x"),
        ("deflate", zlib.compress(DOCUMENT)),
        ("zstd", b"x"),
        ("gzip, gzip", gzip.compress(gzip.compress(DOCUMENT))),
        ("gzip, br", b"x"),
        ("gzip\r\nContent-Encoding: gzip", gzip.compress(gzip.compress(DOCUMENT))),
        ("nonsense", DOCUMENT),
    ],
)
def test_other_codings(coding: str, body: bytes) -> None:
    """A41: only gzip was offered, and only once."""
    result, _ = get({"/x": reply(body, Content_Encoding=coding)})
    refused(result, "which was not asked for")


@pytest.mark.parametrize(
    "body, words",
    [(DOCUMENT, "not the gzip"), (gzip.compress(DOCUMENT)[:-12], "middle of its gzip"), (b"", "middle")],
)
def test_broken_gzip(body: bytes, words: str) -> None:
    """A41: a body that is not what it claims is refused."""
    result, _ = get({"/x": reply(body, Content_Encoding="gzip")})
    refused(result, words)


@pytest.mark.parametrize("slow", [silent, drip(reply(DOCUMENT * 100))])
def test_slow_answers(slow: Any) -> None:
    """A42: the whole request has one deadline, however steadily bytes arrive."""
    start = time.monotonic()
    result, _ = get({"/x": slow}, limits=QUICK)
    refused(result, "within 0.3 seconds")
    assert time.monotonic() - start < 3


def test_the_deadline_covers_all_hops() -> None:
    """A39, A42: hops do not start the clock again."""

    async def hop(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(redirect("/y" if not hops else "/z"))
        hops.append(1)
        await writer.drain()

    hops: list[int] = []
    result, _ = get({"/x": hop, "/y": hop, "/z": silent}, limits=Limits(total=0.5))
    refused(result, "within 0.5 seconds")


def test_slow_posts() -> None:
    """A42, A90: a post without an answer fails; one whose body hangs has its status already."""

    async def hangs(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 X\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(20)

    async def work() -> None:
        routes = {"/silent": silent, "/hangs": hangs, "/endless": endless}
        async with Peer(routes) as peer, door(limits=QUICK) as transport:
            with pytest.raises(TransportError, match="within"):
                await transport.post(peer.url("/silent"), b"{}", {})
            assert (await transport.post(peer.url("/hangs"), b"{}", {})).status == 202
            assert (await transport.post(peer.url("/endless"), b"{}", {})).status == 200

    run(work)


def test_dead_addresses() -> None:
    """A90: an address that drops packets costs the connection's time only."""

    async def hang(host: str) -> Sequence[str]:
        await asyncio.sleep(20)
        return []

    async def work() -> None:
        async with door(limits=QUICK, resolve=hang) as transport:
            with pytest.raises(TransportError, match="within"):
                await transport.get_json("http://dead.example/")
        async with door(limits=QUICK, resolve=names()) as transport:
            with pytest.raises(TransportError, match="no such host"):
                await transport.get_json("http://unknown.example/")
        async with Peer({}) as peer:
            url = peer.url("/")
        async with door(limits=QUICK) as transport:
            with pytest.raises(TransportError, match="no usable answer"):
                await transport.get_json(url)

    run(work)


BROKEN = [
    b"",
    b"\r\n\r\n",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 abc X\r\n\r\n",
    b"HTTP/1.1 200 X\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 X\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nContent-Type: application/activity+json\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 X\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 X\r\n" + b"".join(b"X%d: a\r\n" % number for number in range(5000)) + b"\r\n",
    b"HTTP/1.1 200 " + b"a" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 X\r\nContent-Type: application/activity+json\r\nContent-Length: 50\r\n\r\nshort",
    b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: \xff\xfe\r\n\r\n",
    b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"SSH-2.0-OpenSSH_9\r\n",
    b"* OK IMAP ready\r\n" * 100,
]


@pytest.mark.parametrize("raw", BROKEN, ids=range(len(BROKEN)))
def test_broken_http(raw: bytes) -> None:
    """A90: whatever a server says that is not HTTP, the result is one TransportError."""

    async def says(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    async def work() -> None:
        async with Peer({"/x": says}) as peer, door(limits=Limits(total=2)) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.get_json(peer.url("/x"))
            assert len(str(caught.value)) < 500

    run(work)


def test_many_at_once() -> None:
    """The pool is bounded: more requests than connections wait for their turn."""

    async def work() -> None:
        limits = Limits(connections=4)
        async with Peer({"/x": reply(DOCUMENT)}) as peer, door(limits=limits) as transport:
            urls = [peer.url(f"/x?{number}") for number in range(40)]
            fetched = await asyncio.gather(*(transport.get_json(url) for url in urls))
            assert [each.url for each in fetched] == urls
            assert peer.connections <= 4

    run(work)


def test_cancelling_is_not_an_error() -> None:
    """A request that is cancelled stays cancelled."""

    async def work() -> None:
        async with Peer({"/x": silent}) as peer, door() as transport:
            task = asyncio.create_task(transport.get_json(peer.url("/x")))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(work)


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A32: no variable of the environment leads a request elsewhere."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.66:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.66:1")
    assert get({"/x": reply(DOCUMENT)})[0].document
