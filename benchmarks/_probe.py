"""Parties that note when they send and when something arrives, by the kernel's clock.

Each packet carries the number of its round as two bytes of audio, which come through a change of law: the
receiver can tell when the audio that it hears was sent. It looks every few milliseconds, so that it is not
woken for each packet at the cost of who is measured.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

from benchmarks._load import DRAIN_S, ENGINE_HOST, FRAME_S, MAX_BURST, PARTY_HOST, PAYLOAD_TYPES, Load, Plan
from sipcc.lifeline import raise_descriptor_limit
from sipcc.rtp.codec.g711 import translate
from sipcc.rtp.packet import HEADER

SO_TIMESTAMPNS = 35  # Linux: asm-generic/socket.h; Python has no name for it
MARKS = bytes(range(128, 248, 8)) + b"\x08"
"""Codes of mu-law that stay apart from one another in A-law."""
ROUNDS = len(MARKS) ** 2
TO_LAW = {"PCMU": MARKS, "PCMA": translate(MARKS, "PCMU", "PCMA")}


class Arrival(NamedTuple):
    """A packet as its receiver saw it."""

    at: float
    timestamp: int
    mark: int
    """Number of the round in which its audio was sent, modulo `ROUNDS`; -1 when it holds none."""


class Trace(NamedTuple):
    """What one leg sent and heard while it was watched; times are of the wall clock, in seconds."""

    sent: list[float]
    """When each round went out, from the first on."""
    heard: list[Arrival]


def mark_of(round_: int, marks: bytes) -> bytes:
    """The payload of a round."""
    return bytes([marks[round_ % len(marks)], marks[round_ // len(marks) % len(marks)]]) * 80


def probe(pipe: Connection, plan: Plan) -> None:
    """The parties of a plan: speak as `generate` does unless told to listen, watch when told so."""
    raise_descriptor_limit()
    sockets = [stamped_socket(PARTY_HOST, 1 << 18) for _ in range(plan.legs)]
    poller = select.epoll()
    for sock in sockets:
        poller.register(sock.fileno(), select.EPOLLIN)
    legs_by_fd = {sock.fileno(): leg for leg, sock in enumerate(sockets)}
    pipe.send([sock.getsockname()[1] for sock in sockets])
    speaking, ports = pipe.recv()
    codecs = [plan.codecs[leg % len(plan.codecs)] for leg in range(plan.legs)]
    traces = [Trace([], []) for _ in sockets]
    known = [{code: index for index, code in enumerate(TO_LAW[codec])} for codec in codecs]
    payloads = {codec: [mark_of(n, marks) for n in range(ROUNDS)] for codec, marks in TO_LAW.items()}
    watching = False
    round_, leg = 0, 0
    begin = drain_at = time.monotonic()
    while True:
        now = time.monotonic()
        due = int((now - begin) / FRAME_S * plan.legs) - round_ * plan.legs - leg if speaking else 0
        for _ in range(min(due, MAX_BURST)):
            codec = codecs[leg]
            header = HEADER.pack(0x80, PAYLOAD_TYPES[codec], round_ & 0xFFFF, round_ * 160, leg + 1)
            traces[leg].sent.append(time.time())
            sockets[leg].sendto(header + payloads[codec][round_ % ROUNDS], (ENGINE_HOST, ports[leg]))
            leg += 1
            if leg == plan.legs:
                leg, round_ = 0, round_ + 1
        if now < drain_at:
            continue
        drain_at = now + DRAIN_S
        for fd, _ in poller.poll(0):
            number = legs_by_fd[fd]
            for data, at in drain(sockets[number]):
                if watching and data[1] & 0x7F == PAYLOAD_TYPES[codecs[number]]:
                    timestamp = int.from_bytes(data[4:8], "big")
                    traces[number].heard.append(Arrival(at, timestamp, _round_of(data, known[number])))
        if pipe.poll():
            word = pipe.recv()
            if word == "stop":
                return
            watching = word == "watch"
            if word == "tell":
                pipe.send(traces)


def stamped_socket(host: str, buffer: int) -> socket.socket:
    """A UDP socket at `host` with room for `buffer` bytes, whose packets have the kernel's time."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock


def drain(sock: socket.socket) -> list[tuple[bytes, float]]:
    """What has come with a whole RTP header and a sample or two, each with its time of the wall clock."""
    got: list[tuple[bytes, float]] = []
    while True:
        try:
            data, ancillary, _, _ = sock.recvmsg(2048, 64)
        except BlockingIOError:
            return got
        if len(data) >= 14 and ancillary:
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            got.append((data, seconds + nanoseconds / 1e9))


def _round_of(data: bytes, known: dict[int, int]) -> int:
    low, high = known.get(data[12]), known.get(data[13])
    return -1 if low is None or high is None else low + len(MARKS) * high


class Probe(Load):
    """The parties as the measuring process sees them."""

    def __init__(self, plan: Plan, *, speaking: bool = True) -> None:
        super().__init__(plan, probe)
        self.speaking = speaking

    def begin(self, ports: list[int]) -> None:
        """Tell where the other side listens."""
        self.pipe.send((self.speaking, ports))

    def watch(self) -> None:
        """Take note of what arrives from now on."""
        self.pipe.send("watch")

    def tell(self) -> list[Trace]:
        """What was sent and heard, leg by leg."""
        self.pipe.send("tell")
        traces: list[Trace] = self.pipe.recv()
        return traces


def delays_ms(trace: Trace, speaker: Trace) -> list[float]:
    """How long the audio took that `trace` heard and `speaker` sent."""
    found: list[float] = []
    for at, _, mark in trace.heard:
        if mark < 0:
            continue
        last = len(speaker.sent) - 1
        round_ = last - (last - mark) % ROUNDS
        while round_ >= 0 and speaker.sent[round_] > at:
            round_ -= ROUNDS
        if round_ >= 0:
            found.append(1000 * (at - speaker.sent[round_]))
    return found


def jitter_ms(times: list[tuple[float, float]]) -> float:
    """RFC 3550 A.8 over pairs of arrival and media time, in seconds; the highest value after a second."""
    jitter = highest = 0.0
    for index, ((at, media), (before, media_before)) in enumerate(zip(times[1:], times, strict=False)):
        step = abs(at - before - (media - media_before))
        jitter += (step - jitter) / 16 if step < 1.0 else 0.0
        highest = max(highest, jitter) if index > 50 else jitter
    return 1000 * highest
