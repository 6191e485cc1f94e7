"""What callers said, in the coding that was asked for."""

from __future__ import annotations

from pathlib import Path

from sipcc.ivr.steps import Coding


def recoded(path: str, coding: Coding) -> str:
    """The WAV file at `path` in another coding, in whose place it is then; its new path. Blocks.

    Raises:
        OSError: the disk refuses it.
        RuntimeError: it is no sound.
    """
    if coding == "wav":
        return path
    from sipcc.rtp.files import write_bare  # with numpy

    bare = Path(path).with_suffix(f".{coding}")
    write_bare(path, str(bare))
    Path(path).unlink()
    return str(bare)
