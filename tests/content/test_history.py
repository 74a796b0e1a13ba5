"""First commits of files, from git."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dramafeed.content import first_commits


def git(folder: Path, *words: str, date: str = "") -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {
            f"GIT_{role}_NAME": "x",
            f"GIT_{role}_EMAIL": "x@example.org",
            f"GIT_{role}_DATE": date,
        }
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env=environment)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def commit(repository: Path, path: str, date: str) -> None:
    file = repository / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(date)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "x", date=f"{date} +0000")


def test_first_commit_counts(repository: Path) -> None:
    """The first commit of each file below the folder is found, with Hangul and spaces in its name."""
    commit(repository, "content/reviews/비 내린다.md", "2020-01-02T03:04:05")
    commit(repository, "content/a.md", "2021-01-02T03:04:05")
    commit(repository, "content/reviews/비 내린다.md", "2022-01-02T03:04:05")
    commit(repository, "other.md", "2023-01-02T03:04:05")
    assert first_commits(repository / "content") == {
        "reviews/비 내린다.md": datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC),
        "a.md": datetime(2021, 1, 2, 3, 4, 5, tzinfo=UTC),
    }


def test_no_commit_yet(repository: Path) -> None:
    """A repository without commits knows nothing."""
    assert first_commits(repository) == {}


def test_no_repository(tmp_path: Path) -> None:
    """A folder without git, or that is not there, knows nothing."""
    assert first_commits(tmp_path) == {}
    assert first_commits(tmp_path / "gone") == {}


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git is fine."""
    monkeypatch.setenv("PATH", "")
    assert first_commits(repository) == {}
