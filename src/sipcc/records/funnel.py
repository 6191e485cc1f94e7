"""Where callers leave the menus: what each menu was entered for, and how many keys it took to an agent.

Folded from the event log. An entry into a menu counts where it began, however it ends, and it ends in
exactly one way: by an option, because the retries were used up (no key, or wrong keys), because the
caller hung up, or because the call was cut there: by us, by the network, or with the process that served
it. So entries = sum of choices + timed_out + mistaken + hung_up + cut + still_there.
"""

from __future__ import annotations

import msgspec

from sipcc.acd.events import QueueLeft
from sipcc.call.events import CallEndedEvent
from sipcc.events import Event
from sipcc.ivr.events import MenuEntered, MenuLeft


class MenuFigures(msgspec.Struct, kw_only=True):
    """What callers did in one menu."""

    menu: str
    entries: int = 0
    choices: dict[str, int] = msgspec.field(default_factory=dict)
    """How often each option was taken, by its keys."""
    timed_out: int = 0
    """Left by ``then``, because no key came."""
    mistaken: int = 0
    """Left by ``then``, because the keys were no option."""
    hung_up: int = 0
    """Callers who hung up here."""
    cut: int = 0
    """Calls that others ended here."""
    still_there: int = 0
    replayed: int = 0
    """How often the menu was played again."""
    to: dict[str, int] = msgspec.field(default_factory=dict)
    """Where callers went from here, by destination."""


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """The menus, and what came of those who entered one."""

    menus: tuple[MenuFigures, ...]
    """In the order in which they were first entered."""
    callers: int
    """Calls that entered a menu."""
    reached: int
    """Those of `callers` that an agent answered."""
    presses_to_agent: dict[int, int]
    """How many of `reached` pressed that many keys in menus before."""
    mean_presses: float | None
    """None when nobody was reached."""


class _Walk(msgspec.Struct):
    inside: str | None = None
    """The menu that the caller is in."""
    presses: int = 0
    reached: bool = False


class FunnelFold:
    """Folds events into funnels. Calls count by the time at which they entered their first menu."""

    def __init__(self, *, since: float, until: float) -> None:
        """Count what began in [`since`, `until`), Unix times."""
        self._since, self._until = since, until
        self._menus: dict[str, MenuFigures] = {}
        self._walks: dict[str, _Walk] = {}
        self._strangers: set[str] = set()
        """Live calls that entered their first menu at another time."""
        self._callers = 0
        self._presses: dict[int, int] = {}

    def apply(self, event: Event, wall: float) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        match event:
            case MenuEntered():
                self._enter(event, wall)
            case MenuLeft() if (walk := self._walks.get(event.call)) is not None:
                self._leave(walk, event)
            case QueueLeft() if event.exit == "answered":
                walk = self._walks.get(event.call)
                if walk is not None and not walk.reached:
                    walk.reached = True
                    self._presses[walk.presses] = self._presses.get(walk.presses, 0) + 1
            case CallEndedEvent():
                self._strangers.discard(event.call)
                if (walk := self._walks.pop(event.call, None)) is not None:
                    self._end(walk, by_caller=event.ended_by == "caller")
            case _:
                pass

    def result(self) -> Funnel:
        """What is known now."""
        menus = {name: msgspec.structs.replace(figures) for name, figures in self._menus.items()}
        for walk in self._walks.values():
            if walk.inside is not None:
                menus[walk.inside].still_there += 1
        reached = sum(self._presses.values())
        presses = sum(keys * calls for keys, calls in self._presses.items())
        return Funnel(
            menus=tuple(menus.values()),
            callers=self._callers,
            reached=reached,
            presses_to_agent=dict(sorted(self._presses.items())),
            mean_presses=presses / reached if reached else None,
        )

    def _enter(self, event: MenuEntered, wall: float) -> None:
        walk = self._walks.get(event.call)
        if walk is None:
            if event.call in self._strangers or not self._since <= wall < self._until:
                self._strangers.add(event.call)
                return
            walk = self._walks[event.call] = _Walk()
            self._callers += 1
        self._end(walk, by_caller=False)  # it never left: its process died, and it begins anew
        walk.inside = event.menu
        self._figures(event.menu).entries += 1

    def _leave(self, walk: _Walk, event: MenuLeft) -> None:
        if walk.inside != event.menu:
            return
        walk.inside = None
        figures = self._figures(event.menu)
        figures.replayed += event.retries
        figures.to[event.destination] = figures.to.get(event.destination, 0) + 1
        if event.reason == "option":
            walk.presses += len(event.keys)
            figures.choices[event.keys] = figures.choices.get(event.keys, 0) + 1
        elif event.reason == "noinput":
            figures.timed_out += 1
        else:
            figures.mistaken += 1

    def _end(self, walk: _Walk, *, by_caller: bool) -> None:
        if walk.inside is not None:
            figures = self._figures(walk.inside)
            figures.hung_up += by_caller
            figures.cut += not by_caller
            walk.inside = None

    def _figures(self, menu: str) -> MenuFigures:
        figures = self._menus.get(menu)
        if figures is None:
            figures = self._menus[menu] = MenuFigures(menu=menu)
        return figures
