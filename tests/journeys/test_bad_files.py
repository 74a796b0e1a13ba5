"""A bad file harms only itself."""

from __future__ import annotations

from dramafeed.storage.jobs import Activity
from tests.site import Site


def test_a_broken_edit_leaves_the_last_good_edition_up(site: Site) -> None:
    """A69: Page, feed and the follower's copy stay; the others publish; the message says where and what."""
    server = site.followed()
    site.review("vincenzo", "A lawyer.")
    site.run(70, step=5)
    before = site.get("/reviews/vincenzo/").data
    site.write("reviews/vincenzo.md", "---\ntitle: Vincenzo: the lawyer\nauthor: mina\n---\nBroken.\n")
    site.review("other", "Other words.")
    site.settle()
    page = site.get("/reviews/vincenzo/")
    assert page.status_code == 200
    assert b"A lawyer." in page.data
    assert b"A lawyer." in before
    assert set(site.titles()) == {"Vincenzo", "Other"}
    assert not [a for a in server.accepted if a["type"] in ("Update", "Delete")]
    library = site.publisher._reader.load(now=site.clock())
    (problem,) = library.problems
    assert str(problem).startswith("reviews/vincenzo.md:2:")
    assert 'title: "Vincenzo: the lawyer"' in str(problem)


def test_a_broken_site_file_changes_nothing(site: Site) -> None:
    """site.yaml with a mistake keeps the last good settings."""
    site.write("site.yaml", "title: Good\n")
    site.run(5)
    site.write("site.yaml", "title: [unfinished\n")
    site.review("vincenzo")
    site.settle()
    assert site.titles() == ["Vincenzo"]
    assert site.document("/ap/actors/blog")["name"] == "Good"


def test_a_missing_site_file_changes_nothing(site: Site) -> None:
    """site.yaml that is gone leaves title and account as they were, and says so."""
    server = site.followed(handles=("blog",))
    site.write("site.yaml", "title: Good\n")
    site.settle()
    sent = len(server.requests)
    site.remove("site.yaml")
    site.settle()
    assert site.document("/ap/actors/blog")["name"] == "Good"
    assert len(server.requests) == sent
    assert any(problem.path == "site.yaml" for problem in site.publish().problems)


def test_a_broken_author_file_keeps_the_author_and_the_byline(site: Site) -> None:
    """Reviews go on under the name that is known."""
    site.review("vincenzo")
    site.run(5)
    site.write("authors/mina.md", "---\nnme: Mina\n---\n")
    site.review("another", "More words.")
    site.settle()
    assert set(site.titles()) == {"Vincenzo", "Another"}
    assert site.item("Another")["authors"][0]["name"] == "Mina Seo"
    assert site.document("/ap/actors/mina")["name"] == "Mina Seo"


def test_a_future_date_on_a_public_review_is_refused(site: Site) -> None:
    """The instant of publication is frozen; the edition stays."""
    site.review("vincenzo", "First words.")
    site.run(5)
    site.review("vincenzo", "Second words.", published="2030-01-01")
    site.run(5)
    assert "First words." in site.get("/reviews/vincenzo/").text
    report = site.publish()
    assert any("lies in the future" in str(problem) for problem in report.problems)


def test_an_implied_author_vanishes_with_an_unsent_review(site: Site) -> None:
    """A plain text dropped by mistake leaves no public account behind; a sent one does."""
    site.write("reviews/oops.txt", "[Review] Oops\n\nSome words here.\n\nBo Kim\nWrites plainly and often.\n")
    site.run(20, step=5)
    assert site.get("/ap/actors/bo_kim").status_code == 200
    site.remove("reviews/oops.txt")
    site.settle()
    assert site.get("/ap/actors/bo_kim").status_code == 404
    assert site.get("/authors/bo-kim/").status_code == 404


def test_what_a_vanished_actor_owed_stops_nobody(site: Site) -> None:
    """A delivery whose actor has no key any more is given up; the others go on."""
    server = site.fediverse.server()
    site.write("reviews/oops.txt", "[Review] Oops\n\nSome words here.\n\nBo Kim\nWrites plainly and often.\n")
    site.run(20, step=5)
    with site.store.transaction() as tx:
        inbox = tx.audience.inbox(server.inbox, server.host)
        activity = Activity("orphan", "accept", "follow:x", "bo_kim", site.clock(), b"{}")
        tx.jobs.add_activity(activity)
        tx.jobs.deliver(activity, [inbox], site.clock(), needs_public=False)
        tx.actors.drop_key("bo_kim")
    site.turn()
    with site.store.reading() as look:
        assert look.jobs.delivery_counts() == {"gave_up": 1}
