"""SRTP as a phone does it that takes its keys from SDP: for fake parties, apart from `sipcc.rtp.srtp`."""

from __future__ import annotations

import base64
import re

import msgspec
from pylibsrtp import Error, Policy, Session

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES_CM_128_HMAC_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
_CRYPTO = re.compile(r"([0-9]+) ([A-Z0-9_]+) inline:([A-Za-z0-9+/=]+)")


class Srtp(msgspec.Struct, frozen=True):
    """How a fake party does SRTP."""

    protocol: str = "RTP/SAVP"
    """What it offers; RTP/AVP with keys is the way of RFC 8643."""
    suite: str = "AES_CM_128_HMAC_SHA1_80"
    """The one suite that it has."""
    tag: int = 1
    """The tag of its crypto line in offers."""
    lies: bool = False
    """True names one key and uses another."""


class Secret:
    """The keys of one call, both ways."""

    def __init__(self, srtp: Srtp, key: bytes) -> None:
        """`key` is 44 random bytes, of which the suite takes as many as it needs."""
        self.srtp = srtp
        self.refused = 0
        """Packets that came and had a wrong tag."""
        self.theirs = ""
        """The crypto line of the other side that counts now."""
        self.tag = srtp.tag
        self._profile, self._size = _PROFILES[srtp.suite]
        self._receive: Session | None = None
        self.use(key)

    def use(self, key: bytes) -> None:
        """Take another key of our own; say so in a description before anything is sent."""
        self._key = key[: self._size]
        used = bytes(255 - byte for byte in self._key) if self.srtp.lies else self._key
        self._send = self._session(used, Policy.SSRC_ANY_OUTBOUND)

    def write(self, body: bytes, *, answer: str = "") -> bytes:
        """A description of ours with our key; `answer` is the protocol of the offer that it answers."""
        protocol = (answer or self.srtp.protocol).encode()
        key = base64.b64encode(self._key)
        tag = self.tag if answer else self.srtp.tag
        line = b"a=crypto:%d %s inline:%s\r\n" % (tag, self.srtp.suite.encode(), key)
        return body.replace(b" RTP/AVP ", b" %s " % protocol) + line

    def learn(self, lines: tuple[str, ...]) -> None:
        """Take the other side's key; the contexts stay when it is the same as before (RFC 3711 §3.3.1)."""
        found = [
            match for line in lines if (match := _CRYPTO.fullmatch(line)) and match[2] == self.srtp.suite
        ]
        if not found:
            raise RuntimeError(f"no key for {self.srtp.suite} in {lines}")
        self.tag = int(found[0][1])
        if found[0][3] != self.theirs:
            self.theirs = found[0][3]
            self._receive = self._session(base64.b64decode(self.theirs), Policy.SSRC_ANY_INBOUND)

    def protect(self, packet: bytes) -> bytes:
        """A packet as it leaves."""
        return self._send.protect(packet)

    def open(self, packet: bytes) -> bytes | None:
        """A packet that came, or None."""
        try:
            return self._receive.unprotect(packet) if self._receive is not None else None
        except Error:
            self.refused += 1
            return None

    def open_rtcp(self, packet: bytes) -> bytes | None:
        """A report that came, or None."""
        try:
            return self._receive.unprotect_rtcp(packet) if self._receive is not None else None
        except Error:
            return None

    def _session(self, key: bytes, kind: int) -> Session:
        return Session(Policy(key=key, ssrc_type=kind, srtp_profile=self._profile))
