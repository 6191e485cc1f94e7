"""PJSUA2 phones that each speak one codec and tape every call, shared by the tests of a file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from tests.interop.centre import PASSWORDS
from tests.interop.field import Field
from tests.interop.programs import Softphone, wait_until

from sipcc.testing import audio

TONES = {"1001": 1300, "1002": 400, "1003": 600, "1004": 900, "1005": 1700}
MORE = {"1004": "secret-four-4", "1005": "secret-five-5"}
"""Users besides those of every configuration, with their passwords."""


def more_users(**keys: str) -> str:
    """Their sections; `keys` are more lines of one, as ``u1004='dtmf = "inband"'``."""
    return "".join(
        f'\n[[users]]\nname = "{user}"\npassword = "{password}"\n{keys.get(f"u{user}", "")}\n'
        for user, password in MORE.items()
    )


class Phones:
    """Starts a phone when it is first needed.

    Args:
        field: where they register; each user needs a number of its own name that dials it.
        settings: further settings of `Softphone`, by user.
    """

    def __init__(self, field: Field, **settings: dict[str, Any]) -> None:
        self.field = field
        self._settings = settings
        self._found: dict[tuple[str, int], Softphone] = {}

    def __call__(self, user: str, hz: int = 0) -> Softphone:
        """The phone of a user, which says `hz`, or else the user's own tone."""
        hz = hz or TONES[user]
        if (user, hz) not in self._found:
            folder, name = self.field.folder, f"{user}-{hz}"
            sound = folder / f"says-{name}.wav"
            audio.write_wav(sound, audio.tone(hz, 4.0, rate_hz=16000), rate_hz=16000)
            self._found[user, hz] = self.field.phone(
                user,
                f"127.0.5.{len(self._found) + 1}",
                name=name,
                play=str(sound),
                tapes=str(folder / name),
                password={**PASSWORDS, **MORE}[user],
                answer_after=0.1,
                **self._settings.get(f"u{user}", {}),
            )
        return self._found[user, hz]

    def call(self, one: Softphone, two: Softphone, number: str) -> tuple[int, int]:
        """`one` calls `number`, which leads to `two`, and they talk; the call's number on each phone."""
        calls = last_call(one) + 1, last_call(two) + 1
        one.tell(f"call sip:{number}@{self.field.centre.target}")
        for phone, call in zip((one, two), calls, strict=True):
            phone.wait_event("call", call=call, state="CONFIRMED")
            phone.wait_event("media", 3, call=call)
        return calls

    def hang_up(self, calls: tuple[int, int], one: Softphone, two: Softphone) -> None:
        """`one` hangs up; the tapes are complete then."""
        one.tell(f"{calls[0]}:hangup")
        for phone, call in zip((one, two), calls, strict=True):
            phone.wait_event("call", call=call, state="DISCONNECTED")

    def hears(self, phone: Softphone, call: int, *tones: int, seconds: float = 4.0) -> None:
        """Wait until the last 0.3 s of a tape that still runs have these tones, and no other."""

        def heard() -> set[int]:
            data = (self.field.folder / f"{phone.name}-{call}.wav").read_bytes()  # tells no length yet
            rate = int.from_bytes(data[24:28], "little") or 8000
            samples = np.frombuffer(data[44 : len(data) // 2 * 2], dtype="<i2").astype(np.int16)
            end = samples[-rate * 3 // 10 :]
            return {round(hz, -1) for hz in map(round, audio.find_tones(end, rate))}

        wait_until(lambda: heard() == set(tones), seconds, lambda: f"{tones} at {phone.name}: {heard()}")

    def tape(self, phone: Softphone, call: int) -> tuple[audio.Samples, int]:
        """What a phone heard in a call that is over, and its rate."""
        return read_tape(self.field.folder / f"{phone.name}-{call}.wav")


def read_tape(path: Path) -> tuple[audio.Samples, int]:
    """A tape and its rate, as soon as PJSUA has closed it."""
    found: list[tuple[audio.Samples, int]] = []

    def complete() -> bool:
        try:
            (samples,), rate = audio.read_wav(path)
        except ValueError:
            return False
        found.append((samples, rate))
        return len(samples) > 0

    wait_until(complete, 3, f"the tape {path}")
    return found[-1]


def last_call(phone: Softphone) -> int:
    """The number of a phone's latest call, 0 for none."""
    return max((event["call"] for event in phone.events("call")), default=0)


def pause(seconds: float) -> None:
    """Let audio flow in real time."""
    threading.Event().wait(seconds)


def said(samples: audio.Samples, rate: int, *, last_s: float = 1.2, before_s: float = 0.2) -> audio.Samples:
    """The stretch of `last_s` seconds that ends `before_s` before the end."""
    return samples[-round(rate * last_s) : -round(rate * before_s)]
