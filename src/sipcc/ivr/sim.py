r"""A caller without a telephone: the steps of an IVR in virtual time.

`SimSession` is a `sipcc.ivr.session.Session` whose caller follows a script. Keys go through the real
collector, prompts take as long as they would be heard, and nothing waits: its clock jumps, so ten minutes of
menus take a fraction of a millisecond::

    session = SimSession("keys 1\nkeys 4008123456#", caller="13800138000")
    finish(my_program(session))         # any coroutine that only awaits the session
    print(session.report())

A program that really awaits something else, such as a lookup by HTTP, runs on a loop as always: ``await
my_program(session)``.

What others do is scripted too, by name (`Script.outcomes`):

| setting | values | default |
|---|---|---|
| ``dial`` | an outcome of `Transferred`, or ``answered``; or a table of ``outcome``, ``ring``, ``seconds``, ``status`` | answered after 5 s, 30 s of talk |
| ``queue`` | an exit of `sipcc.acd`; or a table of ``exit``, ``wait``, ``talk``, ``agent``, ``ended_by`` | answered after 10 s, 60 s of talk |
| ``stream`` | ``program``, ``lost`` or ``unreachable``; or a table of the fields of `Streamed` and ``seconds`` | program after 30 s |
| ``conference`` | seconds | 60 |
| any other | what the lookup of that name finds (`SimSession.found`) | nothing |
"""  # noqa: E501  # a table has long lines

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any, Final, TypeVar

import msgspec

from sipcc.call.destination import Destination
from sipcc.call.digits import CollectSettings, LengthMatcher
from sipcc.errors import CallEnded, CallRejected
from sipcc.ivr.flows.script import Answer
from sipcc.ivr.keywatch import KeyWatch
from sipcc.ivr.simcall import Line, SimCall
from sipcc.ivr.simquestion import HungUp, SimQuestion, TimeUp, played_until
from sipcc.ivr.steps import (
    Conference,
    Enqueue,
    Gather,
    Gathered,
    Heard,
    Left,
    Played,
    Prompt,
    Record,
    Recorded,
    Stream,
    Streamed,
    Transfer,
    Transferred,
    Waiting,
)

__all__ = ["Line", "SimSession", "finish"]

BEEP_SECONDS: Final = 0.3

_ANY_KEY: Final = LengthMatcher(1, allowed="0123456789*#ABCD")
_AT_ONCE: Final = CollectSettings(timeout=0.0, terminators="")
"""What is said before a recording: any key may cut it."""

_T = TypeVar("_T")


