"""STUN messages (RFC 8489), read and written: what the SIP port and the ICE of a media port share.

Nothing here decides anything; who answers what is the matter of `sipcc.sip.transport.stun` and
`sipcc.rtp.ice`.
"""

from __future__ import annotations

import hmac
import ipaddress
import zlib
from struct import Struct

import msgspec

COOKIE = b"\x21\x12\xa4\x42"
"""Stands in every message of RFC 5389 and later; without it this is the protocol of RFC 3489, or no STUN."""

HEADER = Struct("!HH4s12s")
"""Type, length of what follows, cookie, transaction."""
PAIR = Struct("!HH")
"""Type and length of an attribute; also the two numbers at the head of some values."""

REQUEST, INDICATION, SUCCESS, ERROR = 0x0001, 0x0011, 0x0101, 0x0111
"""The four classes of a Binding message."""

USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x0006, 0x0008, 0x0009, 0x000A
XOR_MAPPED_ADDRESS, FINGERPRINT = 0x0020, 0x8028

INTEGRITY_BYTES = 20
_INTEGRITY_ATTRIBUTE = PAIR.size + INTEGRITY_BYTES
_FINGERPRINT_XOR = 0x5354554E


class Attribute(msgspec.Struct, frozen=True):
    """One attribute, where it stands in its message, and its value without padding."""

    kind: int
    at: int
    value: bytes

    @property
    def required(self) -> bool:
        """True when a reader that does not know it must not go on (§14)."""
        return self.kind < 0x8000


def looks_like_stun(data: bytes) -> bool:
    """True when the first two bits are 0 and the cookie is in place: neither SIP nor RTP nor DTLS."""
    return len(data) >= HEADER.size and data[0] < 4 and data[4:8] == COOKIE


def read_attributes(data: bytes) -> list[Attribute] | None:
    """All attributes of a message; None when they do not fill it, or FINGERPRINT is wrong or not the last.

    `data` is what `looks_like_stun` and whose length agrees with its header.
    """
    found: list[Attribute] = []
    at = HEADER.size
    while at < len(data):
        if at + PAIR.size > len(data) or (found and found[-1].kind == FINGERPRINT):
            return None  # FINGERPRINT is the last one (§14.7)
        kind, length = PAIR.unpack_from(data, at)
        end = at + PAIR.size + length
        if end > len(data):
            return None
        value = data[at + PAIR.size : end]
        if kind == FINGERPRINT and value != fingerprint(data[:at]):
            return None
        found.append(Attribute(kind, at, value))
        at = end + -length % 4
    return found if at == len(data) else None


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute with its padding."""
    return PAIR.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def xor_mapped(host: str, port: int, transaction: bytes) -> bytes | None:
    """The attribute that tells a peer from where we see it (§14.2); None when `host` is no IP address."""
    try:
        packed = ipaddress.ip_address(host).packed
    except ValueError:
        return None
    family = 1 if len(packed) == 4 else 2
    hidden = bytes(one ^ other for one, other in zip(packed, COOKIE + transaction, strict=False))
    return attribute(XOR_MAPPED_ADDRESS, PAIR.pack(family, port ^ int.from_bytes(COOKIE[:2], "big")) + hidden)


def error_code(status: int, reason: str = "") -> bytes:
    """ERROR-CODE: 300..699 and a phrase (§14.8)."""
    return attribute(ERROR_CODE, bytes((0, 0, status // 100, status % 100)) + reason.encode())


def seal(
    kind: int, transaction: bytes, body: bytes, *, key: bytes = b"", fingerprinted: bool = True
) -> bytes:
    """A whole message: `body`, then MESSAGE-INTEGRITY if there is a `key`, then FINGERPRINT if wanted."""
    if key:
        length = len(body) + _INTEGRITY_ATTRIBUTE
        message = HEADER.pack(kind, length, COOKIE, transaction) + body
        body += attribute(MESSAGE_INTEGRITY, hmac.digest(key, message, "sha1"))
    if not fingerprinted:
        return HEADER.pack(kind, len(body), COOKIE, transaction) + body
    message = HEADER.pack(kind, len(body) + 8, COOKIE, transaction) + body
    return message + attribute(FINGERPRINT, fingerprint(message))


def has_integrity(data: bytes, integrity: Attribute, key: bytes) -> bool:
    """True when the MESSAGE-INTEGRITY of a message was made with `key` (§14.5): all before it is vouched for.

    The length in the header is taken as if the message ended with this attribute.
    """
    if len(integrity.value) != INTEGRITY_BYTES:
        return False
    length = integrity.at + _INTEGRITY_ATTRIBUTE - HEADER.size
    covered = data[:2] + length.to_bytes(2, "big") + data[4 : integrity.at]
    return hmac.compare_digest(hmac.digest(key, covered, "sha1"), integrity.value)


def fingerprint(message: bytes) -> bytes:
    """The value of FINGERPRINT behind `message`, whose header counts it already (§14.7)."""
    return (zlib.crc32(message) ^ _FINGERPRINT_XOR).to_bytes(4, "big")
