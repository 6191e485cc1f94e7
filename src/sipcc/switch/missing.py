"""What is said of a name that stands for nothing here."""

from __future__ import annotations

from collections.abc import Collection

from sipcc.errors import LocalProtocolError

_FEW = 20
"""So many names are listed; more would hide what is wrong."""


def missing(what: str, name: str, known: Collection[str]) -> LocalProtocolError:
    """The error that there is no `what`, such as a queue, called `name`; it lists those there are, if few."""
    listed = f"; known: {', '.join(sorted(known)) or 'none'}" if len(known) <= _FEW else ""
    return LocalProtocolError(f"there is no {what} {name!r}{listed}")
