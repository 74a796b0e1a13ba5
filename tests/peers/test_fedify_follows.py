"""A person on a real fediverse server follows our authors and receives what they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.peers.dramafeed_site import Site, review
from tests.peers.fedify_follower import Follower
from tests.peers.running import eventually

ACTIVITY = "application/activity+json"
Json = dict[str, Any]


def handle(site: Site, name: str) -> str:
    """The address that people type. It has the port, since private addresses are allowed here."""
    return f"@{name}@{urlsplit(site.url).netloc}"


def fetch(site: Site, url: str) -> Json:
    """An ActivityPub document as a server fetches it."""
    answer = site.get(url, accept=ACTIVITY)
    assert answer.status == 200, f"{url} answered {answer.status}"
    document: Json = json.loads(answer.body)
    return document


def total(site: Site, url: str) -> int:
    return int(fetch(site, url)["totalItems"])


def counts(site: Site, url: str, number: int) -> None:
    """Wait until a collection holds this many; shown counters may lag by ten seconds."""
    eventually(f"{url} says {number}", lambda: total(site, url) == number, 40)


def when(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def about(target: str) -> Callable[[Json], bool]:
    """Activities whose object is, or is embedded as, the thing with this id."""

    def fits(activity: Json) -> bool:
        thing = activity.get("object")
        return target == (thing.get("id") if isinstance(thing, dict) else thing)

    return fits


def following(follower: Follower, site: Site, name: str = "mina") -> Json:
    """Let the person find an actor by handle and follow it; returns the actor that accepted."""
    actor: Json = follower.do("lookup", what=handle(site, name))
    follower.do("follow", actor=actor["id"])
    accept = follower.gets("Accept", lambda it: it["actor"] == actor["id"])
    follow = accept["object"]
    assert follow["type"] == "Follow"
    assert (follow["actor"], follow["object"]) == (follower.actor, actor["id"])
    return actor


def assert_no_signature_was_refused(follower: Follower) -> None:
    assert follower.refused == []
    posts = follower.posts()
    assert posts
    assert {it["status"] for it in posts} == {202}, posts


def test_an_author_is_found_by_handle_with_name_and_bio(site: Site, follower: Follower) -> None:
    """Whoever searches for @mina@our-site sees her name and what she wrote about herself."""
    mina = follower.do("lookup", what=handle(site, "mina"))
    assert mina["type"] == "Person"
    assert (mina["preferredUsername"], mina["name"]) == ("mina", "Mina Seo")
    assert "watches the first episode twice" in mina["summary"]
    assert mina["id"].startswith(f"{site.url}/ap/actors/")
    assert site.get(mina["url"], accept="text/html").status == 200


def test_the_blog_is_found_by_its_handle(site: Site, follower: Follower) -> None:
    """The blog as a whole can be followed too."""
    blog = follower.do("lookup", what=handle(site, "blog"))
    assert blog["name"] == "Subtitles On"


def test_a_new_review_its_edit_and_its_removal_reach_a_follower(site: Site, follower: Follower) -> None:
    """A file dropped, edited and removed arrives as Create, Update and Delete, well signed."""
    mina = following(follower, site)

    site.write("reviews/night-ferry.md", review("Night Ferry", "The crossing takes sixteen hours."))
    create = follower.gets("Create")
    note = create["object"]
    assert create["actor"] == note["attributedTo"] == mina["id"]
    assert "Night Ferry" in note["content"]
    assert "sixteen hours" in note["content"]
    assert note["url"] in note["content"]
    site.shows(note["url"], "sixteen hours")
    assert fetch(site, note["id"])["id"] == note["id"]

    site.write("reviews/night-ferry.md", review("Night Ferry", "The crossing takes seventeen hours."))
    update = follower.gets("Update", about(note["id"]))
    edited = update["object"]
    assert update["actor"] == mina["id"]
    assert "seventeen hours" in edited["content"]
    assert edited["published"] == note["published"]
    assert when(edited["updated"]) > when(edited["published"])

    site.remove("reviews/night-ferry.md")
    delete = follower.gets("Delete", about(note["id"]))
    assert delete["actor"] == mina["id"]
    assert site.get(note["id"], accept=ACTIVITY).status in (404, 410)
    assert site.get(note["url"], accept="text/html").status == 410

    sent = [it["id"] for it in follower.received if about(note["id"])(it)]
    assert len(sent) == len(set(sent)) == 3
    assert_no_signature_was_refused(follower)


def test_old_reviews_and_removed_unsent_ones_reach_nobody(site: Site, follower: Follower) -> None:
    """What was there before the first follower stays quiet; only the new review is sent."""
    following(follower, site)
    site.write("reviews/harbour-lights.md", review("Harbour Lights", "A new one."))
    assert "Harbour Lights" in follower.gets("Create")["object"]["content"]
    assert not any("Lighthouse Street" in json.dumps(it) for it in follower.received)


def test_followers_are_counted_until_they_leave(site: Site, follower: Follower) -> None:
    """Following twice counts once; leaving is noticed; nobody who left receives the next review."""
    mina = following(follower, site)
    followers = mina["followers"]
    counts(site, followers, 1)
    follower.do("follow", actor=mina["id"])
    follower.gets("Accept", lambda it: it["object"]["id"].endswith("follow-2"))
    assert total(site, followers) == 1

    follower.do("unfollow", actor=mina["id"])
    counts(site, followers, 0)
    assert follower.actor not in site.command("followers")


def test_a_server_that_is_away_delays_nobody_and_is_served_later(
    site: Site, new_follower: Callable[..., Follower]
) -> None:
    """One of two servers answers 503: the other has its review at once, the first gets it later."""
    ann, bo = new_follower("ann"), new_follower("bo")
    following(ann, site)
    following(bo, site)
    bo.do("pause")
    site.write("reviews/two-moons.md", review("Two Moons", "Both of them rise."))
    ann.gets("Create")
    eventually("bo turned a delivery away", lambda: 503 in {it["status"] for it in bo.posts()}, 40)
    ledger = site.command("deliveries", "two-moons")
    assert urlsplit(ann.origin).netloc in ledger
    assert urlsplit(bo.origin).netloc in ledger

    bo.do("resume")
    site.command("queue", "retry")
    assert "Two Moons" in bo.gets("Create")["object"]["content"]
    assert [it["type"] for it in ann.received].count("Create") == 1


def test_the_blog_boosts_what_its_authors_write_and_takes_it_back(site: Site, follower: Follower) -> None:
    """A follower of the blog receives each review as the blog's boost, and its end as an Undo."""
    blog = following(follower, site, "blog")
    site.write("reviews/paper-lantern.md", review("Paper Lantern", "It burns twice."))
    # The blog speaks about a minute after the author, so that the author's post is there first.
    announce = follower.gets("Announce", lambda it: it["actor"] == blog["id"], seconds=120)
    assert isinstance(announce["object"], str)
    assert "Paper Lantern" in fetch(site, announce["object"])["content"]

    site.remove("reviews/paper-lantern.md")
    undo = follower.gets("Undo", about(announce["id"]))
    assert undo["actor"] == blog["id"]
    assert_no_signature_was_refused(follower)


