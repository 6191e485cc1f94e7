"""The seam between media and the rest: what `call/` may ask of a media engine, as data and Protocols.

One Protocol, two implementations: `sipcc.rtp.local.LocalEngine` runs in this process, and
`sipcc.rtp.pool.WorkerPool` drives one worker process per core over unix sockets with the very structs of
this file. Commands are fire-and-forget and keep their order per port; what comes of them arrives as
events. `sipcc.rtp` and `sipcc.sip` are strangers: nothing here knows SDP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

import msgspec

from sipcc.rtp.events import MediaEvent
from sipcc.rtp.load import EngineLoad

CodecName = Literal["PCMU", "PCMA", "G722", "opus", "L16", "G729"]
"""Encoding names as their rtpmaps have them."""

Law = Literal["PCMU", "PCMA"]
"""The two laws of G.711: a byte is a sample, so they are carried without any signal processing."""

Role = Literal["talk", "listen", "whisper"]
"""What a leg does in a room: it is heard by all, by nobody, or by the one whom it coaches."""

KeyMethod = Literal["auto", "events", "inband", "off"]
"""How a party's keys are heard; ``auto`` is by telephone events when they were agreed, else in the audio."""


SRTP_SUITES: dict[str, int] = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
"""Crypto suites by their names in RFC 4568 §6.2 and RFC 7714 §14.1, and the bytes of master key and salt."""


class SrtpKeys(msgspec.Struct, frozen=True):
    """The keys of one leg (RFC 3711), whoever agreed on them."""

    suite: str
    """One of `SRTP_SUITES`."""
    send: bytes
    """Master key and salt of what we send."""
    receive: bytes
    """The same of what the peer sends."""

    def __repr__(self) -> str:
        return f"SrtpKeys({self.suite!r})"  # keys are for no log and no traceback


class Identity(msgspec.Struct, frozen=True):
    """Who we are towards browsers: one certificate for all legs of a switch, in all its processes."""

    certificate: bytes
    """X.509, DER."""
    key: bytes
    """Its private key, PKCS #8 DER."""

    def __repr__(self) -> str:
        return f"Identity({self.fingerprint[1]!r})"

    @property
    def fingerprint(self) -> tuple[str, str]:
        """Hash and colon-separated hex for ``a=fingerprint`` (RFC 8122 §5)."""
        return "sha-256", hashlib.sha256(self.certificate).digest().hex(":").upper()


class BrowserParams(msgspec.Struct, frozen=True):
    """How a leg to a browser proves who it is: ICE (RFC 8445) and DTLS-SRTP (RFC 5764)."""

    local_ufrag: str
    local_password: str
    remote_ufrag: str
    remote_password: str
    fingerprints: tuple[tuple[str, str], ...]
    """Of the peer's certificate, as (hash, colon-separated hex) of its ``a=fingerprint`` lines."""
    identity: Identity
    """Ours. It travels with the stream, so that any worker can stand in for any other."""
    setup: Literal["active", "passive"] = "passive"
    """Our DTLS role: passive waits for the peer's ClientHello."""

    def __repr__(self) -> str:
        return f"BrowserParams({self.local_ufrag!r}, {self.remote_ufrag!r}, {self.setup!r})"


