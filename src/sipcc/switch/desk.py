"""What the operator of a running switch can look at and change: bans, trunks, registrations, hours, flows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import msgspec

from sipcc.clock import Clock
from sipcc.sip import Registrar, TrunkSettings
from sipcc.sip.guard import Guard
from sipcc.sip.trunk import destination_of
from sipcc.switch.flows import FlowDesk
from sipcc.switch.openinghours import OpeningHours
from sipcc.switch.registrations import TrunkRegistrations
from sipcc.switch.trunks import Trunks

Figures = dict[str, str | int | float]


class BanRow(msgspec.Struct, frozen=True):
    """A source that is not listened to now."""

    source: str
    """An IPv4 address, or an IPv6 network of 64 bits."""
    offence: str
    """The one that was too much."""
    since: float
    """Seconds that it has lasted."""
    left: float
    """Seconds until it ends."""
    times: int
    """How often this source was banned, this time included."""


class TrunkRow(msgspec.Struct, frozen=True):
    """A trunk, and whether calls can be sent to it."""

    name: str
    where: str
    """Where calls go, or what its calls come from."""
    up: bool
    why: str
    """What speaks against it, when it is down."""
    calls: int
    """Those that are up."""
    max_calls: int
    """0 for no limit."""
    started: float
    """The part of its calls per second that is used up now."""
    per_second: float
    """Calls that may begin per second; 0 for no limit."""
    ping_in: float | None
    """Seconds until its next OPTIONS; None when it is not pinged."""
    registration: str
    """``registered``, ``trying``, ``waiting``...; empty for one that we do not register at."""
    registered_for: float | None
    """Seconds until the carrier forgets us; None when it does not know us."""


class BindingRow(msgspec.Struct, frozen=True):
    """One place where a user can be reached."""

    user: str
    contact: str
    flow: str
    """Transport and source address of the REGISTER, such as ``wss:192.0.2.1:40312``."""
    open: bool
    """Whether that way is open still; a datagram's way always is."""
    left: float
    """Seconds until it ends."""
    instance: str
    """The ``+sip.instance`` of the device; empty for one that names none."""


class Desk:
    """Reads and changes the parts of one switch; `figures` are those of ``sipccd status``."""

    def __init__(
        self,
        *,
        figures: Callable[[], Figures],
        guard: Guard,
        registrar: Registrar,
        trunks: Trunks,
        registrations: TrunkRegistrations,
        hours: OpeningHours,
        flows: FlowDesk,
        clock: Clock,
    ) -> None:
        self.figures = figures
        self.hours = hours
        self.flows = flows
        self._guard = guard
        self._registrar = registrar
        self._trunks = trunks
        self._registrations = registrations
        self._clock = clock

    def bans(self) -> list[BanRow]:
        """Who is banned now, the latest first."""
        now = self._clock.now()
        rows = [
            BanRow(ban.source, ban.offence, now - ban.since, ban.until - now, ban.times)
            for ban in self._guard.bans(now=now)
        ]
        return sorted(rows, key=lambda row: row.since)

    def unban(self, source: str) -> list[str]:
        """Forgive a source, or all of them with ``all``; those that were banned."""
        now = self._clock.now()
        sources = [ban.source for ban in self._guard.bans(now=now)] if source == "all" else [source]
        return [each for each in sources if self._guard.unban(each)]

    def trunks(self) -> list[TrunkRow]:
        """The trunks, as they stand in the configuration."""
        return [self._trunk(settings) for settings in self._trunks.settings]

    def _trunk(self, settings: TrunkSettings) -> TrunkRow:
        now = self._clock.now()
        host, port, _ = destination_of(settings)
        core = self._trunks.health_of(settings.name)
        registration = self._registrations.of(settings.name)
        ends = registration.expires_at if registration is not None and registration.registered else None
        where = f"{host}:{port}" if port else host
        return TrunkRow(
            name=settings.name,
            where=where or ", ".join(settings.addresses),
            up=core.up,
            why=core.why,
            calls=self._trunks.up(settings.name),
            max_calls=settings.max_calls,
            started=round(core.started(now=now), 3),
            per_second=settings.calls_per_second,
            ping_in=None if core.ping_at is None else max(0.0, core.ping_at - now),
            registration="" if registration is None else registration.state.value,
            registered_for=None if ends is None else max(0.0, ends - now),
        )

    def registrations(self, *, user: str = "", limit: int) -> tuple[list[BindingRow], int]:
        """The first `limit` bindings, of one user or of all, and how many there are."""
        now = self._clock.now()
        found = ((aor, one) for aor, one in self._registrar.all_bindings() if not user or aor == user)
        rows = [
            BindingRow(
                user=aor,
                contact=str(one.uri),
                flow=f"{one.flow.transport if one.flow is not None else '-'}:{one.received}",
                open=one.flow is None or not one.flow.closed,
                left=max(0.0, one.expires_at - now),
                instance=one.instance,
            )
            for aor, one in islice(found, limit)
        ]
        return rows, len(rows) + sum(1 for _ in found)