@pytest.mark.parametrize("knock", ["rfc9421", "draft-cavage-http-signatures-12"])
def test_both_kinds_of_signature_open_the_inbox(
    site: Site, new_follower: Callable[..., Follower], knock: str
) -> None:
    """Servers that sign the new way and servers that sign the old way can follow."""
    following(new_follower("ann", FIRST_KNOCK=knock), site)


def test_a_server_without_shared_inbox_receives_reviews(
    site: Site, new_follower: Callable[..., Follower]
) -> None:
    """Servers that have only personal inboxes are served there."""
    person = new_follower("ann", NO_SHARED_INBOX="1")
    following(person, site)
    site.write("reviews/salt-road.md", review("Salt Road", "Uphill all the way."))
    person.gets("Create")
    assert {it["path"] for it in person.posts()} == {"/users/ann/inbox"}


def test_plain_http_works_on_one_machine_by_actor_address(
    plain_site: Site, new_follower: Callable[..., Follower]
) -> None:
    """A trial without certificates: follow by the actor's address, receive the next review."""
    person = new_follower("ann", https=False)
    mina = plain_site.get("/.well-known/webfinger?resource=acct:mina@" + urlsplit(plain_site.url).netloc)
    links = json.loads(mina.body)["links"]
    actor = next(it["href"] for it in links if it["rel"] == "self")
    person.do("follow", actor=actor)
    person.gets("Accept")
    plain_site.write("reviews/low-tide.md", review("Low Tide", "The boats sit on the sand."))
    assert "Low Tide" in person.gets("Create")["object"]["content"]
    assert_no_signature_was_refused(person)


def test_the_site_ends_in_order(site: Site) -> None:
    """Asked to end, `dramafeed serve` ends by itself within ten seconds."""
    assert site.stop() >= 0
