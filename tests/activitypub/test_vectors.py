"""Every document that we serve or send, as it must look on the wire, and what all have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.activitypub import addresses, vocabulary
from dramafeed.activitypub.vocabulary import (
    ACTIVITY_STREAMS,
    MAX_ACTIVITY_BYTES,
    PUBLIC,
    dumps,
    fits,
    hashtag,
)
from dramafeed.urls import Urls
from tests.activitypub.samples import ACTOR, URLS
from tests.activitypub.vectors import MINA, PEM, POST, SPOILER, VECTORS, file_of, readable

NOT_LINKED_DATA = {"webfinger", "nodeinfo-links", "nodeinfo.2.0", "nodeinfo.2.1"}
ACTIVITIES = ["create", "update.note", "update.actor", "delete", "announce", "undo", "accept"]
ACTIVITIES += ["reject", "add", "remove", "move"]


def strings(value: Any) -> Iterator[str]:
    """All texts in a document, without its context."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "@context":
                yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", VECTORS)
def test_documents_look_as_agreed(name: str) -> None:
    """Each document has, key for key and in order, the form kept beside the tests."""
    assert readable(VECTORS[name]()) == file_of(name).read_text(encoding="utf-8")


def test_every_file_has_its_document() -> None:
    """No expected form is left over."""
    assert {path.stem for path in file_of("note").parent.glob("*.json")} == set(VECTORS)


@pytest.mark.parametrize("name", VECTORS)
def test_bytes_are_always_the_same(name: str) -> None:
    """The same values give the same bytes: UTF-8, compact, in the order of building."""
    raw = dumps(VECTORS[name]())
    assert raw == dumps(VECTORS[name]())
    assert json.loads(raw) == VECTORS[name]()
    assert b'": ' not in raw.replace(rb"\": ", b"")
    assert b"\\u" not in raw


@pytest.mark.parametrize("name", sorted(set(VECTORS) - NOT_LINKED_DATA))
def test_every_document_names_its_language(name: str) -> None:
    """Mastodon drops a document whose context does not contain the plain string."""
    context = VECTORS[name]()["@context"]
    assert context == ACTIVITY_STREAMS or context[0] == ACTIVITY_STREAMS
    assert dumps(VECTORS[name]()).count(b'"@context"') == 1


@pytest.mark.parametrize("name", sorted(set(VECTORS) - {"actor.blog", "move"}))
def test_everything_of_ours_is_on_one_host(name: str) -> None:
    """Several servers compare hosts: id, inbox, key, page and media are all on the same."""
    elsewhere = {ACTIVITY_STREAMS, PUBLIC, ACTOR, f"{ACTOR}#follows/1", f"{ACTOR}/statuses/5"}
    for text in strings(VECTORS[name]()):
        if text.startswith("http") and text not in elsewhere and ".software/" not in text:
            known = text.startswith("http://webfinger.net/rel/")
            assert known or addresses.authority(text) == "blog.example"


@pytest.mark.parametrize("name", ACTIVITIES)
def test_our_own_reader_reads_our_activities(name: str) -> None:
    """What we send passes the strict reader that others must pass."""
    activity = vocabulary.parse_activity(dumps(VECTORS[name]()))
    assert activity.id.startswith("https://blog.example/ap/activities/")
    assert activity.actor.startswith("https://blog.example/ap/actors/")
    assert activity.object_id


def test_our_own_reader_reads_our_actors() -> None:
    """A reader gets back what the builder was told, keys and inboxes included."""
    document = VECTORS["actor.person"]()
    actor = vocabulary.parse_actor(document, URLS.actor("mina"))
    assert (actor.handle, actor.name, actor.url) == ("mina", "Mina Park", MINA.page)
    assert actor.delivery_inbox == URLS.shared_inbox
    key = actor.key(URLS.key("mina"))
    assert key is not None
    assert key.pem == PEM
    instance = vocabulary.parse_actor(VECTORS["actor.instance"](), URLS.instance_actor)
    assert instance.handle == vocabulary.instance_handle(URLS)
    assert instance.key(URLS.instance_key)


