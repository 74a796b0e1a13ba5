"""`make bench`: measures in CPU seconds, several rounds, and prints median and range of each ratio.

A figure and its reference take turns within one process, so that a machine that is busy is busy for both.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dramafeed.activitypub.signatures import PrivateKey, Signer, sign_cavage
from dramafeed.web.documents import HotLayer
from tests.site import Site

ROUNDS = 7


def cpu_of(act: Callable[[], object], times: int) -> float:
    """CPU seconds of one `act`, over `times` of them."""
    start = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - start) / times


def compare(name: str, ours: Callable[[], object], reference: Callable[[], object], times: int) -> None:
    """Print how often `ours` could run in the CPU time of `reference`."""
    for warm in (ours, reference):
        warm()
    ratios = [cpu_of(reference, times) / cpu_of(ours, times) for _ in range(ROUNDS)]
    report(name, ratios)


def report(name: str, ratios: list[float]) -> None:
    """One line of the table."""
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    sys.stdout.write(f"{name:58} {middle:6.2f}   ({low:.2f} to {high:.2f})\n")
    sys.stdout.flush()


def a_site(reviews: int) -> Site:
    """A site with some reviews, past its first pass."""
    site = Site(Path(tempfile.mkdtemp(prefix="dramafeed-bench-")))
    site.author()
    for number in range(reviews):
        text = f"Text {number}. " * 120
        site.review(
            f"r{number}", text, published=f"2020-01-01 {number // 3600 % 24:02}:{number // 60 % 60:02}"
        )
    site.run(5)
    return site


def ready_bytes(site: Site) -> None:
    """A finished document through the hot layer, against a bare WSGI application with the same bytes."""
    body = site.get("/feed.xml").data
    site.get("/feed.xml")
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/feed.xml", "QUERY_STRING": "", "SCRIPT_NAME": ""}
    documents = site.app.extensions["dramafeed"].documents
    documents._monotonic = time.monotonic  # the tests' clock would look for news every time
    layer = HotLayer(lambda *_: [b""], documents, "")

    def bare(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(
            "200 OK", [("Content-Type", "application/rss+xml"), ("Content-Length", str(len(body)))]
        )
        return [body]

    def start(_status: str, _headers: list[tuple[str, str]]) -> None:
        return None

    compare(
        "ready feed, against a bare WSGI answer of the same bytes",
        lambda: layer(environ, start),
        lambda: bare(environ, start),
        2000,
    )


def signing() -> None:
    """A signed delivery's headers, against the bare RSA signature inside them."""
    key = PrivateKey.generate()
    signer = Signer(key, "https://blog.example/ap/actors/mina#main-key")
    now, body = datetime(2026, 11, 22, tzinfo=UTC), b"x" * 2400

    def ours() -> object:
        return sign_cavage(signer, "POST", "https://social.example/inbox", now=now, body=body)

    bare = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def reference() -> object:
        return bare.sign(b"x" * 300, padding.PKCS1v15(), hashes.SHA256())

    compare("signing a delivery, against the bare RSA signature", ours, reference, 200)


def growth() -> Iterator[tuple[str, list[float]]]:
    """What one changed file costs at 1,000 reviews, against the same at 100."""
    small, large = a_site(100), a_site(1000)

    def change(site: Site, turn: int) -> float:
        site.review("r1", f"Changed {turn}. " * 100, published="2020-01-01 00:01")
        site.clock.step(10)
        start = time.process_time()
        site.publisher.run_pass()
        site.get("/feed.xml")
        return time.process_time() - start

    for site in (small, large):
        change(site, -1)
    ratios = [change(large, turn) / change(small, turn) for turn in range(ROUNDS)]
    yield "one changed file: CPU at 1,000 reviews / at 100 (lower is better)", ratios
    for site in (small, large):
        site.close()


def main() -> None:
    """Print the table."""
    sys.stdout.write(f"{'figure':58} median   (range of {ROUNDS} rounds)\n")
    site = a_site(40)
    ready_bytes(site)
    site.close()
    signing()
    for name, ratios in growth():
        report(name, ratios)


if __name__ == "__main__":
    main()
