"""What the switch does with a call that is sent to a flow; and what operators see of flows, and do with them.

The flows of a configuration are read when it is taken over. A call goes through those with which it came,
also when others are in force meanwhile; only what is known of the calls is kept in one place for all.

An override has all callers who come to a flow hear something first, or go elsewhere, until a time. It
outlives the process, as that of opening hours does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from sipcc import plugins
from sipcc.call import Call, Destination, Handler
from sipcc.config.flows import LOOKUPS, check_lookups, read_flows
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.events import Event
from sipcc.ivr.events import FlowFellBack, FlowOverridden, FlowTrialEnded
from sipcc.ivr.flows.desk import FlowOverride, FlowView, UnknownFlow
from sipcc.ivr.flows.lookup import LookupFunction, Lookups
from sipcc.ivr.flows.nodes import Http, Lookup
from sipcc.ivr.flows.program import heard
from sipcc.ivr.flows.run import FlowServices, Playable, Run, playable
from sipcc.ivr.flows.traffic import FlowTraffic
from sipcc.ivr.flows.trial import Trial, begin
from sipcc.ivr.hours import OpenVerdict
from sipcc.ivr.live import LiveSession
from sipcc.ivr.speech.voice import SpeechError
from sipcc.ivr.steps import Named, Stream, Text
from sipcc.switch.flowplaces import FlowPlace, FlowPlaces, fits, take_up
from sipcc.switch.missing import missing
from sipcc.switch.openinghours import LONGEST_S

if TYPE_CHECKING:
    from sipcc.config import Config
    from sipcc.ivr.session import Session
    from sipcc.switch.switch import Switch
    from sipcc.switch.treatments import Treatments


class Flows:
    """The flows of one configuration, and those of programs."""

    def __init__(self, treatments: Treatments, desk: FlowDesk) -> None:
        """Read them.

        Raises:
            ConfigError: one is wrong.
        """
        self._treatments = treatments
        self._desk = desk
        self.playables = desk.read(treatments.config)
        """By their names."""
        self.trials = desk.trials(treatments.config, self.playables)
        """Those that are tried on some callers."""
        for url in services_of(self.playables):
            treatments.fetcher.allow(url)

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the flow called `name`.

        Raises:
            ConfigError: there is none.
        """
        if name not in self.playables:
            raise missing("flow", name, self.playables)
        return partial(self._go_through, name, None)

    def resumed(self, place: FlowPlace, call: str) -> Handler | None:
        """The treatment of a call with a place from an earlier process; None when that is not there now."""
        name = place.flow.removeprefix("flow:")
        return partial(self._go_through, name, place) if fits(place, self.choose(name, call)) else None

    @property
    def places(self) -> FlowPlaces:
        """Where calls are."""
        return self._desk.places

    def choose(self, name: str, call: str) -> Playable | None:
        """The flow of that name for a call, by its id; None when there is none."""
        trial = self.trials.get(name)
        return self.playables.get(name) if trial is None else trial.choose(call)

    async def _go_through(self, name: str, place: FlowPlace | None, call: Call) -> None:
        flow = self.choose(name, call.id)
        assert flow is not None  # names stay as long as these flows
        session = LiveSession(call, self._treatments.services)
        fallen: list[Event] = []
        services = self._desk.services(lambda other: self.choose(other, call.id), fallen)
        services.tell = self._desk.places.watching(f"flow:{name}", flow, session, services.tell)
        run = Run(session, services)
        override = self._desk.override_of(flow.name) if place is None else None
        if place is not None:
            take_up(place, session)
        if override is not None and override.prompt:
            run.say(heard((override.prompt,)), bargein="off")
            await run.speak()
        if override is not None and override.to:
            await session.go(Destination.parse(override.to))
            return
        try:
            with self._desk.traffic.passing(flow.name, flow.version):
                ending = await run.through(flow, place.node if place is not None else "")
                await run.speak()
            self._desk.places.over(call.id)
        finally:
            self._judge(flow, fell=bool(fallen))
        await run.leave(flow, ending)

    def _judge(self, flow: Playable, *, fell: bool) -> None:
        trial = self.trials.get(flow.name)
        why = "" if trial is None else trial.over(flow.version, fell=fell)
        if trial is not None and why:
            self._desk.tell_trial(trial, why)


def services_of(flows: Mapping[str, Playable]) -> set[str]:
    """The services that flows ask or tell something."""
    nodes = (node for flow in flows.values() if flow.flow is not None for node in flow.flow.nodes.values())
    return {node.url for node in nodes if isinstance(node, Lookup | Http) and node.url}


