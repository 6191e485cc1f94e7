"""What a caller says, put into words: engines of recognition, and when an answer in speech is complete.

An engine is a `sipcc.ivr.services.Recogniser`: our own, or an entry point of the group ``sipcc.recognisers``,
a callable that takes `RecogniserSettings`. Of the five timers that MRCPv2 gives a recogniser (RFC 6787 §9.4)
four are not an engine's business here: ``No-Input-Timeout``, ``DTMF-Interdigit-Timeout``,
``DTMF-Term-Timeout`` and ``DTMF-Term-Char`` belong to the one collector of keys, which also watches over
silence (`sipcc.call.digits`). For the fifth, ``Start-Input-Timers``, the answer is always false: an engine
listens from the first sound on and never gives up waiting for one. What it needs is in `Listen`:
``Speech-Complete-Timeout``, ``Speech-Incomplete-Timeout``, ``Recognition-Timeout`` and their like.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from importlib import import_module
from math import inf
from typing import Final

import msgspec

from sipcc import plugins
from sipcc.errors import ConfigError
from sipcc.ivr.services import Recogniser, Understood
from sipcc.ivr.speech.settings import RecogniserSettings
from sipcc.ivr.steps import Heard, Listen

GROUP: Final = "sipcc.recognisers"
"""The group of entry points of engines."""

BUILT_IN: Final = {"vosk": "sipcc.ivr.speech.vosk:VoskRecogniser"}
"""Our own engines; each is imported when it is wanted."""


class Endpointer:
    """Decides when an answer in speech is complete, as a core: by silence after it, and by its length."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen
        self._text = ""
        self._began = self._changed = inf

    @property
    def text(self) -> str:
        """What was understood so far."""
        return self._text

    @property
    def speaking(self) -> bool:
        """Whether something was said."""
        return self._began < inf

    @property
    def deadline(self) -> float | None:
        """When the answer is over unless more is said; None before the first word."""
        if not self.speaking:
            return None
        return min(self._changed + self._silence, self._began + self._listen.max_time)

    def understood(self, text: str, *, now: float) -> bool:
        """Take what was understood so far, all of it; True when it is the first word."""
        text = " ".join(text.split())
        first = bool(text) and not self.speaking
        if text and text != self._text:
            self._text, self._changed = text, now
            self._began = min(self._began, now)
        return first

    def too_long(self, *, now: float) -> bool:
        """Whether it has gone on for longer than an answer may."""
        return now >= self._began + self._listen.max_time

    @property
    def _silence(self) -> float:
        accepts = self._listen.accepts
        complete = accepts is None or accepts(self._text)
        return self._listen.complete_timeout if complete else self._listen.incomplete_timeout


def judged(listen: Listen, heard: Iterable[Heard], *, too_long: bool = False) -> Understood:
    """What comes of the alternatives of an engine, the best first: those that count, or no match."""
    sure = [one for one in heard if one.text and one.confidence >= listen.confidence]
    if too_long:
        return Understood(outcome="toolong", heard=tuple(sure))
    accepts = listen.accepts
    right = [one for one in sure if accepts is None or accepts(one.text)]
    if right:
        return Understood(outcome="match", heard=tuple(right[: max(1, listen.best)]))
    return Understood(outcome="nomatch", heard=tuple(sure[: max(1, listen.best)]))


class Said(msgspec.Struct, frozen=True):
    """One utterance of a script."""

    text: str
    after: float = 0.5
    """Seconds of silence before its first word."""
    seconds: float = 1.0
    """How long it is spoken."""
    confidence: float = 1.0


class ScriptedRecogniser:
    """Understands what a script says, in the time that it takes, whatever is heard: for tests.

    Each question takes the next utterance; when there are no more, nothing is said.
    """

    def __init__(self, *script: Said | str) -> None:
        self._script = [Said(one) if isinstance(one, str) else one for one in script]
        self.asked: list[tuple[Listen, str]] = []
        """What each question allowed, and its language."""

    async def recognise(
        self, frames: AsyncIterator[bytes], step: Listen, *, language: str, on_speech: Callable[[], None]
    ) -> Understood:
        """Say the next utterance word by word, and wait until it is complete."""
        self.asked.append((step, language))
        if not self._script:
            await asyncio.Event().wait()  # silence, until whoever asks gives up
        said = self._script.pop(0)
        loop, ending = asyncio.get_running_loop(), Endpointer(step)
        words = said.text.split()
        await asyncio.sleep(said.after)
        for count in range(1, len(words) + 1):
            if ending.understood(" ".join(words[:count]), now=loop.time()):
                on_speech()
            await asyncio.sleep(said.seconds / len(words))
            if ending.too_long(now=loop.time()):
                return judged(step, [Heard(ending.text, said.confidence)], too_long=True)
        ending.understood(f"{said.text} ", now=loop.time())
        deadline = ending.deadline
        assert deadline is not None
        await asyncio.sleep(max(0.0, deadline - loop.time()))
        return judged(step, [Heard(ending.text, said.confidence)])


def make_recogniser(settings: RecogniserSettings) -> Recogniser | None:
    """The engine that `settings` name; None when they name none.

    Raises:
        ConfigError: nobody registered that engine, or it cannot begin with these settings.
    """
    if not settings.engine:
        return None
    place = BUILT_IN.get(settings.engine, "")
    if not place and settings.engine not in recognisers():
        known, key = ", ".join(recognisers()), "speech.recogniser.engine"
        raise ConfigError(key, f"unknown engine {settings.engine!r}", hint=f"known: {known}")
    if place:
        module, _, name = place.partition(":")
        engine: Callable[[RecogniserSettings], Recogniser] = getattr(import_module(module), name)
    else:
        engine = plugins.load(GROUP, settings.engine)
    return engine(settings)


def recognisers() -> list[str]:
    """The names of all engines, ours and those of plug-ins."""
    return sorted({*BUILT_IN, *plugins.names(GROUP)})


_: type[Recogniser] = ScriptedRecogniser