class StreamParams(msgspec.Struct, frozen=True, kw_only=True):
    """How one leg's audio travels, as negotiated; a new one replaces the old in mid-call.

    The outgoing SSRC, sequence and timestamp line of the port does not break when this changes.
    """

    remote_host: str
    """Where to send RTP: the address of the peer's SDP."""
    remote_port: int
    remote_rtcp_port: int
    codec: CodecName
    payload_type: int
    """Payload type of the codec, 0..127, in what we send."""
    receive_payload_type: int | None = None
    """The same in what we receive, when it is another one: each side sends under the other's numbers."""
    clock_rate_hz: int = 8000
    """Rate of the RTP timestamps: 48000 for Opus, 8000 for G.722 although its audio has 16 kHz."""
    fmtp: str = ""
    """The peer's parameters of the codec, such as ``useinbandfec=1``."""
    event_payload_type: int | None = None
    """Payload type of telephone-event (RFC 4733), or None when the peer has none."""
    receive_event_payload_type: int | None = None
    event_clock_rate_hz: int = 8000
    noise_payload_type: int | None = None
    """Payload type of comfort noise (RFC 3389), or None when it was not agreed."""
    keys: KeyMethod = "auto"
    fax_tones: bool = False
    """True has the audio of the party listened to for fax machines (`FaxHeard`)."""
    send: bool = True
    """False when the peer put us on hold (``a=sendonly`` or ``inactive`` from it): we send nothing."""
    receive: bool = True
    """False when we asked the peer to be silent: what arrives is counted and dropped."""
    ptime_ms: int = 20
    rtcp_mux: bool = False
    """True when RTCP shares the port of RTP (RFC 5761)."""
    srtp: SrtpKeys | None = None
    """Set when packets are protected by keys that signalling agreed on."""
    browser: BrowserParams | None = None
    """Set for a browser, whose keys come from DTLS."""


class PlayFile(msgspec.Struct, frozen=True, tag="file"):
    """A sound file; a file that is missing or unreadable sounds as a fallback tone and is reported."""

    path: str
    offset_ms: int = 0
    """Where in it to begin; beyond its end there is nothing to hear."""


class PlayTone(msgspec.Struct, frozen=True, tag="tone"):
    """A tone of one or two frequencies, with a cadence."""

    frequencies_hz: tuple[float, ...]
    duration_ms: int
    level_dbm0: float = -13.0


class PlaySilence(msgspec.Struct, frozen=True, tag="silence"):
    """Silence of a known length."""

    duration_ms: int


class PlayStream(msgspec.Struct, frozen=True, tag="stream"):
    """Speech that is given by `MediaPort.feed` while it plays; it is the only item of its play."""

    law: Law | None = None
    """Set when what is fed is G.711 of this law, one byte a sample; None for 16-bit samples."""
    lead_ms: int = 60
    """How much must wait before it begins to sound, and again after it has starved."""
    limit_s: float = 30.0
    """What would wait beyond this is dropped."""


PlayItem = PlayFile | PlayTone | PlaySilence | PlayStream


class RtpStats(msgspec.Struct, frozen=True, kw_only=True):
    """What one port sent and received over its life (RFC 3550 §6.4, ITU-T G.107 for the MOS)."""

    packets_sent: int = 0
    packets_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    lost: int = 0
    """Packets that never came, over all SSRCs; duplicates do not make it negative."""
    jitter_ms: float = 0.0
    """Inter-arrival jitter at the end (RFC 3550 A.8), in ms."""
    max_jitter_ms: float = 0.0
    rtt_ms: float | None = None
    """Round trip from LSR/DLSR of the last RTCP report, or None when there was none."""
    remote_lost_fraction: float | None = None
    """Fraction lost that the peer last reported, 0..1."""
    remote_lost: int | None = None
    """Packets of ours that the peer has missed in all, as it says."""
    remote_jitter_ms: float | None = None
    """Jitter of our stream where the peer hears it."""
    remote_mos: float | None = None
    """MOS-LQ that the peer reported of what it hears (RFC 3611 §4.7), or None when it reported none."""
    remote_mos_cq: float | None = None
    mos: float | None = None
    """MOS-LQ of what we received, 1.0..4.5 (E-model), or None before the first packet."""
    mos_cq: float | None = None
    """The same for a conversation: the delay of the round trip counts."""
    r_factor: float | None = None
    """The rating that `mos_cq` comes from, 0..100."""
    codec: CodecName | None = None
    """The codec that was heard last."""
    burst_density: float = 0.0
    """Fraction lost within bursts of loss, 0..1 (RFC 3611 §4.7.2, Gmin 16)."""
    gap_density: float = 0.0
    """Fraction lost outside of bursts."""
    burst_packets: float = 0.0
    """Mean length of a burst."""
    gap_packets: float = 0.0
    """Mean length of a gap between bursts."""
    discarded: int = 0
    """Packets that came too late to be played; 0 where packets are only passed on."""
    concealed_ms: int = 0
    """Audio that was made up for packets that did not come in time."""
    foreign_packets: int = 0
    """Packets from sources that were not accepted (RTPbleed rules)."""
    malformed_packets: int = 0
    srtp_rejected: int = 0
    """Packets of a protected leg with a wrong tag, or that came before: they were never decoded."""
    ssrc_changes: int = 0
    alarms: tuple[str, ...] = ()
    """Kinds of `MediaAlarm` that were raised at least once."""


