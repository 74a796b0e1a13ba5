"""Addresses of pages: what answers, what leads elsewhere, what is not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from flask import Flask

from dramafeed.model import ThingKind
from dramafeed.web.theme import ASSET_TYPES, asset_url
from tests.web.conftest import ACTIVITY, AUTHOR_ONLY, OTHER, WHOLE, Blog

BASE = "https://drama.example"

LIVE = [
    "/",
    "/reviews/lighthouse-street/",
    "/reviews/other/",
    "/reviews/%EC%B2%AB%EB%88%88/",
    "/authors/",
    "/authors/ilse/",
    "/authors/minji/",
    "/authors/tom/",
    "/dramas/",
    "/dramas/lighthouse-street/",
    "/tags/harbour/",
    "/tags/slow-burn/",
    "/tags/%EB%93%B1%EB%8C%80/",
    "/kinds/review/",
    "/kinds/recap/",
    "/kinds/news/",
    "/about/",
]

LEADS = {
    # a missing slash, another spelling, an older site: one hop
    "/reviews/lighthouse-street": "/reviews/lighthouse-street/",
    "/reviews/Lighthouse%20Street/": "/reviews/lighthouse-street/",
    "/reviews/LIGHTHOUSE-street": "/reviews/lighthouse-street/",
    "/reviews/%E1%84%8E%E1%85%A5%E1%86%BA%E1%84%82%E1%85%AE%E1%86%AB/": "/reviews/%EC%B2%AB%EB%88%88/",
    "/authors": "/authors/",
    "/authors/ilse": "/authors/ilse/",
    "/dramas": "/dramas/",
    "/dramas/Lighthouse-Street/": "/dramas/lighthouse-street/",
    "/tags/Slow%20Burn/": "/tags/slow-burn/",
    "/tags/harbour": "/tags/harbour/",
    "/kinds/Review/": "/kinds/review/",
    "/about": "/about/",
    "/About/": "/about/",
    "/2021/old-lighthouse/": "/reviews/lighthouse-street/",
    "/2021/old-lighthouse": "/reviews/lighthouse-street/",
    "/archive/7": "/reviews/lighthouse-street/",
    "/archive/7/": "/reviews/lighthouse-street/",
}

ABSENT = [
    "/reviews/nothing/",
    "/reviews/nothing/at/all/",
    "/authors/nobody/",
    "/dramas/none/",
    "/tags/none/",
    "/kinds/poem/",
    "/page/1/",
    "/page/0/",
    "/page/01/",
    "/page/-1/",
    "/page/x/",
    "/page/99999999999999999999/",
    "/authors/ilse/page/1/",
    "/@nobody",
    "/@instance",
    "/wp-login.php",
    "/a/b/c",
    "/media/secret.txt",
    "/static/other.css",
    "/reviews/%00/",
    "/%00",
    "/tags/%00/",
    "/reviews/%FF%FE/",
    "/reviews/../",
]


@pytest.mark.parametrize("path", LIVE)
def test_pages_answer(shared: Blog, path: str) -> None:
    """Every page is HTML in UTF-8 with a strict policy and no cookie, and names its canonical address."""
    response = shared.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self'")
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert "s-maxage=1" in response.headers["Cache-Control"]
    assert "Set-Cookie" not in response.headers
    assert f'<link rel="canonical" href="{BASE}{path}">' in response.get_data(as_text=True)


@pytest.mark.parametrize("path", LIVE)
def test_pages_do_not_depend_on_the_request(shared: Blog, path: str) -> None:
    """A18: Host, scheme, query and user agent change nothing."""
    plain = shared.get(path)
    other = shared.get(
        path + "?utm_source=x", Host="evil.example", X_Forwarded_Host="evil.example", User_Agent="x"
    )
    assert (other.status_code, other.data) == (200, plain.data)
    assert b"evil.example" not in other.data


@pytest.mark.parametrize("path, target", LEADS.items())
def test_wrong_addresses_lead_to_the_right_one(shared: Blog, path: str, target: str) -> None:
    """An old or badly written address answers 301 with the canonical one, in one hop."""
    response = shared.get(path, Host="evil.example")
    assert (response.status_code, response.headers["Location"]) == (301, BASE + target)
    assert response.headers["Cache-Control"] == "max-age=300, s-maxage=1"
    assert shared.get(target).status_code == 200


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_not_there_is_404(shared: Blog, path: str) -> None:
    """A helpful page in the theme that caches keep for a second: by it they forget what was there."""
    response = shared.get(path)
    assert response.status_code == 404
    page = response.get_data(as_text=True)
    assert "Not here" in page
    assert "/reviews/lighthouse-street/" in page
    assert response.headers["Cache-Control"] == "max-age=0, s-maxage=1"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_an_old_slug_leads_on(blog: Blog) -> None:
    """After a change of slug the old address leads to the new one, and so do those of an older site."""
    blog.write("reviews/whole.md", WHOLE.replace("slug: lighthouse-street", "slug: the-lighthouse"))
    blog.publish()
    target = f"{BASE}/reviews/the-lighthouse/"
    for old in ("/reviews/lighthouse-street", "/reviews/lighthouse-street/", "/2021/old-lighthouse/"):
        response = blog.get(old)
        assert (response.status_code, response.headers["Location"]) == (301, target)
    assert blog.get("/reviews/the-lighthouse/").status_code == 200


def test_an_author_who_moves_takes_pages_and_feeds_along(blog: Blog) -> None:
    """A renamed author file leaves redirects behind for the page, its older pages and its feeds."""
    blog.remove("authors/ilse.md")
    blog.write("authors/ilse-vermeer.md", "---\nname: Ilse Vermeer\nhandle: ilse\n---\nStill here.\n")
    for path in ("reviews/whole.md", "reviews/other.md", "reviews/news.md"):
        file = blog.content / path
        file.write_text(file.read_text().replace("ilse", "ilse-vermeer"))
    blog.publish()
    new = f"{BASE}/authors/ilse-vermeer/"
    assert blog.get("/authors/ilse/").headers["Location"] == new
    assert blog.get("/authors/ilse/page/2/").headers["Location"] == f"{new}page/2/"
    for name in ("feed.xml", "atom.xml", "feed.json"):
        response = blog.get(f"/authors/ilse/{name}")
        assert (response.status_code, response.headers["Location"]) == (301, new + name)
        assert blog.get(f"/authors/ilse-vermeer/{name}").status_code == 200


def test_live_page_beats_redirect_beats_gone(blog: Blog) -> None:
    """Ruling 13: a live page hides a redirect at its address; a redirect hides a withdrawn review."""
    claim = OTHER.replace("tags: [harbour]", "redirect_from: [/reviews/lighthouse-street/, /about/]")
    blog.write("reviews/other.md", claim)
    blog.publish()
    assert blog.get("/reviews/lighthouse-street/").status_code == 200
    assert blog.get("/about/").status_code == 200
    blog.publisher.withdraw("lighthouse-street")
    response = blog.get("/reviews/lighthouse-street/")
    assert (response.status_code, response.headers["Location"]) == (301, f"{BASE}/reviews/other/")


def test_hidden_is_404_withdrawn_is_410(blog: Blog) -> None:
    """A draft is nowhere; a withdrawn review says so; neither leads servers to an object."""
    blog.write("reviews/whole.md", WHOLE.replace("rating:", "draft: true\nrating:"))
    blog.publish()
    for accept in ("text/html", ACTIVITY):
        assert blog.get("/reviews/lighthouse-street/", accept).status_code == 404
    blog.publisher.withdraw("other")
    for accept in ("text/html", ACTIVITY):
        response = blog.get("/reviews/other/", accept)
        assert response.status_code == 410
        assert "Taken back" in response.get_data(as_text=True)
    assert "canaryword" not in blog.get("/reviews/other/").get_data(as_text=True)
    blog.write("reviews/whole.md", WHOLE)
    blog.publish()
    assert blog.get("/reviews/lighthouse-street/").status_code == 200


def test_a_removed_file_stays_until_its_grace_is_over(blog: Blog) -> None:
    """A missing file changes nothing for ten minutes; then its page is 410, and so is its kind's."""
    blog.remove("reviews/news.md")
    blog.publish()
    assert blog.get("/reviews/news/").status_code == 200
    blog.publish(timedelta(minutes=11))
    assert blog.get("/reviews/news/").status_code == 410
    assert blog.get("/kinds/news/").status_code == 410


