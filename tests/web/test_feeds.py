"""The feeds over HTTP, and the lists for machines."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import feedparser
import pytest
from lxml.etree import fromstring

from dramafeed.model import ThingKind
from dramafeed.web.theme import asset_url
from tests.web.conftest import AUTHOR_ONLY, SITE, WHOLE, Blog

BASE = "https://drama.example"
FORMATS = {
    "feed.xml": "application/rss+xml; charset=utf-8",
    "atom.xml": "application/atom+xml; charset=utf-8",
    "feed.json": "application/feed+json; charset=utf-8",
}
LISTS = ["/", "/authors/ilse/", "/dramas/lighthouse-street/", "/tags/harbour/", "/kinds/review/"]
EVERY = [f"{path}{name}" for path in LISTS for name in FORMATS]


def _uid(blog: Blog, kind: ThingKind, slug: str = "") -> str:
    with blog.store.reading() as reading:
        thing = reading.editions.by_slug(kind, slug) if slug else reading.editions.things(kind)[0]
    assert thing is not None
    return thing.uid


def _ids(blog: Blog, path: str) -> list[str]:
    return [entry["id"] for entry in json.loads(blog.text(path))["items"]]


@pytest.mark.parametrize("path", EVERY)
def test_feeds_answer_as_readers_want(shared: Blog, path: str) -> None:
    """Rows 35-38: type, freshness, Vary, Link self; the same bytes for everybody; no cookie."""
    response = shared.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == FORMATS[path.rpartition("/")[2]]
    assert response.headers["Cache-Control"] == "max-age=1800, s-maxage=1"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Link"] == f'<{BASE}{path}>; rel="self"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in response.headers
    assert response.headers["ETag"]
    assert response.headers["Last-Modified"]
    for accept in ("*/*", "application/activity+json", "application/json", "text/html", "x/y"):
        other = shared.get(f"{path}?utm=1", accept, Host="evil.example", User_Agent="Reader/1.0")
        assert other.data == response.data
        assert other.headers["ETag"] == response.headers["ETag"]


@pytest.mark.parametrize("path", EVERY)
def test_feeds_are_revalidated(shared: Blog, path: str) -> None:
    """Rows 26-29, 33: 304 for whoever knows it, whatever the form of the question; one ETag per coding."""
    plain = shared.get(path)
    tag = plain.headers["ETag"]
    for condition in (tag, f'W/{tag}, "other"', "*"):
        assert shared.get(path, If_None_Match=condition).status_code == 304
    assert shared.get(path, If_Modified_Since=plain.headers["Last-Modified"]).status_code == 304
    stale = shared.get(path, If_None_Match='"x"', If_Modified_Since=plain.headers["Last-Modified"])
    assert stale.status_code == 200
    tags = {tag}
    for coding in ("gzip", "br"):
        packed = shared.get(path, Accept_Encoding=coding)
        assert packed.headers["Content-Encoding"] == coding
        assert len(packed.data) < len(plain.data)
        tags.add(packed.headers["ETag"])
    assert len(tags) == 3


def test_ids_are_the_same_in_all_formats_and_lists(shared: Blog) -> None:
    """Row 18: one id per review everywhere, which holds neither host nor slug nor title."""
    ids = _ids(shared, "/feed.json")
    assert ids == [entry.id for entry in feedparser.parse(shared.get("/feed.xml").data).entries]
    assert ids == [entry.id for entry in feedparser.parse(shared.get("/atom.xml").data).entries]
    assert len(ids) == 4
    uid = _uid(shared, ThingKind.REVIEW, "lighthouse-street")
    assert f"urn:uuid:{uid}" in ids
    for path in LISTS[1:]:
        assert set(_ids(shared, f"{path}feed.json")) <= set(ids)


def test_feeds_have_ids_of_their_own(shared: Blog) -> None:
    """A feed's id comes from what it is about, and is a UUID for labels too."""
    site = _uid(shared, ThingKind.SITE)
    expected = {
        "/": site,
        "/authors/ilse/": _uid(shared, ThingKind.AUTHOR, "ilse"),
        "/dramas/lighthouse-street/": _uid(shared, ThingKind.DRAMA, "lighthouse-street"),
        "/tags/harbour/": str(uuid.uuid5(uuid.UUID(site), "tag:harbour")),
        "/kinds/review/": str(uuid.uuid5(uuid.UUID(site), "kind:review")),
    }
    for path, uid in expected.items():
        feed = feedparser.parse(shared.get(f"{path}atom.xml").data).feed
        assert feed.id == f"urn:uuid:{uid}"
        assert feed.link == BASE + path
        assert [link.href for link in feed.links if link.rel == "self"] == [f"{BASE}{path}atom.xml"]


