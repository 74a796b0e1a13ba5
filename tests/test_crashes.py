"""SIGKILL at every commit and every send: nothing is lost, and what is repeated carries the same id."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LAST_POINT = 120  # beyond the length of the life: the child then lives to its end
SOAK = bool(os.environ.get("DRAMAFEED_SOAK"))
WHENS = ("before", "after")


def _run(folder: Path, point: int, when: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.mortal", str(folder), str(point), when]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def _length(folder: Path) -> int:
    """How many points a whole life has."""
    folder.mkdir()
    outcome = _run(folder, LAST_POINT * 100, "before")
    assert outcome.returncode == 0, outcome.stderr
    return LAST_POINT * 100 - int(json.loads(outcome.stdout)["left"])


def _check(folder: Path) -> None:
    """The other server holds what the folder holds, and heard of everything under one id."""
    rows = [json.loads(row) for row in (folder / "accepted.jsonl").read_text().splitlines()]
    ids: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        about = row["object"]["id"] if isinstance(row["object"], dict) else row["object"]
        ids.setdefault((row["type"], about), set()).add(row["id"])
    assert all(len(same) == 1 for same in ids.values()), "a repeat under another id"
    kinds = sorted(kind for kind, _about in ids)
    assert kinds == ["Accept", "Create", "Create", "Delete", "Update"], kinds
    order = [row["type"] for row in rows if row["type"] in ("Create", "Delete")]
    assert order.index("Delete") > 0


@pytest.fixture(scope="module")
def length(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The number of points of a whole life."""
    return _length(tmp_path_factory.mktemp("length") / "whole")


def test_a_whole_life_loses_nothing(tmp_path: Path) -> None:
    """Without any death the audit passes, so that it can be believed with one."""
    outcome = _run(tmp_path, -1, "before")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["titles"] == ["Beyond"]
    _check(tmp_path)


@pytest.mark.parametrize("part", range(4))
def test_killed_at_every_point_nothing_is_lost(tmp_path: Path, length: int, part: int) -> None:
    """Dies at each point in turn (all of them before and after in a soak run), starts again, comes to rest."""
    for point in range(part, length, 4):
        for when in WHENS if SOAK else (WHENS[point // 4 % 2],):
            folder = tmp_path / f"{point}-{when}"
            folder.mkdir()
            died = _run(folder, point, when)
            assert died.returncode == -9, f"point {point}: {died.stderr}"
            rested = _run(folder, -1, when)
            assert rested.returncode == 0, f"point {point}: {rested.stderr}"
            assert json.loads(rested.stdout)["titles"] == ["Beyond"], f"point {point} {when}"
            _check(folder)
