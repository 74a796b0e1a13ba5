"""Every address of a site, found as a crawler finds them."""

from __future__ import annotations

import re

from tests.site import BASE_URL, Site

FEEDS = ("/feed.xml", "/atom.xml", "/feed.json")
_STARTS = (
    "/",
    "/sitemap.xml",
    "/opml",
    *FEEDS,
    "/ap/actor",
    "/ap/actors/mina",
    "/ap/actors/mina/outbox?page=1",
    "/ap/actors/blog",
    "/.well-known/webfinger?resource=acct:mina@blog.example",
    "/.well-known/nodeinfo",
    "/.well-known/host-meta",
)


def addresses(site: Site) -> set[str]:
    """Paths of the site, with their queries."""
    seen: set[str] = set()
    ahead = list(_STARTS)
    while ahead:
        path = ahead.pop()
        if path in seen or len(seen) > 400:
            continue
        seen.add(path)
        answer = site.get(path)
        text = "" if answer.content_type.startswith("image/") else answer.text
        found = re.findall(rf'(?:{re.escape(BASE_URL)}|(?<=["\'(]))(/[^\s"\'<>)\\]*)', text)
        ahead += [each.partition("#")[0].replace("&amp;", "&") for each in found]
    return seen