class FlowDesk:
    """What all flows of a switch have in common, whatever the configuration: calls, lookups, overrides."""

    def __init__(self, switch: Switch) -> None:
        """Put back the overrides that the process before has left."""
        self._switch = switch
        self.traffic = FlowTraffic()
        self.places = FlowPlaces(switch.shelves, switch.bus)
        self.lookups = Lookups(self._function, lambda: switch.treatments.fetcher)
        self._shelf = switch.shelves.shelf("flows", FlowOverride)
        self._overrides = {name: left for name, left in self._shelf.left.items() if self._wall() < left.until}
        for name in self._shelf.left.keys() - self._overrides.keys():
            self._shelf.over(name)

    # -- for calls ------------------------------------------------------------------------------------

    def read(self, config: Config) -> dict[str, Playable]:
        """The flows of `config`, and those of the program.

        Raises:
            ConfigError: one cannot be read, or is not there.
        """
        graphs, programs = read_flows(config), self._switch.programs
        check_lookups(self._switch.lookups, graphs)
        for index, settings in enumerate(config.flows):
            if settings.program and settings.name not in programs:
                known = ", ".join(sorted(programs)) or "none"
                cause = f"the program has no flow {settings.name!r}"
                raise ConfigError(f"flows[{index}].program", cause, hint=f"known: {known}")
        return {**programs, **{name: playable(flow) for name, flow in graphs.items()}}

    def trials(self, config: Config, flows: Mapping[str, Playable]) -> dict[str, Trial]:
        """The flows of `config` that are tried on some callers, beside the versions that were in force."""
        treatments = getattr(self._switch, "treatments", None)  # there are none at the start
        before: Mapping[str, Trial | Playable] = {}
        if treatments is not None:
            before = {**treatments.flows.playables, **treatments.flows.trials}
        begun = {
            each.name: begin(before.get(each.name), flows[each.name], each.canary) for each in config.flows
        }
        return {name: trial for name, trial in begun.items() if trial is not None}

    def services(self, find: Callable[[str], Playable | None], fallen: list[Event]) -> FlowServices:
        """What a call gets; the events by which it falls back are put into `fallen`."""

        def tell(event: Event) -> None:
            if isinstance(event, FlowFellBack):
                fallen.append(event)
            self._tell(event)

        return FlowServices(
            find=find,
            hours=self._hours,
            lookup=self.lookups.lookup,
            post=self.lookups.post,
            bot=self._bot,
            tell=tell,
        )

    def _tell(self, event: Event) -> None:
        self.traffic.tell(event)
        self._switch.bus.emit(event)

    def _hours(self, calendar: str, wall: float) -> OpenVerdict:
        known = self._switch.reception.calendars
        if calendar not in known:
            raise LocalProtocolError(f"there is no calendar {calendar!r}")
        return known[calendar].is_open(wall)

    def _bot(self, session: Session, name: str) -> Stream:
        for settings in self._switch.config.bots:
            if settings.name == name:
                return settings.step(caller=session.caller, dialled=session.dialled)
        raise missing("bot", name, [settings.name for settings in self._switch.config.bots])

    def _function(self, name: str) -> LookupFunction | None:
        own = self._switch.lookups.get(name)
        if own is not None or name not in plugins.names(LOOKUPS):
            return own
        function: LookupFunction = plugins.load(LOOKUPS, name)
        self._switch.lookups[name] = function
        return function

    # -- for operators --------------------------------------------------------------------------------

    def views(self) -> list[FlowView]:
        """How each flow stands now."""
        return [self._view(flow) for flow in self._flows.values()]

    def override(
        self, name: str, *, seconds: float, prompt: str = "", to: str = "", by: str = ""
    ) -> FlowView:
        """Have callers who come to a flow hear something first, or go elsewhere; a new override replaces it.

        Args:
            name: The flow.
            seconds: How long from now.
            prompt: A prompt's name or a text, heard before the flow, or before `to`.
            to: The destination in place of the flow; empty for the flow.
            by: Who does it; empty for a program.

        Raises:
            UnknownFlow: there is none of that name.
            LocalProtocolError: it says nothing, leads nowhere, or lasts too long; or the prompt is not there.
        """
        flow = self._flow(name)
        if not prompt and not to:
            raise LocalProtocolError("an override has a prompt, a destination, or both")
        if not 0 < seconds <= LONGEST_S:
            raise LocalProtocolError(f"an override ends in the future, at most {LONGEST_S:.0f} s from now")
        if prompt:
            self._check_heard(flow, prompt)
        if to:
            self._check(name, to)
        made = FlowOverride(prompt=prompt, to=to, until=round(self._wall() + seconds, 3), by=by)
        self._overrides[name] = made
        self._shelf.note(name, made)
        self._told(name, made)
        return self._view(flow)

    async def try_voice(self, name: str, prompt: str) -> None:
        """See that a voice can read the text of an override; it is ready for the first caller then.

        Raises:
            UnknownFlow: there is no flow of that name.
            LocalProtocolError: it cannot, in none of the flow's languages.
        """
        flow = self._flow(name)
        said = heard((prompt,)) if prompt else ()
        text = next((item.text for item in said if isinstance(item, Text)), "")
        if not text.strip() or "{" in text or "}" in text:
            return
        voice, errors = flow.head.voice, []
        languages = flow.head.languages or (self._switch.config.ivr.language,)
        for language in languages:
            try:
                await self._switch.speaking.speaker.speak(text, language=language, voice=voice)
            except SpeechError as error:
                errors.append(error)
        if len(errors) == len(languages):
            raise LocalProtocolError(f"no voice reads it: {errors[0]}")

    def clear(self, name: str, *, by: str = "") -> FlowView:
        """Have a flow go as it is written again; without an override nothing happens.

        Raises:
            UnknownFlow: there is none of that name.
        """
        flow = self._flow(name)
        if self.override_of(name) is not None:
            del self._overrides[name]
            self._shelf.over(name)
            self._told(name, FlowOverride(prompt="", to="", until=self._wall(), by=by))
        return self._view(flow)

    def end_trial(self, name: str, *, promote: bool, by: str = "") -> FlowView:
        """Give all callers the changed version of a flow, or none.

        Raises:
            UnknownFlow: there is none of that name.
            LocalProtocolError: nothing is tried there.
        """
        flow, trial = self._flow(name), self._switch.treatments.flows.trials.get(name)
        if trial is None or trial.state != "trying":
            raise LocalProtocolError(f"no changed version of flow {name!r} is being tried")
        trial.state = "promoted" if promote else "rolled_back"
        self.tell_trial(trial, "an operator said so", by=by)
        return self._view(flow)

    def tell_trial(self, trial: Trial, why: str, *, by: str = "") -> None:
        """Tell how a trial came out."""
        assert trial.state != "trying"
        self._switch.bus.emit(
            FlowTrialEnded(
                at=self._switch.clock.now(),
                flow=trial.new.name,
                version=trial.new.version,
                outcome=trial.state,
                why=why,
                by=by,
            )
        )

    def override_of(self, name: str) -> FlowOverride | None:
        """The override that counts now."""
        found = self._overrides.get(name)
        return found if found is not None and self._wall() < found.until else None

    def reloaded(self) -> None:
        """Forget what is over: versions that nobody goes through, and overrides of flows that are gone."""
        trials = self._switch.treatments.flows.trials.values()
        current = [*self._flows.values(), *(trial.old for trial in trials)]
        self.traffic.prune({(flow.name, flow.version) for flow in current})
        for name in self._overrides.keys() - self._flows.keys():
            del self._overrides[name]
            self._shelf.over(name)

    async def close(self) -> None:
        """End what still runs."""
        await self.lookups.close()

    @property
    def _flows(self) -> dict[str, Playable]:
        return self._switch.treatments.flows.playables

    def _flow(self, name: str) -> Playable:
        if name not in self._flows:
            known = ", ".join(sorted(self._flows)) or "none"
            raise UnknownFlow(f"there is no flow {name!r}; known: {known}")
        return self._flows[name]

    def _view(self, flow: Playable) -> FlowView:
        trial = self._switch.treatments.flows.trials.get(flow.name)
        return FlowView(
            name=flow.name,
            version=flow.version if trial is None or trial.state == "promoted" else trial.old.version,
            kind="program" if flow.program is not None else "graph",
            nodes=0 if flow.flow is None else len(flow.flow.nodes),
            live=self.traffic.versions(flow.name),
            here=self.traffic.here(flow.name),
            trial=None if trial is None else trial.view(),
            override=self.override_of(flow.name),
        )

    def _check(self, name: str, to: str) -> None:
        try:
            destination = Destination.parse(to)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from error
        if destination == Destination("flow", name):
            raise LocalProtocolError("the flow would lead to itself")
        try:
            self._switch.handler_of(destination)
        except ConfigError as error:
            raise LocalProtocolError(str(error)) from error

    def _check_heard(self, flow: Playable, prompt: str) -> None:
        if "{" in prompt or "}" in prompt:
            raise LocalProtocolError("an override has no values: write the text without { and }")
        [said] = heard((prompt,))
        name = said.name if isinstance(said, Named) else f"text:{prompt}"
        catalogue = self._switch.prompts
        languages = flow.head.languages or (self._switch.config.ivr.language,)
        lacking = [missing for language in languages for missing in catalogue.missing((name,), language)]
        if len(lacking) == len(languages):  # a prompt in another language is better than none
            raise LocalProtocolError(lacking[0].message)

    def _told(self, name: str, made: FlowOverride) -> None:
        self._switch.bus.emit(
            FlowOverridden(
                at=self._switch.clock.now(),
                flow=name,
                prompt=made.prompt,
                to=made.to,
                until_wall=made.until,
                by=made.by,
            )
        )

    def _wall(self) -> float:
        clock = self._switch.clock
        return clock.wall_of(clock.now())
