"""Every address the site answers at, built from BASE_URL alone (never from a request).

Will not look anything up: slugs, handles and uids are arguments.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit


def _segment(text: str) -> str:
    return quote(text, safe="-._~")


class Urls:
    """Absolute URLs and paths below one canonical base.

    Args:
        base_url: canonical address without a trailing slash, e.g. `https://blog.example` or
            `https://example.org/reviews`.
        handle_domain: the part after the second @ of a handle.
    """

    def __init__(self, base_url: str, handle_domain: str) -> None:
        self.base = base_url.rstrip("/")
        self.handle_domain = handle_domain
        parts = urlsplit(self.base)
        self.host = parts.netloc
        self.hostname = parts.hostname or ""
        self.prefix = parts.path.rstrip("/")
        self.origin = f"{parts.scheme}://{parts.netloc}"

    def at(self, path: str) -> str:
        """The absolute URL of a path below the base (`/feed.xml`)."""
        return f"{self.base}{path}"

    # pages
    @property
    def home(self) -> str:
        """The front page, which is also the page of the site's feeds."""
        return self.at("/")

    def review(self, slug: str) -> str:
        return self.at(f"/reviews/{_segment(slug)}/")

    def author(self, slug: str) -> str:
        return self.at(f"/authors/{_segment(slug)}/")

    def drama(self, slug: str) -> str:
        return self.at(f"/dramas/{_segment(slug)}/")

    def page(self, slug: str) -> str:
        return self.at(f"/{_segment(slug)}/")

    def tag(self, tag: str) -> str:
        return self.at(f"/tags/{_segment(tag)}/")

    def kind(self, kind: str) -> str:
        return self.at(f"/kinds/{_segment(kind)}/")

    def media(self, name: str) -> str:
        return self.at(f"/media/{_segment(name)}")

    def feed(self, page_url: str, name: str) -> str:
        """The feed `name` (feed.xml, atom.xml, feed.json) below a page of ours."""
        return f"{page_url}{name}"

    # ActivityPub
    def actor(self, handle: str) -> str:
        return self.at(f"/ap/actors/{_segment(handle)}")

    def inbox(self, handle: str) -> str:
        return f"{self.actor(handle)}/inbox"

    def outbox(self, handle: str) -> str:
        return f"{self.actor(handle)}/outbox"

    def followers(self, handle: str) -> str:
        return f"{self.actor(handle)}/followers"

    def following(self, handle: str) -> str:
        return f"{self.actor(handle)}/following"

    def featured(self, handle: str) -> str:
        return f"{self.actor(handle)}/featured"

    def featured_tags(self, handle: str) -> str:
        return f"{self.actor(handle)}/tags"

    def key(self, handle: str) -> str:
        return f"{self.actor(handle)}#main-key"

    @property
    def instance_actor(self) -> str:
        return self.at("/ap/actor")

    @property
    def instance_outbox(self) -> str:
        return f"{self.instance_actor}/outbox"

    @property
    def instance_key(self) -> str:
        return f"{self.instance_actor}#main-key"

    @property
    def shared_inbox(self) -> str:
        return self.at("/ap/inbox")

    def object(self, uid: str) -> str:
        return self.at(f"/ap/reviews/{uid}")

    def activity(self, uid: str) -> str:
        return self.at(f"/ap/activities/{uid}")

    def account(self, handle: str) -> str:
        """`handle@domain`, as WebFinger and people write it (without the leading @)."""
        return f"{handle}@{self.handle_domain}"

    def profile(self, handle: str) -> str:
        """`/@handle`: for people."""
        return self.at(f"/@{_segment(handle)}")

    def feed_id(self, uid: str) -> str:
        """The id of a review in every feed format; free of host, slug and title."""
        return f"urn:uuid:{uid}"
