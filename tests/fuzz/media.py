"""A media engine with a leg of each kind, which takes whatever a fuzzer makes of datagrams."""

from __future__ import annotations

import random
from collections.abc import Iterator

from sipcc import stun
from sipcc.ids import Ids
from sipcc.rtp import BrowserParams, MediaSettings, SrtpKeys, StreamParams, packet, rtcp, wire, xr
from sipcc.rtp.dtls import make_identity
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.files import ClipStore
from sipcc.rtp.latch import Address, SourceGate
from sipcc.rtp.recorder import RecordingWriter
from sipcc.rtp.stats import ReceiveStats, ReportBlock, SendStats, voip_metrics

PARTY = "192.0.2.1"
STRANGER = ("203.0.113.66", 4000)
RENEW_EVERY = 2000
"""Inputs after which all legs are closed and opened anew."""

LEGS: tuple[tuple[str, str, int, int], ...] = (
    ("relayed", "PCMU", 8000, 0),
    ("relaying", "PCMU", 8000, 0),
    ("anchored", "PCMU", 8000, 0),
    ("recoded", "PCMA", 8000, 8),
    ("wide", "G722", 8000, 9),
    ("opus", "opus", 48000, 111),
)
"""Name, codec, clock rate and payload type; neighbours talk to each other."""


class Wire:
    """Sockets that hand in what a test wrote and count what is sent."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, bytes, Address]] = []
        self.sent = 0
        self.to_stranger = 0
        self.proving: set[int] = set()
        """Sockets of browsers: there a right check of connectivity proves anybody."""
        self._last = 100

    def open(self, host: str, port: int) -> int:
        self._last += 1
        return self._last

    def close(self, handle: int) -> None:
        return None

    def drain(self) -> list[tuple[int, bytes, Address]]:
        waiting, self.waiting = self.waiting, []
        return waiting

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: Address) -> None:
        self.sent += 1
        self.to_stranger += address == STRANGER and handle not in self.proving


class FuzzedMedia:
    """Takes inputs one after the other; nothing may raise, and strangers get nothing."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.now = 1000.0
        self.core = MediaCore(
            MediaSettings(ports=(20000, 20199), clock_ms=20),
            self.wire,
            Ids(random.Random(7)),
            clips=ClipStore(),
            writer=RecordingWriter(),
            wall_of=lambda at: 1_800_000_000.0 + at,
        )
        self._identity = make_identity(wall=1_800_000_000.0)
        self._count = 0
        self._open()

    def _open(self) -> None:
        names = [name for name, *_ in LEGS] + ["guarded", "browser"]
        for name in names:
            self.core.open(name, now=self.now)
        for index, (name, codec, rate, kind) in enumerate(LEGS):
            self._configure(name, index, codec, rate, kind)
        keys = SrtpKeys("AES_CM_128_HMAC_SHA1_80", bytes(30), bytes(range(30)))
        self._configure("guarded", 6, "PCMU", 8000, 0, srtp=keys)
        browser = BrowserParams(
            local_ufrag="us12",
            local_password="our-password-of-22-chars",
            remote_ufrag="them",
            remote_password="their-password-of-24-char",
            fingerprints=(self._identity.fingerprint,),
            identity=self._identity,
        )
        self._configure("browser", 7, "PCMU", 8000, 0, browser=browser, rtcp_mux=True)
        for one, other in ((0, 1), (2, 3), (4, 5), (6, 7)):
            self.core.execute(wire.Bridge(names[one], names[other]), now=self.now)
        for name, beside, index in (("video", "relayed", 8), ("picture", "relaying", 9)):
            self.core.open(name, now=self.now, beside=beside)
            number = 4000 + 2 * index
            self.core.execute(wire.Aim(name, PARTY, number, number + 1), now=self.now)
        self.core.execute(wire.Bridge("video", "picture"), now=self.now)
        self.handles = sorted(self.core._receivers)
        browser = self.core._sessions["browser"]
        self.wire.proving = {browser.rtp_handle, browser.rtcp_handle}

    def _configure(self, name: str, index: int, codec: str, rate: int, kind: int, **more: object) -> None:
        params = StreamParams(
            remote_host=PARTY,
            remote_port=4000 + 2 * index,
            remote_rtcp_port=4001 + 2 * index,
            codec=codec,  # type: ignore[arg-type]
            payload_type=kind,
            clock_rate_hz=rate,
            event_payload_type=101,
            noise_payload_type=13,
            **more,  # type: ignore[arg-type]
        )
        self.core.execute(wire.Configure(name, params), now=self.now)

    def take(self, data: bytes) -> None:
        """Throw one input: pieces of (where, length, bytes)."""
        self.throw(pieces(data))

    def throw(self, datagrams: Iterator[tuple[int, bytes]]) -> None:
        """Throw datagrams, each at the socket and from the source that a number says."""
        count = len(self.handles)
        for where, datagram in datagrams:
            index = where % count
            source = STRANGER if where >= 192 else (PARTY, 4000 + index)
            self.wire.waiting.append((self.handles[index], datagram, source))
        self.now += 0.02
        self.core.tick(now=self.now)
        self.core.events(now=self.now)
        assert not self.core.crashes, repr(self.core.last_crash)
        assert not self.wire.to_stranger, "a stranger was sent something"
        self._count += 1
        if self._count % RENEW_EVERY == 0:
            self.core.shut(now=self.now)
            self.core.events(now=self.now)
            self.now += 100.0  # ports rest before they are taken again
            self._open()


def pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut an input into datagrams."""
    at = 0
    while at + 2 <= len(data):
        where, size = data[at], data[at + 1]
        yield where, data[at + 2 : at + 2 + size]
        at += 2 + size


_fuzzed: FuzzedMedia | None = None


def rtp(data: bytes) -> None:
    """One packet: what is read is written and read again as the same, and lies within what came."""
    kind = packet.classify(data)
    bounds = packet.payload_bounds(data, len(data))
    if not isinstance(bounds, packet.Flaw):
        start, end = bounds
        assert packet.HEADER_SIZE <= start <= end <= len(data)
    found = packet.parse(data)
    if isinstance(found, packet.Flaw):
        return
    assert kind is packet.Kind.RTP
    again = packet.build(
        found.payload,
        payload_type=found.payload_type,
        sequence=found.sequence,
        timestamp=found.timestamp,
        ssrc=found.ssrc,
        marker=found.marker,
    )
    assert packet.parse(again) == found
    _numbers(data)


def _numbers(data: bytes) -> None:
    """The sequence numbers in `data`: no row of them breaks the counts."""
    received, gate = ReceiveStats(), SourceGate((PARTY, 4000), now=0.0)
    for index in range(0, len(data) - 3, 4):
        ssrc, port = data[index] & 1, 4000 + (data[index + 3] & 3)
        sequence = data[index + 1] << 8 | data[index + 2]
        received.receive(ssrc, sequence, sequence * 160, 160, now=0.02 * index)
        gate.accept((PARTY, port), ssrc, 0, sequence, now=0.02 * index)
    figures = received.bursts()
    assert 0 <= figures.burst_density <= 1
    assert 0 <= figures.gap_density <= 1
    assert 0 <= received.lost <= received.expected or not received.expected
    voip_metrics(received, SendStats())
    received.report_block(now=1.0)


def reports(data: bytes) -> None:
    """One RTCP datagram: no more comes out than was in it, and what comes out can be built again."""
    found = rtcp.parse(data)
    assert 4 * len(found.packets) <= len(data)
    for item in found.packets:
        if isinstance(item, rtcp.SenderReport | rtcp.ReceiverReport) and item.blocks:
            sender = item if isinstance(item, rtcp.SenderReport) else None
            built = rtcp.build_report(item.ssrc, "c", sender=sender, block=item.blocks[0])
            again = rtcp.parse(built).packets[0]
            assert again == item._replace(blocks=item.blocks[:1])
        elif isinstance(item, rtcp.ExtendedReport):
            for metrics in item.metrics:
                [again_metrics] = xr.parse_blocks(xr.build(item.ssrc, metrics)[8:])
                assert again_metrics == metrics


def media(data: bytes) -> None:
    """A living engine that takes these datagrams, and goes on as before."""
    global _fuzzed
    if _fuzzed is None:
        _fuzzed = FuzzedMedia()
    _fuzzed.take(data)


def packets() -> list[bytes]:
    """RTP of each kind of leg."""
    line = {"sequence": 7, "timestamp": 1120, "ssrc": 3}
    return [
        packet.build(bytes(160), payload_type=0, **line),
        packet.build(b"\x05\x8a\x03\x20", payload_type=101, marker=True, **line),
        packet.build(b"\x40", payload_type=13, **line),
        packet.build(b"\x08\x0b\xe4\x13", payload_type=111, **line),
        b"\x91" + packet.build(bytes(60), payload_type=9, **line)[1:12] + bytes(4) + b"\xbe\xde\0\1abcd",
        b"\xa0" + packet.build(b"ab\x02\x02", payload_type=8, **line)[1:],
    ]


def compounds() -> list[bytes]:
    """RTCP of each kind."""
    block = ReportBlock(3, 25, 3, 0x10005, 42, 0x11112222, 65536)
    sender = rtcp.SenderReport(1, 1 << 40, 160, 100, 16000)
    metrics = xr.VoipMetrics(3, 12, 3, 85, 9, 120, 2600, 55, 63)
    return [
        rtcp.build_report(1, "leg@example.com", sender=sender, block=block, metrics=metrics),
        rtcp.build_report(1, "leg@example.com"),
        rtcp.build_bye(1, "leg@example.com", reason="over", block=block),
        b"\x81\xce\0\2" + bytes(8),
        b"\x80\xcc\0\2" + bytes(4) + b"name",
    ]


def others() -> list[bytes]:
    """What else shares a socket with RTP: STUN, DTLS, and udptl."""
    names = stun.attribute(stun.USERNAME, b"us12:them") + stun.attribute(0x0025, b"")
    check = stun.seal(stun.REQUEST, bytes(range(12)), names, key=b"our-password-of-22-chars")
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\0\x10\x01\0\0\x04\0\0\0\0\0\0\0\x04\xfe\xfd\0\0"
    return [check, hello, b"\0\1\0\3abc\0\0"]


def mixtures() -> list[bytes]:
    """Each kind of datagram at each kind of leg, in the form that `media` reads."""
    kinds = [*packets(), *compounds(), *others()]
    return [
        b"".join(bytes((where, len(kind))) + kind for where in range(0, 256, 5))
        for kind in kinds
        if len(kind) < 256
    ]
