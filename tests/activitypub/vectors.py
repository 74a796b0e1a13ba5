"""One document of every kind, each with the file that says how it must look on the wire.

To accept an intended change: `python -m tests.activitypub.vectors` rewrites the files; review the diff.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dramafeed.activitypub import vocabulary
from dramafeed.activitypub.vocabulary import (
    ActorKind,
    ActorProfile,
    Mention,
    PostContent,
    ProfileField,
)
from dramafeed.model import Image, Picture
from tests.activitypub.samples import ACTOR, POSTER, URLS

FOLDER = Path(__file__).parents[1] / "testdata" / "activitypub"
PEM = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"
JOINED = datetime(2025, 1, 1, tzinfo=UTC)
PUBLISHED = datetime(2026, 2, 14, 9, 30, tzinfo=UTC)
UPDATED = datetime(2026, 2, 15, 8, 0, 0, 250000, tzinfo=UTC)
UID = "5f7f0a52-6f43-5a0e-9d43-0f6d0a1c2b3d"

MINA = ActorProfile(
    handle="mina",
    kind=ActorKind.PERSON,
    name="Mina Park",
    page=URLS.author("mina-park"),
    public_key_pem=PEM,
    published=JOINED,
    summary_html="<p>Watches too much.</p>",
    icon=Image(picture=Picture("a1.jpg", "image/jpeg", 400, 400, 9000), alt="Mina, smiling"),
    fields=(
        ProfileField("Blog", url="https://blog.example/?a=1&b=2"),
        ProfileField("Pronouns", html="she/her"),
    ),
)
BLOG = replace(
    MINA,
    handle="blog",
    kind=ActorKind.BLOG,
    name="Kdrama & Tea",
    page=URLS.home,
    header=Image(picture=Picture("b2.webp", "image/webp", 1500, 500, 40000)),
    fields=(),
    attribution_hosts=("blog.example", "www.blog.example"),
    also_known_as=("https://old.example/ap/actors/blog",),
    moved_to="https://new.example/ap/actors/blog",
)
TAGS = (("K drama", URLS.tag("k-drama")), ("로맨스", URLS.tag("로맨스")), ("2026", URLS.tag("2026")))
POST = PostContent(
    uid=UID,
    handle="mina",
    page=URLS.review("rain-on-the-roof"),
    content_html=vocabulary.teaser_html(
        title="Rain on the Roof <3",
        rating="★ 9/10",
        excerpt="Two people & one umbrella.",
        page=URLS.review("rain-on-the-roof"),
        link_text="Read the full review",
        tags=TAGS,
    ),
    language="en",
    published=PUBLISHED,
    title="Rain on the Roof",
    excerpt="Two people & one umbrella.",
    tags=TAGS,
    images=(POSTER,),
)
SPOILER = replace(
    POST,
    spoiler="Spoilers for all episodes",
    updated=UPDATED,
    mentions=(Mention(ACTOR, "ann@social.example"),),
    images=(POSTER, Image(credit="no picture")),
    likes=12,
    shares=3,
    replies=4,
)

VECTORS: dict[str, Callable[[], dict[str, Any]]] = {
    "actor.person": lambda: vocabulary.actor(urls=URLS, profile=MINA),
    "actor.blog": lambda: vocabulary.actor(urls=URLS, profile=BLOG),
    "actor.instance": lambda: vocabulary.instance_actor(urls=URLS, name="Kdrama & Tea", public_key_pem=PEM),
    "note": lambda: vocabulary.note(urls=URLS, post=POST),
    "note.spoiler": lambda: vocabulary.note(urls=URLS, post=SPOILER),
    "note.unlisted": lambda: vocabulary.note(
        urls=URLS, post=replace(POST, unlisted=True, open_quotes=True, sensitive=True)
    ),
    "article": lambda: vocabulary.article(urls=URLS, post=POST),
    "tombstone": lambda: vocabulary.tombstone(object_id=URLS.object(UID), deleted=UPDATED),
    "create": lambda: vocabulary.create(urls=URLS, uid="c1", document=VECTORS["note"]()),
    "update.note": lambda: vocabulary.update(urls=URLS, uid="u1", document=VECTORS["note.spoiler"]()),
    "update.actor": lambda: vocabulary.update(urls=URLS, uid="u2", document=VECTORS["actor.person"]()),
    "delete": lambda: vocabulary.delete(
        urls=URLS, uid="d1", handle="mina", object_id=URLS.object(UID), deleted=UPDATED
    ),
    "announce": lambda: vocabulary.announce(
        urls=URLS,
        uid="b1",
        handle="blog",
        object_id=URLS.object(UID),
        author_id=URLS.actor("mina"),
        published=PUBLISHED,
    ),
    "undo": lambda: vocabulary.undo(urls=URLS, uid="x1", handle="blog", activity=VECTORS["announce"]()),
    "accept": lambda: vocabulary.accept(
        urls=URLS, uid="a1", handle="mina", follow_id=f"{ACTOR}#follows/1", follower=ACTOR
    ),
    "reject": lambda: vocabulary.reject(
        urls=URLS, uid="r1", handle="mina", follow_id=f"{ACTOR}#follows/1", follower=ACTOR
    ),
    "add": lambda: vocabulary.add_featured(urls=URLS, uid="f1", handle="mina", object_id=URLS.object(UID)),
    "remove": lambda: vocabulary.remove_featured(
        urls=URLS, uid="f2", handle="mina", object_id=URLS.object(UID)
    ),
    "move": lambda: vocabulary.move(
        urls=URLS, uid="m1", handle="blog", target="https://new.example/ap/actors/blog"
    ),
    "followers": lambda: vocabulary.ordered_collection(id=URLS.followers("mina"), total=41),
    "outbox": lambda: vocabulary.ordered_collection(
        id=URLS.outbox("mina"), total=7, first=f"{URLS.outbox('mina')}?page=1"
    ),
    "outbox.page": lambda: vocabulary.ordered_collection_page(
        id=f"{URLS.outbox('mina')}?page=1",
        part_of=URLS.outbox("mina"),
        items=[VECTORS["announce"](), VECTORS["create"]()],
        next_page=f"{URLS.outbox('mina')}?before=b1",
    ),
    "replies.page": lambda: vocabulary.collection_page(
        id=f"{URLS.object(UID)}/replies?page=1",
        part_of=f"{URLS.object(UID)}/replies",
        items=["https://social.example/users/ann/statuses/5"],
        prev_page=f"{URLS.object(UID)}/replies?page=0",
        total=1,
    ),
    "featured": lambda: vocabulary.ordered_collection(
        id=URLS.featured("mina"), total=1, items=[URLS.object(UID)]
    ),
    "featured-tags": lambda: vocabulary.featured_tags(urls=URLS, handle="mina", tags=TAGS),
    "webfinger": lambda: vocabulary.webfinger(
        urls=URLS, handle="mina", actor_id=URLS.actor("mina"), page=URLS.author("mina-park")
    ),
    "nodeinfo-links": lambda: vocabulary.nodeinfo_links(urls=URLS),
    "nodeinfo.2.0": lambda: vocabulary.nodeinfo(
        urls=URLS, schema="2.0", version="0.1.0", users=3, posts=57, name="Kdrama & Tea"
    ),
    "nodeinfo.2.1": lambda: vocabulary.nodeinfo(
        urls=URLS,
        schema="2.1",
        version="0.1.0",
        users=3,
        posts=57,
        comments=9,
        name="Kdrama & Tea",
        description="Reviews",
    ),
}


def file_of(name: str) -> Path:
    """Where the expected form of a vector is kept."""
    return FOLDER / f"{name}.json"


def readable(document: dict[str, Any]) -> str:
    """The document as the file shows it."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, build in VECTORS.items():
        file_of(name).write_text(readable(build()), encoding="utf-8")
