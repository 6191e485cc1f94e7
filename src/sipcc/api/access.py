"""Who may do what, as a core: roles, one table of permissions, and bearer tokens.

A token has 256 random bits, so its plain SHA-256 can be kept: there is nothing to guess. Whoever reads
the configuration cannot use the interface with what stands there. Refused are tokens of another form, and
a role that is not in the row of the permission.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from sipcc.api.settings import Role, TokenSettings

TOKEN_PREFIX = "sipcc_"
"""Begins every token, so that scanners for leaked secrets know one."""

TOKEN_BITS = 256

DIGEST_LENGTH = 64
"""Hex digits of a SHA-256."""


class Permit(StrEnum):
    """What a request needs."""

    FLOOR = "floor"
    """Read agents, queues and live calls."""
    COMMAND_OWN = "command_own"
    """Command the agent of the token."""
    COMMAND_ALL = "command_all"
    """Command any agent, and take callers out of queues."""
    RECORDS = "records"
    """Read call records."""
    LISTEN_OWN = "listen_own"
    """Control the recording of one's own call, and hear recordings of calls that one has answered."""
    LISTEN_ALL = "listen_all"
    """Hear all recordings."""
    KEEP = "keep"
    """Hold recordings whatever their age, and erase those of a subject."""
    TRACES = "traces"
    """Read why an offer went where it went, and which invariants are broken."""
    EVENTS = "events"
    """Follow all events, which tell of all callers."""
    METRICS = "metrics"
    """Read the figures for Prometheus."""
    CONFIG = "config"
    """Have the configuration read anew."""

    WEBHOOKS = "webhooks"
    """See and mend what programs were not told."""


TABLE: dict[Permit, frozenset[Role]] = {
    Permit.FLOOR: frozenset({"agent", "supervisor", "admin"}),
    Permit.COMMAND_OWN: frozenset({"agent", "supervisor", "admin"}),
    Permit.COMMAND_ALL: frozenset({"supervisor", "admin"}),
    Permit.RECORDS: frozenset({"supervisor", "admin", "auditor"}),
    Permit.LISTEN_OWN: frozenset({"agent", "supervisor", "admin", "auditor"}),
    Permit.LISTEN_ALL: frozenset({"supervisor", "admin", "auditor"}),
    Permit.KEEP: frozenset({"admin"}),
    Permit.TRACES: frozenset({"supervisor", "admin", "auditor"}),
    Permit.EVENTS: frozenset({"supervisor", "admin"}),
    Permit.METRICS: frozenset({"supervisor", "admin", "auditor"}),
    Permit.WEBHOOKS: frozenset({"supervisor", "admin"}),
    Permit.CONFIG: frozenset({"admin"}),
}
"""The whole role matrix."""


def may(role: Role, permit: Permit) -> bool:
    """True when `role` has `permit`."""
    return role in TABLE[permit]


class Bearer(msgspec.Struct, frozen=True):
    """Who a request comes from."""

    name: str
    role: Role
    agent: str
    """The agent it speaks for; empty for other roles than ``agent``."""

    def may_command(self, agent: str) -> bool:
        """True when the bearer may command the agent called `agent`."""
        if may(self.role, Permit.COMMAND_ALL):
            return True
        return may(self.role, Permit.COMMAND_OWN) and agent == self.agent


def token_of(bits: int) -> str:
    """The token made of `TOKEN_BITS` random bits."""
    return f"{TOKEN_PREFIX}{bits:0{TOKEN_BITS // 4}x}"


def digest_of(token: str) -> str:
    """What is kept of a token: its SHA-256 in hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def is_digest(text: str) -> bool:
    """True when `text` can be a digest; upper case is one too."""
    return len(text) == DIGEST_LENGTH and all(char in "0123456789abcdef" for char in text.lower())


def as_bearer(authorization: str) -> str:
    """Basic authentication whose password is a token, as ``Bearer``: all that some clients can send."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        _, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return ""
    return f"Bearer {password}"


class Tokens:
    """The known tokens."""

    def __init__(self, entries: Iterable[TokenSettings]) -> None:
        self._known = [
            (entry.digest.lower(), Bearer(entry.name, entry.role, entry.agent)) for entry in entries
        ]

    def bearer(self, authorization: str) -> Bearer | None:
        """Who sends this ``Authorization`` header; None for nobody we know.

        All digests are compared, each in constant time, so that the time tells nothing of them.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        given, found = digest_of(token.strip()), None
        for digest, bearer in self._known:
            if hmac.compare_digest(digest, given):
                found = bearer
        return found