def test_discovery_closes_its_loop() -> None:
    """WebFinger leads to the actor, the actor to the handle, the handle to WebFinger."""
    document = VECTORS["actor.person"]()
    descriptor = VECTORS["webfinger"]()
    assert [link["rel"] for link in descriptor["links"]].count("self") == 1
    assert vocabulary.parse_webfinger(descriptor) == (document["webfinger"], document["id"])
    assert document["webfinger"] == f"{document['preferredUsername']}@blog.example"


def test_handles_of_a_bare_domain() -> None:
    """The handle may be on another domain than the actor."""
    urls = Urls("https://blog.example.org", "example.org")
    document = vocabulary.actor(urls=urls, profile=MINA)
    assert document["webfinger"] == "mina@example.org"
    assert document["attributionDomains"] == ["blog.example.org"]
    found = vocabulary.webfinger(urls=urls, handle="mina", actor_id=document["id"])
    assert found["subject"] == "acct:mina@example.org"
    assert [link["rel"] for link in found["links"]] == ["self"]
    assert found["aliases"] == [document["id"]]


# --------------------------------------------------------------------------- posts


def test_a_note_has_no_name() -> None:
    """A name would be shown as a content warning; so would an empty summary, nearly."""
    note = vocabulary.note(urls=URLS, post=POST)
    assert "name" not in note
    assert "summary" not in note
    assert "sensitive" not in note
    assert "updated" not in note


def test_lists_are_lists_even_when_empty() -> None:
    """Some readers take nothing but arrays."""
    note = vocabulary.note(urls=URLS, post=replace(POST, tags=(), images=()))
    for key in ("to", "cc", "attachment", "tag"):
        assert isinstance(note[key], list)


def test_spoilers_hide_text_and_picture() -> None:
    """A spoiler line is the summary, and the post is sensitive."""
    for build in (vocabulary.note, vocabulary.article):
        document = build(urls=URLS, post=SPOILER)
        assert document["summary"] == "Spoilers for all episodes"
        assert document["sensitive"] is True
    blurred = vocabulary.note(urls=URLS, post=replace(POST, sensitive=True))
    assert blurred["sensitive"] is True
    assert "summary" not in blurred


def test_a_post_is_never_updated_before_it_is_published() -> None:
    """GoToSocial refuses such a post altogether."""
    early = replace(POST, updated=POST.published - timedelta(days=400))
    note = vocabulary.note(urls=URLS, post=early)
    assert note["updated"] == note["published"]


def test_unlisted_posts_and_mentions() -> None:
    """Unlisted means: to the followers, with the public only in copy. Mentioned people are in cc."""
    post = replace(SPOILER, unlisted=True)
    note = vocabulary.note(urls=URLS, post=post)
    assert note["to"] == [URLS.followers("mina")]
    assert note["cc"] == [PUBLIC, ACTOR]


def test_embedded_documents_keep_nothing_of_their_own_context() -> None:
    """A Create brings the terms of its Note; the Note inside repeats none."""
    note = vocabulary.note(urls=URLS, post=POST)
    activity = vocabulary.create(urls=URLS, uid="1", document=note)
    assert activity["@context"] == note["@context"]
    assert activity["object"] == vocabulary.without_context(note)
    page = vocabulary.ordered_collection_page(id="https://a/", part_of="https://b/", items=[activity])
    assert page["@context"] == note["@context"]


def test_size_guard() -> None:
    """An activity that some server would refuse is recognised, Hangul counted as it is sent."""
    assert fits(b"x" * MAX_ACTIVITY_BYTES)
    assert not fits(b"x" * (MAX_ACTIVITY_BYTES + 1))
    long = replace(POST, content_html="가" * 9000)
    create = vocabulary.create(urls=URLS, uid="1", document=vocabulary.note(urls=URLS, post=long))
    assert not fits(dumps(create))
    assert fits(dumps(VECTORS["update.note"]()))


