"""When each content file was first committed, for folders that are kept under git.

The only place that starts git; a folder without git, or a machine without it, is fine.
"""

from __future__ import annotations

import os
import subprocess
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

_TIMEOUT = 60


def first_commits(root: Path) -> dict[str, datetime]:
    """The time of the first commit of every file below `root`, by path; empty without git.

    Args:
        root: the content folder, which may be a part of a repository.
    """
    command = [
        "git", "-C", str(root), "log", "--format=%x1e%ct", "--name-only", "-z", "--no-renames",
        "--diff-filter=A", "--relative", "--", ".",
    ]  # fmt: skip
    # A repository may not make git start programs (pagers, hooks, file system monitors) for us.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command[1:1] = ["-c", "core.fsmonitor=false", "-c", "log.showSignature=false"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program with fixed words; the path is ours
            command, capture_output=True, check=True, timeout=_TIMEOUT, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return _parse(done.stdout.decode(errors="replace"))


def _parse(log: str) -> dict[str, datetime]:
    """Commits come newest first, so the last time that a path is named counts."""
    found: dict[str, datetime] = {}
    for commit in log.split("\x1e"):
        stamp, _, names = commit.partition("\0")
        if not stamp.strip().isdigit():
            continue
        moment = datetime.fromtimestamp(int(stamp), UTC)
        for name in names.split("\0"):
            path = unicodedata.normalize("NFC", name.strip("\n"))
            if path:
                found[path] = moment
    return found
