"""The one door out: what it brings in, what it sends, and everything it refuses."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

import dramafeed
from dramafeed.activitypub import addresses
from dramafeed.activitypub.reach import PUBLIC_ANY_PORT, Policy
from dramafeed.activitypub.signatures import SignedRequest, read, sign_cavage, verify
from dramafeed.activitypub.transport import ACTIVITY, ANY, JRD
from dramafeed.errors import ForbiddenAddressError
from tests.activitypub.doors import DOCUMENT, door, get, only, refused, run
from tests.activitypub.samples import KEY_ID, NOW, key, signer
from tests.hostile import Peer, Seen, names, redirect, reply

# --------------------------------------------------------------------------- ordinary requests


def test_observe_takes_any_answer_and_follows_nothing() -> None:
    """For `doctor`: refusals and redirects are what it wants to see; forbidden addresses stay so."""
    routes = {"/away": redirect("https://elsewhere.example/"), "/no": reply(b"<h1>No</h1>", 403, "text/html")}

    async def work() -> None:
        async with Peer(routes) as peer, door() as transport:
            away = await transport.observe("GET", peer.url("/away"))
            assert (away.status, away.headers["location"]) == (302, "https://elsewhere.example/")
            no = await transport.observe("POST", peer.url("/no"), headers={"Content-Type": "x/y"}, body=b"12")
            assert (no.status, no.body, no.headers["content-type"]) == (403, b"<h1>No</h1>", "text/html")
            assert no.certificate_end is None
            assert peer.seen[1].method == "POST"
            assert peer.seen[1].body == b"12"
        async with Peer(routes) as peer, door(policy=PUBLIC_ANY_PORT) as transport:
            with pytest.raises(ForbiddenAddressError):
                await transport.observe("GET", peer.url("/no"))

    run(work)


def test_get() -> None:
    """A document comes back with its address; the request says who asks and takes no cookies."""
    routes = {"/x": reply(DOCUMENT, Set_Cookie="a=b")}

    async def work() -> None:
        async with Peer(routes) as peer, door() as transport:
            for _ in range(2):
                fetched = await transport.get_json(peer.url("/x?q=%40a"))
                assert fetched.document["type"] == "Note"
                assert fetched.url == peer.url("/x?q=%40a")
                assert fetched.media_type == "application/activity+json"
            assert peer.connections == 1
            for seen in peer.seen:
                assert seen.target == "/x?q=%40a"
                assert seen.headers["user-agent"] == ["dramafeed/0.1.0 (+https://blog.example)"]
                assert seen.headers["accept"] == [ACTIVITY.header]
                assert seen.headers["accept-encoding"] == ["gzip"]
                assert "cookie" not in seen.headers
                assert "signature" not in seen.headers

    run(work)


def test_signed_get_verifies_as_it_arrives() -> None:
    """What arrives at the peer is what was signed: path, host and date."""
    result, seen = get({"/a/%40b": reply(DOCUMENT)}, "/a/%40b?c=%C3%A9", signer=signer())
    assert result.document
    headers = seen[0].headers
    host = headers["host"][0]
    request = SignedRequest("GET", seen[0].target, headers, b"", f"http://{host}")
    parsed = read(request, now=NOW)
    assert parsed.key_id == KEY_ID
    verify(parsed, key().public_pem)


def test_post() -> None:
    """A signed body goes out unchanged; the answer is status, pause and a line for people."""
    answer = reply(b"no\nthanks \x07", 429, "text/plain", Retry_After="120")

    async def work() -> None:
        async with Peer({"/inbox": answer}) as peer, door() as transport:
            url, body = peer.url("/inbox"), b'{"a":"\xea\xb0\x80"}'
            headers = sign_cavage(signer(), "POST", url, now=NOW, body=body)
            got = await transport.post(url, body, headers)
            assert (got.status, got.retry_after, got.body) == (429, 120, "no thanks")
            (seen,) = peer.seen
            assert seen.body == body
            assert seen.headers["content-type"] == ["application/activity+json"]
            for name in ("host", "date", "digest", "signature"):
                assert len(seen.headers[name]) == 1
            origin = f"http://{seen.headers['host'][0]}"
            verify(
                read(SignedRequest("POST", seen.target, seen.headers, body, origin), now=NOW),
                key().public_pem,
            )
            await transport.post(url, b"a=b", {}, content_type="application/x-www-form-urlencoded")
            assert peer.seen[1].headers["content-type"] == ["application/x-www-form-urlencoded"]

    run(work)


@pytest.mark.parametrize("status", [200, 202, 301, 307, 400, 401, 410, 500, 503])
def test_every_status_of_a_post_is_an_answer(status: int) -> None:
    """A90: any status comes back; a redirect is never followed with a signed body."""

    async def work() -> None:
        routes = {"/inbox": reply(b"", status, None, Location="/elsewhere")}
        async with Peer(routes) as peer, door() as transport:
            assert (await transport.post(peer.url("/inbox"), b"{}", {})).status == status
            assert [seen.target for seen in peer.seen] == ["/inbox"]

    run(work)


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 404, 410, 429, 500, 503])
def test_only_200_answers_a_get(status: int) -> None:
    """A90: any other status is an error that keeps it, and how long to wait."""
    result, _ = get({"/x": reply(b"", status, Retry_After="30")})
    error = refused(result, f"answered {status}")
    assert (error.status, error.retry_after) == (status, 30)


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("0", 0),
        ("3600", 3600),
        ("9" * 30, 7 * 24 * 3600),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2026 12:01:00 -0000", 60),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    """A pause is read in both forms and never longer than a week."""
    head = f"HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: {value}\r\n\r\n".encode()
    result, _ = get({"/x": head})
    assert refused(result, "answered 503").retry_after == seconds


# --------------------------------------------------------------------------- A05: media types


@pytest.mark.parametrize(
    "kind",
    [
        "application/activity+json",
        "application/activity+json; charset=utf-8",
        "Application/Activity+JSON",
        'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
        'application/ld+json; charset=utf-8; profile="http://x https://www.w3.org/ns/activitystreams"',
        "application/ld+json;profile=https://www.w3.org/ns/activitystreams",
    ],
)
def test_documents_have_one_of_two_types(kind: str) -> None:
    """A05: the two types of ActivityStreams are accepted, with any parameters."""
    result, _ = get({"/x": reply(DOCUMENT, kind=kind)})
    assert result.media_type == kind


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/ld+json",
        "text/html",
        "text/plain",
        "image/png",
        "",
        "x",
        None,
        'application/ld+json; profile="http://www.w3.org/ns/json-ld#flattened"',
        "application/jrd+json",
        "application/ld+json; x=https://www.w3.org/ns/activitystreams",
        "text/activity+json",
        "application/activity+json\r\nContent-Type: text/html",
        "application/octet-stream",
    ],
)
def test_uploads_are_no_documents(kind: str | None) -> None:
    """A05: a file that somebody uploaded is not a document, whatever it contains."""
    result, _ = get({"/x": reply(DOCUMENT, kind=kind)})
    refused(result, "not with what was asked for")


def test_webfinger_types() -> None:
    """WebFinger may come as plain JSON; a page may not."""
    for kind in ("application/jrd+json", "application/json; charset=utf-8"):
        result, seen = get({"/x": reply(DOCUMENT, kind=kind)}, accept=JRD)
        assert result.document
        assert seen[0].headers["accept"] == [JRD.header]
    result, _ = get({"/x": reply(DOCUMENT, kind="text/html")}, accept=JRD)
    refused(result, "not with what was asked for")


def test_bytes_of_any_type() -> None:
    """Whoever only wants to look takes any type, and none."""

    async def work() -> None:
        routes = {"/a": reply(b"<p>", kind="text/html"), "/b": reply(b"x", kind=None)}
        async with Peer(routes) as peer, door() as transport:
            assert (await transport.get_bytes(peer.url("/a"))).media_type == "text/html"
            assert (await transport.get_bytes(peer.url("/b"), accept=ANY)).content == b"x"

    run(work)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"<html>", b'{"id":1,"id":2}', b'{"a":NaN}', b"\xff", b"[" * 9999]
)
def test_bodies_are_read_strictly(body: bytes) -> None:
    """A23, A49, A50: a body that is not one sound JSON object is an error of the transport."""
    result, _ = get({"/x": reply(body)})
    refused(result, "the answer cannot be read")


# --------------------------------------------------------------------------- A32 to A37: where to

SPELLINGS = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://017700000001/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://0.0.0.0/",
    "https://0/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://224.0.0.1/",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://intranet/",
    "https://１２７.0.0.1/",
    "https://127.0.0.1.:443/",
    "https://127。0。0。1/",
]


@pytest.mark.parametrize("url", SPELLINGS)
def test_private_addresses_in_all_spellings(url: str) -> None:
    """A32, A34, A36: no spelling of a private address is contacted, by GET or POST."""

    async def work() -> None:
        async with door(allow_private=False, resolve=names(localhost="127.0.0.1")) as transport:
            with pytest.raises(ForbiddenAddressError):
                await transport.get_json(url)
            with pytest.raises(ForbiddenAddressError):
                await transport.post(url, b"", {})

    run(work)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "data:application/activity+json,{}",
        "ftp://social.example/x",
        "gopher://social.example/",
        "http://social.example/",
        "https://social.example:22/",
        "https://social.example:6379/",
        "https://social.example:8443/",
        "https://social.example:80/",
        "http://social.example:443/",
        "https://user:pw@social.example/",
        "//social.example/",
        "",
        "x" * 5000,
    ],
)
def test_only_https_on_its_port(url: str) -> None:
    """A37: other schemes and ports are refused before anything is resolved."""

    async def never(host: str) -> Sequence[str]:
        raise AssertionError(host)

    async def work() -> None:
        async with door(allow_private=False, resolve=never) as transport:
            with pytest.raises(ForbiddenAddressError):
                await transport.get_json(url)
            with pytest.raises(ForbiddenAddressError):
                await transport.post(url, b"", {})

    run(work)


def test_names_of_private_addresses() -> None:
    """A32: a public name that resolves to a private address is not contacted."""

    async def work() -> None:
        for ips in ("127.0.0.1", "169.254.169.254", "::1", "10.0.0.1 192.168.0.1", "64:ff9b::7f00:1"):
            async with door(allow_private=False, resolve=names(evil_example=ips)) as transport:
                with pytest.raises(ForbiddenAddressError, match="may not be contacted"):
                    await transport.get_json("https://evil.example/")

    run(work)


def test_rebinding() -> None:
    """A35: each connection is judged by the address that it dials, whatever the name said before."""
    answers = [["127.0.0.1"], ["127.0.0.66"], ["127.0.0.66"]]
    asked: list[str] = []

    async def flips(host: str) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    async def work() -> None:
        routes = {"/x": reply(DOCUMENT, Connection="close")}
        async with (
            Peer(routes, host="127.0.0.1") as good,
            Peer(routes, host="127.0.0.66") as bad,
            door(policy=only("127.0.0.66"), resolve=flips) as transport,
        ):
            url = good.url("/x", "flip.example")
            assert (await transport.get_json(url)).url == url
            assert good.seen[0].headers["host"] == [f"flip.example:{good.port}"]
            # Another port, so that the answer kept for a moment cannot serve.
            with pytest.raises(ForbiddenAddressError, match="forbidden here"):
                await transport.get_json(bad.url("/x", "flip.example"))
            assert len(asked) == 2
            assert not bad.connections

    run(work)


def test_the_dialled_address_is_judged_whatever_the_resolver_says() -> None:
    """A35: the last check sits where the socket is made, behind resolver and literals."""
    from dramafeed.activitypub import dialling

    factory = dialling._socket_factory(only("127.0.0.66"))
    with pytest.raises(dialling.RefusedError):
        factory((2, 1, 6, "", ("127.0.0.66", 80)))
    factory((2, 1, 6, "", ("127.0.0.65", 80))).close()
    public = dialling._socket_factory(Policy(frozenset(), True, addresses.forbidden_reason))
    for ip in ("::1", "::ffff:10.0.0.1", "127.0.0.1", "fe80::1%lo", "nonsense"):
        with pytest.raises(dialling.RefusedError):
            public((10, 1, 6, "", (ip, 443, 0, 0)))


def test_a_good_address_among_bad_ones() -> None:
    """A host with one forbidden address is reached at its other one only."""

    async def work() -> None:
        resolve = names(two_example="127.0.0.66 127.0.0.1")
        policy = only("127.0.0.66")
        async with Peer({"/x": reply(DOCUMENT)}) as peer, door(policy=policy, resolve=resolve) as transport:
            assert await transport.get_json(peer.url("/x", "two.example"))

    run(work)


# --------------------------------------------------------------------------- A33, A39: redirects


def test_redirects_are_followed() -> None:
    """Three hops are followed; the address that comes back is the last."""
    routes = {
        "/x": redirect("/1", 301),
        "/1": redirect("2", 302),
        "/2": redirect("?a=b", 307),
    }

    def last(seen: Seen) -> bytes:
        return reply(DOCUMENT) if seen.target.endswith("?a=b") else redirect("/2?a=b", 308)

    result, seen = get({**routes, "/2": last})
    assert result.url.endswith("/2?a=b")
    assert [each.target for each in seen] == ["/x", "/1", "/2", "/2?a=b"]


def test_long_chains() -> None:
    """A39: a fourth hop is not taken."""
    routes = {f"/{number}": redirect(f"/{number + 1}") for number in range(9)}
    result, seen = get(routes, "/0")
    refused(result, "redirects more than 3 times")
    assert len(seen) == 4


@pytest.mark.parametrize("location", ["/x", "", "#a", "/y"])
def test_circles(location: str) -> None:
    """A39: no address is asked twice."""
    result, seen = get({"/x": redirect(location), "/y": redirect("/x")})
    refused(result, "in a circle")
    assert len(seen) <= 2


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://x.example/",
        "javascript:1",
        "http://a b/",
        "http://u:p@127.0.0.1/",
        "http://127.1/",
        "http://[::1",
        "http://\x80ÿ/",
        "https://social.example/",
    ],
)
def test_redirects_elsewhere(location: str) -> None:
    """A33, A37: the address of every hop is judged like the first."""
    result, _ = get({"/x": redirect(location)}, policy=only())
    assert isinstance(result, ForbiddenAddressError)


def test_redirects_into_forbidden_space() -> None:
    """A33: a hop to a forbidden address is refused, as a literal and behind a name."""

    async def work() -> None:
        resolve = names(inner_example="127.0.0.66")
        async with Peer({"/x": reply(DOCUMENT)}, host="127.0.0.66") as inner:
            for host in (None, "inner.example"):
                outer_routes = {"/x": redirect(inner.url("/x", host))}
                policy = only("127.0.0.66")
                async with Peer(outer_routes) as outer, door(policy=policy, resolve=resolve) as transport:
                    with pytest.raises(ForbiddenAddressError):
                        await transport.get_json(outer.url("/x"), signer=signer())
            assert not inner.connections

    run(work)


def test_signatures_stay_on_their_host() -> None:
    """A33: each hop on the same host is signed anew; beyond it, and back again, nothing is."""

    async def work() -> None:
        async with Peer({}) as there, Peer({}) as here:
            here.routes = {
                "/x": redirect("/y"),
                "/y": redirect(there.url("/z")),
                "/back": reply(DOCUMENT),
            }
            there.routes = {"/z": redirect(here.url("/back"))}
            async with door() as transport:
                fetched = await transport.get_json(here.url("/x"), signer=signer())
                assert fetched.url == here.url("/back")
            first, second, third = here.seen
            assert first.headers["signature"] != second.headers["signature"]
            for seen in (first, second):
                request = SignedRequest("GET", seen.target, seen.headers, b"", here.url(""))
                verify(read(request, now=NOW), key().public_pem)
            assert "signature" not in third.headers
            assert "signature" not in there.seen[0].headers

    run(work)


def test_a_redirect_without_a_target() -> None:
    """A redirect that says no address is an answer like any other status."""
    result, _ = get({"/x": reply(b"", 302)})
    assert refused(result, "answered 302").status == 302


def test_names_are_looked_up_by_the_system() -> None:
    """Without a resolver of its own, a transport asks the system; and judges what it says."""

    async def work() -> None:
        async with Peer({"/x": reply(DOCUMENT)}) as peer:
            async with door() as transport:
                assert await transport.get_json(peer.url("/x", "localhost"))
            both = only("127.0.0.1", "::1")
            async with door(policy=both) as transport:
                with pytest.raises(ForbiddenAddressError, match="localhost"):
                    await transport.get_json(peer.url("/x", "localhost"))

    run(work)


def test_there_is_one_door() -> None:
    """A38: no other module of dramafeed can make an outgoing request."""
    clients = {"aiohttp", "httpx", "requests", "urllib3", "urllib.request", "http.client", "ftplib"}
    root = Path(dramafeed.__file__).parent
    importers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names_: list[str] = []
            if isinstance(node, ast.Import):
                names_ = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names_ = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if any(name in clients or name.partition(".")[0] in clients for name in names_):
                importers.add(str(path.relative_to(root)))
    # transport.py names a type; aiohttp itself is loaded by dialling.py only.
    assert importers == {"activitypub/dialling.py", "activitypub/transport.py"}
