"""How the audio of a leg is protected, as descriptions say it: the seam, and audio without protection."""

from __future__ import annotations

from typing import Protocol

import msgspec

from sipcc.errors import NoCommonCodec
from sipcc.rtp.flow import BrowserParams, SrtpKeys
from sipcc.sip.sdp import Attribute, MediaDescription, SessionDescription


class Keyed(msgspec.Struct, frozen=True):
    """What a description and its answer have agreed on besides codecs and addresses."""

    srtp: SrtpKeys | None = None
    browser: BrowserParams | None = None
    rtcp_mux: bool = False


class Keying(Protocol):
    """One leg's way to keys. It keeps its own state over re-INVITEs; what it refuses changes nothing."""

    def offer(self) -> tuple[str, tuple[Attribute, ...]]:
        """Protocol and attributes of the audio line of our offer."""
        ...

    def check(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> None:
        """Look at the peer's audio line: its offer, or (`answered`) its answer to ours.

        Raises:
            NoCommonCodec: its protocol or its keys are none that we may take.
        """
        ...

    def answer(self, offer: SessionDescription, audio: MediaDescription) -> tuple[str, tuple[Attribute, ...]]:
        """Protocol and attributes of the audio line that answers a line which `check` has let pass."""
        ...

    def session(self) -> tuple[Attribute, ...]:
        """Attributes of the whole description that goes with the line made last."""
        ...

    def agree(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> Keyed:
        """Take what has been agreed on, once offer and answer are both known."""
        ...


class PlainKeying:
    """Audio in the clear (RFC 3551)."""

    def offer(self) -> tuple[str, tuple[Attribute, ...]]:
        """RTP/AVP, without more."""
        return "RTP/AVP", ()

    def check(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> None:
        """Take RTP/AVP and RTP/AVPF."""
        if audio.protocol not in {"RTP/AVP", "RTP/AVPF"}:
            raise NoCommonCodec("no plain RTP audio is offered")

    def answer(self, offer: SessionDescription, audio: MediaDescription) -> tuple[str, tuple[Attribute, ...]]:
        """The protocol as it came."""
        return audio.protocol, ()

    def session(self) -> tuple[Attribute, ...]:
        """Nothing."""
        return ()

    def agree(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> Keyed:
        """Nothing but the ports."""
        return Keyed()
