"""A real `dramafeed serve`, attacked from outside over plain sockets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dramafeed.storage import Store
from tests.defences.test_signatures import mac
from tests.fakes import Clock, follow_of
from tests.hostile import ACTIVITY, Server, World, crafted, hostile_fediverse, unmoved
from tests.peers.dramafeed_site import Site as Serving
from tests.peers.running import eventually, free_port

MB = 1_000_000


@dataclass
class Door:
    """The inbox of the running site, as strangers see it."""

    serving: Serving
    store: Store
    port: int

    @property
    def mina(self) -> str:
        """An actor of the site."""
        return f"{self.serving.url}/ap/actors/mina"

    def signed(self, server: Server, activity: dict[str, Any], **how: Any) -> tuple[bytes, dict[str, str]]:
        """A body and headers, right unless told otherwise."""
        body = how.pop("body", None) or json.dumps(activity).encode()
        host = f"127.0.0.1:{self.port}"
        return body, crafted(server, body, datetime.now(UTC), host=host, **how)

    def post(self, body: bytes, headers: dict[str, str], path: str = "/ap/inbox") -> tuple[int, str]:
        """One request over one connection; status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", path, body, {**headers, "Content-Type": ACTIVITY})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert "Traceback" not in text
        return answer.status, text

    def raw(self, head: str, parts: Iterator[bytes]) -> int:
        """Bytes as they are, until the server has had enough; the status."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as wire:
            wire.sendall(head.encode())
            try:
                for part in parts:
                    wire.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it hung up: what it said is read below
            try:
                said = wire.recv(4096)
            except ConnectionResetError:
                return 0
        return int(said.split(b" ")[1]) if said else 0

    def honest(self, server: Server, number: int) -> None:
        """A sound request by somebody known is served."""
        body, headers = self.signed(server, follow_of(server, self.mina, number))
        assert self.post(body, headers)[0] == 202

    def at_rest(self) -> None:
        """Everything that came in is settled."""

        def settled() -> bool:
            with self.store.reading() as look:
                owed = {"pending", "leased"} & look.jobs.delivery_counts().keys()
                return not owed | ({"quarantined", "verified"} & look.received.counts().keys())

        eventually("what came in is settled, and answered", settled, 20, 0.02)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Servers that the running site can reach by their addresses."""
    with hostile_fediverse(Clock(datetime.now(UTC))) as made:
        yield made


