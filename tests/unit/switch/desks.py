"""A desk for tests: real parts that no time passes for."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from sipcc.bus import Bus
from sipcc.ids import Ids
from sipcc.ivr.flows.desk import FlowOverride, FlowView, UnknownFlow
from sipcc.ivr.flows.trial import Tally, TrialView
from sipcc.ivr.hours import Calendar, HoursSettings
from sipcc.shelves import Shelves
from sipcc.sip import Endpoint, Registrar, SipSettings, TrunkSettings
from sipcc.sip.guard import Guard
from sipcc.sip.settings import GuardSettings
from sipcc.switch.desk import Desk, Figures
from sipcc.switch.flows import FlowDesk
from sipcc.switch.openinghours import OpeningHours
from sipcc.switch.registrations import TrunkRegistrations
from sipcc.switch.trunks import Trunks


class StandingClock:
    """A clock that a test moves."""

    at = 1000.0

    def now(self) -> float:
        return self.at

    def wall_of(self, at: float) -> float:
        return 1_700_000_000 + at


class StandingFlows:
    """One flow, in whose two versions are calls."""

    def __init__(self) -> None:
        self.override_now: FlowOverride | None = None
        self.trial: TrialView | None = None

    def views(self) -> list[FlowView]:
        live = {"v2": 3, "v1": 1}
        return [
            FlowView(
                name="shop",
                version="v2",
                kind="graph",
                nodes=9,
                live=live,
                here={},
                trial=self.trial,
                override=self.override_now,
            )
        ]

    def override(self, name: str, *, seconds: float, prompt: str, to: str, by: str) -> FlowView:
        if name != "shop":
            raise UnknownFlow(f"there is no flow {name!r}; known: shop")
        self.override_now = FlowOverride(prompt=prompt, to=to, until=1000.0 + seconds, by=by)
        return self.views()[0]

    def end_trial(self, name: str, *, promote: bool, by: str) -> FlowView:
        self.trial = TrialView(
            percent=5,
            state="promoted" if promote else "rolled_back",
            old="v1",
            new="v2",
            tallies={"v2": Tally(7, 1)},
        )
        return self.views()[0]

    def clear(self, name: str, *, by: str) -> FlowView:
        self.override_now = None
        return self.views()[0]


class Parts:
    """What a desk looks at, none of it started."""

    def __init__(self, figures: Callable[[], Figures] = dict, trunks: tuple[TrunkSettings, ...] = ()) -> None:
        settings = SipSettings(listen=("udp:127.0.0.1:5060",))
        self.clock = StandingClock()
        ids = Ids()
        endpoint = cast(Endpoint, None)  # nothing here is started, so nobody sends
        self.guard = Guard(GuardSettings(trusted=(), ban=60.0), trunks)
        self.registrar = Registrar(settings)
        self.trunks = Trunks(trunks, endpoint=endpoint, bus=Bus(), clock=self.clock, domain="a", chance=float)
        self.registrations = TrunkRegistrations(endpoint, trunks, clock=self.clock, ids=ids)
        office = Calendar(HoursSettings(name="office", week={"mon-sun": "00:00-24:00"}))
        calendars = {"office": office}
        self.hours = OpeningHours(lambda: calendars, Shelves(None), bus=Bus(), clock=self.clock)
        self.flows = StandingFlows()
        self.desk = Desk(
            figures=figures,
            guard=self.guard,
            registrar=self.registrar,
            trunks=self.trunks,
            registrations=self.registrations,
            hours=self.hours,
            flows=cast(FlowDesk, self.flows),
            clock=self.clock,
        )
