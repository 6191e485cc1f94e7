"""Finds plug-ins by entry-point group; our own are registered the same way in `pyproject.toml`."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from sipcc.errors import ConfigError


def names(group: str) -> list[str]:
    """The names that are installed in `group`, sorted."""
    return sorted(point.name for point in entry_points(group=group))


def load(group: str, name: str) -> Any:
    """The object behind `name` in `group`.

    Raises:
        ConfigError: nobody registered that name; the message lists the known ones.
    """
    for point in entry_points(group=group):
        if point.name == name:
            return point.load()
    known = ", ".join(names(group)) or "none"
    raise ConfigError(group, f"unknown name {name!r}", hint=f"known: {known}")
