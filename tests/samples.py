"""How much a test tries: a share in each run, all of it with ``SIPCC_FULL=1`` (`make unit-full`)."""

from __future__ import annotations

import os

FULL = os.environ.get("SIPCC_FULL", "") not in ("", "0")


def so_many(full: int, quick: int) -> int:
    """`full` where all is wanted, else `quick`; what is tried in each example is the same."""
    return full if FULL else quick
