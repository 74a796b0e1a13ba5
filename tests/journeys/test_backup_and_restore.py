"""A copy of the database, put back later: into a new place, into PostgreSQL, or over what happened since."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dramafeed.errors import StorageError
from dramafeed.publishing.operations import new_keys
from dramafeed.publishing.restoring import restore
from dramafeed.storage import copies
from tests.fakes import RemoteServer
from tests.site import AUTHOR, Site

FEEDS = ("/feed.xml", "/atom.xml", "/feed.json", "/authors/mina/feed.xml")


def back_up(site: Site) -> Path:
    """`dramafeed backup`, while the site runs."""
    file = site.folder / "backup.sqlite3"
    copies.write(site.store, file)
    return file


def put_back(site: Site, file: Path, *, replace: bool = False) -> list[str]:
    """Stop the site, `dramafeed restore`, start it again."""
    site.close()
    rows = restore(site.settings, file, site.clock(), replace=replace)
    site.start()
    return rows


def _bytes(site: Site) -> list[bytes]:
    return [site.get(path).data for path in FEEDS]


def _items(site: Site) -> dict[str, tuple[Any, ...]]:
    """title -> id, address and date of what the feed lists."""
    found = json.loads(site.get("/feed.json").data)["items"]
    return {item["title"]: (item["id"], item["url"], item["date_published"]) for item in found}


def _sent(server: RemoteServer, since: int) -> list[str]:
    return [activity["type"] for _status, activity in server.requests[since:]]


def test_a_restored_site_goes_on_where_it_was(site: Site) -> None:
    """Feeds are equal to the byte, nothing is sent again, and the next review reaches the followers."""
    server = site.followed()
    site.review("vincenzo")
    site.settle()
    before, sent = _bytes(site), len(server.requests)
    file = back_up(site)
    site.lose_database()
    site.clock.step(86_400)
    put_back(site, file)
    site.settle()
    assert _bytes(site) == before
    assert len(server.requests) == sent
    site.review("signal")
    site.settle()
    assert _sent(server, sent) == ["Create"]
    assert "Signal" in site.titles()


def test_an_old_backup_takes_up_what_happened_since(site: Site) -> None:
    """A93: ids, addresses and dates are those of today, what was taken back stays so, nothing is new."""
    server = site.followed(handles=("mina", "blog"))
    for name in ("kept", "edited", "renamed", "removed", "doomed"):
        site.review(name, f"Text of {name}.")
    site.settle()
    file = back_up(site)
    site.clock.step(86_400)
    site.review("later", "Came after the backup.")
    site.review("moved", "Came and moved.")
    site.write("authors/bo.md", AUTHOR.replace("Mina Seo", "Bo Kim").replace("mina", "bo"))
    site.write("reviews/guest.md", "---\ntitle: Guest\nauthor: bo\n---\nBo writes.\n")
    site.review("edited", "Other text.")
    (site.content / "reviews/renamed.md").unlink()
    site.review("new-name", "Rewritten as well.", title="Renamed")
    site.remove("reviews/removed.md")
    site.publisher.withdraw("doomed")
    site.settle()
    for number in range(6):  # many undated ones at once: quiet, then and after the restore
        site.review(f"heap{number}", f"Heap {number}.")
    site.settle()
    (site.content / "reviews/moved.md").rename(site.content / "reviews/moved-again.md")
    site.settle()
    items, sent = _items(site), len(server.requests)
    posts = {uid: post.document["content"] for uid, post in server.posts.items()}
    assert len(items) == 12

    site.clock.step(86_400)
    rows = put_back(site, file, replace=True)
    assert "things changed since this copy" in rows[1]
    for path in ("removed", "doomed"):  # before the first pass already
        assert site.get(f"/reviews/{path}/").status_code == 410
    site.settle()
    assert _items(site) == items
    assert site.get("/reviews/moved/").headers["Location"].endswith("/reviews/moved-again/")
    assert sorted(_sent(server, sent)) == ["Delete"] * 2 + ["Undo"] * 2 + ["Update"] * 2
    assert {uid: post.document["content"] for uid, post in server.posts.items()} == posts

    # what came after the backup is known to have been told: its edit and its end reach the followers
    sent = len(server.requests)
    site.review("later", "Changed after the restore.")
    site.settle()
    site.remove("reviews/later.md")
    site.settle()
    assert _sent(server, sent)[:2] == ["Update", "Delete"]
    assert "Text of kept" not in json.dumps(server.requests[sent:])


def test_activity_ids_never_repeat_with_other_words(site: Site) -> None:
    """A93: after an old backup, an id that was used stands for the same words as before."""
    server = site.followed()
    site.review("vincenzo", "Text one.")
    site.settle()
    file = back_up(site)
    for text in ("Text two.", "Text three."):
        site.review("vincenzo", text)
        site.settle()
    put_back(site, file, replace=True)
    site.settle()
    site.review("vincenzo", "Text four.")
    site.settle()
    said: dict[str, Any] = {}
    for _status, activity in server.requests:
        words = activity["object"]["content"] if activity["type"] in ("Create", "Update") else ""
        assert said.setdefault(activity["id"], words) == words
    assert "Text four." in next(iter(server.posts.values())).document["content"]


def test_documents_never_look_older_than_before(site: Site) -> None:
    """A93: a reader that asks by date learns of the difference; sequence numbers leave a gap."""
    site.review("vincenzo")
    site.settle()
    file = back_up(site)
    site.clock.step(3600)
    site.review("signal")
    site.settle()
    with site.store.reading() as look:
        seq = look.meta.seq()
    seen = site.get("/feed.xml").headers["Last-Modified"]
    site.clock.step(60)
    put_back(site, file, replace=True)
    with site.store.reading() as look:
        assert look.meta.seq() > seq
    answer = site.get("/feed.xml", If_Modified_Since=seen)
    assert answer.status_code == 200
    assert answer.headers["Last-Modified"] != seen


def test_what_was_owed_is_still_owed(site: Site) -> None:
    """A hold, and a delivery that a process was making, go on from the backup."""
    server = site.followed()
    site.review("vincenzo")
    site.run(5)
    with site.store.reading() as look:
        assert look.jobs.open_jobs()
    file = back_up(site)
    put_back(site, file, replace=True)
    site.settle()
    assert [post.document["url"] for post in server.posts.values()] == [
        "https://blog.example/reviews/vincenzo/"
    ]


def test_keys_that_are_newer_than_the_backup_are_named(new_site: Callable[..., Site]) -> None:
    """The first follower came after the backup: the address stays frozen, and lost keys are said."""
    site = new_site()
    site.author()
    site.run(5)
    file = back_up(site)
    site.followed()
    with site.store.transaction() as tx:
        tx.meta.put("keys_lost", "yes")
    site.clock.step(60)
    new_keys(site.settings, site.store)
    site.run(5)
    rows = put_back(site, file, replace=True)
    assert any("The key of mina was made after this copy" in row for row in rows)
    with site.store.reading() as look:
        assert look.meta.get("first_follower") == "yes"
        assert look.actors.key("mina")


def test_the_backup_of_another_site_is_refused(new_site: Callable[..., Site]) -> None:
    """Two folders, two backups, mixed up: nothing is changed."""
    one, two = new_site("one"), new_site("two")
    for site in (one, two):
        site.author()
        site.run(5)
    file = back_up(one)
    two.close()
    with pytest.raises(StorageError, match="belongs to another site"):
        restore(two.settings, file, two.clock(), replace=True)
    two.start()
    assert two.get("/").status_code == 200


def test_pictures_come_back_without_their_folder(site: Site) -> None:
    """MEDIA need not be in a backup: pictures are made again from the folder, under their old names."""
    made = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(made, "PNG")
    (site.content / "reviews").mkdir(exist_ok=True)
    (site.content / "reviews/poster.png").write_bytes(made.getvalue())
    site.review("vincenzo", "![A poster](poster.png)")
    site.run(5)
    (picture,) = site.settings.media.iterdir()
    address = f"/media/{picture.name}"
    before = site.get(address)
    assert before.status_code == 200
    file = back_up(site)
    site.lose_database()
    shutil.rmtree(site.settings.media, ignore_errors=True)
    put_back(site, file)
    assert site.get(address).status_code == 404
    site.run(5)
    assert site.get(address).data == before.data


def test_a_site_without_its_folder_is_served_from_the_backup(new_site: Callable[..., Site]) -> None:
    """The content folder is gone too: what is public stays so, and nobody is told anything."""
    site = new_site()
    site.author()
    site.run(5)
    server = site.followed()
    site.review("vincenzo")
    site.settle()
    file, sent = back_up(site), len(server.requests)
    site.lose_database()
    shutil.rmtree(site.content)
    put_back(site, file)
    site.settle()
    assert site.titles() == ["Vincenzo"]
    assert len(server.requests) == sent
