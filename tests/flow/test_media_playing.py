"""What the engine plays and records, in every codec, proved by tones."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from sipcc.ids import Ids
from sipcc.rtp import LocalEngine, MediaSettings, PlayFile, PlaySilence, PlayTone, StreamParams, tones
from sipcc.rtp.codec import g711, make_decoder, make_encoder
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.events import (
    AudioTapped,
    MediaEvent,
    PlayCleared,
    PlayEnded,
    PlayFlow,
    PlayMarked,
    PromptMissing,
    RecordingEnded,
)
from sipcc.rtp.flow import MediaPort, PlayItem, PlayStream
from sipcc.rtp.frame import Coding
from sipcc.rtp.packet import HEADER, PLAIN
from sipcc.testing import audio
from sipcc.testing.network import MemoryNetwork

PCMU: Coding = ("PCMU", 8000)
PCMA: Coding = ("PCMA", 8000)
G722: Coding = ("G722", 8000)
OPUS: Coding = ("opus", 48000)
WIDE: Coding = ("L16", 16000)
CODINGS = [PCMU, PCMA, G722, OPUS, ("L16", 8000), WIDE]
TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 111, "L16": 112, "G729": 18}


def names(coding: Coding) -> str:
    return f"{coding[0]}-{coding[1]}"


class Party:
    """A far end that speaks any codec: a tone out, and all that comes in with its time."""

    def __init__(self, stage: Stage, port: MediaPort, host: str, coding: Coding, tone_hz: float) -> None:
        self.port, self.host, self.coding = port, host, coding
        self.events: list[MediaEvent] = []
        self.packets: list[tuple[float, int, int, bytes]] = []
        """(when, payload type, timestamp, payload) of each packet that came."""
        self.talking = True
        self._closed = False
        self.lossy: random.Random | None = None
        """Set for a bad way: 10 % lost, 5 % doubled, and up to 200 ms late, so in any order."""
        self.flood = 0
        """Packets of noise that are sent beside each frame."""
        self._sockets = stage.network.sockets(host)
        self._handle = self._sockets.open(host, 30000)
        self._loop = asyncio.get_running_loop()
        self._said = (
            tones.make_tone((tone_hz,), 1000, level_dbm0=-13) if tone_hz else np.zeros(8000, np.int16)
        )
        self._count = 0
        self.speak(coding)
        port.on_event = self.events.append
        self._task = asyncio.ensure_future(self._run())

    def speak(self, coding: Coding, *, send: bool = True) -> None:
        """Agree on a codec, or on another one in mid-call."""
        self.coding = coding
        self._encoder = None if coding[0] == "G729" else make_encoder(*coding)
        self.port.configure(
            StreamParams(
                remote_host=self.host,
                remote_port=30000,
                remote_rtcp_port=30001,
                codec=coding[0],
                clock_rate_hz=coding[1],
                payload_type=TYPES[coding[0]],
                send=send,
            )
        )

    async def _run(self) -> None:
        while True:
            now = self._loop.time()
            for _, data, _ in self._sockets.drain():
                _, second, _, timestamp, _ = HEADER.unpack_from(data)
                self.packets.append((now, second & 0x7F, timestamp, data[12:]))
            if self.talking and self._encoder is not None:
                at = 160 * self._count % 8000
                self._send(self._encoder.encode(self._said[at : at + 160]))
                for _ in range(self.flood):
                    self._send(random.Random(1).randbytes(1200))
            self._count += 1
            await asyncio.sleep(0.02)

    def _send(self, payload: bytes) -> None:
        self._sequence = (getattr(self, "_sequence", 0) + 1) & 0xFFFF
        timestamp = self._count * self.coding[1] // 50
        header = HEADER.pack(PLAIN, TYPES[self.coding[0]], self._sequence, timestamp, 0x77)
        if self.lossy is None:
            self._post(header + payload)
            return
        for _ in range(1 + (self.lossy.random() < 0.05)):
            if self.lossy.random() >= 0.1:
                self._loop.call_later(0.2 * self.lossy.random(), self._post, header + payload)

    def _post(self, packet: bytes) -> None:
        if not self._closed:
            self._sockets.send(self._handle, packet, (self.port.host, self.port.port))

    def heard(self, coding: Coding | None = None) -> Pcm:
        """All that came in `coding`, one packet after the other."""
        coding = coding or self.coding
        decoder = make_decoder(*coding)
        parts = [decoder.decode(data) for _, kind, _, data in self.packets if kind == TYPES[coding[0]]]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def ended(self) -> list[MediaEvent]:
        """The ends of plays."""
        return [event for event in self.events if isinstance(event, PlayEnded)]

    def close(self) -> None:
        self._closed = True
        self._task.cancel()
        self._sockets.close(self._handle)


class Stage:
    """An engine and the parties around it."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        settings = MediaSettings(address="10.0.0.1", ports=(20000, 20199), clock_ms=10)
        self.engine = LocalEngine(
            settings, sockets=self.network.sockets("10.0.0.1"), ids=Ids(random.Random(7))
        )
        self.parties: list[Party] = []

    async def join(self, coding: Coding, tone_hz: float = 0) -> Party:
        host = f"10.0.1.{len(self.parties) + 1}"
        self.parties.append(Party(self, await self.engine.open(), host, coding, tone_hz))
        return self.parties[-1]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    for party in stage.parties:
        party.close()
    await stage.engine.stop()


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # a test looks on from outside
            await asyncio.sleep(0.02)


