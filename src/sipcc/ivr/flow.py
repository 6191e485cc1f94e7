"""Walks a caller through menus until something else than a menu is chosen.

Nested menus are a loop, not a recursion, so depth costs nothing. Keys typed ahead stay in the call's
buffer from menu to menu: a burst of nine keys walks nine levels and hears none of the prompts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from sipcc.bus import Bus
from sipcc.call.destination import Destination
from sipcc.call.digits import Outcome
from sipcc.clock import Clock
from sipcc.errors import ConfigError
from sipcc.ivr.check import find_faults, nearest
from sipcc.ivr.events import MenuEntered, MenuLeft
from sipcc.ivr.menu import Ask, Chosen, Menu
from sipcc.ivr.settings import IvrSettings, MenuSettings
from sipcc.log import get_logger

MAX_MENUS: Final = 200
"""Menus in one walk. Nobody needs as many; a machine that presses keys for ever is stopped here."""

_log = get_logger("sipcc.ivr.flow")


class Caller(Protocol):
    """The part of `sipcc.call.Call` that menus use. Verbs raise `sipcc.errors.CallEnded` after hang-up."""

    language: str

    @property
    def id(self) -> str:
        """The call's id."""
        ...

    @property
    def answered(self) -> bool:
        """Whether the caller was answered."""
        ...

    @property
    def last_outcome(self) -> Outcome:
        """How the last `ask` came out."""
        ...

    async def answer(self) -> None:
        """Answer the call."""
        ...

    async def play(self, *prompts: str) -> None:
        """Play to the end."""
        ...

    async def ask(
        self,
        *prompts: str,
        options: Sequence[str],
        timeout: float,
        interdigit: float,
        terminators: str,
        bargein: bool,
    ) -> str | None:
        """Play prompts and collect one of `options`; None tells `last_outcome` why not."""
        ...


class MenuFlow:
    """All menus of a switch.

    With `bus` and `clock`, each visit to a menu is told as MenuEntered and MenuLeft.

    Raises:
        ConfigError: `sipcc.ivr.check.find_faults` has an error to tell, such as a menu that is not there.
    """

    def __init__(
        self,
        menus: Iterable[MenuSettings],
        settings: IvrSettings | None = None,
        *,
        bus: Bus | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings or IvrSettings()
        self._bus = bus
        self._clock = clock
        menus = list(menus)
        for finding in find_faults(menus):
            if finding.severity == "error":
                raise ConfigError(finding.path, finding.message, hint=finding.hint)
        self._menus = {menu.name: menu for menu in menus}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the menus."""
        return tuple(self._menus)

    def destinations(self) -> set[Destination]:
        """Everything but menus that a caller can come to, for whoever has to provide it."""
        found = set()
        for menu in self._menus.values():
            for text in (*menu.choices().values(), menu.then):
                found.add(Destination.parse(text))
        return {destination for destination in found if destination.kind != "menu"}

    async def run(self, name: str, call: Caller) -> Destination:
        """Answer `call` if need be, and walk it from menu `name` to a destination that is no menu.

        A caller who is sent from menu to menu in a circle without pressing anything, or who went through
        `MAX_MENUS`, hears ``goodbye`` and gets the destination ``hangup``.

        Raises:
            ConfigError: there is no menu `name`.
            CallEnded: the caller hung up.
        """
        if name not in self._menus:
            raise ConfigError(f"menu:{name}", "no such menu", hint=nearest(name, self._menus))
        if not call.answered:
            await call.answer()
        untouched: set[str] = set()  # menus since the last key
        for _ in range(MAX_MENUS):
            untouched.add(name)
            chosen = await self._visit(self._menus[name], call)
            if chosen.destination.kind != "menu":
                return chosen.destination
            name = chosen.destination.argument
            if chosen.reason == "option":
                untouched.clear()
            elif name in untouched:
                break
        _log.warning("ivr.menus_circled", call_id=call.id, menu=name)
        await call.play("goodbye")
        return Destination("hangup")

    async def _visit(self, settings: MenuSettings, call: Caller) -> Chosen:
        if settings.language:
            call.language = settings.language
        menu = Menu(settings, self._settings)
        self._entered(call, settings.name)
        step: Ask | Chosen = menu.begin()
        while isinstance(step, Ask):
            keys = await call.ask(
                *step.prompts,
                options=step.options,
                timeout=step.timeout,
                interdigit=step.interdigit,
                terminators=step.terminators,
                bargein=step.bargein,
            )
            step = menu.receive(call.last_outcome, keys) if keys else menu.receive(call.last_outcome)
        self._left(call, menu, step)
        return step

    def _entered(self, call: Caller, menu: str) -> None:
        if self._bus is not None and self._clock is not None:
            self._bus.emit(MenuEntered(at=self._clock.now(), call=call.id, menu=menu))

    def _left(self, call: Caller, menu: Menu, chosen: Chosen) -> None:
        if self._bus is not None and self._clock is not None:
            self._bus.emit(
                MenuLeft(
                    at=self._clock.now(),
                    call=call.id,
                    menu=menu.settings.name,
                    reason=chosen.reason,
                    keys=chosen.keys,
                    destination=str(chosen.destination),
                    retries=menu.retries,
                )
            )
