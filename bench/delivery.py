"""What it costs to tell many servers of one review, against a bare loop that signs and posts the same.

The bare loop stores nothing, looks at no address, and keeps as many requests under way.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench.measure import ROUNDS, Figure
from dramafeed.activitypub.transport import Transport
from dramafeed.delivery.outgoing import AT_ONCE
from dramafeed.storage.audience import Follower
from dramafeed.worker import Worker
from tests.site import Site

INBOXES = 2000
_BODY = "A lawyer, a plaza, and a great deal of gold. " * 45


@contextmanager
def a_sink() -> Iterator[int]:
    """A process that takes what is sent; its port."""
    command = [sys.executable, "-m", "bench.sink"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()  # type: ignore[union-attr] # it ends


def inboxes_at(port: int, count: int) -> list[str]:
    """One inbox on each of many hosts."""
    return [
        f"http://127.{n // 250 // 250 + 1}.{n // 250 % 250}.{n % 250 + 1}:{port}/inbox" for n in range(count)
    ]


class Sender:
    """A site with followers everywhere, and its worker.

    Args:
        inboxes: one follower has each.
    """

    def __init__(self, inboxes: Sequence[str]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="dramafeed-bench-"))
        self.site = site = Site(folder, ALLOW_PRIVATE_ADDRESSES=True)
        site.author()
        site.run(5)
        with site.store.transaction() as tx:
            for inbox in inboxes:
                actor, now = f"{inbox}/actor", site.clock()
                host = inbox.split("/")[2]
                tx.audience.follow(Follower("mina", actor, inbox, inbox, f"{actor}#1", now), host)
        self.turn = 0
        self.door = Transport(user_agent="bench", allow_private=True)
        self.worker = Worker(site.store, site.settings, self.door, clock=site.clock)
        self.runner = asyncio.Runner()  # one loop throughout, as a worker has

    def close(self) -> None:
        """End it."""
        self.runner.close()
        self.site.close()

    def prepare(self) -> None:
        """A new review, whose Create is due."""
        self.turn += 1
        self.site.review(f"r{self.turn}", f"Number {self.turn}. {_BODY}")
        for _ in range(5):
            self.site.clock.step(30)
            self.site.loop.step()
        with self.site.store.reading() as look:
            self.uid = look.editions.listed(limit=1)[0].thing.uid

    def body(self) -> bytes:
        """What was sent last."""
        with self.site.store.reading() as look:
            sent = look.jobs.activity(self.uid)
        assert sent is not None
        return sent.body

    def send(self) -> None:
        """From the job that is due to the last row that is settled."""
        self.runner.run(self._send())

    async def _send(self) -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(self.worker.run(stop))
        while not (running.done() or self._is_told()):  # noqa: ASYNC110 - told by the database
            await asyncio.sleep(0.1)
        stop.set()
        await running
        await self.door.close()  # the next round dials anew, as after hours of silence

    def _is_told(self) -> bool:
        with self.site.store.reading() as look:
            return look.jobs.activity(self.uid) is not None and not look.jobs.owes(self.uid)


class Bare:
    """Signs and posts, and that is all."""

    def __init__(self, inboxes: Sequence[str], body: bytes) -> None:
        self._inboxes, self._body = inboxes, body
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def send(self) -> None:
        """One POST to each inbox."""
        asyncio.run(self._send())

    async def _send(self) -> None:
        left = iter(self._inboxes)

        async def lane(session: aiohttp.ClientSession) -> None:
            for inbox in left:
                async with session.post(inbox, data=self._body, headers=self._headers(inbox)) as response:
                    await response.read()
                    assert response.status == 202

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(lane(session) for _ in range(AT_ONCE)))

    def _headers(self, inbox: str) -> dict[str, str]:
        host, date = inbox.split("/")[2], formatdate(usegmt=True)
        digest = f"SHA-256={base64.b64encode(hashlib.sha256(self._body).digest()).decode()}"
        text = f"(request-target): post /inbox\nhost: {host}\ndate: {date}\ndigest: {digest}"
        signed = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        signature = (
            'keyId="https://blog.example/ap/actors/mina#main-key",algorithm="rsa-sha256",'
            f'headers="(request-target) host date digest",signature="{base64.b64encode(signed).decode()}"'
        )
        return {
            "Host": host,
            "Date": date,
            "Digest": digest,
            "Signature": signature,
            "Content-Type": "application/activity+json",
        }


def _cost(act: Callable[[], None]) -> tuple[float, float]:
    """CPU seconds and seconds on the clock."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return time.process_time() - cpu, time.perf_counter() - wall


def figures() -> Iterator[Figure]:
    """CPU and time of both, in turns."""
    with a_sink() as port:
        inboxes = inboxes_at(port, INBOXES)
        sender = Sender(inboxes)
        sender.prepare()
        sender.send()
        bare = Bare(inboxes, sender.body())
        bare.send()
        rounds = []
        for _ in range(ROUNDS):
            sender.prepare()
            rounds.append((_cost(sender.send), _cost(bare.send)))
        sender.close()
    for name, index in (("CPU", 0), ("time", 1)):
        ratios = [bare[index] / ours[index] for ours, bare in rounds]
        yield Figure(f"{INBOXES} deliveries: {name} of a bare loop / ours", ratios, goal=">= 0.8")
