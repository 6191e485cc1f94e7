from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sipcc.rtp import files, tones
from sipcc.rtp.codec import decode, make_decoder
from sipcc.rtp.files import ClipStore, make_clip, read_clip, seconds_of
from sipcc.rtp.flow import Law, PlayFile, PlaySilence, PlayTone
from sipcc.rtp.frame import Coding
from sipcc.rtp.player import Clip

MU: Coding = ("PCMU", 8000)
A: Coding = ("PCMA", 8000)


def sine(rate: int, *, seconds: float = 0.5, frequency: float = 1000.0, peak: float = 0.3) -> np.ndarray:
    return peak * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def write(path: Path, rate: int, **options: float) -> str:
    soundfile.write(path, sine(rate, **options), rate)
    return str(path)


def read_pcm(path: str) -> np.ndarray:
    return decode(read_clip(path, MU).payload, "PCMU")


def check_tone(pcm: np.ndarray, *, seconds: float = 0.5, frequency: float = 1000.0) -> None:
    assert len(pcm) == pytest.approx(seconds * 8000, abs=2)
    middle = pcm[800:-800]
    expected = 20 * np.log10(0.3) + 3.14
    assert tones.measure_tone(middle, frequency) == pytest.approx(expected, abs=0.2)
    assert tones.measure_level(middle) == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 6000])
