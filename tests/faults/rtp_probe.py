"""Two-way RTP of many calls at 50 packets a second, and what of it arrives: the probe of the kill tests.

Each party is a UDP socket of its own. A payload carries who says it and its number, so loss, order and
the longest silence are known for each way apart, whatever header it comes under.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HEADER = struct.Struct(">BBHII")
SAID = struct.Struct(">II")
PERIOD_S = 0.020
IN_HAND = 2
"""Packets that die with a worker at most: read from the kernel, and not sent yet when the blow fell."""

CROWDED = 0.5
"""A machine is crowded when for so much of the time somebody had to wait for a processor."""


def waited_s() -> float:
    """For how long somebody on this machine had to wait for a processor; 0.0 when the kernel does not say."""
    try:
        first = Path("/proc/pressure/cpu").read_text().split("\n", 1)[0]
    except OSError:
        return 0.0
    return float(first.rpartition("=")[2]) / 1e6


@dataclass
class Heard:
    """What one party heard."""

    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    ssrcs: set[int] = field(default_factory=set)

    def lost(self) -> int:
        """Numbers that are missing between the first and the last."""
        return len(set(range(self.numbers[0], self.numbers[-1] + 1)) - set(self.numbers))

    def longest_gap(self) -> float:
        """Seconds between two packets that came one after the other, at most."""
        return max(after - before for before, after in zip(self.times, self.times[1:], strict=False))

    def steps(self) -> set[int]:
        """How far the sequence went from each packet to the next."""
        pairs = zip(self.sequences, self.sequences[1:], strict=False)
        return {(after - before) & 0xFFFF for before, after in pairs}


class Party:
    """One end of a call."""

    def __init__(self, host: str, name: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.host, self.port = self.socket.getsockname()
        self.name = name
        self.to: tuple[str, int] | None = None
        self.heard = Heard()
        self.stride = 1
        """How far the sequence goes from each packet to the next."""
        self._sequence = name * 211 & 0x7FFF
        self._number = 0

    def say(self) -> None:
        """Send the next packet."""
        if self.to is None:
            return
        header = HEADER.pack(0x80, 0, self._sequence & 0xFFFF, self._number * 160, 0x5000 + self.name)
        packet = self.close_packet(header + SAID.pack(self.name, self._number) + bytes(152))
        if packet is not None:
            self.socket.sendto(packet, self.to)
            self._sequence += self.stride
            self._number += 1

    def close_packet(self, packet: bytes) -> bytes | None:
        """A packet as it is sent; None when it cannot be."""
        return packet

    def open_packet(self, data: bytes) -> bytes | None:
        """The RTP packet in a datagram that came; None for what is none."""
        return data

    def hear(self, now: float) -> None:
        """Take all that has come."""
        while True:
            try:
                datagram = self.socket.recv(2048)
            except BlockingIOError:
                return
            data = self.open_packet(datagram)
            if data is None or len(data) < 20 or data[1] & 0x7F:
                continue
            _, _, sequence, stamp, ssrc = HEADER.unpack_from(data)
            self.heard.numbers.append(SAID.unpack_from(data, 12)[1])
            self.heard.times.append(now)
            self.heard.sequences.append(sequence)
            self.heard.stamps.append(stamp)
            self.heard.ssrcs.add(ssrc)


class Traffic:
    """Parties that speak and listen in a thread of their own, until closed."""

    def __init__(
        self,
        count: int,
        host: str = "127.0.0.3",
        *,
        period_s: float = PERIOD_S,
        make: Callable[[str, int], Party] = Party,
    ) -> None:
        self._ready = select.epoll()  # made before all sockets: select() takes only numbers below 1024
        self.parties = [make(host, name) for name in range(count)]
        self._period = period_s
        self.paused = 0.0
        """The longest time for which the probe itself did not run: the machine's share of a gap."""
        self.crowded = False
        """Whether other programs kept the processors busy over the last blow."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtp-probe", daemon=True)

    def start(self) -> None:
        """Let everybody speak."""
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Let so much traffic flow."""
        self._ending.wait(seconds)

    def close(self) -> None:
        """End it, after what is on its way has come."""
        for party in self.parties:
            party.to = None
        self._ending.wait(0.1)
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        for party in self.parties:
            party.socket.close()

    def forget(self) -> None:
        """Begin to measure anew."""
        for party in self.parties:
            party.heard = Heard()
        self.paused = 0.0

    def figures(self) -> tuple[float, int]:
        """The longest gap of any party in seconds, and how many packets were lost in all."""
        heard = [party.heard for party in self.parties if party.heard.numbers]
        return max(one.longest_gap() for one in heard), sum(one.lost() for one in heard)

    def may_lose(self, gap: float, oldest_s: float) -> int:
        """How many packets a blow may cost: those that were in hand.

        A successor drops what has waited for longer than `oldest_s`. It must be there before; on a crowded
        machine it may come later, and then all that was said in the `gap` may be lost.
        """
        late = self.crowded and gap > oldest_s
        return IN_HAND + (round(len(self.parties) * gap / self._period) if late else 0)

    def unbroken(self) -> int:
        """How many parties heard one stream: one SSRC, and each sequence number once, without a hole."""
        heard = [party.heard for party in self.parties]
        return sum(len(one.ssrcs) == 1 and one.steps() == {1} for one in heard)

    def _run(self) -> None:
        by_descriptor = {party.socket.fileno(): party for party in self.parties}
        ready = self._ready
        for descriptor in by_descriptor:
            ready.register(descriptor, select.EPOLLIN)
        spread = self._period / len(self.parties)
        begin, done = time.monotonic(), 0
        while not self._ending.is_set():
            due = begin + done * spread
            now = time.monotonic()
            while due <= now:
                self.parties[done % len(self.parties)].say()
                done += 1
                due = begin + done * spread
            asleep_until = max(due, time.monotonic())
            select.select([ready], [], [], max(0.0, due - time.monotonic()))  # by microseconds
            now = time.monotonic()
            self.paused = max(self.paused, now - asleep_until, asleep_until - due)
            for descriptor, _ in ready.poll(0):
                by_descriptor[descriptor].hear(now)
        ready.close()
