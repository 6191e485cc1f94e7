"""What callers do in menus, as events."""

from __future__ import annotations

from typing import Literal

from sipcc.events import Event

Reason = Literal["option", "noinput", "nomatch"]


class MenuEntered(Event, frozen=True, kw_only=True):
    """A caller came to a menu."""

    call: str
    menu: str


class MenuLeft(Event, frozen=True, kw_only=True):
    """A caller left a menu: by one of its options, or because the retries were used up."""

    call: str
    menu: str
    reason: Reason
    keys: str
    """The option chosen; empty when none was."""
    destination: str
    """Where the call goes next, as `sipcc.call.destination.Destination` writes it."""
    retries: int
    """How often the menu was played again."""


class RingbackChanged(Event, frozen=True, kw_only=True):
    """Somebody changed what the callers of a number hear before the answer."""

    number: str
    ringback: str
    """What they hear from now on; empty for the ordinary ringing."""
    by: str = ""
    """Who did it; empty for a program."""


class HoursOverridden(Event, frozen=True, kw_only=True):
    """Somebody had a calendar open or closed whatever it says, or ended that."""

    calendar: str
    state: Literal["open", "closed", "cleared"]
    until_wall: float
    """The Unix time (seconds) at which it goes by its hours again; the present one when it was cleared."""
    by: str = ""
    """Who did it; empty for a program."""


class CallTagged(Event, frozen=True, kw_only=True):
    """A flow put something into the record of a call."""

    call: str
    name: str
    value: str


class ContextGiven(Event, frozen=True, kw_only=True):
    """What is known of a caller, for the agent who gets it: told when it enters a queue by a step."""

    call: str
    queue: str
    context: dict[str, str]


class NodeEntered(Event, frozen=True, kw_only=True):
    """A caller came to a node of a flow."""

    call: str
    flow: str
    version: str
    node: str
    kind: str
    """The node's type, such as ``menu``."""


class NodeLeft(Event, frozen=True, kw_only=True):
    """A caller left a node of a flow; what it typed or said is not told."""

    call: str
    flow: str
    version: str
    node: str
    edge: str
    """The way out, as `sipcc.ivr.flows.model.Edge` names it; ``ended`` when the call was over in the node."""
    noinput: int = 0
    """How often nothing came, in a question."""
    nomatch: int = 0
    """How often what came was wrong."""


class FlowFellBack(Event, frozen=True, kw_only=True):
    """Something went wrong in a flow, and the caller went where its `fallback` says."""

    call: str
    flow: str
    version: str
    node: str
    reason: str
    to: str


class FlowTrialEnded(Event, frozen=True, kw_only=True):
    """A changed flow was tried on some callers; now all get it, or none."""

    flow: str
    version: str
    """The changed one."""
    outcome: Literal["promoted", "rolled_back"]
    why: str
    by: str = ""
    """Who said so; empty when it came by itself."""


class FlowOverridden(Event, frozen=True, kw_only=True):
    """Somebody had all callers of a flow hear something first, or go elsewhere; or ended that."""

    flow: str
    prompt: str
    """What callers hear first; empty for nothing."""
    to: str
    """The destination in place of the flow; empty for the flow itself."""
    until_wall: float
    """The Unix time (seconds) at which it ends; the present one when it was ended."""
    by: str = ""
    """Who did it; empty for a program."""


class BotJoined(Event, frozen=True, kw_only=True):
    """A bot speaks with a caller from now on."""

    call: str
    bot: str
    """Its name in the settings, or its URL."""
    wire: str


class BotLeft(Event, frozen=True, kw_only=True):
    """A bot speaks with a caller no more, or could not be reached."""

    call: str
    bot: str
    ended_by: Literal["program", "lost", "unreachable", "hangup"]
    """``hangup`` is the caller's, or that of anyone but the bot."""
    seconds: float
    """How long it had the caller."""
    to: str
    """Where it sends the call, as a destination; empty when it does not say."""
    dropped: int
    """Messages of it that could not be read."""
