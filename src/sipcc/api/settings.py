"""Settings of the HTTP interface."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Role = Literal["agent", "supervisor", "admin", "auditor"]


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where programs reach the switch over HTTP. Who may is said in ``[[tokens]]``."""

    listen: str = ""
    """Address of the HTTP interface as ``HOST:PORT``, such as ``127.0.0.1:8080``; empty is none. It is not
    encrypted: beyond this machine, put a proxy with TLS before it."""
    events_kept: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 10_000
    """How many events are kept in memory for those who follow ``/events`` and come back, or are slow."""


class TokenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program, or one person, that may use the HTTP interface."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """Whose it is; for the log."""
    role: Role
    """``agent`` sees the floor and commands one agent; ``supervisor`` commands all of them, and reads
    records and events; ``auditor`` reads records, traces and figures; ``admin`` may do everything."""
    agent: str = ""
    """The agent that a token with the role ``agent`` commands."""
    digest: str
    """What ``sipccd token`` printed beside the token: its SHA-256 in hex. ``env:NAME`` and ``file:PATH``
    work here as everywhere."""
