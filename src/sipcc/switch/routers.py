"""Routing by a function of the user's own: it is asked where a call goes, and cannot hold it up or lose it.

The function gets a dict of what is known of the call and returns the name of a queue, or a destination
such as ``menu:main``. When it takes longer than `TIME_BOX`, raises, or returns something else, the call goes
to the default, and a RoutingFailed event tells why.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from sipcc.acd.events import RoutingFailed
from sipcc.bus import Bus
from sipcc.call import Call, Destination, Handler
from sipcc.config import Config
from sipcc.errors import ConfigError
from sipcc.log import get_logger
from sipcc.tasks import TaskScope

_log = get_logger("sipcc.routers")

TIME_BOX = 0.1
"""Seconds that a router has for one call, what it looks up included."""
LATE_ALLOWED = 3
"""Late answers in a row after which a router is switched off until the switch starts again: each may hold
a thread for ever."""
THREADS = 16
"""Calls for which one router may work at a time; those beyond go to the default."""

UserData: TypeAlias = dict[str, Any]
RouteFunction: TypeAlias = "Callable[[UserData], str | Awaitable[str]]"
DataFunction: TypeAlias = "Callable[[Call], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]"


class CallRouter:
    """The treatment of calls for which a function of the user's own decides where they go."""

    def __init__(
        self,
        function: RouteFunction,
        *,
        name: str,
        default: str,
        data: DataFunction | None,
        config: Config,
        bus: Bus,
        handler_of: Callable[[Destination], Handler],
    ) -> None:
        """Make the treatment.

        Args:
            function: Asked for each call: a coroutine function, or a plain one, which runs in a thread.
            name: Stands in events.
            default: The destination when `function` fails.
            data: Looks up more about the caller; what it returns is added to what `function` gets.
            config: Has the queues, menus and workflows that may be named.
            bus: Hears of failures.
            handler_of: Finds the treatment behind a destination.

        Raises:
            ConfigError: `default` leads nowhere.
        """
        self.name = name
        self.off = False
        """True when the function was late too often: it is not asked any more."""
        self._function, self._data = function, data
        self._known = known_names(config)
        self._bus, self._handler_of = bus, handler_of
        self._tasks = TaskScope(f"router-{name}")
        self._threads = 0
        self._late = 0
        try:
            self.default = destination_of(default, self._known)
        except ValueError as error:
            raise ConfigError(f"router {name!r}", f"the default {error}") from error

    async def __call__(self, call: Call) -> None:
        """Send `call` to where the function says."""
        await self._handler_of(await self.decide(call))(call)

    async def decide(self, call: Call) -> Destination:
        """Where `call` goes."""
        if self.off:
            return self.default
        asked = self._tasks.spawn(self._ask(call), name=call.id)
        try:
            await asyncio.wait({asked}, timeout=TIME_BOX)
        finally:
            asked.cancel()
        if not asked.done():
            self._late += 1
            self.off = self._late >= LATE_ALLOWED
            return self._failed(call, f"no answer within {TIME_BOX:g} s")
        self._late = 0
        answer = asked.result()
        return self._failed(call, answer) if isinstance(answer, str) else answer

    async def _ask(self, call: Call) -> Destination | str:
        """The destination, or what went wrong."""
        try:
            data = known_of(call)
            if self._data is not None:
                data |= await self._run(self._data, call)
            return destination_of(await self._run(self._function, data), self._known)
        except ValueError as error:
            return str(error)
        except Exception as error:  # a plug-in's fault must not cost the caller the call
            return f"raised {type(error).__name__}: {error}"

    def _failed(self, call: Call, reason: str) -> Destination:
        _log.warning("router.failed", router=self.name, reason=reason, to=str(self.default), off=self.off)
        at = asyncio.get_running_loop().time()
        self._bus.emit(
            RoutingFailed(
                at=at, call=call.id, router=self.name, reason=reason, to=str(self.default), off=self.off
            )
        )
        return self.default

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


class Host(Protocol):
    """What a router needs of its switch."""

    config: Config
    bus: Bus

    def route(self, number: str, *, trunk: str = "") -> Callable[[Handler], Handler]:
        """Decorate the treatment of calls for `number`."""
        ...

    def handler_of(self, destination: Destination) -> Handler:
        """The treatment behind a destination."""
        ...


def routing(
    host: Host, number: str, *, default: str, trunk: str = "", data: DataFunction | None = None
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
        made = CallRouter(
            function,
            name=number,
            default=default,
            data=data,
            config=host.config,
            bus=host.bus,
            handler_of=host.handler_of,
        )
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


def known_names(config: Config) -> dict[str, frozenset[str]]:
    """The names that a router may send calls to, by the kind of destination."""
    return {
        "queue": frozenset(queue.name for queue in config.queues),
        "menu": frozenset(menu.name for menu in config.menus),
        "workflow": frozenset(flow.name for flow in config.workflows),
    }


def destination_of(answer: object, known: Mapping[str, frozenset[str]]) -> Destination:
    """What `answer` means: the name of a queue, or a destination.

    Raises:
        ValueError: it leads nowhere.
    """
    if not isinstance(answer, str):
        raise ValueError(f"{answer!r} is no queue and no destination")
    if answer in known.get("queue", ()):
        return Destination("queue", answer)
    try:
        destination = Destination.parse(answer)
    except ValueError:
        raise ValueError(f"{answer!r} is no queue and no destination") from None
    names = known.get(destination.kind)
    if destination.kind == "app" or (names is not None and destination.argument not in names):
        raise ValueError(f"{answer!r} leads nowhere")
    return destination
