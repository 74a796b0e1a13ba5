"""What one visitor asks must never change what the next one gets, whoever stands between."""

from __future__ import annotations

import gzip
import re

import brotli
import pytest
from werkzeug.test import TestResponse

from tests.defences.crawl import addresses
from tests.site import BASE_URL, Site

# What a visitor may send to get something else than others do, or to make others get it.
ODD = {
    "Cookie": "session=admin; preview=1; dramafeed=yes",
    "Authorization": "Bearer secret",
    "User-Agent": "Mastodon/4.3 (http.rb; +https://social.example/)",
    "Accept-Language": "ko-KR",
    "Referer": "https://evil.example/",
    "Origin": "https://evil.example",
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "host=evil.example;proto=http",
    "X-Original-URL": "/ap/actor",
    "X-Rewrite-URL": "/ap/actor",
    "X-HTTP-Method-Override": "DELETE",
    "X-Preview": "1",
    "Range": "bytes=0-3",
    "Prefer": "return=minimal",
    "Save-Data": "on",
    "DNT": "1",
    "Sec-Fetch-Mode": "navigate",
    "X-Requested-With": "XMLHttpRequest",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Upgrade-Insecure-Requests": "1",
}
WISHES = [
    "text/html",
    "application/activity+json",
    'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
    "application/json",
    "*/*",
    "image/webp",
    "application/atom+xml",
]


def fetch(site: Site, path: str, headers: dict[str, str] | None = None) -> TestResponse:
    """A GET with exactly these headers; Flask's usual test client would take the cookies out."""
    return site.app.test_client(use_cookies=False).get(path, headers=headers, base_url=BASE_URL)


class UrlCache:
    """A proxy that keeps answers under the URL alone and ignores Vary; it does obey `no-store`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: dict[str, TestResponse] = {}

    def get(self, path: str, headers: dict[str, str]) -> TestResponse:
        """The kept answer, or a fresh one."""
        if path not in self._kept:
            answer = fetch(self._site, path, headers=headers)
            if not re.search(r"no-store|private", answer.headers.get("Cache-Control", "")):
                self._kept[path] = answer
            return answer
        return self._kept[path]


def said(answer: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    """An answer as it can be compared."""
    return answer.status_code, answer.data, sorted(answer.headers)


@pytest.fixture
def paths(site: Site) -> list[str]:
    """Every address of a site that has something of everything, and some that it does not have."""
    site.write("site.yaml", "title: Subtitles\n")
    site.review("vincenzo", "A lawyer.\n\n:::spoiler\nHe wins.\n:::", tags="[crime, law]", rating="8/10")
    site.review("secret", "Not yet.", draft="yes")
    site.review("later", "Not yet either.", published="2030-01-01")
    site.run(10)
    found = addresses(site)
    assert len(found) > 30
    return sorted(
        found | {"/nothing", "/reviews/secret/", "/reviews/later/", "/ap/nothing", "/reviews/vincenzo"}
    )


def test_no_header_but_accept_changes_an_answer(site: Site, paths: list[str]) -> None:
    """A98: with any other header, and with all at once, every address answers byte for byte as without."""
    for path in paths:
        plain = said(fetch(site, path))
        for headers in ({name: value} for name, value in ODD.items()):
            assert said(fetch(site, path, headers=headers)) == plain, (path, headers)
        assert said(fetch(site, path, headers=ODD)) == plain
        assert "Set-Cookie" not in dict(plain[2])


@pytest.mark.parametrize("wish", WISHES)
def test_a_cache_that_keys_on_urls_alone(site: Site, paths: list[str], wish: str) -> None:
    """A98: whatever the first visitor sent, the second gets from the cache what the site itself would say."""
    cache = UrlCache(site)
    for path in paths:
        cache.get(path, {**ODD, "Accept": wish})
    for path in paths:
        kept = cache.get(path, {"Accept": "text/html"})
        assert said(kept) == said(fetch(site, path, headers={"Accept": "text/html"})), path


def test_what_is_not_public_is_in_no_answer(site: Site, paths: list[str]) -> None:
    """A98: there is no preview yet: no address and no header shows a draft or a scheduled review."""
    for path in paths:
        for wish in WISHES:
            answer = fetch(site, path, headers={**ODD, "Accept": wish})
            assert b"Not yet" not in answer.data, path


def test_codings_hold_the_same(site: Site, paths: list[str]) -> None:
    """A98: packed or not, the content is one, and Vary names what decides about the packing."""
    unpack = {"gzip": gzip.decompress, "br": brotli.decompress}
    for path in paths:
        plain = fetch(site, path)
        for coding, unpacked in unpack.items():
            answer = fetch(site, path, headers={"Accept-Encoding": coding})
            if "Content-Encoding" in answer.headers:
                assert unpacked(answer.data) == plain.data
                assert "Accept-Encoding" in answer.headers["Vary"]
            else:
                assert answer.data == plain.data
