"""Ringing one agent at several places: each after its delay, until one of them has the call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from sipcc.acd import RingOutcome
from sipcc.acd.events import OfferOutcome
from sipcc.acd.settings import AgentSettings, ContactSettings
from sipcc.call import Call, Leg, Target
from sipcc.call.accepting import Acceptance
from sipcc.call.cause import cause_of_status
from sipcc.errors import CallEnded, CallRejected, TransactionTimeout
from sipcc.sip.session_api import HeaderList
from sipcc.switch.places import Places

TELLING = ("declined", "busy", "no_answer", "failed", "cancelled", "unreachable")
"""Of several outcomes the one of the agent: what a person did comes before what became of the way there."""

NOBODY_THERE = RingOutcome("unreachable", 480)


def places_at(contact: ContactSettings, agent: AgentSettings, places: Places) -> list[Target]:
    """The places of one contact of `agent`; who answers at one with a key must press it."""
    found = places.locate(contact.to)
    if not contact.accept_key:
        return found
    accept = Acceptance(key=contact.accept_key, prompt=agent.accept_prompt, timeout=agent.accept_timeout)
    return [msgspec.structs.replace(place, accept=accept) for place in found]


class ContactRace:
    """The places of one agent, rung for one offer."""

    def __init__(self, places: Places, call: Call, agent: AgentSettings, *, told: HeaderList = ()) -> None:
        """`told` are headers for phones of ours."""
        self._told = tuple(told)
        self._places = places
        self._call = call
        self._agent = agent

    async def run(self, *, timeout: float) -> RingOutcome:
        """Ring until a place has the call, all have failed, or `timeout` seconds are over.

        Whoever is asked for a key at that moment may still press it. Cancelled, all ringing ends.
        """
        waiting = list(self._agent.places)
        if len(waiting) == 1:
            return await self._ring(waiting[0], timeout)
        loop = asyncio.get_running_loop()
        began = loop.time()
        live: set[asyncio.Task[RingOutcome]] = set()
        outcomes = [NOBODY_THERE]
        try:
            while waiting or live:
                passed = loop.time() - began
                if waiting and (not live or waiting[0].after <= passed):
                    if passed < timeout:
                        ringing = self._ring(waiting[0], timeout - passed)
                        live.add(loop.create_task(ringing, name=f"ring-{self._agent.name}"))
                    del waiting[0]
                    continue
                pause = waiting[0].after - passed if waiting else None
                done, _ = await asyncio.wait(live, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    live.discard(task)
                    outcomes.append(task.result())
                    if outcomes[-1].outcome == "answered":
                        return outcomes[-1]
            return most_telling(outcomes)
        finally:
            for task in live:
                task.cancel()
                task.add_done_callback(_drop)

    async def _ring(self, contact: ContactSettings, timeout: float) -> RingOutcome:
        targets = [
            msgspec.structs.replace(place, headers=(*place.headers, *self._told)) if place.user else place
            for place in places_at(contact, self._agent, self._places)
        ]
        if not targets:
            return NOBODY_THERE
        try:
            leg: Leg = await self._call.dial(*targets, timeout=timeout, agent=self._agent.name)
        except CallRejected as error:
            # what rang was there; a phone of ours that says 480 at once is so too, and not to be disturbed
            there = error.rang or (error.status == 480 and all(place.user for place in targets))
            return RingOutcome(refused_with(error.status, there=there), error.status)
        except TransactionTimeout as error:
            return RingOutcome("no_answer" if error.provisionals else "unreachable", 408)
        except CallEnded:
            # the caller left; the ACD learns of it from the call itself
            return RingOutcome("cancelled", 487)
        return RingOutcome("answered", 200, leg)


def refused_with(status: int, *, there: bool) -> OfferOutcome:
    """What a refusal means; `there` when something was reached, such as a phone that rang.

    Many phones say 480 when nobody picks up; 408 without ringing is a way that led nowhere.
    """
    outcome = cause_of_status(status).outcome
    if there and outcome in {"unreachable", "cancelled"}:
        return "no_answer"
    return "unreachable" if status == 408 and not there else outcome


def most_telling(outcomes: Sequence[RingOutcome]) -> RingOutcome:
    """The outcome of an agent of whose places none has the call."""
    return min(outcomes, key=lambda told: TELLING.index(told.outcome))


def _drop(task: asyncio.Task[RingOutcome]) -> None:
    """Hang up who answered at a place in the same instant as another one."""
    if not task.cancelled() and task.exception() is None and (leg := task.result().leg) is not None:
        leg.hangup("answered_elsewhere")
