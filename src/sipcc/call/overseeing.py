"""A supervisor who is rung: its phone becomes a further party of the call that it supervises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sipcc.call.leg import Leg
from sipcc.call.ringing import Target, ring_targets
from sipcc.call.rooms import Supervising, Supervision
from sipcc.errors import LocalProtocolError

if TYPE_CHECKING:
    from sipcc.call.call import Call


class PhoneSupervision(Supervision):
    """A supervisor whose phone was rung for it, as a further party of the supervised call."""

    def __init__(self, call: Call, leg: Leg, role: Supervising) -> None:
        super().__init__(call, call, role)
        self._phone = leg

    @property
    def _leg(self) -> Leg:
        return self._phone

    @property
    def _place(self) -> str:
        return self._phone.id

    def leave(self) -> None:
        """Leave, and hang up; the others go on."""
        super().leave()
        self._phone.hangup("normal")

    def _give(self, other: Call, leg: Leg) -> None:
        """It is a party of that call already."""


async def ring_supervisor(
    call: Call, places: Sequence[Target], role: Supervising, *, timeout: float
) -> PhoneSupervision:
    """Ring a supervisor at `places`; who answers supervises `call`.

    Raises:
        LocalProtocolError: nobody talks in `call`.
        CallRejected: no phone of the supervisor's took it.
        TransactionTimeout: nobody answered within `timeout` seconds.
        CallEnded: `call` ended meanwhile.
    """
    if call.conversation is None or call.conversation.over:
        raise LocalProtocolError("nobody talks in this call")
    leg = await call.unless_ended(
        ring_targets(call, places, timeout=timeout, agent=None), undo=lambda leg: leg.hangup("cancelled")
    )
    supervision = PhoneSupervision(call, leg, role)
    call.supervisors.append(supervision)
    supervision._tell(role)
    call.on_end(lambda: supervision._finish("ended"))
    call.context.scope.spawn(_until_left(supervision, leg), name=f"{call.id}/{leg.id}/supervises")
    supervision.attach()
    return supervision


async def _until_left(supervision: PhoneSupervision, leg: Leg) -> None:
    await leg.wait_over()
    supervision._finish("left")
