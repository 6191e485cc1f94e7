"""Call detail records: a pure fold of events, one `Cdr` for each call.

`CdrFold.apply` takes each event with its wall time and returns the record whenever the call is over and
the record has changed: first at the end of the caller's leg, then again when what may lag behind (the
agent's BYE, the end of the recording) has come. The same events give the same records, live and in a
replay; nothing here reads a clock.
"""

from __future__ import annotations

from collections import deque

import msgspec

from sipcc.acd.events import AgentStateChanged, QueueJoined, TalkEnded
from sipcc.call.events import (
    BridgeEnded,
    BridgeStarted,
    CallAnswered,
    CallEndedEvent,
    CallRinging,
    CallStarted,
    DigitsCollected,
    EndedBy,
    InteractionJoined,
    LegAnswered,
    LegEnded,
    LegRinging,
    LegStarted,
    RecordingConsent,
    RecordingFinished,
    RecordingStarted,
    RecordingStored,
    TransferCompleted,
)
from sipcc.events import Event
from sipcc.ivr.events import CallTagged
from sipcc.ivr.feedback import SurveyAnswered
from sipcc.records.cdrparts import CdrConsent, CdrDigits, CdrRecording
from sipcc.records.segments import OF_SEGMENTS, Chain, Segment
from sipcc.records.wrapups import WrapUps
from sipcc.rtp.flow import RtpStats

LINGER_S = 60.0
"""How long after its end a call may still be amended by what lags behind it, in seconds."""


_OF_CALLS = (
    CallRinging
    | CallAnswered
    | CallEndedEvent
    | LegStarted
    | LegRinging
    | LegAnswered
    | LegEnded
    | BridgeStarted
    | BridgeEnded
    | DigitsCollected
    | RecordingConsent
    | RecordingStarted
    | RecordingFinished
)


class CdrLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One party that was rung for a call. Times are Unix seconds, None for what did not happen."""

    leg: str
    target: str
    agent: str | None
    sip_call_id: str
    started: float
    ringing: float | None = None
    answered: float | None = None
    ended: float | None = None
    cause: str = ""
    sip_status: int = 0
    ended_by: EndedBy | None = None
    talked: float = 0.0
    """Seconds for which caller and leg heard each other."""
    stats: RtpStats | None = None

    @property
    def rang(self) -> float:
        """Seconds from our INVITE to the answer, or to the end when there was none."""
        until = self.answered if self.answered is not None else self.ended
        return 0.0 if until is None else round(until - self.started, 3)


class Cdr(msgspec.Struct, frozen=True, kw_only=True):
    """One call as it was. Times are Unix seconds, exact to the millisecond; None: it did not happen."""

    id: str
    sip_call_id: str
    source: str
    caller: str
    called: str
    trunk: str | None
    started: float
    """The INVITE arrived."""
    ringing: float | None
    """We sent the first 18x."""
    answered: float | None
    """We sent the 200 OK."""
    ended: float
    """BYE, CANCEL or the final refusal was sent or arrived."""
    cause: str
    sip_status: int
    ended_by: EndedBy
    legs: tuple[CdrLeg, ...] = ()
    queues: tuple[str, ...] = ()
    """The queues that were entered, in order."""
    digits: tuple[CdrDigits, ...] = ()
    recordings: tuple[CdrRecording, ...] = ()
    consent: CdrConsent | None = None
    """None for a caller who was told nothing, because nothing was to be told."""
    stats: RtpStats | None = None
    """Media figures of the caller's leg."""
    interaction: str = ""
    """The call that the caller's visit began with: its own id, unless it was joined to another one by a
    transfer, a consultation or a callback. Empty in records of earlier versions."""
    segments: tuple[Segment, ...] = ()
    """Who served the caller, one after the other."""
    tags: dict[str, str] = {}
    """What flows and programs have put into it."""
    scores: dict[str, int] = {}
    """What the caller answered to surveys, by their names; the last answer to each."""

    @property
    def duration(self) -> float:
        """Seconds from the answer to the end; 0 for a call that was not answered."""
        return 0.0 if self.answered is None else round(self.ended - self.answered, 3)

    @property
    def setup(self) -> float:
        """Seconds from the INVITE to the answer, or to the end when there was none."""
        return round((self.ended if self.answered is None else self.answered) - self.started, 3)

    @property
    def talked(self) -> float:
        """Seconds for which the caller heard another party."""
        return round(sum(leg.talked for leg in self.legs), 3)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents who answered, in order, each once."""
        return tuple(dict.fromkeys(leg.agent for leg in self.legs if leg.agent and leg.answered is not None))

    @property
    def recording(self) -> str | None:
        """The path of the first recording."""
        return self.recordings[0].path if self.recordings else None

    @property
    def recorded(self) -> float:
        """Seconds recorded, over all recordings of the call."""
        return round(sum(recording.seconds for recording in self.recordings), 3)

    @property
    def lost_fraction(self) -> float | None:
        """Fraction of the caller's packets that never came, 0..1; None without any packet."""
        if self.stats is None or not (total := self.stats.packets_received + self.stats.lost):
            return None
        return self.stats.lost / total


