"""The machine burns; the texts are in git and a backup lies elsewhere. Followers notice nothing."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.peers.dramafeed_site import Site, review
from tests.peers.fedify_follower import Follower
from tests.peers.running import eventually
from tests.peers.test_fedify_follows import assert_no_signature_was_refused, following

OLD = "published: 2021-04-05 12:00\n"  # reaches nobody


def identities(site: Site) -> dict[str, tuple[Any, ...]]:
    """title -> id, address and date of every review in the feed."""
    items = json.loads(site.get("/feed.json").body)["items"]
    return {item["title"]: (item["id"], item["url"], item["date_published"]) for item in items}


def back_up_under_load(site: Site, file: Path) -> None:
    """`dramafeed backup` while a writer saves one review after the other."""
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            site.write(f"reviews/busy-{number % 5}.md", review(f"Busy {number % 5}", str(number), extra=OLD))
            if done.wait(0.05):
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        site.command("backup", str(file))
    finally:
        done.set()
        writer.join()


def test_followers_survive_the_loss_of_everything_but_texts_and_a_backup(
    new_site: Callable[..., Site], follower: Follower, tmp_path: Path, postgres: str
) -> None:
    """A93: after a restore the next review arrives, no id has changed, nothing comes twice.

    First into a new SQLite file, then, after another fire, from the same backup into PostgreSQL.
    """
    site, file = new_site(), tmp_path / "backup.sqlite3"

    def publish(name: str) -> None:
        site.write(f"reviews/{name}.md", review(name.title(), f"This is {name}."))
        try:
            follower.gets("Create", lambda it: f"This is {name}." in it["object"]["content"])
        except AssertionError as problem:
            seen = f"{site.command('status')}\n{site.command('deliveries', name)}\n{site.log()[-3000:]}"
            raise AssertionError(f"{problem}\n{seen}") from None

    following(follower, site)
    back_up_under_load(site, file)
    assert file.stat().st_mode & 0o777 == 0o600
    publish("between")
    for database in ("", postgres):
        before = identities(site)
        site.stop()
        shutil.rmtree(site.folder / "var")
        if database:
            site.env["DRAMAFEED_DATABASE_URL"] = database
        assert "1 followers" in site.command("restore", str(file))
        site.start()
        eventually("the feed is as before", lambda old=before: identities(site) == old)
        publish("later" if database else "next")
    ids = [it["id"] for it in follower.received if it["type"] == "Create"]
    assert len(ids) == len(set(ids)) == 3
    assert_no_signature_was_refused(follower)
