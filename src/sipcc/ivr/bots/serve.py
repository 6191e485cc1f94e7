"""Bots at the other end of a connection: how a step of `Stream` is carried out on a live call."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from sipcc.call.destination import Destination
from sipcc.ivr.bots import links
from sipcc.ivr.bots.asterisk import AsteriskPlatform
from sipcc.ivr.bots.audiosocket import AudioSocketPlatform
from sipcc.ivr.bots.dialects import ExotelPlatform, PlivoPlatform, TelnyxPlatform, VonagePlatform
from sipcc.ivr.bots.genesys import GenesysPlatform
from sipcc.ivr.bots.handover import tell_context
from sipcc.ivr.bots.jambonz import JambonzPlatform
from sipcc.ivr.bots.talk import Conversation
from sipcc.ivr.bots.twilio import TwilioPlatform
from sipcc.ivr.bots.words import Cleared, Facts, Form, FromBot, Key, Marked, PlatformWire, Played
from sipcc.ivr.events import BotJoined, BotLeft
from sipcc.ivr.steps import Stream, Streamed
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.ivr.live import LiveSession

_log = get_logger("sipcc.ivr.bots")


def place_of(url: str) -> str:
    """A URL for logs and events: without a password and without what is behind a question mark."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class WirePeer:
    """A bot behind a link that speaks some wire."""

    def __init__(self, link: links.Link, wire: PlatformWire) -> None:
        self._link, self._wire = link, wire

    @property
    def form(self) -> Form:
        """How its audio is written."""
        return self._wire.form

    async def begin(self) -> None:
        """Open the conversation."""
        await self._send(self._wire.begin())

    async def hear(self, said: bytes, heard: bytes, at_ms: int) -> None:
        """Let it hear 20 ms."""
        await self._send(self._wire.hear(said, heard, at_ms))

    async def tell(self, word: Key | Marked | Cleared | Played) -> None:
        """Tell it something else."""
        await self._send(self._wire.tell(word))

    def room(self, full: bool) -> None:
        """Whether it should wait before it says more."""
        self._wire.room(full)

    async def receive(self) -> Sequence[FromBot]:
        """What it wants next."""
        return self._wire.receive(await self._link.receive())

    async def end(self) -> None:
        """Say good-bye."""
        try:
            await self._send(self._wire.end())
            while self._wire.lingers:
                self._wire.receive(await self._link.receive())
        finally:
            await self._link.close()

    async def _send(self, messages: Sequence[str | bytes]) -> None:
        for message in messages:
            await self._link.send(message)


async def stream(session: LiveSession, step: Stream, *, connect: links.Connect | None = None) -> Streamed:
    """Let the program that `step` names speak with the caller until it leaves, or is lost."""
    call, bus = session.call, session.call.context.bus
    wire = wire_for(session, step)
    try:
        link = await (connect or links.connect)(
            step.url,
            protocols=wire.protocols,
            headers={**wire.headers, **step.headers},
            timeout=step.timeout,
        )
    except OSError as error:
        _log.warning("bot.unreachable", call_id=call.id, url=place_of(step.url), error=str(error))
        result = Streamed(ended_by="unreachable")
        bus.emit(_left(session, step, result, 0.0, wire))
        return result
    began = session.now()
    bus.emit(BotJoined(at=began, call=call.id, bot=step.name or place_of(step.url), wire=step.wire))
    left: Streamed | None = None
    try:
        left = await Conversation(
            session,
            WirePeer(link, wire),
            both_ways=step.both_ways,
            lead_ms=step.lead_ms,
            limit_s=step.limit_s,
            max_time=step.max_time,
        ).run()
    finally:
        bus.emit(_left(session, step, left, session.now() - began, wire))
    with contextlib.suppress(ValueError):  # what it asks for may mean something to a flow only
        if left.to:
            tell_context(session, left, Destination.parse(left.to))
    return left


def wire_for(session: LiveSession, step: Stream) -> PlatformWire:
    """Our side of the wire of `step`."""
    call = session.call
    facts = Facts(
        call=call.id,
        stream=f"MZ{call.context.ids.bits(128):032x}",
        caller=session.caller,
        dialled=session.dialled,
        parameters=step.parameters,
        form=Form(rate_hz=step.rate_hz, mix=step.mix),
    )
    match step.wire:
        case "twilio":
            return TwilioPlatform(facts, extended=step.extended)
        case "telnyx":
            return TelnyxPlatform(facts, extended=step.extended)
        case "exotel":
            return ExotelPlatform(facts, extended=step.extended)
        case "plivo":
            return PlivoPlatform(facts, extended=step.extended)
        case "vonage":
            return VonagePlatform(facts, extended=step.extended)
        case "genesys":
            return GenesysPlatform(facts, extended=step.extended)
        case "asterisk" | "asterisk-text":
            return AsteriskPlatform(facts, plain=step.wire == "asterisk-text", extended=step.extended)
        case "jambonz":
            return JambonzPlatform(facts, extended=step.extended)
        case "audiosocket":
            return AudioSocketPlatform(facts)


def _left(
    session: LiveSession, step: Stream, result: Streamed | None, seconds: float, wire: PlatformWire
) -> BotLeft:
    return BotLeft(
        at=session.now(),
        call=session.id,
        bot=step.name or place_of(step.url),
        ended_by=result.ended_by if result is not None else "hangup",
        seconds=round(seconds, 3),
        to=result.to if result is not None else "",
        dropped=wire.counts.malformed + wire.counts.unknown,
    )