def test_every_rate_becomes_8_khz(tmp_path: Path, rate: int) -> None:
    check_tone(read_pcm(write(tmp_path / "a.wav", rate)))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "ULAW"}),
        ("a.wav", {"subtype": "ALAW"}),
        ("a.flac", {}),
    ],
)
def test_formats(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    soundfile.write(tmp_path / name, sine(16000), 16000, **options)
    check_tone(read_pcm(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_formats(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, sine(16000, seconds=1.0), 16000)
    pcm = read_pcm(str(tmp_path / name))
    assert len(pcm) == pytest.approx(8000, abs=800)
    assert tones.measure_tone(pcm[2000:6000], 1000.0) == pytest.approx(-7.3, abs=1.0)


def test_stereo_is_mixed_to_mono(tmp_path: Path) -> None:
    both = np.stack([sine(16000, peak=0.6), np.zeros(8000)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, 16000)
    check_tone(read_pcm(str(tmp_path / "a.wav")))


@pytest.mark.parametrize("frequency", [300.0, 3000.0, 3300.0])
def test_speech_band_passes(tmp_path: Path, frequency: float) -> None:
    check_tone(read_pcm(write(tmp_path / "a.wav", 44100, frequency=frequency)), frequency=frequency)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("frequency", [4500.0, 5000.0, 7000.0])
def test_what_8_khz_cannot_carry_does_not_come_back_as_another_tone(
    tmp_path: Path, rate: int, frequency: float
) -> None:
    pcm = read_pcm(write(tmp_path / "a.wav", rate, frequency=frequency))
    assert tones.measure_level(pcm[800:-800]) < -65


def test_loud_files_are_clipped_and_not_wrapped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(8000, 1.5), 8000, subtype="FLOAT")
    assert set(read_pcm(str(tmp_path / "a.wav")).tolist()) == {32124}  # the largest of mu-law


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_tones_and_silence_need_no_disk(codec: Law) -> None:
    coding: Coding = (codec, 8000)
    store = ClipStore()
    clip = store.get(PlayTone((450.0,), 200), coding, now=0.0)
    assert clip is not None
    assert len(clip.payload) == 1600
    assert tones.measure_tone(decode(clip.payload, codec)[100:-100], 450.0) == pytest.approx(-13.0, abs=0.3)
    quiet = store.get(PlaySilence(100), coding, now=0.0)
    assert quiet is not None
    assert np.abs(decode(quiet.payload, codec)).max() <= 8
    assert len(quiet.payload) == 800
    assert make_clip(PlaySilence(-5), coding).payload == b""


async def test_a_file_is_read_once_and_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = PlayFile(write(tmp_path / "a.wav", 16000))
    reads: list[str] = []

    def counting_read(path: str, coding: Coding, *, offset_ms: int) -> Clip:
        reads.append(path)
        return read_clip(path, coding, offset_ms=offset_ms)

    monkeypatch.setattr(files, "read_clip", counting_read)
    store = ClipStore()
    assert store.get(item, MU, now=0.0) is None
    clips = await asyncio.gather(*(store.load(item, MU, now=0.0) for _ in range(20)))
    assert len({id(clip.payload) for clip in clips}) == 1
    assert len(reads) == 1
    assert store.get(item, MU, now=1.0) is clips[0]
    assert await store.load(item, MU, now=1.0) is clips[0]
    assert store.bytes == len(clips[0].payload) == 4000
    assert clips[0].error == ""
    check_tone(decode(clips[0].payload, "PCMU"))
    # After a while the file is looked at again, and not read.
    assert store.get(item, MU, now=10.0) is None
    assert await store.load(item, MU, now=10.0) is clips[0]
    assert len(reads) == 1
    assert store.get(item, MU, now=10.5) is clips[0]


async def test_each_codec_has_its_own_clip(tmp_path: Path) -> None:
    item = PlayFile(write(tmp_path / "a.wav", 8000))
    store = ClipStore()
    mu, a = await store.load(item, MU, now=0.0), await store.load(item, A, now=0.0)
    assert mu.payload != a.payload
    assert len(mu.payload) == len(a.payload)
    check_tone(decode(a.payload, "PCMA"))


async def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    item = PlayFile(write(tmp_path / "a.wav", 8000))
    store = ClipStore()
    await store.load(item, MU, now=0.0)
    write(tmp_path / "a.wav", 8000, seconds=0.25)
    clip = await store.load(item, MU, now=10.0)
    assert len(clip.payload) == 2000
    assert store.bytes == 2000


async def test_a_file_that_went_away_is_forgotten(tmp_path: Path) -> None:
    item = PlayFile(write(tmp_path / "a.wav", 8000))
    store = ClipStore()
    await store.load(item, MU, now=0.0)
    os.remove(item.path)
    assert "No such file" in (await store.load(item, MU, now=10.0)).error
    assert store.bytes == 0


async def test_the_cache_is_bounded_and_lets_go_of_the_oldest(tmp_path: Path) -> None:
    items = [PlayFile(write(tmp_path / f"{index}.wav", 8000)) for index in range(3)]
    store = ClipStore(limit_bytes=9000)
    for item in items[:2]:
        await store.load(item, MU, now=0.0)
    assert store.get(items[0], MU, now=0.1) is not None  # used later than items[1]
    await store.load(items[2], MU, now=0.2)
    assert [store.get(item, MU, now=0.3) is not None for item in items] == [True, False, True]
    assert store.bytes == 8000


async def test_a_clip_larger_than_the_cache_is_played_and_not_kept(tmp_path: Path) -> None:
    store = ClipStore(limit_bytes=100)
    clip = await store.load(PlayFile(write(tmp_path / "a.wav", 8000)), MU, now=0.0)
    assert len(clip.payload) == 4000
    assert store.bytes == 0


def bad_files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "text.wav").write_text("not audio at all")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "short.wav", np.zeros(0), 8000)
    (tmp_path / "directory.wav").mkdir()
    soundfile.write(tmp_path / "cut.flac", sine(8000, seconds=2.0), 8000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:40])
    return {
        "missing.wav": "No such file",
        "text.wav": "Format not recognised",
        "empty.wav": "",
        "short.wav": "no audio",
        "directory.wav": "",
        "cut.flac": "",
        "null\0.wav": "null",
    }


async def test_bad_files_sound_as_the_fallback_tone_and_say_why(tmp_path: Path) -> None:
    store = ClipStore()
    for name, text in bad_files(tmp_path).items():
        clip = await store.load(PlayFile(str(tmp_path / name)), A, now=0.0)
        assert clip.error, name
        assert text in clip.error
        assert tones.measure_tone(decode(clip.payload, "PCMA")[100:2300], 520.0) == pytest.approx(
            -13, abs=0.5
        )
        assert store.get(PlayFile(str(tmp_path / name)), A, now=0.0) is None
    assert store.bytes == 0


