"""ICE of a port whose peer is a browser: the lite role, which only answers (RFC 8445 §2.5, §7.3).

A browser checks each way to us with a STUN question that it signs with our password. A check with right
integrity makes its source valid, and one with USE-CANDIDATE makes it the pair that media takes. We ask
nothing ourselves, so no address of an SDP is ever sent to: not one byte goes where nobody has proved that
he knows the password. The peer's checks go on for the whole call and are its consent (RFC 7675): a way that
was not checked for `CONSENT_S` is not sent to any more.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from sipcc import stun
from sipcc.bucket import TokenBucket
from sipcc.rtp.flow import SrtpKeys
from sipcc.rtp.latch import Address

CONSENT_S: Final = 30.0
"""So long a way may go without a check (RFC 7675 §5.1)."""
MAX_PAIRS: Final = 16
"""Ways that are remembered at a time; a browser has three or four."""
MAX_CHECK_BYTES: Final = 548
REFUSALS_PER_S, REFUSALS_AT_ONCE = 10.0, 20.0
"""Answers to who has not proved anything; what is more is dropped, or we would be a mirror for floods."""

_PRIORITY, _USE_CANDIDATE, _CONTROLLED = 0x0024, 0x0025, 0x8029
_KNOWN = frozenset({stun.USERNAME, stun.MESSAGE_INTEGRITY, _PRIORITY, _USE_CANDIDATE})


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """What checks have proved, for a process that goes on with a port."""

    pairs: tuple[tuple[Address, float], ...]
    nominated: Address | None
    before: tuple[Address, float] | None
    checked_at: float


class BrowserProof(msgspec.Struct, frozen=True, array_like=True):
    """All that a browser has proved to a port: its ways, and the keys of its DTLS association."""

    ice: Proof
    keys: SrtpKeys | None


Denied = Callable[[Address], bool]
"""True for an address that must not be sent to, whoever asks."""


class Credentials(msgspec.Struct, frozen=True):
    """The names and passwords of both ends, from ``a=ice-ufrag`` and ``a=ice-pwd`` (RFC 8839 §5.4)."""

    local_ufrag: str
    local_password: str
    remote_ufrag: str


class IceLite:
    """The lite end of one port. Feed it the STUN datagrams that come; it says what to answer."""

    def __init__(self, credentials: Credentials, *, denied: Denied) -> None:
        self._denied = denied
        self._refusals = TokenBucket(REFUSALS_PER_S, REFUSALS_AT_ONCE)
        self._pairs: dict[Address, float] = {}
        """When each valid way was checked last, the oldest first."""
        self._nominated: Address | None = None
        self._before: tuple[Address, float] | None = None
        self.checked_at = float("-inf")
        """When the last check with right integrity came."""
        self.checks = 0
        """Checks with right integrity."""
        self.refused = 0
        """Checks that we did not take: of a stranger, of another call, or from an address that is denied."""
        self.malformed = 0
        """Datagrams that are no STUN, or none that can be read; answers to questions that we never asked."""
        self._take(credentials)

    def _take(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._username = f"{credentials.local_ufrag}:{credentials.remote_ufrag}".encode()
        self._key = credentials.local_password.encode()

    def restart(self, credentials: Credentials, *, now: float) -> None:
        """New names were exchanged: all ways must be checked anew (RFC 8445 §9).

        Until one is, media goes on by the old way, so that the call does not fall silent.
        """
        if credentials == self.credentials:
            return
        target = self.target(now=now)
        self._before = (target, self._pairs.get(target, now)) if target is not None else None
        self._pairs.clear()
        self._nominated = None
        self._take(credentials)

    @property
    def proof(self) -> Proof:
        """What was proved so far."""
        return Proof(tuple(self._pairs.items()), self._nominated, self._before, self.checked_at)

    def resume(self, proof: Proof) -> None:
        """Go on with what another process saw proved, under the same names."""
        self._pairs = dict(proof.pairs)
        self._nominated, self._before, self.checked_at = proof.nominated, proof.before, proof.checked_at

    def is_valid(self, source: Address) -> bool:
        """True for a source that has proved itself: only its packets are looked at."""
        return source in self._pairs or (self._before is not None and source == self._before[0])

    def target(self, *, now: float) -> Address | None:
        """Where to send: the nominated way, else the one checked last; None while there is none."""
        oldest = now - CONSENT_S
        if self._nominated is not None and self._pairs.get(self._nominated, oldest) > oldest:
            return self._nominated
        if self._pairs:
            latest = max(self._pairs, key=lambda pair: self._pairs[pair])
            if self._pairs[latest] > oldest:
                return latest
        if self._before is not None and self._before[1] > oldest:
            return self._before[0]
        return None

    def receive(self, data: bytes, source: Address, *, now: float) -> bytes | None:
        """Take one STUN datagram and return the answer to send back to `source`, if it earns one."""
        attributes = _read(data)
        if attributes is None:
            self.malformed += 1
            return None
        transaction = data[8:20]
        by_kind = {entry.kind: entry for entry in reversed(attributes)}  # of doubles the first counts
        integrity, username = by_kind.get(stun.MESSAGE_INTEGRITY), by_kind.get(stun.USERNAME)
        if integrity is None or username is None:
            return self._refuse(400, transaction, len(data), now)
        if username.value != self._username or not stun.has_integrity(data, integrity, self._key):
            return self._refuse(401, transaction, len(data), now)
        vouched = {kind: entry for kind, entry in by_kind.items() if entry.at <= integrity.at}
        if self._denied(source):
            self.refused += 1
            return None
        error = self._judge(vouched, source)
        if error:
            self.refused += 1
            return stun.seal(stun.ERROR, transaction, error, key=self._key)
        mapped = stun.xor_mapped(source[0], source[1], transaction)
        if mapped is None:
            self.malformed += 1
            return None
        self._validate(source, nominate=_USE_CANDIDATE in vouched, now=now)
        return stun.seal(stun.SUCCESS, transaction, mapped, key=self._key)

    def _judge(self, attributes: dict[int, stun.Attribute], source: Address) -> bytes:
        """The error with which a check of our peer is answered; empty when it is in order."""
        unknown = [kind for kind, entry in attributes.items() if entry.required and kind not in _KNOWN]
        if unknown:
            listed = b"".join(kind.to_bytes(2, "big") for kind in unknown[:4])
            return stun.error_code(420) + stun.attribute(stun.UNKNOWN_ATTRIBUTES, listed)
        if _CONTROLLED in attributes:
            return stun.error_code(487)  # a lite end is always the controlled one (RFC 8445 §6.1.1)
        priority = attributes.get(_PRIORITY)
        if source not in self._pairs and (priority is None or len(priority.value) != 4):
            return stun.error_code(400)
        return b""

    def _validate(self, source: Address, *, nominate: bool, now: float) -> None:
        self.checks += 1
        self.checked_at = now
        self._pairs.pop(source, None)
        self._pairs[source] = now
        if nominate:
            self._nominated = source  # the last word counts: a browser that changes networks says it anew
            self._before = None
        while len(self._pairs) > MAX_PAIRS:
            del self._pairs[next(pair for pair in self._pairs if pair != self._nominated)]

    def _refuse(self, status: int, transaction: bytes, size: int, now: float) -> bytes | None:
        """Answer who has proved nothing, without our signature, and never with more than he sent."""
        self.refused += 1
        answer = stun.seal(stun.ERROR, transaction, stun.error_code(status))
        return answer if len(answer) <= size and self._refusals.take(now) else None


def _read(data: bytes) -> list[stun.Attribute] | None:
    if not stun.looks_like_stun(data) or len(data) > MAX_CHECK_BYTES:
        return None
    kind, length, _, _ = stun.HEADER.unpack_from(data)
    if kind != stun.REQUEST or length % 4 or length != len(data) - stun.HEADER.size:
        return None
    return stun.read_attributes(data)


@lru_cache(maxsize=1024)
def is_no_place_for_media(host: str) -> bool:
    """True for what nobody's audio lives at: groups, broadcast, nowhere, and the metadata of clouds.

    Link-local IPv4 is denied as a whole: on the open network nothing of ours is there, but at
    169.254.169.254 many clouds answer whoever asks.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    if address.version == 4 and address.is_link_local:
        return True
    return address.is_multicast or address.is_unspecified or host == "255.255.255.255"
