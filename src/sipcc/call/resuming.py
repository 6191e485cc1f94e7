"""Conversations that a dead process has left: taken up again, with their ports, dialogs and records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sipcc.call import events
from sipcc.call.call import Call
from sipcc.call.caller import identify
from sipcc.call.describing import describe_leg
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.errors import SipccError
from sipcc.log import get_logger
from sipcc.sip.admission import Admitted
from sipcc.sip.auth import Credentials
from sipcc.sip.reviving import revive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sipcc.call.context import CallContext
    from sipcc.call.saving import SavedCall, SavedLeg
    from sipcc.rtp.flow import MediaPort
    from sipcc.sip import InviteSession
    from sipcc.sip.settings import TrunkSettings

_log = get_logger("sipcc.call")


@runtime_checkable
class Adopting(Protocol):
    """A media engine whose ports outlive the process that opened them."""

    def adopt(self, port_id: str) -> MediaPort:
        """Go on with a port; KeyError when there is none of that id."""
        ...


def resume_call(
    context: CallContext, saved: SavedCall, trunks: Mapping[str, TrunkSettings]
) -> tuple[Call, Leg | None] | None:
    """Take up a call: it and its other party, if there was one.

    None when a part of it is lost: what is left is hung up then, and its ports are closed.
    """
    parties = [saved.caller] if saved.peer is None else [saved.caller, saved.peer]
    ports, sessions, lost_part = _take_up(context, parties, trunks)
    try:
        if lost_part is not None:
            raise lost_part
        call = _call(context, saved, sessions[0], trunks)
        legs = [
            _leg(context, call, leg, port, session, trunks)
            for leg, port, session in zip(parties, ports, sessions, strict=True)
        ]
    except (KeyError, SipccError) as lost:
        _log.warning("call.not_resumed", call_id=saved.id, lost=str(lost))
        for session in sessions:
            session.bye()
        for port in ports:
            context.scope.spawn(_close(port), name=f"{saved.id}/close")
        return None
    for leg in legs:
        _count(context, leg)
    call.attach(legs[0])
    call.interaction = saved.interaction or call.id
    if saved.began:
        call.began += saved.began - context.clock.wall_of(call.began)
    if saved.peer is None:
        legs[0].media.stop_playing()
    else:
        call.adopt(legs[1])
    taping = call.taping
    taping.count, taping.policy, taping.consent = saved.recordings, saved.record_policy, saved.consent
    if saved.recording:
        taping.go_on(
            next((leg for leg in legs if leg.id == saved.recorded), legs[0]),
            saved.recording,
            paused=saved.recording_paused,
        )
    talking = saved.peer is not None
    now = context.clock.now()
    context.bus.emit(
        events.CallResumed(
            at=now,
            call=call.id,
            talking=talking,
            caller=call.caller,
            called=call.called,
            seconds=now - call.began,
            sip_call_ids=tuple(session.call_id for session in sessions),
        )
    )
    return call, legs[1] if talking else None


def _take_up(
    context: CallContext, parties: Sequence[SavedLeg], trunks: Mapping[str, TrunkSettings]
) -> tuple[list[MediaPort], list[InviteSession], Exception | None]:
    """All ports and dialogs that there are still, and why it is not all of them."""
    ports: list[MediaPort] = []
    sessions: list[InviteSession] = []
    lost: Exception | None = None
    for leg in parties:
        try:
            sessions.append(_session(context, leg, trunks))
            ports.append(_port(context, leg))
            if leg.trunk and leg.trunk not in trunks:
                raise KeyError(f"trunk {leg.trunk} is configured no more")
        except (KeyError, SipccError) as error:
            lost = error
    return ports, sessions, lost


def _port(context: CallContext, saved: SavedLeg) -> MediaPort:
    if not isinstance(context.engine, Adopting):
        raise KeyError("the media of this engine end with their process")
    return context.engine.adopt(saved.port)


def _call(
    context: CallContext, saved: SavedCall, session: InviteSession, trunks: Mapping[str, TrunkSettings]
) -> Call:
    leg = saved.caller
    identity = identify(
        session.request,
        trunk=trunks.get(leg.trunk),
        user=leg.user,
        users=context.users,
        numbering=context.numbering,
    )
    call = Call(
        context,
        call_id=saved.id,
        caller=identity.caller,
        caller_name=identity.caller_name,
        called=saved.called,
        trunk=leg.trunk or None,
        language=saved.language,
        request=session.request,
        identity=identity,
    )
    call.variables.update(saved.variables)
    return call


def _session(context: CallContext, saved: SavedLeg, trunks: Mapping[str, TrunkSettings]) -> InviteSession:
    trunk = trunks.get(saved.trunk)
    admitted = Admitted(trunk=trunk, user=saved.user or None)
    session = revive(
        context.endpoint,
        saved.session,
        policy=context.endpoint.policy_of(admitted),
        credentials=Credentials(trunk.username, trunk.password) if trunk and trunk.username else None,
    )
    session.admitted = admitted
    return session


def _leg(
    context: CallContext,
    call: Call,
    saved: SavedLeg,
    port: MediaPort,
    session: InviteSession,
    trunks: Mapping[str, TrunkSettings],
) -> Leg:
    trunk = trunks.get(saved.trunk)
    negotiation = describe_leg(context, port, trunk=trunk, user=saved.user, browser=saved.browser)
    negotiation.resume(
        saved.local_body, saved.remote_body, params=saved.params, local_hold=saved.local_hold, held=saved.held
    )
    leg = Leg(
        saved.id,
        role=saved.role,
        media=port,
        negotiation=negotiation,
        owner=call,
        user=saved.user,
        trunk=saved.trunk,
    )
    leg.attach(session)
    leg.state, leg.held = LegState.ANSWERED, saved.held
    return leg


def _count(context: CallContext, leg: Leg) -> None:
    """Count a leg among those of its trunk and its user; its end takes it away."""
    if leg.trunk:
        context.trunk_calls.take(leg.trunk, 0)
    if leg.user:
        # its queue has forgotten it: until the end it counts as a call of the user's own
        context.on_user_busy(leg.user, leg.busy_id, True)


async def _close(port: MediaPort) -> None:
    await port.close()
