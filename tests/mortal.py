"""A site that kills itself: lives in processes of its own, forked for `tests/test_crashes.py`.

    python -m tests.mortal

reads lines `FOLDER POINT WHEN` and forks a life for each. It lives through a fixed life (a follow, a review,
an edit, a second review, a removal) and sends itself SIGKILL at the POINT-th write commit or POST, just
before or just after it (WHEN). Started again with POINT -1, it takes up where the dead process stopped and
comes to rest. What the other server accepted is in a file of its own, because that server does not die.
Answers with one line: the exit code, and what the life left behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from dramafeed.activitypub.signatures import PrivateKey
from dramafeed.storage import Store
from tests import fakes
from tests.fakes import NOON, Clock, RemoteServer, follow_of
from tests.site import BASE_URL, Site

NO_POINT = -1


class Death:
    """Counts commits and sends, and strikes at one of them."""

    def __init__(self, point: int, when: str) -> None:
        self.left = point
        self.when = when

    def reach(self, act: Callable[[], None] | None = None) -> None:
        """One point of the life; `act` carries out what belongs to it, for dying after it."""
        if self.left == 0:
            if self.when == "after" and act:
                act()
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


class Recording(RemoteServer):
    """A server that writes down what it accepted, before it answers."""

    record: Path

    def accept(self, activity: dict[str, Any]) -> None:
        super().accept(activity)
        with self.record.open("a") as file:
            file.write(json.dumps(activity) + "\n")
            file.flush()
            os.fsync(file.fileno())


def life(site: Site, server: RemoteServer) -> list[Callable[[], object]]:
    """What happens, one thing after another; each may be done twice."""

    def follow() -> None:
        site.post(server, follow_of(server, f"{BASE_URL}/ap/actors/mina"))
        site.run(5)

    return [
        lambda: (site.author(), site.run(5)),
        follow,
        lambda: (site.review("arang", "Text one."), site.run(130, step=10)),
        lambda: (site.review("arang", "Text two."), site.run(320, step=20)),
        lambda: (site.review("beyond", "Text three."), site.run(130, step=10)),
        lambda: ((site.content / "reviews/arang.md").unlink(missing_ok=True), site.run(700, step=50)),
    ]


def main(folder: Path, point: int, when: str) -> None:
    """Live, or come to rest."""
    death = Death(point, when)
    progress = folder / "progress"
    done = int(progress.read_text()) if progress.exists() else 0
    clock = Clock(NOON + timedelta(days=done))
    fakes.key_of = _kept_key(folder / "remote.pem")  # type: ignore[assignment]
    site = Site(folder, clock, make_store=lambda url: _mortal_store(url, death))
    server = Recording("social.example")
    server.record = folder / "accepted.jsonl"
    site.fediverse.servers[server.host] = server
    site.fediverse.on_post = lambda _moment: death.reach()
    for number, act in enumerate(life(site, server)):
        if number >= done:
            act()
            progress.write_text(str(number + 1))
            clock.now = NOON + timedelta(days=number + 1)
    site.settle()
    (folder / "outcome").write_text(json.dumps({"titles": site.titles(), "left": death.left}))
    site.close()


def _kept_key(path: Path) -> Callable[[str], PrivateKey]:
    """The other server's key: the same one in every life."""
    if not path.exists():
        path.write_text(PrivateKey.generate().pem())
    key = PrivateKey.from_pem(path.read_text())
    return lambda _name: key


def _mortal_store(url: str, death: Death) -> Store:
    store = Store(url)

    @event.listens_for(store.engine, "commit")
    def _commit(connection: Any) -> None:
        if connection.get_execution_options().get("dramafeed_write"):
            death.reach(lambda: connection.connection.driver_connection.execute("COMMIT"))

    return store


def _fork(folder: Path, point: int, when: str) -> int:
    """Live in a process of its own (importing everything anew would take longer than the life)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            main(folder, point, when)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for row in sys.stdin:
        where, number, moment = row.split("\t")
        print(_fork(Path(where), int(number), moment.strip()), flush=True)  # noqa: T201 - its answer
