"""What does a random datagram cost a media engine, and what is left of a million of them?

    python -m benchmarks.garbage [--count N] [--smoke] [--json FILE]

One engine with a relayed and an anchored call, their four parties, and a stranger. Datagrams are random, with
first bytes that look like RTP, RTCP, STUN or DTLS; most come from the parties' own addresses, so that they
get as far as they can. `us` is CPU per datagram, `ratio` against a good packet that is relayed in the same
run, `rss_mb` what the process has grown by. Fails when something raised, or it grew by more than 5 MB.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from pathlib import Path

from benchmarks._report import show
from sipcc.ids import Ids
from sipcc.rtp import MediaSettings, StreamParams, packet, wire
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.files import ClipStore
from sipcc.rtp.recorder import RecordingWriter

HOST = "192.0.2.1"
STRANGER = ("203.0.113.66", 4000)
MOST_MB = 5.0
BATCH = 1000
SIZES = (0, 1, 3, 4, 11, 12, 16, 28, 40, 64, 172, 200, 1200)
FIRSTS = (0x00, 0x16, 0x80, 0x80, 0x80, 0x81, 0x8F, 0x90, 0xA0, 0xBF)
SECONDS = (0, 0x80, 8, 13, 101, 0xE5, 200, 201, 202, 203, 205, 207)

Datagram = tuple[int, bytes, tuple[str, int]]


class Wire:
    """Sockets that hand in what is waiting and drop what is sent."""

    def __init__(self) -> None:
        self.waiting: list[Datagram] = []
        self._last = 100

    def open(self, host: str, port: int) -> int:
        """A number."""
        self._last += 1
        return self._last

    def close(self, handle: int) -> None:
        """Nothing."""

    def drain(self) -> list[Datagram]:
        """What is waiting."""
        waiting, self.waiting = self.waiting, []
        return waiting

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: tuple[str, int]) -> None:
        """Nowhere."""


class Bench:
    """The engine and its four legs."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.now = 1000.0
        self.dice = random.Random(5)
        self.core = MediaCore(
            MediaSettings(ports=(20000, 20099), clock_ms=20),
            self.wire,
            Ids(random.Random(7)),
            clips=ClipStore(),
            writer=RecordingWriter(),
            wall_of=lambda at: 1_800_000_000.0 + at,
        )
        for index in range(4):
            self.core.open(f"leg{index}", now=self.now)
            law = index == 3
            params = StreamParams(
                remote_host=HOST,
                remote_port=4000 + 2 * index,
                remote_rtcp_port=4001 + 2 * index,
                codec="PCMA" if law else "PCMU",
                payload_type=8 if law else 0,
                event_payload_type=101,
                noise_payload_type=13,
            )
            self.core.execute(wire.Configure(f"leg{index}", params), now=self.now)
        for one, other in ((0, 1), (2, 3)):
            self.core.execute(wire.Bridge(f"leg{one}", f"leg{other}"), now=self.now)
        self.handles = sorted(self.core._receivers)

    def garbage(self) -> Datagram:
        """One random datagram."""
        dice = self.dice
        data = bytearray(dice.randbytes(dice.choice(SIZES)))
        if data and dice.random() < 0.8:
            data[0] = dice.choice(FIRSTS)
        if len(data) > 1 and dice.random() < 0.8:
            data[1] = dice.choice(SECONDS)
        index = dice.randrange(len(self.handles))
        source = (HOST, 4000 + index) if dice.random() < 0.7 else STRANGER
        return self.handles[index], bytes(data), source

    def good(self, number: int) -> Datagram:
        """One packet that is relayed."""
        data = packet.build(bytes(160), payload_type=0, sequence=number, timestamp=160 * number, ssrc=3)
        return self.handles[0], data, (HOST, 4000)

    def throw(self, batch: list[Datagram]) -> float:
        """CPU seconds of one tick with these."""
        self.wire.waiting = batch
        self.now += 0.02
        began = time.process_time()
        self.core.tick(now=self.now)
        self.core.events(now=self.now)
        return time.process_time() - began


def resident_mb() -> float:
    """What the process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def measure(count: int) -> tuple[list[dict[str, object]], bool]:
    """The rows, and whether all is well."""
    bench = Bench()
    floor = sum(bench.throw([bench.good(1000 * turn + n) for n in range(100)]) for turn in range(20)) / 2000
    for _ in range(20):  # what is made once is no growth
        bench.throw([bench.garbage() for _ in range(BATCH)])
    gc.collect()
    before = resident_mb()
    spent, thrown = 0.0, 0
    while thrown < count:
        spent += bench.throw([bench.garbage() for _ in range(BATCH)])
        thrown += BATCH
    gc.collect()
    grown = resident_mb() - before
    crashes = bench.core.crashes
    rows: list[dict[str, object]] = [
        {"datagrams": "good, relayed", "count": 2000, "us": floor * 1e6, "ratio": 1.0},
        {
            "datagrams": "random",
            "count": thrown,
            "us": spent / thrown * 1e6,
            "ratio": spent / thrown / floor,
            "raised": crashes,
            "rss_mb": grown,
        },
    ]
    return rows, not crashes and grown <= MOST_MB


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--smoke", action="store_true", help="20,000 of them, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    rows, well = measure(20_000 if arguments.smoke else arguments.count)
    show("Random datagrams", rows, json_path=arguments.json)
    if not well:
        raise SystemExit(f"something raised, or memory grew by more than {MOST_MB:g} MB")


if __name__ == "__main__":
    main()