async def test_a_bad_file_that_was_mended_plays(tmp_path: Path) -> None:
    store, path = ClipStore(), tmp_path / "a.wav"
    assert (await store.load(PlayFile(str(path)), MU, now=0.0)).error
    write(path, 8000)
    assert not (await store.load(PlayFile(str(path)), MU, now=0.1)).error


def test_a_file_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_CLIP_S", 0.4)
    clip = make_clip(PlayFile(write(tmp_path / "a.wav", 8000)), MU)
    assert "longer than" in clip.error


async def test_one_who_gives_up_waiting_does_not_stop_the_others(tmp_path: Path) -> None:
    item = PlayFile(write(tmp_path / "a.wav", 48000))
    store = ClipStore()
    first = asyncio.ensure_future(store.load(item, MU, now=0.0))
    second = asyncio.ensure_future(store.load(item, MU, now=0.0))
    await asyncio.wait([second], timeout=0)
    first.cancel()
    assert not (await second).error
    with pytest.raises(asyncio.CancelledError):
        await first


# -- codecs whose payloads are packets ----------------------------------------------------------------


@pytest.mark.parametrize("coding", [("G722", 8000), ("opus", 48000), ("L16", 8000), ("L16", 16000)])
def test_other_codecs_have_a_packet_for_each_frame(tmp_path: Path, coding: Coding) -> None:
    clip = read_clip(write(tmp_path / "a.wav", 44100, seconds=0.51), coding)
    assert len(clip.packets) == 26
    assert len(clip.payload) == 26 * 160
    assert clip.size_bytes == 26 * 160 + sum(map(len, clip.packets))
    decoder = make_decoder(*coding)
    pcm = np.concatenate([decoder.decode(packet) for packet in clip.packets])
    assert len(pcm) == 26 * 160
    for heard in (pcm, decode(clip.payload, "PCMU")):
        assert tones.measure_tone(heard[400:3900], 1000.0) == pytest.approx(-7.3, abs=0.6)


@pytest.mark.parametrize("coding", [("G722", 8000), ("opus", 48000)])
def test_tones_silence_and_the_fallback_in_other_codecs(coding: Coding) -> None:
    assert len(make_clip(PlayTone((450.0,), 200), coding).packets) == 10
    assert len(make_clip(PlaySilence(90), coding).packets) == 5
    missing = make_clip(PlayFile("/nowhere/a.wav"), coding)
    assert "No such file" in missing.error
    assert len(missing.packets) == 50


def test_a_codec_that_we_cannot_encode_says_so(tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path / "a.wav", 8000), ("G729", 8000))
    assert clip.error == "not heard: G729 can be passed on and decoded, but not encoded"
    assert (len(clip.payload), clip.packets) == (4000, ())


async def test_tones_in_other_codecs_are_made_in_a_thread_and_kept() -> None:
    store, tone = ClipStore(), PlayTone((450.0,), 200)
    assert store.get(tone, ("opus", 48000), now=0.0) is None
    clip = await store.load(tone, ("opus", 48000), now=0.0)
    assert store.get(tone, ("opus", 48000), now=1e6) is clip
    assert store.bytes == clip.size_bytes


async def test_each_coding_has_its_own_clip_in_the_cache(tmp_path: Path) -> None:
    item = PlayFile(write(tmp_path / "a.wav", 8000))
    store = ClipStore()
    for coding in (MU, ("L16", 8000), ("L16", 16000)):
        await store.load(item, coding, now=0.0)  # type: ignore[arg-type]
    narrow, wide = (store.get(item, ("L16", rate), now=0.1) for rate in (8000, 16000))
    assert narrow is not None
    assert wide is not None
    assert (len(narrow.packets[0]), len(wide.packets[0])) == (320, 640)
    assert store.bytes == 4000 + (4000 + 8000) + (4000 + 16000)


def test_a_file_may_begin_later_and_beyond_its_end_there_is_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 16000, seconds=1.0)
    assert len(read_clip(path, MU, offset_ms=750).payload) == 2000
    assert read_clip(path, MU, offset_ms=2000).payload == b""
    assert seconds_of(PlayFile(path, 750)) == 0.25
    assert seconds_of(PlayFile("nowhere.wav")) > 0
