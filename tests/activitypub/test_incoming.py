"""Activities of other servers, in the shapes that those servers really send, and in wrong ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.activitypub.vocabulary import (
    PUBLIC,
    IncomingActivity,
    IncomingObject,
    parse_activity,
    parse_object,
)
from dramafeed.errors import MalformedError
from tests.activitypub.samples import ACTOR

OURS = "https://blog.example/ap/reviews/1"
LIKE = {"id": f"{ACTOR}#likes/1", "type": "Like", "actor": ACTOR, "object": OURS}
REPLY = {
    "@context": ["https://www.w3.org/ns/activitystreams", {"ostatus": "http://ostatus.org#"}],
    "id": f"{ACTOR}/statuses/5/activity",
    "type": "Create",
    "actor": ACTOR,
    "published": "2026-03-01T10:00:00Z",
    "to": [PUBLIC],
    "cc": [f"{ACTOR}/followers", "https://blog.example/ap/actors/mina"],
    "object": {
        "id": f"{ACTOR}/statuses/5",
        "type": "Note",
        "summary": None,
        "inReplyTo": OURS,
        "published": "2026-03-01T10:00:00.123456789+01:00",
        "url": "https://social.example/@ann/5",
        "attributedTo": ACTOR,
        "to": [PUBLIC],
        "cc": [f"{ACTOR}/followers"],
        "sensitive": False,
        "content": "<p>Loved it\u0000\u202e</p>",
        "contentMap": {"en": "<p>Loved it</p>"},
        "attachment": [],
        "tag": [
            {"type": "Mention", "href": "https://blog.example/ap/actors/mina", "name": "@mina"},
            {"type": "Hashtag", "href": "https://social.example/tags/kdrama", "name": "#KDrama"},
            {"type": "Emoji", "name": ":x:"},
            "odd",
        ],
    },
}


def parse(**changes: Any) -> IncomingActivity:
    """A Like with some keys changed; None as a type removes nothing, `...` removes the key."""
    document = {**LIKE, **changes}
    document = {key: value for key, value in document.items() if value is not ...}
    return parse_activity(json.dumps(document).encode())


def test_like() -> None:
    """A Like names its object by id; its own id need not be a page."""
    activity = parse()
    assert (activity.id, activity.type, activity.actor) == (f"{ACTOR}#likes/1", "Like", ACTOR)
    assert activity.object == IncomingObject(id=OURS)
    assert activity.object_ids == (OURS,)
    assert activity.object_id == OURS
    assert not activity.public


def test_reply() -> None:
    """A reply is read with everything that moderation and display need."""
    activity = parse_activity(json.dumps(REPLY).encode())
    post = activity.object
    assert post is not None
    assert activity.public
    assert post.public
    assert post.inline
    assert post.in_reply_to == OURS
    assert post.attributed_to == activity.actor
    assert post.content == "<p>Loved it</p>"
    assert post.language == "en"
    assert post.published == datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
    assert activity.published == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert post.mentions == ("https://blog.example/ap/actors/mina",)
    assert post.hashtags == ("KDrama",)
    assert not post.has_attachments
    assert post.url == "https://social.example/@ann/5"


def test_undo_of_an_embedded_follow() -> None:
    """An Undo shows what is undone: type, actor and object of the embedded activity."""
    follow = {"id": f"{ACTOR}#f/1", "type": "Follow", "actor": ACTOR, "object": OURS}
    undone = parse(type="Undo", object=follow).object
    assert undone is not None
    assert (undone.id, undone.type, undone.actor, undone.object) == (
        f"{ACTOR}#f/1", "Follow", ACTOR, OURS,
    )  # fmt: skip


def test_flag_lists_several_objects() -> None:
    """A report names the actor and the posts; its text is kept."""
    flag = parse(type="Flag", object=["https://blog.example/ap/actors/mina", OURS], content="spam")
    assert flag.object_ids == ("https://blog.example/ap/actors/mina", OURS)
    assert flag.content == "spam"


def test_move_and_quote_request() -> None:
    """Target and instrument are read as ids, embedded or not."""
    assert parse(type="Move", target="https://new.example/u/ann").target == ("https://new.example/u/ann")
    quoting = {"id": f"{ACTOR}/statuses/9", "type": "Note", "attributedTo": ACTOR}
    assert parse(type="QuoteRequest", instrument=quoting).instrument == f"{ACTOR}/statuses/9"


def test_an_announce_is_known_by_the_id_of_its_object() -> None:
    """A20: what somebody embeds in a boost keeps its id apart from what it claims."""
    forged = {"id": "https://victim.example/notes/1", "type": "Note", "content": "forged"}
    boost = parse(type="Announce", object=forged)
    assert boost.object_id == "https://victim.example/notes/1"
    assert boost.object is not None
    assert boost.object.attributed_to is None


def test_contexts_rename_nothing() -> None:
    """A22: `@context`, `@graph` and `@id` are never interpreted."""
    context = [{"actor": "as:object", "victim": "as:actor"}, "https://evil.example/context"]
    activity = parse(**{"@context": context, "victim": "https://v.example/u", "@graph": [LIKE]})
    assert activity.actor == ACTOR
    with pytest.raises(MalformedError, match="'id' is missing"):
        parse(id=..., **{"@id": f"{ACTOR}#likes/1"})


def test_thousands_of_recipients_are_only_names() -> None:
    """A45: a long audience is read as strings and nothing else."""
    people = [f"https://h{number}.example/u" for number in range(5000)]
    assert parse(cc=people).cc == tuple(people)


@pytest.mark.parametrize("name", [PUBLIC, "as:Public", "Public"])
@pytest.mark.parametrize("key", ["to", "cc"])
def test_public_is_public_in_all_its_spellings(name: str, key: str) -> None:
    """A post is public when everybody is in its audience, under any name that JSON-LD allows."""
    assert parse(**{key: name}).public
    assert parse(**{key: [name]}).public


WRONG = [None, 1, True, 1.5, "", "word", "mailto:a@b.example", [], {}, [ACTOR], {"id": ACTOR}]


@pytest.mark.parametrize("key", ["id", "actor"])
@pytest.mark.parametrize("value", [*WRONG, ..., ACTOR + "/" + "x" * 2048, "https://a b/"])
def test_id_and_actor_are_urls(key: str, value: Any) -> None:
    """A27: id and actor are one plain URL each, never a list, an object or nothing."""
    with pytest.raises(MalformedError, match=f"'{key}'"):
        parse(**{key: value})


@pytest.mark.parametrize("value", [None, 1, [], ["Like"], {}, "", "Two Words", "x" * 129, "a\nb", ...])
def test_type_is_one_word(value: Any) -> None:
    """A27: the type is one word."""
    with pytest.raises(MalformedError, match="'type'"):
        parse(type=value)


@pytest.mark.parametrize("key", ["to", "cc"])
@pytest.mark.parametrize("value", [{}, {"id": PUBLIC}, 1, True, [None], [1], [[PUBLIC]], [{}], "x" * 3000])
def test_audience_is_a_list_of_names(key: str, value: Any) -> None:
    """A27: an audience of another shape is refused, not guessed at."""
    with pytest.raises(MalformedError, match=f"'{key}'"):
        parse(**{key: value})


@pytest.mark.parametrize(
    "value",
    [
        1,
        True,
        "word",
        ["word"],
        [[]],
        [None],
        {"id": 1, "type": "Note"},
        {"id": "x", "type": "Note"},
        {"id": OURS},
        {"id": OURS, "type": 1},
        {"id": OURS, "type": "Note", "content": 1},
        {"id": OURS, "type": "Note", "attributedTo": 5},
        {"id": OURS, "type": "Note", "to": {}},
        {"id": OURS, "type": "Note", "inReplyTo": "word"},
        {"id": OURS, "type": "Note", "published": 7},
        {"id": OURS, "type": "Note", "content": "x" * 100001},
        [OURS] * 10001,
    ],
)
def test_objects_have_the_right_shape(value: Any) -> None:
    """A27: an object is an id or a document whose deciding keys have their shape."""
    with pytest.raises(MalformedError):
        parse(object=value)


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026",
        "2026-13-01T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "0001-01-01T00:00:00+23:00",
        1767225600,
        [],
        {},
        "9999-12-31T23:59:59-23:00",
        "2026-01-01T00:00" + "0" * 60,
    ],
)
def test_dates_are_dates(value: Any) -> None:
    """A27: a date that cannot be read is refused."""
    with pytest.raises(MalformedError, match="'published'"):
        parse(published=value)


@pytest.mark.parametrize(
    "value, expected",
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.5+09:00", datetime(2026, 3, 1, 1, 0, 0, 500000, tzinfo=UTC)),
        ("2026-03-01t10:00:00z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        (None, None),
    ],
)
def test_dates_become_utc(value: str | None, expected: datetime | None) -> None:
    """Dates come out in UTC whatever zone they were written in."""
    assert parse(published=value).published == expected


def test_an_activity_lives_on_the_server_of_its_actor() -> None:
    """A02: nobody names an activity on somebody else's server."""
    with pytest.raises(MalformedError, match="not on the server"):
        parse(id="https://victim.example/activities/1")
    assert parse(id="https://Social.Example:443/activities/1")


