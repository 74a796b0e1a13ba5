"""What one changed file costs as the site grows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import ROUNDS, Figure
from tests.site import Site


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


def figures() -> Iterator[Figure]:
    """One changed file at 1,000 reviews, against the same at 100."""
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
    yield Figure("one changed file: CPU at 1,000 reviews / at 100", ratios, goal="<= 1.5")
    for site in (small, large):
        site.close()
