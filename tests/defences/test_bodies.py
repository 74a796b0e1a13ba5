"""Bodies of any size, depth and content at the inbox of a whole site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dramafeed.inbox.receive import MAX_BODY
from tests.defences.watch import Watch, watching
from tests.fakes import follow_of
from tests.hostile import Server, World, crafted, hostile_fediverse, within
from tests.site import BASE_URL, Site

MINA = f"{BASE_URL}/ap/actors/mina"
UNHURRIED = settings(deadline=None, max_examples=150)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One world for all: what is refused leaves nothing behind."""
    with hostile_fediverse() as made:
        yield made


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    """One site for all."""
    return world.site()


@pytest.fixture(scope="module")
def ann(world: World, site: Site) -> Server:
    """Somebody who follows already."""
    server = world.server()
    site.follow(server)
    return server


@pytest.fixture(scope="module")
def watch(site: Site) -> Iterator[Watch]:
    """It must not log a fault of its own."""
    with watching(site) as made:
        yield made


def padded(server: Server, size: int) -> bytes:
    """A Follow of this many bytes."""
    text = json.dumps({**follow_of(server, MINA, size), "summary": ""})
    return text.replace('"summary": ""', '"summary": "' + "x" * (size - len(text)) + '"').encode()


def test_the_size_limit(site: Site, watch: Watch, ann: Server) -> None:
    """A48: 256 KiB are taken, one byte more is 413, unsigned or not, and is not stored."""
    whole = padded(ann, MAX_BODY)
    assert watch.knock(whole, crafted(ann, whole, site.clock())).status_code == 202
    site.turn()
    for size in (MAX_BODY + 1, MAX_BODY + 2, 5_000_000):
        body = padded(ann, size)
        watch.refused(413, str(MAX_BODY), body, crafted(ann, body, site.clock()))
        watch.refused(413, str(MAX_BODY), body, {})


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    """JSON of this depth."""
    return ('{"object":' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}").encode()


def test_the_depth_limit(site: Site, watch: Watch, ann: Server) -> None:
    """A49: 33 levels, and 100,000, are refused in no time; brackets in texts are no levels."""
    for body in (
        nested(33),
        nested(5_000),
        nested(100_000),
        nested(5_000, '{"a":', "}"),
        b'{"a":' + b"[" * 200_000,
    ):
        with within(megabytes=6, seconds=2):
            watch.refused(400, "deeper than 32", body, crafted(ann, body, site.clock()))
    text = json.dumps({**follow_of(ann, MINA, 77), "summary": "[{" * 1000}).encode()
    assert watch.knock(text, crafted(ann, text, site.clock())).status_code == 202
    site.turn()


ODD_VALUES = [
    "9" * 5000,
    "-" + "9" * 5000,
    "1e999",
    "NaN",
    "Infinity",
    "-Infinity",
    "1" + "0" * 41,
    '"\\ud800"',
    '"\\udfff\\ud800"',
    "0x10",
    "01",
    "'a'",
    "1e" + "9" * 400,
    '"\\u00"',
    '"\t"',
]


def test_values_that_break_later(site: Site, watch: Watch, ann: Server) -> None:
    """A50: numbers without end, NaN, half characters: refused while reading, wherever they stand."""
    text = json.dumps(follow_of(ann, MINA, 78))
    for value in ODD_VALUES:
        for body in (text[:-1] + f', "x": {value}}}', text[:-1] + f', "x": [{{"y": {value}}}]}}'):
            watch.refused(400, "", body.encode(), crafted(ann, body.encode(), site.clock()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(MINA),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "type", "actor", "object", "to", "@context"]) | st.text(max_size=5), inner
        )
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["id", "type", "actor", "object", "to", "cc", "published", "target", "content", "tag"]
)


@UNHURRIED
@given(
    st.dictionaries(FIELDS, JSON, max_size=4),
    st.sampled_from(["Follow", "Undo", "Delete", "Update", "Block"]),
)
def test_any_shape(site: Site, watch: Watch, ann: Server, odd: dict[str, Any], kind: str) -> None:
    """A27, A50: whatever stands under any name, the answer is 202, 400 or 401, never a 5xx."""
    body = json.dumps({**follow_of(ann, MINA, 79), "type": kind, **odd}).encode()
    assert watch.knock(body, crafted(ann, body, site.clock())).status_code in (202, 400, 401)
    site.turn()


@UNHURRIED
@given(st.binary(max_size=300))
def test_any_bytes(site: Site, watch: Watch, ann: Server, body: bytes) -> None:
    """A50: no bytes whatever are our fault."""
    assert watch.knock(body, crafted(ann, body, site.clock())).status_code in (400, 401)
