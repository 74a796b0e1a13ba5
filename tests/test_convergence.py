"""The outside converges to the folder, whatever happens on the way.

Random histories of a writer's hands, a sync tool's accidents, dying processes and a remote server with
outages, on a stepped clock. At rest, the remote's posts, the feed and the pages equal the folder, each
exactly once. `DRAMAFEED_SOAK=1` runs many more.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from dramafeed.storage import Store
from tests.fakes import RemoteServer
from tests.site import Site

HISTORIES = 5000 if os.environ.get("DRAMAFEED_SOAK") else 200
STEPS = 14
NAMES = ("arang", "beyond", "castaway", "doom", "extra", "forecast", "glory")


class Killed(BaseException):
    """The process died here. Not an Exception: nothing in the product may catch it."""


class MortalStore(Store):
    """A store whose process dies at a chosen commit, just before or just after it."""

    commits_left: int | None = None
    after = False

    def __init__(self, url: str) -> None:
        super().__init__(url)

        @event.listens_for(self.engine, "commit")
        def _commit(connection: Any) -> None:
            if self.commits_left is None or not connection.get_execution_options().get("dramafeed_write"):
                return
            self.commits_left -= 1
            if self.commits_left < 0:
                self.commits_left = None
                if self.after:
                    connection.connection.driver_connection.commit()
                raise Killed


class History:
    """One random life of a site; `folder` is what the writers mean: name -> text."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a history, no secret
        self.site = Site(folder, make_store=MortalStore, fediverse=None)
        self.meant: dict[str, str] = {}
        self.titles: dict[str, str] = {}
        self.log: list[str] = []
        self.counter = 0
        self.site.author()
        self.site.turn()
        self.server: RemoteServer = self.site.followed(handles=("mina", "blog"))

    def live(self) -> None:
        """Some things happen."""
        for _ in range(STEPS):
            act = self.random.choice(self.acts())
            self.log.append(act.__name__)
            with self._mortal():
                act()
                self.site.run(self.random.choice((0, 3, 20, 70, 400)), step=100)

    def acts(self) -> list[Any]:
        return [
            self.write, self.write, self.write, self.edit, self.edit, self.rename, self.remove,
            self.remove_and_restore, self.kill, self.kill, self.outage, self.conflict, self.half_written,
            self.draft_and_back,
        ]  # fmt: skip

    # ---- what happens

    def write(self) -> None:
        free = [name for name in NAMES if name not in self.meant]
        if free:
            self._put(self.random.choice(free))

    def edit(self) -> None:
        if self.meant:
            self._put(self.random.choice(sorted(self.meant)))

    def rename(self) -> None:
        free = [name for name in NAMES if name not in self.meant]
        if self.meant and free:
            old, new = self.random.choice(sorted(self.meant)), self.random.choice(free)
            text = self.meant.pop(old)
            if self.random.random() < 0.5:
                self._path(old).rename(self._path(new))
            else:  # as some editors do: the new file first, the old one gone a little later
                self._file(new, text, title=self._title(old))
                with self._mortal():
                    self.site.run(5)
                self._path(old).unlink()
            self.meant[new] = text
            self.titles[new] = self.titles.pop(old)

    def remove(self) -> None:
        if len(self.meant) > 1:
            name = self.random.choice(sorted(self.meant))
            del self.meant[name]
            self.titles.pop(name)
            self._path(name).unlink()

    def remove_and_restore(self) -> None:
        if self.meant:
            path = self._path(self.random.choice(sorted(self.meant)))
            kept = path.read_bytes()
            path.unlink()
            with self._mortal():
                self.site.run(self.random.choice((5, 100, 500)), step=50)
            path.write_bytes(kept)
            os.utime(path, (self.site.clock.now.timestamp() - 5,) * 2)

    def draft_and_back(self) -> None:
        if self.meant:
            name = self.random.choice(sorted(self.meant))
            self._file(name, self.meant[name], title=self._title(name), draft=True)
            with self._mortal():
                self.site.run(self.random.choice((5, 200)), step=50)
            self._file(name, self.meant[name], title=self._title(name))

    def kill(self) -> None:
        """The process dies at some commit soon, and is started again."""
        self.site.store.commits_left = self.random.randrange(6)  # type: ignore[attr-defined]
        self.site.store.after = self.random.random() < 0.5  # type: ignore[attr-defined]

    def outage(self) -> None:
        """The follower's server answers nonsense for a while."""
        answers = iter([self.random.choice((0, 500, 503, 429))] * self.random.randrange(1, 6))
        self.server.down = lambda: next(answers, None)

    def conflict(self) -> None:
        """A sync tool leaves a conflict copy beside a file."""
        if self.meant:
            name = self.random.choice(sorted(self.meant))
            copy = self.site.content / f"reviews/{name}.sync-conflict-20261122-120000-ABCDEFG.md"
            copy.write_bytes(self._path(name).read_bytes())

    def half_written(self) -> None:
        """A slow sync: half the file is there, the rest comes a second later."""
        if self.meant:
            name = self.random.choice(sorted(self.meant))
            whole = self._path(name).read_text()
            self.site.write(f"reviews/{name}.md", whole[: len(whole) // 2], age=0)
            with self._mortal():
                self.site.turn()
            self.site.write(f"reviews/{name}.md", whole, age=0)

    # ---- how

    def _put(self, name: str) -> None:
        self.counter += 1
        self.titles.setdefault(name, f"Title {self.counter}")
        self.meant[name] = f"Text {self.counter} of this life."
        self._file(name, self.meant[name], title=self.titles[name])

    def _title(self, name: str) -> str:
        return self.titles.get(name, "")

    def _file(self, name: str, text: str, *, title: str, draft: bool = False) -> None:
        front = {"draft": "true"} if draft else {}
        self.site.review(name, text, title=title, federate="now", **front)

    def _path(self, name: str) -> Path:
        return self.site.content / f"reviews/{name}.md"

    @contextlib.contextmanager
    def _mortal(self) -> Iterator[None]:
        try:
            yield
        except Killed:
            self.site.restart()

    # ---- at rest

    def rest(self) -> None:
        self.site.store.commits_left = None  # type: ignore[attr-defined]
        self.server.down = lambda: None
        self.site.restart()
        self.site.settle()

    def check(self) -> None:
        """Posts, boosts, feed and pages equal the folder."""
        texts = sorted(self.meant.values())
        posts = [post.document for post in self.server.posts.values()]
        assert sorted(_text_of(post["content"]) for post in posts) == texts
        boosted = sorted(set(self.server.boosts.values()))
        assert boosted == sorted(self.server.posts), "each post boosted once by the blog"
        assert len(self.server.boosts) == len(boosted)
        feed = self.site.get("/feed.json").get_json(force=True)["items"]
        assert sorted(_text_of(item["content_html"]) for item in feed) == texts
        assert len({item["id"] for item in feed}) == len(texts)
        for name, text in self.meant.items():
            assert text in self.site.get(f"/reviews/{name}/").text
        for post in posts:
            assert self.site.document(post["id"])["content"] == post["content"]


def _text_of(html: str) -> str:
    start = html.index("Text ")
    return html[start : html.index("life.", start) + 5]


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_the_outside_converges_to_the_folder(tmp_path: Path, seed: int) -> None:
    """Whatever happened, at rest the outside equals the folder."""
    history = History(tmp_path, seed)
    try:
        history.live()
        history.rest()
        history.check()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {' '.join(history.log)}\n{error}") from error
    finally:
        history.site.close()
