"""The engine's tests and random histories on PostgreSQL, and the same bytes from both databases."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.postgres import Cluster
from tests.site import Site

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ("test_storage.py", "test_backups.py", "journeys", "publishing", "delivery", "inbox")
FEEDS = ("/", "/feed.xml", "/atom.xml", "/feed.json", "/ap/actors/blog/outbox?page=1", "/reviews/my-mister/")


SEEDS = "or ".join(f"[{seed}] " for seed in range(0, 200, 20))
PARTS = {
    "engine": [f"tests/{name}" for name in ENGINE if (ROOT / "tests" / name).exists()],
    "convergence": ["tests/test_convergence.py", "-k", SEEDS],
}


@pytest.fixture(scope="module")
def runs(
    postgres_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[subprocess.Popen[bytes], Path]]]:
    """Both parts side by side: name -> process and what it prints."""
    environment = {**os.environ, "TEST_CLUSTER": str(postgres_cluster.folder)}
    folder = tmp_path_factory.mktemp("runs")
    started = {}
    for name, words in PARTS.items():
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
        with (folder / name).open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        started[name] = (process, folder / name)
    yield started
    for process, _log in started.values():
        if process.poll() is None:
            process.kill()
            process.wait(10)


@pytest.mark.parametrize("part", PARTS)
def test_the_tests_of_the_engine_pass_on_postgresql(
    runs: dict[str, tuple[subprocess.Popen[bytes], Path]], part: str
) -> None:
    """Storage, publishing, delivery, inbox and backups behave alike on both databases."""
    process, log = runs[part]
    assert process.wait(250) == 0, log.read_text()[-4000:]


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
