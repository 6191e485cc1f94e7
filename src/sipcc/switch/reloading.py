"""Other settings for a switch that runs: everything is built and checked first, then taken over at once.

What goes over happens in one turn of the loop, so nothing ever sees a half of it. Calls that are up go on by
the flows with which they came; new ones get the new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sipcc.call.tollguard import TollGuard
from sipcc.call.trunkroutes import TrunkRoutes
from sipcc.config import Config
from sipcc.config.outbound import outbound_hours, read_do_not_call
from sipcc.config.regions import read_regions
from sipcc.config.reload import Change, Plan, plan
from sipcc.errors import ConfigError, LocalProtocolError, SipccError
from sipcc.log import get_logger
from sipcc.records.events import ConfigRefused, ConfigReloaded
from sipcc.sip import TrunkTable
from sipcc.switch.parts import members_of
from sipcc.switch.reception import Reception
from sipcc.switch.targets import numbers_named

if TYPE_CHECKING:
    from sipcc.ivr.prompts import PromptCatalogue
    from sipcc.switch.switch import Switch
    from sipcc.switch.treatments import Treatments

_log = get_logger("sipcc.switch")

MANY = 100
"""So many changes are told one by one; the event of a reload says how many more there were."""


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload has done."""

    digest: str
    """Of the configuration that is in force now; see `sipcc.config.reload.digest_of`."""
    changes: tuple[str, ...]
    """In words, such as ``queues sales: changed strategy``."""
    kept: tuple[str, ...]
    """Keys whose new values count only from the next start on, such as ``sip.listen``."""


class Reloader:
    """Reloads one switch, one reload after the other."""

    def __init__(self, switch: Switch, read: Callable[[], Config] | None) -> None:
        """Take the switch, and what reads its configuration anew; None when there is no file."""
        self._switch = switch
        self._read = read
        self._lock = asyncio.Lock()

    async def reload(self, config: Config | None = None) -> Reloaded:
        """Go over to `config`, or to what the file says now.

        Raises:
            ConfigError: something is wrong; nothing has changed.
            LocalProtocolError: there is no file, or the switch does not run.
        """
        switch = self._switch
        if not switch.running:
            raise LocalProtocolError("a switch is reloaded while it runs")
        if config is None and self._read is None:
            raise LocalProtocolError("this switch was not made from a file: reload takes a configuration")
        async with self._lock:
            try:
                if config is None:
                    assert self._read is not None
                    config = await asyncio.to_thread(self._read)
                made = await asyncio.to_thread(plan, switch.config, config)
                go_over, in_files = await self._prepared(made.config)
            except (SipccError, ValueError) as error:
                refused = error if isinstance(error, ConfigError) else ConfigError("reload", str(error))
                _log.warning("switch.config_refused", error=str(refused))
                at = switch.clock.now()
                switch.bus.emit(
                    ConfigRefused(at=at, path=refused.path, error=refused.message, hint=refused.hint)
                )
                raise refused from error
            go_over()
            return self._told(made, in_files)

    async def _prepared(self, config: Config) -> tuple[Callable[[], None], list[Change]]:
        """Build all that `config` needs; what comes back goes over to it and does not fail.

        With it comes what is other than before in files that the configuration names.
        """
        switch = self._switch
        plan_, ivr = switch.numbering.home, config.ivr
        regions = await asyncio.to_thread(read_regions, config.regions, plan_)
        unwanted = await asyncio.to_thread(read_do_not_call, config.toll, plan_)
        opened = outbound_hours(config)
        trunks = TrunkTable(config.trunks)
        routes = TrunkRoutes(config.routes, chance=switch.chance)
        TollGuard(config.toll, switch.numbering)  # reads every rule
        prompts = await asyncio.to_thread(switch.speaking.catalogue, config)
        treatments = switch.treatments_of(config)
        reception = Reception(
            config,
            plan=plan_,
            bus=switch.bus,
            clock=switch.clock,
            regions=regions,
            handler_of=treatments.handler_of,
            ringbacks=switch.ringbacks,
        )
        table = reception.routes(switch.routed)
        use_certificates = switch.endpoint.manager.read_certificates()
        renew_acd = switch.acd.prepare(config.agents, config.queues)

        def go_over() -> None:
            users = {user.name: user for user in config.users}
            switch.config = config
            switch.trunks = trunks
            switch.entrance.load(config, trunks)
            switch.places.load(
                list(users), {user.name: user.media for user in config.users}, config.trunks, routes
            )
            switch.trunk_health.load(config.trunks)
            switch.trunk_registrations.load(config.trunks)
            switch.treatments = treatments
            reception.follow(switch.reception)
            switch.reception = reception
            switch.hours.reloaded()
            switch.flow_desk.reloaded()
            switch.signpost.load(config)
            context = switch.context
            context.users, context.settings, context.prompts = users, config.calls, prompts
            named = numbers_named(config, switch.places)
            context.toll.load(config.toll, configured=named, unwanted=unwanted, opened=opened)
            switch.prompts = prompts
            switch.ringbacks.reloaded()
            switch.speaking.read_ahead(switch)
            switch.calls.load(table, language=ivr.language)
            switch.lamps.load(config.users, config.agents)
            switch.voicemail.reloaded()
            switch.messages.load(config.users)
            switch.keeper.load(
                config.alerts,
                members=members_of(config),
                service_levels={queue.name: queue.service_level for queue in config.queues},
                webhooks=config.webhooks,
            )
            switch.door.load(config)
            use_certificates()
            renew_acd()

        return go_over, _changed_files(switch, treatments, prompts)

    def _told(self, made: Plan, in_files: list[Change]) -> Reloaded:
        known = {(change.section, change.name) for change in made.changes}
        more_files = [change for change in in_files if (change.section, change.name) not in known]
        changes = tuple(map(str, (*made.changes, *more_files)))
        done = Reloaded(digest=made.digest, changes=changes, kept=made.kept)
        more = (f"and {len(changes) - MANY} more",) if len(changes) > MANY else ()
        at = self._switch.clock.now()
        told = ConfigReloaded(at=at, digest=done.digest, changes=changes[:MANY] + more, kept=made.kept)
        self._switch.bus.emit(told)
        log = _log.warning if made.kept else _log.info
        log("switch.reloaded", digest=done.digest, changes=list(told.changes), needs_restart=list(made.kept))
        return done


def _changed_files(switch: Switch, treatments: Treatments, prompts: PromptCatalogue) -> list[Change]:
    """The flows, workflows and texts of prompts whose files say something else than those in force."""
    before, after = switch.treatments.flows.playables, treatments.flows.playables
    flows = [name for name in after if name in before and before[name].version != after[name].version]
    old, new = switch.treatments.workflows.workflows, treatments.workflows.workflows
    ways = [name for name in new if name in old and old[name].document != new[name].document]
    return [
        *(
            _change("flows", name, f"version {before[name].version} to {after[name].version}")
            for name in flows
        ),
        *(_change("workflows", name, "file") for name in ways),
        *([_change("prompts", "", "texts")] if switch.prompts.table.entries != prompts.table.entries else []),
    ]


def _change(section: str, name: str, what: str) -> Change:
    return Change(section=section, how="changed", name=name, keys=(what,))
