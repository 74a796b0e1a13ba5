"""The judges judged: each outside program does its part without dramafeed.

If these fail, the other failures of this folder say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.peers.fedify_follower import Follower
from tests.peers.newsboat import Newsboat
from tests.peers.running import Program, accepts, eventually, free_port


@pytest.mark.parametrize("https", [True, False], ids=["https", "http"])
def test_two_fedify_servers_follow_one_another(new_follower: Callable[..., Follower], https: bool) -> None:
    """Two Fedify servers find each other, follow, like and reply, and refuse no signature."""
    ann, bo = new_follower("ann", https=https), new_follower("bo", https=https)
    # Fedify asks https for handles, whatever the address of the peer is.
    found = ann.do("lookup", what=bo.handle if https else bo.actor)
    assert (found["id"], found["preferredUsername"]) == (bo.actor, "bo")

    follow = ann.do("follow", actor=bo.actor)
    assert bo.gets("Follow")["id"] == follow["id"]
    accept = ann.gets("Accept")
    assert accept["actor"] == bo.actor

    ann.do("unfollow", actor=bo.actor)
    assert bo.gets("Undo")["object"]["id"] == follow["id"]
    assert all(it["status"] == 202 for it in [*ann.posts(), *bo.posts()])
    assert ann.refused == bo.refused == []


def test_a_fedify_server_names_what_it_cannot_find(follower: Follower) -> None:
    """A command that fails says so instead of hanging."""
    with pytest.raises(AssertionError, match="was not found"):
        follower.do("lookup", what=f"https://localhost:{free_port()}/nobody")


def test_postgres_gives_each_test_a_database_of_its_own(postgres: str) -> None:
    """The URL works with SQLAlchemy and the database is empty."""
    engine = sa.create_engine(postgres)
    try:
        assert sa.inspect(engine).get_table_names() == []
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE mark (id int)"))
            assert "PostgreSQL" in str(connection.execute(sa.text("SELECT version()")).scalar())
    finally:
        engine.dispose()


def test_the_next_test_does_not_see_that_database(postgres: str) -> None:
    """The table of the test before is gone."""
    engine = sa.create_engine(postgres)
    try:
        assert sa.inspect(engine).get_table_names() == []
    finally:
        engine.dispose()


def test_newsboat_tells_what_it_read(tmp_path: Path, newsboat: Callable[[Sequence[str]], Newsboat]) -> None:
    """newsboat's cache holds the items of a feed that it fetched over HTTP."""
    (tmp_path / "feed.xml").write_text(
        '<?xml version="1.0"?><rss version="2.0"><channel><title>T</title><link>http://x/</link>'
        "<description>d</description><item><title>One &amp; two</title><link>http://x/1</link>"
        "<guid>g1</guid><description>&lt;p&gt;body&lt;/p&gt;</description>"
        "<pubDate>Mon, 02 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>",
        "utf-8",
    )
    port = free_port()
    command = ["python3", "-m", "http.server", "-b", "127.0.0.1", "-d", str(tmp_path), str(port)]
    with Program(command, log=tmp_path / "files.log"):
        eventually("a file server listens", lambda: accepts(port))
        url = f"http://127.0.0.1:{port}/feed.xml"
        reader = newsboat([url])
        items = reader.reload()
    assert [(it.feed, it.title, it.content) for it in items] == [(url, "One & two", "<p>body</p>")]
    assert reader.titles() == {url: "T"}
