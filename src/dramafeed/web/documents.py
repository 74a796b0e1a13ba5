"""Finished documents: rendered once per version, answered as ready bytes before Flask is entered.

A view hands `Documents.answer` a function that renders; the result is kept with the keys of what it was
made of. When the database says that one of them changed, the document is rendered anew beside the old one:
by the next reader, or, when many ask for it, by a thread of its own while the old bytes go on serving for at
most a second. A document is a function of the database alone: no clock, no request host.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

import brotli

from dramafeed.errors import StorageError
from dramafeed.model import SITE_KEY
from dramafeed.storage import Reading, Store

log = logging.getLogger("dramafeed")

_LOOK_EVERY = 0.25  # seconds between two looks at the database for news
_OLD_FOR = 1.0  # seconds that old bytes may serve while new ones are rendered
_POPULAR = 20  # readers of one version: from then on the next version does not wait for a reader
_BOUND = 64 * 1024 * 1024  # bytes of documents kept, all codings together
_OVERHEAD = 9_000  # bytes that an entry takes besides bodies and key: headers, keys, bookkeeping
_SMALL = 200  # bytes below which compression only adds
_TURNS = 64

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


class Reply(NamedTuple):
    """A complete HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Coded(NamedTuple):
    """A document in one coding: the whole answer, and the one for who has these bytes already."""

    etag: str
    whole: Reply
    unchanged: Reply


