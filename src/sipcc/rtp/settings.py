"""Settings of the media engine."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sipcc.rtp.flow import CodecName, Law
from sipcc.rtp.formats import COMPLEXITY, spec
from sipcc.rtp.frame import law_of

SrtpPolicy = Literal["off", "optional", "required"]
"""Whether audio is encrypted: never, when both sides can, or always."""

SrtpSuite = Literal[
    "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"
]
"""A key of `sipcc.rtp.flow.SRTP_SUITES`."""

PassPolicy = Literal["refuse", "pass"]
"""Whether what we do not understand is passed on."""

Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]


class RecordingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How calls are recorded, and what becomes of calls and files when that fails or is done."""

    consent_tone: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    """Seconds from one consent tone to the next, 1400 Hz for half a second, which all parties of a recorded
    call hear; 12 to 15 is usual, 0 is off."""
    min_free_mb: Annotated[int, msgspec.Meta(ge=0)] = 100
    """Free megabytes below which no recording begins."""
    alarm_percent: tuple[Percent, Percent] = (85.0, 95.0)
    """How full the disk of the recordings is when there is a warning, and when there is an alarm."""
    unrecorded: Literal["talk", "refuse", "end"] = "talk"
    """What becomes of a call that cannot be recorded: ``talk`` lets it go on, ``refuse`` ends one whose
    recording cannot begin, ``end`` also one whose recording breaks off."""
    format: Literal["wav", "flac", "opus"] = "wav"
    """What recordings become after the call: ``flac`` loses nothing, ``opus`` (in OGG) is smaller, ``wav``
    leaves them as they are. The WAV goes when its copy was read back and found right."""
    waveform: bool = False
    """True draws a waveform of both sides, as JSON beside the recording."""

    def __post_init__(self) -> None:
        """Check what the types cannot say."""
        if self.alarm_percent[1] < self.alarm_percent[0]:
            raise ValueError("alarm_percent must be (warning, alarm) with the alarm not below the warning")


Port = Annotated[int, msgspec.Meta(ge=1024, le=65535)]


class MediaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What carries audio, what is agreed on with phones, and when audio is lost or bad."""

    address: str = "127.0.0.1"
    """The local address of the audio's sockets; phones and carriers must be able to reach it."""
    advertise: str = ""
    """Behind a static NAT: the address that peers are told in place of `address`. The ports must be forwarded
    one to one."""
    ports: tuple[Port, Port] = (20000, 29999)
    """First and last UDP port of the audio. A leg takes an even port and the next one, so a call of two
    parties takes four; video and fax that are passed on take more. Firewalls must let all of them through."""
    workers: Annotated[int, msgspec.Meta(ge=-1, le=256)] | Literal["auto"] = "auto"
    """Worker processes that carry media: 0 for none, so that this process does it; -1 for one per core.
    ``auto`` is none in a program that has a switch in it, and one per core in the daemon. Only with workers
    do calls outlive the process that speaks SIP."""
    standby: bool = True
    """Keep one process in waiting that has all imports behind it: it replaces a worker that dies within
    some milliseconds. False saves its memory (some 40 MB), and a replacement takes some 0.2 s."""
    max_busy: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.85
    """Share of a core that an engine or worker may use; when it is more for two seconds, new calls are
    refused with 503."""
    max_late_ms: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    """Milliseconds that the engine's clock may be late: when more than 5 % of its ticks are later for two
    seconds, new calls are refused with 503."""
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """Seconds after which a party is hung up from which neither audio nor a report comes."""
    hold_timeout: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    """The same while the party is on hold."""
    alarm_after: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    """Seconds of audio in one direction only until there is an alarm; 0 for none."""
    alarm_loss: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    """Fraction of packets lost within ten seconds that is an alarm, until it is half of it; 0 for none."""
    alarm_jitter_ms: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """Milliseconds of jitter that are an alarm, until it is half of them; 0 for none."""
    video: PassPolicy = "refuse"
    """``pass`` passes video on as it comes when both parties of a conversation want it; else it is refused
    in its line, and the audio is taken."""
    t38: PassPolicy = "pass"
    """``pass`` passes fax by T.38 on to the other party of a conversation, if it takes that; else a change to
    T.38 is refused with 488, and the audio goes on."""
    extended_reports: bool = True
    """True adds VoIP metrics (RTCP XR, RFC 3611) to the reports that peers get."""
    codecs: tuple[CodecName, ...] = ("PCMU", "PCMA")
    """What we offer and accept, best first: ``PCMU``, ``PCMA``, ``G722``, ``opus``, ``L16``, ``G729``. What
    two parties have in common is passed on as it is, all else is recoded: dear for ``opus``, while the
    telephone network has nothing better than the first two. ``G729`` we cannot code: it is passed on between
    parties that have nothing else, and recorded, but no prompt is heard in it."""
    codec_choice: Literal["theirs", "ours"] = "theirs"
    """Whose order decides which codec of a telephone's offer is taken. With browsers it is always ours: they
    put ``opus`` first, and have G.711 as well."""
    event_lines: Literal["all", "one"] = "all"
    """Whether we offer key events (RFC 4733) at the clock rate of each codec, or only at 8000: some phones
    take the wrong line of two."""
    dtmf: Literal["auto", "events", "inband", "info"] = "auto"
    """How keys travel, where a user or trunk says nothing else. ``auto`` takes key events where they are
    agreed, else the tones in the audio are listened to, and keys are sent as tones; the others allow one
    way only: ``events``, ``inband`` for tones, ``info`` for INFO requests."""
    fax_tones: bool = False
    """True listens for fax machines in the audio of all calls, and tells of them; it costs a little work
    for each."""
    comfort_noise: bool = False
    """True agrees to comfort noise (RFC 3389): phones may then send nothing while nobody speaks."""
    opus_complexity: Annotated[int, msgspec.Meta(ge=0, le=10)] = COMPLEXITY
    """How hard the Opus encoder works: 0 takes a third of the time of 10."""
    ptime_ms: Annotated[int, msgspec.Meta(ge=10, le=60, multiple_of=10)] = 20
    """Packet time that we ask for."""
    srtp: SrtpPolicy = "off"
    """Encrypted audio (SRTP with keys in SDP, RFC 4568), where a user or trunk says nothing else. ``off``
    takes plain RTP only; ``optional`` offers keys in a way that phones without SRTP pass over (RFC 8643),
    and takes what is offered; ``required`` refuses plain RTP with 488 and never sends it. The keys are as
    secret as the signalling, so phones and carriers should come over TLS."""
    srtp_suites: tuple[SrtpSuite, ...] = (
        "AES_CM_128_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
        "AEAD_AES_128_GCM",
        "AEAD_AES_256_GCM",
    )
    """Crypto suites that are offered, best first, and taken. Every device with SRTP has the first one."""
    recording: RecordingSettings = RecordingSettings()
    """The section ``[media.recording]``."""
    clock_ms: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    """Period of the engine's clock: a divisor of 20. Tests take 10 or 20 to run faster."""

    def __post_init__(self) -> None:
        """Check what the types cannot say."""
        if 20 % self.clock_ms:
            raise ValueError("clock_ms must divide 20")
        if self.ports[1] <= self.ports[0]:
            raise ValueError("ports must be (first, last) with last above first")
        if not self.codecs:
            raise ValueError("codecs must not be empty")
        if not any(spec(name).encodes for name in self.codecs):
            raise ValueError("codecs needs one besides G729, which is only passed on")

    @property
    def law(self) -> Law:
        """The law of G.711 for a leg of which nothing is agreed yet."""
        laws = (law for name in self.codecs if (law := law_of(name)) is not None)
        return next(laws, "PCMU")

    @property
    def worker_count(self) -> int:
        """Worker processes: 0 or less as in `workers`, and 0 for ``auto``."""
        return 0 if self.workers == "auto" else self.workers

    @property
    def public_host(self) -> str:
        """The address that peers are told to send to."""
        return self.advertise or self.address
