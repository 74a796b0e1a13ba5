"""Edits reach other servers once, late enough to be finished, and only when they would show there."""

from __future__ import annotations

from tests.fakes import RemoteServer
from tests.site import BASE_URL, Site


def _updates(server: RemoteServer) -> list[dict[str, object]]:
    return [a for a in server.accepted if a["type"] == "Update" and a["object"]["type"] == "Note"]


def _told(site: Site, **options: object) -> RemoteServer:
    server = site.followed(**options)  # type: ignore[arg-type]
    site.review("vincenzo", "A lawyer and a plaza.")
    site.run(70, step=5)
    assert server.posts
    return server


def test_ten_saves_become_one_update(site: Site) -> None:
    """Ten saves in two minutes: the page follows each, other servers get one Update with a later stamp."""
    server = _told(site)
    for number in range(10):
        site.review("vincenzo", f"A lawyer and a plaza, version {number}.")
        site.run(12, step=4)
        assert f"version {number}" in site.get("/ap/reviews/" + _uid(server)).text
    assert not _updates(server)
    site.run(320, step=10)
    (update,) = _updates(server)
    note = update["object"]
    assert "version 9" in note["content"]
    assert note["updated"] > note["published"]


def _uid(server: RemoteServer) -> str:
    return next(iter(server.posts)).rsplit("/", 1)[1]


def test_an_edit_while_hidden_is_sent_when_it_is_shown_again(site: Site) -> None:
    """`draft: true`, a new text, and back: followers get the new text, once; without a new text, nothing."""
    server = _told(site)
    site.review("vincenzo", "A lawyer and a plaza, seen again.", draft="true")
    site.run(20, step=5)
    site.review("vincenzo", "A lawyer and a plaza, seen again.")
    site.run(700, step=20)
    (update,) = _updates(server)
    assert "seen again" in update["object"]["content"]
    site.review("vincenzo", "A lawyer and a plaza, seen again.", draft="true")
    site.run(20, step=5)
    site.review("vincenzo", "A lawyer and a plaza, seen again.")
    site.run(700, step=20)
    assert len(_updates(server)) == 1


def test_endless_editing_is_sent_after_three_times_the_pause(site: Site) -> None:
    """An editor who saves every minute does not keep the Update back for ever."""
    server = _told(site)
    for number in range(18):
        site.review("vincenzo", f"A lawyer and a plaza, version {number}.")
        site.run(60, step=20)
    assert _updates(server)


def test_an_edit_taken_back_sends_nothing(site: Site) -> None:
    """Back to the old words within the pause: no Update."""
    server = _told(site)
    site.review("vincenzo", "Oops.")
    site.run(30, step=5)
    site.review("vincenzo", "A lawyer and a plaza.")
    site.settle()
    assert not _updates(server)


def test_an_edit_that_does_not_show_elsewhere_sends_nothing(site: Site) -> None:
    """A changed passage beyond the teaser changes the page alone."""
    server = site.followed()
    long = "First sentence of it all. " * 40
    site.review("vincenzo", f"{long}\n\nEnd.")
    site.run(70, step=5)
    site.review("vincenzo", f"{long}\n\nAnother end.")
    site.settle()
    assert "Another end." in site.item("Vincenzo")["content_html"]
    assert not _updates(server)


def test_an_edit_within_the_hold_goes_out_as_one_create(site: Site) -> None:
    """What is corrected before the first delivery is simply what is delivered."""
    server = site.followed()
    site.review("vincenzo", "A lawier.")
    site.run(20, step=5)
    site.review("vincenzo", "A lawyer.")
    site.settle()
    (post,) = server.posts.values()
    assert "A lawyer." in post.document["content"]
    assert not _updates(server)


def test_a_profile_edit_is_sent_to_followers_once(site: Site) -> None:
    """A new bio becomes one Update of the actor, and no Update of any review."""
    server = _told(site)
    for words in ("New bio.", "Newer bio."):
        site.author(text=f"---\nname: Mina Seo\nhandle: mina\n---\n{words}\n")
        site.run(10, step=5)
    site.settle()
    profiles = [a for a in server.accepted if a["type"] == "Update"]
    assert [a["object"]["id"] for a in profiles] == [f"{BASE_URL}/ap/actors/mina"]
    assert "Newer bio." in profiles[0]["object"]["summary"]


def test_more_updates_than_a_hand_makes_wait_for_a_person(site: Site) -> None:
    """Search and replace over 21 reviews is held until it is confirmed."""
    server = site.followed()
    for number in range(21):
        site.review(f"r{number}", f"Text {number}.", federate="now")
    site.run(70, step=5)
    assert len(server.posts) == 21
    for number in range(21):
        site.review(f"r{number}", f"Words {number}.", federate="now")
    site.settle()
    assert not _updates(server)
    assert site.publish(mass_update=True).updates_held == 0
    site.settle()
    assert len(_updates(server)) == 21


def test_an_edit_of_a_quiet_review_reaches_nobody(site: Site) -> None:
    """What was never told is not told by an edit either."""
    server = site.followed()
    site.review("old", "Long ago.", published="2020-01-01")
    site.run(70, step=5)
    site.review("old", "Long, long ago.", published="2020-01-01")
    site.settle()
    assert [a["type"] for a in server.accepted] == ["Accept"]
