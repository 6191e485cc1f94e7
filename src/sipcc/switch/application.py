"""What an application says to a switch before it starts: treatments of its own, and parts to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sipcc.bus import Bus
from sipcc.call import Destination, Handler
from sipcc.clock import LoopClock
from sipcc.config import Config
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.ids import Ids
from sipcc.switch.messages import MessageHandler
from sipcc.switch.routers import DataFunction, RouteFunction, routing

if TYPE_CHECKING:
    from sipcc.acd import Acd
    from sipcc.ivr.flows.lookup import LookupFunction
    from sipcc.ivr.flows.program import ProgramFunction
    from sipcc.ivr.flows.run import Playable
    from sipcc.ivr.services import Recogniser
    from sipcc.ivr.speech import Voice
    from sipcc.rtp.flow import MediaEngine
    from sipcc.sip import Network
    from sipcc.switch.queueing import Queueing
    from sipcc.switch.treatments import Treatments

H = TypeVar("H", bound=Handler)


class Application:
    """The part of a switch that applications write."""

    acd: Acd
    queueing: Queueing
    treatments: Treatments
    """These three are there once the switch has started."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.bus = Bus()
        self.ids = Ids()
        self._network: Network | None = None
        self._engine: MediaEngine | None = None
        self._clock: LoopClock | None = None
        self._voice: Voice | None = None
        self._recogniser: Recogniser | None = None
        self._apps: dict[str, Handler] = {}
        self.routed: list[tuple[str, str, Handler]] = []
        """What `route` was given: number, trunk, handler."""
        self.programs: dict[str, Playable] = {}
        """The flows that `flow` was given, by their names."""
        self.lookups: dict[str, LookupFunction] = {}
        """The functions that `lookup` was given, by their names."""
        self._message_handler: MessageHandler | None = None
        self._started = False

    def route(self, number: str, *, trunk: str = "") -> Callable[[H], H]:
        """Decorate a coroutine as the treatment of calls for `number` (a trailing ``*`` is a prefix).

        A name that is no number may be used as the destination ``app:NAME`` in the configuration too.
        """
        if self._started:
            raise LocalProtocolError("routes are added before the switch starts")

        def decorate(handler: H) -> H:
            self._apps[number] = handler
            self.routed.append((number, trunk, handler))
            return handler

        return decorate

    def router(
        self, number: str, *, default: str, trunk: str = "", data: DataFunction | None = None
    ) -> Callable[[RouteFunction], RouteFunction]:
        """Decorate a function that says where calls for `number` go; see `sipcc.switch.routers.routing`."""
        return routing(self, number, default=default, trunk=trunk, data=data)

    def flow(self, name: str, **head: Any) -> Callable[[ProgramFunction], ProgramFunction]:
        """Decorate a coroutine as the flow called `name`; see `sipcc.ivr.flows.program`.

        Calls come to it by ``app:NAME``; by ``flow:NAME``, and from other flows, when the configuration has
        ``[[flows]]`` with that name and ``program = true``.

        Args:
            name: What it is called.
            head: What the table of a flow says besides its nodes: `fallback`, `retry`, `timeout` and so on;
                see `sipcc.ivr.flows.model.FlowHead`.

        Raises:
            ConfigError: something in `head` is wrong.
        """
        from sipcc.ivr.flows.program import head_of, program

        if self._started:
            raise LocalProtocolError("flows are added before the switch starts")
        said = head_of(name, head)

        def decorate(function: ProgramFunction) -> ProgramFunction:
            self.programs[name] = program(name, function, said)
            self._apps[name] = lambda call: self.handler_of(Destination("flow", name))(call)
            return function

        return decorate

    def lookup(self, name: str) -> Callable[[LookupFunction], LookupFunction]:
        """Decorate a coroutine that looks something up for flows, where a node's `source` is `name`."""
        if self._started:
            raise LocalProtocolError("lookups are added before the switch starts")

        def decorate(function: LookupFunction) -> LookupFunction:
            self.lookups[name] = function
            return function

        return decorate

    def on_message(self, handler: MessageHandler) -> MessageHandler:
        """Decorate a coroutine that sees each text message first; what it returns True for is done with."""
        self._message_handler = handler
        return handler

    def use(
        self,
        *,
        network: Network | None = None,
        engine: MediaEngine | None = None,
        ids: Ids | None = None,
        clock: LoopClock | None = None,
        voice: Voice | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        """Replace parts before the start: tests run a switch on a network in memory this way.

        A clock with another wall time than this machine's lets a switch live through another day; a voice
        reads, and a recogniser understands, in place of those that ``[speech]`` names.
        """
        if self._started:
            raise LocalProtocolError("parts are replaced before the switch starts")
        self._network = network or self._network
        self._engine = engine or self._engine
        self.ids = ids or self.ids
        self._clock = clock or self._clock
        self._voice = voice or self._voice
        self._recogniser = recogniser or self._recogniser

    def handler_of(self, destination: Destination) -> Handler:
        """The treatment behind a destination of any kind, by the configuration that is in force."""
        if destination.kind == "app":
            return self._app(destination.argument)
        return self.treatments.handler_of(destination)

    def _app(self, name: str) -> Handler:
        if name not in self._apps:
            known = ", ".join(sorted(self._apps)) or "none"
            raise ConfigError(f"app:{name}", "no handler is routed under that name", hint=f"known: {known}")
        return self._apps[name]