def finish(program: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never really waits to its end, without a loop.

    Raises:
        RuntimeError: it waits for something besides a simulated session; run it on a loop then.
    """
    try:
        program.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    program.close()
    raise RuntimeError("the program waits for something else than the simulated caller: await it on a loop")


class SimSession(SimCall):
    """A `Session` with a made-up caller; see the head of this module.

    Args:
        script: What the caller does; text is read by `sipcc.ivr.flows.script.parse_script`.
        lengths: Tells how long prompts are; without a catalogue all lengths are estimates.
        wall: The Unix time at which the call begins.
        answered: False for a call that is still to be answered.
        on_go: Carries out a destination, and tells whether it did; the others are noted, except that queues,
            telephones and hanging up are carried out.
    """

    async def answer(self) -> None:
        """Answer; answering twice does nothing."""
        self._verb()
        if not self._answered:
            self._answered = True
            self._note("answer")

    async def reject(self, status: int = 486) -> None:
        """Refuse the call."""
        self._verb()
        self._note("reject", str(status))
        self._end(f"rejected {status}")

    async def play(self, prompts: Sequence[Prompt]) -> Played:
        """Say something to its end."""
        self._verb()
        start = self._now
        soundings, _ = self._schedule(prompts)
        self._sim.hears(soundings)
        until = soundings[-1].ends if soundings else start
        try:
            self._pass(until)
        finally:
            self._heard(soundings, self._now)
        return played_until(soundings, start, self._now)

    async def gather(self, step: Gather) -> Gathered:
        """Ask a question."""
        self._verb()
        if step.label or not step.prompts:
            self._note("ask", step.label)
        self._sim.begin(question=True)
        answer = self._question(step)
        self._sim.end()
        self._note(answer.outcome, _shown(answer, secret=step.collect.secret))
        return answer

    async def record(self, step: Record) -> Recorded:
        """Record the caller; hanging up in it is a result."""
        self._verb()
        self._keys.flush()
        try:
            self._question(Gather(prompts=step.prompts, keys=_ANY_KEY, collect=_AT_ONCE))
        except CallEnded:
            return Recorded(ended_by="hangup")
        self._keys.flush()
        self._now += BEEP_SECONDS if step.beep else 0.0
        self._sim.begin(question=True)
        recorded = self._record(step)
        self._sim.end()
        self._note("record", f"{recorded.ended_by} {recorded.seconds:.1f} s")
        if recorded.ended_by == "hangup":
            self._end("caller")
        return recorded

    async def transfer(self, step: Transfer) -> Transferred:
        """Connect the caller with somebody, as ``dial`` says it goes."""
        self._verb()
        if step.prompts:
            await self.play(step.prompts)
        self._note("transfer", f"{step.mode} {', '.join(step.targets)}")
        self.handed_at = self._now if self.handed_at is None else self.handed_at
        plan = _table(self.found("dial"), "outcome")
        outcome = str(plan.get("outcome", "answered"))
        if outcome == "answered":
            outcome = "far_end" if step.mode == "bridge" else "sent"
        if outcome not in _TRANSFERRED:
            raise ValueError(f"dial={outcome}: none of {', '.join(sorted(_TRANSFERRED))}")
        talks = outcome in _TALKED
        ring = step.timeout if outcome == "noanswer" else min(_number(plan, "ring", 5.0), step.timeout)
        self._sim.begin(question=False)
        self._pass(self._now + ring)
        began = self._now
        keys = ""
        if talks:
            self.human_at = began if self.human_at is None else self.human_at
            seconds = _number(plan, "seconds", 30.0) if outcome != "sent" else 0.0
            if outcome == "max_time" or (step.max_time is not None and seconds >= step.max_time):
                outcome, seconds = "max_time", step.max_time if step.max_time is not None else seconds
            keys = self._talk(step, began + seconds)
            outcome = "near_end" if keys else outcome
        self._sim.end()
        talked = self._now - began if talks else 0.0
        self._note("transfer", f"{outcome} {talked:.1f} s")
        status = int(_number(plan, "status", _STATUS.get(outcome, 0)))
        return Transferred(outcome=outcome, seconds=talked, status=status, keys=keys)  # type: ignore[arg-type]  # checked above

    async def enqueue(self, step: Enqueue) -> Left:
        """Let the caller wait in a queue, which goes as ``queue`` says."""
        self._verb()
        self._note("enqueue", step.queue)
        self.handed_at = self._now if self.handed_at is None else self.handed_at
        plan = _table(self.found("queue"), "exit")
        exit_ = str(plan.get("exit", "answered"))
        began = self._now
        until = began + _number(plan, "wait", 10.0)
        if step.waiting is not None and await self._waits(step.waiting, plan, until):
            exit_, until = "withdrawn", self._now
        self._sim.begin(question=False)
        self._pass(until)
        waited = self._now - began
        agent, ended_by = "", ""
        if exit_ == "answered":
            self.human_at = self._now if self.human_at is None else self.human_at
            agent, ended_by = str(plan.get("agent", "agent")), str(plan.get("ended_by", "agent"))
            self._pass(self._now + _number(plan, "talk", 60.0))
        self._sim.end()
        self._note("enqueue", f"{step.queue} {exit_} after {waited:.1f} s")
        if ended_by == "caller":
            self._gone()
        return Left(
            exit=exit_,
            seconds=waited,
            agent=agent,
            ended_by="agent" if ended_by else "",
            to=str(plan.get("to", "")),
        )

    async def conference(self, step: Conference) -> float:
        """Let the caller into a conference for as long as ``conference`` says."""
        self._verb()
        self._note("conference", step.name)
        self._sim.begin(question=False)
        began = self._now
        self._pass(began + _number({"seconds": self.found("conference")}, "seconds", 60.0))
        self._sim.end()
        return self._now - began

    async def stream(self, step: Stream) -> Streamed:
        """Let a program speak with the caller, which goes as ``stream`` says."""
        self._verb()
        self._note("stream", step.url)
        plan = dict(_table(self.found("stream"), "ended_by"))
        seconds = _number(plan, "seconds", 30.0)
        plan.pop("seconds", None)
        streamed = msgspec.convert({"ended_by": "program", **plan}, Streamed)
        self._sim.begin(question=False)
        self._pass(self._now + (step.timeout if streamed.ended_by == "unreachable" else seconds))
        self._sim.end()
        self._note("stream", streamed.ended_by)
        return streamed

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._verb()
        self._note("wait", f"{seconds:g} s")
        self._pass(self._now + seconds)

    async def hangup(self, cause: str = "normal") -> None:
        """End the call; ending it twice does nothing."""
        if not self.exit:
            self._end(cause)

    async def go(self, destination: Destination) -> None:
        """Let the call be treated as a destination says.

        Raises:
            CallRejected: nobody was reached there, as in a live call.
        """
        self._verb()
        self._note("go", str(destination))
        if destination.kind == "hangup":
            await self.hangup()
        elif self.on_go is not None and await self.on_go(self, destination):
            return
        elif destination.kind == "queue":
            await self.enqueue(Enqueue(queue=destination.argument))
        elif destination.kind == "dial":
            came = await self.transfer(Transfer(targets=(destination.argument,)))
            if came.outcome not in _TALKED:
                raise CallRejected(came.status, came.outcome)

    # -- parts of the verbs ------------------------------------------------------------------------------

    async def _waits(
        self, program: Callable[[Waiting], Awaitable[None]], plan: Mapping[str, object], until: float
    ) -> bool:
        """Let a program fill the wait in a queue; whether it took the caller out."""
        place = _Place(self, int(_number(plan, "position", 1)), int(_number(plan, "size", 1)))
        self._deadline = until
        with suppress(TimeUp):
            await program(place)
        self._deadline = inf
        return place.left

    def leave_queue(self) -> None:
        """Take the caller out of the queue that it waits in; for what fills the wait."""
        self._deadline = self._now

    def _question(self, step: Gather) -> Gathered:
        soundings, starts = self._schedule(step.prompts)
        self._sim.hears(soundings)
        question = SimQuestion(
            step,
            self._sim,
            self._keys,
            soundings=soundings,
            starts=starts,
            now=self._now,
            until=self._deadline,
        )
        try:
            answer = question.run()
        except HungUp:
            self._now = question.now
            self._gone()
        finally:
            self._now = question.now
            self._heard(soundings, question.played_to)
        if question.timer and step.collect is not _AT_ONCE:
            self._note("timer", question.timer)
        return answer

    def _talk(self, step: Transfer, until: float) -> str:
        """Let two talk; the keys that parted them, or none."""
        watch = KeyWatch(step.keys) if step.keys is not None else None
        while (at := self._sim.next_at(self._now)) <= until:
            self._now = at
            deed = self._sim.take()
            if deed.what == "hangup":
                self._gone()
            if deed.what == "up" and watch is not None and (keys := watch.push(deed.key, now=at)):
                return keys
        self._now = until
        return ""

    def _record(self, step: Record) -> Recorded:
        began = spoke_until = self._now
        spoke = False
        told: Heard | None = None
        told_at = inf
        while True:
            quiet = step.final_silence if spoke else step.timeout
            silent_at = inf if quiet is None else max(spoke_until, began) + quiet
            at = min(silent_at, began + step.max_time, told_at)
            deed_at = self._sim.next_at(self._now)
            if at <= deed_at:
                self._now = at
                if told is not None and at == told_at:
                    ended = self._recorded(step, "speech", began, spoke=True)
                    return msgspec.structs.replace(ended, heard=(told,))
                if at < silent_at:
                    return self._recorded(step, "max_time", began, spoke=spoke)
                return self._recorded(step, "silence" if spoke else "noinput", began, spoke=spoke)
            self._now = deed_at
            deed = self._sim.take()
            if deed.what == "hangup":
                return self._recorded(step, "hangup", began, spoke=spoke)
            if deed.what == "down" and deed.key in step.terminators:
                return self._recorded(step, "key", began, deed.key, spoke=spoke)
            if deed.what == "voice":
                spoke, spoke_until = True, deed_at + deed.seconds
                heard = None if deed.say is None else Heard(deed.say.text, deed.say.confidence)
                if heard is not None and step.listen is not None and step.listen.takes(heard):
                    told, told_at = heard, spoke_until + step.listen.complete_timeout

    def _recorded(self, step: Record, ended_by: Any, began: float, key: str = "", *, spoke: bool) -> Recorded:
        if ended_by == "noinput" or (step.speech and not spoke):
            return Recorded(ended_by=ended_by, key=key)
        seconds = self._now - began
        path = (step.path or "sim.wav") if seconds else ""
        return Recorded(
            ended_by=ended_by, path=path, seconds=seconds, size_bytes=44 + int(16_000 * seconds), key=key
        )


class _Place:
    """A simulated caller's wait in a queue; a `sipcc.ivr.steps.Waiting`."""

    def __init__(self, session: SimSession, position: int, size: int) -> None:
        self.left = False
        self._session = session
        self._began = session.now()
        self._position = position
        self._size = size

    @property
    def position(self) -> int:
        return 0 if self.left else self._position

    @property
    def size(self) -> int:
        return self._size

    @property
    def seconds(self) -> float:
        return self._session.now() - self._began

    def leave(self) -> None:
        self.left = True
        self._session.leave_queue()


_TALKED: Final = frozenset({"far_end", "near_end", "max_time", "sent"})
_TRANSFERRED: Final = frozenset({"busy", "noanswer", "network_busy", "failed", *_TALKED})
_STATUS: Final = {"busy": 486, "noanswer": 408, "network_busy": 503, "failed": 500}


def _shown(answer: Gathered, *, secret: bool) -> str:
    """The answer as a log may have it."""
    if answer.heard:
        return "*" if secret else answer.heard[0].text
    keys = "*" * len(answer.keys) if secret else answer.keys
    return f"{keys}{answer.ended_with}"


def _table(answer: Answer | None, name: str) -> Mapping[str, object]:
    """A setting as a table; a word alone is its field `name`."""
    if answer is None:
        return {}
    return answer if isinstance(answer, Mapping) else {name: answer}


def _number(table: Mapping[str, object], name: str, default: float) -> float:
    value = table.get(name)
    if value is None:
        return default
    return float(value) if isinstance(value, int | float) else default