class _Leg(msgspec.Struct, kw_only=True):
    """A leg while it is being put together."""

    leg: str
    target: str
    agent: str | None
    sip_call_id: str
    started: float
    ringing: float | None = None
    answered: float | None = None
    end: tuple[float, LegEnded] | None = None
    talked: float = 0.0
    bridged_at: float | None = None

    def snapshot(self) -> CdrLeg:
        ended, end = self.end or (None, None)
        return CdrLeg(
            leg=self.leg,
            target=self.target,
            agent=self.agent,
            sip_call_id=self.sip_call_id,
            started=self.started,
            ringing=self.ringing,
            answered=self.answered,
            ended=ended,
            cause=end.cause if end else "",
            sip_status=end.sip_status if end else 0,
            ended_by=end.ended_by if end else None,
            talked=round(self.talked, 3),
            stats=end.stats if end else None,
        )

    def unbridge(self, wall: float) -> None:
        if self.bridged_at is not None:
            self.talked += max(0.0, wall - self.bridged_at)
            self.bridged_at = None


class _Draft:
    """A call while it is being put together."""

    def __init__(self, start: CallStarted, wall: float) -> None:
        self.start = start
        self.started = wall
        self.ringing: float | None = None
        self.answered: float | None = None
        self.end: tuple[float, CallEndedEvent] | None = None
        self.legs: dict[str, _Leg] = {}
        self.queues: list[str] = []
        self.digits: list[CdrDigits] = []
        self.recordings: dict[str, CdrRecording] = {}
        self.consent: CdrConsent | None = None
        self.interaction = start.call
        self.chain = Chain()
        self.tags: dict[str, str] = {}
        self.scores: dict[str, int] = {}

    @property
    def settled(self) -> bool:
        """True when nothing can lag behind the end any more."""
        return (
            self.end is not None
            and all(leg.end is not None for leg in self.legs.values())
            and all(recording.settled for recording in self.recordings.values())
            and self.chain.settled
        )

    def snapshot(self) -> Cdr | None:
        """The record, or None while the call lives."""
        if self.end is None:
            return None
        ended, end = self.end
        return Cdr(
            id=self.start.call,
            sip_call_id=self.start.sip_call_id,
            source=self.start.source,
            caller=self.start.caller,
            called=self.start.called,
            trunk=self.start.trunk,
            started=self.started,
            ringing=self.ringing,
            answered=self.answered,
            ended=ended,
            cause=end.cause,
            sip_status=end.sip_status,
            ended_by=end.ended_by,
            legs=tuple(leg.snapshot() for leg in self.legs.values()),
            queues=tuple(self.queues),
            digits=tuple(self.digits),
            recordings=tuple(self.recordings.values()),
            consent=self.consent,
            stats=end.stats,
            interaction=self.interaction,
            segments=self.chain.segments(over=end.ended_by, at=ended),
            tags=dict(self.tags),
            scores=dict(self.scores),
        )

    def take(self, event: Event, wall: float) -> bool:
        """Take in one event of this call; False when it says nothing new."""
        in_chain = isinstance(event, OF_SEGMENTS) and self.chain.take(event, wall)
        return self._take(event, wall) or in_chain

    def _take(self, event: Event, wall: float) -> bool:
        match event:
            case InteractionJoined():
                self.interaction = event.interaction
            case CallRinging() if self.ringing is None:
                self.ringing = wall
            case CallAnswered() if self.answered is None:
                self.answered = wall
            case CallEndedEvent() if self.end is None:
                self._finish(event, wall)
            case LegStarted() if event.leg not in self.legs:
                self.legs[event.leg] = _Leg(
                    leg=event.leg,
                    target=event.target,
                    agent=event.agent,
                    sip_call_id=event.sip_call_id,
                    started=wall,
                )
            case LegRinging() | LegAnswered() | LegEnded() | BridgeStarted() | BridgeEnded():
                return self._take_leg(event, wall)
            case TransferCompleted() if event.kind == "takeover" and event.new in self.legs:
                old, new = self.legs.get(event.leg), self.legs[event.new]
                if old is not None and old.bridged_at is not None and new.bridged_at is None:
                    old.unbridge(wall)
                    new.bridged_at = wall
            case QueueJoined():
                self.queues.append(event.queue)
            case DigitsCollected():
                self.digits.append(CdrDigits(event.prompt, event.digits, event.outcome))
            case CallTagged():
                self.tags[event.name] = event.value
            case SurveyAnswered():
                self.scores[event.survey] = event.score
            case RecordingConsent() | RecordingStarted() | RecordingFinished() | RecordingStored():
                return self._take_recording(event, wall)
            case _:
                return False
        return True

    def _take_recording(self, event: Event, wall: float) -> bool:
        match event:
            case RecordingConsent():
                heard = None if event.outcome == "blocked" else wall
                self.consent = CdrConsent(
                    outcome=event.outcome, announced=heard, prompt=event.prompt, why=event.why
                )
            case RecordingStarted() if event.path not in self.recordings:
                self.recordings[event.path] = CdrRecording(path=event.path)
            case RecordingFinished() if not getattr(self.recordings.get(event.path), "reason", ""):
                self.recordings[event.path] = CdrRecording(
                    path=event.path, seconds=round(event.seconds, 3), reason=event.reason or "stopped"
                )
            case RecordingStored() if (recording := self.recordings.get(event.path)) is not None:
                self.recordings[event.path] = msgspec.structs.replace(
                    recording, path=event.stored, sha256=event.sha256
                )
            case _:
                return False
        return True

    def _take_leg(
        self, event: LegRinging | LegAnswered | LegEnded | BridgeStarted | BridgeEnded, wall: float
    ) -> bool:
        leg = self.legs.get(event.leg)
        if leg is None:
            return False
        match event:
            case LegRinging() if leg.ringing is None:
                leg.ringing = wall
            case LegAnswered() if leg.answered is None:
                leg.answered = wall
            case LegEnded() if leg.end is None:
                leg.unbridge(wall)
                leg.end = (wall, event)
            case BridgeStarted() if leg.bridged_at is None and leg.end is None and self.end is None:
                leg.bridged_at = wall
            case BridgeEnded() if leg.bridged_at is not None:
                leg.unbridge(wall)
            case _:
                return False
        return True

    def _finish(self, event: CallEndedEvent, wall: float) -> None:
        """The caller is gone: nobody hears them any more, whatever the order of the next events."""
        for leg in self.legs.values():
            leg.unbridge(wall)
        self.chain.finish(wall)
        self.end = (wall, event)


