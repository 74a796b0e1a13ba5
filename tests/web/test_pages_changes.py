"""Finished documents are true: what a change touches is rendered anew, and nothing else changes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from tests.web.conftest import ABOUT, AUTHOR_ONLY, DRAMA, ILSE, MINJI, NEWS, OTHER, PLAIN, SITE, WHOLE, Blog

HARBOUR = ["/tags/harbour/", "/tags/harbour/feed.xml", "/tags/harbour/atom.xml", "/tags/harbour/feed.json"]
BRAND_NEW = """\
---
title: Brand New
author: ilse
published: 2023-01-05 20:00
tags: [harbour]
---
Nobody has read this before. See [the first](whole.md).
"""
TOM = "---\nname: Tom Passer\nhandle: tom\n---\nHere.\n"


def _file(path: str, text: str) -> Callable[[Blog], None]:
    return lambda blog: blog.write(path, text)


def _withdraw(name: str) -> Callable[[Blog], Any]:
    return lambda blog: blog.publisher.withdraw(name)


def _rename_minji(blog: Blog) -> None:
    blog.remove("authors/minji.md")
    blog.write("authors/kim-minji.md", MINJI)
    blog.write("reviews/whole.md", WHOLE.replace("authors: [minji,", "authors: [kim-minji,"))


CHANGES = {
    "author renamed": _file("authors/ilse.md", ILSE.replace("Ilse Vermeer", "Ilse de Wit")),
    "author's bio": _file("authors/ilse.md", ILSE.replace("**first**", "**last**")),
    "author's portrait": lambda blog: blog.picture("authors/ilse.png", "olive", (48, 48)),
    "author's links": _file("authors/ilse.md", ILSE.replace("ilse.example", "ilse.example/new")),
    "author's address": _rename_minji,
    "author became a guest no more": _file("authors/tom.md", TOM),
    "author left": _file("authors/ilse.md", ILSE.replace("pronouns", "status: alumni\npronouns")),
    "new author": _file("authors/una.md", "---\nname: Una\n---\nNew.\n"),
    "drama renamed": _file("dramas/lighthouse-street.yaml", DRAMA.replace("title: Li", "title: The Li")),
    "drama's facts": _file("dramas/lighthouse-street.yaml", DRAMA.replace("episodes: 16", "episodes: 20")),
    "new drama": _file("dramas/another.yaml", "title: Another\nreleased: 2020\n"),
    "review's title": _file("reviews/whole.md", WHOLE.replace("Salt &", "Sugar &")),
    "review's text": _file("reviews/other.md", OTHER.replace("Everybody", "Nobody")),
    "review's spoilers": _file("reviews/other.md", OTHER.replace("spoilers: full", "spoilers: mild")),
    "review's rating": _file("reviews/whole.md", WHOLE.replace("4.5/5", "2/5")),
    "review's picture": lambda blog: blog.picture("reviews/lamp.jpg", "pink", (96, 54)),
    "review's tags": _file("reviews/whole.md", WHOLE.replace("slow burn, harbour", "slow burn, new tag")),
    "tag spelled otherwise": _file("reviews/whole.md", WHOLE.replace("harbour", "HARBOUR")),
    "review's kind": _file("reviews/whole.md", WHOLE.replace("slug:", "kind: interview\nslug:")),
    "review's writers": _file("reviews/whole.md", WHOLE.replace("[minji, ilse, tom]", "[tom, minji]")),
    "review's drama": _file("reviews/news.md", NEWS.replace("drama: lighthouse-street\n", "")),
    "review's address": _file("reviews/whole.md", WHOLE.replace("slug: lighthouse", "slug: the-lighthouse")),
    "plain text": _file("reviews/첫눈.txt", PLAIN.replace("second.", "third.")),
    "review hidden": _file("reviews/whole.md", WHOLE.replace("slug:", "draft: true\nslug:")),
    "review withdrawn": _withdraw("lighthouse-street"),
    "news withdrawn": _withdraw("news"),
    "new review": _file("reviews/new.md", BRAND_NEW),
    "site's title": _file("site.yaml", SITE.replace("Subtitles On", "Subtitles Off")),
    "site's timezone": _file("site.yaml", SITE.replace("Asia/Seoul", "Europe/Brussels")),
    "site's links": _file("site.yaml", SITE.replace("forum.example", "board.example")),
    "page's title": _file("pages/about.md", ABOUT.replace("About us", "Who we are")),
    "page's text": _file("pages/about.md", ABOUT.replace("None.", "Many.")),
    "new page": _file("pages/rules.md", "---\ntitle: Rules\n---\nText.\n"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_finished_documents_follow_every_change(blog: Blog, name: str) -> None:
    """After any change each document reads as one that was rendered from nothing: the keys agree."""
    before = blog.everything()
    blog.get("/nothing")
    CHANGES[name](blog)
    blog.publish()
    after = blog.everything()
    error = blog.get("/nothing").data
    blog.forget()
    assert blog.everything() == after
    assert blog.get("/nothing").data == error
    assert after != before


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {path for path in before.keys() & after.keys() if before[path] != after[path]}


def _shows(documents: dict[str, bytes], *words: str) -> set[str]:
    """Documents that contain one of the words (escapes of JSON undone)."""
    found = set()
    for path, body in documents.items():
        text = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), body.decode())
        if any(word in text for word in words):
            found.add(path)
    return found


@pytest.mark.parametrize(
    "name, words",
    [
        ("author renamed", ["Ilse Vermeer"]),
        ("author's bio", ["<strong>first</strong> episode twice"]),
        ("author's links", ["https://ilse.example/"]),
        ("drama renamed", ["Lighthouse Street"]),
        ("drama's facts", ["16 episodes", '"numberOfEpisodes":16']),
        ("page's text", ["<p>None."]),
        ("site's links", ["forum.example"]),
    ],
)
def test_a_change_shows_exactly_where_its_words_stood(blog: Blog, name: str, words: list[str]) -> None:
    """Row 32: the ETag of a document changes only when something that it shows did."""
    before = blog.everything()
    tags = {path: blog.get(path).headers["ETag"] for path in before}
    CHANGES[name](blog)
    blog.publish()
    after = blog.everything()
    assert _changed(before, after) == _shows(before, *words)
    same = {path for path in before if before[path] == after.get(path)}
    assert all(blog.get(path).headers["ETag"] == tags[path] for path in same)


def test_other_lists_keep_their_bytes(blog: Blog) -> None:
    """A new review touches the lists it is in and no other list, page or feed."""
    before = blog.everything()
    CHANGES["new review"](blog)
    blog.publish()
    changed = _changed(before, blog.everything())
    assert set(HARBOUR) <= changed
    assert not [
        path for path in changed if path.startswith(("/tags/slow", "/kinds/news", "/dramas/lighthouse"))
    ]
    assert not [path for path in changed if path.startswith(("/authors/minji", "/authors/tom", "/reviews/"))]
    assert "/about/" not in changed


def test_two_databases_give_the_same_bytes(make_blog: Callable[..., Blog]) -> None:
    """Row 30: every document, ETag and date is equal in another process on another database."""
    one, two = make_blog("one").fill(), make_blog("two").fill()
    assert one.everything() == two.everything()
    for path in one.addresses():
        first, second = one.get(path), two.get(path)
        assert first.headers["ETag"] == second.headers["ETag"]
        assert first.headers["Last-Modified"] == second.headers["Last-Modified"]


def test_the_clock_changes_nothing(blog: Blog) -> None:
    """Row 31: without edits every document keeps its bytes, whatever the time."""
    before = blog.everything()
    blog.now = blog.now.replace(year=2031)
    blog.forget()
    assert blog.everything() == before


# --------------------------------------------------------------------------- what it costs


def _queries(blog: Blog, path: str) -> int:
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    blog.forget()
    event.listen(blog.store.engine, "before_cursor_execute", note)
    try:
        assert blog.get(path).status_code == 200
    finally:
        event.remove(blog.store.engine, "before_cursor_execute", note)
    return len(asked)


def test_the_number_of_queries_does_not_grow(make_blog: Callable[..., Blog]) -> None:
    """No list asks once per review: twenty reviews cost as many queries as two."""
    blog = make_blog()
    blog.write("authors/ilse.md", AUTHOR_ONLY)
    blog.many(2)
    blog.publish()
    paths = ["/", "/authors/ilse/", "/tags/daily/", "/feed.xml", "/authors/", "/sitemap.xml", "/feeds.opml"]
    few = {path: _queries(blog, path) for path in paths}
    blog.many(28, start=3)
    blog.publish()
    many = {path: _queries(blog, path) for path in paths}
    assert few == many
    assert max(many.values()) <= 25


def test_a_home_page_is_rendered_in_milliseconds(make_blog: Callable[..., Blog]) -> None:
    """A full home page, its texts known, takes less than 50 ms even on a slow machine."""
    blog = make_blog()
    blog.write("authors/ilse.md", AUTHOR_ONLY)
    blog.many(40)
    blog.publish()
    blog.get("/")
    times = []
    for _turn in range(8):
        blog.forget()
        start = time.perf_counter()
        blog.get("/")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05
