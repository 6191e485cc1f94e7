"""The probe of many calls, in a process of its own, so that the one who tests does not slow it down."""

from __future__ import annotations

import multiprocessing as mp
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

from tests.faults.rtp_probe import PERIOD_S, Traffic

from sipcc.lifeline import raise_descriptor_limit

_processes = mp.get_context("spawn")


class Heard(NamedTuple):
    """What all parties heard since the last question."""

    parties: int
    alive: int
    """Parties that heard somebody in the last second of it."""
    unbroken: int
    """Parties that heard one stream without a hole."""
    gap_s: float
    """The longest silence of any of them."""
    lost: int
    packets: int
    paused_s: float
    """The longest time for which the probe itself did not run."""


def _speak(pipe: Connection, count: int, host: str, period_s: float) -> None:
    """The process: its parties speak to whom they are told, until told to end."""
    raise_descriptor_limit()
    traffic = Traffic(count, host, period_s=period_s)
    pipe.send([party.port for party in traffic.parties])
    for party, target in zip(traffic.parties, pipe.recv(), strict=True):
        party.to = target
    traffic.start()
    while (word := pipe.recv()) != "end":
        if word == "forget":
            traffic.forget()
            pipe.send(None)
            continue
        last = max((party.heard.times[-1] for party in traffic.parties if party.heard.times), default=0.0)
        alive = sum(bool(party.heard.times) and party.heard.times[-1] > last - 1 for party in traffic.parties)
        packets = sum(len(party.heard.numbers) for party in traffic.parties)
        gap, lost = traffic.figures()
        pipe.send(Heard(count, alive, traffic.unbroken(), gap, lost, packets, traffic.paused))
    traffic.close()


@dataclass
class Seat:
    """Where a party of a crowd listens, and where it is to speak to."""

    host: str
    port: int
    to: tuple[str, int] | None = None


class Crowd:
    """So many parties, of which each two are to be bridged."""

    def __init__(self, count: int, host: str = "127.0.0.3", *, period_s: float = PERIOD_S) -> None:
        self.host = host
        self._pipe, theirs = _processes.Pipe()
        self._process = _processes.Process(target=_speak, args=(theirs, count, host, period_s), daemon=True)
        self._process.start()
        self.ports: list[int] = self._pipe.recv()
        """Where each party listens."""
        self.seats = [Seat(host, port) for port in self.ports]

    def start(self, targets: Sequence[tuple[str, int] | None]) -> None:
        """Let everybody speak, each to his target."""
        self._pipe.send(targets)

    def forget(self) -> None:
        """Begin to measure anew."""
        self._pipe.send("forget")
        self._pipe.recv()

    def heard(self) -> Heard:
        """What was heard since the last `forget`."""
        self._pipe.send("tell")
        heard: Heard = self._pipe.recv()
        return heard

    def close(self) -> None:
        """End it."""
        self._pipe.send("end")
        self._process.join(10)
