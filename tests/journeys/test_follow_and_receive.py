"""A reader follows from another server and receives what is written."""

from __future__ import annotations

from tests.fakes import follow_of, undo_of
from tests.site import BASE_URL, Site


def test_a_new_review_reaches_a_follower_after_the_hold(site: Site) -> None:
    """A dropped file is on the site at once and in a follower's timeline a minute later, once."""
    server = site.followed()
    site.review("vincenzo", "A lawyer, a plaza, and a great deal of gold.")
    site.turn()
    assert not server.posts
    site.run(58)
    assert not server.posts
    site.run(10)
    (post,) = server.posts.values()
    assert post.author == f"{BASE_URL}/ap/actors/mina"
    assert "A lawyer, a plaza" in post.document["content"]
    assert post.document["url"] == f"{BASE_URL}/reviews/vincenzo/"
    assert "updated" not in post.document
    site.settle()
    assert set(server.seen.values()) == {1}


def test_a_follow_is_accepted_within_seconds(site: Site) -> None:
    """Follow is answered by an Accept that names it, and shows in the follower count."""
    server = site.fediverse.server()
    activity = site.follow(server)
    (accept,) = server.accepted
    assert accept["type"] == "Accept"
    assert accept["object"]["id"] == activity["id"]
    assert accept["object"]["actor"] == server.actor
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 1


def test_following_twice_is_following_once(site: Site) -> None:
    """A second Follow with another id gets a second Accept and counts once."""
    server = site.fediverse.server()
    site.follow(server, number=1)
    site.follow(server, number=2)
    assert [a["object"]["id"][-6:] for a in server.accepted] == ["1/mina", "2/mina"]
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 1


def test_unfollowing_ends_the_deliveries(site: Site) -> None:
    """After Undo nothing more is sent."""
    server = site.fediverse.server()
    activity = site.follow(server)
    assert site.post(server, undo_of(server, activity)).status_code == 202
    site.turn()
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 0
    site.review("vincenzo")
    site.run(200, step=10)
    assert not server.posts


def test_an_undo_that_overtakes_its_follow_wins(site: Site) -> None:
    """A11: An Undo of a Follow that has not come yet is remembered."""
    server = site.fediverse.server()
    activity = follow_of(server, f"{BASE_URL}/ap/actors/mina")
    site.post(server, undo_of(server, activity))
    site.turn()
    site.post(server, activity)
    site.turn()
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 0


def test_followers_of_the_blog_get_the_authors_review_as_a_boost(site: Site) -> None:
    """The author's Create comes first, the blog's Announce after it; one server shows one post."""
    server = site.followed(handles=("mina", "blog"))
    site.review("vincenzo")
    site.run(200, step=5)
    kinds = [a["type"] for a in server.accepted if a["type"] != "Accept"]
    assert kinds == ["Create", "Announce"]
    assert list(server.boosts.values()) == list(server.posts)
    (announce,) = [a for a in server.accepted if a["type"] == "Announce"]
    assert announce["actor"] == f"{BASE_URL}/ap/actors/blog"


def test_many_followers_on_one_server_get_one_post(site: Site) -> None:
    """Deliveries go to a shared inbox once, and to each personal inbox where there is none."""
    shared = site.followed("shared.example", handles=("mina", "blog"))
    personal = site.followed("personal.example", shared=False)
    site.review("vincenzo")
    site.run(70, step=5)
    assert sum(a["type"] == "Create" for _s, a in shared.requests) == 1
    assert sum(a["type"] == "Create" for _s, a in personal.requests) == 1


def test_an_unknown_key_is_fetched_once_and_only_then_believed(site: Site) -> None:
    """A55: a stranger's Follow waits until the worker has its key; the request itself fetches nothing."""
    server = site.fediverse.server()
    activity = follow_of(server, f"{BASE_URL}/ap/actors/mina")
    assert site.post(server, activity).status_code == 202
    assert site.fediverse.fetches == []
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 0
    site.turn()
    assert len(site.fediverse.fetches) == 1
    site.follow(server, "blog")
    assert len(site.fediverse.fetches) == 1


def test_a_server_that_stumbles_gets_each_activity_once(site: Site) -> None:
    """An inbox that answers 503 twice and then 202 has each activity accepted exactly once, bodies equal."""
    server = site.followed()
    answers = iter([503, 503])
    server.down = lambda: next(answers, None)
    site.review("vincenzo")
    site.settle()
    creates = [(status, a) for status, a in server.requests if a["type"] == "Create"]
    assert [status for status, _a in creates] == [503, 503, 202]
    assert creates[0][1] == creates[1][1] == creates[2][1]
    assert set(server.seen.values()) == {1}


def test_a_personal_inbox_that_is_gone_ends_the_follow(site: Site) -> None:
    """410 from a follower's own inbox removes the follower."""
    server = site.followed("personal.example", shared=False)
    server.down = lambda: 410
    site.review("vincenzo")
    site.run(70, step=5)
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 0


def test_a_deleted_account_follows_no_more(site: Site) -> None:
    """A53: a Delete of the follower itself removes it; one of a stranger is 202 and leaves no trace."""
    server = site.followed()
    farewell = {
        "id": f"{server.actor}#delete",
        "type": "Delete",
        "actor": server.actor,
        "object": server.actor,
    }
    stranger = site.fediverse.server("elsewhere.example")
    unknown = {
        "id": f"{stranger.actor}#delete",
        "type": "Delete",
        "actor": stranger.actor,
        "object": stranger.actor,
    }
    assert site.post(stranger, unknown).status_code == 202
    assert site.post(server, farewell).status_code == 202
    site.turn()
    assert site.document("/ap/actors/mina/followers")["totalItems"] == 0
    assert not any("elsewhere" in url for url in site.fediverse.fetches)
