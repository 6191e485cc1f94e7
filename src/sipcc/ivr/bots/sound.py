"""Audio between the caller's port and a bot's wire: G.711 as it is where both have it, else changed once."""

from __future__ import annotations

from sipcc.ivr.bots.words import Form
from sipcc.rtp.codec import g711
from sipcc.rtp.events import AudioTapped
from sipcc.rtp.files import read_clip
from sipcc.rtp.flow import Law, PlayStream
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE_FRAME
from sipcc.rtp.streaming import SpeechFeed, SpeechRise, interleaved, mixed

_SILENCE = bytes(2 * FRAME_SAMPLES)


class Ears:
    """What a bot hears, in the form of its wire."""

    def __init__(self, form: Form) -> None:
        """Raises ValueError for a rate that is none."""
        self._form = form
        self._rises = (SpeechRise(form.rate_hz), SpeechRise(form.rate_hz))

    def take(self, frame: AudioTapped) -> tuple[bytes, bytes]:
        """20 ms as (what the bot hears first, the other side); silence is told as silence.

        With 16-bit samples the two sides come as one, as the form has it, and the second is empty.
        """
        form = self._form
        if form.law is not None:
            heard = _coded(frame.heard, frame.law, form.law) if form.mix != "mono" else b""
            return _coded(frame.said, frame.law, form.law), heard
        said = self._rises[0].push(_samples(frame.said, frame.law))
        if form.mix == "mono":
            return said, b""
        heard = self._rises[1].push(_samples(frame.heard, frame.law))
        return (interleaved(said, heard) if form.mix == "stereo" else mixed(said, heard)), b""


class Mouth:
    """What a bot says, in the form of the stream that its caller hears."""

    def __init__(self, form: Form, *, lead_ms: int, limit_s: float) -> None:
        """Raises ValueError for a rate that is none."""
        self._form = form
        self._feeds: dict[int, SpeechFeed] = {}
        SpeechFeed(form.rate_hz)
        self.stream = PlayStream(law=form.law, lead_ms=lead_ms, limit_s=limit_s)
        """What is to play."""

    def take(self, audio: bytes, rate_hz: int = 0) -> bytes:
        """The next piece of what the bot says; `rate_hz` where it is not that of the form."""
        law = self._form.law
        if law is not None and not rate_hz:
            return audio
        rate_hz = rate_hz or self._form.rate_hz
        feed = self._feeds.get(rate_hz)
        if feed is None:
            feed = self._feeds[rate_hz] = SpeechFeed(rate_hz)
        samples = feed.push(audio)
        return samples if law is None or not samples else _coded(samples, "", law)

    def clip(self, audio: bytes, rate_hz: int) -> bytes:
        """A whole piece of 16-bit samples."""
        feed = SpeechFeed(rate_hz)
        samples = feed.push(audio) + feed.finish()
        law = self._form.law
        return samples if law is None else _coded(samples, "", law)

    def file(self, path: str) -> bytes:
        """A sound file; reading takes a while, so this is for a thread."""
        law = self._form.law or "PCMU"
        payload = read_clip(path, (law, SAMPLE_RATE_HZ)).payload
        return payload if self._form.law is not None else g711.decode(payload, law).tobytes()

    def clear(self) -> None:
        """Forget what is between two pieces."""
        self._feeds.clear()


def _samples(audio: bytes, law: str) -> bytes:
    if not audio:
        return _SILENCE
    return g711.decode(audio, _law(law)).tobytes() if law else audio


def _coded(audio: bytes, law: str, wanted: Law) -> bytes:
    if not audio:
        return SILENCE_FRAME[wanted]
    if law:
        return g711.translate(audio, _law(law), wanted)
    return g711.encode_bytes(audio, wanted)


def _law(law: str) -> Law:
    return "PCMA" if law == "PCMA" else "PCMU"
