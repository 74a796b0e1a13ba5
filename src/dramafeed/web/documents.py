"""Finished documents: rendered once per version, answered as ready bytes before Flask is entered.

A view hands `Documents.answer` a function that renders; the result is kept with the keys of what it was
made of. When the database says that one of them changed, the next request renders anew while everybody
else still gets the old bytes. A document is a function of the database alone: no clock, no request host.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import brotli

from dramafeed.errors import StorageError
from dramafeed.model import SITE_KEY
from dramafeed.storage import Reading, Store

_LOOK_EVERY = 0.25  # seconds between two looks at the database for news
_BOUND = 64 * 1024 * 1024  # bytes of documents kept, all codings together
_SMALL = 200  # bytes below which compression only adds

# Cache-Control of what is not there (any more). A shared cache keeps it for a second, because by that it
# forgets what was there: one that shows what it holds while the site is down must not bring a withdrawn
# review back.
ABSENT = "max-age=0, s-maxage=1"


@dataclass(frozen=True)
class Rendered:
    """What a view rendered.

    `keys` name what it was made of (`model.thing_key` and its kin; the site is always included). `max_age` in
    seconds is for clients; shared caches ask again after a second. `vary_accept` is for pages, whose address
    also leads to an ActivityPub object. `headers` are further ones.
    """

    body: bytes
    content_type: str
    keys: tuple[str, ...]
    max_age: int = 60
    vary_accept: bool = False
    headers: tuple[tuple[str, str], ...] = ()


Render = Callable[[Reading], Rendered]


@dataclass
class Entry:
    """A finished document in all codings asked for so far."""

    rendered: Rendered
    etag: str
    modified: datetime
    stale: bool = False
    codings: dict[str, bytes] = field(default_factory=dict)
    rendering: threading.Lock = field(default_factory=threading.Lock)

    def coded(self, coding: str) -> bytes:
        """The bytes in a coding, compressed at most once."""
        if coding not in self.codings:
            compress = {"gzip": _gzip, "br": _brotli}[coding]
            self.codings[coding] = compress(self.rendered.body)
        return self.codings[coding]

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.rendered.body) + sum(len(body) for body in self.codings.values())


@dataclass(frozen=True)
class Reply:
    """A complete HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Documents:
    """The finished documents of one process.

    Args:
        store: asked for news at most every quarter of a second.
        monotonic: the clock for that.
    """

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._data_version = -1
        self._seq = -1
        self.renders = 0  # counted for tests and metrics

    def ready(self, key: str, request: Mapping[str, Any]) -> Reply | None:
        """The answer for a key when its document is finished and fresh; None sends the request on."""
        self._look()
        entry = self._entries.get(key)
        if entry is None or entry.stale:
            return None
        if entry.rendered.vary_accept and "json" in request.get("HTTP_ACCEPT", ""):
            return None  # perhaps somebody who wants ActivityPub: the view decides
        return reply(entry, request)

    def answer(self, key: str, request: Mapping[str, Any], render: Render) -> Reply:
        """The answer for a key, rendered now if need be.

        Args:
            key: path (and query, where it matters) of the document.
            request: the WSGI environment.
            render: makes the document from one consistent look at the database.
        """
        self._look()
        entry = self._entries.get(key)
        if entry is None:
            entry = self._render(key, render)
        elif entry.stale and entry.rendering.acquire(blocking=False):
            try:
                entry = self._render(key, render)
            finally:
                self._entries[key].rendering = threading.Lock()
        return reply(entry, request)

    def _render(self, key: str, render: Render) -> Entry:
        with self._store.reading() as reading:
            seen = reading.meta.seq()  # also fixes the state that everything below is read from
            rendered = render(reading)
            modified = reading.meta.changed_at((*rendered.keys, SITE_KEY))
        self.renders += 1
        entry = Entry(
            rendered=rendered,
            etag=hashlib.sha256(rendered.body + rendered.content_type.encode()).hexdigest()[:32],
            modified=(modified or datetime(1970, 1, 1, tzinfo=UTC)).replace(microsecond=0),
        )
        with self._lock:
            # A change that was noticed while this was being rendered from an older state.
            entry.stale = seen < self._seq
            self._entries[key] = entry
            self._entries.move_to_end(key)
            self._shrink()
        return entry

    def _shrink(self) -> None:
        size = sum(entry.size for entry in self._entries.values())
        while size > _BOUND and len(self._entries) > 1:
            _key, oldest = self._entries.popitem(last=False)
            size -= oldest.size

    def _look(self) -> None:
        """Learn what changed since the last look; one thread at a time, the others go on."""
        now = self._monotonic()
        if now - self._looked < _LOOK_EVERY or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = now
            version = self._store.data_version()
            if self._store.sqlite and version == self._data_version:
                return
            self._data_version = version
            self._mark_stale()
        finally:
            self._lock.release()

    def _mark_stale(self) -> None:
        with self._store.reading() as reading:
            seq = reading.meta.seq()
            if seq == self._seq:
                return
            touched = reading.meta.touched_since(self._seq)
        self._seq = seq
        everything = SITE_KEY in touched
        for entry in self._entries.values():
            if everything or not touched.isdisjoint(entry.rendered.keys):
                entry.stale = True