async def stop_recording(party: Party) -> RecordingEnded:
    party.port.stop_recording()
    ended: list[RecordingEnded] = []
    await until(lambda: ended.extend(e for e in party.events if isinstance(e, RecordingEnded)) or ended)
    return ended[0]


def found(pcm: Pcm) -> list[tuple[int, int]]:
    """(Hz, ms) of each tone, one after the other; short slips between two are left out."""
    return [
        (round(tone.frequency_hz / 10) * 10, tone.duration_ms)
        for tone in tones.find_tones(pcm)
        if tone.duration_ms > 60
    ]


# -- playing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODINGS, ids=names)
async def test_a_playlist_in_every_codec(stage: Stage, tmp_path: Path, coding: Coding) -> None:
    audio.write_wav(tmp_path / "a.wav", audio.tone(440, 1.0))
    party = await stage.join(coding)
    party.port.play([PlayFile(str(tmp_path / "a.wav")), PlaySilence(500), PlayTone((900,), 500)], token=3)
    await asyncio.sleep(4)
    assert party.events == [PlayEnded(party.port.id, 3, "done", 2000)]
    pcm = party.heard()
    assert len(pcm) == 16_000
    assert found(pcm) == [(440, pytest.approx(1000, abs=40)), (900, pytest.approx(500, abs=40))]
    times = [at for at, *_ in party.packets]
    assert np.diff(times) == pytest.approx(0.02, abs=0.001)
    stamps = [stamp for _, _, stamp, _ in party.packets]
    assert {(after - before) % 2**32 for before, after in itertools.pairwise(stamps)} == {coding[1] // 50}


@pytest.mark.parametrize("coding", [G722, OPUS, WIDE], ids=names)
async def test_listeners_share_what_was_coded_once(stage: Stage, tmp_path: Path, coding: Coding) -> None:
    audio.write_wav(tmp_path / "music.wav", audio.tone(440, 1.0))
    music = [PlayFile(str(tmp_path / "music.wav")), PlayTone((900,), 1000)]
    parties = [await stage.join(coding) for _ in range(3)]
    for party in parties:
        party.port.play(music, loop=True, shared=True)
        await asyncio.sleep(0.7)
    await asyncio.sleep(3)
    payloads, times = ([[item[field] for item in party.packets] for party in parties] for field in (3, 0))
    for later in (1, 2):
        wanted = payloads[later][:60]
        places = [at for at in range(len(payloads[0])) if payloads[0][at : at + 60] == wanted]
        assert any(abs(times[0][at] - times[later][0]) < 0.035 for at in places)


CHANGES = [(PCMU, OPUS), (OPUS, PCMA), (G722, WIDE), (PCMU, PCMA), (WIDE, OPUS), (OPUS, G722)]


@pytest.mark.parametrize(("before", "after"), CHANGES, ids=names)
async def test_a_codec_that_changes_in_mid_play(
    stage: Stage, tmp_path: Path, before: Coding, after: Coding
) -> None:
    audio.write_wav(tmp_path / "a.wav", audio.tone(440, 2.0), rate_hz=8000)
    party = await stage.join(before)
    party.port.play([PlayFile(str(tmp_path / "a.wav")), PlayTone((900,), 1000)], token=1)
    await asyncio.sleep(1.0)
    party.speak(after)
    await asyncio.sleep(3.0)
    assert party.ended() == [PlayEnded(party.port.id, 1, "done", 3000)]
    first, second = party.heard(before), party.heard(after)
    assert len(first) + len(second) == pytest.approx(24_000, abs=320)
    assert [hz for hz, _ in found(first)] == [440]
    assert found(second) == [(440, pytest.approx(1000, abs=80)), (900, pytest.approx(1000, abs=60))]


@pytest.mark.parametrize("coding", [PCMU, OPUS], ids=names)
async def test_pause_and_seek(stage: Stage, coding: Coding) -> None:
    party = await stage.join(coding)
    party.port.play([PlayTone((440,), 1000), PlayTone((900,), 1000)], token=1)
    await asyncio.sleep(0.5)
    party.port.pause_playing(True)
    await asyncio.sleep(2.0)
    party.port.pause_playing(False)
    await asyncio.sleep(1.0)
    party.port.seek_playing(0)
    await asyncio.sleep(3.0)
    pcm = party.heard()
    assert len(pcm) == pytest.approx(8000 * 5.5, abs=500)
    assert [hz for hz, _ in found(pcm)] == [440, 440, 900, 440, 900]
    assert tones.measure_level(pcm[6000:18_000]) < -50
    assert [type(event) for event in party.events] == [PlayEnded]


async def test_a_pause_and_a_place_that_were_asked_for_while_the_file_was_read(
    stage: Stage, tmp_path: Path
) -> None:
    audio.write_wav(tmp_path / "a.wav", np.concatenate([audio.tone(440, 1.0), audio.tone(900, 1.0)]))
    party = await stage.join(PCMU)
    party.port.play([PlayFile(str(tmp_path / "a.wav"))])
    party.port.pause_playing(True)
    party.port.seek_playing(1000)
    await asyncio.sleep(1.0)
    party.port.pause_playing(False)
    await asyncio.sleep(2.0)
    assert [hz for hz, _ in found(party.heard())] == [900]


@pytest.mark.parametrize("item", [PlayFile("/nowhere/a.wav"), PlayTone((440,), 400)])
async def test_a_codec_that_we_cannot_encode_is_silent_and_says_so(stage: Stage, item: PlayItem) -> None:
    party = await stage.join(("G729", 8000))
    party.port.play([item], token=8)
    await until(party.ended)
    [missing] = [event for event in party.events if isinstance(event, PromptMissing)]
    assert "No such file" in missing.error or "G729" in missing.error
    assert party.packets == []


@pytest.mark.parametrize("coding", [PCMU, PCMA, G722, OPUS], ids=names)
async def test_a_stream_is_heard_while_it_is_made(stage: Stage, coding: Coding) -> None:
    party = await stage.join(coding)
    party.port.play([PlayStream()], token=7)
    speech = tones.make_tone((700.0,), 2000).astype("<i2").tobytes()
    for start in range(0, len(speech), 4000):  # 250 ms each, 200 ms apart
        party.port.feed(7, speech[start : start + 4000], last=start + 4000 >= len(speech))
        party.port.feed(6, speech)  # of a play that is over
        await asyncio.sleep(0.2)
    assert len(party.packets) > 60
    await asyncio.sleep(1.5)
    assert party.events == [PlayEnded(party.port.id, 7, "done", 2000)]
    assert found(party.heard()) == [(700, pytest.approx(2000, abs=40))]
    assert np.diff([at for at, *_ in party.packets]) == pytest.approx(0.02, abs=0.001)


async def test_a_stream_tells_when_it_is_full_and_plays_alone(stage: Stage) -> None:
    party = await stage.join(PCMU)
    party.port.play([PlayStream()], token=7)
    party.port.feed(7, bytes(16_000 * 12))
    await asyncio.sleep(8)
    assert party.events == [PlayFlow(party.port.id, 7, True), PlayFlow(party.port.id, 7, False)]
    with pytest.raises(ValueError, match="alone"):
        party.port.play([PlayStream(), PlayTone((440,), 100)])


async def test_a_stream_is_cleared_within_a_frame_and_says_what_was_heard(stage: Stage) -> None:
    party = await stage.join(PCMU)
    party.port.play([PlayStream(law="PCMU", lead_ms=40)], token=7)
    tone = g711.encode(tones.make_tone((700.0,), 3000), "PCMU")
    party.port.feed(7, tone[:4000])
    party.port.mark_playing(7, "half a second")
    party.port.feed(7, tone[4000:])
    party.port.mark_playing(7, "all")
    await asyncio.sleep(1.0)
    before = len(party.packets)
    party.port.clear_playing(7)
    await asyncio.sleep(0.3)
    port = party.port.id
    assert party.events[0] == PlayMarked(port, 7, "half a second", True, 500)
    cleared = party.events[2]
    assert isinstance(cleared, PlayCleared)
    assert party.events[1] == PlayMarked(port, 7, "all", False, cleared.played_ms)
    sounding = [data for *_, data in party.packets if data != b"\xff" * 160]
    assert b"".join(sounding) == tone[: cleared.played_ms * 8]  # byte for byte
    assert len(party.packets) - before in (14, 15)
    assert cleared.played_ms + cleared.dropped_ms == 3000


async def test_a_coded_tap_tells_g711_as_it_came(stage: Stage) -> None:
    party = await stage.join(PCMA)
    party.port.tap(True, coded=True)
    await asyncio.sleep(1.0)
    party.port.tap(False)
    told = [event for event in party.events if isinstance(event, AudioTapped)]
    assert {event.law for event in told} == {"PCMA"}
    said = b"".join(event.said for event in told)
    second = g711.encode(party._said, "PCMA")
    assert said[-1600:] in second * 2


# -- recording ----------------------------------------------------------------------------------------

PAIRS = [(coding, PCMU) for coding in CODINGS] + [(OPUS, G722), (PCMA, WIDE), (OPUS, OPUS)]


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=names)
async def test_a_bridge_of_any_codecs_is_recorded_on_both_sides(
    stage: Stage, tmp_path: Path, one: Coding, two: Coding
) -> None:
    caller, agent = await stage.join(one, 500), await stage.join(two, 900)
    caller.port.bridge(agent.port)
    path = tmp_path / "call.wav"
    caller.port.record(str(path))
    agent.port.record(str(tmp_path / "agent.wav"))
    await asyncio.sleep(3.0)
    ended = await stop_recording(caller)
    assert (ended.reason, ended.seconds) == ("stopped", pytest.approx(3.0, abs=0.02))
    await stop_recording(agent)
    for name, expected in (("call.wav", (500, 900)), ("agent.wav", (900, 500))):
        left, right, _ = audio.read_stereo(tmp_path / name)
        for side, hz in zip((left, right), expected, strict=True):
            pcm = (np.asarray(side) * (1 if side.dtype == np.int16 else 32768)).astype(np.int16)
            assert found(pcm[2400:]) == [(hz, pytest.approx(2600, abs=140))]
            assert tones.measure_level(pcm[4000:20_000]) == pytest.approx(-13, abs=1.0)


