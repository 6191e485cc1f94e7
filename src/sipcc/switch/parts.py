"""The parts of a switch that load much: imported when one starts, so that `import sipcc` stays quick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sipcc.call.describing import codecs_for
from sipcc.call.events import CallEndedEvent
from sipcc.call.numbering import Numbering
from sipcc.journal import Journal
from sipcc.shelves import Shelves
from sipcc.sip.binding import SavedContacts
from sipcc.switch.customers import CustomerCalls

if TYPE_CHECKING:
    from sipcc.bus import Bus
    from sipcc.call.saving import SavedCall
    from sipcc.clock import LoopClock
    from sipcc.config import Config
    from sipcc.ids import Ids
    from sipcc.records import RecordKeeper
    from sipcc.rtp.flow import Identity, MediaEngine
    from sipcc.rtp.load import EngineLoad
    from sipcc.switch.switch import Switch


def media_engine(config: Config, ids: Ids) -> MediaEngine:
    """What carries audio: this process, or workers."""
    from sipcc.rtp import LocalEngine, WorkerPool

    ours = config.media
    on_trunks = (codec for trunk in config.trunks for codec in codecs_for(trunk, ours.codecs))
    media = msgspec.structs.replace(ours, codecs=tuple(dict.fromkeys([*ours.codecs, *on_trunks])))
    return LocalEngine(media, ids=ids) if media.worker_count == 0 else WorkerPool(media, ids=ids)


def browser_identity(config: Config, clock: LoopClock) -> Identity | None:
    """Our certificate for browsers, if any can reach us."""
    if not any(place.startswith(("ws:", "wss:")) for place in config.sip.listen):
        return None
    from sipcc.rtp.dtls import make_identity

    return make_identity(wall=clock.wall_of(clock.now()))


def record_keeper(config: Config, bus: Bus, clock: LoopClock) -> RecordKeeper:
    """What keeps the records; its figures begin at midnight."""
    from sipcc.records import RecordKeeper

    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return RecordKeeper(
        config.records,
        bus,
        clock,
        service_levels={queue.name: queue.service_level for queue in config.queues},
        figures_since=midnight.timestamp(),
        alerts=config.alerts,
        members=members_of(config),
        webhooks=config.webhooks,
        plan=Numbering(config.dialling).home,
    )


def members_of(config: Config) -> dict[str, list[str]]:
    """The agents of each queue."""
    return {
        queue.name: [agent.name for agent in config.agents if queue.name in agent.queues]
        for queue in config.queues
    }


def call_journal(config: Config) -> Journal[SavedCall] | None:
    """Where calls are written down; None where no other process could go on with them."""
    if config.media.worker_count == 0 or not config.daemon.journal:
        return None
    from sipcc.call.saving import SavedCall

    return Journal(Path(config.daemon.journal), SavedCall, name="calls", version=1)


def phone_journal(config: Config) -> Journal[SavedContacts] | None:
    """Where registrations are written down, beside the calls."""
    if not config.daemon.journal:
        return None
    path = Path(config.daemon.journal)
    return Journal(path.with_name(f"{path.stem}.phones"), SavedContacts, name="phones", version=1)


def shelves(config: Config) -> Shelves:
    """Where all else is written down that outlives the process, beside the calls; open."""
    path = Path(config.daemon.journal) if config.daemon.journal else None
    opened = Shelves(path.with_name(f"{path.stem}.shelves") if path else None)
    opened.open()
    return opened


def go_on(switch: Switch, left: Mapping[str, SavedCall], journal: Journal[SavedCall] | None) -> None:
    """Go on with the calls that a process before us has left; close the records of those that are lost.

    Callbacks that it has left are made from now on.
    """
    trunks = {trunk.name: trunk for trunk in switch.config.trunks}
    lost_calls = switch.calls.resume(left, trunks, treatment=switch.returning.treatment)
    switch.returning.keeping.taken_up(left.keys() - set(lost_calls))
    switch.flow_desk.places.taken_up(left.keys() - set(lost_calls))
    for lost in lost_calls:
        if journal is not None:
            journal.over(lost)
        at = switch.clock.now()
        switch.bus.emit(CallEndedEvent(at=at, call=lost, cause="failed", sip_status=500, ended_by="us"))
    CustomerCalls(switch).open()


def host_of(listen: str) -> str:
    """The host part of ``transport:host:port``."""
    return listen.partition(":")[2].rpartition(":")[0]


def media_figures(loads: Sequence[EngineLoad]) -> dict[str, int | float]:
    """How loaded the media are; of several workers the worst counts."""
    return {
        "media_ports": sum(load.ports for load in loads),
        "media_busy": max((round(load.busy, 3) for load in loads), default=0.0),
        "media_late_ms": max((load.late_ms for load in loads), default=0.0),
        "media_overflows": sum(load.overflows for load in loads),
        "media_crashes": sum(load.crashes for load in loads),
        "media_refused": sum(load.refused for load in loads),
    }
