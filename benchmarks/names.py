"""Whether the time of an answer tells which users there are: real names against names that nobody has.

Each sample is one REGISTER with a wrong password through admission, real and unknown names in turn. The
figure is the chance that an unknown name took longer than a real one (the area under the ROC curve): 0.5
tells nothing, 1.0 everything.

    python -m benchmarks.names [--smoke] [--json FILE]
"""

from __future__ import annotations

import argparse
import bisect
import gc
import random
import time

from benchmarks._report import median, show
from benchmarks.register import DOMAIN, PASSWORD, SilentFlow, proof, register
from sipcc.sip import Admission, TrunkTable, UserSettings, parse_datagram
from sipcc.sip.auth import make_ha1, parse_auth
from sipcc.sip.message import Request


def chance_longer(one: list[float], other: list[float]) -> float:
    """How likely a value of `one` is above a value of `other`; ties count half."""
    ordered = sorted(other)
    below = sum(bisect.bisect_left(ordered, value) + bisect.bisect_right(ordered, value) for value in one)
    return below / 2 / len(one) / len(other)


def sample(admission: Admission, phone: int, now: float) -> float:
    """Seconds of one refusal."""
    flow = SilentFlow("127.0.0.9", 5060)
    [challenge] = admission.digest.challenge(source=flow.remote.host, now=now)
    guess = make_ha1(f"u{phone}", DOMAIN, "a guess", "SHA-256")
    line = proof(phone, guess, parse_auth(challenge)[1]["nonce"], 1)
    request = parse_datagram(register(phone, 1, *flow.remote, line))
    assert isinstance(request, Request)
    began = time.perf_counter()
    verdict = admission.check(request, flow, now=now)
    ended = time.perf_counter()
    if type(verdict).__name__ != "Refused":
        raise RuntimeError(f"{verdict} is no refusal")
    return ended - began


def measure(samples: int) -> list[dict[str, object]]:
    """One row for each kind of name, and one for how well they are told apart."""
    users = [UserSettings(name=f"u{i}", password=PASSWORD) for i in range(200)]
    dice = random.Random(1)
    times: dict[bool, list[float]] = {True: [], False: []}
    gc.disable()
    for each in range(samples):
        if each % 400 == 0:  # a fresh one, before its guard has heard enough
            admission = Admission(
                trunks=TrunkTable([]),
                users=users,
                realm=DOMAIN,
                secret=b"0123456789abcdef",
                algorithms=("SHA-256",),
            )
        real = dice.random() < 0.5
        times[real].append(sample(admission, dice.randrange(200) + (0 if real else 200), 1000.0 + each))
    gc.enable()
    rows: list[dict[str, object]] = [
        {"names": "real" if real else "unknown", "samples": len(found), "median_us": median(found) * 1e6}
        for real, found in times.items()
    ]
    rows.append({"names": "chance that unknown is longer", "auc": chance_longer(times[False], times[True])})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a run of a second, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    rows = measure(1000 if arguments.smoke else 20_000)
    show("Names by the time of their answers", rows, json_path=arguments.json)


if __name__ == "__main__":
    main()
