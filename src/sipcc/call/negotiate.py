"""From SDP to streams: what we offer, what we answer, and how the audio then travels (RFC 3264).

The ledger of who owes whom is `sipcc.sip.offer`; this decides what the descriptions say. One audio line is
taken, the first that is not refused; every other media line is refused with port 0, in its place, but for
the `extra` ones that `sipcc.call.passthrough` passes on to another leg.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from sipcc.call.codecs import Agreed, CodecRules, CodecTable, format_attributes
from sipcc.call.extralines import place_lines, why_not_to
from sipcc.call.security import Keying, PlainKeying
from sipcc.errors import NoCommonCodec, ParseError, RemoteProtocolError
from sipcc.rtp.flow import CodecName, StreamParams
from sipcc.rtp.formats import CodecSpec
from sipcc.sip.offer import OfferAnswer, OfferState
from sipcc.sip.sdp import Attribute, Connection, Direction, MediaDescription, RtpMap, SessionDescription

Hold = Literal["", "sendonly", "inactive", "null"]
"""How we keep the far side on hold: not at all; it may listen to music; silence both ways; or by the null
address of RFC 2543, for peers that know no direction attributes."""


class MediaNegotiation:
    """The descriptions of one leg, both ways, and the stream they amount to."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        codecs: Sequence[CodecName],
        ptime_ms: int,
        session_id: int,
        keying: Keying | None = None,
        rules: CodecRules | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._codecs = CodecTable(codecs, rules)
        self._prefer: CodecName | None = None
        self._keying: Keying = keying or PlainKeying()
        self._keying.place(host, port)
        self._ptime_ms = ptime_ms
        self._session_id = session_id
        self._ledger = OfferAnswer()
        self.params: StreamParams | None = None
        """The stream as agreed last, or None before the first agreement."""
        self.remote_hold = False
        """True while the far side keeps us on hold, in any of the three spellings."""
        self.local_hold: Hold = ""
        """How we keep the far side on hold; it counts from the next description of ours on."""
        self.local_body = b""
        """Our description as sent last, or before an offer that failed."""
        self.extra: dict[str, MediaDescription] = {}
        """Lines of ours besides the audio, by their kind (``video``, ``image``), in force from the next
        description on."""
        self.audio_off = False
        """True when an offer of ours refuses the audio, because a fax takes its place."""
        self._body_before = b""
        self._fork = ""
        self._aside: tuple[SessionDescription | None, bytes] | None = None

    def resume(
        self, local_body: bytes, remote_body: bytes, *, params: StreamParams, local_hold: Hold, held: bool
    ) -> None:
        """Go on from the two descriptions that another process has agreed on.

        Raises:
            ParseError: one of them is damaged.
        """
        remote = SessionDescription.parse(remote_body)
        self._ledger.resume(SessionDescription.parse(local_body), remote)
        self._keying.resume(remote, params)
        self.params, self.local_body = params, local_body
        self.local_hold, self.remote_hold = local_hold, held

    @property
    def awaiting_answer(self) -> bool:
        """True while an offer of ours has no answer."""
        return self._ledger.state is OfferState.LOCAL_OFFER

    @property
    def remote(self) -> SessionDescription | None:
        """The peer's description that is in force."""
        return self._ledger.remote

    def make_offer(self, *, prefer: CodecName | None = None) -> bytes:
        """Our offer; `prefer` puts one codec first, so that two legs may agree and be relayed.

        It says all that we can do, and our own hold if any; a hold of the peer's does not narrow it
        (RFC 6337 §5.3), or a peer that asks us for an offer could never resume.
        """
        if self.params is None:
            prefer = prefer or self._prefer
        maps = self._codecs.offer(prefer=prefer, params=self.params)
        protocol, keys = self._keying.offer()
        media = self._audio(maps, self._ptime_ms, (*keys, *self._direction("sendrecv")), protocol)
        if self.audio_off:
            media = media.refused()
        lines = place_lines(self._ledger.local, {"audio": media, **self.extra})
        self._body_before = self.local_body
        return self._send(self._ledger.offer(self._describe(tuple(lines))))

    def take_answer(self, body: bytes, *, reliable: bool = True, fork: str = "") -> None:
        """Read the peer's answer to our offer.

        Args:
            body: the description. One that comes again after the answer is passed over.
            reliable: False for an unreliable provisional response: a preview, which early media may use
                while the answer proper is still owed (RFC 6337 §3.1.1).
            fork: the To tag; an answer of another fork takes the place of the first one's.

        Raises:
            ParseError: it is not SDP, or not an answer to what we offered.
            NoCommonCodec: it refuses the audio, or names a codec that we did not offer.
        """
        if fork and self._fork and fork != self._fork and body:
            self._ledger.reopen()
            self._keying.reopen()
        if not self.awaiting_answer:
            return
        if not body and reliable and fork == self._fork and self._ledger.accept_preview():
            return
        answer = _parse(body)
        resting = self.audio_off and answer.audio is None  # be the fax itself taken or not
        if not resting:
            self._choose(answer, answered=True)
        try:
            self._ledger.receive_answer(answer, reliable=reliable)
        except RemoteProtocolError as error:
            raise ParseError(str(error), layer="body", status_hint=error.status_hint) from error
        self._fork = fork
        if resting:
            self._rest()
        else:
            self._agree(answer, answered=True)

    def withdraw(self) -> None:
        """Our open offer was refused: all is as before it (RFC 3261 §14.1)."""
        if self.awaiting_answer:
            self._ledger.withdraw()
            self.local_body = self._body_before

    def set_aside(self) -> None:
        """Our offer met a 491 and waits to be sent again: meanwhile the peer's own comes first."""
        if self.awaiting_answer:
            self._aside = self._ledger.offered, self.local_body
            self.withdraw()

    def take_up(self) -> None:
        """The offer that was set aside is being answered after all."""
        if self._aside is not None:
            description, body = self._aside
            self._aside = None
            if description is not None and self._ledger.state is OfferState.STABLE:
                self._body_before, self.local_body = self.local_body, body
                self._ledger.offer(description)

    def make_answer(self, body: bytes) -> bytes:
        """Read the peer's offer and answer it.

        Raises:
            ParseError: it is not SDP.
            NoCommonCodec: nothing in it is for us; the state is as before.
        """
        return self._answer(_parse(body))

    def reconsider(self, prefer: CodecName) -> None:
        """Answer the peer's offer again, with `prefer` if the offer has it, so that two legs can be relayed.

        Only while no answer of ours has left. Later offers of the peer are answered alike.
        """
        self._prefer = prefer
        offer = self._ledger.remote
        if offer is not None and self.params is not None and self.params.codec != prefer:
            self._answer(offer)

    def _answer(self, offer: SessionDescription) -> bytes:
        try:
            self._ledger.receive_offer(offer)
        except RemoteProtocolError as error:
            raise ParseError(str(error), layer="body", status_hint=error.status_hint) from error
        if self._is_fax(offer):
            lines = tuple(self._extra_for(line, offer) for line in offer.media)
            answer = self._ledger.answer(self._describe(lines))
            self._rest()
            return self._send(answer)
        try:
            audio, agreed = self._choose(offer, answered=False)
        except NoCommonCodec:
            self._ledger.withdraw()
            raise
        ptime_ms = _ptime(audio, self._ptime_ms, agreed.spec)
        protocol, keys = self._keying.answer(offer, audio)
        attributes = (*keys, *self._direction(offer.direction_of(audio)))
        lines = tuple(
            self._audio(agreed.maps, ptime_ms, attributes, protocol)
            if line is audio
            else self._extra_for(line, offer)
            for line in offer.media
        )
        answer = self._ledger.answer(self._describe(lines))
        self._agree(offer, answered=False)
        return self._send(answer)

    def move(self, host: str, port: int) -> None:
        """Our audio is received somewhere else from the next description on."""
        self._host, self._port = host, port
        self._keying.place(host, port)

    def is_refresh(self, body: bytes) -> bool:
        """True when an offer says what the peer's last description said: a session refresh."""
        remote = self._ledger.remote
        if remote is None:
            return False
        try:
            offer = SessionDescription.parse(body)
        except ParseError:
            return False
        return (offer.media, offer.connection) == (remote.media, remote.connection)

    # -- inside ---------------------------------------------------------------------------------

    def _extra_for(self, line: MediaDescription, offer: SessionDescription) -> MediaDescription:
        """Our answer to a line that is not the audio: what another leg says to it, or a refusal."""
        first = next(other for other in offer.media if other.kind == line.kind)
        extra = self.extra.get(line.kind) if line.port and line is first else None
        return line.refused() if extra is None else msgspec.structs.replace(extra, protocol=line.protocol)

    def _is_fax(self, description: SessionDescription) -> bool:
        """True for a description without audio, when a fax is passed on in its place."""
        fax = any(line.kind == "image" and line.port for line in description.media)
        return fax and "image" in self.extra and description.audio is None

    def _rest(self) -> None:
        """The audio rests while a fax goes by its own port."""
        if self.params is not None:
            self.params = msgspec.structs.replace(self.params, send=False, receive=False)

    def _agree(self, remote: SessionDescription, *, answered: bool) -> None:
        """Take the stream from the peer's description: its offer, or its answer to ours."""
        audio, agreed = self._choose(remote, answered=answered)
        keyed = self._keying.agree(remote, audio, answered=answered)
        connection = remote.connection_of(audio)
        direction = remote.direction_of(audio)
        # a browser that has not gathered its addresses yet names the null one, and means no hold
        null = self._keying.by_address and (connection is None or connection.is_null)
        _, rtcp_port = remote.rtcp_of(audio)
        if not (answered and self.local_hold):
            # what answers our own hold says nothing of the peer's
            self.remote_hold = null or direction in {"sendonly", "inactive"}
        self.params = StreamParams(
            # a=rtcp may name another host, and so aim our reports at anyone: only its port counts
            remote_host=connection.host if connection else "0.0.0.0",
            remote_port=audio.port,
            remote_rtcp_port=rtcp_port,
            codec=agreed.codec,
            payload_type=agreed.audio.payload_type,
            receive_payload_type=agreed.receive_type,
            clock_rate_hz=agreed.audio.rate_hz,
            fmtp=agreed.fmtp,
            event_payload_type=agreed.events.payload_type if agreed.events else None,
            receive_event_payload_type=agreed.receive_event_type,
            event_clock_rate_hz=agreed.events.rate_hz if agreed.events else 8000,
            noise_payload_type=agreed.noise.payload_type if agreed.noise else None,
            keys=self._codecs.rules.keys,
            fax_tones=self._codecs.rules.fax_tones,
            send=not null and direction in {"sendrecv", "recvonly"} and self.local_hold != "inactive",
            receive=direction in {"sendrecv", "sendonly"} and not self.local_hold,
            ptime_ms=_ptime(audio, self._ptime_ms, agreed.spec),
            rtcp_mux=keyed.rtcp_mux,
            srtp=keyed.srtp,
            browser=keyed.browser,
        )

    def _direction(self, theirs: Direction) -> tuple[tuple[str, str], ...]:
        """The attribute that answers a direction of the peer's, as far as our own hold allows."""
        send = theirs in {"sendrecv", "recvonly"} and self.local_hold != "inactive"
        receive = theirs in {"sendrecv", "sendonly"} and self.local_hold in {"", "null"}
        if send and receive:
            # it may be left out, but some who speak WebRTC take that for silence both ways
            return () if self._keying.by_address else (("sendrecv", ""),)
        return (("sendonly" if send else "recvonly" if receive else "inactive", ""),)

    def _choose(self, description: SessionDescription, *, answered: bool) -> tuple[MediaDescription, Agreed]:
        """The audio line, and the formats in it that are ours too.

        Raises:
            NoCommonCodec: there is none, or its audio must not be sent where it says.
        """
        audio = description.audio
        if audio is None:
            raise NoCommonCodec("no audio is offered")
        self._keying.check(description, audio, answered=answered)
        # browsers put Opus first, which is dear; they all have G.711, and our order says what we want
        ours = not self._keying.by_address
        agreed = self._codecs.choose(audio, answered=answered, prefer=self._prefer, ours=ours)
        if self._keying.by_address:
            self._check_address(description, audio)
        return audio, agreed

    def _check_address(self, description: SessionDescription, audio: MediaDescription) -> None:
        """Refuse addresses that audio must not go to: names, multicast, broadcast (reliability D05)."""
        connection = description.connection_of(audio)
        if connection is None:
            raise NoCommonCodec("the audio has no address")
        why = why_not_to(connection.host)
        if why:
            raise NoCommonCodec(why)

    def _audio(
        self,
        maps: Sequence[RtpMap],
        ptime_ms: int,
        extra: tuple[Attribute, ...],
        protocol: str,
    ) -> MediaDescription:
        attributes = [*format_attributes(maps), ("ptime", str(ptime_ms))]
        formats = tuple(str(entry.payload_type) for entry in maps)
        return MediaDescription("audio", self._port, protocol, formats, attributes=(*attributes, *extra))

    def _describe(self, media: tuple[MediaDescription, ...]) -> SessionDescription:
        description = SessionDescription.build(
            self._host, media, session_id=self._session_id, attributes=self._keying.session()
        )
        if self.local_hold != "null":
            return description
        null = Connection.to_host("::" if ":" in self._host else "0.0.0.0")
        return msgspec.structs.replace(description, connection=null)

    def _send(self, description: SessionDescription) -> bytes:
        self.local_body = bytes(description)
        return self.local_body


def _parse(body: bytes) -> SessionDescription:
    if not body:
        raise ParseError("a description is owed and none came", layer="body")
    return SessionDescription.parse(body)


def _ptime(audio: MediaDescription, ours_ms: int, codec: CodecSpec) -> int:
    """The packet time that the peer wants, within what we do; our own when it names none."""
    wanted = ours_ms if audio.ptime is None else audio.ptime
    return codec.packet_ms(min(wanted, audio.maxptime or wanted))
