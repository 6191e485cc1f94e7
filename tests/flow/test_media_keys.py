"""Keys through the media engine: one method per leg, converted between legs, and secret when asked to be."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tests.flow.stage import Leg, Stage
from tests.unit.rtp.q24_sets import durations, listen, names

from sipcc.rtp import DigitBegan, DigitEnded, FaxHeard, PlayTone, RecordingEnded
from sipcc.rtp.keytones import KeySounder
from sipcc.rtp.tones import CED, CNG, HIGH_HZ, LOW_HZ, make_tone, measure_tone, render
from sipcc.testing import audio
from sipcc.testing.audio import Samples

VOICE_HZ = 300
LEAD_MS = 200


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


def key_sound(digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> Samples:
    """A voice, the keys without it, and the voice again for a long time."""
    sounder = KeySounder()
    sounder.send(digits, duration_ms=duration_ms, gap_ms=gap_ms)
    frames = []
    while sounder.busy:
        frame = sounder.tick()
        assert frame is not None
        frames.append(frame)
    voice = make_tone((VOICE_HZ,), 20_000, level_dbm0=-20)
    return np.concatenate([voice[: LEAD_MS * 8], *frames, voice])


def keys_in(sound: Samples) -> str:
    """The keys that our own detector finds."""
    (events,) = listen(sound[None, : len(sound) // 160 * 160])
    return names(events)


def leaked_ms(sound: Samples) -> float:
    """The longest stretch in which a tone of a key is heard, by the spectrum of 10 ms each."""
    longest = run = 0
    for start in range(0, len(sound) - 79, 20):
        window = sound[start : start + 80]
        loud = max(measure_tone(window, hz) for hz in (*LOW_HZ, *HIGH_HZ)) > -24
        run = run + 1 if loud else 0
        longest = max(longest, run)
    return longest * 2.5


def told(leg: Leg) -> str:
    """The keys that the application was told, each once begun and once ended."""
    began = [event.digit for event in leg.events if isinstance(event, DigitBegan)]
    ended = [event.digit for event in leg.events if isinstance(event, DigitEnded)]
    assert began == ended
    return "".join(began)


# -- conversion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_tones_become_events(stage: Stage, codec: str) -> None:
    one = await stage.join("PCMU", events=None)
    two = await stage.join(codec, tone=900)  # type: ignore[arg-type]
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.say(key_sound("4008#"))
    await asyncio.sleep(2.5)
    assert told(one) == "4008#"
    assert two.party.digits == "4008#"
    heard = two.party.heard(2.5)
    assert keys_in(heard) == ""
    assert leaked_ms(heard) <= 10
    assert measure_tone(heard[-4000:], VOICE_HZ) == pytest.approx(-20, abs=1)
    assert two.party.breaks() == []
    lengths = [event.duration_ms for event in one.events if isinstance(event, DigitEnded)]
    assert all(90 <= length <= 110 for length in lengths)
    assert one.party.tones() == [900]


async def test_events_on_the_far_leg_are_as_long_as_the_tones(stage: Stage) -> None:
    one, two = await stage.join(events=None), await stage.join()
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.say(key_sound("5", duration_ms=400))
    await asyncio.sleep(1)
    packets = [item for item in two.party.received if item.payload_type == 101]
    assert len({item.timestamp for item in packets}) == 1
    assert [item.marker for item in packets].count(True) == 1
    ends = [item for item in packets if item.payload[1] & 0x80]
    assert len(ends) == 3
    assert int.from_bytes(ends[0].payload[2:], "big") / 8 == pytest.approx(400, abs=20)


async def test_events_become_tones(stage: Stage) -> None:
    one, two = await stage.join(tone=500), await stage.join("PCMA", events=None, tone=900)
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.press("159D*0#", duration_ms=100, gap_ms=100)
    await asyncio.sleep(2.5)
    assert told(one) == "159D*0#"
    heard = two.party.heard(2.5)
    assert keys_in(heard) == "159D*0#"
    (events,) = listen(heard[None, : len(heard) // 160 * 160])
    assert all(90 <= length <= 120 for length in durations(events))
    assert two.party.breaks() == []
    assert two.party.digits == ""
    await asyncio.sleep(1)
    assert two.party.tones() == [500]


async def test_keys_pressed_faster_than_tones_may_be_sent(stage: Stage) -> None:
    one, two = await stage.join(), await stage.join(events=None)
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.press("4008123456", duration_ms=40, gap_ms=60)
    await asyncio.sleep(3)
    assert keys_in(two.party.heard(3)) == "4008123456"


async def test_tones_between_legs_that_both_have_them_in_the_audio_are_left_alone(stage: Stage) -> None:
    one, two = await stage.join(events=None), await stage.join(events=None, tone=900)
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.say(key_sound("27"))
    await asyncio.sleep(1.5)
    assert told(one) == "27"
    assert told(two) == ""
    assert keys_in(two.party.heard(1.5)) == "27"
    assert two.party.longest_gap() < 0.03


async def test_one_method_is_listened_to(stage: Stage) -> None:
    """A phone that sends both: the events count, the tones do not (rtpengine #1123)."""
    one, two = await stage.join(), await stage.join()
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.say(key_sound("5"))
    await asyncio.sleep(0.2)
    one.party.press("5")
    await asyncio.sleep(1)
    assert told(one) == "5"
    assert two.party.digits == "5"


@pytest.mark.parametrize(
    ("keys", "by_events", "by_tones"), [("events", "1", ""), ("inband", "", "2"), ("off", "", "")]
)
async def test_the_method_may_be_told(stage: Stage, keys: str, by_events: str, by_tones: str) -> None:
    one = await stage.join()
    one.configure(keys=keys)
    await asyncio.sleep(0.2)
    one.party.press("1")
    await asyncio.sleep(0.5)
    assert told(one) == by_events
    one.party.say(key_sound("2"))
    await asyncio.sleep(1)
    assert told(one) == by_events + by_tones


async def test_tones_are_heard_under_a_prompt_and_at_once(stage: Stage) -> None:
    one = await stage.join(events=None)
    one.port.play([PlayTone((440.0,), 5000)])
    await asyncio.sleep(0.5)
    loop = asyncio.get_running_loop()
    one.party.say(key_sound("7"))
    began = loop.time() + LEAD_MS / 1000
    while not one.events:  # noqa: ASYNC110  # a test looks on from outside
        await asyncio.sleep(0.005)
    assert one.events[0] == DigitBegan(one.port.id, "7")
    assert loop.time() - began <= 0.12  # 60 ms of detection, and what the jitter buffer holds
    assert one.party.tones(0.2) == [440]


async def test_keys_of_ours_to_a_leg_without_events(stage: Stage) -> None:
    one = await stage.join(events=None)
    await asyncio.sleep(0.2)
    one.port.send_digits("4008", duration_ms=80, gap_ms=80)
    await asyncio.sleep(1.5)
    assert keys_in(one.party.heard(1.5)) == "4008"
    one.configure(keys="off")
    one.port.send_digits("1")
    await asyncio.sleep(0.5)
    assert keys_in(one.party.heard(0.4)) == ""


@pytest.mark.parametrize("held_ms", [60, 300, 1500])
async def test_a_press_is_as_long_on_the_other_leg_of_an_anchored_bridge(stage: Stage, held_ms: int) -> None:
    one, two = await stage.join("PCMU"), await stage.join("PCMA")
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.press("9", duration_ms=held_ms)
    await asyncio.sleep(2.5)
    ends = [item for item in two.party.received if item.payload_type == 101 and item.payload[1] & 0x80]
    assert len(ends) == 3
    assert int.from_bytes(ends[0].payload[2:], "big") / 8 == pytest.approx(held_ms, abs=20)
    assert two.party.digits == "9"


async def test_a_key_that_is_down_when_the_parties_part_does_not_stay_down(stage: Stage) -> None:
    one, two = await stage.join("PCMU"), await stage.join("PCMA")
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    one.party.press("9", duration_ms=3000)
    await asyncio.sleep(0.5)
    one.port.unbridge()
    await asyncio.sleep(0.3)
    events = [item for item in two.party.received if item.payload_type == 101]
    assert [bool(item.payload[1] & 0x80) for item in events][-3:] == [True] * 3
    count = len(events)
    await asyncio.sleep(1)
    assert len([item for item in two.party.received if item.payload_type == 101]) == count


# -- secret keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["events", "tones", "both"])
@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_secret_keys_reach_nobody_but_the_application(
    stage: Stage, tmp_path: Path, method: str, codec: str
) -> None:
    one = await stage.join(events=None if method == "tones" else 101)
    two = await stage.join(codec, tone=1800)  # type: ignore[arg-type]
    one.port.bridge(two.port)
    one.port.record(str(tmp_path / "one.wav"))
    two.port.record(str(tmp_path / "two.wav"))
    one.port.secure_keys(True)
    await asyncio.sleep(0.5)
    if method != "events":
        one.party.say(key_sound("4111*"))
    if method != "tones":
        one.party.press("4111*")
    await asyncio.sleep(2.5)
    assert told(one) == "4111*"
    assert two.party.digits == ""
    assert not [item for item in two.party.received if item.payload_type == 101]
    heard = two.party.heard(2.5)
    assert keys_in(heard) == ""
    assert leaked_ms(heard) <= 10
    for leg in (one, two):
        leg.port.stop_recording()
    while not all(isinstance(leg.events[-1], RecordingEnded) for leg in (one, two)):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for name in ("one.wav", "two.wav"):
        for side in audio.read_stereo(tmp_path / name)[:2]:
            assert keys_in(side) == ""
            if measure_tone(side, 1800) < -30:
                assert leaked_ms(side) <= 10
    left, _, _ = audio.read_stereo(tmp_path / "one.wav")
    if method != "events":
        assert measure_tone(left[-3000:-1000], VOICE_HZ) == pytest.approx(-20, abs=1)


async def test_keys_are_secret_only_as_long_as_asked(stage: Stage) -> None:
    one, two = await stage.join(tone=500), await stage.join()
    one.port.bridge(two.port)
    one.port.secure_keys(True)
    await asyncio.sleep(0.5)
    one.party.press("1")
    await asyncio.sleep(0.5)
    one.port.secure_keys(False)
    one.party.press("2")
    await asyncio.sleep(0.5)
    assert told(one) == "12"
    assert two.party.digits == "2"
    assert two.party.breaks() == []
    await asyncio.sleep(0.5)
    assert two.party.tones() == [500]


# -- fax --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "role"), [(CNG, "calling"), (CED, "answering")])
async def test_fax_tones_are_told_when_asked_for(stage: Stage, spec: object, role: str) -> None:
    one = await stage.join()
    one.configure(fax_tones=True)
    one.party.be_silent()
    await asyncio.sleep(0.5)
    one.party.say(render(spec))  # type: ignore[arg-type]
    await asyncio.sleep(0.6)
    assert one.events == [FaxHeard(one.port.id, role)]  # type: ignore[arg-type]


async def test_fax_tones_are_not_told_unasked(stage: Stage) -> None:
    one, two = await stage.join(), await stage.join(events=None)
    for leg in (one, two):
        leg.party.say(render(CNG))
    await asyncio.sleep(1)
    assert one.events == two.events == []


# -- hook flash, clocks and codecs ------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_a_hook_flash_reaches_the_other_leg(stage: Stage, codec: str) -> None:
    one, two = await stage.join("PCMU"), await stage.join(codec)  # type: ignore[arg-type]
    one.port.bridge(two.port)
    await asyncio.sleep(0.3)
    one.party.press("!")
    await asyncio.sleep(0.7)
    flashes = [item.payload for item in two.party.received if item.payload_type == 101]
    assert {payload[0] for payload in flashes} == {16}
    assert sum(payload[1] >> 7 for payload in flashes) == 3
    assert told(one) == ""


@pytest.mark.parametrize("ms", [100, 1000, 3000])
async def test_a_press_is_as_long_at_another_clock_rate(stage: Stage, ms: int) -> None:
    """PCMU with events at 8000 to a leg whose events run at 48000, as with Opus (FreeSWITCH #1724)."""
    one, two = await stage.join(), await stage.join()
    two.configure(codec="opus", payload_type=96, clock_rate_hz=48000, event_clock_rate_hz=48000)
    one.port.bridge(two.port)
    await asyncio.sleep(0.3)
    one.party.press("6", duration_ms=ms)
    await asyncio.sleep(ms / 1000 + 0.7)
    events = [item for item in two.party.received if item.payload_type == 101]
    first, last = events[0], events[-1]
    units = (last.timestamp - first.timestamp) % 2**32 + int.from_bytes(last.payload[2:], "big")
    assert units / 48 == pytest.approx(ms, abs=20)
    assert [item.marker for item in events] == [True] + [False] * (len(events) - 1)
    assert [item.payload[1] >> 7 for item in events][-4:] == [0, 1, 1, 1]
    for before, after in itertools.pairwise(events[-3:]):
        assert after.at - before.at == pytest.approx(0.02, abs=0.001)
    audio_after = next(item for item in two.party.received if item.at > last.at and item.payload_type == 96)
    passed = (audio_after.timestamp - first.timestamp) % 2**32 / 48000
    assert passed == pytest.approx(audio_after.at - first.at, abs=0.021)


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
async def test_events_leave_20_ms_apart_whatever_the_packet_time(stage: Stage, ptime_ms: int) -> None:
    """pjproject #1542: with large packets the three ends were far apart, or only one."""
    one = await stage.join()
    one.configure(ptime_ms=ptime_ms)
    one.port.play([PlayTone((440.0,), 4000)])
    await asyncio.sleep(0.5)
    one.port.send_digits("42", duration_ms=100, gap_ms=100)
    await asyncio.sleep(1)
    events = [item for item in one.party.received if item.payload_type == 101]
    assert len(events) == 14
    for group in (events[:7], events[7:]):
        assert len({item.timestamp for item in group}) == 1
        assert all(b.at - a.at == pytest.approx(0.02, abs=0.001) for a, b in itertools.pairwise(group))
        assert [item.payload[1] >> 7 for item in group] == [0] * 4 + [1] * 3
    assert one.party.digits == "42"
    assert one.party.breaks() == []
    first, last = one.party.received[0], one.party.received[-1]
    assert (last.timestamp - first.timestamp) % 2**32 / 8000 == pytest.approx(last.at - first.at, abs=0.061)


# -- changes in mid-key, rooms, many legs -----------------------------------------------------------------


async def test_a_key_under_way_ends_when_its_leg_is_put_on_hold(stage: Stage) -> None:
    one = await stage.join(events=None)
    await asyncio.sleep(0.2)
    one.party.say(key_sound("5", duration_ms=3000))
    await asyncio.sleep(1)
    one.configure(receive=False)
    await asyncio.sleep(0.1)
    assert [type(event) for event in one.events] == [DigitBegan, DigitEnded]
    one.configure(receive=True)
    one.party.say(key_sound("6"))
    await asyncio.sleep(1)
    assert told(one) == "56"


async def test_the_method_changes_in_mid_call(stage: Stage) -> None:
    """A re-INVITE without telephone-event, and one with it again; the far side gets each key once."""
    one, two = await stage.join(), await stage.join(tone=900)
    one.port.bridge(two.port)
    await asyncio.sleep(0.3)
    one.party.press("1")
    await asyncio.sleep(0.5)
    one.configure(event_payload_type=None)
    one.party.say(key_sound("2"))
    await asyncio.sleep(1)
    one.configure()
    one.party.press("3")
    await asyncio.sleep(0.7)
    assert told(one) == "123"
    assert two.party.digits == "123"
    assert two.party.breaks() == []


async def test_keys_in_a_conference_are_told_and_heard_by_all(stage: Stage) -> None:
    legs = [await stage.join(events=None) for _ in range(3)]
    for leg in legs:
        leg.port.join("room")
        leg.party.be_silent()
    await asyncio.sleep(0.3)
    legs[0].party.say(key_sound("58"))
    await asyncio.sleep(1)
    assert [told(leg) for leg in legs] == ["58", "", ""]
    assert [keys_in(leg.party.heard(1)) for leg in legs] == ["", "58", "58"]


async def test_secret_keys_in_a_conference(stage: Stage) -> None:
    legs = [await stage.join(events=None) for _ in range(3)]
    for leg in legs:
        leg.port.join("room")
        leg.party.be_silent()
    legs[0].port.secure_keys(True)
    await asyncio.sleep(0.3)
    legs[0].party.say(key_sound("58"))
    await asyncio.sleep(1)
    assert [told(leg) for leg in legs] == ["58", "", ""]
    for leg in legs[1:]:
        assert keys_in(leg.party.heard(1)) == ""
        assert leaked_ms(leg.party.heard(1)) <= 10


async def test_a_supervisor_hears_no_secret_key_either(stage: Stage) -> None:
    one, two, supervisor = await stage.join(events=None), await stage.join(), await stage.join()
    for leg in (two, supervisor):
        leg.party.be_silent()
    one.port.bridge(two.port)
    supervisor.port.supervise(one.port, "listen")
    one.port.secure_keys(True)
    await asyncio.sleep(0.3)
    one.party.say(key_sound("58"))
    await asyncio.sleep(1)
    assert told(one) == "58"
    for leg in (two, supervisor):
        assert keys_in(leg.party.heard(1)) == ""
        assert leaked_ms(leg.party.heard(1)) <= 10
        assert leg.party.digits == ""


async def test_many_legs_at_once(stage: Stage) -> None:
    """More than the bank of ears has room for at first; each is told its own keys."""
    legs = [await stage.join(events=None) for _ in range(70)]
    await asyncio.sleep(0.2)
    numbers = [f"{index:02d}" for index in range(70)]
    for leg, number in zip(legs, numbers, strict=True):
        leg.party.say(key_sound(number))
    await asyncio.sleep(1.2)
    assert [told(leg) for leg in legs] == numbers


async def test_audio_that_we_cannot_code_still_passes(stage: Stage) -> None:
    """G.729 to a leg with events: nothing can be muted in it, so the relay stays, and events go besides."""
    one, two = await stage.join(events=None), await stage.join()
    for leg in (one, two):
        leg.configure(codec="G729", payload_type=0)  # the parties send what they like under its number
    one.port.bridge(two.port)
    await asyncio.sleep(1)
    assert len([item for item in two.party.received if item.payload_type == 0]) > 40
