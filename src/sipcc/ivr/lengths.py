"""How long a prompt takes to be heard: exactly where there is a sound file, else estimated from its text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from sipcc.ivr.steps import Audio, Mark, Named, Silence, Spoken, Text, Value
from sipcc.rtp.flow import PlayFile, PlaySilence, PlayTone

if TYPE_CHECKING:
    from sipcc.ivr.prompts import PromptCatalogue

SECONDS_PER_IDEOGRAM: Final = 0.22
"""One syllable of Chinese, Japanese or Korean at the speed of announcements: some 270 in a minute."""

SECONDS_PER_LETTER: Final = 1 / 15
"""Of other scripts: some 160 English words of 5.6 letters and spaces in a minute."""

SECONDS_PER_STOP: Final = 0.3
"""The pause at a comma or a full stop."""

UNKNOWN_SECONDS: Final = 2.0
"""A sound about which nothing is known."""

_IDEOGRAM: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_STOP: Final = re.compile("[,.;:!?\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f]")


@lru_cache(maxsize=4096)
def seconds_of_text(text: str) -> float:
    """How long `text` takes to be read aloud."""
    ideograms = len(_IDEOGRAM.findall(text))
    stops = len(_STOP.findall(text))
    letters = len(text) - ideograms - stops
    seconds = ideograms * SECONDS_PER_IDEOGRAM + letters * SECONDS_PER_LETTER + stops * SECONDS_PER_STOP
    return round(seconds, 3)


class Lengths:
    """Tells the length of prompts; what was looked up is remembered for as long as this lives."""

    def __init__(self, catalogue: PromptCatalogue | None = None) -> None:
        self._catalogue = catalogue
        self._known: dict[tuple[Spoken, str], float] = {}

    def seconds(self, item: Spoken, language: str) -> float:
        """How long `item` is heard in a call whose language is `language`."""
        key = (item, language)
        seconds = self._known.get(key)
        if seconds is None:
            seconds = self._known[key] = self._seconds(item, language)
        return seconds

    def _seconds(self, item: Spoken, language: str) -> float:
        match item:
            case Silence():
                return item.seconds
            case Mark():
                return 0.0
            case Text():
                return seconds_of_text(item.text)
            case Named():
                return self._named(item.name, item.language or language)
            case Value():
                return self._named(f"say:{item.kind}:{item.value}", item.language or language)
            case Audio():
                return self._audio(item, language)

    def _named(self, name: str, language: str) -> float:
        if name.startswith("silence:") and name[8:].isdecimal():
            return int(name[8:]) / 1000
        text = "" if self._catalogue is None else self._catalogue.text_of(name, language)
        if text:
            return seconds_of_text(text)
        if name.startswith("queue:"):
            return seconds_of_text("12")
        if self._catalogue is None or self._catalogue.missing((name,), language):
            spoken = name.rpartition(":")[2] if name.startswith("say:") else re.sub("[_/-]+", " ", name)
            return seconds_of_text(spoken)
        total = 0.0
        for item in self._catalogue.resolve((name,), language):
            if isinstance(item, PlayFile):
                total += _seconds_of_file(item.path)
            elif isinstance(item, PlayTone | PlaySilence):
                total += item.duration_ms / 1000
        return round(total, 3)

    def _audio(self, item: Audio, language: str) -> float:
        try:
            return max(0.0, _seconds_of_file(item.source) - item.offset)
        except (OSError, RuntimeError):
            if item.fallback:
                return sum(self.seconds(each, language) for each in item.fallback)
            return UNKNOWN_SECONDS


@lru_cache(maxsize=4096)
def _seconds_of_file(path: str) -> float:
    import soundfile

    return float(soundfile.info(path).duration)


class SoundFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a sound file is like."""

    seconds: float = 0.0
    rate_hz: int = 0
    peak: float = 0.0
    """The loudest sample, from 0 to 1."""
    error: str = ""
    """Why it cannot be read; nothing else is known then."""


@lru_cache(maxsize=4096)
def facts_of(path: str) -> SoundFacts:
    """Read a sound file through, and tell what it is like."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            peak = 0.0
            for block in file.blocks(blocksize=65_536, dtype="float32"):
                peak = max(peak, float(abs(block).max(initial=0.0)))
            return SoundFacts(seconds=file.frames / file.samplerate, rate_hz=file.samplerate, peak=peak)
    except (OSError, RuntimeError) as error:
        return SoundFacts(error=str(error))
