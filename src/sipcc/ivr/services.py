"""What a live session needs from others, as one struct of Protocols; the switch hands in those that it has.

Each has a default that does without, so that a program may make `sipcc.ivr.live.LiveSession(call)` alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from sipcc.call import Call, Destination, Handler
from sipcc.call.treatments import plain_handler
from sipcc.errors import LocalProtocolError
from sipcc.ivr.steps import Audio, Enqueue, Heard, Left, Listen, Stream, Streamed

if TYPE_CHECKING:
    from sipcc.ivr.live import LiveSession


class TextReader(Protocol):
    """Reads texts aloud."""

    async def speak(self, text: str, *, language: str, voice: str = "") -> str:
        """The path of a sound file of `text`; `voice` is empty for the one of the language.

        Raises:
            SipccError: it cannot be had.
        """
        ...


class SoundSource(Protocol):
    """Fetches sounds; `sipcc.ivr.live_sounds.Sounds` does."""

    async def path_of(self, sound: Audio) -> str:
        """The path of a file with the sound that stands at a URL.

        Raises:
            SipccError: it cannot be had.
        """
        ...


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """What a recogniser made of what was said; the names are those of MRCPv2's completion causes."""

    outcome: Literal["match", "nomatch", "toolong"]
    heard: tuple[Heard, ...] = ()
    """The best first."""
    recording: str = ""
    """A file of what was said, if it keeps one."""


class Recogniser(Protocol):
    """Understands speech."""

    async def recognise(
        self, frames: AsyncIterator[bytes], step: Listen, *, language: str, on_speech: Callable[[], None]
    ) -> Understood:
        """Listen until something was said and is over.

        Cancelled when a key, silence or the end of the call comes first: how long to wait for the first word
        is not its business.

        Args:
            frames: what the caller says, 20 ms at a time: signed 16-bit little-endian samples at 8 kHz, 320
                bytes; ends with the call.
            step: what may be said, and the times of silence that end it.
            language: such as ``zh-CN``.
            on_speech: to be called when the caller begins to speak (START-OF-INPUT).
        """
        ...


class Services(msgspec.Struct, kw_only=True):
    """The surroundings of live sessions."""

    handler_of: Callable[[Destination], Handler] = lambda destination: _plain(destination)
    """The treatment behind a destination; raises ConfigError or LocalProtocolError when there is none."""
    enter_queue: Callable[[Call, Enqueue], Awaitable[Left]] | None = None
    """Lets a call wait in a queue; None: there are no queues."""
    voice: TextReader | None = None
    """Reads texts; None sounds a tone in their place."""
    sounds: SoundSource | None = None
    """Fetches sounds by HTTP; None hears the fallback."""
    recogniser: Recogniser | None = None
    """Understands speech; None hears none."""
    judging: Callable[[str], tuple[str, str] | None] = lambda call: ("", "")
    """Who talked to a call last, as queue and agent; asked when the caller is about to judge it. None when
    the caller has been asked to already."""
    stream: Callable[[LiveSession, Stream], Coroutine[Any, Any, Streamed]] | None = None
    """Connects a program with the caller's sound; None: it cannot be reached."""


def _plain(destination: Destination) -> Handler:
    handler = plain_handler(destination)
    if handler is None:
        raise LocalProtocolError(f"nothing is known of {destination} here")
    return handler
