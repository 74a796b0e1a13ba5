"""Finished documents: conditions, codings, news, and one renderer at a time."""

from __future__ import annotations

import gzip
import threading

import brotli
import pytest

from dramafeed.errors import StorageError
from dramafeed.web.documents import Documents, Rendered, Reply
from tests.site import Site


def _published(site: Site) -> None:
    site.review("vincenzo", "A lawyer and a plaza. " * 30)
    site.run(5)


@pytest.mark.parametrize("path", ["/feed.xml", "/", "/reviews/vincenzo/", "/ap/actors/mina"])
def test_a_document_can_be_asked_for_again_without_its_bytes(site: Site, path: str) -> None:
    """ETag and Last-Modified on 200 and 304; If-None-Match decides; HEAD equals GET."""
    _published(site)
    first = site.get(path)
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for value in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = site.get(path, If_None_Match=value)
        assert (again.status_code, again.data) == (304, b"")
        assert (again.headers["ETag"], again.headers["Last-Modified"]) == (etag, modified)
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert site.get(path, If_Modified_Since=modified).status_code == 304
    assert site.get(path, If_None_Match='"other"', If_Modified_Since=modified).status_code == 200
    through_flask = site.get(f"{path}?utm_source=x", If_None_Match=etag)
    assert (through_flask.status_code, through_flask.headers["Last-Modified"]) == (304, modified)
    head = site.http.head(path)
    assert head.data == b""
    assert head.headers["Content-Length"] == str(len(first.data))


def test_each_coding_has_its_own_tag_and_decodes_to_the_same(site: Site) -> None:
    """gzip and br are offered; a weight of zero refuses; nothing but Accept-Encoding varies a feed."""
    _published(site)
    plain = site.get("/feed.xml")
    packed = site.get("/feed.xml", Accept_Encoding="gzip")
    small = site.get("/feed.xml", Accept_Encoding="gzip, br;q=0.5")
    assert gzip.decompress(packed.data) == brotli.decompress(small.data) == plain.data
    assert len({r.headers["ETag"] for r in (plain, packed, small)}) == 3
    assert plain.headers["Vary"] == "Accept-Encoding"
    refused = site.get("/feed.xml", Accept_Encoding="br;q=0, gzip;q=0.0")
    assert "Content-Encoding" not in refused.headers


def test_two_processes_give_the_same_bytes(site: Site) -> None:
    """Another process on the same database answers with the same bytes and tags."""
    _published(site)
    other = Site(site.folder, site.clock, fediverse=site.fediverse)
    try:
        for path in (
            "/",
            "/feed.xml",
            "/reviews/vincenzo/",
            "/ap/actors/mina",
            "/ap/actors/blog/outbox?page=1",
        ):
            first, second = site.get(path), other.get(path)
            assert first.data == second.data
            assert first.headers["ETag"] == second.headers["ETag"]
    finally:
        other.close()


def test_a_change_shows_at_once_and_only_where_it_is_shown(site: Site) -> None:
    """An edit renders the pages it touches anew, once; the others keep their bytes."""
    _published(site)
    site.author("bo", "---\nname: Bo Kim\n---\nWrites plainly.\n")
    site.run(5)
    documents: Documents = site.app.extensions["dramafeed"].documents
    before = {path: site.get(path).headers["ETag"] for path in ("/", "/authors/bo/", "/reviews/vincenzo/")}
    site.review("vincenzo", "Other words.")
    site.run(5)
    renders = documents.renders
    after = {path: site.get(path).headers["ETag"] for path in before}
    assert [path for path in before if before[path] != after[path]] == ["/", "/reviews/vincenzo/"]
    assert documents.renders == renders + 2
    for _ in range(3):
        site.get("/")
    assert documents.renders == renders + 2


def test_others_get_the_old_bytes_while_one_renders(site: Site) -> None:
    """A herd after a change waits for nobody: one request renders, the rest are answered at once."""
    _published(site)
    documents: Documents = site.app.extensions["dramafeed"].documents
    started, go_on = threading.Event(), threading.Event()

    def fast(_reading: object) -> Rendered:
        return Rendered(b"old", "text/plain", ("k",))

    def slow(_reading: object) -> Rendered:
        started.set()
        assert go_on.wait(10)
        return Rendered(b"new", "text/plain", ("k",))

    documents.answer("/x", {}, fast)
    with site.store.transaction() as tx:
        tx.meta.touch(["k"], site.clock())
    answers: list[Reply] = []
    first = threading.Thread(target=lambda: answers.append(documents.answer("/x", {}, slow)))
    first.start()
    assert started.wait(10)
    assert documents.answer("/x", {}, slow).body == b"old"
    go_on.set()
    first.join()
    assert answers[0].body == b"new"
    assert documents.answer("/x", {}, fast).body == b"new"


def test_a_document_rendered_from_an_older_state_is_not_kept_as_fresh(site: Site) -> None:
    """A change that comes while a document is being rendered is not lost."""
    _published(site)
    documents: Documents = site.app.extensions["dramafeed"].documents

    def render(_reading: object) -> Rendered:
        with site.store.transaction() as tx:
            tx.meta.touch(["k"], site.clock())
        documents._look()
        return Rendered(b"first", "text/plain", ("k",))

    documents.answer("/x", {}, render)
    second = documents.answer("/x", {}, lambda _reading: Rendered(b"second", "text/plain", ("k",)))
    assert second.body == b"second"