class CdrFold:
    """Folds events into call records."""

    def __init__(self) -> None:
        self._open: dict[str, _Draft] = {}
        self._ended: deque[tuple[float, str]] = deque()
        self._wrap_ups = WrapUps(self._chain_of)
        self._wall = 0.0
        self.finished = 0
        """Calls that ended."""
        self.strays = 0
        """Events of calls that never started here, or that came too late to count."""

    @property
    def open_count(self) -> int:
        """Calls in memory: live ones, and ended ones that may still be amended."""
        return len(self._open)

    @property
    def live(self) -> list[str]:
        """The ids of the calls whose caller is still there."""
        return [call for call, draft in self._open.items() if draft.end is None]

    def apply(self, event: Event, wall: float) -> Cdr | None:
        """Take in `event`, which happened at the Unix time `wall`; the record when it is new or changed."""
        self._forget(wall)
        before, self._wall = self._wall, wall
        if isinstance(event, CallStarted):
            self._open.setdefault(event.call, _Draft(event, wall))
            return None
        if isinstance(event, AgentStateChanged):
            return self._move_agent(event, wall, before)
        call = getattr(event, "call", None)
        if call is None:
            return None
        draft = self._open.get(call)
        if draft is None:
            self.strays += isinstance(event, _OF_CALLS)
            return None
        was_over = draft.end is not None
        changed = draft.take(event, wall)
        if isinstance(event, BridgeStarted):
            self._wrap_ups.begun(draft.chain.agent_of(event.leg), call)
        elif isinstance(event, TalkEnded):
            self._wrap_ups.talked(event.agent, call)
        if draft.end is None or not changed:
            return None
        if not was_over:
            self.finished += 1
            self._ended.append((wall, call))
        return self._told(call, draft)

    def _told(self, call: str, draft: _Draft) -> Cdr | None:
        record = draft.snapshot()
        if draft.settled:
            del self._open[call]
        return record

    def _chain_of(self, call: str) -> Chain | None:
        draft = self._open.get(call)
        return None if draft is None else draft.chain

    def _move_agent(self, event: AgentStateChanged, wall: float, before: float) -> Cdr | None:
        call = self._wrap_ups.moved(event, wall, before=before)
        draft = self._open.get(call)
        return None if draft is None or draft.end is None else self._told(call, draft)

    def _forget(self, wall: float) -> None:
        """Drop calls whose laggards did not come in time; their record stands as it was last told.

        A call that somebody wraps up after stays; its turn comes again.
        """
        while self._ended and self._ended[0][0] < wall - LINGER_S:
            _, call = self._ended.popleft()
            if call in self._open and self._open[call].chain.wrapping:
                self._ended.append((wall, call))
            else:
                self._open.pop(call, None)
