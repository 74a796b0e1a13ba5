"""Real feed readers read our feeds: nothing missing, nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import fastfeedparser
import feedparser
import pytest

from tests.peers.dramafeed_site import Site, review
from tests.peers.newsboat import Newsboat
from tests.peers.running import HERE, find_node, run

TITLE = "Salt & Persimmons <3, 소금과 감"
PATH = "reviews/salt-and-persimmons.md"
BODY = "The orchard scene, **twice**, and *why* it works."
FEEDS = ("/feed.xml", "/atom.xml")


@pytest.fixture
def blog(plain_site: Site) -> Site:
    """A site with an old review and a new one whose title is hard to carry."""
    plain_site.write(PATH, review(json.dumps(TITLE, ensure_ascii=False), BODY))
    for feed in (*FEEDS, "/feed.json"):
        plain_site.shows(feed, "Persimmons")
    return plain_site


def identities(site: Site) -> list[tuple[str, str]]:
    """Id and page address of each item, newest first, as our JSON feed says them."""
    document = json.loads(site.get("/feed.json").body)
    return [(item["id"], item["url"]) for item in document["items"]]


@pytest.mark.parametrize("path", FEEDS)
def test_newsboat_shows_each_review_once_and_whole(
    blog: Site, newsboat: Callable[[Sequence[str]], Newsboat], path: str
) -> None:
    """newsboat shows title, author, link and text as the writer wrote them."""
    reader = newsboat([f"{blog.url}{path}"])
    items = reader.reload()
    assert [it.title for it in items] == [TITLE, "Lighthouse Street"]
    assert [(it.guid, it.url) for it in items] == identities(blog)
    assert all("Mina Seo" in it.author for it in items)
    assert "<strong>twice</strong>" in items[0].content
    assert "harbour town" in items[1].content
    assert reader.titles() == {f"{blog.url}{path}": "Subtitles On"}


@pytest.mark.parametrize("path", FEEDS)
def test_an_edit_makes_no_second_item_in_newsboat(
    blog: Site, newsboat: Callable[[Sequence[str]], Newsboat], path: str
) -> None:
    """A reader who already has the review gets the correction, not a duplicate."""
    reader = newsboat([f"{blog.url}{path}"])
    before = {it.guid for it in reader.reload()}
    blog.write(PATH, review(json.dumps(TITLE, ensure_ascii=False), f"{BODY} Corrected."))
    blog.shows(path, "Corrected.")
    reader.reload()
    after = reader.reload()
    assert {it.guid for it in after} == before
    assert len(after) == len(before)
    assert "Corrected." in after[0].content


@pytest.mark.parametrize("path", FEEDS)
def test_feedparser_finds_nothing_to_complain_about(blog: Site, path: str) -> None:
    """feedparser reads RSS and Atom without a complaint and with every field."""
    answer = blog.get(path)
    parsed = feedparser.parse(answer.body, response_headers={"content-type": answer.header("content-type")})
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.feed.title == "Subtitles On"
    assert [(it.id, it.link) for it in parsed.entries] == identities(blog)
    newest = parsed.entries[0]
    assert newest.title == TITLE
    assert newest.author == "Mina Seo"
    assert "<strong>twice</strong>" in newest.content[0].value


def test_fastfeedparser_reads_the_json_feed(blog: Site) -> None:
    """A second, unrelated reader agrees on our JSON feed."""
    parsed = fastfeedparser.parse(blog.get("/feed.json").text)
    assert parsed.feed.title == "Subtitles On"
    assert [(it.id, it.link) for it in parsed.entries] == identities(blog)
    assert [it.title for it in parsed.entries] == [TITLE, "Lighthouse Street"]


@pytest.mark.parametrize("path", [*FEEDS, "/feed.json"])
def test_feedsmith_reads_every_format(blog: Site, path: str) -> None:
    """A parser of the JavaScript world finds the same ids and titles in all three formats."""
    folder = HERE / "feedsmith"
    answer = run([find_node(folder), str(folder / "read.mjs")], stdin=blog.get(path).body)
    parsed = json.loads(answer)
    assert parsed["format"] == {"/feed.xml": "rss", "/atom.xml": "atom", "/feed.json": "json"}[path]
    items = parsed["feed"].get("items") or parsed["feed"]["entries"]
    ids = [value_of(it.get("id") or it["guid"]) for it in items]
    assert ids == [uid for uid, _ in identities(blog)]
    assert [value_of(it["title"]) for it in items] == [TITLE, "Lighthouse Street"]


def value_of(field: Any) -> str:
    """feedsmith wraps text that may carry attributes."""
    return str(field["value"] if isinstance(field, dict) else field)