def test_ids_survive_a_new_address_and_title(blog: Blog, make_blog: Callable[..., Blog]) -> None:
    """Row 19: host, scheme, slug and title may change, no id does."""
    before = _ids(blog, "/feed.json")
    blog.write(
        "reviews/whole.md", WHOLE.replace("Salt &", "Sugar &").replace("slug: light", "slug: the-light")
    )
    blog.publish()
    assert _ids(blog, "/feed.json") == before
    moved = make_blog("moved", base_url="http://other.example:8080/x")
    moved.fill()
    assert _ids(moved, "/x/feed.json") == before


def test_titles_and_writers_of_feeds(shared: Blog) -> None:
    """A list's feeds are called after it and the blog; an author's feed is by that author."""
    expected = {
        "/": "Subtitles On",
        "/authors/ilse/": "Ilse Vermeer · Subtitles On",
        "/dramas/lighthouse-street/": "Lighthouse Street · Subtitles On",
        "/tags/harbour/": "harbour · Subtitles On",
        "/kinds/review/": "Reviews · Subtitles On",
    }
    for path, title in expected.items():
        feed = json.loads(shared.text(f"{path}feed.json"))
        assert feed["title"] == title
        assert feed["home_page_url"] == BASE + path
        author = "Ilse Vermeer" if path == "/authors/ilse/" else "Subtitles On"
        assert feed["authors"][0]["name"] == author
        assert feed["language"] == "en"


def test_the_newest_twenty(make_blog: Callable[..., Blog]) -> None:
    """Row 24: newest first, twenty items; drafts and scheduled texts are nowhere."""
    blog = make_blog()
    blog.write("authors/a.md", AUTHOR_ONLY)
    for number in range(1, 24):
        day = f"2020-01-{number:02} 10:00"
        text = f"---\ntitle: Number {number}\npublished: {day}\n---\nText of number {number}.\n"
        blog.write(f"reviews/r{number}.md", text)
    blog.write("reviews/later.md", "---\ntitle: Later\npublished: 2027-01-01 10:00\n---\nFuture.\n")
    blog.write("reviews/draft.md", "---\ntitle: Draft\ndraft: true\n---\nUnfinished.\n")
    blog.publish()
    titles = [item["title"] for item in json.loads(blog.text("/feed.json"))["items"]]
    assert titles == [f"Number {n}" for n in range(23, 3, -1)]
    for path in blog.addresses():
        text = blog.text(path)
        assert "Later" not in text
        assert "Unfinished" not in text


@pytest.mark.parametrize("name", FORMATS)
def test_an_unknown_feed_is_no_page_with_200(shared: Blog, name: str) -> None:
    """Row 41: what is not there is 404, whatever the format."""
    for path in (
        "/tags/none/",
        "/authors/nobody/",
        "/dramas/none/",
        "/kinds/poem/",
        "/reviews/other/",
        "/about/",
    ):
        assert shared.get(path + name).status_code == 404


def test_a_removed_tag_is_gone_but_a_hidden_one_is_not(blog: Blog) -> None:
    """Row 39: a tag's feed is 410 once its last review lost it; while one is a draft it is only absent."""
    blog.write("reviews/whole.md", WHOLE.replace("rating:", "draft: true\nrating:"))
    blog.publish()
    assert blog.get("/tags/slow-burn/feed.xml").status_code == 404
    blog.write("reviews/whole.md", WHOLE.replace("slow burn, ", ""))
    blog.publish()
    for name in ("", *FORMATS):
        assert blog.get(f"/tags/slow-burn/{name}").status_code == 410
        assert blog.get(f"/tags/never/{name}").status_code == 404
    blog.write("reviews/whole.md", WHOLE)
    blog.publish()
    assert blog.get("/tags/slow-burn/feed.xml").status_code == 200


def test_renamed_feeds_lead_on(shared: Blog) -> None:
    """Row 39: a feed under another spelling is 301 with a target that answers."""
    for path, target in {
        "/tags/Slow%20Burn/feed.xml": "/tags/slow-burn/feed.xml",
        "/dramas/Lighthouse%20Street/atom.xml": "/dramas/lighthouse-street/atom.xml",
        "/kinds/Review/feed.json": "/kinds/review/feed.json",
    }.items():
        response = shared.get(path)
        assert (response.status_code, response.headers["Location"]) == (301, BASE + target)
        assert shared.get(target).status_code == 200


def test_empty_feeds_are_valid(make_blog: Callable[..., Blog]) -> None:
    """Before anything is published the site's feeds answer, with a date that does not move."""
    blog = make_blog()
    first = {name: blog.get(f"/{name}").data for name in FORMATS}
    assert json.loads(first["feed.json"])["items"] == []
    assert b"1970-01-01T00:00:00+00:00" in first["atom.xml"]
    assert feedparser.parse(first["feed.xml"]).bozo == feedparser.parse(first["atom.xml"]).bozo == 0
    blog.forget()
    assert {name: blog.get(f"/{name}").data for name in FORMATS} == first


