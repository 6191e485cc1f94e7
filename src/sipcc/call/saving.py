"""What is written down of a call that is up, so that another process can go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from sipcc.recordpolicy import Consent, RecordPolicy
from sipcc.rtp.flow import StreamParams
from sipcc.sip.reviving import SavedSession, save

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.leg import Leg


class SavedLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One party of a conversation."""

    id: str
    role: Literal["caller", "callee"]
    agent: str | None = None
    user: str = ""
    trunk: str = ""
    port: str
    """The id of its media port."""
    browser: bool = False
    session: SavedSession
    local_body: bytes
    """Our description in force."""
    remote_body: bytes
    """The peer's."""
    params: StreamParams
    local_hold: Literal["", "sendonly", "inactive", "null"] = ""
    held: bool = False


class SavedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A caller, and the other party if they talk."""

    id: str
    called: str
    language: str
    interaction: str = ""
    """The call that the caller's visit began with; empty for this one."""
    began: float = 0.0
    """When the call got its caller, in Unix time: of two calls a visit goes by the first. 0: unknown."""
    variables: dict[str, str] = {}
    caller: SavedLeg
    peer: SavedLeg | None = None
    """None for a caller in a menu or a queue, whose treatment begins anew."""
    recording: str = ""
    """Path of the recording that runs."""
    recorded: str = ""
    """The leg that it is made at."""
    recording_paused: bool = False
    recordings: int = 0
    """Files so far."""
    record_policy: RecordPolicy | None = None
    consent: Consent = ""
    """What is known of the caller's consent to be recorded."""


def save_call(call: Call) -> SavedCall | None:
    """What is to be kept of a call; None for one that is over, or not confirmed yet by the caller's ACK."""
    talk = call.conversation
    caller = None if call.ended else save_leg(call.leg)
    if caller is None:
        return None
    peer = None if talk is None or talk.over or talk.parted else save_leg(talk.peer)
    return SavedCall(
        id=call.id,
        called=call.called,
        language=call.language,
        interaction="" if call.interaction == call.id else call.interaction,
        began=call.context.clock.wall_of(call.began),
        variables=dict(call.variables),
        caller=caller,
        peer=peer,
        recording=call.taping.path or "",
        recorded=call.taping.leg_id,
        recording_paused=call.taping.paused,
        recordings=call.taping.count,
        record_policy=call.taping.policy,
        consent="" if call.taping.asking else call.taping.consent,
    )


def save_leg(leg: Leg) -> SavedLeg | None:
    """What is to be kept of a leg; None for one that is not up, or in the middle of an offer."""
    negotiation = leg.negotiation
    if leg.ended or negotiation.params is None or negotiation.remote is None:
        return None
    session = save(leg.session)
    if session is None:
        return None
    return SavedLeg(
        id=leg.id,
        role=leg.role,
        agent=leg.agent,
        user=leg.user,
        trunk=leg.trunk,
        port=leg.media.id,
        browser=negotiation.params.browser is not None,
        session=session,
        local_body=negotiation.local_body,
        remote_body=bytes(negotiation.remote),
        params=negotiation.params,
        local_hold=negotiation.local_hold,
        held=leg.held,
    )
