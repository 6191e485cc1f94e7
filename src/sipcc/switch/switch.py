"""Builds every layer from one configuration and wires them together.

Nothing below imports this package, and it decides nothing: it knows who needs whom.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sipcc.acd import Acd, QueueHandle
from sipcc.call import CallContext, Calls, Handler
from sipcc.call.numbering import Numbering
from sipcc.call.trunkroutes import TrunkRoutes
from sipcc.call.usertouser import context_headers
from sipcc.clock import LoopClock
from sipcc.config import Config, load
from sipcc.config.regions import read_regions
from sipcc.ivr.hooks.live import LiveApps
from sipcc.ivr.live_recording import MESSAGES
from sipcc.log import get_logger
from sipcc.sip import Endpoint, Flow, Registrar, TrunkTable
from sipcc.switch.agents import AgentPhones
from sipcc.switch.application import Application
from sipcc.switch.desk import Desk
from sipcc.switch.door import Door
from sipcc.switch.entrance import guard_entrance
from sipcc.switch.fetching import Fetching
from sipcc.switch.flows import FlowDesk
from sipcc.switch.httprouter import HttpPosts
from sipcc.switch.lamps import Lamps
from sipcc.switch.liveness import Liveness
from sipcc.switch.messages import Messages
from sipcc.switch.openinghours import OpeningHours
from sipcc.switch.parts import (
    browser_identity,
    call_journal,
    go_on,
    host_of,
    media_engine,
    media_figures,
    phone_journal,
    record_keeper,
    shelves,
)
from sipcc.switch.places import Places
from sipcc.switch.queueing import Queueing
from sipcc.switch.reception import Reception
from sipcc.switch.recordings import Archivist
from sipcc.switch.registrations import PhoneRegistrations, TrunkRegistrations
from sipcc.switch.reloading import Reloaded, Reloader
from sipcc.switch.returning import Returning
from sipcc.switch.serving import DRAIN_TIMEOUT, serve
from sipcc.switch.signpost import Signpost
from sipcc.switch.speaking import Speaking
from sipcc.switch.talks import Talks
from sipcc.switch.targets import toll_guard
from sipcc.switch.tracing import Tracing
from sipcc.switch.treatments import Treatments
from sipcc.switch.trunks import Trunks
from sipcc.switch.visits import link_callbacks
from sipcc.switch.voicemail import Voicemails
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.records import RecordKeeper
    from sipcc.sip.packages import Mailboxes

_log = get_logger("sipcc.switch")

H = TypeVar("H", bound=Handler)


class Switch(Application):
    """A call-centre switch: the same object in a library, in the daemon and in a test.

    Routes may be added, and parts replaced with `use`, until `start`.
    """

    def __init__(self, config: Config | None = None, *, read: Callable[[], Config] | None = None) -> None:
        """Take a configuration, and what reads it anew for a `reload` without one; it runs in a thread."""
        self._reloader = Reloader(self, read)
        super().__init__(config or Config())
        self.posts = HttpPosts()
        self.fetching = Fetching()
        self.running = False
        """True from the end of the start to the stop."""

    @classmethod
    def from_toml(cls, path: str | Path) -> Switch:
        """A switch as the file says. Raises ConfigError, which names file, key, cause and cure."""
        return cls(load(path), read=lambda: load(path))

    @property
    def mailboxes(self) -> Mailboxes:
        """The message counts that phones show; there once the switch has started."""
        return self.lamps.mailboxes

    def queue(self, name: str) -> QueueHandle:
        """The queue called `name`; LocalProtocolError lists the known ones when there is none."""
        return self.acd.queue(name)

    def run(self, *, drain_timeout: float = DRAIN_TIMEOUT) -> None:
        """Run until SIGTERM or SIGINT, then drain; for programs that are nothing but this switch."""
        asyncio.run(self.serve(drain_timeout=drain_timeout))

    async def serve(
        self, *, drain_timeout: float = DRAIN_TIMEOUT, on_ready: Callable[[], None] | None = None
    ) -> None:
        """Start, wait for SIGTERM or SIGINT, drain, stop. A second signal cuts the drain short."""
        await serve(self, drain_timeout=drain_timeout, on_ready=on_ready)

    @property
    def addresses(self) -> str:
        """Where the switch listens, once it has started."""
        return ", ".join(f"{listener.transport}:{listener.local}" for listener in self.endpoint.listeners)

    # -- life -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Build everything and listen. When any part fails, what was started is stopped again."""
        self._started = True
        self.clock = self._clock or LoopClock()
        self._started_at = self.clock.now()
        self._scope = TaskScope("switch")
        self.door = Door()
        self._build_signalling()
        self.engine = self._engine or media_engine(self.config, self.ids)
        self.speaking = Speaking(
            self.config, self._scope, self.queue, voice=self._voice, recogniser=self._recogniser
        )
        self.prompts = self.speaking.catalogue(self.config)
        self._journal = call_journal(self.config)
        self.shelves = shelves(self.config)
        self._build_calls()
        self.keeper: RecordKeeper = record_keeper(self.config, self.bus, self.clock)
        self.tracing = Tracing(self.config.sip.trace, endpoint=self.endpoint, bus=self.bus, clock=self.clock)
        try:
            self.tracing.start()
            left = self._journal.open() if self._journal is not None else {}
            await self.keeper.start(keep=left)
            await self.engine.start()
            await self.acd.start(lambda: self.returning.keeping.restore(left))
            await self.endpoint.start()
            self.phone_registrations.restore({user.name for user in self.config.users})
            go_on(self, left, self._journal)
            self.archivist.start(self.context, self.keeper, live=left)
            await self.voicemail.start()
            self.liveness.start()
            self.trunk_health.start()
            self.trunk_registrations.start()
            await self.door.open(self, self.config)
            self.speaking.read_ahead(self)
            self.running = True
        except BaseException:
            await self.stop()
            raise

    async def reload(self, config: Config | None = None) -> Reloaded:
        """Go over to `config`, or to what the file says now, while calls go on; see `sipcc.switch.reloading`.

        Raises:
            ConfigError: something is wrong; nothing has changed.
            LocalProtocolError: there is no file, or the switch does not run.
        """
        return await self._reloader.reload(config)

    async def drain(self, timeout: float = DRAIN_TIMEOUT) -> int:
        """Take no new calls, wait for the live ones; how many had to be cut after `timeout` seconds."""
        self.acd.stop_calling_back()
        return await self.calls.drain(timeout)

    async def stop(self) -> None:
        """Hang up what is up, and free everything, also when a part of it fails."""
        self.running = False
        await self.calls.drain(0)
        self.returning.keeping.close()
        self.lamps.close()
        for end in (
            self.door.close,
            self.messages.close,
            self.liveness.stop,
            self.trunk_health.stop,
            self.trunk_registrations.stop,
            self.phone_registrations.close,
            self.acd.stop,
            self.posts.close,
            self.flow_desk.close,
            self.fetching.close,
            self.archivist.stop,
            self.voicemail.stop,
            self.speaking.close,
            self._scope.join,
            self.endpoint.stop,
            self.tracing.stop,
            self.engine.stop,
            self.keeper.stop,
        ):
            try:
                await end()
            except Exception:  # what stays open then would keep the loop from closing
                _log.exception("switch.stop_failed", part=end.__qualname__)
        if self._journal is not None:
            self._journal.close()
        self.shelves.close()

    def status(self) -> dict[str, str | int | float]:
        """What is up, in figures: for ``sipccd status``."""
        counters = self.endpoint.counters + self.tracing.counters
        return {
            "listen": self.addresses,
            "up_s": round(self.clock.now() - self._started_at, 3),
            "calls": len(self.calls),
            "calls_total": self.calls.total,
            "trunks_down": ", ".join(self.trunk_health.down()),
            **media_figures(self.engine.loads),
            **self.speaking.figures(self.prompts),
            "traced_calls": len(self.tracing.trace),
            "traced_bytes": self.tracing.trace.size,
            **{name: counters[name] for name in sorted(counters)},
        }

    def desk(self) -> Desk:
        """What an operator can look at and change, once the switch has started."""
        return Desk(
            figures=self.status,
            guard=self.guard,
            registrar=self.registrar,
            trunks=self.trunk_health,
            registrations=self.trunk_registrations,
            hours=self.hours,
            flows=self.flow_desk,
            clock=self.clock,
        )

    # -- wiring ---------------------------------------------------------------------------------------

    def _build_signalling(self) -> None:
        config = self.config
        self.domain = config.sip.domain or host_of(config.sip.listen[0])
        self.trunks = TrunkTable(config.trunks)
        self.registrar = Registrar(config.sip, secret=os.urandom(32))
        self.endpoint = Endpoint(config.sip, network=self._network, clock=self.clock, ids=self.ids)
        self.entrance = guard_entrance(
            self.endpoint,
            config,
            trunks=self.trunks,
            registrar=self.registrar,
            realm=self.domain,
            bus=self.bus,
            clock=self.clock,
        )
        self.guard = self.entrance.guard
        self.numbering = Numbering(config.dialling)
        self.places = Places(
            registrar=self.registrar,
            users=[user.name for user in config.users],
            media={user.name: user.media for user in config.users},
            trunks=config.trunks,
            domain=self.domain,
            clock=self.clock,
            numbering=self.numbering,
            routes=TrunkRoutes(config.routes, chance=self.chance),
        )
        self.endpoint.tolerant = self._is_tolerant
        self.trunk_health = Trunks(
            config.trunks,
            endpoint=self.endpoint,
            bus=self.bus,
            clock=self.clock,
            domain=self.domain,
            chance=self.chance,
        )
        self.liveness = Liveness(self)
        self.phone_registrations = PhoneRegistrations(
            self.endpoint,
            self.registrar,
            self.clock,
            self.liveness,
            journal=phone_journal(config),
        )
        self.trunk_registrations = TrunkRegistrations(
            self.endpoint, config.trunks, clock=self.clock, ids=self.ids
        )

    def chance(self) -> float:
        """A number from 0 up to 1."""
        return self.ids.bits(20) / (1 << 20)

    def _is_tolerant(self, flow: Flow) -> bool:
        """True for a carrier whose messages are read although they are sloppy."""
        trunk = self.trunks.match(flow)
        return trunk is not None and trunk.profile == "tolerant"

    def _build_calls(self) -> None:
        config = self.config
        phones = AgentPhones(
            self.places,
            self.liveness,
            tell=lambda call: context_headers(call.id, self.talks.context(call.id), self.config.calls),
        )
        self.acd = Acd(
            agents=config.agents,
            queues=config.queues,
            dialer=phones,
            presence=phones,
            bus=self.bus,
            clock=self.clock,
            ids=self.ids,
        )
        self.acd.floor.canonical = self.numbering.canonical
        self.acd.planner.region_of = lambda number: self.reception.regions.of(number)
        link_callbacks(self.acd, self.bus, lambda call_id: self.calls.get(call_id))
        self.queueing = Queueing(self.queue, self.handler_of)
        self.returning = Returning(self, programs=self._apps.values())
        self.voicemail, self.talks = Voicemails(self), Talks(self.bus)
        self.live_apps = LiveApps(str(Path(config.records.recordings) / MESSAGES))
        self.flow_desk = FlowDesk(self)
        self.treatments = self.treatments_of(config)
        self.queueing.after_talk = lambda call, result: self.treatments.surveys.after(call, result)
        self.signpost = Signpost(
            config,
            self.places,
            plan=self.numbering.home,
            handler_of=self.handler_of,
            treatment_of=lambda settings: self.reception.treatment(settings),
            routed=self.routed,
        )
        self.context = CallContext(
            endpoint=self.endpoint,
            engine=self.engine,
            bus=self.bus,
            clock=self.clock,
            ids=self.ids,
            prompts=self.prompts,
            locator=self.places,
            scope=self._scope,
            domain=self.domain,
            media=config.media,
            users={user.name: user for user in config.users},
            identity=browser_identity(config, self.clock),
            recordings=config.records.recordings,
            settings=config.calls,
            trunk_calls=self.trunk_health,
            numbering=self.numbering,
            toll=toll_guard(config, self.numbering, self.places),
            agent_of=self.signpost.agent_of,
            signpost=self.signpost,
            on_user_busy=self._user_busy,
            on_agent_busy=self._agent_busy,
            journal=self._journal,
        )
        self.ringbacks = self.speaking.ringbacks(self)
        self.reception = Reception(
            config,
            plan=self.numbering.home,
            bus=self.bus,
            clock=self.clock,
            regions=read_regions(config.regions, self.numbering.home),
            handler_of=self.treatments.handler_of,
            ringbacks=self.ringbacks,
        )
        self.hours = OpeningHours(
            lambda: self.reception.calendars, self.shelves, bus=self.bus, clock=self.clock
        )
        self.archivist = Archivist()
        routes = self.reception.routes(self.routed)
        self.calls = Calls(self.context, routes, language=config.ivr.language)
        self.endpoint.on_invite = self.calls.on_invite
        self._build_side_desks()

    def _build_side_desks(self) -> None:
        """What phones want besides calls: lamps and text messages."""
        config = self.config
        self.lamps = Lamps(
            self.endpoint,
            self.bus,
            settings=config.sip.subscriptions,
            users=config.users,
            agents=config.agents,
            domain=self.domain,
            registrar=self.registrar,
            clock=self.clock,
            find_call=self.calls.get,
        )
        self.messages = Messages(
            self.endpoint, registrar=self.registrar, users=config.users, domain=self.domain, clock=self.clock
        )
        self.messages.handler = self._message_handler

    def treatments_of(self, config: Config) -> Treatments:
        """What is behind the destinations of `config`, in this switch.

        Raises:
            ConfigError: a menu or a workflow is wrong.
        """
        return Treatments(
            config,
            acd=self.acd,
            queueing=self.queueing,
            app=self._app,
            bus=self.bus,
            clock=self.clock,
            posts=self.posts,
            flows=self.flow_desk,
            speaking=self.speaking,
            fetching=self.fetching,
            voicemail=self.voicemail,
            talks=self.talks,
            live_apps=self.live_apps,
        )

    def _agent_busy(self, agent: str, dialog: str, began: bool) -> None:
        if agent in self.acd.floor.staff.agents:  # a reload may have taken it away meanwhile
            self.acd.agent_external(agent, dialog, began)

    def _user_busy(self, user: str, dialog: str, began: bool) -> None:
        self.lamps.user_busy(user, dialog, began)
        for agent in self.config.agents:
            if user in agent.users:
                self.acd.agent_external(agent.name, dialog, began)