# --------------------------------------------------------------------------- before there is anything


def test_an_empty_site_is_friendly(make_blog: Callable[..., Blog]) -> None:
    """Nothing published yet: home and lists answer, pages of things say to come back."""
    blog = make_blog()
    assert "The first review is on its way" in blog.text("/")
    for path in ("/authors/", "/dramas/", "/feeds.opml", "/sitemap.xml", "/robots.txt"):
        assert blog.get(path).status_code == 200
    for path in (
        "/reviews/x/",
        "/authors/x/",
        "/dramas/x/",
        "/tags/x/",
        "/kinds/review/",
        "/tags/x/feed.xml",
    ):
        response = blog.get(path)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert blog.get("/about/").status_code == 404
    assert blog.get("/", ACTIVITY).status_code == 200
    blog.write("site.yaml", "title: New\n")
    blog.publish()
    assert "<title>New</title>" in blog.text("/")
    assert blog.get("/reviews/x/").status_code == 404


def test_a_lost_database_does_not_say_gone(blog: Blog, make_blog: Callable[..., Blog]) -> None:
    """Between the start from the ledger and the first pass, live reviews are 503, never 404 or 410."""
    again = make_blog("again")
    again.content.rmdir()
    blog.content.rename(again.content)
    again.publisher.start()
    for path in ("/reviews/lighthouse-street/", "/authors/ilse/", "/dramas/lighthouse-street/"):
        assert again.get(path).status_code == 503
    assert again.get("/").status_code == 200
    again.publish()
    assert again.get("/reviews/lighthouse-street/").status_code == 200


