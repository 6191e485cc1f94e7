"""What the ACD asks of the layers around it; `sipcc.switch` hands in the objects that do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from sipcc.acd.events import OfferOutcome
from sipcc.acd.settings import AgentSettings
from sipcc.recordpolicy import RecordPolicy
from sipcc.rtp.events import DigitBegan, DigitEnded


class Talk(Protocol):
    """How a conversation went, as `sipcc.call` tells it."""

    @property
    def ended_by(self) -> str:
        """``caller``, ``callee``, ``us`` or ``network``."""
        ...

    @property
    def seconds(self) -> float:
        """Length of the conversation."""
        ...

    @property
    def lost(self) -> bool:
        """True when the agent's leg died without a goodbye."""
        ...


class AgentLeg(Protocol):
    """The answered leg of an agent."""

    def hangup(self, cause: str = "normal") -> None:
        """End the leg, in the background; does nothing when it is over already."""
        ...


class Caller(Protocol):
    """The part of a call that the ACD uses. Verbs raise `sipcc.errors.CallEnded` after hang-up."""

    @property
    def id(self) -> str:
        """The call's id."""
        ...

    @property
    def caller(self) -> str:
        """The caller's number."""
        ...

    @property
    def ended(self) -> bool:
        """True from the moment the caller's leg is over."""
        ...

    def start_playing(self, *prompts: str, loop: bool = False, shared: bool = False) -> None:
        """Play in the background, in place of what plays now."""
        ...

    def stop_playing(self) -> None:
        """Be silent; does nothing when nothing plays or the call is over."""
        ...

    async def play(self, *prompts: str) -> None:
        """Play to the end; cancelling stops the sound within 20 ms."""
        ...

    async def say(self, kind: str, value: object) -> None:
        """Say a value; cancelling stops the sound within 20 ms."""
        ...

    async def ask(self, *prompts: str, digits: tuple[int, int] = (1, 1), timeout: float = 5.0) -> str | None:
        """Play prompts and collect so many keys, up to ``#``; None when none came. No sink hears them."""
        ...

    def listen_keys(self, sink: Callable[[DigitBegan | DigitEnded], None]) -> None:
        """Give the caller's keys to `sink`, and to nobody else, until `unlisten_keys`."""
        ...

    def unlisten_keys(self, sink: Callable[[DigitBegan | DigitEnded], None]) -> None:
        """Take back `listen_keys`."""
        ...

    async def prepare_recording(self, policy: RecordPolicy) -> None:
        """Let `policy` decide which of its talks are recorded; the caller may be told so first."""
        ...

    async def bridge(self, leg: Any) -> Talk:
        """Connect with `leg` until one side leaves. The ACD hangs `leg` up afterwards in any case."""
        ...

    async def wait_ended(self) -> str:
        """Wait until the caller's leg is over; the cause."""
        ...


class RingOutcome(msgspec.Struct, frozen=True):
    """How ringing one agent ended."""

    outcome: OfferOutcome
    """``answered`` comes with a leg; ``cancelled`` counts as ``failed`` when nobody cancelled."""
    sip_status: int
    """The final SIP status; 0 when there was none."""
    leg: AgentLeg | None = None


class Customer(Caller, Protocol):
    """A call that is made to a customer. First the dialer rings an agent on its behalf."""

    async def reach(self, leg: Any, *, timeout: float) -> OfferOutcome:
        """Ring the customer for `timeout` seconds at most, while `leg`, an agent's, hears it.

        After ``answered`` the customer is the caller, and `bridge` with `leg` is next. CallEnded is raised
        when the agent hangs up.
        """
        ...

    async def free(self) -> None:
        """Wait until no transfer has the customer any more; CallEnded when the call is over."""
        ...

    def release(self) -> None:
        """End the call, and hang up whoever is in it; does nothing when it is over."""
        ...


class Customers(Protocol):
    """Calls customers."""

    def call(self, call_id: str, number: str, queue: str) -> Customer:
        """Begin a call, to `number` for `queue`; nobody is rung yet."""
        ...


class Dialer(Protocol):
    """Rings agents."""

    async def ring(self, call: Any, agent: AgentSettings, *, timeout: float) -> RingOutcome:
        """Ring all phones of `agent` on behalf of `call`, for at most `timeout` seconds.

        Maps SIP to outcomes: 486/600 busy, 603/403 declined, 408/480/487 after ringing no_answer; 404,
        410, 503, no registration and no reply at all unreachable; anything else failed.

        Cancelling the task sends CANCEL, and no leg may survive it: a 200 that crosses the CANCEL is
        acknowledged and hung up by the dialer. It should end when the phone has stopped ringing,
        because the agent gets no other offer before; after 2 s the ACD does not wait longer.
        """
        ...


class Presence(Protocol):
    """Tells who is there when the ACD starts; afterwards `Acd.agent_reachable` tells of changes."""

    def reachable(self, agent: AgentSettings) -> bool:
        """True when a phone of this agent is registered now."""
        ...
