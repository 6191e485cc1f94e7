"""The leg to a browser: ICE, DTLS and SRTP on one socket (RFC 8834, RFC 7983).

A datagram says by its first byte whose it is. STUN goes to the lite end of ICE, and what that has proved
decides all else: DTLS and SRTP are looked at only from sources that were checked with our password, and
whatever we send goes to the way that the browser nominated. Once DTLS has its keys the session gets its
shield, and from there on a packet costs what it costs on any SRTP leg.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sipcc.rtp.dtls import DtlsEndpoint
from sipcc.rtp.flow import BrowserParams, SrtpKeys
from sipcc.rtp.ice import BrowserProof, Credentials, Denied, IceLite, is_no_place_for_media
from sipcc.rtp.latch import Address, SourceGate, Verdict
from sipcc.rtp.portstate import NOWHERE
from sipcc.rtp.session import Session
from sipcc.rtp.srtp import Shield

SLACK_S: Final = 0.05
"""Two deadlines of DTLS that are no farther apart are one."""


class ProvedGate(SourceGate):
    """The source rules where ICE has judged each packet before it came here: there is nothing to learn."""

    def __init__(self, *, now: float) -> None:
        super().__init__(NOWHERE, now=now)

    def reopen(
        self,
        expected: Address,
        *,
        now: float,
        payload_types: frozenset[int] | None = None,
        held: bool = False,
    ) -> None:
        """Nothing: addresses of an SDP mean nothing to ICE."""

    def accept_proved(self, source: Address, *, now: float) -> Verdict:
        """Yes: a browser may send by any of its ways, whichever we send by."""
        return Verdict.ACCEPTED

    def accept_rtcp(self, source: Address, *, now: float) -> bool:
        """Yes."""
        return True


class BrowserLeg:
    """What one port speaks with a browser besides RTP. A `sipcc.rtp.session.BrowserPath`."""

    def __init__(
        self,
        params: BrowserParams,
        *,
        send: Callable[[bytes, Address], None],
        changed: Callable[[float], None],
        wake: Callable[[float], None],
        denied: Denied,
    ) -> None:
        """Begin without a way and without keys.

        `send` puts a datagram on the RTP socket, `changed` is told that `target` or `keys` are new, and
        `wake` calls `expire` at a time, besides its turn of once a second.
        """
        self._send = send
        self._changed = changed
        self._wake = wake
        self._alarm = 0.0
        self._params = params
        self._ice = IceLite(_credentials(params), denied=denied)
        self._dtls = self._endpoint()
        self.target: Address | None = None
        """Where to send; None while no way is proved, or when the peer's consent has run out."""
        self.unproven = 0
        """Datagrams of DTLS and SRTP from sources that no check has proved."""
        self.strange = 0
        """Datagrams that are none of the three."""

    @property
    def keys(self) -> SrtpKeys | None:
        """The keys of the association, once the peer has proved to be who its SDP said."""
        return self._dtls.keys

    @property
    def foreign(self) -> int:
        """Datagrams of those who have proved nothing."""
        return self.unproven + self._ice.refused

    @property
    def malformed(self) -> int:
        """Datagrams that nothing could be made of."""
        return self.strange + self._ice.malformed + self._dtls.malformed

    @property
    def wrong_fingerprint(self) -> bool:
        """True when the peer showed a certificate that its SDP did not promise: it gets no audio."""
        return self._dtls.wrong_fingerprint

    @property
    def checked_at(self) -> float:
        """When the peer last showed by a check that it is there; minus infinity before the first."""
        return self._ice.checked_at

    def configure(self, params: BrowserParams, *, now: float) -> None:
        """Take the names and fingerprints of a new offer and answer.

        New names restart ICE and leave the keys alone (RFC 8842 §4); a new certificate is a new
        association. The DTLS role stays as it is for as long as the certificate does.
        """
        before, self._params = self._params, params
        self._ice.restart(_credentials(params), now=now)
        if _association(before) != _association(params):
            self._dtls.close()
            self._dtls = self._endpoint()
            self._changed(now)
        self._follow(now)

    @property
    def proof(self) -> BrowserProof:
        """What the browser has proved so far."""
        return BrowserProof(self._ice.proof, self._dtls.keys)

    def resume(self, proof: BrowserProof, *, now: float) -> None:
        """Go on with a browser that has proved this to a process which died."""
        self._ice.resume(proof.ice)
        if proof.keys is not None:
            self._dtls.resume(proof.keys)
        self.target = self._ice.target(now=now)
        self._changed(now)

    def receive(self, data: bytes, source: Address, *, now: float) -> bool:
        """Take a datagram; False when it is RTP or RTCP from a source that ICE has proved."""
        first = data[0] if data else 255
        if 128 <= first <= 191:
            if self._ice.is_valid(source):
                return False
            self.unproven += 1
        elif first <= 3:
            answer = self._ice.receive(data, source, now=now)
            if answer is not None:
                self._send(answer, source)
            self._follow(now)
        elif not 20 <= first <= 63:
            self.strange += 1
        elif self._ice.is_valid(source):
            before = self._dtls.keys
            self._answer(self._dtls.receive(data, now=now), source)
            if self._dtls.keys is not before:
                self._changed(now)
        else:
            self.unproven += 1
        return True

    def expire(self, *, now: float) -> None:
        """Send again what DTLS wants sent again, and see whether there is consent still."""
        if self.target is not None:
            self._answer(self._dtls.expire(now=now), self.target)
        self._follow(now)

    def close(self) -> None:
        """Tell the peer that the association is over."""
        goodbye = self._dtls.close()
        if self.target is not None:
            self._answer(goodbye, self.target)

    # -- inside -------------------------------------------------------------------------------------------

    def _endpoint(self) -> DtlsEndpoint:
        params = self._params
        return DtlsEndpoint(params.identity, params.fingerprints, active=params.setup == "active")

    def _follow(self, now: float) -> None:
        """Go where ICE says; the active end of DTLS begins as soon as there is a way."""
        target = self._ice.target(now=now)
        if target != self.target:
            self.target = target
            self._changed(now)
        if target is not None:
            self._answer(self._dtls.begin(now=now), target)

    def _answer(self, datagrams: list[bytes], to: Address) -> None:
        for datagram in datagrams:
            self._send(datagram, to)
        deadline = self._dtls.deadline
        if deadline is not None and abs(deadline - self._alarm) > SLACK_S:
            self._alarm = deadline
            self._wake(deadline)


