"""Odd questions at the door where names are looked up."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from tests.defences.watch import Watch
from tests.site import BASE_URL, Site

ACTOR = f"{BASE_URL}/ap/actors/mina"


def ask(site: Site, query: str, **headers: str) -> TestResponse:
    """WebFinger with a query that is sent as it is written."""
    return site.get(f"/.well-known/webfinger{query}", **headers)


GOOD = [
    "acct:mina@blog.example",
    "acct:mina%40blog.example",
    "acct%3Amina%40blog.example",
    "mina@blog.example",
    "ACCT:mina@blog.example",
    "acct:MINA@BLOG.Example",
    "acct:@mina@blog.example",
    "@mina@blog.example",
    "acct:mina@blog.example.",
    "acct:mina@blog.example:443",
    f"{BASE_URL}/ap/actors/mina",
    f"{BASE_URL}/@mina",
    f"{BASE_URL}/authors/mina/",
]
NOT_FOUND = [
    "acct:nobody@blog.example",
    "acct:mina@other.example",
    "acct:mina@blog.example.evil.example",
    "acct:mina@xblog.example",
    f"{BASE_URL}/ap/actors/nobody",
    "https://other.example/ap/actors/mina",
    "acct:%6dina%2e@blog.example",
    "acct:mina@127.0.0.1",
    "acct:../mina@blog.example",
    f"{BASE_URL}/ap/actors/",
    "acct:min\u00e4@blog.example",
    "acct:mina%00@blog.example",
]
BAD = [
    "",
    "mina",
    "acct:mina",
    "acct:@blog.example",
    "acct:mina@",
    "mailto:mina",
    "acct:mina@blog example",
    "acct:mina@bl\u00adog.example@",
    "acct:" + "m" * 10_000 + "@blog.example",
    "acct:mina@evil@",
    "@",
    "acct:",
    "acct:mina@blog.example/../x",
    "acct:mina@[::1",
    "acct:mina@\u202eblog.example",
    "acct:mina@b\\log",
]


@pytest.fixture
def quiet(site: Site, watch: Watch) -> Site:
    """A site that must not log a fault."""
    return site


def test_every_spelling_of_a_handle_is_found(quiet: Site) -> None:
    """A26: `%40`, no `acct:`, capitals, a final dot: all name one account, as JRD that any page may read."""
    for resource in GOOD:
        answer = ask(quiet, f"?resource={resource}")
        assert answer.status_code == 200, resource
        assert answer.content_type.split(";")[0] == "application/jrd+json"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        found = answer.get_json(force=True)
        assert found["subject"] == "acct:mina@blog.example"
        assert [link["href"] for link in found["links"] if link["rel"] == "self"] == [ACTOR]


@pytest.mark.parametrize("status, resources", [(404, NOT_FOUND), (400, BAD)], ids=["unknown", "malformed"])
def test_odd_questions_have_plain_answers(quiet: Site, status: int, resources: list[str]) -> None:
    """A26: who is not here is 404, what is no account is 400: in JSON, readable by any page, and short."""
    for resource in resources:
        answer = ask(quiet, f"?resource={resource}")
        assert answer.status_code == status, (resource, answer.text)
        assert answer.content_type.endswith("json")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert len(answer.data) < 1000
        assert "Traceback" not in answer.text


def test_questions_without_a_resource(quiet: Site) -> None:
    """A26: no resource at all, or the word spelt otherwise, is 400; of two, the first counts."""
    for query in ("", "?", "?resource", "?Resource=acct:mina@blog.example", "?rel=self"):
        assert ask(quiet, query).status_code == 400
    two = "?resource=acct:mina@blog.example&resource=acct:blog@blog.example"
    assert ask(quiet, two).get_json(force=True)["subject"] == "acct:mina@blog.example"


def test_what_is_asked_does_not_stay(quiet: Site) -> None:
    """A26: a thousand odd questions leave nothing behind in the store of finished documents."""
    documents = quiet.app.extensions["dramafeed"].documents
    before = len(documents._entries)
    for number in range(1000):
        ask(quiet, f"?resource=acct:nobody{number}@blog.example")
    assert len(documents._entries) == before
