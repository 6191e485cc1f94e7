"""What jambonz verbs have in common: hooks, repetitions, times, voices, ears, texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sipcc.ivr import steps
from sipcc.ivr.hooks import verbs
from sipcc.ivr.hooks.door import Tape, Taping
from sipcc.ivr.hooks.model import BadAnswer, Defaults, Hook


def hook_of(written: verbs.HookSpec | verbs.UpdateHook | None) -> Hook | None:
    """The hook that a verb names, or an update."""
    if written is None:
        return None
    if isinstance(written, str):
        return Hook(written)
    if isinstance(written, verbs.UpdateHookObject):
        return Hook(written.url, written.method, written.username, written.password)
    auth = written.basic_auth
    return Hook(written.url, written.method, auth.username if auth else "", auth.password if auth else "")


def times_of(loop: float | str, at: str) -> int:
    """How often something is played; 0 for ever."""
    if loop == "forever":
        return 0
    try:
        times = int(loop)
    except (ValueError, OverflowError):
        times = -1
    if not 0 <= times <= 1000:
        raise BadAnswer(f"{at}.loop", f"{loop!r} is neither forever nor a number from 0 to 1000")
    return times


def seconds_of(written: float | str | None, at: str) -> float | None:
    """A number of seconds that may be written as a text."""
    if written is None:
        return None
    try:
        number = float(written)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 86_400:
        raise BadAnswer(at, f"{written!r} is no number of seconds")
    return number


def listen_of(written: verbs.Recognizer | None, listen: steps.Listen) -> steps.Listen:
    """How speech is listened to, where nothing is written as in `listen`."""
    if written is None:
        return listen
    hints = tuple(hint if isinstance(hint, str) else hint.phrase for hint in written.hints)
    return msgspec.structs.replace(
        listen,
        language=written.language or listen.language,
        hints=hints or listen.hints,
        confidence=written.min_confidence or listen.confidence,
    )


def voice_of(written: verbs.Synthesizer | None, defaults: Defaults) -> tuple[str, str]:
    """Language and voice."""
    if written is None:
        return defaults.language, defaults.voice
    voice = written.voice if isinstance(written.voice, str) else ""
    return written.language or defaults.language, voice or defaults.voice


def texts(data: Mapping[str, Any]) -> dict[str, str]:
    """Whatever an application attaches, as texts: what is none is written as JSON."""
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in data.items()
    }


TAPINGS: dict[str, Taping] = {
    "startCallRecording": "start",
    "stopCallRecording": "stop",
    "pauseCallRecording": "pause",
    "resumeCallRecording": "resume",
}
"""jambonz's words for what is done with a recording."""


def tape_of(record: Mapping[str, Any], at: str) -> Tape:
    """What jambonz's ``record`` wants: our own recording, for SIPREC is not spoken here."""
    if record.get("siprecServerURL"):
        raise BadAnswer(
            f"{at}.siprecServerURL", "SIPREC is not spoken; without a server the call is recorded here"
        )
    action = record.get("action")
    if not isinstance(action, str) or action not in TAPINGS:
        raise BadAnswer(f"{at}.action", f"{action!r} is not served; known are {', '.join(TAPINGS)}")
    return Tape(TAPINGS[action])
