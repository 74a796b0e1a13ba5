"""Reviews as other servers see them: Note (the default), Article, and what a withdrawal leaves.

A Note never has a `name`, because some servers take it for a content warning. Will not choose
between the two forms, nor render Markdown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from dramafeed.activitypub.vocabulary.terms import (
    ACTIVITY_STREAMS,
    POST_CONTEXT,
    PUBLIC,
    Document,
    timestamp,
)
from dramafeed.model import Image
from dramafeed.urls import Urls

_APOSTROPHES = "'\u2019\u02bc"


@dataclass(frozen=True)
class Mention:
    """Somebody addressed in a post; `account` is `user@domain`."""

    actor: str
    account: str


@dataclass(frozen=True)
class PostContent:
    """One review, ready for the wire. `tags` pairs each tag with the address of its page.

    `excerpt` is used by articles only; `spoiler` becomes the content warning. The counts are
    totals.
    """

    uid: str
    handle: str
    page: str
    content_html: str
    language: str
    published: datetime
    title: str = ""
    excerpt: str = ""
    updated: datetime | None = None
    spoiler: str = ""
    sensitive: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    mentions: tuple[Mention, ...] = ()
    images: tuple[Image, ...] = ()
    unlisted: bool = False
    open_quotes: bool = False
    likes: int = 0
    shares: int = 0
    replies: int = 0


def note(*, urls: Urls, post: PostContent) -> Document:
    """A review as a Note: shown in full by every server read."""
    return _post(urls, post, "Note", {}, post.spoiler)


def article(*, urls: Urls, post: PostContent) -> Document:
    """A review as an Article: Mastodon shows its title, summary and link only."""
    return _post(urls, post, "Article", {"name": post.title}, post.spoiler or post.excerpt)


def tombstone(*, object_id: str, deleted: datetime | None = None, former_type: str = "Note") -> Document:
    """What is answered, with 410, for a withdrawn object (ActivityPub section 6.4)."""
    document: Document = {
        "@context": ACTIVITY_STREAMS,
        "id": object_id,
        "type": "Tombstone",
        "formerType": former_type,
    }
    if deleted is not None:
        document["deleted"] = timestamp(deleted)
    return document


def _post(urls: Urls, post: PostContent, kind: str, extra: Document, summary: str) -> Document:
    identity = urls.object(post.uid)
    author = urls.actor(post.handle)
    document: Document = {
        "@context": list(POST_CONTEXT),
        "id": identity,
        "type": kind,
        "attributedTo": author,
        **extra,
        **_audience(urls, post),
        "published": timestamp(post.published),
        "url": post.page,
    }
    if post.updated is not None:
        # GoToSocial refuses a post that was changed before it was published.
        document["updated"] = timestamp(max(post.updated, post.published))
    if summary:
        document["summary"] = summary
    if post.sensitive or post.spoiler:
        document["sensitive"] = True
    document["content"] = post.content_html
    # Mastodon takes the language from here and nowhere else.
    document["contentMap"] = {post.language: post.content_html}
    document["attachment"] = [_attachment(urls, image) for image in post.images if image.picture]
    document["tag"] = _tags(post)
    quotable = [PUBLIC] if post.open_quotes else [author]
    document["interactionPolicy"] = {"canQuote": {"automaticApproval": quotable}}
    document["replies"] = {
        **_count(f"{identity}/replies", post.replies),
        "first": f"{identity}/replies?page=1",
    }
    document["likes"] = _count(f"{identity}/likes", post.likes)
    document["shares"] = _count(f"{identity}/shares", post.shares)
    return document


def _audience(urls: Urls, post: PostContent) -> Document:
    followers = urls.followers(post.handle)
    to, cc = (followers, PUBLIC) if post.unlisted else (PUBLIC, followers)
    return {"to": [to], "cc": [cc, *(mention.actor for mention in post.mentions)]}


def _attachment(urls: Urls, image: Image) -> Document:
    picture = image.picture
    assert picture is not None
    document: Document = {
        "type": "Image",
        "mediaType": picture.media_type,
        "url": urls.media(picture.name),
    }
    if image.alt:
        document["name"] = image.alt
    document["width"] = picture.width
    document["height"] = picture.height
    return document


def _tags(post: PostContent) -> list[Document]:
    tags: list[Document] = [
        {"type": "Hashtag", "href": page, "name": f"#{word}"} for word, page in hashtags(post.tags)
    ]
    tags += [
        {"type": "Mention", "href": mention.actor, "name": f"@{mention.account}"} for mention in post.mentions
    ]
    return tags


def _count(identity: str, total: int) -> Document:
    return {"id": identity, "type": "Collection", "totalItems": total}


def hashtag(tag: str) -> str:
    """A tag as one word of a hashtag, without `#`; empty when nothing in it could be one.

    Words are joined in CamelCase, which screen readers speak as separate words.
    """
    kept = "".join(
        sign if sign == "_" or unicodedata.category(sign)[0] in "LNM" else " "
        for sign in unicodedata.normalize("NFC", tag)
        if sign not in _APOSTROPHES
    )
    words = kept.split()
    if not any(unicodedata.category(sign)[0] == "L" for sign in kept):
        return ""
    if len(words) == 1:
        return words[0]
    return "".join(word[0].upper() + word[1:] for word in words)


def hashtags(tags: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The tags that can be hashtags, each once, with the addresses of their pages."""
    words: dict[str, tuple[str, str]] = {}
    for tag, page in tags:
        word = hashtag(tag)
        if word:
            words.setdefault(word.casefold(), (word, page))
    return list(words.values())


def teaser_html(
    *,
    title: str,
    rating: str = "",
    excerpt: str = "",
    page: str,
    link_text: str,
    tags: Sequence[tuple[str, str]] = (),
) -> str:
    """The body of a Note: headline, excerpt, link and hashtags, in tags that every server keeps.

    All arguments are plain text. The class names are what Mastodon recognises hashtags by.
    """
    headline = f"{title} — {rating}" if rating else title
    paragraphs = [f"<strong>{escape(headline, quote=False)}</strong>"]
    if excerpt:
        paragraphs.append(escape(excerpt, quote=False))
    paragraphs.append(f'<a href="{escape(page)}">{escape(link_text, quote=False)}</a>')
    links = [
        f'<a href="{escape(href)}" class="mention hashtag" rel="tag">'
        f"#<span>{escape(word, quote=False)}</span></a>"
        for word, href in hashtags(tags)
    ]
    if links:
        paragraphs.append(" ".join(links))
    return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
