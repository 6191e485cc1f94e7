"""Settings of speech: which voice reads texts, and what that may cost."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class EspeakSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The voices of espeak-ng, which need nothing but that program."""

    program: str = "espeak-ng"
    """The program, by name or path. Where it is missing, the library of the package ``espeakng-loader`` (the
    extra ``speech``) speaks instead."""


class HttpVoiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voice behind HTTP."""

    url: str = ""
    """Where texts are posted, such as ``https://tts.example.com/v1/audio/speech``."""
    form: Literal["openai", "plain"] = "openai"
    """How: ``openai`` posts JSON with ``model``, ``input``, ``voice``, ``response_format`` and ``speed``;
    ``plain`` posts JSON with ``text``, ``language``, ``voice`` and ``speed``. Either way the answer is a WAV
    of 16-bit mono samples, or bare samples as ``audio/pcm;rate=24000``."""
    model: str = "tts-1"
    """The ``model`` of the form ``openai``."""
    authorization: str = ""
    """The header ``Authorization``, such as ``Bearer ...``; write ``env:NAME`` or ``file:PATH``."""


class SherpaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model on this machine, spoken by the package ``sherpa-onnx``. A voice is a speaker's number."""

    kind: Literal["vits", "matcha", "kokoro"] = "vits"
    """The family of the model."""
    model: str = ""
    """The model's file; of ``matcha`` the acoustic model."""
    vocoder: str = ""
    """The second file of ``matcha``."""
    voices: str = ""
    """The second file of ``kokoro``."""
    tokens: str = ""
    """The file of its tokens."""
    lexicon: str = ""
    """The file of its words; several are separated by commas."""
    data_dir: str = ""
    """The folder of espeak-ng's data that came with the model."""
    rule_fsts: str = ""
    """Files of rules for numbers and dates, separated by commas."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Threads of one text."""


class RecogniserSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What understands callers."""

    engine: str = ""
    """Who understands speech: ``vosk``, or a plug-in of the group ``sipcc.recognisers``; empty for nobody."""
    urls: dict[str, str] = {}
    """The WebSocket of each language, such as ``{zh = "ws://127.0.0.1:2700", "*" = "ws://127.0.0.1:2701"}``."""
    timeout: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    """Seconds for a connection."""
    options: dict[str, str] = {}
    """For an engine of a plug-in."""


class SpeechSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What reads texts to callers, and what that may cost."""

    engine: str = "espeak"
    """Who speaks: ``espeak``, ``http``, ``sherpa``, or a plug-in of the group ``sipcc.speech``."""
    voices: dict[str, str] = {}
    """The voice of each language, such as ``{zh = "cmn-latn-pinyin", en = "en-us"}``; a language may have its
    region. A language that is not named has the engine's own voice."""
    speed: Annotated[float, msgspec.Meta(ge=0.25, le=4.0)] = 1.0
    """How fast; 1.0 is the engine's own pace."""
    cache: str = "speech"
    """A folder for what was spoken, so that no text is spoken twice."""
    cache_mb: Annotated[int, msgspec.Meta(ge=1, le=1048576)] = 256
    """Its size in MB (10^6 bytes); what was not used for the longest time goes first."""
    timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    """Seconds that one text may take; then it has failed."""
    longest: Annotated[int, msgspec.Meta(ge=1, le=100000)] = 2000
    """Characters of a text; a longer one is refused."""
    at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    """Texts that are spoken at the same time; others wait for their turn."""
    espeak: EspeakSettings = EspeakSettings()
    """Of the engine ``espeak``."""
    http: HttpVoiceSettings = HttpVoiceSettings()
    """Of the engine ``http``."""
    sherpa: SherpaSettings = SherpaSettings()
    """Of the engine ``sherpa``."""
    options: dict[str, str] = {}
    """For an engine of a plug-in."""
    recogniser: RecogniserSettings = RecogniserSettings()
    """What understands callers."""