@pytest.fixture(scope="module")
def door(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A site in processes of its own."""
    folder, port = tmp_path_factory.mktemp("serving"), free_port()
    with Serving(folder, port=port) as serving:
        serving.shows("/", "Lighthouse")
        store = Store(f"sqlite:///{folder}/var/dramafeed.sqlite3")

        def look_up(url: str) -> dict[str, Any]:
            with urllib.request.urlopen(url) as answer:
                found: dict[str, Any] = json.load(answer)
                return found

        world.look_up = look_up  # type: ignore[method-assign]
        yield Door(serving, store, port)
        store.close()
        assert "Traceback" not in serving.log()


@pytest.fixture(scope="module")
def ann(world: World, door: Door) -> Server:
    """Somebody who follows already."""
    server = world.server("127.0.0.21")
    body, headers = door.signed(server, follow_of(server, door.mina))
    assert door.post(body, headers)[0] == 202
    eventually("the Accept", lambda: server.accepted, 20)
    door.at_rest()
    return server


def dated(hours: float) -> dict[str, str]:
    return {"Date": format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)}


def deep(levels: int = 5000) -> bytes:
    return b'{"object":' + b"[" * levels + b"]" * levels + b"}"


# what is wrong -> how it is signed, and the status for somebody known
WRONG: dict[str, tuple[Callable[[Server, Server], dict[str, Any]], int]] = {
    "public key as a secret": (
        lambda ann, eve: {"sign": mac(ann.key.public_pem), "parameters": {"algorithm": "hs2019"}}, 401),
    "the same under its own name": (
        lambda ann, eve: {"sign": mac(ann.key.public_pem), "parameters": {"algorithm": "hmac-sha256"}}, 401),
    "stale": (lambda ann, eve: {"headers": dated(-1.1)}, 401),
    "future": (lambda ann, eve: {"headers": dated(0.2)}, 401),
    "digest not signed": (lambda ann, eve: {"covered": "(request-target) host date"}, 401),
    "wrong digest": (lambda ann, eve: {"headers": {"Digest": "SHA-256=47DEQpj8HBSa+/TImW"}}, 401),
    "another key": (lambda ann, eve: {"sign": eve.key.sign}, 401),
    "a neighbour": (
        lambda ann, eve: {"sign": eve.key.sign, "parameters": {"keyId": eve.signer.key_id}}, 401),
    "5,000 deep": (lambda ann, eve: {"body": deep()}, 400),
    "5,000 digits": (lambda ann, eve: {"body": b'{"id":' + b"9" * 5000 + b"}"}, 400),
    "NaN": (lambda ann, eve: {"body": b'{"id":NaN}'}, 400),
    "half a character": (lambda ann, eve: {"body": b'{"id":"\\ud800"}'}, 400),
    "twice": (lambda ann, eve: {"body": b'{"id":"a","id":"b"}'}, 400),
}  # fmt: skip


def _said(door: Door, words: str) -> bool:
    return words in door.serving.log()


def test_wrong_requests_of_somebody_known(door: Door, ann: Server) -> None:
    """A01, A02, A03, A06, A07, A08, A09, A23, A49, A50: each is refused from outside with its status
    and its reason in the log, nothing is stored, and the next honest request is served.
    """
    eve = ann.neighbour("eve")
    body, headers = door.signed(eve, follow_of(eve, door.mina))
    assert door.post(body, headers)[0] == 202
    door.at_rest()

    def attack(name: str, number: int) -> None:
        how, status = WRONG[name]
        body, headers = door.signed(ann, follow_of(ann, door.mina, number), **how(ann, eve))
        found, text = door.post(body, headers)
        assert found == status, f"{name}: {found} {text}"
        reason = json.loads(text)["detail"]
        eventually("the log names the reason", partial(_said, door, reason), 5, 0.01)
        bare = {key: value for key, value in headers.items() if key != "Signature"}
        assert door.post(body, bare)[0] in (401, status)

    with unmoved(door.store, received=True):
        for name in WRONG:
            attack(name, 100)
    for number, name in enumerate(WRONG, 100):
        attack(name, number)
        door.honest(ann, number)
    door.at_rest()


def test_wrong_requests_of_a_stranger(door: Door, ann: Server, world: World) -> None:
    """A01, A02, A03, A06, A07, A08, A09, A49, A50: by a key that was never seen, the same list is refused,
    or waits in quarantine and has no effect once it is processed.
    """
    door.at_rest()
    with unmoved(door.store):
        for name, (how, _status) in WRONG.items():
            stranger = world.server(f"127.0.0.{30 + len(world.servers)}")
            body, headers = door.signed(
                stranger, follow_of(stranger, door.mina), **how(stranger, stranger.neighbour("eve"))
            )
            found, text = door.post(body, headers)
            assert found in (202, 400, 401), f"{name}: {found} {text}"
        door.at_rest()
    assert not any(server.accepted for server in world.servers.values() if server is not ann)
    door.honest(ann, 300)
    door.at_rest()


def test_huge_bodies(door: Door, ann: Server) -> None:
    """A48: 20 MB are refused unread, announced or in chunks, signed or not."""
    huge = b'{"id":"' + b"x" * (20 * MB) + b'"}'
    body, headers = door.signed(ann, {}, body=huge)
    for given in ({}, headers):
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if name != "Host")
        head = f"POST /ap/inbox HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nContent-Type: {ACTIVITY}\r\n{head}"
        pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        with unmoved(door.store, received=True):
            whole = door.raw(f"{head}Content-Length: {len(body)}\r\n\r\n", iter(pieces))
            chunked = door.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n", iter([*chunks, b"0\r\n\r\n"]))
            assert (whole, chunked) == (413, 413)
        door.honest(ann, 400 + len(given))
        door.at_rest()


def test_an_honest_body_in_chunks(door: Door, ann: Server) -> None:
    """A48: a body of unknown length is read when it is small: some servers send nothing else."""
    body, headers = door.signed(ann, follow_of(ann, door.mina, 399))
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
    chunks = iter([body[:100], body[100:]])
    connection.request("POST", "/ap/inbox", chunks, headers, encode_chunked=True)
    assert connection.getresponse().status == 202
    connection.close()


def test_many_huge_bodies_at_once_cost_no_memory(door: Door, ann: Server) -> None:
    """A48: thirty senders of 20 MB each, at once, leave the web process no larger than before."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("memory of other processes is read from /proc")
    before = _resident(door)

    def send(chunked: bool) -> None:
        piece = b"x" * 65536
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {20 * MB}"
        sent = b"10000\r\n%b\r\n" % piece if chunked else piece
        head = f"POST /ap/inbox HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n"
        door.raw(head, iter([sent] * (20 * MB // len(piece))))

    senders = [threading.Thread(target=send, args=(number % 2 == 0,)) for number in range(30)]
    for sender in senders:
        sender.start()
    peak = before
    while any(sender.is_alive() for sender in senders):
        peak = max(peak, _resident(door))
        time.sleep(0.02)
    assert peak - before < 60, f"{before:.0f} MB -> {peak:.0f} MB"
    door.honest(ann, 500)


def _resident(door: Door) -> float:
    """Megabytes held by the site's processes, children included."""
    assert door.serving.program is not None
    todo, total = [door.serving.program.process.pid], 0.0
    while todo:
        pid = todo.pop()
        try:
            rows = dict(row.split(":", 1) for row in Path(f"/proc/{pid}/status").read_text().splitlines())
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            continue
        total += int(rows.get("VmRSS", "0 kB").split()[0]) / 1024
        todo += [int(child) for child in children]
    return total


def test_eight_writers_at_once(door: Door, ann: Server) -> None:
    """A87: eight senders at once, beside the worker that writes too: none meets a locked database."""
    statuses: list[int] = []

    def send(sender: int) -> None:
        for number in range(15):
            body, headers = door.signed(ann, follow_of(ann, door.mina, 10_000 + 100 * sender + number))
            statuses.append(door.post(body, headers)[0])

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 120
    door.at_rest()
    assert "locked" not in door.serving.log()


def test_a_wrong_answer_after_the_whole_list_is_none(door: Door, ann: Server) -> None:
    """A01: after all of this the site reads, serves and counts as before."""
    followers = json.loads(door.serving.get("/ap/actors/mina/followers", accept=ACTIVITY).body)
    assert followers["totalItems"] == 2
    assert door.serving.get("/reviews/lighthouse-street/").status == 200
