"""Carries a call through flows: one coroutine for each call, against a `sipcc.ivr.session.Session`.

Prompts of ``say`` nodes are not played at once: they go before the next question, in one piece with it, so
that whatever is typed meanwhile cuts them and answers it. A burst of keys walks through as many menus, and
the caller hears none of them. Anything else than a question plays them first.

Whatever goes wrong leads to the flow's `fallback`: a target that is not there, a queue that is gone, a
program that raises, a circle. Two limits catch circles: `MAX_STEPS` nodes without anything from the caller,
and a question whose tries are used up for the second time without anything in between. Who would fall back
twice hears ``error`` and is hung up. A fallback that is a prompt is heard once, and the call ends.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

import msgspec

from sipcc.call.destination import Destination
from sipcc.errors import CallEnded, SipccError
from sipcc.events import Event
from sipcc.ivr.events import FlowFellBack, NodeEntered, NodeLeft
from sipcc.ivr.flows.model import Flow, FlowHead, Node, Phrase, Retry, Target
from sipcc.ivr.flows.nodes import Question
from sipcc.ivr.flows.phrases import nearest_language, spoken
from sipcc.ivr.flows.sent import Sent
from sipcc.ivr.flows.values import Values, written
from sipcc.ivr.hours import OpenVerdict
from sipcc.ivr.menu import Tries
from sipcc.ivr.session import Session
from sipcc.ivr.steps import BargeIn, Prompt, Stream, named, prompts
from sipcc.log import get_logger

MAX_STEPS: Final = 1000
"""Nodes that a call goes through without anything from the caller."""

MAX_ANSWERS: Final = 1000  # of one call: a machine that presses keys for ever is stopped here

MAX_DEPTH: Final = 12
"""Flows that call each other, one within the other."""

_log = get_logger("sipcc.ivr.flows")


class FlowFault(SipccError):
    """A flow cannot go on as it is written; the text says why."""


class LookupFailed(SipccError):
    """Nothing was found in time, or nothing that can be read; the text says why, and never what was asked."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a flow came out."""

    how: Literal["destination", "returned", "hungup"]
    destination: Destination | None = None
    """Where the call goes; set for ``destination``."""
    exit: str = ""
    """The exit with which the flow returned."""


