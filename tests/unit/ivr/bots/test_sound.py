"""Audio between a port and a wire: the same bytes where both have one form, else the same sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sipcc.ivr.bots.sound import Ears, Mouth
from sipcc.ivr.bots.words import Form
from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.events import AudioTapped
from sipcc.testing.audio import find_tones, tone, write_wav

FRAME = bytes(range(160))
PCM = tone(500.0, 0.02).astype("<i2").tobytes()


def test_mu_law_passes_as_it_is() -> None:
    ears, mouth = Ears(Form(law="PCMU", mix="stereo")), Mouth(Form(law="PCMU"), lead_ms=20, limit_s=1.0)
    assert ears.take(AudioTapped("p", FRAME, FRAME[::-1], "PCMU")) == (FRAME, FRAME[::-1])
    assert ears.take(AudioTapped("p", b"", b"", "PCMU")) == (b"\xff" * 160, b"\xff" * 160)
    assert mouth.take(FRAME) == FRAME
    assert (mouth.stream.law, mouth.stream.lead_ms, mouth.stream.limit_s) == ("PCMU", 20, 1.0)


def test_what_has_another_form_is_changed_once() -> None:
    ears = Ears(Form(law="PCMU"))
    assert ears.take(AudioTapped("p", FRAME, b"", "PCMA"))[0] == g711.translate(FRAME, "PCMA", "PCMU")
    assert ears.take(AudioTapped("p", PCM, b""))[0] == g711.encode(np.frombuffer(PCM, np.int16), "PCMU")
    plain = Ears(Form())
    assert plain.take(AudioTapped("p", FRAME, b"", "PCMA"))[0] == g711.decode(FRAME, "PCMA").tobytes()
    assert plain.take(AudioTapped("p", b"", b""))[0] == bytes(320)


@pytest.mark.parametrize(("mix", "size"), [("mono", 1), ("stereo", 2), ("mixed", 1)])
@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_what_the_bot_hears_of_both_sides(mix: str, size: int, rate_hz: int) -> None:
    ears = Ears(Form(rate_hz=rate_hz, mix=mix))  # type: ignore[arg-type]
    said, heard = tone(500.0, 0.5).astype("<i2"), tone(1300.0, 0.5).astype("<i2")
    told = b""
    for at in range(0, len(said), 160):
        frame = AudioTapped("p", said[at : at + 160].tobytes(), heard[at : at + 160].tobytes())
        told += ears.take(frame)[0]
    samples = np.frombuffer(told, "<i2").astype(np.int16).reshape(-1, size)
    assert len(samples) == pytest.approx(rate_hz / 2, rel=0.02)
    found = [sorted(round(hz, -1) for hz in find_tones(samples[400:, side], rate_hz)) for side in range(size)]
    assert found == {"mono": [[500]], "stereo": [[500], [1300]], "mixed": [[500, 1300]]}[mix]


@pytest.mark.parametrize("law", [None, "PCMU"])
def test_what_the_bot_says_at_any_rate(law: str | None, tmp_path: Path) -> None:
    mouth = Mouth(Form(law=law), lead_ms=20, limit_s=1.0)  # type: ignore[arg-type]
    wide = tone(500.0, 0.5, rate_hz=24000).astype("<i2").tobytes()
    write_wav(tmp_path / "a.wav", tone(500.0, 0.5))
    pieces = b"".join(mouth.take(wide[at : at + 1001], 24000) for at in range(0, len(wide), 1001))
    for audio in (pieces, mouth.clip(wide, 24000), mouth.file(str(tmp_path / "a.wav"))):
        samples = g711.decode(audio, "PCMU") if law else np.frombuffer(audio, "<i2").astype(np.int16)
        [found] = tones.find_tones(samples)
        assert found.frequency_hz == pytest.approx(500, abs=2)
        assert found.duration_ms == pytest.approx(500, abs=40)
    mouth.take(wide[:7], 24000)
    mouth.clear()
    assert mouth.take(wide[:7], 16000) == b""  # nothing is left of what was dropped