# --------------------------------------------------------------------------- who asks


def _id(blog: Blog, slug: str) -> str:
    with blog.store.reading() as reading:
        thing = reading.editions.by_slug(ThingKind.REVIEW, slug)
    assert thing is not None
    return f"{BASE}/ap/reviews/{thing.uid}"


@pytest.mark.parametrize(
    "accept",
    [
        ACTIVITY,
        "application/activity+json, application/ld+json",
        'application/ld+json; profile="https://www.w3.org/ns/activitystreams", text/html;q=0.1',
    ],
)
def test_servers_are_led_to_the_object(shared: Blog, accept: str) -> None:
    """Who ranks ActivityPub higher gets a 303 that no cache keeps; the body is never JSON."""
    targets = {
        "/reviews/lighthouse-street/": _id(shared, "lighthouse-street"),
        "/reviews/lighthouse-street": _id(shared, "lighthouse-street"),
        "/": f"{BASE}/ap/actors/blog",
        "/authors/ilse/": f"{BASE}/ap/actors/ilse",
        "/@ilse": f"{BASE}/ap/actors/ilse",
        "/@blog": f"{BASE}/ap/actors/blog",
    }
    for path, target in targets.items():
        response = shared.get(path, accept)
        assert (response.status_code, response.headers["Location"]) == (303, target)
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Vary"] == "Accept"


