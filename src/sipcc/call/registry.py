"""All live calls: takes an INVITE, finds its handler, runs it, and knows what is up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from sipcc.call import events
from sipcc.call.call import Call
from sipcc.call.caller import identify
from sipcc.call.describing import describe_leg
from sipcc.call.leg import Leg
from sipcc.call.legoffers import SDP
from sipcc.call.placing import PlacedCall, Placing
from sipcc.call.protocols import Handler
from sipcc.call.resuming import resume_call
from sipcc.call.routing import Route, Routes
from sipcc.call.takeover import take_over
from sipcc.errors import CallEnded, CallRejected, ParseError, SipccError, TransactionTimeout
from sipcc.log import get_logger
from sipcc.sip.admission import Admitted
from sipcc.sip.multipart import body_of

if TYPE_CHECKING:
    from sipcc.call.context import CallContext
    from sipcc.call.saving import SavedCall
    from sipcc.sip import InviteSession
    from sipcc.sip.settings import TrunkSettings

Treatment = Callable[[Call, Leg | None, Handler | None], Handler | None]
"""Told a call that was taken up, whom it talks to, and what calls for its number begin with; what it goes on
with, or None for what is usual."""

_log = get_logger("sipcc.call")


class Calls:
    """The live calls of a switch, and the way in for new ones."""

    def __init__(
        self,
        context: CallContext,
        routes: Routes[Handler],
        *,
        language: str = "en",
    ) -> None:
        context.endpoint.outbound.allow_also("REFER", "NOTIFY", "MESSAGE")
        context.endpoint.outbound.support_also("replaces", "norefersub")
        self._context = context
        self._routes = routes
        self._language = language
        self._live: dict[str, Call] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._given_up = asyncio.Event()
        self.total = 0
        """How many INVITEs for new calls came, refused ones included."""

    def load(self, routes: Routes[Handler], *, language: str) -> None:
        """Take new calls by other routes from now on; `language` is of those that have none of their own."""
        routes.follow(self._routes)
        self._routes, self._language = routes, language

    def __len__(self) -> int:
        return len(self._live)

    def get(self, call_id: str) -> Call | None:
        """A live call by its id."""
        return self._live.get(call_id)

    def live(self) -> list[Call]:
        """The live calls, oldest first; not those whose handler alone lives on."""
        return [call for call in self._live.values() if not call.ended]

    def place(self, placing: Placing) -> PlacedCall:
        """Begin a call to a customer; nobody is rung yet, and whoever places it must release it."""
        others = [call for call in self._live.values() if call.caller == placing.number]
        call = PlacedCall(self._context, placing, others=others)
        self._live[call.id] = call
        self._empty.clear()
        call.on_end(lambda: self._forget(call))
        return call

    async def drain(self, timeout: float) -> int:
        """Take no new calls and wait for the live ones to end; how many were left after `timeout` seconds.

        What is left is hung up.
        """
        self._context.endpoint.draining = True
        gone = asyncio.ensure_future(self._empty.wait())
        given_up = asyncio.ensure_future(self._given_up.wait())
        await asyncio.wait({gone, given_up}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        given_up.cancel()
        left = self.live()
        for call in left:
            await call.hangup("shutdown")
        await self._empty.wait()
        return len(left)

    def give_up(self) -> None:
        """End a drain now: what is still up is hung up."""
        self._given_up.set()

    def on_invite(self, session: InviteSession) -> None:
        """The endpoint's door: an INVITE for a new call was admitted."""
        context = self._context
        if "Replaces" in session.request.headers:
            take_over(context, session, _source_of(session)[1])
            return
        self.total += 1
        now = context.clock.now()
        call_id = context.ids.uid("call")
        request = session.request
        trunk, user = _source_of(session)
        trunk_name = trunk.name if trunk is not None else None
        identity = identify(request, trunk=trunk, user=user, users=context.users, numbering=context.numbering)
        caller, called = identity.caller, identity.called
        route = self._routes.find(called, trunk_name)
        context.bus.emit(
            events.CallStarted(
                at=now,
                call=call_id,
                caller=caller,
                called=called,
                trunk=trunk_name,
                sip_call_id=session.call_id,
                source=str(session.flow.remote),
            )
        )
        _log.info("call.started", call_id=call_id, caller=caller, called=called, trunk=trunk_name)
        if route is not None and route.is_full and route.full is not None:
            self._decided(call_id, f"route {route.pattern}: full", f"it has its {route.max_calls} calls")
            route = route.full
        if identity.wire is not None and identity.wire.privacy.cannot_serve:
            self._refuse(session, call_id, 500, "failed", "the caller asks for privacy that we cannot give")
        elif route is None:
            self._refuse(session, call_id, 404, "unallocated", f"no [[numbers]] or route fits {called}")
        elif route.is_full:
            full = f"route {route.pattern} has its {route.max_calls} calls"
            self._refuse(session, call_id, 486, "busy", full)
        elif trunk is not None and not context.trunk_calls.take(trunk.name, trunk.max_calls):
            full = f"trunk {trunk.name} takes no more calls now"
            self._refuse(session, call_id, 503, "no_resources", full)
        else:
            of_trunk = f" of trunk {route.trunk}" if route.trunk else ""
            self._decided(call_id, f"route {route.pattern}{of_trunk}", f"the closest that fits {called}")
            call = Call(
                context,
                call_id=call_id,
                caller=caller,
                caller_name=identity.caller_name,
                called=called,
                trunk=trunk_name,
                language=route.language or self._language,
                request=request,
                identity=identity,
            )
            self._live[call_id] = call
            if user:
                context.on_user_busy(user, call_id, True)
            self._empty.clear()
            route.calls += 1
            # at once: a CANCEL may have come in the same read as the INVITE
            arrivals = _Arrival(session)
            context.scope.spawn(self._run(call, session, route, arrivals), name=call_id)

    def _refuse(
        self,
        session: InviteSession,
        call_id: str,
        status: int,
        cause: str,
        why: str,
    ) -> None:
        session.reject(status)
        self._decided(call_id, f"refused: {status}", why)
        self._context.bus.emit(
            events.CallEndedEvent(
                at=self._context.clock.now(), call=call_id, cause=cause, sip_status=status, ended_by="us"
            )
        )

    def _decided(self, call_id: str, what: str, why: str) -> None:
        self._context.decided(call_id, what, why)

    async def _run(
        self, call: Call, session: InviteSession, route: Route[Handler], arrivals: _Arrival
    ) -> None:
        trunk, user = _source_of(session)
        structlog.contextvars.bind_contextvars(call_id=call.id)
        counted = True
        try:
            media = await self._context.engine.open()
            leg = Leg(
                self._context.ids.uid("leg"),
                role="caller",
                media=media,
                negotiation=describe_leg(
                    self._context,
                    media,
                    trunk=trunk,
                    user=user,
                    browser=session.flow.transport in ("ws", "wss"),
                ),
                owner=call,
                user=user,
                trunk=trunk.name if trunk is not None else "",
            )
            leg.busy_id, counted = call.id, False  # from here on it counts for as long as the leg is up
            call.attach(leg)
            leg.attach(session)
            if arrivals.cancelled:
                leg.on_cancelled(session)
                return
            await self._handle(call, leg, route.handler)
        except SipccError as error:
            # nothing has been set up yet: no port was free
            status, cause = error.disposition.sip_status, error.disposition.cause
            self._refuse(session, call.id, status, cause, str(error))
        except Exception:
            _log.exception("call.setup_crashed")
            self._refuse(session, call.id, 500, "failed", "a fault of ours; the log has it")
        finally:
            if user and counted:
                self._context.on_user_busy(user, call.id, False)
            if trunk is not None and counted:
                self._context.trunk_calls.give_back(trunk.name)
            route.calls -= 1
            self._forget(call)

    def resume(
        self,
        left: Mapping[str, SavedCall],
        trunks: Mapping[str, TrunkSettings],
        *,
        treatment: Treatment = lambda call, peer, handler: None,
    ) -> list[str]:
        """Go on with calls that an earlier process has left; returns those that are lost.

        Conversations go on. Whoever talked to nobody is treated from the beginning, as a call for the same
        number is. For either, `treatment` may know better.
        """
        lost = []
        for saved in left.values():
            resumed = resume_call(self._context, saved, trunks)
            if resumed is None:
                lost.append(saved.id)
                continue
            call, peer = resumed
            self._live[call.id] = call
            self._empty.clear()
            self._context.scope.spawn(self._go_on(call, peer, treatment), name=call.id)
        return lost

    async def _go_on(self, call: Call, peer: Leg | None, treatment: Treatment) -> None:
        """What is left of a call whose handler is lost: the talk and then its end, or all of it anew."""
        structlog.contextvars.bind_contextvars(call_id=call.id)
        _log.info("call.resumed", call_id=call.id, talking=peer is not None)
        route = self._routes.find(call.called, call.trunk) if peer is None else None
        if route is not None:
            route.calls += 1
        handler = treatment(call, peer, route.handler if route is not None else None)
        try:
            if handler is not None:
                await self._treat(call, handler)
            elif peer is not None:
                await self._treat(call, lambda resumed: _converse(resumed, peer))
            elif route is not None:
                await self._treat(call, route.handler)
            elif not call.ended:
                call.leg.hangup("unallocated")
        finally:
            if route is not None:
                route.calls -= 1
            call.note()
            self._forget(call)

    def _forget(self, call: Call) -> None:
        del self._live[call.id]
        if not self._live:
            self._empty.set()

    async def _handle(self, call: Call, leg: Leg, handler: Handler) -> None:
        """Take the caller's offer and run the handler; the caller's leg is over afterwards."""

        async def offered(call: Call) -> None:
            leg.take_offer(body_of(leg.session.request, SDP) or leg.session.request.body)
            await handler(call)

        await self._treat(call, offered)

    @staticmethod
    async def _treat(call: Call, handler: Handler) -> None:
        """Run a handler; whatever it does, the caller's leg is over afterwards."""
        cause, status = "normal", None
        try:
            await handler(call)
            await call.free()  # a transfer may have the caller still
            status = None if call.answered else 480
        except CallEnded:
            pass
        except (CallRejected, TransactionTimeout) as error:
            if await _back_to_transferor(call):
                return
            # the handler let the refusal of another party through: the caller gets it as well
            cause, status = error.disposition.cause, error.disposition.sip_status
            cause = cause if status != 408 else "no_answer"
        except SipccError as error:
            cause, status = error.disposition.cause, error.disposition.sip_status
            if isinstance(error, ParseError):
                status = error.status_hint  # of the offer: 400, or 488 when it is too much
            _log.warning("call.failed", error=str(error))
        except Exception:
            cause, status = "failed", 500
            _log.exception("call.handler_crashed")
        finally:
            if not call.ended:
                call.leg.hangup(cause, status=status)


async def _converse(call: Call, peer: Leg) -> None:
    await call.converse(peer, resumed=True)


async def _back_to_transferor(call: Call) -> bool:
    """A caller whom somebody put here before anybody answered goes back there; False when that fails too."""
    place, call.transferor = call.transferor, None
    if place is None or call.ended:
        return False
    try:
        await call.bridge(await call.dial(place, timeout=call.context.settings.transfer_timeout))
        await call.free()
    except SipccError:
        return False
    return True


def _source_of(session: InviteSession) -> tuple[TrunkSettings | None, str]:
    """The trunk that a call came from, and the user who proved to be its caller, as admission found them."""
    admitted = session.admitted
    if isinstance(admitted, Admitted):
        return admitted.trunk, admitted.user or ""
    return None, ""


class _Arrival:
    """Listens to a session until its leg is there, so that a CANCEL in between is not lost."""

    def __init__(self, session: InviteSession) -> None:
        self.cancelled = False
        session.listener = self  # type: ignore[assignment]  # nothing but CANCEL can come this early

    def on_cancelled(self, session: InviteSession) -> None:
        """The caller gave up before its call had a leg."""
        self.cancelled = True
