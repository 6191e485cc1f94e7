"""Runs benchmarks briefly, one after the other, to see that they work; what they print is not shown.

    python -m benchmarks._smoke NAME ...

How fast the machine is decides nothing here: one that fails is tried once more, and one that then says that
the machine was too busy is passed over, and named.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks._report import TOO_BUSY


def run(name: str) -> int:
    """The exit status of one benchmark."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--smoke"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode


def main() -> int:
    """Run those that are named; 1 at the first that does not work."""
    for name in sys.argv[1:]:
        status = run(name) and run(name)
        if status == TOO_BUSY:
            print(f"{name}: passed over, the machine is too busy", file=sys.stderr)
        elif status:
            print(f"{name}: does not work", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
