"""Who is recorded, and who is told so first: policies of queues and numbers, as whole calls with tones."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, MUSIC_HZ, Centre

from sipcc import Call
from sipcc.errors import LocalProtocolError
from sipcc.records import Cdr, CdrConsent
from sipcc.records.database import open_engine
from sipcc.records.reconcile import Reconciliation, reconcile
from sipcc.rtp import recorder, tones
from sipcc.testing import audio
from sipcc.testing.audio import read_stereo, tone, write_wav
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, FakePhone

TAPED, NUMBER = "4008009001", "4008009002"
PROMPT_HZ, PROMPT_S = 820.0, 3.0


def taped(record: str, rules: str = "", *, of: str = "queue") -> str:
    """A queue of alice and bob, and a number that leads to it; one of them has the policy."""
    policy = f"record = {record}\n[{of}s.recording]\n{rules}\n"
    return f"""
[[queues]]
name = "taped"
strategy = "linear"
wrap_up = 0
{policy if of == "queue" else ""}
[[agents]]
name = "dora"
user = "1001"
queues = ["taped"]
[[numbers]]
number = "{TAPED}"
to = "queue:taped"
{policy if of == "number" else ""}
"""


def with_prompt(centre: Centre) -> None:
    write_wav(centre.folder / "prompts" / "recorded.wav", tone(PROMPT_HZ, PROMPT_S))


def only(centre: Centre, kind: str) -> Any:
    [event] = centre.told(kind)
    return event


async def until(true: Callable[[], object]) -> None:
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def talking(centre: Centre, number: str = TAPED) -> tuple[FakeCall, FakePhone]:
    """A caller, and an agent's phone, who talk."""
    phone = await centre.phone("1001")
    caller = await centre.carrier.call(number)
    await caller.answered(timeout=30)
    await caller.hears(AGENT_HZ["1001"], timeout=30)
    return caller, phone


async def record_of(centre: Centre) -> Cdr:
    """The only call record, once the call is over and its files are complete."""
    await until(lambda: centre.told("CallEndedEvent"))
    await asyncio.sleep(2)
    await centre.switch.keeper.flush()
    [record] = await centre.switch.keeper.store.cdrs()
    return record


def files(centre: Centre) -> list[str]:
    return sorted(path.name for path in (centre.folder / "recordings").iterdir())


