"""How a figure is taken: several rounds, each a ratio to a reference that runs beside it.

A figure and its reference take turns, so that a machine that is busy is busy for both. What is compared is
CPU time wherever that can be told, because the time on the clock belongs to the neighbours as well.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 7
_TICKS = 100.0  # clock ticks a second in /proc (USER_HZ is 100 on every Linux)


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    `ratios` holds one number a round. `goal` is the bound that the median has to keep, with its direction
    (">= 0.5"); empty when the figure only informs. `note` says in a few words what it was measured on.
    """

    name: str
    ratios: Sequence[float]
    goal: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.ratios)

    @property
    def kept(self) -> bool:
        """Whether the goal is kept; a figure without one always is."""
        if not self.goal:
            return True
        sign, bound = self.goal.split()
        return self.median >= float(bound) if sign == ">=" else self.median <= float(bound)


def cpu_of(act: Callable[[], object], times: int = 1) -> float:
    """CPU seconds of this process for one `act`, over `times` of them."""
    start = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - start) / times


def compare(
    name: str, ours: Callable[[], object], reference: Callable[[], object], times: int, **words: str
) -> Figure:
    """How often `ours` can run in the CPU time of `reference`."""
    for warm in (ours, reference):
        warm()
    ratios = [cpu_of(reference, times) / cpu_of(ours, times) for _ in range(ROUNDS)]
    return Figure(name, ratios, **words)


def cpu_of_processes(pids: Sequence[int]) -> float:
    """CPU seconds that processes have used so far (user and system, /proc/PID/stat)."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def memory_of_processes(pids: Sequence[int]) -> int:
    """Bytes of memory of processes, shared pages counted once between them (PSS)."""
    total = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total * 1024


def report(figure: Figure) -> None:
    """One line of the table."""
    low, high = min(figure.ratios), max(figure.ratios)
    spread = f"({low:.2f} to {high:.2f})"
    goal = f"goal {figure.goal}{'' if figure.kept else '  MISSED'}" if figure.goal else ""
    sys.stdout.write(f"{figure.name:62} {figure.median:6.2f}   {spread:18} {goal}\n")
    if figure.note:
        sys.stdout.write(f"    {figure.note}\n")
    sys.stdout.flush()
