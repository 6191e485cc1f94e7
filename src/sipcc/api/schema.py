"""What goes over HTTP, as structs: they are the only schema, and OpenAPI is made from them.

`at`, `since`, `deadline` and `joined` are seconds of the switch's monotonic clock; what is between two of
them is what matters. `wall` is Unix time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

import msgspec

from sipcc.acd import Acd, AgentSnapshot, QueueSnapshot, Verdict
from sipcc.acd.callback import CallbackState
from sipcc.api.desks import RingbackDesk
from sipcc.bus import Bus
from sipcc.call import Calls
from sipcc.clock import Clock
from sipcc.ids import Ids
from sipcc.ivr.flows.desk import FlowView
from sipcc.ivr.hooks.live import LiveApps
from sipcc.ivr.hours import CalendarView
from sipcc.ivr.hours import State as HoursState
from sipcc.ivr.voicemail import MailboxSettings, Message
from sipcc.records import Cdr, RecordKeeper
from sipcc.regions import Regions
from sipcc.sip import Endpoint, Registrar

RequestId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""Made by the client, new for each command; the same id gets the same answer."""

Verb = Literal["login", "logout", "ready", "pause", "end-wrap-up", "extend-wrap-up"]
"""What an agent can be told."""


class TrunkState(Protocol):
    """How a trunk is."""

    @property
    def name(self) -> str:
        """As in the configuration."""
        ...

    @property
    def up(self) -> bool:
        """Whether it takes calls."""
        ...

    @property
    def calls(self) -> int:
        """Calls over it, in both directions."""
        ...


class TrunkDesk(Protocol):
    """Who knows how the trunks are."""

    def trunks(self) -> Sequence[TrunkState]:
        """All of them."""
        ...


class RegionDesk(Protocol):
    """Who knows where callers are at home."""

    @property
    def regions(self) -> Regions:
        """As ``[regions]`` says."""
        ...


class HoursDesk(Protocol):
    """Who knows the calendars, and overrides them."""

    def views(self) -> Sequence[CalendarView]:
        """How each stands now."""
        ...

    def override(
        self, name: str, state: HoursState, *, until: float | None, seconds: float | None, by: str
    ) -> CalendarView:
        """Have one open or closed whatever it says."""
        ...

    def clear(self, name: str, *, by: str) -> CalendarView:
        """Have one go by its hours again."""
        ...


class FlowsDesk(Protocol):
    """Who knows the flows, and overrides them."""

    def views(self) -> Sequence[FlowView]:
        """How each stands now."""
        ...

    async def try_voice(self, name: str, prompt: str) -> None:
        """See that a voice can read what callers of one are to hear."""
        ...

    def override(self, name: str, *, seconds: float, prompt: str, to: str, by: str) -> FlowView:
        """Have callers of one hear something first, or go elsewhere."""
        ...

    def clear(self, name: str, *, by: str) -> FlowView:
        """Have one go as it is written again."""
        ...

    def end_trial(self, name: str, *, promote: bool, by: str) -> FlowView:
        """Give all callers the changed version of one, or none."""
        ...


class ReloadDone(Protocol):
    """What a reload has done."""

    @property
    def digest(self) -> str:
        """Of the configuration that is in force."""
        ...

    @property
    def changes(self) -> tuple[str, ...]:
        """In words."""
        ...

    @property
    def kept(self) -> tuple[str, ...]:
        """Keys that need a restart."""
        ...


class TalkDesk(Protocol):
    """Who knows what agents are to be told of callers."""

    def context(self, call: str) -> dict[str, str]:
        """What was found out of the caller of a live call."""
        ...


class VoicemailDesk(Protocol):
    """Who has the mailboxes."""

    @property
    def boxes(self) -> Sequence[MailboxSettings]:
        """All of them."""
        ...

    def boxes_of(self, users: tuple[str, ...]) -> tuple[str, ...]:
        """Those that any of `users` owns."""
        ...

    def messages(self, box: str) -> list[Message]:
        """The messages of one."""
        ...

    def get(self, message: str) -> Message:
        """One message; NoMessage when it is not there."""
        ...

    async def mark(self, message: str, heard: bool, *, by: str) -> Message:
        """Somebody has heard it."""
        ...

    async def delete(self, message: str, *, by: str) -> Message:
        """Throw it away."""
        ...

    async def erase(self, number: str, *, by: str) -> tuple[str, ...]:
        """Delete every message of a caller; their ids."""
        ...

    async def transcribed(self, message: str, text: str) -> Message:
        """What it says is known in words."""
        ...

    async def call_back(self, message: str, queue: str) -> Message:
        """Have an agent call whoever left it."""
        ...


