"""A blog made of real files, published into a real database and mounted in a Flask application."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from lxml import html as lxml_html
from PIL import Image
from werkzeug.test import TestResponse

from dramafeed.activitypub import signatures
from dramafeed.content import LibraryReader
from dramafeed.inbox.receive import Inbox
from dramafeed.publishing.publisher import Publisher
from dramafeed.settings import Settings, build
from dramafeed.storage import Store
from dramafeed.web.documents import Documents
from dramafeed.web.feeds import feeds
from dramafeed.web.pages import pages
from dramafeed.web.state import EXTENSION, MountedSite
from tests import databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTIVITY = "application/activity+json"

SITE = """\
title: Subtitles On
description: A team blog about Korean drama.
language: en
timezone: Asia/Seoul
handle: blog
links:
  - {name: Our forum, url: "https://forum.example/"}
"""
ILSE = """\
---
name: Ilse Vermeer
handle: ilse
pronouns: she/her
avatar: {file: ilse.png, alt: "Ilse with headphones"}
links:
  - {name: Notes, url: "https://ilse.example/"}
---
Watches the **first** episode twice.
"""
MINJI = "---\nname: 김민지\nhandle: minji\n---\nReads the credits to the end.\n"
AUTHOR_ONLY = "---\nname: Ilse\n---\n"
GUEST = "---\nname: Tom Passer\nguest: true\n---\nOnly here once.\n"
DRAMA = """\
title: Lighthouse Street
title_native: 등대길
title_romanized: Deungdaegil
released: 2021-03
platform: tvN
episodes: 16
seasons: 2
writers: [Seo Ha-neul]
directors: [Bae Do-yun]
cast:
  - {actor: Han Ye-jin, role: Keeper}
  - {actor: Oh Min}
genres: [melodrama]
country: South Korea
based_on: {kind: novel, title: The Lamp, by: Yun Seo}
ids: {imdb: tt1234567, tmdb: "4711", wikidata: Q42}
"""
WHOLE = """\
---
title: "Salt & Light: <Lighthouse> \\"Street\\""
slug: lighthouse-street
authors: [minji, ilse, tom]
published: 2021-04-02 18:00
updated: 2021-05-01 09:30
correction: "The keeper is called Jun."
drama: lighthouse-street
season: 2
episodes_covered: 1-8
rating: 4.5/5
verdict: "Slow, and right to be."
spoilers: mild
content_notes: [drowning, grief]
image:
  file: lamp.jpg
  alt: "A lamp & its tower"
  credit: "tvN"
  credit_url: "https://tvn.example/"
  caption: "At night"
trailer: https://www.youtube.com/watch?v=abcdefghijk
tags: [slow burn, harbour, 등대]
redirect_from: [/2021/old-lighthouse/, /archive/7]
---
A slow year in a harbour town, told by the people who stayed. See [the other one](other.md).

:::spoiler
The keeper never saw the canaryword coming.
:::

![A stair](stair.png)

## Afterwards

They went home.
"""
OTHER = """\
---
title: The Other One
author: ilse
published: 2022-01-05 20:00
rating: 7/10
spoilers: full
image: {credit: "Nobody at all"}
tags: [harbour]
---
Everybody dies of canaryword in the end, says [the first](whole.md).
"""
NEWS = """\
---
title: A second season is coming
kind: news
author: ilse
published: 2022-02-05 20:00
drama: lighthouse-street
lang: ko
summary: "한 줄 요약입니다."
---
등대길 시즌 2.
"""
PLAIN = """\
[Recap] 첫눈 ❄ שלום

It snowed in the first episode.
And again in the second.

