"""Lamps of phones: calls of users, message counts and registrations as subscriptions tell them.

What calls do comes from the bus; nothing here decides about a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from sipcc.acd.settings import AgentSettings
from sipcc.bus import Bus
from sipcc.call import events
from sipcc.clock import Clock
from sipcc.sip import Endpoint, Registrar, SipUri, UserSettings
from sipcc.sip.notifier import Notifier
from sipcc.sip.packages import DialogPackage, Mailboxes, Party, RegistrationPackage, WatchedDialog
from sipcc.sip.packages.dialog_info import CallState, Direction
from sipcc.sip.subscription import EventPackage, SubscriptionSettings

if TYPE_CHECKING:
    from sipcc.call import Call, Leg


class _Facts(msgspec.Struct):
    """What does not change in a call as a lamp shows it."""

    resource: str
    direction: Direction
    remote: Party
    session: Any = None
    """The `InviteSession` with the watched phone, for those who take the call over."""


class Lamps:
    """Feeds the notifier with the calls, mailboxes and registrations of a switch.

    A lamp has the name of a user; the names of agents and the users' numbers mean the same lamp. An agent
    with a `uri` of its own, who is no user, has a lamp that shows the calls it is rung for.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        bus: Bus,
        *,
        settings: SubscriptionSettings,
        users: Sequence[UserSettings],
        agents: Sequence[AgentSettings],
        domain: str,
        registrar: Registrar,
        clock: Clock,
        find_call: Callable[[str], Call | None],
    ) -> None:
        self._settings = settings
        self._domain = domain
        self._clock = clock
        self._find_call = find_call
        self.load(users, agents)
        self._placed: dict[str, _Facts] = {}
        self._rung: dict[str, _Facts] = {}
        self._keys: dict[str, set[str]] = {}
        self._called: dict[str, str] = {}
        self.dialogs = DialogPackage(self._lamp_of, self._uri_of, partial=settings.partial)
        self.mailboxes = Mailboxes(self._user_of, self._uri_of)
        self.registrations = RegistrationPackage(
            self._user_of, self._uri_of, lambda user: registrar.bindings(user, now=clock.now())
        )
        self.notifier = Notifier(
            endpoint,
            [self.dialogs, self.mailboxes, self.registrations],
            settings=settings,
            may_watch=self._may_watch,
        )
        self._listen(bus)

    def load(self, users: Sequence[UserSettings], agents: Sequence[AgentSettings]) -> None:
        """Know other users and agents from now on."""
        self._users = {user.name: user.name for user in users}
        self._names = {user.number: user.name for user in users if user.number} | self._users
        for agent in agents:
            self._names.setdefault(agent.name, agent.user if agent.user and not agent.uri else agent.name)

    def close(self) -> None:
        """Tell all watchers to come back in a moment."""
        self.notifier.close()

    def user_busy(self, user: str, call: str, began: bool) -> None:
        """A user of ours placed a call, or is out of it; what is told of its legs is known from the bus."""
        if began and call in self._called:
            self._placed[call] = _Facts(user, "initiator", Party(self._uri_of(self._called[call])))
            self._show(self._placed, call, "trying")
        elif not began:
            self._show(self._placed, call, "terminated")

    def phones_changed(self, user: str) -> None:
        """The registrations of `user` changed."""
        self.registrations.update(user, now=self._clock.now())

    # -- names ----------------------------------------------------------------------------------------

    def _lamp_of(self, uri: SipUri) -> str | None:
        return self._names.get(uri.user or "")

    def _user_of(self, uri: SipUri) -> str | None:
        name = self._names.get(uri.user or "")
        return name if name in self._users else None

    def _uri_of(self, name: str) -> str:
        return str(SipUri(user=name, host=self._domain))

    def _may_watch(self, watcher: str, package: EventPackage, resource: str) -> bool:
        if self._settings.watch == "none":
            return False
        # where a phone is, network addresses included, is told to its owner alone (RFC 3680 §4.6)
        own_only = self._settings.watch == "own" or package is self.registrations
        return watcher == resource or not own_only

    # -- calls ----------------------------------------------------------------------------------------

    def _listen(self, bus: Bus) -> None:
        bus.on(events.CallStarted, self._call_started)
        bus.on(events.CallRinging, lambda event: self._show(self._placed, event.call, "early"))
        bus.on(events.CallAnswered, lambda event: self._show(self._placed, event.call, "confirmed"))
        bus.on(events.CallEndedEvent, self._call_ended)
        bus.on(events.LegStarted, lambda event: self._leg(event.call, event.leg, "trying"))
        bus.on(events.LegRinging, lambda event: self._leg(event.call, event.leg, "early"))
        bus.on(events.LegAnswered, lambda event: self._leg(event.call, event.leg, "confirmed"))
        bus.on(events.LegEnded, self._leg_ended)
        bus.on(events.TransferCompleted, self._transferred)

    def _call_started(self, event: events.CallStarted) -> None:
        self._called[event.call] = event.called

    def _call_ended(self, event: events.CallEndedEvent) -> None:
        self._called.pop(event.call, None)
        self._show(self._placed, event.call, "terminated")
        for key in self._keys.pop(event.call, ()):
            self._show(self._rung, key, "terminated")

    def _leg(self, call_id: str, leg_id: str, state: CallState) -> None:
        """A leg is there or has come further; one that came by a transfer is seen here first."""
        key = f"{call_id}/{leg_id}"
        if key not in self._rung:
            call = self._find_call(call_id)
            leg = call.other(leg_id) if call is not None else None
            if call is None or leg is None or not self._begin(key, call, leg):
                return
        self._show(self._rung, key, state)

    def _begin(self, key: str, call: Call, leg: Leg) -> bool:
        """Note what a lamp shall say of `leg`; False when it has none."""
        lamp = leg.user or self._names.get(leg.agent or "", "")
        if lamp:
            remote = Party(self._uri_of(call.caller), call.caller_name)
            placed = leg.role == "caller"
            self._keys.setdefault(call.id, set()).add(key)
            self._rung[key] = _Facts(lamp, "initiator" if placed else "recipient", remote, leg.session)
        return bool(lamp)

    def _leg_ended(self, event: events.LegEnded) -> None:
        why = _why(event.sip_status, event.ended_by == "callee")
        self._show(self._rung, f"{event.call}/{event.leg}", "terminated", why, event.sip_status)

    def _transferred(self, event: events.TransferCompleted) -> None:
        """Parties changed places: whoever talks now and was not known yet is busy."""
        call = self._find_call(event.into or event.call)
        if call is None or call.ended:
            return
        for leg in (call.leg, call.peer):
            if leg is None or leg.ended or (leg is call.leg and call.id in self._placed):
                continue
            key = f"{call.id}/{leg.id}"
            if key in self._rung or self._begin(key, call, leg):
                self._show(self._rung, key, "confirmed")

    def _show(
        self, where: dict[str, _Facts], name: str, state: CallState, event: str = "", code: int = 0
    ) -> None:
        facts = where.get(name)
        if facts is None:
            return
        if state == "terminated":
            del where[name]
        session = facts.session
        self.dialogs.update(
            facts.resource,
            WatchedDialog(
                id=name,
                direction=facts.direction,
                state=state,
                local=Party(self._uri_of(facts.resource)),
                remote=facts.remote,
                event=event,
                code=code if code >= 300 else 0,
                # Replaces names the dialog as we hold it: INVITE to the watched user comes to us
                call_id=session.call_id if session is not None else "",
                local_tag=session.local_tag if session is not None else "",
                remote_tag=session.remote_tag if session is not None else "",
            ),
        )


def _why(status: int, by_watched: bool) -> str:
    """The event of RFC 4235 §4.1.2 for how a call ended."""
    if status < 300:
        return "local-bye" if by_watched else "remote-bye"
    if status == 487:
        return "cancelled"
    if status == 408:
        return "timeout"
    return "rejected" if status < 500 or status >= 600 else "error"
