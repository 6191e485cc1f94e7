"""CPU and memory of a process tree, read from /proc."""

from __future__ import annotations

from pathlib import Path


def tree(pid: int) -> list[int]:
    """`pid` and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended while we looked
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def cpu_seconds(pid: int) -> float:
    """User plus system time of the tree so far, in seconds."""
    total = 0.0
    for member in tree(pid):
        try:
            # nanoseconds on the processor, exact where stat's ticks are not
            total += (
                sum(
                    int((thread / "schedstat").read_text().split()[0])
                    for thread in Path(f"/proc/{member}/task").iterdir()
                )
                / 1e9
            )
        except OSError:
            continue
    return total


def memory_kb(pid: int) -> int:
    """Proportional set size of the tree in kB: shared pages count once."""
    total = 0
    for member in tree(pid):
        try:
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total
