"""What one new file costs as the site grows, and what a restart does: 100, 1,000 and 10,000 reviews."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from bench import sites
from bench.measure import ROUNDS, Figure
from dramafeed.app import Dramafeed
from dramafeed.content import LibraryReader, Watcher
from dramafeed.publishing.publisher import Publisher
from dramafeed.settings import build
from dramafeed.storage import Store
from dramafeed.worker import PublishLoop

SIZES = (100, 1_000, 10_000)
PAGES = ("/", "/feed.xml", "/atom.xml", "/feed.json")


class Growing:
    """A site of some size, published, with the parts that a file passes through on its way to a feed."""

    def __init__(self, reviews: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"dramafeed-bench-{reviews}-"))
        sites.write_content(self.folder / "content", reviews)
        self.settings = build(
            {"CONTENT": self.folder / "content", "DATA": self.folder / "var", "FEDERATE": "yes",
             "BASE_URL": "https://blog.example"}
        )  # fmt: skip
        self.store = Store(self.settings.database_url)
        self.store.create()
        self.app = Flask("bench", static_folder=None)
        Dramafeed().init_app(self.app, self.settings)
        self.http = self.app.test_client()
        self.first_start = self.start()

    def start(self) -> float:
        """Start the publishing process; CPU seconds until it is at rest."""
        begin = time.process_time()
        watcher = Watcher(self.settings.content, settle_seconds=0.0)
        self.reader = LibraryReader(
            self.settings.content, self.settings.media, settle_seconds=0.0, look=watcher.tree
        )
        self.loop = PublishLoop(self.store, Publisher(self.store, self.settings, self.reader), watcher)
        self.loop.step()
        return time.process_time() - begin

    def drop(self, name: str) -> float:
        """Write a review; CPU seconds until it is in every feed, on the front page and has a page."""
        file = self.settings.content / "reviews" / f"{name}.md"
        writer = "author: " + next(iter(self.settings.content.glob("authors/*.md"))).stem
        file.write_text(
            f"---\ntitle: {name.title()}\n{writer}\n---\n" + f"It rains on {name}. " * 200, encoding="utf-8"
        )
        begin, deadline = time.process_time(), time.monotonic() + 10
        while f"/reviews/{name}/" not in self.http.get("/feed.xml").text:
            time.sleep(0.02)  # spinning would count as work
            self.loop.step()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not in the feed after ten seconds")
        for page in (*PAGES, f"/reviews/{name}/"):
            self.http.get(page)
        return time.process_time() - begin

    def close(self) -> None:
        """Remove the site."""
        self.loop.close()
        self.store.close()
        shutil.rmtree(self.folder)


def figures() -> Iterator[Figure]:
    """New files at each size against the smallest; a restart against the first start."""
    grown = [Growing(size) for size in SIZES]
    for site in grown:
        site.drop("warm-up")
    costs = [[site.drop(f"new-{turn}") for site in grown] for turn in range(ROUNDS)]
    for index, size in enumerate(SIZES[1:], 1):
        ratios = [row[index] / row[0] for row in costs]
        yield Figure(f"one new file: CPU at {size:,} reviews / at {SIZES[0]}", ratios, goal="<= 1.5")
    large = grown[-1]
    ratios = []
    for _ in range(ROUNDS):
        large.loop.close()
        ratios.append(large.start() / large.first_start)
    yield Figure(f"restart at {SIZES[-1]:,} reviews / its first start: CPU", ratios, goal="<= 0.1")
    for site in grown:
        site.close()
