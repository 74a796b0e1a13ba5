"""Taking things back: undo before the first delivery, grace, tombstones, and the guards against accidents."""

from __future__ import annotations

import shutil

from tests.fakes import RemoteServer
from tests.site import Site


def _kinds(server: RemoteServer) -> list[str]:
    return [a["type"] for a in server.accepted if a["type"] != "Accept"]


def _eight(site: Site) -> RemoteServer:
    server = site.followed(handles=("mina", "blog"))
    for number in range(8):
        site.review(f"r{number}", f"Text number {number}.", federate="now")
    site.run(200, step=10)
    assert len(server.posts) == 8
    return server


def test_removing_a_file_within_the_hold_sends_nothing_ever(site: Site) -> None:
    """Dropped, and removed 30 s later: no other server ever hears of it."""
    server = site.followed(handles=("mina", "blog"))
    site.review("oops")
    site.run(30, step=5)
    site.remove("reviews/oops.md")
    site.settle()
    assert _kinds(server) == []
    assert site.titles() == []
    assert site.get("/ap/reviews/none").status_code == 404


def test_removing_a_file_withdraws_it_after_the_grace_time(site: Site) -> None:
    """Delete by the author and Undo by the blog; the id is 410 while that is owed, 404 afterwards."""
    server = _eight(site)
    site.remove("reviews/r3.md")
    site.run(500, step=20)
    assert len(site.titles()) == 8
    server.down = lambda: 503
    (gone,) = [i for i, post in server.posts.items() if "Text number 3" in post.document["content"]]
    site.run(300, step=20)
    assert "R3" not in site.titles()
    assert site.get(gone).status_code == 410
    assert site.get(gone).get_json(force=True)["type"] == "Tombstone"
    server.down = lambda: None
    site.settle()
    assert len(server.posts) == 7
    assert gone in server.graves
    assert len(server.boosts) == 7
    assert site.get(gone).status_code == 404
    assert site.get("/reviews/r3/").status_code == 410
    assert set(server.seen.values()) == {1}


def test_a_file_that_comes_back_in_time_was_never_gone(site: Site) -> None:
    """A sync tool that drops and restores a file costs nothing."""
    server = _eight(site)
    before = site.get("/feed.xml").data
    site.remove("reviews/r3.md")
    site.run(300, step=20)
    site.review("r3", "Text number 3.", federate="now")
    site.settle()
    assert "Delete" not in _kinds(server)
    assert site.get("/feed.xml").data == before


def test_a_review_that_returns_after_its_delete_is_a_new_one(site: Site) -> None:
    """Others never take a deleted id back, so it gets a new one."""
    server = _eight(site)
    old = site.item("R3")["id"]
    site.remove("reviews/r3.md")
    site.settle()
    site.review("r3", "Text number 3.", federate="now")
    site.settle()
    assert site.item("R3")["id"] != old
    assert len(server.posts) == 8
    assert site.get("/reviews/r3/").status_code == 200


def test_emptying_the_folder_withdraws_nothing_and_says_why(site: Site) -> None:
    """A82: An accident waits for a person; confirmed, it is done."""
    server = _eight(site)
    for number in range(8):
        site.remove(f"reviews/r{number}.md")
    site.settle()
    assert len(site.titles()) == 8
    assert "Delete" not in _kinds(server)
    assert "All 8 public reviews are missing" in site.publish().removals_held
    report = site.publish(mass_delete=True)
    assert report.removals_held == ""
    site.settle()
    assert site.titles() == []
    assert not server.posts


def test_an_unmounted_folder_changes_nothing(site: Site) -> None:
    """A82: Neither a missing folder nor an empty one in its place withdraws anything."""
    server = _eight(site)
    away = site.folder / "away"
    shutil.move(site.content, away)
    site.settle()
    assert len(site.titles()) == 8
    site.content.mkdir()
    site.settle()
    assert len(site.titles()) == 8
    assert not (site.content / ".dramafeed").exists()
    site.content.rmdir()
    shutil.move(away, site.content)
    site.settle()
    assert "Delete" not in _kinds(server)
    assert site.publish().removals_held == ""


def test_five_of_twenty_missing_are_held_four_are_not(site: Site) -> None:
    """A82: The guard's edge: at least five and more than ten per cent."""
    for number in range(20):
        site.review(f"r{number}", f"Text number {number}.")
    site.run(30, step=5)
    for number in range(5):
        site.remove(f"reviews/r{number}.md")
    site.settle()
    assert site.get("/reviews/r0/").status_code == 200
    site.review("r4", "Text number 4.")
    site.settle()
    assert site.get("/reviews/r0/").status_code == 410


def test_a_draft_hides_at_once_and_deletes_later(site: Site) -> None:
    """`draft: true` takes a review off the site; its Delete waits, and undrafting cancels it."""
    server = _eight(site)
    object_id = next(i for i, p in server.posts.items() if "number 3" in p.document["content"])
    site.review("r3", "Text number 3.", federate="now", draft="true")
    site.run(20, step=5)
    assert "R3" not in site.titles()
    assert site.get("/reviews/r3/").status_code == 404
    assert site.get(object_id).status_code == 503, "a 404 would make others delete their copies"
    site.review("r3", "Text number 3.", federate="now")
    site.run(20, step=5)
    assert "R3" in site.titles()
    assert "Delete" not in _kinds(server)
    site.review("r3", "Text number 3.", federate="now", draft="true")
    site.settle()
    assert object_id in server.graves
    assert _kinds(server).count("Delete") == 1


def test_withdraw_is_immediate_and_final(site: Site) -> None:
    """The command takes a review back now, though its file stays; a removed and restored file is new."""
    server = _eight(site)
    site.publisher.withdraw("r3")
    site.run(10)
    assert len(server.posts) == 7
    assert site.get("/reviews/r3/").status_code == 410
    site.settle()
    assert "R3" not in site.titles()
    site.remove("reviews/r3.md")
    site.run(20, step=5)
    site.review("r3", "Text number 3.", federate="now")
    site.settle()
    assert "R3" in site.titles()


def test_a_removal_while_the_server_is_down_takes_back_what_may_have_arrived(site: Site) -> None:
    """An attempt that failed may have been taken in: a Delete follows it, the Create never comes after."""
    server = site.followed()
    server.down = lambda: 500
    site.review("vincenzo")
    site.run(70, step=5)
    site.remove("reviews/vincenzo.md")
    site.run(700, step=50)
    server.down = lambda: None
    site.settle()
    assert _kinds(server) == ["Delete"]


def test_a_missing_file_parks_its_deliveries(site: Site) -> None:
    """Nothing leaves while the file is missing; its return lets it go."""
    server = site.followed()
    site.review("vincenzo")
    site.run(50, step=5)
    text = (site.content / "reviews/vincenzo.md").read_text()
    site.remove("reviews/vincenzo.md")
    site.run(300, step=10)
    assert _kinds(server) == []
    site.write("reviews/vincenzo.md", text)
    site.run(30, step=5)
    assert _kinds(server) == ["Create"]
