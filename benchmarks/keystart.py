"""How soon is the next prompt heard after a key, and how soon is the one silent that the key cuts?

    python -m benchmarks.keystart [--callers N] [--smoke] [--json FILE]

Callers walk menus as in `benchmarks.menus`, over real SIP and RTP. `start` is from the last frame of a key to
the arrival of the first packet of the next prompt, `cut` from the first packet of a key to the arrival of the
last packet of the prompt before. The floor is the clock of the media: sound leaves every 20 ms, so that what
is begun at once is heard 10 ms later on average, and 20 ms at worst.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks._report import show
from benchmarks.delay import share
from benchmarks.menus import walked

AIM = "start p99 under 60 ms, cut p99 under 60 ms"
FLOOR_MS = 20.0


def main() -> int:
    """Run and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--callers", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--smoke", action="store_true", help="a few callers only, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.callers, options.seconds = [2], 5.0
    rows: list[dict[str, object]] = []
    good = True
    for calls in options.callers:
        told, core = walked(calls, seconds=options.seconds)
        good &= told.keys > 0 and (options.smoke or not told.lost_keys)
        rows.append(
            {
                "callers": told.calls,
                "keys": told.keys,
                "lost keys": told.lost_keys,
                "core %": 100 * core,
                "floor ms": FLOOR_MS,
                "start p50 ms": share(told.start_ms, 0.5),
                "start p99 ms": share(told.start_ms, 0.99),
                "start max ms": share(told.start_ms, 1.0),
                "cut p50 ms": share(told.cut_ms, 0.5),
                "cut p99 ms": share(told.cut_ms, 0.99),
                "cut max ms": share(told.cut_ms, 1.0),
            }
        )
    show(f"keystart: prompts after a key (aim: {AIM})", rows, json_path=options.json)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
