"""What flows, documents and programs get from this switch when they treat a live call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sipcc.call import Call
from sipcc.ivr.events import ContextGiven
from sipcc.ivr.services import Services
from sipcc.ivr.steps import Audio, Enqueue, Left
from sipcc.switch.bots import stream

if TYPE_CHECKING:
    from sipcc.acd import QueueHandle, QueueResult
    from sipcc.acd.visit import Wait
    from sipcc.switch.speaking import Speaking
    from sipcc.switch.treatments import Treatments

_ENDED_BY: dict[str, Literal["agent", "caller"]] = {"callee": "agent", "caller": "caller"}


def live_services(treatments: Treatments, speaking: Speaking) -> Services:
    """The services of the switch that `treatments` belong to; `speaking` has its voice and its ears."""

    async def enter_queue(call: Call, step: Enqueue) -> Left:
        return await _enter(treatments, call, step)

    return Services(
        handler_of=treatments.handler_of,
        enter_queue=enter_queue,
        stream=stream,
        voice=speaking.speaker,
        recogniser=speaking.recogniser,
        sounds=_Sounds(treatments),
        judging=lambda call: treatments.talks.judging(call),
    )


class _Sounds:
    """Fetches by what ``[fetch]`` allows; nothing is loaded before the first sound."""

    def __init__(self, treatments: Treatments) -> None:
        self._treatments = treatments

    async def path_of(self, sound: Audio) -> str:
        """The file of what stands at its URL."""
        return await self._treatments.sounds.path_of(sound)


class _Waiting:
    """A caller's wait, as `sipcc.ivr.steps.Waiting` wants to know it."""

    def __init__(self, queue: QueueHandle, wait: Wait) -> None:
        self._queue, self._wait = queue, wait
        self.leave = wait.leave

    @property
    def position(self) -> int:
        """The caller's place, from 1; 0 when it waits no more."""
        return self._wait.position

    @property
    def size(self) -> int:
        """How many wait for whom no phone rings."""
        return self._queue.length

    @property
    def seconds(self) -> float:
        """How long the caller has waited."""
        return self._wait.seconds


async def _enter(treatments: Treatments, call: Call, step: Enqueue) -> Left:
    """Let `call` wait until an agent has spoken with it, or it leaves the queue otherwise."""
    await call.answer()
    if step.context:
        now = treatments.clock.now()
        treatments.bus.emit(ContextGiven(at=now, call=call.id, queue=step.queue, context=step.context))
    queue, waiting = treatments.acd.queue(step.queue), step.waiting
    result = await queue.enter(
        call,
        priority=step.priority or 0,
        skills=" and ".join(step.skills) or None,
        show=None if waiting is None else lambda wait: waiting(_Waiting(queue, wait)),
    )
    booked = treatments.queueing.booked_prompt
    if result.exit == "callback_booked" and booked:
        await call.play(booked)
    if step.survey:
        await treatments.surveys.after(call, result)
    return left(result)


def left(result: QueueResult) -> Left:
    """How a caller left a queue, as a step tells it."""
    return Left(
        exit=result.exit,
        seconds=round(result.waited, 3),
        agent=result.agent or "",
        ended_by="" if result.lost else _ENDED_BY.get(result.ended_by, ""),
        to="" if result.exit == "answered" else result.to,
    )
