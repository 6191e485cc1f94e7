"""The trunks of a running switch: pings, who takes calls, and news of those that go down and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sipcc.bus import Bus
from sipcc.call import events
from sipcc.call.limits import CallLimits
from sipcc.clock import Clock
from sipcc.driver import Driver
from sipcc.errors import SipccError
from sipcc.log import get_logger
from sipcc.sip import Address, Endpoint, NameAddr, SipUri, TrunkSettings
from sipcc.sip.fields import delta_seconds
from sipcc.sip.trunk import destination_of
from sipcc.sip.trunk_health import TrunkHealth
from sipcc.tasks import TaskScope

PING_TIMEOUT = 5.0
"""Seconds that a carrier has to answer an OPTIONS."""

_log = get_logger("sipcc.trunks")


class Trunks(CallLimits):
    """The `CallLimits` of calls, with the health and the calls per second of each trunk."""

    def __init__(
        self,
        trunks: Sequence[TrunkSettings],
        *,
        endpoint: Endpoint,
        bus: Bus,
        clock: Clock,
        domain: str,
        chance: Callable[[], float],
    ) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._bus = bus
        self._clock = clock
        self._domain = domain
        self._scope = TaskScope("trunks")
        self._chance = chance
        self._kept = {trunk.name: _Kept(trunk, self, chance) for trunk in trunks}

    @property
    def settings(self) -> list[TrunkSettings]:
        """The trunks, as they stand in the configuration."""
        return [kept.trunk for kept in self._kept.values()]

    def load(self, trunks: Sequence[TrunkSettings]) -> None:
        """Look after other trunks from now on; what is known of one stays while it is the same place."""
        before, self._kept = self._kept, {}
        for trunk in trunks:
            kept = before.get(trunk.name)
            if kept is not None and _same_place(kept.trunk, trunk):
                del before[trunk.name]
                kept.trunk = trunk
            else:
                kept = _Kept(trunk, self, self._chance)
                self._begin(kept)
            self._kept[trunk.name] = kept
        for kept in before.values():
            kept.core.stop()
            kept.driver.close()
            if not kept.core.up:  # whoever waits for news of it hears the last
                why = (
                    "it is another one now"
                    if kept.trunk.name in self._kept
                    else "it is not configured any more"
                )
                self._bus.emit(events.TrunkUp(at=self._clock.now(), trunk=kept.trunk.name, why=why))

    def start(self) -> None:
        """Begin to ping those that want it; the endpoint must be listening."""
        for kept in self._kept.values():
            self._begin(kept)

    def _begin(self, kept: _Kept) -> None:
        if destination_of(kept.trunk)[0]:
            kept.core.start(now=self._clock.now())
            kept.driver.pump()

    async def stop(self) -> None:
        """Ping no more."""
        for kept in self._kept.values():
            kept.core.stop()
            kept.driver.close()
        await self._scope.close()

    def health_of(self, trunk: str) -> TrunkHealth:
        """The core of a trunk of the configuration."""
        return self._kept[trunk].core

    def down(self) -> dict[str, str]:
        """The trunks that take no calls now, each with the reason in words."""
        return {name: kept.core.why for name, kept in self._kept.items() if not kept.core.up}

    def refusal(self, trunk: TrunkSettings) -> str:
        """Why a call to `trunk` must not be sent now; see `CallLimits`."""
        kept = self._kept.get(trunk.name)
        if kept is None:
            return "it is not configured any more"
        if kept.core.admits(now=self._clock.now()):
            return ""
        return kept.core.refusal(now=self._clock.now())

    def told(self, trunk: str, status: int | None, *, retry_after: float | None = None) -> None:
        """What a call to `trunk` got; see `CallLimits`."""
        kept = self._kept.get(trunk)
        if kept is not None:
            kept.core.called(status, now=self._clock.now(), retry_after=retry_after)
            kept.driver.pump()

    def untold(self, trunk: str) -> None:
        """A call to `trunk` ended by us before it got anything that tells."""
        kept = self._kept.get(trunk)
        if kept is not None:
            kept.core.gave_up()

    def flush(self, kept: _Kept) -> None:
        """Tell what changed, and send the ping that is due."""
        for change in kept.core.events():
            kind = events.TrunkUp if change.up else events.TrunkDown
            _log.warning("trunk.up" if change.up else "trunk.down", trunk=kept.trunk.name, why=change.why)
            self._bus.emit(kind(at=self._clock.now(), trunk=kept.trunk.name, why=change.why))
        if kept.core.to_send() and not kept.pinging:
            self._scope.spawn(self._ping(kept), name=kept.trunk.name)

    async def _ping(self, kept: _Kept) -> None:
        trunk = kept.trunk
        host, port, transport = destination_of(trunk)
        status: int | None = None
        retry_after = None
        kept.pinging = True
        try:
            async with asyncio.timeout(min(PING_TIMEOUT, trunk.health.ping)):
                answer = await self._endpoint.request(
                    "OPTIONS",
                    SipUri(host=host, port=port or None),
                    from_=NameAddr(SipUri(host=self._domain)),
                    to=NameAddr(SipUri(host=host)),
                    destination=Address(host, port),
                    transport=transport,
                )
            status = answer.status
            retry_after = delta_seconds(answer.headers.get_raw("Retry-After"))
        except (SipccError, TimeoutError) as error:
            _log.debug("trunk.ping_failed", trunk=trunk.name, error=str(error) or "no answer")
        finally:
            kept.pinging = False
        kept.core.pinged(status, now=self._clock.now(), retry_after=retry_after)
        kept.driver.pump()


def _same_place(one: TrunkSettings, other: TrunkSettings) -> bool:
    """True when what is known of the health of `one` holds for `other`."""
    return (destination_of(one), one.health, one.calls_per_second) == (
        destination_of(other),
        other.health,
        other.calls_per_second,
    )


class _Kept:
    """One trunk: its core and the driver of its timer."""

    def __init__(self, trunk: TrunkSettings, owner: Trunks, chance: Callable[[], float]) -> None:
        self.trunk = trunk
        self.core = TrunkHealth(trunk, chance=chance)
        self.driver = Driver(self.core, lambda: owner.flush(self))
        self.pinging = False
