"""A whole site under test: a real folder, a real database, the real views, a stepped clock.

The only fakes are the clock and the network (`tests.fakes`). A test writes files, lets time pass, asks over
HTTP and looks at what other servers hold.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from dramafeed.activitypub.signatures import PrivateKey, sign_cavage
from dramafeed.app import Dramafeed
from dramafeed.content import LibraryReader, Watcher
from dramafeed.publishing.publisher import Confirmed, Publisher, Report
from dramafeed.settings import Settings, build
from dramafeed.storage import Store
from dramafeed.worker import PublishLoop, Worker
from tests import databases
from tests.fakes import Clock, Fediverse, RemoteServer, follow_of, key_of

BASE_URL = "https://blog.example"
REVIEW = """\
---
title: {title}
author: mina
---
{body}
"""
AUTHOR = """\
---
name: Mina Seo
handle: mina
---
Mina watches everything twice.
"""


_KEYS = [key_of(f"key {number}") for number in range(6)]
_ring = itertools.cycle(_KEYS)
# A key takes a tenth of a second to make: the sites of a test run share a ring of them.
PrivateKey.generate = staticmethod(lambda: next(_ring))  # type: ignore[method-assign,assignment]


class ExactNotices:
    """The operating system's notices: every name that changed since the last question, and at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._states = self._look()

    def changes(self) -> set[str]:
        before, self._states = self._states, self._look()
        names = before.keys() | self._states.keys()
        return {name for name in names if before.get(name) != self._states.get(name)}

    def _look(self) -> dict[str, tuple[int, ...]]:
        found = {}
        for folder, folders, files in os.walk(self._root):
            for name in (*files, *folders):
                state = os.lstat(f"{folder}/{name}")
                file = (state.st_mtime_ns, state.st_size, state.st_ino, state.st_ctime_ns)
                found[f"{folder}/{name}"] = (state.st_ino,) if name in folders else file
        return found