class MediaPort(Protocol):
    """One leg's media: an RTP/RTCP socket pair with its outgoing stream. All verbs return at once."""

    id: str
    host: str
    """The local address for the ``c=`` line."""
    port: int
    """The local RTP port (even); RTCP is the next one."""
    on_event: Callable[[MediaEvent], None] | None
    """Called in the loop of the caller for each event of this port."""

    def configure(self, params: StreamParams) -> None:
        """Set or replace how the audio travels; opens the learning window for the source anew."""
        ...

    def play(
        self, items: Iterable[PlayItem], *, loop: bool = False, shared: bool = False, token: int = 0
    ) -> None:
        """Play `items` without a gap, replacing what plays.

        With `shared` it joins at the position where all other shared players of the same items are, as
        hold music does.
        """
        ...

    def stop_playing(self) -> None:
        """End the play; the last packet leaves within 20 ms."""
        ...

    def pause_playing(self, paused: bool) -> None:
        """Let what plays be silent, or go on where it was."""
        ...

    def seek_playing(self, position_ms: int) -> None:
        """Go to a place in what plays, counted from the beginning of its first item."""
        ...

    def feed(self, token: int, audio: bytes, *, last: bool = False) -> None:
        """Give the next 16-bit samples of 8 kHz to the `PlayStream` that was played with `token`.

        `PlayFlow` events ask to wait and to go on; what comes beyond 30 s of waiting audio is dropped.
        A stream with a `law` or a `limit_s` of its own is fed by those.
        """
        ...

    def mark_playing(self, token: int, mark: str) -> None:
        """Have `PlayMarked` tell when all that was fed so far has been sent, or was cleared."""
        ...

    def clear_playing(self, token: int) -> None:
        """Drop what was fed and has not sounded; `PlayCleared` tells how much has. The stream goes on."""
        ...

    def bridge(self, other: MediaPort) -> None:
        """Join two ports of one engine: relayed when codecs agree and nobody records, else anchored."""
        ...

    def unbridge(self) -> None:
        """Take this port and its peer apart; both fall silent until told otherwise."""
        ...

    def join(self, room: str, *, role: Role = "talk", coached: MediaPort | None = None) -> None:
        """Enter the conference of that name, or change the role in it; its ports share one worker.

        Who whispers is heard by `coached` only. `unbridge` leaves.
        """
        ...

    def supervise(self, other: MediaPort, role: Role) -> None:
        """Listen to the conversation of `other`, whisper to it, or talk with all (barge in).

        Calling it again changes the role within 40 ms; `unbridge` leaves, and the conversation goes on.
        """
        ...

    def is_near(self, other: MediaPort | RawPort) -> bool:
        """True when the two ports live where they can be bridged."""
        ...

    def mute(self, muted: bool) -> None:
        """Let the others in the room not hear this party, until told otherwise."""
        ...

    def tap(self, on: bool, *, coded: bool = False) -> None:
        """Tell what this party says and hears as `AudioTapped` events, 50 a second.

        With `coded` the audio of a leg in G.711 is told as it is.
        """
        ...

    def echo(self) -> None:
        """Send back what arrives, until `unbridge`."""
        ...

    def record(self, path: str) -> None:
        """Record to a stereo WAV: left what this party says, right what it hears, on a wall-clock grid."""
        ...

    def stop_recording(self) -> None:
        """End the recording; a RecordingEnded event follows when the file is complete."""
        ...

    def pause_recording(self, paused: bool, *, mark: bool = False) -> None:
        """Keep what is said out of the recording, or take it in again; the time goes on.

        With `mark` there is a tone of 1 kHz in its place, else silence.
        """
        ...

    def consent_tone(self, period_s: float) -> None:
        """Let this party and those who talk to it hear a tone in every `period_s` seconds; 0 ends it."""
        ...

    def send_digits(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Send keys as the leg takes them: RFC 4733 events within the unbroken stream, or tones."""
        ...

    def secure_keys(self, on: bool) -> None:
        """Keep the keys of this party from all who hear or record it, until told otherwise.

        They are told as `DigitBegan` and `DigitEnded` as ever; what the party says is 40 ms late meanwhile.
        """
        ...

    def notice(self, on: bool) -> None:
        """Tell by `RtpBegan` and `RtpPaused` whether audio comes, beginning with what is so now."""
        ...

    def listen_voice(self, on: bool) -> None:
        """Tell by `VoiceBegan` when somebody begins to speak, as soon as its packets come.

        Other codecs than G.711 are decoded for it until then.
        """
        ...

    def read_stats(self) -> RtpStats:
        """The statistics as last known (for a worker process: at most a second old)."""
        ...

    async def close(self) -> RtpStats:
        """End everything on this port, free the sockets, and return the final statistics."""
        ...


class RawPort(Protocol):
    """A pair of sockets that passes datagrams on as they are: video, or fax by T.38. Verbs return at once."""

    id: str
    host: str
    """The local address for the ``c=`` line."""
    port: int
    """The local port (even); RTCP of video takes the next one."""

    def aim(self, host: str, port: int, rtcp_port: int) -> None:
        """Say where the party receives and sends from; opens the learning window for its source anew."""
        ...

    def bridge(self, other: RawPort) -> None:
        """Pass what arrives on, both ways, between two raw ports of one engine."""
        ...

    def unbridge(self) -> None:
        """Take this port and its peer apart: what arrives is dropped."""
        ...

    async def close(self) -> RtpStats:
        """Free the sockets, and return how much was passed on."""
        ...


class MediaEngine(Protocol):
    """Opens ports and owns what carries them."""

    @property
    def loads(self) -> Sequence[EngineLoad]:
        """How loaded each process is that carries media."""
        ...

    async def start(self) -> None:
        """Get ready; for a pool: start the workers."""
        ...

    async def stop(self) -> None:
        """Close every port and free everything."""
        ...

    async def open(self, *, near: MediaPort | None = None) -> MediaPort:
        """Open a port; `near` puts it where it can be bridged with that one.

        Raises:
            PortsExhausted: no port pair is free in the configured range.
        """
        ...

    async def open_raw(self, *, beside: MediaPort) -> RawPort:
        """Open a raw port for the party of `beside`, in the same place.

        Besides the address that it is aimed at, only the host that the audio of `beside` comes from may
        send to it.

        Raises:
            PortsExhausted: no port pair is free in the configured range.
        """
        ...


class PacketSockets(Protocol):
    """UDP sockets as the media engine wants them: drained all at once, never one callback a packet.

    `sipcc.rtp.udp` implements this with one epoll set; `sipcc.testing.network` in memory.
    """

    def open(self, host: str, port: int) -> int:
        """Bind a socket and return its handle. Raises OSError when the port is taken."""
        ...

    def close(self, handle: int) -> None:
        """Close the socket of `handle`."""
        ...

    def drain(self) -> Iterable[tuple[int, bytes, tuple[str, int]]]:
        """All datagrams that are waiting, as (handle, data, (host, port))."""
        ...

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: tuple[str, int]) -> None:
        """Send one datagram; what the kernel refuses is counted and dropped."""
        ...
