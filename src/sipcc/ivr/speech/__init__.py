"""Speech: texts that are read to callers, and what callers say."""

from sipcc.ivr.speech.settings import SpeechSettings
from sipcc.ivr.speech.speaker import Speaker
from sipcc.ivr.speech.voice import SpeechError, SpeechStream, Voice

__all__ = ["Speaker", "SpeechError", "SpeechSettings", "SpeechStream", "Voice"]
