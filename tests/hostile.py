"""A hostile fediverse for the tests: servers on loopback that do what a test tells them, byte for byte.

    with hostile_fediverse() as world:
        evil = world.server("evil.example", faults={"/users/ann": endless})
        victim = world.victim()                       # listens where nobody may be led
        site = world.site(folder)                     # tests.site.Site that works through the real transport
        site.post(evil, follow_of(evil, ...)); site.turn()
        assert not victim.connections

Real are the sockets, TLS, the transport, the worker and the application. Staged are the clock, the names (a
stub resolver, which only the transport asks) and one thing about addresses: those of the world's own servers
(127.0.0.10 and up) count as public. All others are judged by the table that the product ships.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import gzip
import ipaddress
import json
import os
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select

from dramafeed.activitypub.addresses import forbidden_reason
from dramafeed.activitypub.keys import PrivateKey
from dramafeed.activitypub.reach import Limits, Policy
from dramafeed.activitypub.transport import Transport, user_agent
from dramafeed.errors import SignatureError
from dramafeed.storage import Store, schema
from tests.activitypub.samples import digest
from tests.fakes import Clock, RemoteServer, check_signed
from tests.site import BASE_URL, Site

ACTIVITY = "application/activity+json"
PATIENT = Limits(connect=3, total=4)  # for honest servers on a busy machine
QUICK = Limits(connect=0.3, total=0.3)  # for servers that would never end
_FIRST_IP = 10

# ---------------------------------------------------------------------------- what a server may say


@dataclass(frozen=True)
class Seen:
    """A request that arrived. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes


