"""SIGKILL at every commit and every send: nothing is lost, and what is repeated carries the same id."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

BEYOND = 100_000  # a point that no life reaches
SOAK = bool(os.environ.get("DRAMAFEED_SOAK"))
WHENS = ("before", "after")


class Mortals:
    """A process that forks lives."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.mortal"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def live(self, folder: Path, point: int, when: str = "before") -> int:
        """One life; its exit code."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{folder}\t{point}\t{when}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def mortals() -> Iterator[list[Mortals]]:
    """Two processes, one for each core."""
    made = [Mortals(), Mortals()]
    yield made
    for one in made:
        one.close()


def _outcome(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "outcome").read_text())
    return found


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


def _die_and_rest(mortal: Mortals, folder: Path, point: int, when: str) -> str:
    """Die at a point, start again, come to rest; what is wrong then, or nothing."""
    folder.mkdir()
    died = mortal.live(folder, point, when)
    rested = mortal.live(folder, -1)
    try:
        assert died == -9, f"did not die: {died}"
        assert rested == 0, "did not come to rest"
        assert _outcome(folder)["titles"] == ["Beyond"]
        _check(folder)
    except AssertionError as error:
        return f"killed {when} point {point}: {error}"
    return ""


def test_a_whole_life_loses_nothing(tmp_path: Path, mortals: list[Mortals]) -> None:
    """Without any death the audit passes, so that it can be believed with one."""
    assert mortals[0].live(tmp_path, -1) == 0
    assert _outcome(tmp_path)["titles"] == ["Beyond"]
    _check(tmp_path)


def test_killed_at_every_point_nothing_is_lost(tmp_path: Path, mortals: list[Mortals]) -> None:
    """A85: dies at each point in turn (in a soak run before and after it), starts again, comes to rest."""
    whole = tmp_path / "whole"
    whole.mkdir()
    assert mortals[0].live(whole, BEYOND) == 0
    length = BEYOND - int(_outcome(whole)["left"])
    assert length > 50

    def share(turn: int) -> list[str]:
        return [
            _die_and_rest(mortals[turn], tmp_path / f"{point}-{when}", point, when)
            for point in range(turn, length, 2)
            for when in (WHENS if SOAK else (WHENS[point // 2 % 2],))
        ]

    with ThreadPoolExecutor(2) as pool:
        wrong = [text for texts in pool.map(share, (0, 1)) for text in texts if text]
    assert wrong == []
