"""What all benchmarks share: the machine's facts, the CPU time of a process, and how results are printed."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

TOO_BUSY = 75
"""Exit status of a run that the machine had no time for (EX_TEMPFAIL of sysexits.h): it tells nothing."""


class TooBusyError(SystemExit):
    """What should have been measured did not stand the load, or the machine was busy with something else."""

    def __init__(self, message: str) -> None:
        print(message, file=sys.stderr)
        super().__init__(TOO_BUSY)


def machine() -> dict[str, object]:
    """The facts that a figure needs to be compared with another one."""
    cpu = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load1": round(os.getloadavg()[0], 2),
    }


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, user and system, in seconds; exact to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def pin(pid: int, core: int) -> None:
    """Keep a process on one core, when there are two or more to choose from."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[core % len(cores)]})


def median(values: Sequence[float]) -> float:
    """The middle value; of an even number, the lower of the two in the middle."""
    return sorted(values)[(len(values) - 1) // 2]


def show(title: str, rows: Sequence[dict[str, object]], *, json_path: str | None = None) -> None:
    """Print a table, then the same as one line of JSON with the machine's facts; also into a file."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    print(title)
    print("  ".join(column.rjust(width) for column, width in zip(columns, widths, strict=True)))
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    document = json.dumps({"benchmark": title, "machine": machine(), "results": list(rows)})
    print(document)
    sys.stdout.flush()
    if json_path:
        Path(json_path).write_text(document + "\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