Write = Callable[[asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | Write
Route = Reply | Callable[[Seen], Reply]


def reply(body: bytes = b"", status: int = 200, kind: str | None = ACTIVITY, **headers: str) -> bytes:
    """A whole HTTP response. Underscores in header names become hyphens."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def document(content: Mapping[str, Any], kind: str | None = ACTIVITY, **headers: str) -> bytes:
    """A response with a JSON document."""
    return reply(json.dumps(content).encode(), 200, kind, **headers)


def redirect(location: str, status: int = 302) -> bytes:
    """A response that sends the client elsewhere."""
    return reply(b"", status, None, Location=location)


def bomb(megabytes: int = 200) -> bytes:
    """A gzipped document a thousand times smaller than what it unpacks to."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"a":"')]
    parts += [packer.compress(b"x" * 1_000_000) for _ in range(megabytes)]
    return reply(b"".join([*parts, packer.compress(b'"}'), packer.flush()]), Content_Encoding="gzip")


def nested_gzip(content: Mapping[str, Any]) -> bytes:
    """A document that is packed twice."""
    packed = gzip.compress(gzip.compress(json.dumps(content).encode()))
    return reply(packed, Content_Encoding="gzip, gzip")


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body that does not end."""
    writer.write(f"HTTP/1.1 200 X\r\nContent-Type: {ACTIVITY}\r\n\r\n".encode())
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_gzip(writer: asyncio.StreamWriter) -> None:
    """The same in chunks, each a thousand times larger once it is unpacked."""
    head = f"HTTP/1.1 200 X\r\nContent-Type: {ACTIVITY}\r\nContent-Encoding: gzip\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    while True:
        data = packer.compress(b"\0" * 1_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def silent(writer: asyncio.StreamWriter) -> None:
    """No answer at all."""
    await asyncio.sleep(20)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """The connection ends without a word."""


async def reset(writer: asyncio.StreamWriter) -> None:
    """The connection is reset."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def drip(raw: bytes, pause: float = 0.02) -> Write:
    """One byte after the other, headers first."""

    async def write(writer: asyncio.StreamWriter) -> None:
        for byte in raw:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause)

    return write


def says(raw: bytes) -> Write:
    """These bytes, and the connection ends."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return write


# ---------------------------------------------------------------------------- one listener


_NOTHING = reply(b"", 404)
_ACCEPTED = reply(b"", 202)


@dataclass
class Peer:
    """Answers by path; every request is kept in `seen`. A path that is not named gets `otherwise`."""

    routes: Mapping[str, Route]
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    otherwise: Route = _NOTHING
    at: int = 0  # the port; 0 lets the system choose
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.at, ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def url(self, path: str, host: str | None = None) -> str:
        """The address of a path here."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host or self.host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers: dict[str, list[str]] = {}
        for line in filter(None, head[1:]):
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        body = await reader.readexactly(int(headers.get("content-length", ["0"])[0]))
        seen = Seen(method, target, headers, body)
        self.seen.append(seen)
        answer: Any = self.routes.get(target.partition("?")[0], self.otherwise)
        if not isinstance(answer, bytes) and not asyncio.iscoroutinefunction(answer):
            answer = answer(seen)
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return True
        await answer(writer)
        return False


def names(**hosts: str) -> Callable[[str], Coroutine[Any, Any, Sequence[str]]]:
    """A resolver that knows these hosts; underscores stand for dots."""
    return Names({name.replace("_", "."): [ips.split()] for name, ips in hosts.items()}).resolve


class Names:
    """A resolver that answers from a table, and may answer differently each time (DNS rebinding)."""

    def __init__(self, table: dict[str, list[list[str]]] | None = None) -> None:
        self.table = table or {}
        self.asked: list[str] = []

    def put(self, host: str, *answers: str) -> None:
        """What the name means; with several answers each is given once, the last one for ever."""
        self.table[host] = [answer.split() for answer in answers]

    async def resolve(self, host: str) -> Sequence[str]:
        """The IP addresses of a host.

        Raises:
            OSError: there is no such name.
        """
        self.asked.append(host)
        if host not in self.table:
            raise OSError(f"no such host {host}")
        answers = self.table[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def certificate(folder: Path, *hosts: str, days: float = 1) -> tuple[ssl.SSLContext, Path]:
    """A server context for these names, and the file that makes clients trust it."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{hosts[0]} {folder.name}"[:60])])
    alternatives = [x509.DNSName(host) for host in hosts if not host[0].isdigit()]
    addresses = [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts if host[0].isdigit()]
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([*alternatives, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    chain, secret = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(built.public_bytes(Encoding.PEM))
    secret.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return context, chain


# ---------------------------------------------------------------------------- the world


@dataclass
class Server(RemoteServer):
    """A server that listens: honest by itself (as `RemoteServer` is), and everything that `faults` say.

    `faults` maps a path to what is answered there; "*" is every path that has no line of its own. Change it
    at any time.
    """

    peer: Peer = field(default_factory=lambda: Peer({}))
    faults: dict[str, Route] = field(default_factory=dict)
    neighbours: dict[str, Server] = field(default_factory=dict)
    look_up: Callable[[str], dict[str, Any]] = lambda url: {}
    clock: Clock = field(default_factory=Clock)

    @property
    def origin(self) -> str:
        return self.peer.url("", self.host)

    @property
    def key(self) -> PrivateKey:
        return _own_key(f"{self.user}@{self.host}")

    @property
    def gets(self) -> list[str]:
        """The paths that were asked for."""
        return [seen.target for seen in self.peer.seen if seen.method == "GET"]

    def url(self, path: str) -> str:
        """The address of a path here."""
        return f"{self.origin}{path}"

    def neighbour(self, user: str) -> Server:
        """Another actor of the same server, with a key of its own."""
        made = Server(self.host, user=user, shared=self.shared, peer=self.peer, clock=self.clock)
        made.look_up = self.look_up
        self.neighbours[user] = made
        return made

    def answer(self, seen: Seen) -> Reply:
        """The fault that is due here, else what an honest server says."""
        path = seen.target.partition("?")[0]
        fault = self.faults.get(path, self.faults.get("*"))
        if fault is not None:
            if isinstance(fault, bytes) or asyncio.iscoroutinefunction(fault):
                return fault
            return fault(seen)  # type: ignore[return-value, arg-type]
        owner = next((one for one in (self, *self.neighbours.values()) if path in one._paths()), None)
        if owner is None:
            return reply(b"", 404)
        if seen.method == "POST":
            return reply(b"", owner._take(seen), None)
        return document(owner.actor_document())

    def _paths(self) -> set[str]:
        return {urlsplit(url).path for url in (self.actor, self.inbox, self.shared_inbox)}

    def _take(self, seen: Seen) -> int:
        """An activity at an inbox; the status that it gets."""
        activity = json.loads(seen.body)
        status = self.down()
        if status is None:
            status = self._judged(seen, activity)
        self.requests.append((status, activity))
        if status == 202:
            self.accept(activity)
        return status

    def _judged(self, seen: Seen, activity: dict[str, Any]) -> int:
        try:
            headers = {name: ", ".join(values) for name, values in seen.headers.items()}
            url = self.url(seen.target)
            check_signed(url, seen.body, headers, activity["actor"], self.look_up, self.clock())
        except SignatureError:
            return 401
        return 202


class World:
    """Servers, names and a way out; see the module. `door` is the real transport."""

    def __init__(self, folder: Path, clock: Clock, limits: Limits) -> None:
        self.clock = clock
        self.names = Names()
        self.servers: dict[str, Server] = {}
        self._folder = folder
        self._public: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._stack = ExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hostile", daemon=True)
        self._thread.start()
        policy = Policy(frozenset({"http", "https"}), False, self._forbidden)
        self.door = self.transport(policy=policy, limits=limits)

    def transport(self, **options: Any) -> Transport:
        """A transport that asks this world's names."""
        agent = user_agent("0.1.0", BASE_URL)
        return Transport(user_agent=agent, clock=self.clock, resolve=self.names.resolve, **options)

    def _forbidden(self, ip: str) -> str | None:
        return None if ip in self._public else forbidden_reason(ip)

    def server(
        self,
        host: str = "social.example",
        *,
        faults: dict[str, Route] | None = None,
        tls: str = "",
        ip: str = "",
        **options: Any,
    ) -> Server:
        """A server, made when it is new.

        Args:
            host: its name, or an IP address that is used as such.
            faults: what it answers otherwise than an honest server would.
            tls: "trusted", "stranger" (nobody knows who signed), "misnamed" (for another host); "" is http.
            ip: where it listens; an address of its own by default.
        """
        if host in self.servers:
            return self.servers[host]
        ip = ip or (host if host[0].isdigit() else f"127.0.0.{_FIRST_IP + len(self._public)}")
        self._public.add(ip)
        self.names.put(host, ip)
        made = Server(host, faults=faults or {}, clock=self.clock, **options)
        made.look_up = self._ask
        made.peer = self._listen(Peer({}, ip, self._context(host, tls), made.answer))
        self.servers[host] = made
        return made

    def victim(self, ip: str = "127.0.0.1", port: int = 0) -> Peer:
        """A listener at an address that is private for this world as for the product."""
        return self._listen(Peer({}, ip, otherwise=document({"id": "secret"}), at=port))

    def impostor(self, server: Server, tls: str) -> Peer:
        """Somebody else answers under the server's name from now on, with a certificate as told."""
        ip = f"127.0.1.{server.peer.host.rsplit('.', 1)[1]}"
        self._public.add(ip)
        self.names.put(server.host, ip)
        return self._listen(Peer({}, ip, self._context(server.host, tls), _ACCEPTED, server.peer.port))

    def look_up(self, url: str) -> dict[str, Any]:
        """A document of the site; `tests.site.Site` puts its own door here."""
        raise LookupError(f"no site to ask for {url}")

    def _ask(self, url: str) -> dict[str, Any]:
        return self.look_up(url)  # whatever the site has put there by now

    def site(self, folder: Path | None = None, **settings: Any) -> Site:
        """A whole site with an author, past its first pass, that works through `door`."""
        made = Site(folder or self._folder / "site", self.clock, fediverse=self, **settings)
        self._stack.callback(made.close)
        made.author()
        made.turn()
        return made

    def close(self) -> None:
        """Ends everything that listens."""
        self._stack.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _listen(self, peer: Peer) -> Peer:
        self._do(peer.__aenter__())
        self._stack.callback(lambda: self._do(peer.__aexit__()))
        return peer

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _context(self, host: str, tls: str) -> ssl.SSLContext | None:
        if not tls:
            return None
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        context, chain = certificate(folder, "other.example" if tls == "misnamed" else host)
        if tls != "stranger":
            self._trust(chain)
        return context

    def _trust(self, chain: Path) -> None:
        known = os.environ.get("SSL_CERT_FILE")
        bundle = self._folder / "trusted.pem"
        with bundle.open("ab") as file:
            file.write(chain.read_bytes())
        os.environ["SSL_CERT_FILE"] = str(bundle)
        self._stack.callback(lambda: _restore("SSL_CERT_FILE", known))


@cache
def _own_key(_name: str) -> PrivateKey:
    """A key that nobody else has (`PrivateKey.generate` hands out a few keys again and again in tests)."""
    return PrivateKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _restore(name: str, value: str | None) -> None:
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value


@contextmanager
def hostile_fediverse(clock: Clock | None = None, limits: Limits = PATIENT) -> Iterator[World]:
    """A world of its own; every listener and every site of it ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), clock or Clock(), limits)
        try:
            yield world
        finally:
            world.close()


# ---------------------------------------------------------------------------- what a test says and sees

COVERED = "(request-target) host date digest"


def crafted(
    server: RemoteServer,
    body: bytes,
    now: datetime.datetime,
    *,
    path: str = "/ap/inbox",
    covered: str = COVERED,
    headers: Mapping[str, str] | None = None,
    parameters: Mapping[str, str | None] | None = None,
    sign: Callable[[bytes], bytes] | None = None,
    host: str = urlsplit(BASE_URL).netloc,
) -> dict[str, str]:
    """Headers of a POST that is signed exactly as told, right or wrong.

    Args:
        covered: what the signature covers, in this order.
        headers: sent, and signed, in place of the right ones.
        parameters: of the signature, in place of the right ones; None leaves one out.
        sign: makes the signature; by default the server's own key does.
    """
    date = format_datetime(now, usegmt=True)
    sent = {"Host": host, "Date": date, "Digest": digest(body), **(headers or {})}
    shown = {"keyId": server.signer.key_id, "algorithm": "rsa-sha256", **(parameters or {})}
    values = {name.lower(): value for name, value in sent.items()}
    values |= {"(request-target)": f"post {path}"}
    values |= {f"({name})": str(value) for name, value in shown.items()}
    text = "\n".join(f"{name}: {values.get(name, '')}" for name in covered.split())
    raw = (sign or server.signer.key.sign)(text.encode("latin-1"))
    shown = {**shown, "headers": covered, "signature": base64.b64encode(raw).decode(), **(parameters or {})}
    return {**sent, "Signature": ",".join(f'{k}="{v}"' for k, v in shown.items() if v is not None)}


# What records that something came in, what was fetched for it, and what paces the next fetch is no effect.
_RECORDS = {"received", "leases", "jobs", "hosts", "remote_actors", "fetch_hosts", "failed_keys"}


def effects(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that an activity could have changed, by table."""
    with store.engine.connect() as look:
        return {
            table.name: sorted((tuple(row) for row in look.execute(select(table))), key=repr)
            for table in schema.metadata.sorted_tables
            if table.name.removeprefix("dramafeed_") not in _RECORDS
        }


@contextmanager
def unmoved(store: Store, *, received: bool = False) -> Iterator[None]:
    """Nothing that happens inside has any effect; with `received`, nothing even stays in the inbox."""
    before = {**effects(store), "received": _received(store) if received else []}
    yield
    after = {**effects(store), "received": _received(store) if received else []}
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}


def _received(store: Store) -> list[tuple[Any, ...]]:
    with store.engine.connect() as look:
        return [tuple(row) for row in look.execute(select(schema.received).order_by(schema.received.c.id))]


_watchers: list[list[tuple[Any, ...]]] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watchers:
        address = args[1]
        for heard in _watchers:
            heard.append(address if isinstance(address, tuple) else (address,))


sys.addaudithook(_audit)  # it stays for ever, and says nothing while nobody listens


@contextmanager
def connections() -> Iterator[list[tuple[Any, ...]]]:
    """Every address that this process tries to connect to inside, whoever does it (databases excepted)."""
    heard: list[tuple[Any, ...]] = []
    _watchers.append(heard)
    try:
        yield heard
    finally:
        _watchers.remove(heard)
        heard[:] = [address for address in heard if len(address) > 1]  # a socket file is a database


@contextmanager
def within(*, megabytes: float = 0, seconds: float = 0) -> Iterator[None]:
    """What happens inside takes no more memory at its peak, and no longer, than told (0: any)."""
    began = time.monotonic()
    if megabytes:
        tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / 1e6 if megabytes else 0
    finally:
        if megabytes:
            tracemalloc.stop()
    assert peak <= megabytes, f"{peak:.1f} MB"
    taken = time.monotonic() - began
    assert not seconds or taken <= seconds, f"{taken:.1f} s"
