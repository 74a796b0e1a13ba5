"""Archives, imports and crowds of files never reach followers by accident."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes import RemoteServer
from tests.site import Site


def _kinds(server: RemoteServer) -> list[str]:
    return [a["type"] for a in server.accepted if a["type"] != "Accept"]


def test_a_first_start_with_500_old_reviews_sends_nothing(new_site: Callable[..., Site]) -> None:
    """The first pass over an empty database is an archive, dated or not."""
    site = new_site()
    site.author()
    for number in range(500):
        site.review(f"r{number}", f"Text {number}.")
        site.touch(f"reviews/r{number}.md", age=10 + number * 5000)
    site.turn()
    server = site.followed()
    site.settle()
    assert _kinds(server) == []
    assert site.document("/ap/actors/mina/outbox")["totalItems"] == 500


def test_undated_files_of_a_first_pass_take_their_file_times(new_site: Callable[..., Site]) -> None:
    """Newest file first; equal times are spaced by a second in path order."""
    site = new_site()
    site.author()
    for name, age in (("old", 90_000), ("new", 4_000), ("older", 190_000)):
        site.review(name)
        site.touch(f"reviews/{name}.md", age=age)
    site.turn()
    outbox = site.document("/ap/actors/mina/outbox?page=1")["orderedItems"]
    assert [item["object"]["url"].rsplit("/", 2)[1] for item in outbox] == ["new", "old", "older"]


def test_old_dates_are_kept_quiet_until_somebody_says_so(site: Site) -> None:
    """More than 14 days back: on the site, but told only after `publish --federate-old`."""
    server = site.followed()
    site.review("ancient", published="2024-01-01")
    site.review("recent", published="2026-11-20")
    site.settle()
    assert len(server.posts) == 1
    site.publish(federate_old=True)
    site.settle()
    assert len(server.posts) == 2


def test_six_undated_files_at_once_wait(site: Site) -> None:
    """Five are told; with the sixth within ten minutes, none is."""
    server = site.followed()
    for number in range(5):
        site.review(f"a{number}", f"Text {number}.")
    site.run(70, step=5)
    assert len(server.posts) == 5
    site.run(700, step=50)
    for number in range(6):
        site.review(f"b{number}", f"Text b {number}.")
    site.settle()
    assert len(server.posts) == 5


def test_a_crowd_that_comes_one_by_one_takes_back_what_is_still_held(site: Site) -> None:
    """The window rolls: the sixth file silences those that have not left yet."""
    server = site.followed()
    for number in range(6):
        site.review(f"a{number}", f"Text {number}.")
        site.run(5)
    site.settle()
    assert _kinds(server) == []


def test_federate_now_speaks_in_spite_of_the_guards(site: Site) -> None:
    """`federate: now` sends what a quiet rule would keep back; `no` never goes out."""
    server = site.followed()
    site.review("ancient", published="2020-01-01", federate="now")
    site.review("secret", federate="no")
    site.settle()
    assert [post.document["url"].rsplit("/", 2)[1] for post in server.posts.values()] == ["ancient"]


def test_an_unlisted_review_is_not_announced(site: Site) -> None:
    """`federate: unlisted` addresses followers, with the public in copy, and the blog keeps silent."""
    server = site.followed(handles=("mina", "blog"))
    site.review("aside", federate="unlisted")
    site.settle()
    assert _kinds(server) == ["Create"]
    (post,) = server.posts.values()
    assert post.document["to"] == ["https://blog.example/ap/actors/mina/followers"]


def test_nothing_leaves_before_the_gate_is_open(new_site: Callable[..., Site]) -> None:
    """Before `doctor` has passed, items count as archive and a follower's Accept waits."""
    site = new_site(FEDERATE="auto")
    site.author()
    site.turn()
    server = site.fediverse.server()
    site.follow(server)
    site.review("vincenzo")
    site.settle()
    assert server.requests == []
    with site.store.transaction() as tx:
        tx.meta.put("doctor_passed", "https://blog.example")
    site.settle()
    assert [a["type"] for a in server.accepted] == ["Accept"]


def test_a_scheduled_review_comes_out_at_its_minute(site: Site) -> None:
    """A97: Nowhere before, everywhere after, also through a restart."""
    server = site.followed()
    site.review("later", published="2026-11-22 14:00")
    site.run(3600, step=300)
    assert site.titles() == []
    site.restart()
    site.run(3500, step=100)
    assert site.titles() == []
    site.run(120, step=20)
    assert site.titles() == ["Later"]
    site.settle()
    assert len(server.posts) == 1


def test_a_first_pass_waits_until_the_folder_is_whole(new_site: Callable[..., Site]) -> None:
    """A folder that is still being copied is not taken for an empty one that fills: nothing is sent."""
    site = new_site()
    site.write("site.yaml", "title: Mine\nhandle: mine\n", age=10)
    site.author()
    site.review("finished", published="2026-11-20")
    site.review("slow", published="2026-11-21")
    site.touch("reviews/slow.md", age=0)
    site.turn()
    assert site.get("/readyz").status_code == 503
    site.run(10)
    assert site.document("/ap/actors/mine")["name"] == "Mine"
    server = site.followed()
    site.settle()
    assert _kinds(server) == []
    assert len(site.titles()) == 2
