"""Arrival traces: what a sender sends, what a network makes of it, and an ear in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.ear import Ear

START = 1000.0
RATE = 8000


@dataclass(frozen=True)
class Arrival:
    """One packet, and when it comes."""

    at: float
    sequence: int
    timestamp: int
    payload: bytes
    ssrc: int = 7
    marker: bool = False
    kind: str = "audio"


def numbered(number: int, samples: int) -> bytes:
    """A payload in which every sample tells where it stood: loud, and unlike any other."""
    return b"".join(((number * samples + i) // 8 % 65536).to_bytes(2, "big") for i in range(0, samples, 2))


def steady(
    seconds: float,
    *,
    ptime_ms: int = 20,
    first: int = 100,
    timestamp: int = 5000,
    ssrc: int = 7,
    start: float = START,
    ppm: float = 0.0,
    payload: Callable[[int, int], bytes] = numbered,
) -> list[Arrival]:
    """A sender of whole packets, whose clock is `ppm` slow or fast."""
    samples = ptime_ms * 8
    count = round(seconds * 1000 / ptime_ms)
    return [
        Arrival(
            start + n * ptime_ms / 1000 * (1.0 - ppm * 1e-6),
            (first + n) & 0xFFFF,
            (timestamp + n * samples) & 0xFFFFFFFF,
            payload(n, samples),
            ssrc,
            n == 0,
        )
        for n in range(count)
    ]


def jittered(
    trace: Sequence[Arrival], *, sigma_s: float, seed: int = 1, ordered: bool = False
) -> list[Arrival]:
    """Gaussian delay on each packet; `ordered` for a network that queues and never reorders."""
    chance = random.Random(seed)
    late = [max(chance.gauss(5 * sigma_s, sigma_s), 0.0) for _ in trace]
    moved = [replace(packet, at=packet.at + delay) for packet, delay in zip(trace, late, strict=True)]
    if ordered:
        latest = 0.0
        for index, packet in enumerate(moved):
            latest = max(latest, packet.at)
            moved[index] = replace(packet, at=latest)
    return sorted(moved, key=lambda packet: packet.at)


def stalled(trace: Sequence[Arrival], *, at_s: float, for_s: float) -> list[Arrival]:
    """All that would come in a stretch of time comes at its end."""
    begin = START + at_s
    end = begin + for_s
    return [replace(packet, at=end) if begin <= packet.at < end else packet for packet in trace]


def reordered(trace: Sequence[Arrival], *, share: float, seed: int = 1) -> list[Arrival]:
    """Some packets are overtaken by the next one."""
    chance = random.Random(seed)
    moved = list(trace)
    for index in range(len(moved) - 1):
        if chance.random() < share:
            moved[index] = replace(moved[index], at=moved[index + 1].at + 0.0005)
    return sorted(moved, key=lambda packet: packet.at)


def lossy(trace: Sequence[Arrival], *, share: float, seed: int = 1, spare: int = 50) -> list[Arrival]:
    """Some packets never come; of the first `spare` all do."""
    chance = random.Random(seed)
    return [packet for index, packet in enumerate(trace) if index < spare or chance.random() >= share]


@dataclass
class Heard:
    """What an ear made of a trace."""

    frames: list[bytes | Pcm | None]
    delays_ms: list[float]
    ear: Ear
    concealed_ms: int
    """What was made up until the last packet came: after it all is a loss."""

    def said(self) -> list[bytes]:
        """The frames in which there was anything, but for what was made up after the last packet."""
        frames = [frame for frame in self.frames if isinstance(frame, bytes)]
        return frames[: len(frames) - (self.ear.concealed_ms - self.concealed_ms) // 20]

    def audio(self) -> bytes:
        """All frames in one, with silence of mu-law where nothing was said."""
        return b"".join(frame if isinstance(frame, bytes) else b"\xff" * 160 for frame in self.frames)

    def holes(self, sent: Iterable[Arrival]) -> int:
        """How many frames of `sent`, in whole packets of 20 ms, were not heard as they were."""
        heard = {frame for frame in self.frames if isinstance(frame, bytes)}
        return sum(1 for packet in sent if packet.payload not in heard)


def play(
    trace: Sequence[Arrival], *, phase_s: float = 0.011, ear: Ear | None = None, extra_s: float = 0.0
) -> Heard:
    """Give a trace to an ear in virtual time, and take a frame every 20 ms from its beginning to its end."""
    ear = ear or Ear()
    frames: list[bytes | Pcm | None] = []
    delays: list[float] = []
    index, tick, concealed_ms = 0, 0, 0
    begin = trace[0].at
    end = trace[-1].at + 0.02 + extra_s
    while (now := begin + phase_s + tick * 0.02) < end:
        while index < len(trace) and trace[index].at <= now:
            give(ear, trace[index])
            index += 1
        frames.append(ear.take(now=now))
        delays.append(ear.delay_ms)
        tick += 1
        if now <= trace[-1].at:
            concealed_ms = ear.concealed_ms
    return Heard(frames, delays, ear, concealed_ms)


def give(ear: Ear, packet: Arrival) -> None:
    """Hand one packet in."""
    if packet.kind == "noise":
        ear.put_noise(packet.ssrc, packet.sequence, packet.timestamp, packet.payload, now=packet.at)
    elif packet.kind == "event":
        ear.skip(packet.sequence)
    else:
        ear.put(packet.ssrc, packet.sequence, packet.timestamp, packet.marker, packet.payload, now=packet.at)