async def test_a_pause_is_marked_and_a_hold_is_silent_for_its_length(stage: Stage, tmp_path: Path) -> None:
    caller, agent = await stage.join(OPUS, 500), await stage.join(PCMU, 900)
    caller.port.bridge(agent.port)
    caller.port.record(str(tmp_path / "call.wav"))
    await asyncio.sleep(1.0)
    caller.port.pause_recording(True, mark=True)
    await asyncio.sleep(2.0)
    caller.port.pause_recording(False)
    await asyncio.sleep(1.0)
    caller.speak(OPUS, send=False)
    caller.talking = False
    await asyncio.sleep(2.0)
    caller.speak(OPUS)
    caller.talking = True
    await asyncio.sleep(1.0)
    assert (await stop_recording(caller)).seconds == pytest.approx(7.0, abs=0.03)
    for side, hz in zip(audio.read_stereo(tmp_path / "call.wav")[:2], (500, 900), strict=True):
        pcm = np.asarray(side).astype(np.int16)
        near = [(tone.start_ms, round(tone.frequency_hz, -1)) for tone in tones.find_tones(pcm[800:])]
        assert [frequency for _, frequency in near] == [hz, 1000, hz, hz]
        assert near[1][0] == pytest.approx(900, abs=60)
        assert near[2][0] == pytest.approx(2900, abs=80)
        assert near[3][0] == pytest.approx(5900, abs=150)
        assert tones.measure_level(pcm[8000 * 4 + 2400 : 8000 * 6 - 400]) < -60


