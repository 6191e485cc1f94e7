"""More than two in one talk: conferences by name, and supervisors of other calls' conversations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from sipcc.call import events
from sipcc.errors import CallEnded, CallError, LocalProtocolError

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.leg import Leg
    from sipcc.rtp.flow import MediaPort, Role

Supervising = Literal["listen", "whisper", "barge"]
"""What a supervisor does: hears both; is heard by the agent alone besides; is heard by both."""

_ROLES: dict[Supervising, Role] = {"listen": "listen", "whisper": "whisper", "barge": "talk"}


class Conferences:
    """Who is in which conference of this switch. Members come near the first one, so that they can meet."""

    def __init__(self) -> None:
        self._members: dict[str, list[Call]] = {}

    def members(self, name: str) -> tuple[Call, ...]:
        """The calls in a conference, in the order of their coming."""
        return tuple(self._members.get(name, ()))

    def enter(self, name: str, call: Call) -> MediaPort | None:
        """Count a call in; returns the port of a member to come near to."""
        members = self._members.setdefault(name, [])
        near = members[0].leg.media if members else None
        members.append(call)
        return near

    def leave(self, name: str, call: Call) -> None:
        """Count a call out."""
        members = self._members.get(name, [])
        if call in members:
            members.remove(call)
        if not members:
            self._members.pop(name, None)


class Stay:
    """A stay of one call among others; what `Call.join` and `Call.supervise` return."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """True once it was left, or the other call is gone."""
        return self._over.done()

    async def wait_over(self) -> str:
        """Wait until it is over: ``left``, or ``ended`` by the other call. Raises CallEnded with ours."""
        return await self._call.unless_ended(_shielded(self._over))

    def leave(self) -> None:
        """Leave; the others go on."""
        self._finish("left")

    def mute(self, muted: bool = True) -> None:
        """Let the others not hear this caller, or hear it again."""
        if not self.over and not self._leg.ended:
            self._leg.media.mute(muted)

    @property
    def _leg(self) -> Leg:
        return self._call.leg

    def _finish(self, how: str) -> None:
        if self._over.done():
            return
        self._over.set_result(how)
        if not self._leg.ended:
            self._leg.media.unbridge()


class ConferenceStay(Stay):
    """A caller in a conference."""

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(call)
        self.name = name

    def _finish(self, how: str) -> None:
        if not self.over:
            self._call.context.conferences.leave(self.name, self._call)
            self._emit(left=True)
        super()._finish(how)

    def _emit(self, *, left: bool) -> None:
        context = self._call.context
        kind = events.ConferenceLeft if left else events.ConferenceJoined
        context.bus.emit(kind(at=context.clock.now(), call=self._call.id, conference=self.name))


async def join(call: Call, name: str, *, muted: bool) -> ConferenceStay:
    """Let the caller of `call` into the conference `name`.

    Raises:
        CallError: its media cannot be brought to where the conference is.
    """
    near = call.context.conferences.enter(name, call)
    stay = ConferenceStay(call, name)
    stay._emit(left=False)
    call.on_end(lambda: stay._finish("left"))
    if near is not None and not await call.leg.come_near(call.context.engine, near):
        stay.leave()
        raise CallError("the caller's media cannot be moved to the conference")
    if not stay.over and not call.ended:
        call.leg.media.join(name)
        call.leg.media.mute(muted)
    return stay


class Supervision(Stay):
    """Somebody who supervises a call, from a call of its own: it hears both parties, whoever they become."""

    def __init__(self, call: Call, supervised: Call, role: Supervising) -> None:
        super().__init__(call)
        self.supervised = supervised
        self._role: Supervising = role

    @property
    def agent(self) -> str:
        """The supervisor's name as an agent; empty for somebody who is none."""
        return self._call.context.agent_at(self._leg) or ""

    @property
    def role(self) -> Supervising:
        """What the supervisor does now; setting it takes effect within 40 ms."""
        return self._role

    @role.setter
    def role(self, role: Supervising) -> None:
        if self.over:
            raise LocalProtocolError("the supervision is over")
        if role != self._role:
            self._role = role
            self._tell(role)
        self.attach()

    def attach(self) -> None:
        """Go where the supervised agent is now; a conversation that begins calls this."""
        leg, other = self._leg, self.supervised
        if self.over or leg.ended or other.ended:
            return
        agent = other.agent_leg
        port = agent.media if agent is not None and not agent.ended else other.leg.media
        if leg.media.is_near(port):
            leg.media.supervise(port, _ROLES[self._role])

    async def take_over(self) -> None:
        """Take the agent's place in the conversation; the agent is released, and the supervision over.

        For the records that is a transfer, so the agent's talk ends, and its wrap-up begins.

        Raises:
            LocalProtocolError: the supervised call has no conversation, is over, or is being transferred.
        """
        other, leg = self.supervised, self._leg
        if self.over or other.ended or other.peer is None:
            raise LocalProtocolError("there is no conversation to take over")
        if other.transfer_under_way is not None:
            raise LocalProtocolError("a transfer is under way")
        self._tell("take_over")
        self._finish("left")
        self._give(other, leg)
        await other.give_to(leg)

    def _give(self, other: Call, leg: Leg) -> None:
        other.take_in(leg)
        self._call.give_up(leg)

    def _finish(self, how: str) -> None:
        if not self.over:
            self._tell("left")
            if self in self.supervised.supervisors:
                self.supervised.supervisors.remove(self)
        super()._finish(how)

    def _tell(self, role: str) -> None:
        context = self._call.context
        at = context.clock.now()
        context.bus.emit(
            events.SupervisionChanged(
                at=at, call=self.supervised.id, supervisor=self._place, role=role, agent=self.agent
            )
        )

    @property
    def _place(self) -> str:
        return self._call.id


async def supervise(call: Call, other: Call, role: Supervising) -> Supervision:
    """Let the caller of `call` supervise `other`.

    Raises:
        CallEnded: `other` is over.
        CallError: the caller's media cannot be brought to where those of `other` are.
    """
    if other.ended or other is call:
        raise CallEnded(other.end_cause or "normal")
    if not await call.leg.come_near(call.context.engine, other.leg.media):
        raise CallError("the caller's media cannot be moved to the call that is to be supervised")
    supervision = Supervision(call, other, role)
    other.supervisors.append(supervision)
    supervision._tell(role)
    call.on_end(lambda: supervision._finish("left"))
    other.on_end(lambda: supervision._finish("ended"))
    supervision.attach()
    return supervision


async def _shielded(future: asyncio.Future[str]) -> str:
    return await asyncio.shield(future)
