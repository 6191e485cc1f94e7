"""Routing by somebody else: a user's function or a service says where a call goes, and cannot hold it up.

It gets what is known of the call, and answers with the name of a queue, a destination such as
``menu:main``, or an `sipcc.switch.answers.Answer`. When it takes longer than its time box, raises, or
answers something else, the call goes to the default, and a RoutingFailed event tells why.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from sipcc.acd import Acd
from sipcc.acd.events import RoutingFailed
from sipcc.acd.model import Stage
from sipcc.acd.planning import before
from sipcc.acd.steering import Only
from sipcc.bus import Bus
from sipcc.call import Call, Destination, Handler
from sipcc.config import Config
from sipcc.errors import ConfigError
from sipcc.log import get_logger
from sipcc.switch.answers import Assignment, Directory
from sipcc.switch.queueing import Queueing
from sipcc.tasks import TaskScope

_log = get_logger("sipcc.routers")

TIME_BOX = 0.1
"""Seconds that a function has for one call, what it looks up included."""
LATE_ALLOWED = 3
"""Late answers in a row after which a router is not asked: a function until the switch starts again, for
each may hold a thread for ever, and a service for a while."""
THREADS = 16
"""Calls for which one router may work at a time; those beyond go to the default."""

UserData: TypeAlias = dict[str, Any]
RouteFunction: TypeAlias = "Callable[[UserData], Any | Awaitable[Any]]"
DataFunction: TypeAlias = "Callable[[Call], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]"


class Host(Protocol):
    """What a router needs around it."""

    config: Config
    bus: Bus
    acd: Acd
    queueing: Queueing

    def handler_of(self, destination: Destination) -> Handler:
        """The treatment behind a destination."""
        ...


class Program(Host, Protocol):
    """A switch whose program routes numbers."""

    def route(self, number: str, *, trunk: str = "") -> Callable[[Handler], Handler]:
        """Decorate the treatment of calls for `number`."""
        ...


class CallRouter:
    """The treatment of calls for which somebody else decides where they go."""

    def __init__(
        self,
        function: RouteFunction,
        host: Host,
        *,
        name: str,
        default: str,
        data: DataFunction | None = None,
        time_box: float = TIME_BOX,
        pause: float = float("inf"),
    ) -> None:
        """Make the treatment.

        Args:
            function: Asked for each call: a coroutine function, or a plain one, which runs in a thread.
            host: Its configuration has the names that may be answered.
            name: Stands in events.
            default: The destination when `function` fails.
            data: Looks up more about the caller; what it returns is added to what `function` gets.
            time_box: Seconds for one call.
            pause: Seconds for which it is not asked after late answers; then one more is enough.

        Raises:
            ConfigError: `default` leads nowhere.
        """
        self.name = name
        self._function, self._data, self._host = function, data, host
        self._directory = Directory(host.config)
        self._time_box, self._pause = time_box, pause
        self._off_until = float("-inf")
        self._tasks = TaskScope(f"router-{name}")
        self._threads = 0
        self._late = 0
        try:
            self.default = Assignment(destination=self._directory.destination(default))
        except ValueError as error:
            raise ConfigError(f"router {name!r}", f"the default {error}") from error

    @property
    def off(self) -> bool:
        """True while it is not asked, because it was late too often."""
        return asyncio.get_running_loop().time() < self._off_until

    async def __call__(self, call: Call) -> None:
        """Send `call` to where the answer says."""
        found = await self.decide(call)
        if found.destination.kind != "queue" or not (found.agent or found.priority):
            await self._host.handler_of(found.destination)(call)
            return
        acd, name = self._host.acd, found.destination.argument
        plan: tuple[Stage, ...] | None = None
        if found.agent:
            plan = before(Only(found.agent), found.wait, acd.planner.own(name), label=f"router {self.name}")
        queue = acd.queue(name)
        await self._host.queueing.wait(call, lambda: queue.enter(call, priority=found.priority, plan=plan))

    async def decide(self, call: Call) -> Assignment:
        """Where `call` goes."""
        loop = asyncio.get_running_loop()
        if self.off:
            self._decided(call, self.default, "it is not asked, for it was late too often")
            return self.default
        asked = self._tasks.spawn(self._ask(call), name=call.id)
        began = loop.time()
        try:
            await asyncio.wait({asked}, timeout=self._time_box)
        finally:
            asked.cancel()
        if not asked.done():
            self._late += 1
            if self._late >= LATE_ALLOWED:
                self._off_until = loop.time() + self._pause
            return self._failed(call, f"no answer within {self._time_box:g} s")
        self._late = 0
        answer: Assignment | str = asked.result()
        if isinstance(answer, str):
            return self._failed(call, answer)
        self._decided(call, answer, f"it answered in {1000 * (loop.time() - began):.0f} ms")
        return answer

    async def _ask(self, call: Call) -> Assignment | str:
        """The assignment, or what went wrong."""
        try:
            data = known_of(call)
            if self._data is not None:
                data |= await self._run(self._data, call)
            return self._directory.assignment(await self._run(self._function, data))
        except ValueError as error:
            return str(error)
        except Exception as error:  # a plug-in's fault must not cost the caller the call
            return f"raised {type(error).__name__}: {error}"

    def _failed(self, call: Call, reason: str) -> Assignment:
        _log.warning("router.failed", router=self.name, reason=reason, to=str(self.default), off=self.off)
        at = asyncio.get_running_loop().time()
        self._decided(call, self.default, reason)
        self._host.bus.emit(
            RoutingFailed(
                at=at, call=call.id, router=self.name, reason=reason, to=str(self.default), off=self.off
            )
        )
        return self.default

    def _decided(self, call: Call, where: Assignment, why: str) -> None:
        call.context.decided(call.id, f"router {self.name}: {where}", why)

    async def _run(self, function: Callable[[Any], Any], argument: Any) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(argument)
        if self._threads >= THREADS:
            raise RuntimeError(f"{THREADS} calls are being routed already")
        # threads of our own: those of the loop's pool are waited for at the end, and one may never end
        self._threads += 1
        loop = asyncio.get_running_loop()
        told: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

        def tell(result: Any, error: BaseException | None) -> None:
            self._threads -= 1
            if not told.done():
                told.set_result((result, error))

        def work() -> None:
            result, fault = None, None
            try:
                result = function(argument)
            except BaseException as error:  # SystemExit too: it is the plug-in's fault, not our end
                fault = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, result, fault)

        threading.Thread(target=work, name=f"router-{self.name}", daemon=True).start()
        result, fault = await told
        if fault is not None:
            raise RuntimeError(f"{type(fault).__name__}: {fault}") from fault
        return result


def routing(
    host: Program, number: str, *, default: str, trunk: str = "", data: DataFunction | None = None
) -> Callable[[RouteFunction], RouteFunction]:
    """Decorate a function that says where calls for `number` go.

    Args:
        host: The switch.
        number: As for `sipcc.Switch.route`; a name may be used as ``app:NAME`` in the configuration.
        default: The queue or destination for calls that the function does not route within `TIME_BOX`.
        trunk: Only calls from this trunk.
        data: Looks up what is known of the caller, for the function.
    """

    def decorate(function: RouteFunction) -> RouteFunction:
        made = CallRouter(function, host, name=number, default=default, data=data)
        host.route(number, trunk=trunk)(made)
        return function

    return decorate


def known_of(call: Call) -> UserData:
    """What a function is told of `call`: the variables of the call, and who called what."""
    return {
        **call.variables,
        "call": call.id,
        "caller": call.caller,
        "caller_name": call.caller_name,
        "called": call.called,
        "trunk": call.trunk or "",
        "language": call.language,
    }
