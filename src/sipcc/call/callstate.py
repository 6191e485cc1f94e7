"""The state of a call: who its parties are, whom the caller talks to, and how parties change places."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from sipcc.call import events
from sipcc.call.caller import CallerFacts, CallIdentity
from sipcc.call.conversation import BridgeResult, Conversation
from sipcc.call.digits import DigitBuffer
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.call.lending import Lending
from sipcc.call.passthrough import Passthrough
from sipcc.call.playing import Player
from sipcc.call.recording import CallRecording
from sipcc.call.saving import save_call
from sipcc.call.waiting import run_unless
from sipcc.errors import CallEnded, LocalProtocolError
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.context import CallContext
    from sipcc.call.hearing import Hearing
    from sipcc.call.ringing import Target
    from sipcc.call.rooms import Supervision
    from sipcc.call.transfer import Transfer
    from sipcc.sip import InboundRequest, Request

_log = get_logger("sipcc.call")

T = TypeVar("T")


class CallState(CallerFacts):
    """The state of a call, and the ways in which its parties change places."""

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
        self._told: set[str] = set()
        """Legs whose ends have been told."""
        self._last: tuple[Leg, asyncio.Future[None]] | None = None
        """The other party, for whose end the end of the call waits."""
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._player: Player | None = None
        self._key_sinks: list[Any] = []
        self._secrets = 0
        """How many ask that the caller's keys be secret."""
        self._recording = CallRecording(call_id, context)
        self._known: dict[Leg, tuple[CallIdentity, str, str]] = {}
        self._lending = Lending()
        self.interaction = call_id
        """The call that the caller's visit began with; see `join_interaction`."""
        self.began = 0.0
        """When the call got its caller's leg, in seconds of the clock."""
        self.talks = 0
        """How often somebody, or a treatment that needs nobody, has taken the caller so far."""
        self.transfer_under_way: Transfer | None = None
        """The transfer that is being tried; there is one at a time."""
        self.transferor: Target | str | None = None
        """Who put this caller here by a transfer, and gets it back when nobody answers."""
        self.early_sound = False
        """True while the caller hears a ringback of ours, and not who rings: see `sound_until_answered`."""
        self.hearing: Hearing | None = None
        self.passing: Passthrough | None = None
        """Video and fax of the conversation."""
        """What the caller hears while parties ring, as long as they do."""
        self.supervisors: list[Supervision] = []
        """Who listens, whispers or talks in from calls of their own."""
        self.on_talk_key: Callable[[Leg, str], None] | None = None
        """Told each key that either party of a conversation presses, but for secret ones."""
        self.on_offer: Callable[[Leg, Request], Awaitable[int]] | None = None
        """Asked about each re-INVITE and UPDATE of a party: 200 takes it, a refusal refuses it; it may
        take its time. None agrees to whatever our codecs allow."""
        self.on_request: Callable[[Leg, InboundRequest], bool] | None = None
        """Shown each INFO, MESSAGE, REFER ... of a party first; True says that it answers."""

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

    @property
    def agent_leg(self) -> Leg | None:
        """The agent's side of the conversation: the peer, unless an agent called somebody who is none."""
        peer = self.peer
        agent_at = self._context.agent_at
        if peer is not None and agent_at(peer) is None and agent_at(self.leg) is not None:
            return self.leg
        return peer

    def attach(self, leg: Leg) -> None:
        """Give the call its caller."""
        self._leg = leg
        self.began = self._now()
        self._player = Player(leg.media)

    async def wait_ended(self) -> str:
        """Wait until the caller is gone; the cause."""
        return await asyncio.shield(self._ended)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the caller is gone."""
        self._ended.add_done_callback(lambda _: callback())

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

    @property
    def call(self) -> Call:
        """This call, as the owner of its legs."""
        return cast("Call", self)

    def _emit(self, event: Any) -> None:
        self._context.bus.emit(event)

    def _now(self) -> float:
        return self._context.clock.now()

    @property
    def taping(self) -> CallRecording:
        """The recording of this call."""
        return self._recording

    def adopt(self, leg: Leg) -> None:
        """Count `leg` as one of this call's, to be hung up when the caller leaves."""
        self._others.add(leg)

    def other(self, leg_id: str) -> Leg | None:
        """The leg of that id, unless it is the caller's."""
        return next((leg for leg in self._others if leg.id == leg_id), None)

    @property
    def conversation(self) -> Conversation | None:
        """The conversation that is on."""
        return self._conversation

    # -- a transfer has the caller ------------------------------------------------------------------

    @contextmanager
    def lent(self) -> Iterator[None]:
        """While this lasts, the task that runs this has the caller, and verbs of others wait (`free`)."""
        with self._lending.lent():
            yield

    @property
    def is_lent(self) -> bool:
        """True while somebody else has the caller, such as a transfer."""
        return self._lending.elsewhere

    def taken(self) -> None:
        """A treatment has taken care of the caller, as a mailbox does: who sent it here has it not back."""
        self.talks += 1

    async def free(self) -> None:
        """Wait until nobody else has the caller any more; raises CallEnded when the caller leaves first."""
        self._check()
        if self.is_lent:
            await self.unless_ended(self._lending.back())
            self._check()

    async def converse(self, leg: Leg, *, resumed: bool = False) -> BridgeResult:
        """Let the caller and `leg` talk until it is over, by whatever end; `resumed`: they do already."""
        context = self._context
        talk = Conversation(
            self.leg,
            leg,
            player=self.player,
            music=lambda: context.prompts.resolve((context.hold_music,), self.language),
            on_joined=self._joined,
        )
        self._conversation = talk
        self.talks += 1
        self.passing = passing = Passthrough(context, talk)
        started = self._now()
        if not resumed:
            self._emit(events.BridgeStarted(at=started, call=self.id, leg=leg.id))
        try:
            ended_by = await talk.run()
        finally:
            passing.close()
            if self._conversation is talk:
                self._conversation = self.passing = None
            self.note()
            ended = self._now()
            self._emit(events.BridgeEnded(at=ended, call=self.id, leg=leg.id))
        return BridgeResult(ended_by, ended - started, talk.transferred, talk.lost)

    def note(self) -> None:
        """Write down how the conversation stands, for a process that may have to go on with it."""
        journal = self._context.journal
        if journal is None:
            return
        saved = save_call(self.call)
        if saved is not None:
            journal.note(self.id, saved)
        else:
            journal.over(self.id)

    def _joined(self) -> None:
        self._recording.follow(self.leg)
        self.note()
        if self.passing is not None:
            self.passing.joined()
        for supervision in self.supervisors:
            supervision.attach()

    # -- parties change places ----------------------------------------------------------------------

    def seat(self, leg: Leg) -> None:
        """The peer takes the caller's place: the caller wants to go, and the call goes on without it."""
        talk = self._conversation
        if talk is None or talk.peer is not leg:
            raise LocalProtocolError("only a party of the conversation can take the caller's place")
        old = self.leg
        self._others.discard(leg)
        self._others.add(old)
        self._leg = leg
        self._known[old] = self.identity, self.caller, self.caller_name
        identity = self._identity_of(leg)
        self.identity, self.caller, self.caller_name = self._known.pop(
            leg, (identity, identity.caller, identity.caller_name)
        )
        self.player.move(leg.media)
        talk.swap(self.player)

    def _identity_of(self, leg: Leg) -> CallIdentity:
        """Who a party that we rang is to those who are rung for it."""
        target = leg.target
        number = target.number if target is not None else None
        name = leg.user or (target.uri.user if target is not None else "")
        shown = number.canonical if number is not None else name
        return CallIdentity(
            caller=shown, caller_name=shown, called=self.called, number=number, user=leg.user, trunk=leg.trunk
        )

    def replace_caller(self, new: Leg) -> Leg:
        """`new` takes the caller's place in whatever the call does now; the old caller's leg is returned.

        A call that was not answered yet is so now, if `new` is.
        """
        old, was_answered = self.leg, self.answered
        self._others.add(old)
        self._others.discard(new)
        new.owner = self.call
        self._leg = new
        if self._secrets:
            new.secure_keys(True)
        self.player.move(new.media)
        talk = self._conversation
        if talk is not None:
            talk.caller = new
            talk.join()
        if not was_answered and self.answered:
            self._emit(events.CallAnswered(at=self._now(), call=self.id))
        if self.hearing is not None:
            self.hearing.moved()
        self.note()
        return old

    def replace_peer(self, new: Leg) -> Leg:
        """`new` takes the peer's place in the conversation; the old peer's leg is returned."""
        talk = self._conversation
        if talk is None:
            raise LocalProtocolError("there is no conversation")
        old, talk.peer = talk.peer, new
        self._others.add(new)
        new.owner = self.call
        talk.join()
        return old

    def take_in(self, leg: Leg) -> None:
        """A leg of another call becomes one of ours, answered as it is."""
        leg.owner = self.call
        self._others.add(leg)
        at, session = self._now(), leg.session
        target, agent = str(session.remote_contact or session.request.uri), self._context.agent_at(leg)
        self._emit(
            events.LegStarted(
                at=at, call=self.id, leg=leg.id, target=target, agent=agent, sip_call_id=session.call_id
            )
        )
        self._emit(events.LegAnswered(at=at, call=self.id, leg=leg.id))

    def join_interaction(self, other: CallState) -> None:
        """This call and `other` are one visit of a caller: it goes by the call that began first."""
        first, second = (self, other) if (self.began, self.id) <= (other.began, other.id) else (other, self)
        second.belong_to(first.interaction)

    def belong_to(self, interaction: str) -> None:
        """This call is a part of the visit that began with the call of that id."""
        if self.interaction != interaction:
            self.interaction = interaction
            self._emit(events.InteractionJoined(at=self._now(), call=self.id, interaction=interaction))

    def give_up(self, leg: Leg) -> None:
        """Another call takes `leg`; without its caller this call is over."""
        at = self._now()
        if leg is not self._leg:
            self._others.discard(leg)
            stats = leg.media.read_stats()
            self._emit(
                events.LegEnded(
                    at=at,
                    call=self.id,
                    leg=leg.id,
                    cause="transferred",
                    sip_status=200,
                    ended_by="us",
                    stats=stats,
                )
            )
            return
        self.player.stop()
        self._leave("transferred")
        self._context.scope.spawn(self._report_gone(leg, at), name=f"{self.id}/end")

    def _leave(self, cause: str) -> None:
        """The caller is gone: whoever waits for this call is told, and whoever rings for it is not."""
        self.end_cause = cause
        if not self._ended.done():
            self._ended.set_result(cause)
        if self._player is not None:
            self._player.closed()
        for other in list(self._others):
            if other is not self.peer:
                other.hangup("cancelled" if other.state is not LegState.ANSWERED else "normal")

    async def _report_gone(self, leg: Leg, at: float) -> None:
        """The call is over, though its caller's leg goes on in another one."""
        stats = leg.media.read_stats()
        if self._recording.path is not None:
            await self._recording.stop()
        self._emit(
            events.CallEndedEvent(
                at=at, call=self.id, cause="transferred", sip_status=200, ended_by="us", stats=stats
            )
        )
        _log.info("call.ended", call_id=self.id, cause="transferred", ended_by="us")

    @property
    def player(self) -> Player:
        """What plays to the caller."""
        if self._player is None:
            raise LocalProtocolError("the call has no caller yet")
        return self._player