def test_people_get_pages_that_name_the_object(shared: Blog) -> None:
    """Link header and link element hold the same absolute id."""
    targets = {
        "/reviews/lighthouse-street/": _id(shared, "lighthouse-street"),
        "/": f"{BASE}/ap/actors/blog",
        "/authors/ilse/": f"{BASE}/ap/actors/ilse",
    }
    for path, target in targets.items():
        for accept in ("*/*", "text/html", f"{ACTIVITY}, */*", ""):
            response = shared.get(path, accept)
            assert response.status_code == 200
            assert response.headers["Link"] == f'<{target}>; rel="alternate"; type="{ACTIVITY}"'
            found = f'<link rel="alternate" type="{ACTIVITY}" href="{target}">'
            assert found in response.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/authors/tom/", "/tags/harbour/", "/kinds/review/", "/dramas/", "/about/"])
def test_pages_without_an_object_are_html_for_everybody(shared: Blog, path: str) -> None:
    """Guests, labels and plain pages have no ActivityPub side."""
    response = shared.get(path, ACTIVITY)
    assert response.status_code == 200
    assert "Link" not in response.headers
    assert "activity+json" not in response.get_data(as_text=True)


def test_profiles_lead_people_to_the_page(shared: Blog) -> None:
    """`/@handle` is for people too."""
    for handle, path in (("ilse", "/authors/ilse/"), ("ILSE", "/authors/ilse/"), ("blog", "/")):
        response = shared.get(f"/@{handle}")
        assert (response.status_code, response.headers["Location"]) == (302, BASE + path)
        assert response.headers["Vary"] == "Accept"


# --------------------------------------------------------------------------- conditions


