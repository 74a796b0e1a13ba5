"""newsboat, a feed reader for terminals: reads feeds once and tells what it kept of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.peers.running import find_program, run


@dataclass(frozen=True)
class Item:
    """One article as newsboat stored it."""

    feed: str
    guid: str
    title: str
    author: str
    url: str
    published: int
    content: str
    enclosure: str


class Newsboat:
    """A reader with its own cache: `reload()` may be called again, as a person does every day."""

    def __init__(self, folder: Path, feeds: Sequence[str]) -> None:
        self.binary = find_program("newsboat")
        self.folder = folder
        self.cache = folder / "cache.db"
        self.urls = folder / "urls"
        self.config = folder / "config"
        self.urls.write_text("".join(f"{url}\n" for url in feeds), "utf-8")
        self.config.write_text("auto-reload no\ndownload-timeout 10\ndownload-retries 1\n", "utf-8")

    def reload(self) -> list[Item]:
        """Fetch every feed and return all items of the cache, newest first."""
        files = [
            f"--config-file={self.config}",
            f"--cache-file={self.cache}",
            f"--url-file={self.urls}",
        ]
        run(
            [self.binary, "--execute=reload", "--quiet", *files],
            seconds=60,
            env={**os.environ, "HOME": str(self.folder), "no_proxy": "*"},
            cwd=self.folder,
        )
        query = (
            "SELECT feedurl, guid, title, author, url, pubDate, content, "
            "coalesce(enclosure_url, '') FROM rss_item "
            "WHERE deleted = 0 ORDER BY pubDate DESC, id DESC"
        )
        with closing(sqlite3.connect(self.cache)) as database:
            return [Item(*row) for row in database.execute(query)]

    def titles(self) -> dict[str, str]:
        """The title of each feed by its URL."""
        with closing(sqlite3.connect(self.cache)) as database:
            return dict(database.execute("SELECT rssurl, title FROM rss_feed"))