class Site:
    """One site in a temporary folder.

    Args:
        folder: where content/ and var/ live.
        clock: stepped by the test.
        settings: overrides, e.g. `HOLD_SECONDS`.
        make_store: opens the database; tests of crashes hand in one that dies on command.
        fediverse: the other servers; `tests.hostile.World` for real sockets.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock | None = None,
        *,
        make_store: Callable[[str], Store] = Store,
        fediverse: Fediverse | Any = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.content = folder / "content"
        self.clock = clock or Clock()
        self.settings: Settings = build(
            {
                "BASE_URL": BASE_URL,
                "CONTENT": self.content,
                "DATA": folder / "var",
                "DATABASE_URL": databases.url_of(folder),
                "FEDERATE": "yes",
                **settings,
            }
        )
        self._make_store = make_store
        self.fediverse = fediverse or Fediverse(self.clock, self.document)
        self.fediverse.look_up = self.document
        self.start()

    # ---- life

    def start(self) -> None:
        """Open the database and start every part anew, as a new process would."""
        self.store = self._make_store(self.settings.database_url)
        self.store.create()
        self.app = Flask("site", static_folder=None)
        # Every request looks for news: tests ask several times within one instant.
        ticks = itertools.count()
        Dramafeed().init_app(self.app, self.settings, clock=self.clock, monotonic=lambda: 0.3 * next(ticks))
        self.http = self.app.test_client()
        self.watcher = Watcher(self.settings.content, monotonic=self.clock.monotonic, notices=ExactNotices)
        reader = LibraryReader(self.settings.content, self.settings.media, look=self.watcher.tree)
        self.publisher = Publisher(self.store, self.settings, reader, clock=self.clock)
        self.loop = PublishLoop(self.store, self.publisher, self.watcher, clock=self.clock)
        self.worker = Worker(
            self.store,
            self.settings,
            self.fediverse.door,
            clock=self.clock,
            jitter=lambda: 0.5,  # type: ignore[arg-type]
        )

    def close(self) -> None:
        """End every part; nothing is said to the database."""
        self.store.close()
        self.app.extensions["dramafeed"].store.close()

    def restart(self) -> None:
        """End the process and start another."""
        self.close()
        self.clock.step(31)  # the dead process's leases run out
        self.start()

    def lose_database(self) -> None:
        """End the process; its database and pictures are gone."""
        self.close()
        databases.lose(self.folder)
        shutil.rmtree(self.settings.data, ignore_errors=True)
        self.settings = replace(self.settings, database_url=databases.url_of(self.folder))

    def run(self, seconds: float = 0, step: float = 1.0) -> None:
        """Let time pass; publisher and worker act at every step."""
        self.turn()
        left = seconds
        while left > 0:
            self.clock.step(min(step, left))
            left -= step
            self.turn()

    def turn(self) -> Report | None:
        """One look of the publisher and the worker at the present instant."""
        report = self.loop.step()
        asyncio.run(self._work())
        self.loop.step()  # what the worker recorded of identities goes to the ledger first
        asyncio.run(self._work())
        return report

    async def _work(self) -> None:
        try:
            await self.worker.run_once()
        finally:
            await self.fediverse.door.close()  # connections belong to this event loop

    def settle(self, hours: float = 100) -> None:
        """Let everything come to rest: holds, grace times, retries. Jumps from one due thing to the next."""
        end = self.clock.now + timedelta(hours=hours)
        self.run(6, step=2)  # what was just written is seen and settles
        for _ in range(400):
            self.turn()
            moment = self._next_event()
            if moment is None or moment > end:
                return
            # What is due but waits (its file is missing, the gate is closed) is looked at now and then.
            self.clock.now = moment if moment > self.clock.now else self.clock.now + timedelta(minutes=20)

    def _next_event(self) -> datetime | None:
        """When something is due next: a job, a delivery, a pass, or the watcher's next look."""
        with self.store.reading() as look:
            found = [look.jobs.next_due(), look.received.next_due(), self.loop.next_pass]
        if self.watcher.unsettled:
            found.append(self.clock.now + timedelta(seconds=3))
        return min((moment for moment in found if moment is not None), default=None)

    def publish(self, **confirmed: bool) -> Report:
        """`dramafeed publish`."""
        return self.publisher.run_pass(Confirmed(**confirmed))

    # ---- the writer's side

    def write(self, path: str, text: str, *, age: float = 10) -> Path:
        """Write a file that was last saved `age` seconds ago."""
        target = self.content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        self.touch(path, age)
        return target

    def touch(self, path: str, age: float = 0) -> None:
        """Let a file have been saved `age` seconds ago."""
        saved = self.clock.now.timestamp() - age
        os.utime(self.content / path, (saved, saved))

    def author(self, name: str = "mina", text: str = AUTHOR) -> None:
        """Write an author's file."""
        self.write(f"authors/{name}.md", text)

    def review(self, name: str, body: str = "It was good.", **front: Any) -> None:
        """Write `reviews/<name>.md`; further keys go into the front matter."""
        title = front.pop("title", name.capitalize())
        rows = "".join(f"{key}: {value}\n" for key, value in front.items())
        self.write(f"reviews/{name}.md", f"---\ntitle: {title}\nauthor: mina\n{rows}---\n{body}\n")

    def remove(self, path: str) -> None:
        """Remove a file."""
        (self.content / path).unlink()

    # ---- the reader's side

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET a path or URL of the site."""
        return self.http.get(
            _path(path), headers={k.replace("_", "-"): v for k, v in headers.items()}, base_url=BASE_URL
        )

    def document(self, url: str) -> dict[str, Any]:
        """An ActivityPub document of the site."""
        response = self.get(url)
        assert response.status_code == 200, f"{url}: {response.status_code} {response.text}"
        found: dict[str, Any] = json.loads(response.data)
        return found

    def titles(self, feed: str = "/feed.json") -> list[str]:
        """Titles in a JSON feed, in its order."""
        return [item["title"] for item in json.loads(self.get(feed).data)["items"]]

    def item(self, title: str) -> dict[str, Any]:
        """One item of the JSON feed."""
        items = json.loads(self.get("/feed.json").data)["items"]
        found: dict[str, Any] = next(item for item in items if item["title"] == title)
        return found

    # ---- other servers

    def post(self, server: RemoteServer, activity: dict[str, Any], path: str = "/ap/inbox") -> TestResponse:
        """Another server POSTs a signed activity."""
        body = json.dumps(activity).encode()
        url = f"{BASE_URL}{path}"
        headers = sign_cavage(server.signer, "POST", url, now=self.clock(), body=body)
        content_type = "application/activity+json"
        return self.http.post(path, data=body, headers=headers, base_url=BASE_URL, content_type=content_type)

    def follow(self, server: RemoteServer, handle: str = "mina", number: int = 1) -> dict[str, Any]:
        """A server's actor follows one of ours, and is accepted."""
        activity = follow_of(server, f"{BASE_URL}/ap/actors/{handle}", number)
        response = self.post(server, activity, f"/ap/actors/{handle}/inbox")
        assert response.status_code == 202, response.text
        self.turn()
        return activity

    def followed(
        self, host: str = "social.example", handles: tuple[str, ...] = ("mina",), **options: Any
    ) -> RemoteServer:
        """A server whose actor follows some of ours."""
        server = self.fediverse.server(host, **options)
        for handle in handles:
            self.follow(server, handle)
        return server


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