class Entry:
    """A finished document in every coding that makes it smaller.

    It is `stale` from the moment `stale_since` on which the database is known to have something newer; until
    `good_until` it is answered without a thought.

    Args:
        rendered: what the view made.
        modified: when the newest change that it shows was committed.
        any_query: whether it answers its path whatever the query.
    """

    __slots__ = (
        "any_query",
        "coded",
        "good_until",
        "hits",
        "keys",
        "modified",
        "size",
        "stale_since",
        "vary_accept",
    )

    def __init__(self, rendered: Rendered, modified: datetime, *, any_query: bool) -> None:
        tag = hashlib.sha256(rendered.body + rendered.content_type.encode()).hexdigest()[:32]
        self.modified = modified.replace(microsecond=0)
        self.coded = {
            coding: _coded(rendered, body, tag, coding, self.modified)
            for coding, body in _codings(rendered.body)
        }
        self.keys = frozenset(rendered.keys)
        self.vary_accept = rendered.vary_accept
        self.any_query = any_query
        self.hits = 0
        self.good_until = self.stale_since = math.inf
        self.size = _OVERHEAD + sum(len(one.whole.body) for one in self.coded.values())

    @property
    def stale(self) -> bool:
        """True once the database has something newer."""
        return self.stale_since != math.inf


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
        self._size = 0
        self._lock = threading.Lock()  # guards the four around it; held for moments only
        self._seq = -1
        self._looking = threading.Lock()
        self._look_at = -math.inf
        self._data_version = -1
        # Who renders a document holds its turn; two documents that share one only wait for each other.
        self._turns = [threading.Lock() for _ in range(_TURNS)]
        self.renders = 0  # counted for tests and metrics
        self.popular: list[str] = []  # stale and much asked for: to be rendered without a reader

    def ready(self, request: Mapping[str, Any]) -> Reply | None:
        """The answer when the document is finished; None sends the request on.

        Args:
            request: the WSGI environment of a GET or HEAD.
        """
        now = self._look()
        query = request.get("QUERY_STRING", "")
        path = request.get("SCRIPT_NAME", "") + request.get("PATH_INFO", "")
        entry = self._entries.get(path)
        if query and (entry is None or not entry.any_query):
            entry = self._entries.get(f"{path}?{unquote(query)}")
        if entry is None or now >= entry.good_until:
            return None
        if entry.vary_accept and "json" in request.get("HTTP_ACCEPT", ""):
            return None  # perhaps somebody who wants ActivityPub: the view decides
        entry.hits += 1
        return reply(entry, request)

    def answer(
        self, key: str, request: Mapping[str, Any], render: Render, *, any_query: bool = True
    ) -> Reply:
        """The answer for a key, rendered now if need be: by one request at a time.

        Args:
            key: path of the document; with a query where that decides what it is, in one spelling only.
            request: the WSGI environment.
            render: makes the document from one consistent look at the database.
            any_query: the path means this document whatever the query.
        """
        now = self._look()
        entry = self._entries.get(key)
        if entry is None or entry.stale:
            turn = self._turns[hash(key) % _TURNS]
            # Who comes second gets the old bytes, for a moment; without any, or later, one waits.
            if turn.acquire(blocking=entry is None or now >= entry.stale_since + _OLD_FOR):
                try:
                    entry = self._anew(key, render, any_query)
                finally:
                    turn.release()
        assert entry is not None
        return reply(entry, request)

    def _anew(self, key: str, render: Render, any_query: bool) -> Entry:
        entry = self._entries.get(key)
        if entry is not None and not entry.stale:
            return entry  # rendered while we waited
        try:
            return self._render(key, render, any_query)
        except Exception:
            with self._lock:  # gone, moved or unreadable: nobody shall get the old bytes
                if old := self._entries.pop(key, None):
                    self._size -= old.size
            raise

    def _render(self, key: str, render: Render, any_query: bool) -> Entry:
        with self._store.reading() as reading:
            seen = reading.meta.seq()  # also fixes the state that everything below is read from
            rendered = render(reading)
            modified = reading.meta.changed_at((*rendered.keys, SITE_KEY))
        entry = Entry(rendered, modified or datetime(1970, 1, 1, tzinfo=UTC), any_query=any_query)
        with self._lock:
            self.renders += 1
            if seen < self._seq:  # something was noticed while this was rendered from an older state
                entry.stale_since = entry.good_until = -math.inf
            self._keep(key, entry)
        return entry

    def _keep(self, key: str, entry: Entry) -> None:
        """Put an entry in its place; make room, from the oldest on, sparing once what was asked for since."""
        entry.size += len(key)
        old = self._entries.pop(key, None)
        self._size += entry.size - (old.size if old else 0)
        self._entries[key] = entry
        while self._size > _BOUND and len(self._entries) > 1:
            name, oldest = self._entries.popitem(last=False)
            if oldest.hits:
                oldest.hits //= 2
                self._entries[name] = oldest
            else:
                self._size -= oldest.size

    def _look(self) -> float:
        """Learn what changed since the last look; one thread at a time, the others go on. The present."""
        now = self._monotonic()
        if now < self._look_at or not self._looking.acquire(blocking=False):
            return now
        try:
            self._look_at = now + _LOOK_EVERY
            version = self._store.data_version()
            if version != self._data_version:
                self._learn(now)
                self._data_version = version
        except StorageError as error:
            # What is finished is still right as far as anybody knows; what is not will say 503.
            log.warning("%s", error)
        finally:
            self._looking.release()
        return now

    def _learn(self, now: float) -> None:
        with self._store.reading() as reading:
            seq = reading.meta.seq()
            if seq == self._seq:
                return
            touched = reading.meta.touched_since(self._seq) if self._seq >= 0 else {SITE_KEY}
        with self._lock:
            self._seq = seq
            for key, entry in self._entries.items():
                if not entry.stale and (SITE_KEY in touched or not touched.isdisjoint(entry.keys)):
                    entry.stale_since = entry.good_until = now
                    if entry.hits >= _POPULAR:
                        entry.good_until += _OLD_FOR
                        self.popular.append(key)


def reply(entry: Entry, request: Mapping[str, Any]) -> Reply:
    """Answer a GET or HEAD with a finished document (RFC 9110: conditions, codings)."""
    for coding in _accepted(request.get("HTTP_ACCEPT_ENCODING", "")):
        coded = entry.coded.get(coding)
        if coded is not None:
            break
    else:
        coded = entry.coded["identity"]
    wanted = request.get("HTTP_IF_NONE_MATCH")
    if wanted is None:
        since = request.get("HTTP_IF_MODIFIED_SINCE")
        unchanged = since is not None and _not_since(since, entry.modified)
    else:
        unchanged = wanted == coded.etag or _among(wanted, coded.etag)
    if unchanged:
        return coded.unchanged
    return coded.whole if request.get("REQUEST_METHOD") != "HEAD" else coded.whole._replace(body=b"")


