"""SRTP and SRTCP of one leg (RFC 3711, RFC 7714): packets are protected and checked here, by libsrtp.

Two contexts live side by side, one for each direction, and each lives as long as its key. A re-INVITE that
keeps the key keeps the context, and with it the roll-over counter and the replay window: a peer counts on
from packet 65536, and a context begun anew would be deaf from there on. A new SSRC under the same key
begins at roll-over counter 0, which is libsrtp's way of a template for streams not seen before; the
template makes a stream of a packet only once its tag was right, so forged packets cost no memory.

What `pylibsrtp` cannot do, and what follows from it:

- It reads and sets no roll-over counter. After a port was moved the peer may send on at a counter that a
  new context does not know (RFC 4568 §7.1.4 makes only the side that moved take a new key). The counter is
  found again by trying: see `Shield._seek`. Our own is counted beside it, for a process that goes on with
  our line: to begin again at 0 would be to use a key stream twice. See `Shield.mark` and `Shield.resume`.
- It has no keys with an MKI, so descriptions with one are refused (`sipcc.call.security`).
- A packet longer than `LONGEST` is not protected: it would not fit an Ethernet frame with its tag either.
- Protecting the same sequence number twice is refused, as RFC 3711 §9.1 demands: a doubled packet of a relay
  ends here.

Nothing here raises for what a peer sent: what is refused is None, and counted by its kind.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from pylibsrtp import Error, Policy, Session

from sipcc.rtp.flow import SRTP_SUITES, SrtpKeys
from sipcc.rtp.line import Mark

PROFILES: Final = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
"""The suites of `sipcc.rtp.flow.SRTP_SUITES` as libsrtp calls them."""

LONGEST: Final = 1356
"""Bytes of an RTP packet before protection; with 148 bytes less 4 for RTCP. The buffer has 1500."""
WINDOW: Final = 128
"""Packets that may come late without counting as replayed: 2.5 s of audio (RFC 3711 §3.3.2 asks for 64)."""
MOST_SSRCS: Final = 1024
"""SSRCs that are followed under one key, at 0.3 KB each. None is forgotten: its packets could be replayed."""
MOST_ROLL_OVERS: Final = 64
"""How far a roll-over counter is sought: a day of packets of 20 ms."""

_HEADER = Struct("!BBHII")
_EMPTY_REPORT = Struct("!BBHI")
_REPLAYS: Final = frozenset({"replay check failed (bad index)", "replay check failed (index too old)"})
_BAD_TAGS: Final = frozenset({"authentication failure", "unable to perform desired validation"})
_STRIDE: Final = 0x7000
"""A step of sequence numbers that is taken for a step ahead, not back."""


class Shield:
    """Protects what one leg sends, and lets through what its peer protected with the right key."""

    __slots__ = (
        "_heard",
        "_heard_ssrc",
        "_hint",
        "_index",
        "_known",
        "_last",
        "_receive",
        "_seeking",
        "_send",
        "bad_tags",
        "keys",
        "malformed",
        "replays",
        "reports",
        "unprotectable",
    )

    _heard: int
    _heard_ssrc: int
    _hint: int

    def __init__(self, keys: SrtpKeys) -> None:
        """Begin with fresh contexts. Raises ValueError for a suite or a length of key that there is not."""
        self.keys = keys
        self.bad_tags = 0
        """Packets of a wrong key, changed on the way, or cut."""
        self.replays = 0
        """Packets that came before, or too late to tell."""
        self.malformed = 0
        """Packets that are none, and those of too many SSRCs."""
        self.unprotectable = 0
        """Packets of ours that were not sent: a sequence number used before, or too long."""
        self._index = -1
        self.reports = 0
        """RTCP packets protected under this key."""
        self._start_sending()
        self._start_receiving()

    @property
    def rejected(self) -> int:
        """All packets that were refused."""
        return self.bad_tags + self.replays + self.malformed

    def rekey(self, keys: SrtpKeys) -> None:
        """Take the keys of a new offer and answer; a direction whose key and suite stay keeps its context.

        From here on packets of the old key are refused and counted.
        """
        old, self.keys = self.keys, keys
        if (keys.suite, keys.send) != (old.suite, old.send):
            self._start_sending()
        if (keys.suite, keys.receive) != (old.suite, old.receive):
            self._start_receiving()

    def mark(self, sequence: int, heard: tuple[int, int] | None = None) -> Mark:
        """Where both ways stand under their keys.

        `sequence` is that of our next packet, `heard` the SSRC and sequence number of the last of the peer.
        It counts the wraps, so it must be called at the first packet of a key and then at least once in
        32768 packets, which are eleven minutes.
        """
        if self._index < 0:
            self._index = sequence
        step = (sequence - self._index) & 0xFFFF
        if step < 0x8000:
            self._index += step
        if heard is not None:
            ssrc, last = heard
            known = ssrc == self._heard_ssrc and self._heard >= 0
            self._heard = _nearest(self._heard, last) if known else last
            self._heard_ssrc = ssrc
        return Mark(self._index, self.reports, self._heard)

    def resume(self, ssrc: int, mark: Mark) -> None:
        """Go on with the line of another process at `mark`, which may lie ahead of what was sent."""
        self._index, self.reports, self._hint = mark
        for index in _way_to(mark.next_index - 1):
            self._send.protect(_HEADER.pack(0x80, 0, index & 0xFFFF, 0, ssrc))
        for _ in range(mark.reports):
            self._send.protect_rtcp(_EMPTY_REPORT.pack(0x80, 201, 1, ssrc))

    # -- out --------------------------------------------------------------------------------------------

    def protect(self, packet: bytes) -> bytes | None:
        """An RTP packet of ours, protected; None when it must not be sent."""
        try:
            return self._send.protect(packet)
        except (Error, ValueError):
            self.unprotectable += 1
            return None

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """A compound RTCP packet of ours, protected; None when it must not be sent."""
        self.reports += 1
        try:
            return self._send.protect_rtcp(packet)
        except (Error, ValueError):
            self.unprotectable += 1
            return None

    # -- in ---------------------------------------------------------------------------------------------

    def unprotect(self, packet: bytes) -> bytes | None:
        """The RTP packet within an SRTP packet; None for one that nobody with the key has sent now."""
        try:
            clear: bytes = self._receive.unprotect(packet)
        except (Error, ValueError) as error:
            return self._seek(packet) if self._count(error) and self._seeking else None
        ssrc = clear[8:12]
        if ssrc != self._last and not self._meet(ssrc):
            return None
        return clear

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """The compound RTCP packet within an SRTCP packet, or None."""
        try:
            clear: bytes = self._receive.unprotect_rtcp(packet)
        except (Error, ValueError) as error:
            self._count(error)
            return None
        return clear if self._is_known(clear[4:8]) else None

    def _start_sending(self) -> None:
        self._send = _context(self.keys.suite, self.keys.send, Policy.SSRC_ANY_OUTBOUND)
        self._index = -1
        self.reports = 0

    def _start_receiving(self) -> None:
        self._receive = _context(self.keys.suite, self.keys.receive, Policy.SSRC_ANY_INBOUND)
        self._known: set[bytes] = set()
        self._last = b""
        self._seeking = 1
        self._heard = self._heard_ssrc = self._hint = -1

    def _count(self, error: Exception) -> bool:
        """Count a refused packet; True when its tag was wrong."""
        message = str(error)
        if message in _BAD_TAGS:
            self.bad_tags += 1
            return True
        if message in _REPLAYS:
            self.replays += 1
        else:
            self.malformed += 1
        return False

    def _meet(self, ssrc: bytes) -> bool:
        """A packet of another SSRC than the last one; its tag was right."""
        if not self._is_known(ssrc):
            return False
        self._last = ssrc
        self._seeking = 0
        return True

    def _is_known(self, ssrc: bytes) -> bool:
        known = self._known
        if ssrc not in known:
            if len(known) >= MOST_SSRCS:
                self._receive.remove_stream(int.from_bytes(ssrc, "big"))
                self.malformed += 1
                return False
            known.add(ssrc)
        return True

    def _seek(self, packet: bytes) -> bytes | None:
        """Try the next roll-over counter on a packet whose tag is wrong for counter 0.

        Only while nothing has come under this key, one counter for each packet, and `MOST_ROLL_OVERS` in
        all: whoever has no key can cause no more work than that. libsrtp follows a counter over packets, so
        it is led there by packets of our own that step ahead under the peer's key.
        """
        _, _, sequence, _, ssrc = _HEADER.unpack_from(packet)
        if self._hint >= 0:
            roll_over, self._hint = _nearest(self._hint, sequence) >> 16, -1
        else:
            roll_over, self._seeking = self._seeking, (self._seeking + 1) % (MOST_ROLL_OVERS + 1)
        receive = self._receive
        guide = _context(self.keys.suite, self.keys.receive, Policy.SSRC_ANY_OUTBOUND)
        goal = (roll_over << 16) + sequence - WINDOW
        try:
            for index in _way_to(goal):
                receive.unprotect(guide.protect(_HEADER.pack(0x80, 0, index & 0xFFFF, 0, ssrc)))
            clear: bytes = receive.unprotect(packet)
        except Error:
            receive.remove_stream(ssrc)
            return None
        self.bad_tags -= 1
        self._heard, self._heard_ssrc = (roll_over << 16) + sequence, ssrc
        return clear if self._meet(clear[8:12]) else None


def _nearest(index: int, sequence: int) -> int:
    """The index with this sequence number that lies nearest to `index` (RFC 3711 §3.3.1)."""
    return max(sequence, index + ((sequence - index + 0x8000) & 0xFFFF) - 0x8000)


def _way_to(index: int) -> list[int]:
    """Numbers that lead a context from roll-over counter 0 to `index`, each of them a step ahead."""
    return [*range(index % _STRIDE, index, _STRIDE), index] if index >= 0 else []


def _context(suite: str, key: bytes, kind: int) -> Session:
    """One direction under one key."""
    if len(key) != SRTP_SUITES.get(suite):
        raise ValueError(f"{len(key)} bytes are no key of {suite!r}")
    policy = Policy(key=key, ssrc_type=kind, srtp_profile=PROFILES[suite])
    policy.window_size = WINDOW
    return Session(policy)
