"""The whole configuration: the settings of every package, composed. Each struct lives beside its code."""

from __future__ import annotations

from typing import Literal

import msgspec

from sipcc.acd.callback import CallbackSettings
from sipcc.acd.settings import AgentSettings, QueueSettings, RouterSettings, WorkflowSettings, with_bound
from sipcc.api.settings import ApiSettings, TokenSettings
from sipcc.call.screening import ScreeningSettings
from sipcc.call.settings import CallSettings, DiallingSettings, NumberSettings, TollSettings
from sipcc.call.trunkroutes import RouteSettings
from sipcc.ivr.bots.settings import BotSettings
from sipcc.ivr.fetch import FetchSettings
from sipcc.ivr.flows.settings import FlowSettings
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.hours import HoursSettings
from sipcc.ivr.settings import IvrSettings, MenuSettings
from sipcc.ivr.speech.settings import SpeechSettings
from sipcc.ivr.survey import SurveySettings
from sipcc.ivr.voicemail import MailboxSettings
from sipcc.ivr.vxml.settings import VxmlSettings
from sipcc.records.alerts import AlertSettings
from sipcc.records.settings import RecordSettings, WebhookSettings
from sipcc.regions import RegionSettings
from sipcc.rtp.settings import MediaSettings
from sipcc.sip.settings import SipSettings, TrunkSettings, UserSettings


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the daemon writes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    style: Literal["console", "json"] = "console"
    """Lines to read, or one JSON object per line."""


class DaemonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process ``sipccd``."""

    keeper: bool = True
    """Let a keeper hold the sockets: it starts the switch again when it dies, and calls go on. Without one a
    crash of the switch ends them; media workers that die are replaced in either case."""
    socket: str = ""
    """Unix socket on which it answers ``sipccd ladder``, ``status``, ``bans`` and their like; empty takes
    ``sipccd.sock`` beside the database, or beside the recordings when the database is a URL."""
    journal: str = ""
    """File in which calls are written down while they last, with their keys, so that another process can go
    on with them when the daemon dies under them; it needs media workers. Registrations stand beside it, in a
    file with the ending ``.phones``. Only their owner can read them. Empty takes ``sipccd.calls`` beside the
    socket's default place; ``off`` writes neither."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a switch needs to know. File names in it are absolute once `load` has read it."""

    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    calls: CallSettings = CallSettings()
    ivr: IvrSettings = IvrSettings()
    fetch: FetchSettings = FetchSettings()
    speech: SpeechSettings = SpeechSettings()
    vxml: VxmlSettings = VxmlSettings()
    records: RecordSettings = RecordSettings()
    log: LogSettings = LogSettings()
    dialling: DiallingSettings = DiallingSettings()
    toll: TollSettings = TollSettings()
    screening: ScreeningSettings = ScreeningSettings()
    regions: RegionSettings = RegionSettings()
    callbacks: CallbackSettings = CallbackSettings()
    daemon: DaemonSettings = DaemonSettings()
    api: ApiSettings = ApiSettings()
    users: tuple[UserSettings, ...] = ()
    trunks: tuple[TrunkSettings, ...] = ()
    agents: tuple[AgentSettings, ...] = ()
    queues: tuple[QueueSettings, ...] = ()
    workflows: tuple[WorkflowSettings, ...] = ()
    routers: tuple[RouterSettings, ...] = ()
    menus: tuple[MenuSettings, ...] = ()
    flows: tuple[FlowSettings, ...] = ()
    webapps: tuple[WebAppSettings, ...] = ()
    mailboxes: tuple[MailboxSettings, ...] = ()
    surveys: tuple[SurveySettings, ...] = ()
    bots: tuple[BotSettings, ...] = ()
    hours: tuple[HoursSettings, ...] = ()
    numbers: tuple[NumberSettings, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    alerts: tuple[AlertSettings, ...] = ()
    tokens: tuple[TokenSettings, ...] = ()
    webhooks: tuple[WebhookSettings, ...] = ()

    def __post_init__(self) -> None:
        """The numbers that are bound to queues are agents like any others."""
        msgspec.structs.force_setattr(self, "agents", with_bound(self.agents, self.queues))


TABLES: dict[str, type[msgspec.Struct]] = {
    "sip": SipSettings,
    "media": MediaSettings,
    "calls": CallSettings,
    "ivr": IvrSettings,
    "fetch": FetchSettings,
    "speech": SpeechSettings,
    "vxml": VxmlSettings,
    "records": RecordSettings,
    "log": LogSettings,
    "dialling": DiallingSettings,
    "toll": TollSettings,
    "screening": ScreeningSettings,
    "regions": RegionSettings,
    "callbacks": CallbackSettings,
    "daemon": DaemonSettings,
    "api": ApiSettings,
}
"""The sections that are written ``[name]``."""

LISTS: dict[str, type[msgspec.Struct]] = {
    "users": UserSettings,
    "trunks": TrunkSettings,
    "agents": AgentSettings,
    "queues": QueueSettings,
    "workflows": WorkflowSettings,
    "routers": RouterSettings,
    "menus": MenuSettings,
    "flows": FlowSettings,
    "webapps": WebAppSettings,
    "mailboxes": MailboxSettings,
    "surveys": SurveySettings,
    "bots": BotSettings,
    "hours": HoursSettings,
    "numbers": NumberSettings,
    "routes": RouteSettings,
    "alerts": AlertSettings,
    "tokens": TokenSettings,
    "webhooks": WebhookSettings,
}
"""The sections that are written ``[[name]]``, once for each."""