def _coded(rendered: Rendered, body: bytes, tag: str, coding: str, modified: datetime) -> Coded:
    etag = f'"{tag}"' if coding == "identity" else f'"{tag}-{coding}"'
    headers = [
        ("ETag", etag),
        ("Last-Modified", format_datetime(modified, usegmt=True)),
        ("Cache-Control", f"max-age={rendered.max_age}, s-maxage=1"),
        ("Vary", "Accept, Accept-Encoding" if rendered.vary_accept else "Accept-Encoding"),
        ("X-Content-Type-Options", "nosniff"),
        *rendered.headers,
    ]
    content = [("Content-Type", rendered.content_type), ("Content-Length", str(len(body)))]
    if coding != "identity":
        content.append(("Content-Encoding", coding))
    return Coded(etag, Reply(200, headers + content, body), Reply(304, headers, b""))


def _codings(body: bytes) -> Iterable[tuple[str, bytes]]:
    """The body as it is, and in the codings that make it smaller."""
    yield "identity", body
    if len(body) < _SMALL:
        return
    for coding, compress in (("br", _brotli), ("gzip", _gzip)):
        packed = compress(body)
        if len(packed) < len(body):
            yield coding, packed


@lru_cache(maxsize=64)
def _accepted(header: str) -> tuple[str, ...]:
    """The codings that a client takes, the smaller first; without a compressed one it gets identity."""
    weights = dict(_weight(part) for part in header.lower().split(","))
    return tuple(name for name in ("br", "gzip") if weights.get(name, weights.get("*", 0.0)) > 0)


def _weight(part: str) -> tuple[str, float]:
    name, _, parameters = part.partition(";")
    weight = parameters.replace(" ", "").removeprefix("q=")
    try:
        return name.strip(), float(weight) if weight else 1.0
    except ValueError:
        return name.strip(), 0.0


def _among(wanted: str, etag: str) -> bool:
    """Whether If-None-Match names a tag (weak comparison, RFC 9110, 13.1.2)."""
    return wanted.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in wanted.split(","))


def _not_since(since: str, modified: datetime) -> bool:
    """What If-Modified-Since asks (RFC 9110, 13.1.3); what is no date is as if it were not there."""
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
        documents: what is finished. Only addresses below BASE_URL's path get into it.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], documents: Documents) -> None:
        self._app = app
        self._documents = documents

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in _READING:
            found = self._documents.ready(environ)
            if self._documents.popular:
                self._renew(environ)
            if found is not None:
                start_response(_STATUS_LINES[found.status], found.headers.copy())
                return [found.body]
        return self._app(environ, start_response)

    def _renew(self, environ: dict[str, Any]) -> None:
        """Let a thread ask the application for what is popular and stale, as a reader would."""
        keys, self._documents.popular = self._documents.popular, []
        common = {k: v for k, v in environ.items() if k == "HTTP_HOST" or not k.startswith("HTTP_")}
        threading.Thread(target=self._ask, args=(keys, common), name="dramafeed-renew", daemon=True).start()

    def _ask(self, keys: list[str], common: dict[str, Any]) -> None:
        for key in keys:
            path, _, query = key.removeprefix(common.get("SCRIPT_NAME", "")).partition("?")
            own = {"PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": io.BytesIO()}
            answer = self._app({**common, **own, "REQUEST_METHOD": "GET"}, lambda *_: None)
            if close := getattr(answer, "close", None):
                close()


_READING = frozenset({"GET", "HEAD"})
_STATUS_LINES = {200: "200 OK", 304: "304 Not Modified"}