def reply(entry: Entry, request: Mapping[str, Any]) -> Reply:
    """Answer a GET or HEAD with a finished document (RFC 9110: conditions, codings)."""
    coding = _coding(request.get("HTTP_ACCEPT_ENCODING", ""), entry)
    etag = f'"{entry.etag}"' if coding == "identity" else f'"{entry.etag}-{coding}"'
    headers = _headers(entry, etag)
    if _unchanged(request, etag, entry.modified):
        return Reply(304, headers, b"")
    body = entry.rendered.body if coding == "identity" else entry.coded(coding)
    headers.append(("Content-Type", entry.rendered.content_type))
    headers.append(("Content-Length", str(len(body))))
    if coding != "identity":
        headers.append(("Content-Encoding", coding))
    return Reply(200, headers, b"" if request.get("REQUEST_METHOD") == "HEAD" else body)


def _headers(entry: Entry, etag: str) -> list[tuple[str, str]]:
    rendered = entry.rendered
    vary = "Accept, Accept-Encoding" if rendered.vary_accept else "Accept-Encoding"
    return [
        ("ETag", etag),
        ("Last-Modified", format_datetime(entry.modified, usegmt=True)),
        ("Cache-Control", f"max-age={rendered.max_age}, s-maxage=1"),
        ("Vary", vary),
        ("X-Content-Type-Options", "nosniff"),
        *rendered.headers,
    ]


def _coding(accepted: str, entry: Entry) -> str:
    """br or gzip when the client takes it and it is worth it."""
    if len(entry.rendered.body) < _SMALL:
        return "identity"
    weights = dict(_weight(part) for part in accepted.lower().split(","))
    for name in ("br", "gzip"):
        if weights.get(name, weights.get("*", 0.0)) > 0:
            return name
    return "identity"


def _weight(part: str) -> tuple[str, float]:
    name, _, parameters = part.partition(";")
    weight = parameters.replace(" ", "").removeprefix("q=")
    try:
        return name.strip(), float(weight) if weight else 1.0
    except ValueError:
        return name.strip(), 0.0


def _unchanged(request: Mapping[str, Any], etag: str, modified: datetime) -> bool:
    """If-None-Match decides when it is there, else If-Modified-Since (RFC 9110, 13.2.2)."""
    wanted = request.get("HTTP_IF_NONE_MATCH")
    if wanted is not None:
        tags = (tag.strip().removeprefix("W/") for tag in wanted.split(","))
        return wanted.strip() == "*" or etag in tags
    since = request.get("HTTP_IF_MODIFIED_SINCE")
    if not since:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    return moment.tzinfo is not None and modified <= moment


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)  # a time would differ between processes


def _brotli(body: bytes) -> bytes:
    compressed: bytes = brotli.compress(body, quality=5)
    return compressed


class HotLayer:
    """WSGI layer that answers finished documents before Flask is entered.

    Args:
        app: the WSGI application behind it.
        documents: what is finished.
        prefix: path of BASE_URL; requests elsewhere are none of its business.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], documents: Documents, prefix: str) -> None:
        self._app = app
        self._documents = documents
        self._prefix = prefix

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            found = self._ready(environ)
            if found is not None:
                start_response(STATUS_LINES[found.status], found.headers)
                return [found.body]
        return self._app(environ, start_response)

    def _ready(self, environ: dict[str, Any]) -> Reply | None:
        try:
            return self._documents.ready(document_key(environ), environ)
        except StorageError:
            return None  # the application says it properly


STATUS_LINES = {200: "200 OK", 304: "304 Not Modified"}


def document_key(environ: Mapping[str, Any]) -> str:
    """The key of a request's document: its path, and its query when there is one."""
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path
