"""Secret digits appear in no log, event, record, recording or trace, whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from tests.flow.centre import CONFIG, Centre

from sipcc import Call, Event
from sipcc.call.digits import CollectSettings, LengthMatcher
from sipcc.errors import SipccError
from sipcc.ivr.live import LiveSession
from sipcc.ivr.services import Services, Understood
from sipcc.ivr.steps import Gather, Heard, Listen, named
from sipcc.testing import audio
from sipcc.testing.fakecall import FakeCall

LINE = "4008000100"
CANARY = "7391846250"
"""No other digits of a test have this in them."""

CARD = Gather(
    prompts=named("welcome"),
    keys=LengthMatcher(10, allowed="0123456789"),
    collect=CollectSettings(secret=True, timeout=3.0, interdigit=2.0),
    label="card",
)


async def crashes(session: LiveSession, digits: str) -> None:
    raise RuntimeError("the service is down")


async def fails(session: LiveSession, digits: str) -> None:
    raise SipccError("the service refuses")


async def goes_on(session: LiveSession, digits: str) -> None:
    await session.play(named("welcome"))


Then = Callable[[LiveSession, str], Awaitable[None]]
Act = Callable[[FakeCall], Awaitable[None]]


async def types_all(caller: FakeCall) -> None:
    await caller.press(CANARY, duration_ms=60, gap_ms=60)


async def types_too_few(caller: FakeCall) -> None:
    await caller.press(CANARY[:9], duration_ms=60, gap_ms=60)
    await asyncio.sleep(4)


async def types_a_wrong_key(caller: FakeCall) -> None:
    await caller.press(CANARY[:8] + "*", duration_ms=60, gap_ms=60)


async def hangs_up_within(caller: FakeCall) -> None:
    await caller.press(CANARY[:8], duration_ms=60, gap_ms=60)
    await caller.hangup()


def trail_of(centre: Centre, folder: Path, printed: str) -> str:
    """All that was written anywhere, as one text."""
    encoder = msgspec.json.Encoder(enc_hook=repr)
    events = "\n".join(repr(event) + encoder.encode(event).decode() for event in centre.events)
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".wav", ".toml")]
    stored = "\n".join(path.read_bytes().decode("latin-1") for path in files)
    return "\n".join([printed, events, stored, repr(centre.switch.treatments)])


def tones_in(folder: Path) -> set[int]:
    """The frequencies of keys that stand out in what was recorded of the caller."""
    found: set[int] = set()
    for path in (folder / "recordings").rglob("*.wav"):
        samples, _ = soundfile.read(path, dtype="int16", always_2d=True)
        for at in range(0, len(samples) - 800, 400):
            found |= {round(hz) for hz in audio.find_tones(samples[at : at + 800, 0], count=2)}
    return found & {697, 770, 852, 941, 1209, 1336, 1477}


@pytest.mark.parametrize("then", [goes_on, crashes, fails])
@pytest.mark.parametrize("act", [types_all, types_too_few, types_a_wrong_key, hangs_up_within])
async def test_secret_digits_appear_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], act: Act, then: Then
) -> None:
    got: list[str] = []

    async def handler(call: Call) -> None:
        session = LiveSession(call)
        await session.answer()
        call.record()
        answer = await session.gather(CARD)
        got.append(answer.keys)
        await then(session, answer.keys)
        await session.wait(0.5)

    async with Centre(tmp_path, apps={LINE: handler}) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.be_silent()
        await caller.answered()
        await asyncio.sleep(0.5)
        try:
            await act(caller)
            await caller.ended(timeout=15)
        except AssertionError:
            assert caller.state == "ended"  # the call was over before all keys had gone
        await asyncio.sleep(1)
        await centre.switch.keeper.flush()
        trail = trail_of(centre, tmp_path, "".join(capfd.readouterr()))
        told: list[Event] = centre.events
    for piece in (CANARY, CANARY[:8], CANARY[:5], CANARY[-5:]):
        assert piece not in trail
    assert CANARY not in repr(told)
    if act is types_all:
        assert got == [CANARY]
    assert tones_in(tmp_path) == set()


async def test_secret_digits_that_come_as_tones_are_in_no_recording(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    got: list[str] = []

    async def handler(call: Call) -> None:
        session = LiveSession(call)
        await session.answer()
        call.record()
        got.append((await session.gather(CARD)).keys)

    inband = CONFIG.replace('name = "carrier"', 'name = "carrier"\ndtmf = "inband"')
    async with Centre(tmp_path, config=inband, apps={LINE: handler}) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.be_silent()
        await caller.answered()
        await asyncio.sleep(0.5)
        caller.media.say(keys_as_tones(CANARY))
        await caller.ended(timeout=20)
        await asyncio.sleep(1)
        await centre.switch.keeper.flush()
        trail = trail_of(centre, tmp_path, "".join(capfd.readouterr()))
    assert got == [CANARY]
    assert CANARY[:5] not in trail
    assert tones_in(tmp_path) == set()


class Ears:
    """Understands the canary, whatever is said."""

    async def recognise(
        self, frames: AsyncIterator[bytes], step: Listen, *, language: str, on_speech: Callable[[], None]
    ) -> Understood:
        for _ in range(100):
            await anext(frames)
        return Understood(outcome="match", heard=(Heard(CANARY),))


async def test_a_secret_that_is_spoken_is_in_no_recording_and_no_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    got: list[str] = []
    step = msgspec.structs.replace(CARD, listen=Listen(), prompts=())

    async def handler(call: Call) -> None:
        session = LiveSession(call, Services(recogniser=Ears()))
        await session.answer()
        call.record()
        await session.wait(1)
        answer = await session.gather(step)
        got.append(answer.heard[0].text)
        await session.wait(1)
        raise RuntimeError(repr(answer))

    async with Centre(tmp_path, apps={LINE: handler}) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.say(np.concatenate([audio.tone(hz, 1.0) for hz in (500, 1500, 1500, 500, 500)]))
        await caller.ended(timeout=20)
        await asyncio.sleep(1)
        await centre.switch.keeper.flush()
        trail = trail_of(centre, tmp_path, "".join(capfd.readouterr()))
    assert got == [CANARY]
    assert CANARY[:5] not in trail
    [path] = (tmp_path / "recordings").rglob("*.wav")
    said = soundfile.read(path, dtype="int16", always_2d=True)[0][:, 0]
    heard = {
        round(hz) for at in range(0, len(said) - 1600, 800) for hz in audio.find_tones(said[at : at + 1600])
    }
    assert 500 in heard
    assert 1500 not in heard


def keys_as_tones(digits: str) -> audio.Samples:
    """The keys as a telephone without events sends them, and then silence."""
    low, high = (697, 770, 852, 941), (1209, 1336, 1477)
    places = {key: (low[index // 3], high[index % 3]) for index, key in enumerate("123456789*0#")}
    parts = [audio.silence(0.1)]
    for digit in digits:
        first, second = (audio.tone(hz, 0.1).astype(int) for hz in places[digit])
        parts += [(first + second).clip(-32768, 32767).astype("int16"), audio.silence(0.1)]
    return np.concatenate([*parts, audio.silence(30)])