def test_pages_may_be_anywhere() -> None:
    """A31: the page of a post may be on another host than its id, in any of the usual shapes."""
    note: dict[str, Any] = {"id": f"{ACTOR}/n/1", "type": "Note"}
    link = {"type": "Link", "mediaType": "text/html", "href": "https://www.other.example/p"}
    video = {"type": "Link", "mediaType": "video/mp4", "href": "https://cdn.example/v.mp4"}
    assert parse_object({**note, "url": "https://www.other.example/p"}).url == link["href"]
    assert parse_object({**note, "url": link}).url == link["href"]
    assert parse_object({**note, "url": [video, link]}).url == link["href"]
    assert parse_object({**note, "url": [video]}).url == video["href"]
    for odd in (None, 5, "javascript:alert(1)", [], [5], {"href": 7}):
        assert parse_object({**note, "url": odd}).url == f"{ACTOR}/n/1"


def test_decoration_may_be_odd() -> None:
    """Keys that only decorate never make a post unreadable."""
    note: dict[str, Any] = {"id": f"{ACTOR}/n/1", "type": "Note"}
    for odd in (None, 5, "x", [], {}, [5, {}, {"type": "Mention"}, {"type": "Mention", "href": 5}]):
        post = parse_object({**note, "tag": odd, "contentMap": odd, "sensitive": odd})
        assert (post.mentions, post.language, post.sensitive) == ((), None, False)
    assert parse_object({**note, "tag": {"type": "Hashtag", "name": "#a"}}).hashtags == ("a",)
    authors = [{"type": "Person", "id": ACTOR}, "https://social.example/groups/1"]
    assert parse_object({**note, "attributedTo": authors}).attributed_to == ACTOR


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20)
    | st.sampled_from([ACTOR, OURS, PUBLIC, "Note", "2026-03-01T10:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "type", "actor", "object", "href", "name", "mediaType", "content"]),
        inner,
        max_size=4,
    ),
    max_leaves=6,
)  # fmt: skip
KEYS = [*LIKE, *REPLY["object"], "target", "instrument", "content"]  # type: ignore[misc]


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=5), st.booleans())
def test_any_shape_is_read_or_refused(changes: dict[str, Any], inside: bool) -> None:
    """A27: whatever stands under a known key gives typed values or a MalformedError."""
    document: dict[str, Any] = {**LIKE, **changes}
    if inside:
        document = {**REPLY, "object": {**REPLY["object"], **changes}}  # type: ignore[dict-item]
    try:
        activity = parse_activity(json.dumps(document).encode())
    except MalformedError:
        return
    assert isinstance(activity.id, str)
    assert all(isinstance(each, str) for each in activity.to + activity.cc + activity.object_ids)
    if activity.object is not None:
        assert activity.object.content is None or "\x00" not in activity.object.content