async def test_the_consent_tone_is_heard_by_both_and_recorded(stage: Stage, tmp_path: Path) -> None:
    caller, agent = await stage.join(PCMU, 500), await stage.join(PCMU, 900)
    caller.port.bridge(agent.port)
    caller.port.record(str(tmp_path / "call.wav"))
    await asyncio.sleep(1.0)
    caller.port.consent_tone(13.0)
    await asyncio.sleep(28.0)
    for party in (caller, agent):
        party.packets = party.packets[-1300:]  # 26 s: from 2 s behind the first one
        level = [
            tones.measure_tone(part, 1400.0) > -25 for part in np.split(party.heard()[: 1300 * 160], 260)
        ]
        assert sum(level) == pytest.approx(11, abs=2)  # two tones, in parts of 100 ms
    both = await stop_recording(caller)
    assert both.seconds == pytest.approx(29.0, abs=0.05)
    right = audio.read_stereo(tmp_path / "call.wav")[1].astype(np.int16)
    loud = [index for index in range(290) if tones.measure_tone(right[800 * index :][:800], 1400.0) > -25]
    assert loud[0] == pytest.approx(10, abs=1)
    assert next(index for index in loud if index > 30) == pytest.approx(140, abs=1)
    assert len(loud) == pytest.approx(15, abs=3)
    caller.port.consent_tone(0)
    agent.packets.clear()
    await asyncio.sleep(15.0)
    assert [hz for hz, _ in found(agent.heard())] == [500]


