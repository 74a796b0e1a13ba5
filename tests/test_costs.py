"""Costs that do not depend on the machine: queries a request, documents rendered for a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from dramafeed.model import ThingKind
from tests.site import Site

MOST_QUERIES = {  # path -> Accept; most queries that the first rendering may take
    "/": 18,
    "/page/1/": 18,
    "/feed.xml": 14,
    "/atom.xml": 14,
    "/feed.json": 14,
    "/authors/mina/": 20,
    "/authors/mina/feed.xml": 18,
    "/tags/quiet/": 18,
    "/kinds/review/": 18,
    "/reviews/r7/": 22,
    "/ap/actors/mina": 12,
    "/ap/actors/blog": 12,
    "/ap/actors/mina/outbox": 10,
    "/ap/actors/mina/outbox?page=1": 16,
    "/ap/actors/blog/featured": 14,
    "/ap/reviews/{uid}": 14,
    "/.well-known/webfinger?resource=acct:mina@blog.example": 6,
    "/.well-known/nodeinfo": 4,
    "/nodeinfo/2.1": 12,
    "/sitemap.xml": 16,
    "/feeds.opml": 18,
}


@contextmanager
def counted(site: Site) -> Iterator[list[str]]:
    """The statements that the web process sends meanwhile."""
    engine = site.app.extensions["dramafeed"].store.engine
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def filled(folder: Path, reviews: int) -> Site:
    """A site with reviews r0, r1 ..., past its first pass."""
    site = Site(folder)
    site.author()
    for number in range(reviews):
        when = f"2020-{number // 672 + 1:02}-{number // 24 % 28 + 1:02} {number % 24:02}:00"
        site.review(f"r{number}", f"Words {number}. " * 20, published=when, tags="[quiet, long]")
    site.run(5)
    return site


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Thirty reviews."""
    site = filled(tmp_path_factory.mktemp("small"), 30)
    yield site
    site.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three hundred reviews."""
    site = filled(tmp_path_factory.mktemp("large"), 300)
    yield site
    site.close()


def _uid(site: Site, slug: str) -> str:
    with site.store.reading() as reading:
        thing = reading.editions.by_slug(ThingKind.REVIEW, slug)
        assert thing is not None
        return thing.uid


def _path(site: Site, path: str) -> str:
    return path.replace("{uid}", _uid(site, "r7"))


@pytest.mark.parametrize("path", MOST_QUERIES)
def test_a_ready_document_asks_the_database_nothing(
    large: Site, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reader is answered before Flask is entered, in every coding and for a condition."""
    path = _path(large, path)
    etag = large.get(path).headers["ETag"]
    monkeypatch.setattr(large.app.wsgi_app, "_app", None)
    with counted(large) as seen:
        for coding in ("identity", "gzip", "br"):
            answer = large.get(path, Accept_Encoding=coding)
            assert (answer.status_code, bool(answer.headers["Last-Modified"])) == (200, True)
        assert large.get(path, If_None_Match=etag).status_code == 304
        assert large.get(path, If_None_Match=f'"other", W/{etag}').status_code == 304
    # On PostgreSQL the look for news is a query: of the change counter alone.
    assert [statement for statement in seen if "dramafeed_meta" not in statement] == []


def test_the_first_rendering_asks_a_few_times_at_any_size(small: Site, large: Site) -> None:
    """Each kind of document takes the same number of queries at 30 and at 300 reviews."""
    taken: list[dict[str, int]] = []
    for site in (small, large):
        process = Site(site.folder, site.clock, fediverse=site.fediverse)
        process.get("/healthz")
        taken.append({})
        for path in MOST_QUERIES:
            with counted(process) as seen:
                assert process.get(_path(process, path)).status_code == 200, path
            taken[-1][path] = len(seen)
        process.close()
    assert taken[0] == taken[1]
    assert {path: count for path, count in taken[1].items() if count > MOST_QUERIES[path]} == {}


def test_an_edit_renders_only_what_shows_it(large: Site) -> None:
    """An edited review shows on its page, in its object, on the numbered pages with it, in the sitemap."""
    shows = {
        "/reviews/r150/",
        f"/ap/reviews/{_uid(large, 'r150')}",
        "/page/8/",
        "/authors/mina/page/8/",
        "/tags/quiet/page/8/",
        "/ap/actors/mina/outbox?page=8",
        "/sitemap.xml",
    }
    others = {_path(large, path) for path in MOST_QUERIES} - shows
    others |= {f"/page/{number}/" for number in range(1, 15)} - shows
    others |= {f"/ap/actors/mina/outbox?page={number}" for number in range(1, 16)} - shows

    def rendered() -> set[str]:
        documents, found = large.app.extensions["dramafeed"].documents, set()
        for path in shows | others:
            before = documents.renders
            assert large.get(path).status_code == 200, path
            found |= {path} if documents.renders > before else set()
        return found

    rendered()
    assert rendered() == set()
    large.review("r150", "Other words. " * 20, published="2020-01-07 06:00", tags="[quiet, long]")
    large.run(5)
    assert rendered() == shows
