"""STUN on the SIP port (RFC 5389, RFC 5626 §3.5.2): a phone asks from where we see it.

One question is understood, the Binding request, and it is answered from its own bytes and its source:
nothing is remembered. What is malformed, or no request, gets no answer at all.
"""

from __future__ import annotations

import ipaddress
import zlib
from contextlib import suppress
from struct import Struct

from sipcc.errors import TransportError
from sipcc.sip.nat import plain_host
from sipcc.sip.transport.base import Address, Flow

COOKIE = b"\x21\x12\xa4\x42"
"""Stands in every message of RFC 5389; without it this is the protocol of RFC 3489, or no STUN."""

MAX_REQUEST_BYTES = 548
"""The longest request that we look at; a Binding request has 20 to about 120."""

AMPLIFICATION = 1.3
"""An answer is at most this much longer on the wire than its question, whose source may be forged."""

_HEADER = Struct("!HH4s12s")
_PAIR = Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_FINGERPRINT, _XOR_MAPPED_ADDRESS, _ERROR_CODE, _UNKNOWN_ATTRIBUTES = 0x8028, 0x0020, 0x0009, 0x000A
_KNOWN = frozenset({0x0001, 0x0003, 0x0006, 0x0008, 0x0014, 0x0015})
"""Attributes that must be understood and that mean nothing to a server without passwords."""

_FRAME_BYTES = {4: 18 + 20 + 8, 6: 18 + 40 + 8}
"""Ethernet, IP and UDP around a datagram, by IP version."""


def looks_like_stun(data: bytes) -> bool:
    """True for a datagram that is STUN and no SIP: its first two bits are 0 and its cookie is in place."""
    return len(data) >= _HEADER.size and data[0] < 4 and data[4:8] == COOKIE


def stun_reply(data: bytes, source: Address) -> bytes | None:
    """The answer to the Binding request `data` from `source`; None when it earns none.

    FINGERPRINT is added for who sent one, so that a bare question of 20 bytes is not answered with 40.
    """
    if len(data) > MAX_REQUEST_BYTES or not looks_like_stun(data):
        return None
    kind, length, _cookie, transaction = _HEADER.unpack_from(data)
    if kind != _REQUEST or length % 4 or length != len(data) - _HEADER.size:
        return None
    attributes = _attributes(data)
    if attributes is None:
        return None
    unknown = [kind for kind in attributes if kind < 0x8000 and kind not in _KNOWN]
    if unknown:
        kind, body = _ERROR, _refusal(unknown)
    else:
        mapped = _xor_mapped(source, transaction)
        if mapped is None:
            return None
        kind, body = _SUCCESS, mapped
    reply = _seal(kind, transaction, body, fingerprint=_FINGERPRINT in attributes)
    frame = _FRAME_BYTES[6 if ":" in plain_host(source.host) else 4]
    return reply if len(reply) + frame <= AMPLIFICATION * (len(data) + frame) else None


def _attributes(data: bytes) -> list[int] | None:
    """The types of all attributes; None when they do not fill the message, or FINGERPRINT is wrong."""
    found: list[int] = []
    at = _HEADER.size
    while at < len(data):
        if at + _PAIR.size > len(data) or _FINGERPRINT in found:
            return None  # FINGERPRINT is the last one (RFC 5389 §15.5)
        kind, length = _PAIR.unpack_from(data, at)
        end = at + _PAIR.size + length
        if end > len(data):
            return None
        if kind == _FINGERPRINT and data[at + 4 : end] != _fingerprint(data[:at]):
            return None
        found.append(kind)
        at = end + -length % 4
    return found if at == len(data) else None


def _xor_mapped(source: Address, transaction: bytes) -> bytes | None:
    try:
        packed = ipaddress.ip_address(plain_host(source.host)).packed
    except ValueError:
        return None
    family = 1 if len(packed) == 4 else 2
    port = source.port ^ int.from_bytes(COOKIE[:2], "big")
    hidden = bytes(one ^ other for one, other in zip(packed, COOKIE + transaction, strict=False))
    value = _PAIR.pack(family, port) + hidden
    return _PAIR.pack(_XOR_MAPPED_ADDRESS, len(value)) + value


def _refusal(unknown: list[int]) -> bytes:
    """420 with the attributes that we do not know (RFC 5389 §7.3.1)."""
    listed = b"".join(kind.to_bytes(2, "big") for kind in unknown[:4])
    padding = bytes(-len(listed) % 4)
    code = _PAIR.pack(_ERROR_CODE, 4) + b"\x00\x00\x04\x14"
    return code + _PAIR.pack(_UNKNOWN_ATTRIBUTES, len(listed)) + listed + padding


def _seal(kind: int, transaction: bytes, body: bytes, *, fingerprint: bool) -> bytes:
    if not fingerprint:
        return _HEADER.pack(kind, len(body), COOKIE, transaction) + body
    message = _HEADER.pack(kind, len(body) + 8, COOKIE, transaction) + body
    return message + _PAIR.pack(_FINGERPRINT, 4) + _fingerprint(message)


def _fingerprint(message: bytes) -> bytes:
    return (zlib.crc32(message) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def answer_stun(data: bytes, flow: Flow) -> bool:
    """Answer what came on `flow`; False when it earns no answer."""
    reply = stun_reply(data, flow.remote)
    if reply is None:
        return False
    with suppress(TransportError):
        flow.send(reply)
    return True
