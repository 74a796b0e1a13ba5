"""The inbox answers alike before Flask and through it, at the root and below a path."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dramafeed.inbox.receive import MAX_BODY
from tests.fakes import follow_of
from tests.site import BASE_URL, Site

DOORS = [{}, {"HOT": "off"}]
INBOX = "/ap/actors/mina/inbox"


@pytest.mark.parametrize("options", DOORS, ids=["before Flask", "through Flask"])
def test_both_doors_judge_alike(new_site: Callable[..., Site], options: dict[str, str]) -> None:
    """Accepted, unsigned, of nobody, too large, cut short: the same status and words either way."""
    site = new_site(**options)
    site.author()
    site.turn()
    server = site.followed()
    follow = follow_of(server, f"{BASE_URL}/ap/actors/mina", 7)
    answer = site.post(server, follow, INBOX)
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (202, b"", "0")
    nobody = site.post(server, {**follow, "id": f"{follow['id']}/2"}, "/ap/actors/nobody/inbox")
    assert (nobody.status_code, nobody.get_json(force=True)["detail"]) == (
        404,
        "There is no actor nobody here.",
    )
    unsigned = site.http.post(INBOX, json=follow, base_url=BASE_URL)
    assert unsigned.status_code == 401
    assert unsigned.content_type == "application/problem+json"
    assert site.http.post(INBOX, data=b"x" * (MAX_BODY + 1), base_url=BASE_URL).status_code == 413
    cut = {"CONTENT_LENGTH": "99"}
    short = site.http.post(INBOX, data=b"{}", environ_overrides=cut, base_url=BASE_URL)
    assert short.status_code == 400
    assert "ended before" in short.get_json(force=True)["detail"]
    assert site.get(INBOX).status_code == 404


def test_an_inbox_below_a_path(new_site: Callable[..., Site]) -> None:
    """BASE_URL's path is part of what is asked for and signed."""
    site = new_site(BASE_URL=f"{BASE_URL}/drama")
    site.author()
    site.turn()
    answer = site.http.post("/drama/ap/inbox", data=b"{}", base_url=BASE_URL)
    assert answer.status_code == 400
    assert site.http.post("/ap/inbox", data=b"{}", base_url=BASE_URL).status_code == 404
