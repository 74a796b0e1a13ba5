"""Ids outlive renames, restarts, and the database itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from dramafeed.errors import SettingsError
from tests.site import Site

FEEDS = ("/feed.xml", "/atom.xml", "/feed.json", "/authors/mina/feed.xml")


def _bytes(site: Site) -> list[bytes]:
    return [site.get(path).data for path in FEEDS]


def test_a_renamed_file_stays_the_same_review(site: Site) -> None:
    """Same id, new address; the old address redirects, and nobody gets a second post."""
    server = site.followed()
    site.review("vincenzo")
    site.run(70, step=5)
    before = site.item("Vincenzo")["id"]
    (site.content / "reviews/vincenzo.md").rename(site.content / "reviews/vincenzo-cassano.md")
    site.settle()
    assert site.item("Vincenzo")["id"] == before
    response = site.get("/reviews/vincenzo/")
    assert response.status_code == 301
    assert response.headers["Location"] == "https://blog.example/reviews/vincenzo-cassano/"
    assert [a["type"] for a in server.accepted] == ["Accept", "Create", "Update"]


def test_a_rename_is_recognised_in_either_order(site: Site) -> None:
    """The copy first and the removal later: the copy waits, and is then the same review."""
    site.review("vincenzo")
    site.run(700, step=50)
    before = site.item("Vincenzo")["id"]
    shutil.copy(site.content / "reviews/vincenzo.md", site.content / "reviews/lawyer.md")
    site.touch("reviews/lawyer.md", age=10)
    site.run(60, step=5)
    assert site.titles() == ["Vincenzo"]
    site.remove("reviews/vincenzo.md")
    site.settle()
    assert site.item("Vincenzo")["id"] == before
    assert site.get("/reviews/lawyer/").status_code == 200


def test_a_renamed_and_rewritten_file_is_recognised_by_title_and_writer(site: Site) -> None:
    """Exactly one pair of equal title and author is one review."""
    site.review("vincenzo", title="Vincenzo")
    site.run(700, step=50)
    before = site.item("Vincenzo")["id"]
    site.remove("reviews/vincenzo.md")
    site.review("lawyer", "All new words.", title="Vincenzo")
    site.settle()
    assert site.item("Vincenzo")["id"] == before
    assert site.titles() == ["Vincenzo"]


def test_two_unchanged_restarts_change_no_byte_and_send_nothing(site: Site) -> None:
    """A restart is invisible outside."""
    server = site.followed()
    site.review("vincenzo")
    site.settle()
    before, sent = _bytes(site), len(server.requests)
    for _ in range(2):
        site.restart()
        site.settle()
        assert _bytes(site) == before
    assert len(server.requests) == sent


def test_with_the_database_gone_everything_returns(new_site: Callable[..., Site]) -> None:
    """Ids, dates, slugs, redirects, tombstones and bylines come back from the folder; feeds to the byte."""
    site = new_site()
    site.author()
    for number in range(4):
        site.review(f"r{number}", f"Text {number}.", published=f"2026-0{number + 1}-01")
    site.review("undated", "No date.")
    site.write("reviews/plain.txt", "[Review] Plain\n\nSome words.\n\nBo Kim\nWrites plainly.\n")
    site.run(5)
    (site.content / "reviews/r1.md").rename(site.content / "reviews/renamed.md")
    site.remove("reviews/r2.md")
    site.settle()
    before = _bytes(site)
    site.lose_database()
    site.clock.step(100_000)
    site.start()
    site.settle()
    assert _bytes(site) == before
    assert site.get("/reviews/r1/").headers["Location"].endswith("/reviews/renamed/")
    assert site.get("/reviews/r2/").status_code == 410
    assert site.get("/authors/bo-kim/").status_code == 200


def test_with_the_database_gone_nothing_is_sent_again(site: Site) -> None:
    """A94: Followers and keys are not in the folder: pages start, federation waits and says why."""
    server = site.followed()
    site.review("vincenzo")
    site.settle()
    sent = len(server.requests)
    site.lose_database()
    site.clock.step(100_000)
    site.start()
    site.review("new")
    site.settle()
    assert set(site.titles()) == {"Vincenzo", "New"}
    assert len(server.requests) == sent
    assert site.get("/ap/actors/mina").status_code == 503


def test_the_address_is_frozen_with_the_first_follower(site: Site) -> None:
    """Another BASE_URL is refused, naming both addresses."""
    site.followed()
    moved = Site(site.folder, site.clock, fediverse=site.fediverse, BASE_URL="https://other.example")
    site.clock.step(60)
    try:
        with pytest.raises(SettingsError, match=r"https://other\.example.*https://blog\.example"):
            moved.turn()
    finally:
        moved.close()


def test_a_merge_conflict_in_the_ledger_loses_nothing(site: Site) -> None:
    """Conflict markers and repeated lines are passed over."""
    site.review("vincenzo")
    site.run(5)
    before = _bytes(site)
    ledger = site.content / ".dramafeed/identity.jsonl"
    rows = ledger.read_text().splitlines()
    ledger.write_text("\n".join(["<<<<<<< ours", *rows, "=======", *rows, ">>>>>>> theirs", '{"torn": ']))
    site.lose_database()
    site.start()
    site.settle()
    assert _bytes(site) == before


def test_two_files_for_one_address_are_told_apart(site: Site) -> None:
    """The review that holds an address keeps it; the newcomer is a problem with a fix."""
    site.review("vincenzo", title="Mine")
    site.run(5)
    site.review("other", "Other words.", title="Theirs", slug="vincenzo")
    report = site.publish()
    assert any("belongs to reviews/vincenzo.md" in str(problem) for problem in report.problems)
    assert site.titles() == ["Mine"]