김민지
Reads the credits to the end.
"""
ABOUT = "---\ntitle: About us\n---\nWe **watch**.\n\n## Rules\n\nNone. See [authors](/authors/).\n"


class Blog:
    """One content folder, its database, and an application that shows it.

    `clock` is the present; every publication looks at the folder as it is.
    """

    def __init__(self, folder: Path, base_url: str = "https://drama.example", **given: Any) -> None:
        self.content = folder / "content"
        self.content.mkdir(parents=True, exist_ok=True)
        where = {"CONTENT": self.content, "DATA": folder / "data", **databases.setting_of(folder)}
        self.settings: Settings = build({"BASE_URL": base_url, **where, **given})
        self.store = Store(self.settings.database_url)
        self.store.create()
        self.now = NOW
        self._ids = (f"00000000-0000-4000-8000-{n:012}" for n in itertools.count(1))
        reader = LibraryReader(self.content, self.settings.media, settle_seconds=0)
        self.publisher = Publisher(
            self.store,
            self.settings,
            reader,
            clock=lambda: self.now,
            new_id=lambda: next(self._ids),
        )
        self.app = self.mount()

    def mount(self, app: Flask | None = None) -> Flask:
        """An application with its own finished documents; a new one unless a host is given."""
        app = app or Flask("host", static_folder=None)
        self.forget(app)
        prefix = self.settings.urls.prefix or None
        app.register_blueprint(pages, url_prefix=prefix)
        app.register_blueprint(feeds, url_prefix=prefix)
        return app

    def forget(self, app: Flask | None = None) -> None:
        """Throw away every finished document, as a restart does."""
        documents = Documents(self.store, monotonic=itertools.count(1).__next__)
        inbox = Inbox(self.store, self.settings)
        mounted = MountedSite(self.settings, self.store, documents, inbox, lambda: self.now)
        (app or self.app).extensions[EXTENSION] = mounted

    # ---- what writers do

    def write(self, path: str, text: str) -> None:
        """Save a file."""
        target = self.content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def picture(self, path: str, colour: str = "navy", size: tuple[int, int] = (64, 36)) -> None:
        """Drop a picture."""
        target = self.content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(target)

    def remove(self, path: str) -> None:
        """Delete a file."""
        (self.content / path).unlink()

    def publish(self, later: timedelta = timedelta(minutes=1)) -> None:
        """One pass of the publisher; there must be nothing wrong with the files."""
        self.now += later
        self.publisher.start()
        self.publisher.run_pass()
        with self.store.reading() as reading:
            problems = json.loads(reading.meta.get("problems", "[]"))
        assert [problem for problem in problems if problem["severity"] == "error"] == []

    def fill(self) -> Blog:
        """The whole blog of the constants above, published."""
        self.write("site.yaml", SITE)
        self.write("authors/ilse.md", ILSE)
        self.write("authors/minji.md", MINJI)
        self.write("authors/tom.md", GUEST)
        self.picture("authors/ilse.png", "maroon", (40, 40))
        self.write("dramas/lighthouse-street.yaml", DRAMA)
        self.write("reviews/whole.md", WHOLE)
        self.picture("reviews/lamp.jpg")
        self.picture("reviews/stair.png", "teal")
        self.write("reviews/other.md", OTHER)
        self.write("reviews/news.md", NEWS)
        self.write("reviews/첫눈.txt", PLAIN)
        self.write("pages/about.md", ABOUT)
        self.publish()
        return self

    def many(self, count: int, start: int = 1) -> None:
        """Short dated reviews, one a day; number n is the nth oldest."""
        for number in range(start, start + count):
            day = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number)
            self.write(
                f"reviews/r{number:03}.md",
                f"---\ntitle: Number {number}\nauthor: ilse\npublished: {day:%Y-%m-%d %H:%M}\n"
                f"tags: [daily]\n---\nText of number {number}.\n",
            )

    # ---- what readers do

    def get(self, path: str, accept: str = "text/html", **headers: str) -> TestResponse:
        """GET without following redirects."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.app.test_client() as client:
            return client.get(path, headers={"Accept": accept, **names})

    def text(self, path: str) -> str:
        """The text of a document that must be there."""
        response = self.get(path)
        assert response.status_code == 200, (path, response.status_code)
        return response.get_data(as_text=True)

    def tree(self, path: str) -> Any:
        """A page as a tree of elements."""
        return lxml_html.fromstring(self.get(path).get_data(as_text=True))

    def addresses(self) -> list[str]:
        """The path of every document there is."""
        urls = self.settings.urls
        top = urls.prefix
        lists = f"{top}/sitemap.xml"
        found = [line.partition("<")[0] for line in self.text(lists).split("<loc>")[1:]]
        found = [url.removeprefix(urls.origin) for url in found]
        for path in list(found):
            kind = path.removeprefix(top).split("/")[1]
            bare = path.endswith(("/authors/", "/dramas/"))
            if kind in ("", "authors", "dramas", "tags", "kinds") and not bare:
                found += [f"{path}{name}" for name in ("feed.xml", "atom.xml", "feed.json")]
        return [*found, lists, f"{top}/feeds.opml", f"{top}/robots.txt"]

    def everything(self) -> dict[str, bytes]:
        """Every document there is, by path."""
        return {path: self.get(path).data for path in self.addresses()}

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def linked_data(tree: Any) -> list[dict[str, Any]]:
    """The JSON-LD blocks of a page."""
    return [json.loads(node.text) for node in tree.xpath("//script")]


@pytest.fixture(scope="session", autouse=True)
def one_key() -> Iterator[None]:
    """Every actor gets the same key: making one takes longer than a whole test."""
    key = signatures.PrivateKey.generate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signatures.PrivateKey, "generate", lambda: key)
        yield


@pytest.fixture
def make_blog(tmp_path: Path) -> Iterator[Callable[..., Blog]]:
    """Makes empty blogs."""
    made: list[Blog] = []

    def make(name: str = "blog", **given: Any) -> Blog:
        made.append(Blog(tmp_path / name, **given))
        return made[-1]

    yield make
    for blog in made:
        blog.close()


@pytest.fixture
def blog(make_blog: Callable[..., Blog]) -> Blog:
    """The whole blog, for tests that change it."""
    return make_blog().fill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, one_key: None) -> Iterator[Blog]:
    """The whole blog, for tests that only look."""
    blog = Blog(tmp_path_factory.mktemp("shared")).fill()
    yield blog
    blog.close()
