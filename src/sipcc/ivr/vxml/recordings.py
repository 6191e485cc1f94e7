"""Recordings: the types that VoiceXML demands of all platforms (2.0 Appendix E), in files and in forms."""

from __future__ import annotations

import io
import wave
from pathlib import PurePath
from typing import Final

from sipcc.ivr.steps import Coding
from sipcc.ivr.vxml.errors import Thrown

_CODINGS: Final[dict[str, Coding]] = {
    "audio/x-wav": "wav",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/basic": "ulaw",
    "audio/x-alaw-basic": "alaw",
}
_TYPES: Final = {".ulaw": "audio/basic", ".alaw": "audio/x-alaw-basic"}


def coding_of(media_type: str) -> Coding:
    """How a recording of a type is written; its parameters are for nothing.

    Raises:
        Thrown: ``error.unsupported.format``, whose message is the type.
    """
    coding = _CODINGS.get(media_type.partition(";")[0].strip().lower())
    if coding is None:
        raise Thrown("error.unsupported.format", media_type.strip())
    return coding


def media_type_of(path: str) -> str:
    """The type of a recording by the ending of its file's name."""
    return _TYPES.get(PurePath(path).suffix, "audio/x-wav")


def milliseconds_of(path: str, body: bytes) -> int:
    """How long a recording is; 0 when that cannot be told."""
    if PurePath(path).suffix in _TYPES:
        return len(body) // 8
    try:
        with wave.open(io.BytesIO(body)) as sound:
            seconds: float = sound.getnframes() / sound.getframerate()
            return round(1000 * seconds)
    except (wave.Error, EOFError, ZeroDivisionError):
        return 0
