"""The same journeys, storage tests and random histories on PostgreSQL, and the same bytes from both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.postgres import Cluster
from tests.site import Site

ROOT = Path(__file__).resolve().parents[2]
FEEDS = ("/", "/feed.xml", "/atom.xml", "/feed.json", "/ap/actors/blog/outbox?page=1", "/reviews/my-mister/")


@pytest.mark.parametrize(
    "what",
    [
        ["tests/test_storage.py", "tests/journeys"],
        ["tests/inbox", "tests/delivery"],
        ["tests/test_convergence.py", "-k", "or ".join(f"[{seed}] " for seed in range(0, 200, 20))],
    ],
    ids=["journeys", "bounds", "convergence"],
)
def test_the_tests_of_the_engine_pass_on_postgresql(postgres_cluster: Cluster, what: list[str]) -> None:
    """Storage, publishing, delivery and inbox behave alike on both databases."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *what]
    environment = {**os.environ, "DRAMAFEED_TEST_CLUSTER": str(postgres_cluster.folder)}
    outcome = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert outcome.returncode == 0, outcome.stdout[-4000:]


def test_both_databases_give_the_same_bytes(tmp_path: Path, postgres: str) -> None:
    """The sample content, published with the same identities into both, reads the same to the byte."""
    for name in ("one", "two"):
        shutil.copytree(
            ROOT / "content", tmp_path / name / "content", ignore=shutil.ignore_patterns(".dramafeed")
        )
    one = Site(tmp_path / "one")
    one.run(5)
    shutil.copytree(tmp_path / "one/content/.dramafeed", tmp_path / "two/content/.dramafeed")
    two = Site(tmp_path / "two", DATABASE_URL=postgres)
    two.run(5)
    try:
        for path in FEEDS:
            first, second = one.get(path), two.get(path)
            assert first.status_code == second.status_code == 200, path
            assert first.data == second.data, path
            assert first.headers["ETag"] == second.headers["ETag"], path
    finally:
        one.close()
        two.close()
