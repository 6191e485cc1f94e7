"""Conferences of applications: who starts one and ends it, what is heard until then, and who is told.

The sound is `sipcc.ivr.steps.Conference`; this is what jambonz and Twilio have around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from sipcc.ivr.hooks.errands import caught, unpacked
from sipcc.ivr.hooks.model import Hook, InRoom, Join, Joined, Program, Report, RoomEvent
from sipcc.ivr.hooks.waiting import Pastime
from sipcc.ivr.session import Session
from sipcc.tasks import TaskScope

LOOK = 1.0
"""Seconds of silence at a time, while a caller waits who hears nothing."""


class Member:
    """A caller in a conference, or waiting for it to begin."""

    def __init__(
        self,
        session: Session,
        join: Join,
        tell: Callable[[Hook, Report], Coroutine[Any, Any, None]],
        tasks: TaskScope,
    ) -> None:
        """`tell` tells a hook something, and takes no answer."""
        self.session, self.join, self.tell, self.tasks = session, join, tell, tasks
        self.over = asyncio.Event()
        """Set when somebody has ended the conference for all."""


class Room:
    """One conference."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: list[Member] = []
        self.started = asyncio.Event()
        self._began = 0.0
        self._count = 0
        self._host: Member | None = None
        """Whose hook is told of everything: the first one who has named one."""

    def enter(self, member: Member) -> None:
        """Count a caller in; the conference begins when it may."""
        self.members.append(member)
        if self._host is None and member.join.status is not None:
            self._host = member
        self.tell("join", member)
        enough = len(self.members) >= max(one.join.least for one in self.members)
        if not self.started.is_set() and enough and any(one.join.starts for one in self.members):
            self._began = member.session.now()
            self.started.set()
            self.tell("start", member)

    def leave(self, member: Member) -> None:
        """Count a caller out; all go when it ends the conference."""
        self.members.remove(member)
        self.tell("leave", member)
        if member.join.ends:
            for other in self.members:
                other.over.set()
        if not self.members and self.started.is_set():
            self.tell("end", member)

    def tell(self, event: RoomEvent, member: Member) -> None:
        """Tell whoever wants to know: the hook of the caller whom it is about, or else the first one's."""
        of = member if event in ("join", "leave") and member.join.status is not None else self._host
        if of is None or of.join.status is None or event not in of.join.events:
            return
        self._count += 1
        report = self.report(member, event)
        member.tasks.spawn(of.tell(of.join.status, report), name="conference-status")

    def report(self, member: Member, event: RoomEvent) -> InRoom:
        """How the conference stands."""
        session, since = member.session, self._began if self.started.is_set() else member.session.now()
        return InRoom(
            event=event,
            room=self.name,
            call=session.id,
            members=len(self.members),
            seconds=session.now() - since,
            wall=session.wall(),
            number=self._count,
            join=member.join,
        )


class Rooms:
    """All conferences of a switch that applications have joined."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}

    def room(self, name: str) -> Room:
        """The conference of that name; a new one when nobody is in it."""
        room = self._rooms.get(name)
        if room is None or not room.members:
            room = self._rooms[name] = Room(name)
        return room

    def tidy(self, room: Room) -> None:
        """Forget a conference that is empty."""
        if not room.members and self._rooms.get(room.name) is room:
            del self._rooms[room.name]


class Conferencing:
    """The conferences, for the runner of one call."""

    def __init__(
        self,
        session: Session,
        rooms: Rooms,
        pastime: Pastime,
        *,
        ask: Callable[[Hook, Report], Awaitable[Program | None]],
        tell: Callable[[Hook, Report], Coroutine[Any, Any, None]],
        tasks: TaskScope,
    ) -> None:
        """Make them.

        Args:
            session: The caller.
            rooms: Those of the whole switch.
            pastime: Lets it hear something while it waits.
            ask: Asks a hook.
            tell: Tells a hook something, and takes no answer.
            tasks: Of the call.
        """
        self._session, self._rooms, self._pastime = session, rooms, pastime
        self._ask, self._tell, self._tasks = ask, tell, tasks

    async def join(self, join: Join) -> Joined:
        """Let the caller in until it leaves, or the conference ends; raises CallEnded when it hangs up."""
        room = self._rooms.room(join.step.name)
        if join.most is not None and len(room.members) >= join.most:
            self._rooms.tidy(room)
            return Joined(0.0, full=True)
        member = Member(self._session, join, self._tell, self._tasks)
        room.enter(member)
        try:
            if not await self._until_start(room, member):
                return Joined(0.0)
            if join.enter is not None:
                program = await self._ask(join.enter, room.report(member, "join"))
                if program and not await self._pastime.through(program):
                    return Joined(0.0)
            return Joined(await self._talk(member))
        finally:
            room.leave(member)
            self._rooms.tidy(room)

    async def _until_start(self, room: Room, member: Member) -> bool:
        """Wait for the conference to begin; False when the caller goes before it does."""
        if room.started.is_set():
            return True
        passing = self._tasks.spawn(caught(self._pass_time(room, member)), name="conference-wait")
        start = self._tasks.spawn(room.started.wait(), name="conference-start")
        over = self._tasks.spawn(member.over.wait(), name="conference-over")
        try:
            await asyncio.wait({passing, start, over}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                unpacked(passing.result())  # a caller who has gone, or whom its application takes out
                return False
            return not over.done()
        finally:
            for task in (passing, start, over):
                task.cancel()
            await asyncio.wait({passing, start, over})

    async def _pass_time(self, room: Room, member: Member) -> None:
        """Let the caller hear something; returns when its application takes it out."""
        hook = member.join.wait
        if hook is not None and not await self._pastime.go_on(
            hook, room.name, lambda: room.report(member, "join")
        ):
            return
        while True:
            await self._session.wait(LOOK)

    async def _talk(self, member: Member) -> float:
        began = self._session.now()
        talking = self._tasks.spawn(caught(self._session.conference(member.join.step)), name="conference")
        over = self._tasks.spawn(member.over.wait(), name="conference-over")
        try:
            limit = member.join.limit
            await asyncio.wait({talking, over}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                seconds: float = unpacked(talking.result())
                return seconds
            return self._session.now() - began
        finally:
            for task in (talking, over):
                task.cancel()
            await asyncio.wait({talking, over})