def tie(session: Session, params: BrowserParams, *, denied: Denied, now: float) -> None:
    """Let a port speak with a browser, or tell it of a new offer and answer.

    The two know each other from here on: whoever closes the session lets go of its `browser`.
    """
    if session.browser is not None:
        session.browser.configure(params, now=now)
        return

    def changed(at: float) -> None:
        leg = session.browser
        assert leg is not None
        keys = leg.keys
        if keys is None:
            session.shield = None  # what the old keys protect is not from this peer any more
        elif session.shield is None or session.shield.keys is not keys:
            session.shield = Shield(keys)
        if session.gate is not None:
            session.gate.source = leg.target or NOWHERE
        session.unsettled = True
        session.wake(at)
        if session.line.on_anchor is not None:
            session.line.on_anchor()  # whoever keeps a record of the port writes it anew

    session.browser = BrowserLeg(
        params, send=session.send_beside, changed=changed, wake=session.wake, denied=denied
    )


def denied_by(hosts: frozenset[str], ports: tuple[int, int]) -> Denied:
    """Denies what is no place for media, and our own media ports: audio must not go round in a circle."""
    low, high = ports

    def denied(address: Address) -> bool:
        host, port = address
        return is_no_place_for_media(host) or (host in hosts and low <= port <= high)

    return denied


def _credentials(params: BrowserParams) -> Credentials:
    return Credentials(params.local_ufrag, params.local_password, params.remote_ufrag)


def _association(params: BrowserParams) -> tuple[object, ...]:
    """What makes a new DTLS association when it changes (RFC 8842 §5.1)."""
    return params.fingerprints, params.identity, params.setup