@pytest.mark.parametrize(
    "tag, word",
    [
        ("kdrama", "kdrama"),
        ("K-Drama", "KDrama"),
        ("k drama", "KDrama"),
        ("all of us are dead", "AllOfUsAreDead"),
        ("what's wrong", "WhatsWrong"),
        ("snow_drop", "snow_drop"),
        ("한국 드라마", "한국드라마"),
        ("हिन्दी", "हिन्दी"),
        ("e\u0301te\u0301", "été"),
        ("16 episodes", "16Episodes"),
        ("2026", ""),
        ("#tag!", "tag"),
        ("***", ""),
        ("", ""),
        ("a/b#c", "ABC"),
    ],
)
def test_hashtags_are_words(tag: str, word: str) -> None:
    """Letters in CamelCase; no hyphens or blanks, and never digits alone."""
    assert hashtag(tag) == word


def test_each_hashtag_appears_once() -> None:
    """Two tags that make the same hashtag are one."""
    tags = (("K-Drama", "https://a.example/1"), ("kdrama", "https://a.example/2"), ("1", "x"))
    assert vocabulary.hashtags(tags) == [("KDrama", "https://a.example/1")]


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_teasers_are_plain_text_in_safe_markup(title: str, excerpt: str, tag: str) -> None:
    """A80: whatever a title says, the teaser contains our own tags only, well-formed."""
    texts = ["".join(sign for sign in text if sign.isprintable()) for text in (title, excerpt, tag)]
    html = vocabulary.teaser_html(
        title=texts[0],
        excerpt=texts[1],
        page="https://blog.example/?a=1&b=2",
        link_text="Read on",
        tags=[(texts[2], "https://blog.example/tags/x/")],
    )
    root = ElementTree.fromstring(f"<div>{html}</div>")  # noqa: S314 - made two lines above
    assert {element.tag for element in root.iter()} <= {"div", "p", "strong", "a", "span"}
    strong = root.find("p/strong")
    assert strong is not None
    assert (strong.text or "") == texts[0]


# --------------------------------------------------------------------------- discovery and dates


def test_host_meta_is_xml() -> None:
    """The template leads to our own WebFinger, at the root of the host."""
    urls = Urls("https://example.org/a&b", "example.org")
    root = ElementTree.fromstring(vocabulary.host_meta(urls=urls))  # noqa: S314 - our own
    (link,) = root.iter("{http://docs.oasis-open.org/ns/xri/xrd-1.0}Link")
    assert link.attrib["template"] == "https://example.org/.well-known/webfinger?resource={uri}"
    assert link.attrib["rel"] == "lrdd"


def test_nodeinfo_says_what_readers_use() -> None:
    """Both versions name us, our protocol and our totals; neither claims registrations."""
    for schema in vocabulary.NODEINFO_SCHEMAS:
        document = vocabulary.nodeinfo(urls=URLS, schema=schema, version="1", users=2, posts=3)
        assert document["version"] == schema
        assert document["protocols"] == ["activitypub"]
        assert document["openRegistrations"] is False
        assert document["usage"]["users"] == {"total": 2}
        assert schema in vocabulary.nodeinfo_type(schema)
    links = [link["href"] for link in vocabulary.nodeinfo_links(urls=URLS)["links"]]
    assert links == ["https://blog.example/nodeinfo/2.0", "https://blog.example/nodeinfo/2.1"]


def test_timestamps_are_in_utc() -> None:
    """Dates on the wire are in UTC with a Z; one without a zone is a mistake of ours."""
    moment = datetime.fromisoformat("2026-03-01T01:00:00+09:00")
    assert vocabulary.timestamp(moment) == "2026-02-28T16:00:00Z"
    assert vocabulary.timestamp(moment.replace(microsecond=5)) == "2026-02-28T16:00:00.000005Z"
    with pytest.raises(ValueError, match="time zone"):
        vocabulary.timestamp(datetime.now(UTC).replace(tzinfo=None))