@pytest.mark.parametrize("coding", [PCMU, OPUS], ids=names)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_bad_network_changes_nothing_of_the_length(
    stage: Stage, tmp_path: Path, coding: Coding, seed: int
) -> None:
    """D09: 10 % lost, 200 ms of jitter, reordered, doubled; both sides are as long as the clock says."""
    caller, agent = await stage.join(coding, 500), await stage.join(PCMU, 900)
    caller.lossy, agent.lossy = random.Random(seed), random.Random(seed + 10)
    caller.port.bridge(agent.port)
    caller.port.record(str(tmp_path / "call.wav"))
    await asyncio.sleep(20.0)
    ended = await stop_recording(caller)
    assert ended.seconds == pytest.approx(20.0, abs=0.02)
    for side, hz in zip(audio.read_stereo(tmp_path / "call.wav")[:2], (500, 900), strict=True):
        assert len(side) == pytest.approx(160_000, abs=160)
        assert hz in [round(tone, -1) for tone in audio.find_tones(side[8000:16_000])]
        for start in range(8000, 150_000, 8000):  # nowhere a second without it
            assert tones.measure_level(side[start : start + 8000].astype(np.int16)) > -18


async def test_a_flood_does_not_make_the_file_grow(stage: Stage, tmp_path: Path) -> None:
    """D07: 1000 packets a second of 1200 bytes from the accepted source itself."""
    caller, agent = await stage.join(PCMU, 500), await stage.join(PCMU, 900)
    caller.port.bridge(agent.port)
    caller.port.record(str(tmp_path / "call.wav"))
    await asyncio.sleep(1.0)
    caller.flood = 20
    await asyncio.sleep(5.0)
    caller.flood = 0
    await asyncio.sleep(1.0)
    ended = await stop_recording(caller)
    assert ended.seconds == pytest.approx(7.0, abs=0.03)
    size = (tmp_path / "call.wav").stat().st_size
    assert size <= 1.01 * 2 * 8000 * 7.0
    right = audio.read_stereo(tmp_path / "call.wav")[1].astype(np.int16)
    assert [hz for hz, _ in found(right[2400:])] == [900]
