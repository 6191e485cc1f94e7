"""Writes what SIPp plays: RTP in a pcap, a tone with keys pressed at known moments, or any datagrams.

Made here and not by `sipcc.rtp`, so that what our engine reads was written by somebody else's reading of
RFC 3550 and RFC 4733.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from sipcc.testing import audio

FRAME_S = 0.02
UNITS = 160
EVENT_PAYLOAD_TYPE = 101
_KEYS = "0123456789*#ABCD"


def write(
    path: Path,
    *,
    tone_hz: float,
    seconds: float,
    codec: str = "PCMU",
    keys: tuple[tuple[float, str], ...] = (),
    press_ms: int = 100,
    ssrc: int = 0x1234,
) -> Path:
    """Write `seconds` of a tone; `keys` are (when in seconds, key), each pressed for `press_ms`."""
    payload_type = 0 if codec == "PCMU" else 8
    samples = audio.tone(tone_hz, seconds)
    frames = audio.payloads(samples, "PCMU" if codec == "PCMU" else "PCMA")
    events = _events(keys, press_ms)
    records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for index, frame in enumerate(frames):
        if index in events:
            start, body = events[index]
            marker = 0x80 if start == index else 0
            header = struct.pack(
                "!BBHII", 0x80, marker | EVENT_PAYLOAD_TYPE, index & 0xFFFF, start * UNITS, ssrc
            )
            rtp = header + body
        else:
            marker = 0x80 if index == 0 else 0
            rtp = (
                struct.pack("!BBHII", 0x80, marker | payload_type, index & 0xFFFF, index * UNITS, ssrc)
                + frame
            )
        records.append(_record(index * FRAME_S, rtp))
    path.write_bytes(b"".join(records))
    return path


def write_packets(
    path: Path,
    *,
    tone_hz: float,
    sizes_ms: Sequence[tuple[float, int]],
    codec: str = "PCMU",
    ssrc: int = 0x4321,
) -> Path:
    """Write a tone in packets of changing length: `sizes_ms` are (until when in seconds, length in ms)."""
    payload_type = 0 if codec == "PCMU" else 8
    samples = audio.tone(tone_hz, sizes_ms[-1][0])
    coded = audio.ulaw(samples) if codec == "PCMU" else audio.alaw(samples)
    at, sequence, found = 0, 0, []
    for until, length_ms in sizes_ms:
        step = length_ms * 8
        while at + step <= until * 8000:
            body = rtp(payload_type, sequence, at, ssrc, coded[at : at + step], marker=not sequence)
            found.append((at / 8000, body))
            at, sequence = at + step, sequence + 1
    return write_datagrams(path, found)


def write_datagrams(path: Path, datagrams: Iterable[tuple[float, bytes]]) -> Path:
    """Write datagrams as (when in seconds, payload); what they hold is theirs."""
    records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    records += [_record(at, body) for at, body in sorted(datagrams, key=lambda each: each[0])]
    path.write_bytes(b"".join(records))
    return path


def rtp(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False
) -> bytes:
    """One packet (RFC 3550 §5.1)."""
    second = payload_type | (0x80 if marker else 0)
    head = struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return head + payload


def write_damaged(
    path: Path,
    *,
    tone_hz: float,
    seconds: float,
    loss: float = 0.1,
    jitter_s: float = 0.2,
    duplicates: float = 0.02,
    ssrc: int = 0x5678,
    seed: int = 1,
) -> Path:
    """Write a tone as a bad network brings it: each packet is up to `jitter_s` late by itself.

    So many overtake each other. The first one comes first and the last one last.
    """
    chance = random.Random(seed)
    frames = audio.payloads(audio.tone(tone_hz, seconds), "PCMU")
    datagrams = []
    for index, frame in enumerate(frames):
        edge = index in (0, len(frames) - 1)
        if not edge and chance.random() < loss:
            continue
        packet = rtp(0, index, index * UNITS, ssrc, frame, marker=not index)
        copies = 1 if edge or chance.random() >= duplicates else 2
        for _ in range(copies):
            late = 0.0 if not index else jitter_s if edge else chance.random() * jitter_s
            datagrams.append((index * FRAME_S + late, packet))
    return write_datagrams(path, datagrams)


def _events(keys: tuple[tuple[float, str], ...], press_ms: int) -> dict[int, tuple[int, bytes]]:
    """Frame index -> (index of the press's start, payload), three end packets for each press (§2.5.1.4)."""
    events: dict[int, tuple[int, bytes]] = {}
    steps = press_ms // 20
    for at, key in keys:
        start = round(at / FRAME_S)
        for step in range(1, steps + 3):
            duration = min(step, steps) * UNITS
            flags = 10 | (0x80 if step >= steps else 0)
            events[start + step - 1] = (start, struct.pack("!BBH", _KEYS.index(key), flags, duration))
    return events


def _record(at: float, rtp: bytes) -> bytes:
    udp = struct.pack("!HHHH", 6000, 7000, 8 + len(rtp), 0) + rtp
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\2")
    frame = bytes(12) + b"\x08\x00" + ip + udp
    return struct.pack("<IIII", int(at), round(at % 1 * 1e6), len(frame), len(frame)) + frame
