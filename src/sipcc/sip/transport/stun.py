"""STUN on the SIP port (RFC 5389, RFC 5626 §3.5.2): a phone asks from where we see it.

One question is understood, the Binding request, and it is answered from its own bytes and its source:
nothing is remembered. What is malformed, or no request, gets no answer at all.
"""

from __future__ import annotations

from contextlib import suppress

from sipcc.errors import TransportError
from sipcc.sip.nat import plain_host
from sipcc.sip.transport.base import Address, Flow
from sipcc.stun import (
    ERROR,
    FINGERPRINT,
    HEADER,
    REQUEST,
    SUCCESS,
    UNKNOWN_ATTRIBUTES,
    Attribute,
    attribute,
    error_code,
    looks_like_stun,
    read_attributes,
    seal,
    xor_mapped,
)

MAX_REQUEST_BYTES = 548
"""The longest request that we look at; a Binding request has 20 to about 120."""

AMPLIFICATION = 1.3
"""An answer is at most this much longer on the wire than its question, whose source may be forged."""

_KNOWN = frozenset({0x0001, 0x0003, 0x0006, 0x0008, 0x0014, 0x0015})
"""Attributes that must be understood and that mean nothing to a server without passwords."""

_FRAME_BYTES = {4: 18 + 20 + 8, 6: 18 + 40 + 8}
"""Ethernet, IP and UDP around a datagram, by IP version."""


def stun_reply(data: bytes, source: Address) -> bytes | None:
    """The answer to the Binding request `data` from `source`; None when it earns none.

    FINGERPRINT is added for who sent one, so that a bare question of 20 bytes is not answered with 40.
    """
    if len(data) > MAX_REQUEST_BYTES or not looks_like_stun(data):
        return None
    kind, length, _cookie, transaction = HEADER.unpack_from(data)
    if kind != REQUEST or length % 4 or length != len(data) - HEADER.size:
        return None
    attributes = read_attributes(data)
    if attributes is None:
        return None
    unknown = [entry for entry in attributes if entry.required and entry.kind not in _KNOWN]
    if unknown:
        kind, body = ERROR, _refusal(unknown)
    else:
        mapped = xor_mapped(plain_host(source.host), source.port, transaction)
        if mapped is None:
            return None
        kind, body = SUCCESS, mapped
    asked = any(entry.kind == FINGERPRINT for entry in attributes)
    reply = seal(kind, transaction, body, fingerprinted=asked)
    frame = _FRAME_BYTES[6 if ":" in plain_host(source.host) else 4]
    return reply if len(reply) + frame <= AMPLIFICATION * (len(data) + frame) else None


def _refusal(unknown: list[Attribute]) -> bytes:
    """420 with the attributes that we do not know (RFC 5389 §7.3.1)."""
    listed = b"".join(entry.kind.to_bytes(2, "big") for entry in unknown[:4])
    return error_code(420) + attribute(UNKNOWN_ATTRIBUTES, listed)


def answer_stun(data: bytes, flow: Flow) -> bool:
    """Answer what came on `flow`; False when it earns no answer."""
    reply = stun_reply(data, flow.remote)
    if reply is None:
        return False
    with suppress(TransportError):
        flow.send(reply)
    return True