def test_feeds_are_dressed_and_have_an_icon(blog: Blog) -> None:
    """Row 63: a stylesheet for people; the blog's portrait, or the theme's icon, as picture."""
    urls = blog.settings.urls
    style = asset_url(urls, "dramafeed-feed.css")
    icon = asset_url(urls, "dramafeed.png")
    assert f'<?xml-stylesheet type="text/css" href="{style}"?>' in blog.text("/feed.xml")
    assert json.loads(blog.text("/feed.json"))["icon"] == icon
    for url in (style, icon):
        assert blog.get(urlsplit(url).path).status_code == 200
    blog.picture("blog.png", "gold", (32, 32))
    blog.write("site.yaml", SITE + "avatar: {file: blog.png, alt: A lamp}\n")
    blog.publish()
    avatar = json.loads(blog.text("/feed.json"))["icon"]
    assert "/media/" in avatar
    assert blog.get(urlsplit(avatar).path).status_code == 200


def test_spoilers_stay_on_the_page(shared: Blog) -> None:
    """Feeds carry the warning and the link in place of what gives the story away."""
    items = {item["title"]: item["content_html"] for item in json.loads(shared.text("/feed.json"))["items"]}
    whole = next(text for title, text in items.items() if title.startswith("Salt"))
    assert f'<a href="{BASE}/reviews/lighthouse-street/">Spoiler: read it on the page</a>' in whole
    assert "spoilers for the whole story" in items["The Other One"]
    assert "canaryword" not in json.dumps(items)


# --------------------------------------------------------------------------- lists for machines


def _outlines(blog: Blog) -> list[Any]:
    return list(fromstring(blog.get("/feeds.opml").data).iter("outline"))


def test_the_opml_lists_every_feed(shared: Blog) -> None:
    """Row 5: one feed per list that has reviews, and each of them answers."""
    feeds = [node.get("xmlUrl") for node in _outlines(shared) if node.get("xmlUrl")]
    assert len(feeds) == len(set(feeds))
    known = {path for path in shared.addresses() if path.endswith("/feed.xml")}
    assert {urlsplit(url).path for url in feeds} == known
    for url in feeds:
        assert shared.get(urlsplit(url).path).status_code == 200
    groups = {node.get("text") for node in _outlines(shared) if not node.get("xmlUrl")}
    assert groups == {"Authors", "Dramas", "Kinds", "Tags"}
    assert shared.get("/feeds.opml").headers["Content-Type"] == "text/x-opml; charset=utf-8"


def test_the_sitemap_lists_every_page(shared: Blog) -> None:
    """Every public page and nothing else, with the date of reviews."""
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    root = fromstring(shared.get("/sitemap.xml").data)
    places = {node.findtext(f"{space}loc"): node.findtext(f"{space}lastmod") for node in root}
    assert places[f"{BASE}/reviews/lighthouse-street/"] == "2021-04-02T09:00:00+00:00"
    assert f"{BASE}/about/" in places
    assert all(shared.get(urlsplit(str(url)).path).status_code == 200 for url in places)
    assert len([url for url in places if "/reviews/" in str(url)]) == 4


def test_robots_are_told_of_the_sitemap(shared: Blog, make_blog: Callable[..., Blog]) -> None:
    """robots.txt names the sitemap by its absolute address."""
    assert f"Sitemap: {BASE}/sitemap.xml" in shared.text("/robots.txt")
    below = make_blog(base_url="https://example.org/drama")
    assert "Sitemap: https://example.org/drama/sitemap.xml" in below.text("/drama/robots.txt")


def test_withdrawn_reviews_leave_every_list(blog: Blog) -> None:
    """Row 25: after a withdrawal neither feeds nor OPML nor sitemap know the review or its own tags."""
    blog.publisher.withdraw("lighthouse-street")
    for path in blog.addresses():
        text = blog.text(path)
        assert "lighthouse-street/" not in text.replace("/dramas/lighthouse-street/", ""), path
        assert "slow-burn" not in text


def test_an_author_without_reviews_has_feeds_that_nobody_lists(make_blog: Callable[..., Blog]) -> None:
    """The feeds answer, empty, but neither OPML nor sitemap send anybody there."""
    blog = make_blog()
    blog.write("authors/ilse.md", AUTHOR_ONLY)
    blog.publish()
    assert blog.get("/authors/ilse/").status_code == 200
    assert blog.get("/authors/ilse/feed.xml").status_code == 200
    assert len(_outlines(blog)) == 1
