"""Files that tell what people said or who called: their owner writes, its group reads, nobody else."""

from __future__ import annotations

import os
from pathlib import Path

MODE = 0o640
"""Of a new file; the umask may take more of it away. One that is there already keeps its own."""


def opener(path: str, flags: int) -> int:
    """The `opener` of `open` for a file that is made now."""
    return os.open(path, flags, MODE)


def make(path: Path) -> None:
    """Make an empty file for a library that opens it by name; one that is there stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MODE))
