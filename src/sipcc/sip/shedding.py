"""Refusing new requests at a fraction of the price of reading them (RFC 3261 §8.2.7, RFC 7200 in spirit).

A core over raw bytes. While we are too slow, each refusal takes time from the calls that are accepted, so
the 503 is cut from the request itself: only what the answer repeats is looked at. Whatever is unusual gives
None, and the request goes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from zlib import crc32

from sipcc.sip.transaction.machine import Key
from sipcc.sip.transport.base import Address

_MEMORY = 4.0
"""Seconds for which a refused request is remembered, at least; copies come within T2."""
_MAX_REFUSED = 65536

_USER = re.compile(rb"[A-Z]+ [a-z]+:([^@;? ]*)")
_VIA = re.compile(rb"[ \t]*SIP/2\.0/UDP[ \t]+([A-Za-z0-9.-]+(?::[0-9]{1,5})?)((?:;[^;,\"]*)+)")
_BRANCH = re.compile(rb";branch=(z9hG4bK[^;, \t\r\n]+)")
_RPORT = re.compile(rb";rport(?=;|$)")
_COPIED = {
    spelling: short
    for names, short in (
        ((b"Via", b"v", b"VIA", b"via"), b"v"),
        ((b"From", b"f", b"FROM", b"from"), b"f"),
        ((b"To", b"t", b"TO", b"to"), b"t"),
        ((b"Call-ID", b"i", b"Call-Id", b"CALL-ID", b"call-id"), b"i"),
        ((b"CSeq", b"Cseq", b"CSEQ", b"cseq"), b"c"),
    )
    for spelling in names
}


def dialled(data: bytes) -> str:
    """The user part of the Request-URI, or an empty text."""
    match = _USER.match(data)
    return match[1].decode("latin-1") if match is not None else ""


class Shedder:
    """Makes refusals that are known again: the ACK to one is thrown away unread.

    `secret` is the beginning of all To tags that are given out here.
    """

    def __init__(self, secret: str) -> None:
        self._prefix = b";tag=" + secret.encode("ascii")
        self._refused: set[bytes] = set()
        self._refused_before: set[bytes] = set()
        self._turned_at = 0.0

    def is_ack(self, data: bytes) -> bool:
        """True for the ACK to a refusal made here."""
        return data.startswith(b"ACK ") and self._prefix in data

    def was_refused(self, data: bytes, *, now: float) -> bool:
        """True for a copy of a request that was refused here a moment ago.

        It may have waited behind the first one; accepted, it would ring for a caller who has gone.
        """
        if now - self._turned_at > _MEMORY:
            self._refused_before, self._refused = self._refused, set()
            self._turned_at = now
        if not self._refused and not self._refused_before:
            return False
        branch = _BRANCH.search(data)
        return branch is not None and (branch[1] in self._refused or branch[1] in self._refused_before)

    def refusal(
        self, data: bytes, source: Address, retry_after: int, *, known: Callable[[Key], bool]
    ) -> bytes | None:
        """The 503 to the request in `data`, or None when the request has to be read.

        `known` tells whether a transaction is under way: a copy of an accepted request is not refused.
        """
        head, end, _ = data.partition(b"\r\n\r\n")
        if not end or b"\r\n " in head or b"\r\n\t" in head:
            return None
        lines = head.split(b"\r\n")
        kept: list[bytes] = []
        at: dict[bytes, int] = {}
        for line in lines[1:]:
            short = _COPIED.get(line[: line.find(b":")])
            if short is not None:
                if short in at and short != b"v":
                    return None
                at.setdefault(short, len(kept))
                kept.append(line)
        if len(at) != 5:
            return None
        method = lines[0].partition(b" ")[0]
        answered = self._answered_via(kept[at[b"v"]], source, method, known)
        if answered is None:
            return None
        kept[at[b"v"]], branch = answered
        if len(self._refused) < _MAX_REFUSED:
            self._refused.add(branch)
        # the same tag for each copy of the request, without any memory of it
        mark = crc32(kept[at[b"i"]] + kept[at[b"c"]] + kept[at[b"f"]])
        kept[at[b"t"]] += b"%b%08x" % (self._prefix, mark)
        return b"\r\n".join(
            [
                b"SIP/2.0 503 Service Unavailable",
                *kept,
                b"Retry-After: %d" % retry_after,
                b"Content-Length: 0\r\n\r\n",
            ]
        )

    def _answered_via(
        self, line: bytes, source: Address, method: bytes, known: Callable[[Key], bool]
    ) -> tuple[bytes, bytes] | None:
        """The top Via as the answer has it (RFC 3581 §4) and its branch; None: the request is to be read."""
        name, _, value = line.partition(b":")
        match = _VIA.fullmatch(value)
        branch = _BRANCH.search(value)
        if match is None or branch is None or known((branch[1], match[1].lower(), method)):
            return None
        host, port = source.host.encode("ascii"), b"%d" % source.port
        told, changed = _RPORT.subn(b";received=%b;rport=%b" % (host, port), value)
        if changed:
            return name + b":" + told, branch[1]
        return (line, branch[1]) if match[1] == b"%b:%b" % (host, port) else None