class CentreApi(Protocol):
    """What the interface is over; `sipcc.switch.Switch` is one once it has started."""

    @property
    def acd(self) -> Acd:
        """Agents and queues."""
        ...

    @property
    def calls(self) -> Calls:
        """The live calls."""
        ...

    @property
    def keeper(self) -> RecordKeeper:
        """The records."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """Sees each SIP message."""
        ...

    @property
    def registrar(self) -> Registrar:
        """Knows where users can be reached."""
        ...

    @property
    def reception(self) -> RegionDesk:
        """Knows where callers are at home."""
        ...

    @property
    def flow_desk(self) -> FlowsDesk:
        """Knows the flows."""
        ...

    @property
    def hours(self) -> HoursDesk:
        """Knows the calendars."""
        ...

    @property
    def talks(self) -> TalkDesk:
        """Knows what agents are to be told of callers."""
        ...

    @property
    def voicemail(self) -> VoicemailDesk:
        """Has the mailboxes."""
        ...

    @property
    def ringbacks(self) -> RingbackDesk:
        """Knows what callers hear before somebody answers."""
        ...

    @property
    def live_apps(self) -> LiveApps:
        """Knows the calls that webhook applications drive."""
        ...

    async def reload(self) -> ReloadDone:
        """Read the configuration anew and go over to it; ConfigError changes nothing."""
        ...

    def desk(self) -> TrunkDesk:
        """What an operator sees."""
        ...

    @property
    def bus(self) -> Bus:
        """Tells what happens."""
        ...

    @property
    def ids(self) -> Ids:
        """Makes ids."""
        ...

    @property
    def clock(self) -> Clock:
        """Gives wall times."""
        ...


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Agents and queues as they stand."""

    at: float
    wall: float
    cursor: str
    """Follow ``/events`` from here to miss nothing."""
    agents: tuple[AgentSnapshot, ...]
    queues: tuple[QueueSnapshot, ...]


class LiveCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call that is up."""

    call: str
    caller: str
    called: str
    trunk: str | None
    context: dict[str, str] = {}
    """What flows and bots have found out of the caller, for whoever talks to it."""


class OfferTrace(msgspec.Struct, frozen=True, kw_only=True):
    """Why an offer went to its agent, and why not to the others: the first predicate that failed for each."""

    offer: str
    verdicts: tuple[Verdict, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The loop answers."""

    status: Literal["ok"] = "ok"


class Invariants(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules of the floor are broken now; the answer is 503 when there is one."""

    ok: bool
    violations: tuple[str, ...]


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """Call records, newest first."""

    records: tuple[Cdr, ...]
    next: str | None
    """Give it as ``after`` to have the next page; None at the end."""


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command."""

    request_id: RequestId
    reason: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Of a pause."""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0
    """Of an extended wrap-up."""


class Force(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a forced state."""

    request_id: RequestId
    state: Literal["offline", "not_ready", "ready"]
    """Comes at once, or after the present offer or talk."""
    reason: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Told with the change."""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a withdrawal."""

    request_id: RequestId


class Move(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a move to another queue."""

    request_id: RequestId
    queue: str
    keep_place: bool = True
    """Whether the caller stands there as if it had joined when it joined here."""


class Priority(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a change of priority."""

    request_id: RequestId
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)]
    """The caller's; that of its queue is added."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an assignment."""

    request_id: RequestId
    agent: str


class Steered(msgspec.Struct, frozen=True, kw_only=True):
    """Where a caller waits now."""

    entry: str
    """A new one after a move."""
    queue: str


class Done(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command that needs no more words."""

    request_id: RequestId


class ReloadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload has done."""

    digest: str
    """Of the configuration that is in force now; passwords do not count."""
    changes: tuple[str, ...]
    """In words, such as ``queues sales: changed strategy``."""
    kept: tuple[str, ...]
    """Keys whose new values count only from the next start on, such as ``sip.listen``."""


class CallbackOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a booking."""

    request_id: RequestId
    queue: str
    number: str
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] = 0
    """The customer's; that of its queue is added."""


class CallbackRow(msgspec.Struct, frozen=True, kw_only=True):
    """A customer to be called back."""

    id: str
    queue: str
    number: str
    priority: int
    joined: float
    """The age of its place in line."""
    booked: float
    expires: float
    not_before: float
    """The end of the pause after a call that did not reach the customer."""
    attempts: int
    """Calls that did not reach the customer."""
    state: CallbackState
    outcome: str | None
    """``served``, ``cancelled``, ``expired``, ``unreached`` or ``called_again``; None before the end."""


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """The caller has left the queue."""

    entry: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was refused."""

    error: str
    """A word for programs: ``unauthorised``, ``forbidden``, ``unknown``, ``conflict``, ``request_id_reused``,
    ``invalid``, ``gone``."""
    message: str
    path: str = ""
    """Of ``invalid``: the field, as in ``$.request_id``."""
    oldest: str = ""
    """Of ``gone``: the oldest cursor that can be followed from."""
