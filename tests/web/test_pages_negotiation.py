"""Which Accept headers mean ActivityPub."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.web.negotiation import prefers_activity

AS = "https://www.w3.org/ns/activitystreams"

ACTIVITY = [
    "application/activity+json",
    "Application/Activity+JSON",
    "application/ld+json",
    f'application/ld+json; profile="{AS}"',
    f'application/ld+json;profile="{AS}"',
    f"application/ld+json; profile={AS}",
    f'application/ld+json; profile="https://other.example/x {AS}"',
    # Mastodon: objects, then a pasted URL
    "application/activity+json, application/ld+json",
    f'application/ld+json; profile="{AS}", application/activity+json, text/html;q=0.1',
    # GoToSocial, Misskey
    f'application/ld+json; profile="{AS}",application/activity+json',
    f'application/activity+json, application/ld+json; profile="{AS}"',
    "application/activity+json;q=0.9, text/html;q=0.8",
    "application/activity+json, */*;q=0.1",
    "application/activity+json, text/html;q=0",
    "application/activity+json, text/html;q=0, */*",
    "text/html;q=0.5, application/activity+json;q=0.501",
    "application/activity+json;q=0.1",
    ", ,application/activity+json,",
    'text/html;x=",";q=0.2, application/activity+json',
    # a malformed weight wishes for nothing
    "text/html;q=1.5, application/activity+json;q=0.1",
]
HTML = [
    "",
    "*/*",
    "text/html",
    "text/*",
    "application/json",
    "application/*",
    "image/avif,image/webp,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html, application/activity+json",
    "application/activity+json, */*",
    "application/activity+json, text/*",
    "application/activity+json, application/xhtml+xml",
    "application/activity+json;q=0.5, text/html;q=0.5",
    "application/activity+json;q=0, application/json",
    "application/activity+json;q=2",
    "application/activity+json;q=nan",
    "application/activity+json;q=",
    'application/ld+json; profile="http://www.w3.org/ns/anno.jsonld"',
    f'text/html;x="application/activity+json", text/plain;profile="{AS}"',
    '"application/activity+json',
    ";;;===,,,",
]


@pytest.mark.parametrize("accept", ACTIVITY)
def test_servers_that_rank_activitypub_higher_are_recognised(accept: str) -> None:
    """A server that wants ActivityPub is led to the object."""
    assert prefers_activity(accept)


@pytest.mark.parametrize("accept", HTML)
def test_everybody_else_gets_the_page(accept: str) -> None:
    """`*/*`, ties, foreign profiles and nonsense get HTML."""
    assert not prefers_activity(accept)


@given(st.text(alphabet='aplictonvy+json/*;,="\\ q.0159texhml', max_size=200))
def test_no_header_makes_it_fail(accept: str) -> None:
    """Any header has an answer."""
    assert prefers_activity(accept) in (True, False)


def test_a_long_header_costs_little() -> None:
    """The parser is linear: 64 KB of quotes and commas are no attack."""
    for unit in ('"', ",", "\\", '",', '"\\', "a;", 'a="'):
        assert not prefers_activity(unit * (65536 // len(unit)))