def test_conditional_requests(shared: Blog) -> None:
    """A page that is known is answered with 304 and its headers; HEAD says what GET says."""
    first = shared.get("/reviews/other/")
    again = shared.get("/reviews/other/", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    for name in ("ETag", "Vary", "Cache-Control", "Link"):
        assert again.headers[name] == first.headers[name]
    with shared.app.test_client() as client:
        head = client.head("/reviews/other/", headers={"Accept": "text/html"})
    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(first.headers)


def test_a_review_is_small(shared: Blog) -> None:
    """A review page with its stylesheet stays under 60 KB."""
    style = asset_url(shared.settings.urls, "dramafeed.css").removeprefix(BASE)
    assert len(shared.get("/reviews/lighthouse-street/").data) + len(shared.get(style).data) < 60_000


# --------------------------------------------------------------------------- files


def test_theme_files_live_under_their_version(shared: Blog) -> None:
    """The file's hash is in its address; any older one still gets the present file, for a short while."""
    for name, content_type in ASSET_TYPES.items():
        path = asset_url(shared.settings.urls, name).removeprefix(BASE)
        response = shared.get(path)
        assert (response.status_code, response.headers["Content-Type"]) == (200, content_type)
        assert response.headers["Cache-Control"].startswith("max-age=31536000")
        old = shared.get(path.replace(path.split(".")[-2], "0" * 8))
        assert old.data == response.data
        assert old.headers["Cache-Control"].startswith("max-age=300, s-maxage=1")
    assert asset_url(shared.settings.urls, "dramafeed.css").removeprefix(BASE) in shared.text("/")
    assert shared.get("/favicon.ico").headers["Content-Type"] == "image/png"


def test_pictures_are_served_while_something_public_shows_them(blog: Blog) -> None:
    """Ruling 20: a picture answers while a public edition uses it, with headers that make it harmless."""
    tree = blog.tree("/reviews/lighthouse-street/")
    sources = tree.xpath("//main//img/@src")
    assert len(sources) == len(set(sources)) + 1  # lamp, stair, and Ilse in byline and card
    for source in sources:
        response = blog.get(source)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert response.headers["Content-Type"] in ("image/jpeg", "image/png")
        assert blog.get(source, If_None_Match=response.headers["ETag"]).status_code == 304
    lamp = tree.xpath("//figure[@class='still']/img/@src")[0]
    blog.write("reviews/whole.md", WHOLE.replace("rating:", "draft: true\nrating:"))
    blog.publish()
    assert blog.get(lamp).status_code == 404
    blog.write("reviews/whole.md", WHOLE)
    blog.publish()
    assert blog.get(lamp).status_code == 200
    blog.publisher.withdraw("lighthouse-street")
    assert blog.get(lamp).status_code == 404
    assert (blog.settings.media / lamp.rpartition("/")[2]).exists()


@pytest.mark.parametrize(
    "name",
    [
        "..%2Fdramafeed.sqlite3",
        "%2e%2e/x",
        "a" * 32 + ".svg",
        "A" * 32 + ".jpg",
        "a" * 32 + ".jpg%00",
        ".x.part",
    ],
)
def test_nothing_else_leaves_the_media_folder(blog: Blog, name: str) -> None:
    """Only content-hashed names of pictures are looked for."""
    for stray in ("a" * 32 + ".svg", ".x.part"):
        (blog.settings.media / stray).write_text("secret")
    response = blog.get(f"/media/{name}")
    assert response.status_code == 404
    assert b"secret" not in response.data


def test_a_picture_nobody_shows_is_not_served(blog: Blog) -> None:
    """A file in the media folder alone is not public."""
    (blog.settings.media / ("b" * 32 + ".jpg")).write_bytes(b"secret")
    assert blog.get(f"/media/{'b' * 32}.jpg").status_code == 404


# --------------------------------------------------------------------------- older pages


def _numbers(blog: Blog, path: str) -> list[int]:
    titles = blog.tree(path).xpath("//article//h2/a/text()")
    return [int(title.removeprefix("Number ")) for title in titles]


def _numbered(blog: Blog, count: int) -> Blog:
    blog.write("authors/ilse.md", AUTHOR_ONLY)
    blog.many(count)
    blog.publish()
    return blog


def test_older_pages_are_numbered_from_the_oldest(make_blog: Callable[..., Blog]) -> None:
    """Every list has older pages; a new review changes no older page."""
    blog = _numbered(make_blog(), 47)
    for base in ("/", "/authors/ilse/", "/tags/daily/", "/kinds/review/"):
        assert _numbers(blog, base) == list(range(47, 27, -1))
        assert _numbers(blog, f"{base}page/1/") == list(range(20, 0, -1))
        assert blog.get(f"{base}page/3/").status_code == 404  # not full yet
    before = {n: _numbers(blog, f"/page/{n}/") for n in (1, 2)}
    first = blog.get("/page/1/").data
    blog.many(3, start=48)
    blog.publish()
    assert {n: _numbers(blog, f"/page/{n}/") for n in (1, 2)} == before
    assert blog.get("/page/1/").data == first
    assert blog.get("/page/1").headers["Location"] == f"{BASE}/page/1/"


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 39, 40, 41, 60, 61])
def test_the_walk_back_has_no_gap(make_blog: Callable[..., Blog], count: int) -> None:
    """Whatever the number of reviews, home and older pages show them all and every link works."""
    blog = _numbered(make_blog(), count)
    seen, path = set(_numbers(blog, "/")), "/"
    while older := blog.tree(path).xpath("//a[@rel='next']/@href"):
        assert blog.tree(older[0]).xpath("//a[@rel='prev']/@href") == [path]
        path = older[0]
        seen |= set(_numbers(blog, path))
    assert seen == set(range(1, count + 1))


# --------------------------------------------------------------------------- in a host application