def test_one_renders_a_cold_document_and_the_others_wait(site: Site) -> None:
    """A herd at a document that nobody asked for before costs one rendering."""
    _published(site)
    documents: Documents = site.app.extensions["dramafeed"].documents
    assert site.get("/").status_code == 200  # the first look at the database is behind us
    go_on, renders = threading.Event(), documents.renders

    def slow(_reading: object) -> Rendered:
        assert go_on.wait(10)
        return Rendered(b"x", "text/plain", ("k",))

    answers: list[Reply] = []
    herd = [
        threading.Thread(target=lambda: answers.append(documents.answer("/x", {}, slow))) for _ in range(5)
    ]
    for reader in herd:
        reader.start()
    go_on.set()
    for reader in herd:
        reader.join()
    assert [answer.body for answer in answers] == [b"x"] * 5
    assert documents.renders == renders + 1


def test_what_many_read_is_rendered_beside_the_old_bytes(site: Site) -> None:
    """No reader of a popular page waits for its new version: a thread renders it, the old one serves."""
    _published(site)
    for _ in range(25):
        before = site.get("/reviews/vincenzo/")
    site.review("vincenzo", "Other words.")
    site.run(5)
    assert site.get("/reviews/vincenzo/").data == before.data
    for thread in threading.enumerate():
        if thread.name == "dramafeed-renew":
            thread.join(10)
    documents: Documents = site.app.extensions["dramafeed"].documents
    renders = documents.renders
    assert "Other words." in site.get("/reviews/vincenzo/").text
    assert documents.renders == renders


def test_old_bytes_do_not_outlive_their_second(site: Site) -> None:
    """A popular page that was taken back is gone, also for who asks while another finds that out."""
    _published(site)
    documents: Documents = site.app.extensions["dramafeed"].documents
    for _ in range(25):
        assert site.get("/reviews/vincenzo/").status_code == 200
    site.review("vincenzo", "A lawyer and a plaza. " * 30, draft="true")
    site.run(5)
    answers = [site.get("/reviews/vincenzo/").status_code for _ in range(6)]
    assert answers[-1] == 404
    assert "/reviews/vincenzo/" not in documents._entries


@pytest.mark.parametrize(
    "path",
    [
        "/feed.xml?utm_source={}",
        "/static/dramafeed.{:08}.css",
        "/ap/actors/mina/outbox?page=1&x={}",
        "/ap/actors/mina/outbox?x={}",
        "/.well-known/webfinger?resource=acct:mina@blog.example&rel={}",
        "/.well-known/webfinger?resource=https://blog.example/authors/mina/&rel={}",
    ],
)
def test_invented_addresses_do_not_fill_the_memory(site: Site, path: str) -> None:
    """Whatever stands in a query, or for a version: a document is kept once."""
    _published(site)
    documents: Documents = site.app.extensions["dramafeed"].documents
    assert site.get(path.format(0)).status_code == 200
    kept = len(documents._entries)
    for number in range(1, 9):
        assert site.get(path.format(number)).status_code in (200, 404)
    assert len(documents._entries) <= kept + 1


@pytest.mark.parametrize("resource", ["acct:mina@blog.example", "acct%3Amina%40blog.example"])
def test_an_account_is_found_without_flask(
    site: Site, resource: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WebFinger is ready bytes in both spellings that servers use."""
    _published(site)
    first = site.get("/.well-known/webfinger?resource=acct:MINA@blog.example")
    monkeypatch.setattr(site.app.wsgi_app, "_app", None)
    assert site.get(f"/.well-known/webfinger?resource={resource}").data == first.data


def test_finished_documents_outlive_trouble_with_the_database(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is ready goes on; the rest is 503 with Retry-After, unknown addresses below /ap/ included."""
    _published(site)
    assert site.get("/").status_code == 200
    store = site.app.extensions["dramafeed"].store

    def broken() -> None:
        raise StorageError("no database")

    monkeypatch.setattr(store, "reading", broken)
    monkeypatch.setattr(store, "data_version", broken)
    assert site.get("/").status_code == 200
    for path in ("/reviews/vincenzo/", "/ap/actors/mina", "/ap/nothing", "/ap/reviews/none"):
        answer = site.get(path)
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "60"), path


def test_what_is_kept_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old documents make room for new ones."""
    monkeypatch.setattr("dramafeed.web.documents._BOUND", 50_000)
    documents = Documents(site.store)
    for number in range(50):
        documents.answer(f"/{number}", {}, lambda _reading: Rendered(b"x" * 1000, "text/plain", ()))
    assert sum(entry.size for entry in documents._entries.values()) <= 50_000


def test_live_objects_are_never_404_in_trouble(site: Site) -> None:
    """An actor whose key cannot be read is 503, an unknown path below /ap/ is 404 in JSON."""
    _published(site)
    with site.store.transaction() as tx:
        tx.actors.drop_key("mina")
        tx.meta.touch(["followers:mina"], site.clock())
    assert site.get("/ap/actors/mina").status_code == 503
    nothing = site.get("/ap/nothing/here")
    assert nothing.status_code == 404
    assert nothing.content_type == "application/problem+json"
