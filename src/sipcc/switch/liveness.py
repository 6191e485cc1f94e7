"""Whether the phones of agents are there: they are asked now and then, because a dead one does not say so.

A registration lasts for minutes after its phone has died. So each phone gets an OPTIONS every so often, and
one that leaves several in a row without an answer does not count any more, until it answers again or
registers. Any answer will do, also a refusal: somebody is there. Phones on WebSocket are not asked: the
connection tells (`sipcc.switch.registrations`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zlib import crc32

from sipcc.acd.events import OfferEnded, TalkEnded
from sipcc.errors import SipccError
from sipcc.log import get_logger
from sipcc.sip import Binding, NameAddr, SipUri
from sipcc.sip.nat import plain_host
from sipcc.sip.transport.base import Address, Flow
from sipcc.switch.comeback import Comeback
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.switch.switch import Switch

PROBE_S = 4.0
"""So long an answer is waited for; over UDP the request has been sent four times by then."""

SLICES = 10
"""The phones are asked in so many groups, one after the other, to spread the requests."""

_log = get_logger("sipcc.liveness")

Phone = tuple[str, str, Address]
"""Whose it is, its Contact, and where it registered from."""


class Liveness:
    """Asks the phones of all agents."""

    def __init__(self, switch: Switch) -> None:
        """Build it for a switch that has its endpoint and registrar; `start` begins to ask."""
        settings = switch.config.sip
        self._switch = switch
        self._losses = settings.probe_losses
        # the last probes of a phone take their time too
        self._pause = max(settings.probe_phones - self._losses * PROBE_S, settings.probe_phones / 2)
        self._scope = TaskScope("liveness")
        self._comeback = Comeback(switch)
        self._dead: set[Phone] = set()
        self._asking: set[Phone] = set()
        switch.bus.on(TalkEnded, self._on_talk_ended)
        switch.bus.on(OfferEnded, self._on_offer_ended)

    def start(self) -> None:
        """Begin to ask."""
        if self._pause:
            self._scope.spawn(self._run(), name="probes")

    async def stop(self) -> None:
        """Ask no more."""
        await self._comeback.stop()
        await self._scope.close()

    def alive(self, user: str) -> bool:
        """True when a phone of `user` is registered that is not known to be dead."""
        return any(_phone(user, binding) not in self._dead for binding in self._bindings(user))

    def registered(self, user: str, count: int, why: str) -> None:
        """A user has so many contacts now, and has lost others because of `why`."""
        self._switch.acd.user_reachable(user, count > 0, reason=why)
        self._switch.lamps.phones_changed(user)

    def closed(self, flow: Flow) -> None:
        """A connection has closed over which somebody had registered."""
        self._comeback.closed(flow)

    def heard(self, user: str, source: Address) -> None:
        """A phone of `user` has registered from `source`: it is there."""
        self._comeback.heard(user)
        dead = {phone for phone in self._dead if phone[0] == user}
        if dead:
            bound = {_phone(user, binding) for binding in self._bindings(user)}
            self._dead -= {phone for phone in dead if phone[2] == source or phone not in bound}
            if self.alive(user):
                self._switch.acd.user_reachable(user, True, login=False)

    def _bindings(self, user: str) -> list[Binding]:
        return self._switch.registrar.bindings(user, now=self._switch.clock.now())

    def _users_of(self, agent: str) -> tuple[str, ...]:
        found = self._switch.acd.floor.staff.agents.get(agent)
        return () if found is None else found.settings.users

    # Asking

    async def _run(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(self._pause / SLICES)
            number = (number + 1) % SLICES
            agents = self._switch.acd.floor.staff.agents.values()
            for user in {user for agent in agents for user in agent.settings.users}:
                if crc32(user.encode()) % SLICES == number:
                    self.ask(user)
            registered = {phone[0] for phone in self._dead}
            live = {_phone(user, binding) for user in registered for binding in self._bindings(user)}
            self._dead &= live

    def ask(self, user: str) -> None:
        """Ask the phones of `user` now."""
        for binding in self._bindings(user):
            phone = _phone(user, binding)
            if self._pause and phone not in self._asking and _askable(binding):
                self._asking.add(phone)
                self._scope.spawn(self._ask(phone, binding), name=user)

    async def _ask(self, phone: Phone, binding: Binding) -> None:
        try:
            for _ in range(1 if phone in self._dead else self._losses):
                if await self._answers(phone[0], binding):
                    self._found(phone)
                    return
            self._lost(phone)
        finally:
            self._asking.discard(phone)

    async def _answers(self, user: str, binding: Binding) -> bool:
        domain = self._switch.domain
        try:
            async with asyncio.timeout(PROBE_S):
                answer = await self._switch.endpoint.request(
                    "OPTIONS",
                    binding.uri,
                    from_=NameAddr(SipUri(host=domain)),
                    to=NameAddr(SipUri(user=user, host=domain)),
                    headers=[("Route", str(hop)) for hop in binding.path],
                    route=binding.flow,
                    transport=binding.flow.transport if binding.flow is not None else "udp",
                )
        except (TimeoutError, SipccError):
            return False
        return answer.status != 408  # of a proxy on the way

    def _found(self, phone: Phone) -> None:
        if phone in self._dead:
            self._dead.discard(phone)
            _log.info("phone.back", user=phone[0], contact=phone[1])
            self._switch.acd.user_reachable(phone[0], True, login=False)

    def _lost(self, phone: Phone) -> None:
        user = phone[0]
        if phone in self._dead or phone not in {_phone(user, one) for one in self._bindings(user)}:
            return
        self._dead.add(phone)
        _log.warning("phone.lost", user=user, contact=phone[1])
        if not self.alive(user):
            self._switch.acd.user_reachable(user, False, reason="no_answer_to_probes")

    # Suspicions

    def _on_talk_ended(self, event: TalkEnded) -> None:
        if event.lost:
            for user in self._users_of(event.agent):
                self.ask(user)

    def _on_offer_ended(self, event: OfferEnded) -> None:
        """An agent is offline whose phones took no call: it is back when one registers or answers a probe."""
        agent = self._switch.acd.floor.staff.agents.get(event.agent)
        if event.outcome == "unreachable" and agent is not None and not agent.reachable:
            for user in self._users_of(event.agent):
                self._dead |= {_phone(user, binding) for binding in self._bindings(user)}


def _phone(user: str, binding: Binding) -> Phone:
    return user, str(binding.uri), binding.received


def _askable(binding: Binding) -> bool:
    """False where the connection tells, and where a Contact names another host than the phone came from."""
    flow = binding.flow
    if flow is not None and not flow.closed:
        return flow.transport not in ("ws", "wss")
    return plain_host(binding.uri.host) == plain_host(binding.received.host)