@pytest.mark.parametrize("host_first", [True, False])
def test_host_routes_come_first_without_a_prefix(blog: Blog, host_first: bool) -> None:
    """Mounted at the root, dramafeed hides no route of its host: not even those for any name or path."""
    host = Flask("host", static_folder=None)
    if not host_first:
        blog.mount(host)
    host.add_url_rule("/<name>/", "user", lambda name: f"user {name}")
    host.add_url_rule("/shop/", "shop", lambda: "shop")
    host.add_url_rule("/shop/<path:rest>", "thing", lambda rest: f"thing {rest}")
    host.add_url_rule("/favicon.ico", "icon", lambda: "own icon")
    host.add_url_rule("/static/<path:file>", "static", lambda file: f"file {file}")
    if host_first:
        blog.mount(host)
    with host.test_client() as client:
        assert client.get("/kim/").text == "user kim"
        assert client.get("/shop/").text == "shop"
        assert client.get("/shop/a/b").text == "thing a/b"
        assert client.get("/shop").status_code == 308
        assert client.get("/favicon.ico").text == "own icon"
        assert client.get("/static/site.css").text == "file site.css"
        assert "Subtitles On" in client.get("/").text
        assert client.get("/reviews/other/").status_code == 200
        assert client.get("/2021/old-lighthouse/").status_code == 301


def test_a_host_keeps_its_own_404(make_blog: Callable[..., Blog]) -> None:
    """Below a prefix, addresses outside it are the host's business, and so are its errors."""
    blog = make_blog(base_url="https://example.org/drama").fill()
    blog.app.register_error_handler(404, lambda _error: ("host 404", 404))
    assert blog.get("/nothing").data == b"host 404"
    assert b"Not here" in blog.get("/drama/nothing").data


def test_everything_lives_below_a_prefix(make_blog: Callable[..., Blog]) -> None:
    """BASE_URL may end in a path: every address, link and redirect is below it."""
    blog = make_blog(base_url="https://example.org/drama").fill()
    assert blog.get("/").status_code == 404
    for path in blog.addresses():
        assert path.startswith("/drama/")
        assert blog.get(path).status_code == 200
    assert blog.get("/drama").headers["Location"] == "https://example.org/drama/"
    assert blog.get("/drama/about").headers["Location"] == "https://example.org/drama/about/"
    for old in ("/drama/2021/old-lighthouse/", "/drama/archive/7"):
        assert blog.get(old).headers["Location"] == "https://example.org/drama/reviews/lighthouse-street/"
    tree = blog.tree("/drama/reviews/lighthouse-street/")
    for value in tree.xpath("//@src | //main//@href | //nav//@href | //link[@rel='stylesheet']/@href"):
        assert value.startswith(("/drama/", "#", "https://"))
        assert not value.startswith("https://example.org")


def test_a_host_can_override_a_template(blog: Blog, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A template of the same name in the host's folder is used instead."""
    folder = tmp_path_factory.mktemp("theme")
    (folder / "dramafeed").mkdir()
    (folder / "dramafeed" / "page.html").write_text("own {{ title }} {{ frame.title }}")
    host = blog.mount(Flask("host", static_folder=None, template_folder=str(folder)))
    with host.test_client() as client:
        assert client.get("/about/").text == "own About us Subtitles On"


def test_two_sites_do_not_mix(make_blog: Callable[..., Blog]) -> None:
    """Two applications in one process share nothing."""
    one, two = make_blog("one").fill(), make_blog("two", base_url="https://other.example")
    two.write("site.yaml", "title: Another\n")
    two.publish()
    assert "Subtitles On" in one.text("/")
    assert "Another" in two.text("/")
    assert "drama.example" not in two.text("/")


@pytest.mark.parametrize("path", ["/reviews/", "/tags/", "/kinds/", "/media/", "/@"])
def test_folders_without_a_page_are_404(shared: Blog, path: str) -> None:
    """Parts of addresses are not addresses."""
    assert shared.get(path).status_code == 404


def test_long_and_odd_addresses_are_harmless(shared: Blog) -> None:
    """Any path has an answer, and none of them a trace."""
    odd = ("/" + "a" * 5000, "/reviews/" + quote("ㅋ" * 500) + "/", "/tags/" + "%2F" * 50, "/%E0%80%80/")
    for path in odd:
        assert shared.get(path).status_code == 404
