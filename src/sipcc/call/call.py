"""What applications, menus and queues hold: one caller's visit, as an object with verbs.

A verb on a call that is over raises CallEnded, which the runner of the call catches; so a handler is
read from top to bottom and needs no clean-up of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sipcc.call import events
from sipcc.call.asking import ask
from sipcc.call.caller import CallerFacts, CallIdentity
from sipcc.call.cause import CAUSES
from sipcc.call.conversation import BridgeResult, Conversation
from sipcc.call.digits import CollectSettings, DigitBuffer, Matcher, OptionsMatcher, matcher_for
from sipcc.call.leg import Leg, LegState
from sipcc.call.playing import Player
from sipcc.call.recording import CallRecording
from sipcc.call.ringing import ring_targets
from sipcc.call.waiting import run_unless
from sipcc.errors import CallEnded, LocalProtocolError
from sipcc.log import get_logger
from sipcc.rtp.flow import DigitBegan, DigitEnded, MediaEvent, MediaTimedOut, RecordingEnded, WorkerLost

if TYPE_CHECKING:
    from sipcc.call.context import CallContext
    from sipcc.call.ringing import Target
    from sipcc.sip import Request, Response

_log = get_logger("sipcc.call")

T = TypeVar("T")


class Call(CallerFacts):
    """One caller's visit: the caller's leg, what is played to it, and whoever it is bridged with."""

    def __init__(
        self,
        context: CallContext,
        *,
        call_id: str,
        caller: str,
        caller_name: str = "",
        called: str,
        trunk: str | None,
        language: str,
        request: Request | None = None,
        identity: CallIdentity | None = None,
    ) -> None:
        self.id = call_id
        self.identity = identity or CallIdentity(caller=caller, caller_name=caller_name, called=called)
        self.caller = caller
        """The caller's number or user name."""
        self.caller_name = caller_name or caller
        """The name that called parties are shown."""
        self.called = called
        """The number that was dialled."""
        self.trunk = trunk
        self.language = language
        """Language of prompts, such as ``en`` or ``zh``; an application may change it."""
        self.request = request
        """The caller's INVITE."""
        self.variables: dict[str, str] = {}
        """Whatever the application wants to keep with the call."""
        self.last_outcome: Literal["match", "noinput", "nomatch"] = "match"
        """How the last `ask` came out."""
        self.end_cause = ""
        self.digits = DigitBuffer()
        self._context = context
        self._leg: Leg | None = None
        self._conversation: Conversation | None = None
        self._others: set[Leg] = set()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._player: Player | None = None
        self._key_sinks: list[Any] = []
        self._recording = CallRecording(call_id, self._emit, self._now)

    # -- state ------------------------------------------------------------------------------------

    @property
    def context(self) -> CallContext:
        """What the call runs on: endpoint, media engine, bus, clock, prompts."""
        return self._context

    @property
    def leg(self) -> Leg:
        """The caller's leg."""
        if self._leg is None:
            raise LocalProtocolError("the call has no caller yet")
        return self._leg

    @property
    def answered(self) -> bool:
        """True from our 200 to the end."""
        return self._leg is not None and self._leg.state is LegState.ANSWERED

    @property
    def ended(self) -> bool:
        """True once the caller's leg is over."""
        return self._ended.done()

    @property
    def peer(self) -> Leg | None:
        """Whoever the caller talks to now."""
        return self._conversation.peer if self._conversation is not None else None

    def attach(self, leg: Leg) -> None:
        """Give the call its caller."""
        self._leg = leg
        self._player = Player(leg.media)

    async def wait_ended(self) -> str:
        """Wait until the caller is gone; the cause."""
        return await asyncio.shield(self._ended)

    async def unless_ended(
        self, work: Coroutine[Any, Any, T], *, undo: Callable[[T], None] | None = None
    ) -> T:
        """Run `work`; when the call ends first, cancel it and raise CallEnded.

        When we are cancelled in the very moment in which `work` is done, its result would be lost:
        `undo` is given it then.
        """
        return await run_unless(self._ended, work, otherwise=CallEnded, undo=undo)

    def _check(self) -> None:
        if self._ended.done():
            raise CallEnded(self._ended.result())

    # -- signalling verbs ---------------------------------------------------------------------------

    async def ring(self) -> None:
        """Send 180 Ringing to the caller."""
        self._check()
        if self.leg.state is LegState.TRYING:
            self.leg.ring()
            self._emit(events.CallRinging(at=self._now(), call=self.id))

    async def answer(self) -> None:
        """Send 200 OK; prompts may follow at once. Answering twice does nothing."""
        self._check()
        if self.answered:
            return
        self._emit(events.CallAnswered(at=self._now(), call=self.id))
        self.leg.accept()
        _log.info("call.answered", call_id=self.id)

    async def reject(self, status: int = 486, reason: str | None = None) -> None:
        """Refuse the call with a final SIP status of 300 or more."""
        self._check()
        if self.answered:
            raise LocalProtocolError("an answered call is hung up, not rejected")
        self.leg.hangup("busy" if status == 486 else "declined", status=status, reason=reason)

    async def hangup(self, cause: str = "normal") -> None:
        """End the call; `cause` is a name of `sipcc.call.cause`. On an ended call nothing happens."""
        if not self.ended:
            self.leg.hangup(cause)

    async def wait(self, seconds: float) -> None:
        """Let time pass, unless the caller hangs up."""
        await self.unless_ended(asyncio.sleep(seconds))

    # -- prompts and keys ---------------------------------------------------------------------------

    def start_playing(self, *prompts: str, loop: bool = False, shared: bool = False) -> None:
        """Start to play and return at once; replaces what plays."""
        self._check()
        items = self._context.prompts.resolve(prompts, self.language)
        self.player.start(items, loop=loop, shared=shared)

    def stop_playing(self) -> None:
        """Stop what plays; silent on an ended call."""
        if not self.ended:
            self.player.stop()

    async def play(self, *prompts: str, loop: bool = False, shared: bool = False) -> None:
        """Play prompts to their end. Cancelling stops the sound within 20 ms."""
        self._check()
        items = self._context.prompts.resolve(prompts, self.language)
        await self.unless_ended(self.player.play(items, loop=loop, shared=shared))

    async def say(self, kind: str, value: object) -> None:
        """Say a value in the call's language: a ``number``, ``digits``, a ``date`` ..."""
        self._check()
        items = self._context.prompts.say(kind, value, self.language)
        await self.unless_ended(self.player.play(items))

    async def ask(
        self,
        *prompts: str,
        digits: int | tuple[int, int] = 1,
        options: Sequence[str] | None = None,
        timeout: float = 5.0,
        interdigit: float = 3.0,
        terminators: str = "#",
        allowed: str = "0123456789*#",
        bargein: bool = True,
        secret: bool = False,
    ) -> str | None:
        """Play prompts and collect keys.

        Args:
            prompts: what to play first; a key cuts it when `bargein` is set.
            digits: how many keys, or (least, most).
            options: the inputs that are valid, such as ``("1", "2", "12")``, instead of a number of keys.
            timeout: seconds from the end of the prompt to the first key.
            interdigit: seconds from key to key.
            terminators: keys that end the input and are not part of it.
            allowed: the keys that may be part of the input.
            bargein: False plays the prompt to its end and forgets keys pressed before.
            secret: the keys go into no log, event or record.

        Returns:
            The keys, or None when nothing or nothing valid came; `last_outcome` tells which.
        """
        self._check()
        items = self._context.prompts.resolve(prompts, self.language) if prompts else []
        matcher: Matcher
        if options is not None:
            matcher = OptionsMatcher(options)
        else:
            matcher = matcher_for(digits, allowed=allowed, terminators=terminators)
        settings = CollectSettings(
            timeout=timeout, interdigit=interdigit, terminators=terminators, bargein=bargein, secret=secret
        )
        collected = await self.unless_ended(ask(self, items, matcher, settings))
        self.last_outcome = collected.outcome
        self._emit(
            events.DigitsCollected(
                at=self._now(),
                call=self.id,
                prompt=" ".join(prompts),
                digits=collected.shown,
                outcome=collected.outcome,
            )
        )
        return collected.digits if collected.outcome == "match" else None

    def send_digits(self, digits: str) -> None:
        """Send keys to the caller as RFC 4733 events."""
        self._check()
        self.leg.media.send_digits(digits)

    @property
    def player(self) -> Player:
        """What plays to the caller."""
        if self._player is None:
            raise LocalProtocolError("the call has no caller yet")
        return self._player

    def listen_keys(self, sink: Any) -> None:
        """Give key events (DigitBegan, DigitEnded) to `sink` while nobody collects: see `unlisten_keys`."""
        self._key_sinks.append(sink)

    def unlisten_keys(self, sink: Any) -> None:
        """Take back `listen_keys`."""
        self._key_sinks.remove(sink)

    # -- recording ------------------------------------------------------------------------------------

    def record(self, path: str | None = None) -> str:
        """Record the call in stereo: left the caller, right what the caller hears. Returns the path."""
        self._check()
        return self._recording.start(
            self.leg.media, path or str(Path(self._context.recordings) / f"{self.id}.wav")
        )

    async def stop_recording(self) -> None:
        """End the recording and wait until its file is complete."""
        await self._recording.stop(self.leg.media)

    @property
    def recording(self) -> str | None:
        """Path of the running recording."""
        return self._recording.path

    # -- other parties ----------------------------------------------------------------------------------

    async def dial(self, *targets: Target | str, timeout: float = 20.0, agent: str | None = None) -> Leg:
        """Ring one party at one or several places; the first that answers is the leg returned.

        Raises:
            CallRejected: all refused; `status` is the best of their answers (RFC 3261 §16.7).
            TransactionTimeout: nobody answered within `timeout` seconds.
            CallEnded: the caller hung up meanwhile; whoever rang was cancelled.
        """
        self._check()
        return await self.unless_ended(
            ring_targets(self, targets, timeout=timeout, agent=agent),
            undo=lambda leg: leg.hangup("cancelled"),
        )

    async def bridge(self, leg: Leg, *, record: bool = False) -> BridgeResult:
        """Let the caller and `leg` talk until one of them hangs up; the other leg is then hung up too.

        The caller stays in the call when it was the other one who left, so that a handler may go on.
        """
        await self.answer()
        self.stop_playing()
        context = self._context
        talk = Conversation(
            self.leg,
            leg,
            player=self.player,
            music=lambda: context.prompts.resolve((context.hold_music,), self.language),
        )
        if record:
            self.record()
        self._conversation = talk
        started = self._now()
        self._emit(events.BridgeStarted(at=started, call=self.id, leg=leg.id))
        try:
            ended_by = await talk.run()
        finally:
            self._conversation = None
            ended = self._now()
            self._emit(events.BridgeEnded(at=ended, call=self.id, leg=leg.id))
        return BridgeResult(ended_by, ended - started)

    def adopt(self, leg: Leg) -> None:
        """Count `leg` as one of this call's, to be hung up when the caller leaves."""
        self._others.add(leg)

    # -- LegOwner -----------------------------------------------------------------------------------------

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """A party that we ring is ringing; a caller that was not answered yet is told so."""
        if self.leg.state is LegState.TRYING:
            self.leg.ring()
            self._emit(events.CallRinging(at=self._now(), call=self.id))
        self._emit(events.LegRinging(at=self._now(), call=self.id, leg=leg.id))

    def leg_answered(self, leg: Leg) -> None:
        """A party that we ring has answered; for the caller's own leg the ACK has come."""
        if leg is not self._leg:
            self._emit(events.LegAnswered(at=self._now(), call=self.id, leg=leg.id))
            self._tell_busy(leg, began=True)

    def leg_ended(self, leg: Leg) -> None:
        """One of the legs is over."""
        at = self._now()
        self._context.toll.end(leg.id, now=at)
        if leg.trunk:
            self._context.trunk_calls.give_back(leg.trunk)
        if leg is self._leg:
            self._caller_left(leg, at)
        else:
            self._others.discard(leg)
            self._tell_busy(leg, began=False)
            self._context.scope.spawn(self._report_leg(leg, at), name=f"{self.id}/{leg.id}")
            if leg is self.peer and self._conversation is not None:
                self._conversation.ended(leg)

    def leg_held(self, leg: Leg, *, held: bool) -> None:
        """A party put us on hold or took us back: the other one hears music meanwhile."""
        if self._conversation is not None and leg in (self._leg, self.peer):
            self._conversation.join()

    def leg_refreshed(self, leg: Leg) -> bool:
        """A session refresh: in a conversation the other side is asked for a sign of life first."""
        if self._conversation is None or self.ended:
            return False
        relay = self._conversation.relay_refresh(leg)
        self._context.scope.spawn(relay, name=f"{self.id}/refresh")
        return True

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """Keys, ends of prompts, recordings and silence of a leg."""
        if isinstance(event, MediaTimedOut | WorkerLost):
            _log.warning("call.media_lost", call_id=self.id, leg=leg.id)
            leg.hangup("media_timeout")
        elif leg is self._leg:
            self._caller_media(event)

    def _caller_media(self, event: MediaEvent) -> None:
        if isinstance(event, DigitBegan | DigitEnded):
            if self._key_sinks:
                self._key_sinks[-1](event)
            elif self._conversation is None:
                self._type_ahead(event)
        elif isinstance(event, RecordingEnded):
            self._recording.on_ended(event)
        else:
            self.player.on_event(event)

    def _type_ahead(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitBegan):
            self.digits.key_began(event.digit, now=self._now())
        else:
            self.digits.key_ended(event.digit, now=self._now())

    def _caller_left(self, leg: Leg, at: float) -> None:
        self.end_cause = leg.end_cause
        if not self._ended.done():
            self._ended.set_result(leg.end_cause)
        if self._player is not None:
            self._player.closed()
        if self._conversation is not None:
            self._conversation.ended(leg)
        for other in list(self._others):
            if other is not self.peer:
                other.hangup("cancelled" if other.state is not LegState.ANSWERED else "normal")
        self._context.scope.spawn(self._report_end(leg, at), name=f"{self.id}/end")

    async def _report_end(self, leg: Leg, at: float) -> None:
        stats = await leg.stats()
        await self._recording.settle()  # the record of the call names it
        self._emit(
            events.CallEndedEvent(
                at=at,
                call=self.id,
                cause=leg.end_cause,
                sip_status=leg.end_status,
                ended_by=leg.ended_by,
                stats=stats,
            )
        )
        _log.info("call.ended", call_id=self.id, cause=leg.end_cause, ended_by=leg.ended_by)

    async def _report_leg(self, leg: Leg, at: float) -> None:
        stats = await leg.stats()
        self._emit(
            events.LegEnded(
                at=at,
                call=self.id,
                leg=leg.id,
                cause=leg.end_cause if leg.end_cause in CAUSES else "failed",
                sip_status=leg.end_status,
                ended_by=leg.ended_by,
                stats=stats,
            )
        )

    def _tell_busy(self, leg: Leg, *, began: bool) -> None:
        """A user whom no queue rang has a call of its own now, or has it no longer."""
        if leg.user and leg.agent is None:
            self._context.on_user_busy(leg.user, leg.id, began)

    def _emit(self, event: Any) -> None:
        self._context.bus.emit(event)

    def _now(self) -> float:
        return self._context.clock.now()
