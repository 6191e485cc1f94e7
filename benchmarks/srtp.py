"""CPU per relayed packet with SRTP on one leg or on both, against plain relay in the same run.

    python -m benchmarks.srtp [--smoke] [--json FILE]

Calls of two legs with one codec on one worker, as in `benchmarks.relay`. With SRTP on one leg half of the
packets come protected and leave in the clear, and half the other way round; with SRTP on both every packet
is opened and protected anew. All is AES_CM_128_HMAC_SHA1_80. The rows with 400 calls show whether one core
carries them: share of the core, and packets lost. `libsrtp` is what protecting and opening one packet costs
by itself, in the same run.
"""

from __future__ import annotations

import argparse
import time

from benchmarks._load import OURS, SUITE, THEIRS, Plan, Window, compare, measure_worker, per_packet_us
from benchmarks._report import median, show
from sipcc.rtp.flow import SrtpKeys
from sipcc.rtp.packet import HEADER
from sipcc.rtp.srtp import Shield

AIM = "400 calls on one core; 2.7 us for protecting and opening a packet"
KINDS: dict[str, tuple[bool, ...]] = {"plain": (False,), "SRTP-RTP": (True, False), "SRTP-SRTP": (True,)}


def measure(calls: int, *, seconds: float, runs: int) -> list[dict[str, object]]:
    plan = Plan(2 * calls)
    windows: dict[str, list[Window]] = {kind: [] for kind in KINDS}
    for _ in range(runs):
        for kind, srtp in KINDS.items():
            windows[kind].append(measure_worker(plan._replace(srtp=srtp), seconds=seconds))
    return compare(plan, {"calls": calls}, "us/packet", per_packet_us, windows)


def libsrtp(packets: int, *, runs: int) -> dict[str, object]:
    """Protecting and opening one packet of 160 bytes, without sockets."""
    plain = [HEADER.pack(0x80, 0, n & 0xFFFF, n * 160, 1) + bytes(160) for n in range(packets)]
    costs: list[float] = []
    for _ in range(runs):
        near, far = Shield(SrtpKeys(SUITE, OURS, THEIRS)), Shield(SrtpKeys(SUITE, THEIRS, OURS))
        begin = time.process_time()
        opened = [far.unprotect(near.protect(packet) or b"") for packet in plain]
        costs.append((time.process_time() - begin) * 1e6 / packets)
        assert opened == plain
    return {
        "calls": "-",
        "subject": "libsrtp",
        "us/packet": median(costs),
        "min": min(costs),
        "max": max(costs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[200, 400])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    packets = 50_000
    if options.smoke:
        options.calls, options.seconds, options.runs, packets = [10], 0.1, 1, 1000
    rows = [
        row for calls in options.calls for row in measure(calls, seconds=options.seconds, runs=options.runs)
    ]
    rows.append(libsrtp(packets, runs=options.runs))
    show(f"SRTP: CPU per relayed packet (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
