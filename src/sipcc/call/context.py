"""What calls run on: handed in once by `sipcc.switch`, shared by all calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from sipcc.bus import Bus
from sipcc.call.diskwatch import DiskWatch
from sipcc.call.events import Decision
from sipcc.call.limits import CallLimits
from sipcc.call.numbering import Numbering
from sipcc.call.recording import Finisher
from sipcc.call.rooms import Conferences
from sipcc.call.settings import CallSettings
from sipcc.call.tollguard import TollGuard
from sipcc.clock import Clock
from sipcc.ids import Ids
from sipcc.journal import Journal
from sipcc.rtp.flow import Identity, MediaEngine
from sipcc.rtp.settings import MediaSettings
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.call.leg import Leg
    from sipcc.call.protocols import Handler, PromptSource
    from sipcc.call.ringing import Target
    from sipcc.call.saving import SavedCall
    from sipcc.sip import Endpoint
    from sipcc.sip.settings import UserSettings


class Locator(Protocol):
    """Finds the places where a party can be rung."""

    def locate(self, target: str) -> Sequence[Target]:
        """The places for a SIP URI, a number or a user name; empty when the user is not registered."""
        ...


class Waypoint(msgspec.Struct, frozen=True):
    """Where a transfer to something of ours leads: to a treatment, or to places that are rung."""

    handler: Handler | None = None
    places: tuple[Target, ...] = ()


class Signpost(Protocol):
    """Knows the names and numbers that are ours."""

    def find(self, target: str) -> Waypoint | None:
        """Where `target` leads, such as ``queue:sales``, ``agent:bob``, a number of ours, or a plain name.

        None for what is none of ours. An agent without a phone has no places.

        Raises:
            LocalProtocolError: it says of which kind it is, and there is none of that name.
        """
        ...


class _Nowhere:
    def find(self, target: str) -> Waypoint | None:
        return None


NOWHERE: Signpost = _Nowhere()


@dataclass(slots=True, eq=False)
class CallContext:
    """The surroundings of every call; a reload puts others in the place of some."""

    endpoint: Endpoint
    engine: MediaEngine
    bus: Bus
    clock: Clock
    ids: Ids
    prompts: PromptSource
    locator: Locator
    scope: TaskScope
    domain: str
    """The host part of the From that parties we ring are shown."""
    media: MediaSettings = MediaSettings()  # noqa: RUF009  # frozen
    """The section ``[media]``."""
    users: Mapping[str, UserSettings] = field(default_factory=dict)
    """Our users, by name."""
    identity: Identity | None = None
    """Who we are towards browsers; None refuses their media with 488."""
    recordings: str = "recordings"
    """Folder of recordings that were not given a path."""
    disk: DiskWatch = field(default_factory=DiskWatch)
    """Warns before the disk of the recordings is full."""
    finisher: Finisher = field(default_factory=Finisher)
    """Brings finished recordings into their final form."""
    hold_music: str = "hold"
    """Prompt that a party hears while the other one holds."""
    settings: CallSettings = field(default_factory=CallSettings)
    """The section ``[calls]``."""
    trunk_calls: CallLimits = field(default_factory=CallLimits)
    """The legs that are up on each trunk, both ways."""
    numbering: Numbering = field(default_factory=Numbering)
    """How numbers are written here and on each trunk."""
    journal: Journal[SavedCall] | None = None
    """Where conversations are written down, so that another process can go on with them."""
    conferences: Conferences = field(default_factory=Conferences)
    """Who is in which conference."""
    toll: TollGuard = field(default_factory=TollGuard)
    """What may be called, by whom and when."""
    agent_of: Callable[[str], str] = lambda user: ""
    """The agent at the phones of a user; empty for none."""
    signpost: Signpost = NOWHERE
    """Where transfers lead to that name something of ours."""
    on_user_busy: Callable[[str, str, bool], None] = lambda user, dialog, began: None
    """Told when a user's own call (placed by it, or rung for no queue) begins and ends."""
    on_agent_busy: Callable[[str, str, bool], None] = lambda agent, dialog, began: None
    """The same for an agent who is rung by name at a number that is no user's."""

    def decided(self, call: str, what: str, why: str) -> None:
        """Tell why a call, by its id, goes on where it does."""
        self.bus.emit(Decision(at=self.clock.now(), call=call, what=what, why=why))

    def agent_at(self, leg: Leg) -> str | None:
        """The agent whom a leg reaches: by a queue, by name, or as the one at that user's phone."""
        named = leg.target.agent if leg.target is not None else ""
        return leg.agent or named or self.agent_of(leg.user) or None
