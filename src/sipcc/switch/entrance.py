"""Who gets in: one guard and one admission in front of the endpoint of a switch."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec

from sipcc.bus import Bus
from sipcc.clock import Clock
from sipcc.config import Config
from sipcc.events import Event
from sipcc.log import get_logger
from sipcc.sip import Admission, Endpoint, Registrar, TrunkTable
from sipcc.sip.guard import Guard

_log = get_logger("sipcc.entrance")


class Entrance(NamedTuple):
    """What stands in front of an endpoint."""

    guard: Guard
    admission: Admission

    def load(self, config: Config, trunks: TrunkTable) -> None:
        """Let in the users of `config` and its `trunks` from now on."""
        self.admission.load(config.users, trunks)
        self.guard.load(config.trunks)


def guard_entrance(
    endpoint: Endpoint,
    config: Config,
    *,
    trunks: TrunkTable,
    registrar: Registrar,
    realm: str,
    bus: Bus,
    clock: Clock,
) -> Entrance:
    """Let into `endpoint` whom the configuration knows; bans and attacks are told on `bus`."""

    def tell(event: Event) -> None:
        _log.warning("guard.acted", **msgspec.to_builtins(event))
        bus.emit(event)

    guard = Guard(config.sip.guard, config.trunks)
    guard.on_event = tell
    guard.is_bound = registrar.knows
    admission = Admission(
        trunks=trunks,
        users=config.users,
        realm=realm,
        secret=os.urandom(32),
        nonce_life=config.sip.nonce_life,
        algorithms=config.sip.digest,
        guard=guard,
        is_bound=registrar.is_bound,
    )
    endpoint.guard = guard
    endpoint.admit = lambda request, flow: admission.check(request, flow, now=clock.now())
    endpoint.admit_in_dialog = lambda request, flow, usage: admission.check_usage(
        request, flow, usage, now=clock.now()
    )
    return Entrance(guard, admission)
