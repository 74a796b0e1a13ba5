"""Every test of `make test` once more, on a PostgreSQL of its own.

`python -m tests.peers.on_postgres [words for pytest]`; part of `make soak`. Where no server is installed it
says so and ends well: `make peers` installs one.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.peers.postgres import Cluster
from tests.peers.running import ROOT, MissingProgramError


def main(words: list[str]) -> int:
    """Run pytest with these words; its exit code."""
    try:
        cluster = Cluster()
    except MissingProgramError as problem:
        print(f"Nothing is run on PostgreSQL: {problem}")
        return 0
    with cluster:
        environment = {**os.environ, "TEST_CLUSTER": str(cluster.folder)}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
