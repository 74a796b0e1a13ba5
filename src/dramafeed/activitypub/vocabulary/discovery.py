"""How others find us: WebFinger (RFC 7033), host-meta (RFC 6415) and NodeInfo (FEP-f1d5).

Will not decide which handles exist.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from dramafeed.activitypub.vocabulary.terms import ACTIVITY_JSON, JRD_JSON, Document
from dramafeed.urls import Urls

_PROFILE_PAGE = "http://webfinger.net/rel/profile-page"
_NODEINFO_SCHEMA = "http://nodeinfo.diaspora.software/ns/schema/"
NODEINFO_SCHEMAS = ("2.0", "2.1")


def nodeinfo_type(schema: str) -> str:
    """The media type of a NodeInfo document."""
    return f'application/json; profile="{_NODEINFO_SCHEMA}{schema}#"'


def webfinger(*, urls: Urls, handle: str, actor_id: str, page: str | None = None) -> Document:
    """The descriptor of one handle, with exactly one `self` link: some readers take the first."""
    links: list[Document] = []
    if page:
        links.append({"rel": _PROFILE_PAGE, "type": "text/html", "href": page})
    links.append({"rel": "self", "type": ACTIVITY_JSON, "href": actor_id})
    aliases = list(dict.fromkeys(alias for alias in (page, actor_id) if alias))
    return {
        "subject": f"acct:{urls.account(handle)}",
        "aliases": aliases,
        "links": links,
    }


def host_meta(*, urls: Urls) -> bytes:
    """The XML that tells where WebFinger answers; read by servers that got a 404 from it."""
    template = f"{urls.origin}/.well-known/webfinger?resource={{uri}}"
    link = f'<Link rel="lrdd" type={quoteattr(JRD_JSON)} template={quoteattr(template)}/>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">'
        f"<Subject>{escape(urls.origin)}</Subject>{link}</XRD>\n"
    ).encode()


def nodeinfo_links(*, urls: Urls) -> Document:
    """The list of NodeInfo versions at `/.well-known/nodeinfo`."""
    return {
        "links": [
            {
                "rel": f"{_NODEINFO_SCHEMA}{schema}",
                "href": urls.at(f"/nodeinfo/{schema}"),
            }
            for schema in NODEINFO_SCHEMAS
        ]
    }


def nodeinfo(
    *,
    urls: Urls,
    schema: str,
    version: str,
    users: int,
    posts: int,
    comments: int = 0,
    name: str = "",
    description: str = "",
) -> Document:
    """What runs here and how much of it, as version "2.0" or "2.1" of the schema."""
    software: Document = {"name": "dramafeed", "version": version}
    if schema == "2.1":
        software["homepage"] = urls.home
    return {
        "version": schema,
        "software": software,
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": ["atom1.0", "rss2.0"]},
        "openRegistrations": False,
        "usage": {
            "users": {"total": users},
            "localPosts": posts,
            "localComments": comments,
        },
        "metadata": {"nodeName": name, "nodeDescription": description},
    }
