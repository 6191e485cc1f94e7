"""Answers to datagrams that nobody has vouched for are hardly longer than what they answer, as a core.

The source of a datagram is easily forged; a long answer would make a weapon of us against whoever it
names. So what is not needed is left out, and as much of a challenge as there is room for is sent.
"""

from __future__ import annotations

import re

from sipcc.sip.headers import Headers
from sipcc.sip.message import Response, reason_of

FACTOR = 1.3
"""The bytes of an answer that one byte of the request may earn."""

_LUXURY = ("Server", "Supported", "Accept", "Accept-Encoding", "Allow-Events", "Warning")
"""What is left out first, in this order."""
_CHALLENGE = "WWW-Authenticate"
_HINT = re.compile(rb'opaque="[^"]*", ?')
_DEFAULT_ALGORITHM = re.compile(rb", ?algorithm=MD5(?=,|\Z)")


def shortened(response: Response, request_bytes: int) -> Response | None:
    """`response`, cut until it is at most `FACTOR` times as long as its request; None when it never is.

    Challenges go from the strongest on, since the weakest that is allowed is what everybody knows; of the
    last one goes what says no more than the default (RFC 7616 §3.3). A refusal that has no room for any
    challenge is 403: without one 401 would be wrong.
    """
    room = int(request_bytes * FACTOR)
    excess = len(bytes(response)) - room
    if excess <= 0:
        return response
    items = list(response.headers.items)
    for name in (*_LUXURY, "Allow"):
        if excess > 0:
            excess -= _drop(items, name)
    excess = _fewer_challenges(items, excess)
    status, reason = response.status, response.reason
    if excess > 0 and _drop(items, _CHALLENGE):
        status, reason = 403, reason_of(403)
    short = Response(status, reason, Headers.trusted(items), response.body)
    return short if len(bytes(short)) <= room else None


def _drop(items: list[tuple[str, bytes]], name: str) -> int:
    """Take all lines of that name out; how many bytes they had."""
    gone = [item for item in items if item[0] == name]
    items[:] = [item for item in items if item[0] != name]
    return sum(_size(item) for item in gone)


def _fewer_challenges(items: list[tuple[str, bytes]], excess: int) -> int:
    """Drop challenges but the last, then what the last can do without; the bytes that are still too many."""
    at = [i for i, (name, _) in enumerate(items) if name == _CHALLENGE]
    for first in at[:-1]:
        if excess <= 0:
            return excess
        excess -= _size(items[first])
        items[first] = ("", b"")
    if at and excess > 0:
        value = items[at[-1]][1]
        short = _DEFAULT_ALGORITHM.sub(b"", _HINT.sub(b"", value))
        excess -= len(value) - len(short)
        items[at[-1]] = (_CHALLENGE, short)
    items[:] = [item for item in items if item[0]]
    return excess


def _size(item: tuple[str, bytes]) -> int:
    return len(item[0]) + len(item[1]) + 4
