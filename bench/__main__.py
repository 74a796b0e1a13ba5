"""`make bench`: prints one table, every figure a ratio to its reference.

`make bench ARGS='growth signing'` takes only those. How each is measured: docs/performance.md.
"""

from __future__ import annotations

import importlib
import sys

from bench.measure import ROUNDS, report

MODULES = ("signing", "documents", "growth", "delivery", "inbox")


def main(names: list[str]) -> None:
    """Print the table."""
    unknown = set(names) - set(MODULES)
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}.")
    sys.stdout.write(f"{'figure':62} median   (range of {ROUNDS} rounds)\n")
    for name in names or MODULES:
        for figure in importlib.import_module(f"bench.{name}").figures():
            report(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
