"""What stands between a number and its treatment: screening, opening hours, the caller's region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sipcc.bus import Bus
from sipcc.call import Call, Destination, Handler, NumberSettings, Route, Routes
from sipcc.call.caller import ANONYMOUS
from sipcc.call.events import CallScreened
from sipcc.call.screening import Screening, ScreeningVerdict
from sipcc.clock import Clock
from sipcc.config import Config
from sipcc.ivr.hours import Calendar
from sipcc.numbers import Plan
from sipcc.regions import Regions
from sipcc.switch.recordings import recorded
from sipcc.switch.ringback import Ringbacks

CHALLENGES = 2
"""So often a caller hears that it must press a key."""


class Reception:
    """The way from a dialled number to its handler."""

    def __init__(
        self,
        config: Config,
        *,
        plan: Plan,
        bus: Bus,
        clock: Clock,
        regions: Regions,
        handler_of: Callable[[Destination], Handler],
        ringbacks: Ringbacks,
    ) -> None:
        self._config = config
        self._ringbacks = ringbacks
        self._plan = plan
        self._bus = bus
        self._clock = clock
        self._handler_of = handler_of
        self.regions = regions
        """Where numbers are at home, as ``[regions]`` says."""
        self._screening = Screening(config.screening, plan)
        self._stopped = handler_of(Destination.parse(config.screening.to))
        self.calendars = {settings.name: Calendar(settings) for settings in config.hours}
        """The calendars of ``[[hours]]`` by their names."""

    def routes(self, routed: Iterable[tuple[str, str, Handler]]) -> Routes[Handler]:
        """The table of numbers: those that a program has `routed`, as (number, trunk, handler), and ours."""
        routes: Routes[Handler] = Routes(plan=self._plan)
        for number, trunk, handler in routed:
            routes.add(Route(number, self._screened(handler), trunk=trunk))
        for settings in self._config.numbers:
            routes.add(
                Route(
                    settings.number,
                    self._screened(recorded(settings, self._sounding(settings))),
                    trunk=settings.trunk,
                    max_calls=settings.max_calls,
                    full=self._full(settings),
                    language=settings.language,
                )
            )
        return routes

    def _sounding(self, settings: NumberSettings) -> Handler:
        """The treatment of a number, whose callers hear its ringback before somebody answers."""
        return self._ringbacks.sounding(settings, self.treatment(settings))

    def follow(self, before: Reception) -> None:
        """Keep what operators and callers did at the reception in whose place this one comes."""
        self._screening.follow(before._screening)
        for name, calendar in self.calendars.items():
            if name in before.calendars:
                calendar.follow(before.calendars[name])

    def _screened(self, handler: Handler) -> Handler:
        """`handler` for callers who come through; users of ours always do."""

        async def screened(call: Call) -> None:
            call.variables["region"] = self.region_of(call)
            through = call.trunk is None or await self._comes_through(call)
            await (handler if through else self._stopped)(call)

        return screened

    async def _comes_through(self, call: Call) -> bool:
        now, identity = self._clock.now(), call.identity
        anonymous = identity.private or identity.caller == ANONYMOUS
        verdict = self._screening.judge(identity.number, anonymous=anonymous, now=now)
        if verdict.passes:
            return True
        passed = False
        try:
            passed = verdict.challenge and await self._meets_challenge(call)
        finally:  # also when it hangs up meanwhile
            if not passed:
                self._tell_screened(call, verdict)
        if passed:
            self._screening.forgive(identity.number)
            call.context.decided(call.id, "screening: the key was pressed", verdict.detail)
        return passed

    async def _meets_challenge(self, call: Call) -> bool:
        """Ask for the key; False when it is not pressed."""
        settings = self._config.screening
        await call.answer()
        for _ in range(CHALLENGES):
            if await call.ask(settings.challenge_prompt, options=(settings.challenge_key,)) is not None:
                return True
        return False

    def _tell_screened(self, call: Call, verdict: ScreeningVerdict) -> None:
        to = self._config.screening.to
        missed = ", and the key was not pressed" if verdict.challenge else ""
        call.context.decided(call.id, f"screening: {to}", verdict.detail + missed)
        self._bus.emit(
            CallScreened(
                at=self._clock.now(),
                call=call.id,
                caller=call.identity.caller,
                trunk=call.trunk or "",
                why=verdict.why,
                to=to,
                challenged=verdict.challenge,
            )
        )

    def region_of(self, call: Call) -> str:
        """Where the caller is at home; the default for who shows no number and for users of ours."""
        return self.regions.of(call.identity.number or "")

    def _full(self, settings: NumberSettings) -> Handler | None:
        """What callers of a number get who are too many; None refuses them."""
        if not settings.full:
            return None
        return self._screened(self._handler_of(Destination.parse(settings.full)))

    def treatment(self, settings: NumberSettings) -> Handler:
        """What callers of a number get who come through."""
        handler = self._handler_of(Destination.parse(settings.to))
        if settings.regions:
            handler = self._by_region(settings.regions, handler)
        if not settings.hours:
            return handler
        closed = self._handler_of(Destination.parse(settings.closed))
        return self._by_hours(self.calendars[settings.hours], handler, closed)

    def _by_region(self, places: Mapping[str, str], otherwise: Handler) -> Handler:
        handlers = {
            region: (text, self._handler_of(Destination.parse(text))) for region, text in places.items()
        }

        async def handler(call: Call) -> None:
            region = call.variables["region"]
            text, chosen = handlers.get(region, ("", otherwise))
            if text:
                call.context.decided(call.id, f"region: {text}", f"the caller's number is of {region}")
            else:
                call.context.decided(
                    call.id, "region: none of the number's", f"the caller's is {region or 'unknown'}"
                )
            await chosen(call)

        return handler

    def _by_hours(self, calendar: Calendar, opened: Handler, closed: Handler) -> Handler:
        async def handler(call: Call) -> None:
            verdict = calendar.is_open(self._clock.wall_of(self._clock.now()))
            state = "open" if verdict.open else "closed"
            call.context.decided(call.id, f"calendar {calendar.name}: {state}", verdict.detail)
            await (opened if verdict.open else closed)(call)

        return handler