class Playable(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as calls go through it: a graph, or a program."""

    name: str
    version: str
    head: FlowHead
    flow: Flow | None = None
    program: Callable[[Run], Awaitable[str]] | None = None
    """In place of `flow`: takes the call through, and tells the exit with which it returns."""


def playable(flow: Flow) -> Playable:
    """A graph to go through."""
    return Playable(name=flow.name, version=flow.version, head=flow.head, flow=flow)


class FlowServices(msgspec.Struct, kw_only=True):
    """What flows need from others. Each default does without."""

    find: Callable[[str], Playable | None] = lambda _: None
    """The flow of that name as it is now, for ``call`` nodes."""
    hours: Callable[[str, float], OpenVerdict] | None = None
    """How the calendar of that name stands at a Unix time; raises SipccError when there is none."""
    lookup: Callable[[Session, Sent], Awaitable[Mapping[str, object]]] | None = None
    """Looks something up; raises `LookupFailed`. What is to be heard meanwhile it plays itself."""
    post: Callable[[Session, Sent, bool], Awaitable[bool]] | None = None
    """Tells a service something; whether that went well. False as the last argument does not wait."""
    bot: Callable[[Session, str], Stream] | None = None
    """The step that lets a caller speak with the bot of that name; raises SipccError when there is none."""
    tell: Callable[[Event], None] = lambda _: None
    """Hears the events."""


class Leaving(Exception):  # no error: a program leaves its flow this way
    """Raised within a program to leave its flow."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.how)
        self.ending = ending


Came = str | Ending
"""The name of the edge by which a node is left, or the end of the flow."""


class Run:
    """One call on its way through flows."""

    def __init__(self, session: Session, services: FlowServices | None = None) -> None:
        self.session = session
        self.services = services or FlowServices()
        self.values = Values(session)
        self.playable = _NO_FLOW
        """The flow in which the call is now."""
        self.node = ""
        """The node in which it is."""
        self.result: object = None
        """What came of the last step: an answer, or a struct of `sipcc.ivr.steps`."""
        self.tries: Tries[Phrase] | None = None
        """Those of the question that was asked last."""
        self._pending: list[Prompt] = []
        self._steps = self._answers = 0
        self._unanswered: set[tuple[str, str]] = set()
        self._fell = False
        self._depth = 0
        from sipcc.ivr.flows.acts import ACTS  # they know each other

        self._acts = ACTS
        self._id = session.id

    # -- flows ----------------------------------------------------------------------------------------

    async def through(self, flow: Playable, begin: str = "") -> Ending:
        """Take the call through `flow` to its end, from the node `begin` on; empty for its start.

        Raises:
            CallEnded: the caller hung up.
        """
        before, node = self.playable, self.node
        self.playable = flow
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise FlowFault(f"flows call each other deeper than {MAX_DEPTH}")
            if flow.program is not None:
                return await self._program(flow.program)
            return await self._graph(flow, begin)
        finally:
            self._depth -= 1
            self.playable, self.node = before, node

    async def leave(self, flow: Playable, ending: Ending) -> None:
        """Take the call to where `flow` has led, or hang it up.

        A destination that fails, as when nobody answers there, leads to the fallback if that is another one.
        A prompt is heard once there, and not until the caller hangs up.

        Raises:
            CallEnded: the caller hung up.
            SipccError: the fallback fails too.
        """
        if ending.destination is None:
            await self.session.hangup()
            return
        try:
            await self.session.go(ending.destination)
        except CallEnded:
            raise
        except SipccError as error:
            to = flow.head.fallback
            found = (flow.flow or _NOWHERE).last_resort(to)
            if found.destination is None or found.destination == ending.destination:
                raise
            self.playable = flow
            self._tell_fallen(f"{ending.destination}: {error}", to)
            if not found.heard_once:
                await self.session.go(found.destination)
                return
            self._come(flow.flow, found)
            await self.speak()
            await self.session.hangup()

    async def _program(self, program: Callable[[Run], Awaitable[str]]) -> Ending:
        try:
            return Ending(how="returned", exit=await program(self) or "")
        except Leaving as leaving:
            return leaving.ending
        except CallEnded:
            raise
        except FlowFault as fault:
            reason = str(fault)
        except Exception as error:  # a program's fault must not cost the caller the call
            reason = f"the program raised {type(error).__name__}"
            self._tell_raised(error)
        found = await self._fall_back(reason)
        if isinstance(found, Ending):
            return found
        return await self._refuse()

    async def _graph(self, here: Playable, begin: str) -> Ending:
        flow = here.flow
        assert flow is not None
        if self._depth == 1 and flow.head.languages:
            self.session.language = nearest_language(self.session.language, flow.head.languages)
        name = begin or flow.start
        way: list[str] = []
        while True:
            node = flow.nodes[name]
            if node.asks:
                way.append(name)
            try:
                found = self._next(flow, await self.visit(name, node), way)
            except FlowFault as fault:
                found = await self._fall_back(str(fault))
            if isinstance(found, Ending):
                return found
            name = found

    def _next(self, flow: Flow, edge: Came, way: list[str]) -> Came:
        """Where the way out of the present node leads: the next node, or the end."""
        if isinstance(edge, Ending):
            return edge
        found = flow.target_of(self.node, edge)
        if found.node:
            return found.node
        if found.special == "back":
            if way and way[-1] == self.node:
                way.pop()
            return way.pop() if way else flow.start
        if found.special == "top":
            way.clear()
        return self._come(flow, found)

    def _come(self, flow: Flow | None, found: Target) -> Came:
        """Where a target leads.

        Raises:
            FlowFault: nowhere.
        """
        if found.unknown or (flow is None and found.special):
            raise FlowFault(found.unknown or f"there is no destination {found.special!r}")
        if found.special == "return":
            return Ending(how="returned")
        if found.special:
            return flow.start if flow is not None else ""
        if found.destination is None:
            return found.node
        if found.heard_once:
            self._pending += named(found.destination.argument)
        if found.heard_once or found.destination == _HANGUP:
            return _HUNG_UP
        return Ending(how="destination", destination=found.destination)

    async def _fall_back(self, reason: str) -> Came:
        """Where the call goes when something went wrong."""
        here, to = self.playable, self.playable.head.fallback
        if self._fell:
            to = ""
        self._tell_fallen(reason, to or "hangup")
        if not to:
            return await self._refuse()
        self._fell = True
        self._steps = 0
        try:
            return self._come(here.flow, (here.flow or _NOWHERE).last_resort(to))
        except FlowFault:
            return await self._refuse()

    async def _refuse(self) -> Ending:
        """Say that there was an error."""
        self._pending.clear()
        await self.session.answer()
        await self.session.play(named("error"))
        return _HUNG_UP

    def _tell_raised(self, error: Exception) -> None:
        """Log an error without its message: that may hold what the caller has typed."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error(
            "flow.raised",
            flow=self.playable.name,
            node=self.node,
            error=type(error).__name__,
            at=f"{place.filename}:{place.lineno}",
            call_id=self.session.id,
        )

    def _tell_fallen(self, reason: str, to: str) -> None:
        here = self.playable
        _log.warning("flow.fell_back", flow=here.name, node=self.node, reason=reason, call_id=self.session.id)
        self.services.tell(
            FlowFellBack(
                at=self.session.now(),
                call=self.session.id,
                flow=here.name,
                version=here.version,
                node=self.node,
                reason=reason,
                to=to,
            )
        )

    # -- nodes ----------------------------------------------------------------------------------------

    async def visit(self, name: str, node: Node) -> Came:
        """Carry out one node, and tell of it.

        Raises:
            FlowFault: it cannot be carried out.
            CallEnded: the caller hung up.
        """
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise FlowFault(f"{MAX_STEPS} steps without anything from the caller")
        here, self.node, self.tries = self.playable, name, None
        call, flow, version = self._id, here.name, here.version
        entered = NodeEntered(
            at=self.session.now(), call=call, flow=flow, version=version, node=name, kind=node.kind
        )
        self.services.tell(entered)
        edge = "ended"
        try:
            came = await self._acts[type(node)](self, node)
            edge = came if isinstance(came, str) else came.how
            return came
        except FlowFault:
            edge = "fault"
            raise
        except CallEnded:
            raise
        except SipccError as error:
            edge = "fault"
            raise FlowFault(str(error)) from error
        except Exception as error:  # whoever's fault it is, it must not cost the caller the call
            edge = "fault"
            self._tell_raised(error)
            raise FlowFault(f"it raised {type(error).__name__}") from error
        finally:
            # those of a flow that it has called are none of its own
            tries: Tries[Phrase] | None = self.tries if node.asks else None
            left = NodeLeft(
                at=self.session.now(),
                call=call,
                flow=flow,
                version=version,
                node=name,
                edge=edge,
                noinput=0 if tries is None else tries.counts["noinput"],
                nomatch=0 if tries is None else tries.counts["nomatch"],
            )
            self.services.tell(left)

    def retry_of(self, node: Node) -> Retry:
        """The retry rules of a question here."""
        own: Retry | None = getattr(node, "retry", None)
        return self.playable.head.retry if own is None else own

    def answered(self) -> None:
        """The caller did something: it goes round in no circle; a FlowFault after `MAX_ANSWERS`."""
        self._answers += 1
        if self._answers > MAX_ANSWERS:
            raise FlowFault(f"the caller has answered {MAX_ANSWERS} questions")
        self._steps = 0
        self._unanswered.clear()
        self._fell = False

    def unanswered(self) -> None:
        """The tries of the present question are used up.

        Raises:
            FlowFault: for the second time, and nothing came in between.
        """
        question = (self.playable.name, self.node)
        if question in self._unanswered:
            raise FlowFault("nobody answered the same question twice")
        self._unanswered.add(question)

    # -- what is heard --------------------------------------------------------------------------------

    def prompts(self, *phrases: Phrase, bargein: BargeIn = "any") -> tuple[Prompt, ...]:
        """Phrases as they are heard now, in one piece."""
        voice, language = self.playable.head.voice, self.session.language
        items = [item for phrase in phrases for item in spoken(phrase, language, self._spoken, voice)]
        return prompts(items, bargein=bargein)

    def _spoken(self, name: str) -> str:
        """What a name in a prompt stands for."""
        return written(self.values.get(name, "spoken"))

    def question(self, node: Question, *before: Phrase) -> tuple[Prompt, ...]:
        """What is heard with a question: what is pending, what goes before it this time, and its prompt."""
        if node.constant is None or before or self.playable.head.voice:
            prompts = self.prompts(*before, node.prompt, bargein=node.bargein)
        else:
            prompts = node.constant
        return (*self.take_pending(), *prompts) if self._pending else prompts

    def say(self, *phrases: Phrase, bargein: BargeIn = "any") -> None:
        """Have phrases heard before what is heard next."""
        self._pending += self.prompts(*phrases, bargein=bargein)

    def take_pending(self) -> tuple[Prompt, ...]:
        """What is to be heard before what is heard next."""
        pending, self._pending = tuple(self._pending), []
        return pending

    async def speak(self) -> None:
        """Play what is to be heard, to its end."""
        if self._pending:
            await self.session.answer()
            await self.session.play(self.take_pending())


_NO_FLOW: Final = Playable(name="", version="", head=FlowHead())
_HANGUP: Final = Destination("hangup")
_HUNG_UP: Final = Ending(how="hungup")
_NOWHERE: Final = Flow(name="", head=FlowHead(), nodes={}, start="", version="", digest="")


async def run_flow(session: Session, flow: Playable, services: FlowServices | None = None) -> Ending:
    """Take a call through `flow`, and then to where it leads; how the flow came out.

    Raises:
        CallEnded: the caller hung up.
    """
    run = Run(session, services)
    ending = await run.through(flow)
    await run.speak()
    await run.leave(flow, ending)
    return ending
