"""Keys in INFO requests, in the two spellings that phones know: dtmf-relay and dtmf."""

from __future__ import annotations

RELAY = "application/dtmf-relay"
"""``Signal=5`` and ``Duration=160`` on lines of their own."""
PLAIN = "application/dtmf"
"""The key alone."""

KEYS = "0123456789*#ABCD"
_DEFAULT_MS = 100


def read_key(content_type: str, body: bytes) -> tuple[str, int]:
    """The key of an INFO as (digit, duration in ms); ``("", 0)`` when it holds none.

    A key is one of ``0-9*#A-D``, or the number that RFC 4733 gives it: some gateways say 10 for the star.
    """
    if content_type == PLAIN:
        digit = _digit(body.strip())
        return (digit, _DEFAULT_MS) if digit else ("", 0)
    digit, duration_ms = "", _DEFAULT_MS
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        name, _, value = line.partition(b"=")
        value = value.strip()
        if name.strip().lower() == b"signal":
            digit = _digit(value)
        elif name.strip().lower() == b"duration" and value.isdigit() and len(value) <= 5:
            duration_ms = int(value)
    return (digit, duration_ms) if digit else ("", 0)


def write_key(digit: str, duration_ms: int) -> bytes:
    """The body of type `RELAY` for one key."""
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode("ascii")


def _digit(value: bytes) -> str:
    if len(value) == 1:
        key = value.decode("latin-1").upper()
        return key if key in KEYS else ""
    if len(value) == 2 and value.isdigit() and 10 <= int(value) <= 15:
        return KEYS[int(value)]
    return ""
