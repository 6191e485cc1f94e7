"""A live session: the steps of an IVR, carried out on a real call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sipcc.call import Call, Destination
from sipcc.call.asking import Asked, Question, ask_for
from sipcc.call.events import DigitsCollected
from sipcc.errors import CallEnded, LocalProtocolError, SipccError
from sipcc.ivr.events import CallTagged
from sipcc.ivr.feedback import SurveyAnswered, SurveyOffered
from sipcc.ivr.live_listening import listener
from sipcc.ivr.live_prompts import Score, compose
from sipcc.ivr.live_recording import record
from sipcc.ivr.live_transfer import transfer
from sipcc.ivr.services import Services, Understood
from sipcc.ivr.steps import (
    Conference,
    Enqueue,
    Gather,
    Gathered,
    Left,
    Played,
    Prompt,
    Record,
    Recorded,
    Stream,
    Streamed,
    Transfer,
    Transferred,
)
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.call.digits import Collected

_log = get_logger("sipcc.ivr")

_variables: WeakKeyDictionary[Call, dict[str, object]] = WeakKeyDictionary()
"""What programs keep with a call, whichever session asks."""

_SPOKEN: dict[str, str] = {"match": "speech", "nomatch": "nomatch", "toolong": "toolong"}


class LiveSession:
    """The session of one call; a `sipcc.ivr.session.Session`.

    Several may be made for one call, such as by a flow and by what it leads to: they share the variables.
    """

    def __init__(self, call: Call, services: Services | None = None) -> None:
        """Take `call`; without `services` there are no queues, no voices and no recogniser."""
        self.call = call
        """The call itself, for what is no step."""
        self.services = services or Services()
        self._judging: dict[str, SurveyOffered] = {}
        self.variables = _variables.setdefault(call, dict(call.variables))

    # -- who it is ----------------------------------------------------------------------------------

    @property
    def language(self) -> str:
        """That of the call."""
        return self.call.language

    @language.setter
    def language(self, language: str) -> None:
        self.call.language = language

    @property
    def id(self) -> str:
        """The call's id."""
        return self.call.id

    @property
    def caller(self) -> str:
        """The caller's number or user; ``anonymous`` when it is not shown."""
        return self.call.caller

    @property
    def dialled(self) -> str:
        """The number that was called."""
        return self.call.dialled

    @property
    def answered(self) -> bool:
        """Whether the caller was answered."""
        return self.call.answered

    def now(self) -> float:
        """Seconds of the clock."""
        return self.call.context.clock.now()

    def wall(self) -> float:
        """The Unix time."""
        clock = self.call.context.clock
        return clock.wall_of(clock.now())

    # -- plain verbs --------------------------------------------------------------------------------

    async def answer(self) -> None:
        """Answer; answering twice does nothing."""
        await self.call.answer()

    async def reject(self, status: int = 486) -> None:
        """Refuse a call that was not answered; one that was is hung up."""
        if self.call.answered:
            await self.call.hangup("busy" if status == 486 else "declined")
        else:
            await self.call.reject(status)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.call.wait(seconds)

    async def hangup(self, cause: str = "normal") -> None:
        """End the call; ending it twice does nothing."""
        await self.call.hangup(cause)

    async def go(self, destination: Destination) -> None:
        """Let the call be treated as `destination` says; returns when that treatment is over."""
        try:
            await self.services.handler_of(destination)(self.call)
        except CallEnded:
            raise
        except SipccError:
            self.call.stop_playing()  # the ringing of whoever did not answer
            raise

    def forget_keys(self) -> None:
        """Forget what was typed ahead."""
        self.call.digits.flush()

    def tag(self, name: str, value: str) -> None:
        """Put something into the call's record."""
        self.call.context.bus.emit(CallTagged(at=self.now(), call=self.id, name=name, value=value))

    def judge(self, survey: str, score: int | None, *, low: int, high: int) -> bool:
        """The caller is about to be asked how content it is (None), or has answered, from `low` to `high`.

        False when a survey of the switch has asked it already: once for each conversation is enough.
        """
        emit, now = self.call.context.bus.emit, self.now()
        if score is None:
            talked = self.services.judging(self.id)
            if talked is None:
                return False
            queue, agent = talked
            run = self.call.context.ids.uid("survey")
            self._judging[survey] = asked = SurveyOffered(
                at=now, call=self.id, survey=survey, run=run, queue=queue, agent=agent
            )
            emit(asked)
        elif (offered := self._judging.pop(survey, None)) is not None:
            emit(
                SurveyAnswered(
                    at=now,
                    call=self.id,
                    survey=survey,
                    run=offered.run,
                    score=score,
                    low=low,
                    high=high,
                    queue=offered.queue,
                    agent=offered.agent,
                )
            )
        return True

    def log(self, event: str, **details: object) -> None:
        """Write a line to the log; never a secret."""
        _log.info(event, call_id=self.id, **details)

    def on_hangup(self, then: Callable[[], None]) -> None:
        """Have `then` called when the caller is gone, at once if it is."""
        if self.call.ended:
            then()
        else:
            self.call.on_end(then)

    # -- prompts and questions ----------------------------------------------------------------------

    async def play(self, prompts: Sequence[Prompt]) -> Played:
        """Say something to its end; keys are kept for the next question."""
        await self.call.free()
        score = await self.compose(prompts)
        if not score.items:
            return Played(complete=True, reached=score.reached(0.0))
        player = self.call.player
        complete = await self.call.unless_ended(player.play(score.items))
        seconds = await self.call.unless_ended(player.halt())
        return Played(complete=complete, seconds=seconds, reached=score.reached(seconds))

    async def compose(self, prompts: Sequence[Prompt]) -> Score:
        """All of `prompts` as one thing to play."""
        return await self.call.unless_ended(compose(self.call, self.services, prompts))

    async def gather(self, step: Gather) -> Gathered:
        """Ask a question."""
        call = self.call
        await call.free()
        score = await self.compose(step.prompts)
        secret = step.collect.secret
        with self._unheard(step) if secret else nullcontext():
            ear = listener(self, step.listen, score, secret=secret) if step.listen is not None else None
            question = Question(
                items=score.items,
                matcher=step.keys,
                settings=step.collect,
                keys_turns=score.keys_turns,
                voice_turns=score.voice_turns,
                listen=ear,
                hotword=score.hotword,
            )
            asked = await call.unless_ended(ask_for(call, question))
        answer = gathered(asked, score, secret=secret)
        self._tell(step, asked.collected, answer)
        return answer

    @contextmanager
    def _unheard(self, step: Gather) -> Iterator[None]:
        """Keep a secret from others and from recordings: the keys, and what is said where that may be it."""
        call = self.call
        pauses = step.listen is not None and call.recording is not None and not call.taping.paused
        if pauses:
            call.pause_recording("secret")
        try:
            with call.secure_keys():
                yield
        finally:
            if pauses and not call.ended:
                call.resume_recording()

    def _tell(self, step: Gather, collected: Collected | None, gathered: Gathered) -> None:
        """Tell of the answer, and nothing of what is secret."""
        right = gathered.outcome in ("keys", "speech")
        self.call.context.bus.emit(
            DigitsCollected(
                at=self.now(),
                call=self.id,
                prompt=step.label,
                digits=collected.shown if collected is not None else "",
                outcome="match" if right else "noinput" if gathered.outcome == "noinput" else "nomatch",
            )
        )

    # -- what else is done --------------------------------------------------------------------------

    async def record(self, step: Record) -> Recorded:
        """Record the caller; hanging up in it is a result."""
        return await record(self, step)

    async def transfer(self, step: Transfer) -> Transferred:
        """Connect the caller with somebody."""
        return await transfer(self, step)

    async def enqueue(self, step: Enqueue) -> Left:
        """Let the caller wait in a queue.

        Raises:
            LocalProtocolError: there are no queues here.
        """
        if self.services.enter_queue is None:
            raise LocalProtocolError(f"there is no queue {step.queue!r} here")
        await self.call.free()
        left = await self.services.enter_queue(self.call, step)
        await self.call.free()  # raises when the caller is gone
        return left

    async def conference(self, step: Conference) -> float:
        """Let the caller into a conference; how many seconds it stayed."""
        stay = await self.call.join(step.name, muted=step.muted)
        began = self.now()
        try:
            await stay.wait_over()
        finally:
            stay.leave()  # who cancels this wants the caller back
        return self.now() - began

    async def stream(self, step: Stream) -> Streamed:
        """Let a program speak with the caller."""
        if self.services.stream is None:
            return Streamed(ended_by="unreachable")
        await self.call.free()
        return await self.call.unless_ended(self.services.stream(self, step))


def gathered(asked: Asked[Understood], score: Score, *, secret: bool) -> Gathered:
    """The answer to a question, as a step tells it."""
    played = Played(complete=not asked.barged, seconds=asked.seconds, reached=score.reached(asked.seconds))
    if asked.heard is not None:
        understood = asked.heard
        return Gathered(
            outcome=_SPOKEN[understood.outcome],  # type: ignore[arg-type]
            heard=understood.heard,
            barged=asked.barged,
            played=played,
            recording=understood.recording,
            secret=secret,
        )
    collected = asked.collected
    assert collected is not None  # one of the two has answered
    return Gathered(
        outcome="keys" if collected.outcome == "match" else collected.outcome,
        keys=collected.digits,
        secret=secret,
        ended_with=collected.ended_with,
        barged=asked.barged,
        played=played,
    )
