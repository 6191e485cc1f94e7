r"""A flow with a made-up caller, in virtual time.

    simulated = simulate(flow, "keys 1\nkeys 4008123456#\ncrm={level=3}")
    print(simulated.report())

Besides what `sipcc.ivr.sim` lets a script say, a script for a flow says what lookups find and how calendars
stand, each by its name: ``crm={level=3}``, ``crm=failed``, ``crm=slow`` (the answer does not come before
the deadline), ``shop=closed`` and ``shop=holiday``. A lookup by URL has the last part of it for a name. A
calendar of which the script says nothing goes by its hours where they are given, and else is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from sipcc.call.destination import Destination
from sipcc.errors import CallEnded
from sipcc.events import Event
from sipcc.ivr.events import FlowFellBack, NodeEntered, NodeLeft
from sipcc.ivr.flows.menus import leads_into
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.flows.run import Ending, FlowServices, LookupFailed, Playable, playable, run_flow
from sipcc.ivr.flows.script import Script
from sipcc.ivr.flows.sent import Sent
from sipcc.ivr.hours import Calendar, OpenVerdict
from sipcc.ivr.lengths import Lengths
from sipcc.ivr.session import Session
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.simcall import START_WALL, Line


class Step(msgspec.Struct, frozen=True):
    """One node that the call went through."""

    at: float
    """Seconds from the start of the call."""
    flow: str
    node: str
    edge: str
    """The way out; ``ended`` when the call was over in the node."""
    noinput: int = 0
    nomatch: int = 0


class SimWorld(msgspec.Struct, frozen=True, kw_only=True):
    """What simulated calls have around them."""

    flows: Mapping[str, Playable] = {}
    """The flows that may be called, by their names."""
    calendars: Mapping[str, Calendar] = {}
    lengths: Lengths | None = None
    """How long prompts are; all are estimated when not given."""
    language: str = "en"
    wall: float = START_WALL
    """The Unix time at which calls begin."""
    caller: str = "13800138000"
    dialled: str = "4008123456"


class Simulated:
    """One simulated call through a flow, and what came of it."""

    def __init__(self, flow: Playable, script: Script | str = "", world: SimWorld | None = None) -> None:
        self.world = world = world or SimWorld()
        self.flow = flow
        self.session = SimSession(
            script,
            caller=world.caller,
            dialled=world.dialled,
            language=world.language,
            lengths=world.lengths,
            wall=world.wall,
            on_go=self._go,
        )
        self.ending: Ending | None = None
        """How the flow came out; None when the caller hung up."""
        self.left: list[NodeLeft] = []
        """The nodes, in the order in which they were left."""
        self.entered: list[NodeEntered] = []
        """The nodes, in the order in which they were entered."""
        self.fell: list[FlowFellBack] = []
        """What went wrong."""

    @property
    def steps(self) -> list[Step]:
        """The nodes, in the order in which they were left."""
        return [
            Step(left.at, left.flow, left.node, left.edge, left.noinput, left.nomatch) for left in self.left
        ]

    @property
    def path(self) -> list[str]:
        """The nodes, in the order in which they were entered: ``main.lang``."""
        return [f"{event.flow}.{event.node}" for event in self.entered]

    @property
    def exit(self) -> str:
        """How it ended: a destination, ``returned``, ``hungup``, or ``caller`` who hung up."""
        if self.ending is None:
            return self.session.exit
        return str(self.ending.destination or self.ending.how)

    def report(self) -> str:
        """All that happened, a line each, and a summary."""
        session = self.session
        lines = [
            session.report(),
            "",
            f"path: {' > '.join(self.path)}",
            f"exit: {self.exit}, after {session.now():.1f} s with {session.speech_seconds:.1f} s of speech",
        ]
        lines += [f"fell back in {fell.flow}.{fell.node} to {fell.to}: {fell.reason}" for fell in self.fell]
        return "\n".join(lines)

    def tell(self, event: Event) -> None:
        """Take in an event of the flow."""
        if isinstance(event, NodeEntered):
            self.entered.append(event)
            self.session.path.append(event.node)
            name = f"{event.flow}.{event.node} ({event.kind})"
            self.session.lines.append(Line(event.at, "node", name))
        elif isinstance(event, NodeLeft):
            self.left.append(event)
        elif isinstance(event, FlowFellBack):
            self.fell.append(event)

    async def run(self) -> None:
        """Let the call take place."""
        try:
            await self._through()
        finally:
            self.session.on_go = None  # a ring of the two would wait for the garbage collector

    async def _through(self) -> None:
        services = FlowServices(
            find=self._find, hours=self._hours, lookup=self._lookup, post=self._post, tell=self.tell
        )
        with suppress(CallEnded):
            self.ending = await run_flow(self.session, self.flow, services)

    def _find(self, name: str) -> Playable | None:
        return self.flow if name == self.flow.name else self.world.flows.get(name)

    async def _go(self, _: Session, destination: Destination) -> bool:
        found = self._find(leads_into(destination))
        if found is None:
            return False
        self.flow = found
        await self._through()
        return True

    def _hours(self, name: str, wall: float) -> OpenVerdict:
        stands = self.session.found(name)
        calendar = self.world.calendars.get(name)
        if stands is None and calendar is not None:
            return calendar.is_open(wall)
        if stands in ("closed", "holiday"):
            return OpenVerdict(False, "holiday" if stands == "holiday" else "outside", "the script says so")
        return OpenVerdict(True, "hours", "the script says nothing else")

    async def _lookup(self, session: Session, sent: Sent) -> Mapping[str, object]:
        await session.play(sent.said)
        answer = self.session.found(name := _name_of(sent))
        if isinstance(answer, Mapping):
            return answer
        if answer == "slow":
            await session.play(sent.wait_prompts)
            raise LookupFailed(f"{name!r} does not answer in time")
        raise LookupFailed(f"the script says nothing of {name!r}" if answer is None else f"{name!r} fails")

    async def _post(self, session: Session, sent: Sent, wait: bool) -> bool:
        return self.session.found(_name_of(sent)) not in ("failed", "slow")


def simulate(flow: Playable | Flow, script: Script | str = "", world: SimWorld | None = None) -> Simulated:
    """Take a made-up caller through `flow`.

    Raises:
        sipcc.ivr.flows.script.ScriptError: the script cannot be read.
    """
    simulated = Simulated(playable(flow) if isinstance(flow, Flow) else flow, script, world)
    finish(simulated.run())
    return simulated


def _name_of(sent: Sent) -> str:
    """What a script calls a lookup."""
    return sent.source or urlsplit(sent.url).path.rstrip("/").rpartition("/")[2]