def share(side: audio.Samples, hz: float) -> float:
    """The seconds of a recording's side in which a tone sounds."""
    pieces = np.split(side[: len(side) // 800 * 800].astype(np.int16), len(side) // 800)
    return sum(tones.measure_tone(piece, hz) > -26 for piece in pieces) / 10


@pytest.mark.parametrize(("record", "recorded"), [("true", True), ("false", False), ('"on_demand"', False)])
async def test_a_queue_is_recorded_or_not(tmp_path: Path, record: str, recorded: bool) -> None:
    async with Centre(tmp_path, extra=taped(record)) as centre:
        caller, _ = await talking(centre)
        await asyncio.sleep(3)
        await caller.hangup()
        cdr = await record_of(centre)
        assert bool(cdr.recordings) == bool(files(centre)) == recorded
        assert cdr.consent is None
        if recorded:
            left, right, _ = read_stereo(cdr.recordings[0].path)
            assert share(left, CALLER_HZ) > 2.5
            assert share(right, AGENT_HZ["1001"]) > 2.5
            assert share(left, AGENT_HZ["1001"]) == share(right, CALLER_HZ) == 0


@pytest.mark.parametrize(("percent", "drawn"), [(0, False), (100, True)])
async def test_a_sample_of_the_calls_is_recorded(tmp_path: Path, percent: int, drawn: bool) -> None:
    async with Centre(tmp_path, extra=taped('"sample"', f"percent = {percent}")) as centre:
        caller, _ = await talking(centre)
        await caller.hangup()
        assert bool((await record_of(centre)).recordings) == drawn


async def test_what_a_number_says_goes_before_what_its_queue_says(tmp_path: Path) -> None:
    extra = f'[[numbers]]\nnumber = "{NUMBER}"\nto = "queue:sales"\nrecord = false\n'  # sales records
    async with Centre(tmp_path, extra=extra) as centre:
        caller, _ = await talking(centre, NUMBER)
        await caller.hangup()
        assert (await record_of(centre)).recordings == ()


async def test_a_number_that_dials_a_user_is_recorded(tmp_path: Path) -> None:
    extra = f'[[numbers]]\nnumber = "{NUMBER}"\nto = "dial:1001"\nrecord = true\n'
    async with Centre(tmp_path, extra=extra) as centre:
        caller, _ = await talking(centre, NUMBER)
        await asyncio.sleep(2)
        await caller.hangup()
        [recording] = (await record_of(centre)).recordings
        assert recording.seconds == pytest.approx(2, abs=1)
        assert only(centre, "RecordingStarted").number == NUMBER


async def test_capture_begins_only_after_the_prompt(tmp_path: Path) -> None:
    extra = taped("true", 'prompt = "recorded"\nretention_days = 3650')
    async with Centre(tmp_path, extra=extra) as centre:
        with_prompt(centre)
        await centre.phone("1001")
        caller = await centre.carrier.call(TAPED)
        await caller.hears(PROMPT_HZ)
        await caller.hears(AGENT_HZ["1001"], timeout=30)
        await asyncio.sleep(3)
        await caller.hangup()
        consent, started = only(centre, "RecordingConsent"), only(centre, "RecordingStarted")
        assert consent.outcome == "announced"
        assert consent.at <= started.at
        assert only(centre, "QueueJoined").at >= consent.at
        assert (started.consent, started.retention_days) == ("announced", 180)  # told is not agreed
        cdr = await record_of(centre)
        assert cdr.consent is not None
        assert cdr.answered is not None
        assert cdr.consent.announced is not None
        assert cdr.consent.announced == pytest.approx(cdr.answered + PROMPT_S, abs=0.2)
        left, right, _ = read_stereo(cdr.recordings[0].path)
        assert share(left, PROMPT_HZ) == share(right, PROMPT_HZ) == 0
        assert share(right, AGENT_HZ["1001"]) > 2.5


@pytest.mark.parametrize("broken", ["hung up", "missing", "unreadable", "replaced", "stopped"])
async def test_a_prompt_that_was_not_heard_to_its_end_blocks_the_recording(
    tmp_path: Path, broken: str
) -> None:
    async with Centre(tmp_path, extra=taped("true", 'prompt = "recorded"')) as centre:
        if broken == "unreadable":
            (tmp_path / "prompts" / "recorded.wav").write_text("no sound at all")
        elif broken != "missing":
            with_prompt(centre)
        await centre.phone("1001")
        caller = await centre.carrier.call(TAPED)
        await caller.answered()
        await asyncio.sleep(1)
        [call] = centre.switch.calls.live()
        if broken == "hung up":
            await caller.hangup()
        elif broken == "replaced":
            call.start_playing("welcome")
        elif broken == "stopped":
            call.player.stop()
        if broken != "hung up":
            await caller.hears(AGENT_HZ["1001"], timeout=30)
            with pytest.raises(LocalProtocolError, match="consent is blocked"):
                call.demand_recording()
            with pytest.raises(LocalProtocolError, match="consent is blocked"):
                call.record()
            await caller.hangup()
        cdr = await record_of(centre)
        assert files(centre) == []
        assert centre.told("RecordingStarted") == []
        assert cdr.recordings == ()
        assert cdr.consent is not None
        assert (cdr.consent.outcome, cdr.consent.announced) == ("blocked", None)
        assert cdr.consent.why
        assert cdr.cause == "normal"


async def test_a_call_whose_prompt_is_missing_ends_where_settings_want_no_unrecorded_call(
    tmp_path: Path,
) -> None:
    extra = taped("true", 'prompt = "recorded"') + '[media.recording]\nunrecorded = "refuse"\n'
    async with Centre(tmp_path, extra=extra) as centre:
        caller = await centre.carrier.call(TAPED)
        await caller.ended()
        cdr = await record_of(centre)
        assert cdr.cause == "unrecorded"
        assert cdr.consent == CdrConsent(
            outcome="blocked", prompt="recorded", why="the prompt 'recorded' is missing"
        )


@pytest.mark.parametrize(("key", "outcome"), [("1", "given"), ("2", "blocked"), ("", "blocked")])
async def test_callers_agree_by_a_key(tmp_path: Path, key: str, outcome: str) -> None:
    extra = taped("true", 'prompt = "recorded"\nkey = "1"\nretention_days = 3650', of="number")
    async with Centre(tmp_path, extra=extra) as centre:
        with_prompt(centre)
        await centre.phone("1001")
        caller = await centre.carrier.call(TAPED)
        await caller.hears(PROMPT_HZ)
        await asyncio.sleep(PROMPT_S)
        if key:
            await caller.press(key)
        await caller.hears(AGENT_HZ["1001"], timeout=30)
        await asyncio.sleep(1)
        await caller.hangup()
        cdr = await record_of(centre)
        assert cdr.consent is not None
        assert cdr.consent.outcome == outcome
        assert bool(cdr.recordings) == (outcome == "given")
        if outcome == "given":
            assert only(centre, "RecordingStarted").retention_days == 3650
        else:
            assert cdr.consent.why == "the caller did not press the key"


async def test_a_recording_is_told_to_its_end_when_all_hang_up_at_once(tmp_path: Path) -> None:
    """It is stopped with the talk, and its port is closed in the same moment."""
    async with Centre(tmp_path, extra=taped("true")) as centre:
        caller, phone = await talking(centre)
        peer = await phone.next_call()
        await asyncio.sleep(1)
        await peer.hangup()
        await caller.ended()
        cdr = await record_of(centre)
        [recording] = cdr.recordings
        assert (recording.seconds, recording.reason) == (pytest.approx(1.5, abs=0.7), "stopped")
        assert recording.sha256


async def test_on_demand_with_pause_and_stop(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=taped('"on_demand"')) as centre:
        caller, _ = await talking(centre)
        [call] = centre.switch.calls.live()
        assert call.demand_recording() == call.id
        await asyncio.sleep(2)
        call.pause_recording("card number")
        await asyncio.sleep(3)
        call.resume_recording()
        await asyncio.sleep(2)
        call.refuse_recording()
        await asyncio.sleep(2)
        assert call.demand_recording() == f"{call.id}-2"
        await asyncio.sleep(1)
        await caller.hangup()
        first, second = (await record_of(centre)).recordings
        assert (first.seconds, second.seconds) == (
            pytest.approx(7, abs=0.1),
            pytest.approx(1, abs=0.2),
        )
        left, right, _ = read_stereo(first.path)
        for side, hz in ((left, CALLER_HZ), (right, AGENT_HZ["1001"])):
            assert share(side[:15000], hz) > 1.5
            assert tones.measure_level(side[17000:39000].astype(np.int16)) < -60
            assert share(side[41000:], hz) > 1.5


async def test_a_recording_goes_on_through_a_blind_transfer(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=taped("true")) as centre:
        await centre.phone("1002")
        caller, phone = await talking(centre)
        peer = await phone.next_call()
        await asyncio.sleep(2)
        assert await peer.refer("sip:1002@pbx.example.com") == 202
        await caller.hears(AGENT_HZ["1002"], timeout=20)
        await asyncio.sleep(2)
        await caller.hangup()
        [recording] = (await record_of(centre)).recordings
        _, right, _ = read_stereo(recording.path)
        assert share(right, AGENT_HZ["1001"]) > 1.5
        assert share(right, AGENT_HZ["1002"]) > 1.5


async def test_a_recording_goes_on_when_the_caller_itself_transfers(tmp_path: Path) -> None:
    """Then another party has the caller's place: the recording goes on there, in a second file."""

    async def handler(call: Call) -> None:
        await call.answer()
        call.record()
        await call.bridge(await call.dial("1001"))

    async with Centre(tmp_path, apps={NUMBER: handler}) as centre:
        await centre.phone("1001")
        await centre.phone("1002")
        carol = await centre.phone("1003")
        caller = await carol.call(NUMBER)
        await caller.hears(AGENT_HZ["1001"], timeout=30)
        await asyncio.sleep(2)
        assert await caller.refer("sip:1002@pbx.example.com") == 202
        peer = await centre.phones["1001"].next_call()
        await peer.hears(AGENT_HZ["1002"], timeout=30)
        await asyncio.sleep(2)
        await peer.hangup()
        cdr = await record_of(centre)
        first, second = cdr.recordings
        assert (Path(first.path).stem, Path(second.path).stem) == (cdr.id, f"{cdr.id}-2")
        left, right, _ = read_stereo(second.path)
        assert share(left, AGENT_HZ["1001"]) > 1.5
        assert share(right, AGENT_HZ["1002"]) > 1.5


async def test_an_attended_transfer_before_the_answer_chains_a_file_of_the_same_interaction(
    tmp_path: Path,
) -> None:
    async with Centre(tmp_path, extra=taped("true")) as centre:
        await centre.phone("1002", Answer(after=6.0))
        caller, phone = await talking(centre)
        peer = await phone.next_call()
        [first] = centre.switch.calls.live()
        await asyncio.sleep(2)
        consult = await phone.call("4008000009")  # dial:1002
        await asyncio.sleep(2)
        assert await peer.refer("sip:1002@pbx.example.com", replaces=consult) == 202
        await caller.hears(AGENT_HZ["1002"], timeout=30)
        await asyncio.sleep(2)
        await caller.hangup()
        await until(lambda: len(centre.told("CallEndedEvent")) == 2)
        await asyncio.sleep(2)
        one, two = centre.told("RecordingStarted")
        assert one.interaction == two.interaction == one.call == first.id  # type: ignore[attr-defined]
        assert two.call != first.id  # type: ignore[attr-defined]
        assert len(centre.told("RecordingFinished")) == 2
        _, right, _ = read_stereo(two.path)  # type: ignore[attr-defined]
        assert share(right, AGENT_HZ["1002"]) > 1.5


async def test_an_attended_transfer_after_the_answer_stays_in_one_file(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=taped("true")) as centre:
        await centre.phone("1002")
        caller, phone = await talking(centre)
        peer = await phone.next_call()
        consult = await phone.call("4008000009")
        await consult.answered(timeout=30)
        await consult.hears(AGENT_HZ["1002"], timeout=30)
        assert await peer.refer("sip:1002@pbx.example.com", replaces=consult) == 202
        await caller.hears(AGENT_HZ["1002"], timeout=30)
        await asyncio.sleep(2)
        await caller.hangup()
        await asyncio.sleep(3)
        finished = only(centre, "RecordingFinished")
        _, right, _ = read_stereo(finished.path)
        assert share(right, AGENT_HZ["1001"]) > 0.5
        assert share(right, AGENT_HZ["1002"]) > 1.5


@pytest.mark.parametrize("recorded", [True, False])
async def test_after_a_transfer_to_a_queue_its_own_policy_holds(tmp_path: Path, recorded: bool) -> None:
    extra = f"""
[[queues]]
name = "second"
record = {str(recorded).lower()}
[[agents]]
name = "eve"
user = "1002"
queues = ["second"]
[[numbers]]
number = "{NUMBER}"
to = "queue:second"
"""
    async with Centre(tmp_path, extra=taped("true") + extra) as centre:
        await centre.phone("1002", Answer(after=5.0))
        caller, phone = await talking(centre)
        peer = await phone.next_call()
        await asyncio.sleep(2)
        assert await peer.refer(f"sip:{NUMBER}@pbx.example.com") == 202
        await caller.hears(MUSIC_HZ, timeout=10)
        await caller.hears(AGENT_HZ["1002"], timeout=30)
        await asyncio.sleep(2)
        await caller.hangup()
        await until(lambda: centre.told("CallEndedEvent"))
        await asyncio.sleep(3)
        await centre.switch.keeper.flush()
        rows = sorted(await centre.switch.keeper.recordings.find(), key=lambda row: row.id)
        assert [row.queue for row in rows] == ["taped", "second"][: 1 + recorded]
        assert {row.interaction for row in rows} == {rows[0].call}
        heard = [read_stereo(row.path)[1] for row in rows]
        assert share(heard[0], AGENT_HZ["1001"]) > 1.5
        assert share(heard[0], AGENT_HZ["1002"]) == 0
        assert not recorded or share(heard[1], AGENT_HZ["1002"]) > 1.5


async def test_a_disk_that_fills_is_told_before_anything_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fills by a hundredth every 2 s; in the end each recorded call has a file or a reason."""
    disk, loop = shutil.disk_usage(tmp_path), asyncio.get_running_loop()
    began = loop.time()

    def free() -> int:
        return round(disk.total * max(0.0, 0.3 - (loop.time() - began) / 200))

    monkeypatch.setattr(shutil, "disk_usage", lambda _: type(disk)(disk.total, disk.total - free(), free()))
    write_all = recorder.write_all

    def write(file: object, data: bytes) -> None:
        if not free():
            raise OSError(28, "No space left on device")
        write_all(file, data)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "write_all", write)
    async with Centre(tmp_path, extra=taped("true")) as centre:
        caller, _ = await talking(centre)
        await until(lambda: centre.told("RecordingFinished"))
        await caller.hangup()
        again = await centre.carrier.call(TAPED)
        await again.hears(AGENT_HZ["1001"], timeout=30)
        await again.hangup()
        await until(lambda: len(centre.told("CallEndedEvent")) == 2)
        await asyncio.sleep(3)
        told = [
            event for event in centre.events if type(event).__name__ in ("DiskFilling", "RecordingFinished")
        ]
        order = [getattr(event, "level", "") or getattr(event, "reason", "") for event in told]
        full = "error: No space left on device"
        assert order == ["low", "critical", full, full]
        await centre.switch.keeper.flush()
        engine = open_engine(f"{tmp_path}/sipcc.db", read_only=True)
        found = await reconcile(engine, f"{tmp_path}/recordings")
        await engine.dispose()
        assert found == Reconciliation(counts={"failed": 1, "there": 1}, findings=())
