"""What is behind each destination, by one configuration. A call goes on by the one with which it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipcc.bus import Bus
from sipcc.call import Destination, Handler
from sipcc.call.treatments import plain_handler
from sipcc.clock import Clock
from sipcc.config import Config
from sipcc.switch.bots import Bots
from sipcc.switch.flows import FlowDesk, Flows
from sipcc.switch.ivrservices import live_services
from sipcc.switch.menus import Menus
from sipcc.switch.missing import missing
from sipcc.switch.queueing import Queueing
from sipcc.switch.routerlist import Routers
from sipcc.switch.surveys import Surveys
from sipcc.switch.talks import Talks
from sipcc.switch.vxml import VoiceXml
from sipcc.switch.webapps import WebApps
from sipcc.switch.workflows import Workflows

if TYPE_CHECKING:
    from sipcc.acd import Acd
    from sipcc.ivr.fetchhttp import HttpFetcher
    from sipcc.ivr.hooks.live import LiveApps
    from sipcc.ivr.live_sounds import Sounds
    from sipcc.switch.fetching import Fetching
    from sipcc.switch.httprouter import HttpPosts
    from sipcc.switch.speaking import Speaking
    from sipcc.switch.voicemail import Voicemails


class Treatments:
    """The handlers of a configuration, by their destinations."""

    def __init__(
        self,
        config: Config,
        *,
        acd: Acd,
        queueing: Queueing,
        app: Callable[[str], Handler],
        bus: Bus,
        clock: Clock,
        posts: HttpPosts,
        speaking: Speaking,
        fetching: Fetching,
        flows: FlowDesk,
        voicemail: Voicemails,
        talks: Talks,
        live_apps: LiveApps,
    ) -> None:
        """Read the menus, workflows and routers; `app` finds the handlers of programs.

        Raises:
            ConfigError: one is wrong.
        """
        self._queues = frozenset(queue.name for queue in config.queues)
        self.config, self.bus, self.acd, self.queueing = config, bus, acd, queueing
        self.clock = clock
        self._app, self._fetching = app, fetching
        self.services = live_services(self, speaking)
        """What live sessions are given."""
        self.menus = Menus(self)
        self.workflows = Workflows(config, acd=acd, queueing=queueing, clock=clock)
        self.routers = Routers(self, posts)
        self.flows = Flows(self, flows)
        self.live_apps = live_apps
        """The calls that applications of ``[[webapps]]`` drive now."""
        self.webapps = WebApps(self)
        self.vxml = VoiceXml(self)
        self.talks, self._voicemail = talks, voicemail
        self.surveys = Surveys(self)
        self._mailboxes = {box.name: box for box in config.mailboxes}
        self.bots = Bots(self)

    @property
    def fetcher(self) -> HttpFetcher:
        """What gets things by URL, as ``[fetch]`` allows it."""
        return self._fetching.of(self.config.fetch)

    @property
    def sounds(self) -> Sounds:
        """Sounds by URL, as files."""
        return self._fetching.sounds_of(self.config.fetch)

    def handler_of(self, destination: Destination) -> Handler:
        """The treatment behind a destination of any kind.

        Raises:
            ConfigError, LocalProtocolError: there is none.
        """
        plain = plain_handler(destination)
        if plain is not None:
            return plain
        name = destination.argument
        if destination.kind == "menu":
            return self.menus.handler(name)
        if destination.kind == "flow":
            return self.flows.handler(name)
        if destination.kind == "queue":
            if name not in self._queues:
                raise missing("queue", name, self._queues)
            return self.queueing.handler(name)
        if destination.kind == "workflow":
            return self.workflows.handler(name)
        if destination.kind == "router":
            return self.routers.handler(name)
        if destination.kind == "webapp":
            return self.webapps.handler(name)
        if destination.kind == "vxml":
            return self.vxml.handler(name)
        if destination.kind == "bot":
            return self.bots.handler(name)
        if destination.kind == "voicemail":
            return self._mailbox(name)
        if destination.kind == "survey":
            return self.surveys.handler(name)
        return self._app(name)

    def _mailbox(self, name: str) -> Handler:
        if name not in self._mailboxes:
            raise missing("mailbox", name, self._mailboxes)
        return self._voicemail.handler(self._mailboxes[name])
