"""Who may come in: carriers by their address, users by digest, nobody else.

The core keeps nothing for strangers. A request without proof gets a challenge that is built from the
request and a secret alone; the endpoint sends it once, without a transaction, so that a forged source
address gains an attacker one small packet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from sipcc.sip.auth import DigestServer, Rejected, Verified, make_ha1
from sipcc.sip.build import response
from sipcc.sip.guard import Guard, Offence, is_scanner
from sipcc.sip.message import Request, Response
from sipcc.sip.nat import response_address
from sipcc.sip.peers import is_host, is_peer
from sipcc.sip.settings import GuardSettings, TrunkSettings, UserSettings
from sipcc.sip.transport.base import Address, Flow
from sipcc.sip.trunk import TrunkTable

if TYPE_CHECKING:
    from sipcc.sip.session_api import Usage

FORMER_TRUNKS = 8
"""Tables of trunks that are remembered, for the calls that go on after a trunk was taken out."""

_OFFENCES: dict[str, Offence] = {
    "malformed": "malformed",
    "replayed": "replay",
    "wrong": "wrong_password",
    "unknown": "unknown_user",
    "exhausted": "wrong_password",
}


class Admitted(msgspec.Struct, frozen=True):
    """The request may come in, from a trunk, as a user, or (both None) as open to all."""

    trunk: TrunkSettings | None = None
    user: str | None = None
    """Name of the user who proved to be that one."""
    source: Address | None = None
    """Where a user's phone sends from, when it listens elsewhere."""


class Refused(msgspec.Struct, frozen=True):
    """The request stays out; `response` is to be sent once. `reason` is for counters and logs.

    `reason` is ``stranger``, ``forged`` or one of `Rejected.reason`.
    """

    response: Response
    reason: str


class Dropped(msgspec.Struct, frozen=True):
    """The request stays out and gets no answer: its sender has guessed too often."""

    reason: str
    silent: bool = True


class Admission:
    """Decides about each request that opens something, and about those in a dialog from elsewhere.

    `check` lets ACK and CANCEL through, for outside of dialogs they reach nothing; `check_usage` decides
    about those that do. OPTIONS pass that are of carriers and of hosts that `guard` knows; a stranger's
    are challenged like anything else, since a scanner begins with them (§11.2 lets them be answered as an
    INVITE would be). With `strangers` ``forbid``, a request from outside the trunks that carries no
    credentials gets 403 instead of a challenge, unless it is a REGISTER.

    `is_bound` is true for a user and the source address of one of his live registrations.
    """

    def __init__(
        self,
        *,
        trunks: TrunkTable,
        users: Iterable[UserSettings],
        realm: str,
        secret: bytes,
        nonce_life: float = 60.0,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        strangers: Literal["challenge", "forbid"] = "challenge",
        guard: Guard | None = None,
        is_bound: Callable[[str, Address], bool] = lambda _user, _address: False,
    ) -> None:
        self.guard = Guard(GuardSettings()) if guard is None else guard  # an empty one is false
        self.digest = DigestServer(realm, secret, nonce_life, algorithms=tuple(algorithms))
        self._strangers = strangers
        self._is_bound = is_bound
        self._realm = realm
        self.trunks = trunks
        self._former: deque[TrunkTable] = deque(maxlen=FORMER_TRUNKS)
        self._know(users)

    def load(self, users: Iterable[UserSettings], trunks: TrunkTable) -> None:
        """Let in other users and trunks from now on; a carrier that is gone still ends its calls."""
        self._former.append(self.trunks)
        self.trunks = trunks
        self._know(users)

    def _know(self, users: Iterable[UserSettings]) -> None:
        self._users = {user.name: user for user in users}
        self._ha1 = {
            (user.name, algorithm): make_ha1(user.name, self._realm, user.password, algorithm)
            for user in self._users.values()
            for algorithm in self.digest.algorithms
        }

    def check(self, request: Request, flow: Flow, *, now: float) -> Admitted | Refused | Dropped:
        """Decide about `request`, which came on `flow`; never raises for a parsed request."""
        method = request.method
        if method in {"ACK", "CANCEL"}:
            return Admitted()
        trunk = self.trunks.match(flow)
        host = flow.remote.host
        if trunk is not None and method != "REGISTER":
            if flow.peer_names and self.guard.class_of(host, now=now) != "trunk":
                self.guard.welcome(host, now=now, trunk=True)
            return Admitted(trunk=trunk)
        if method == "OPTIONS" and self.guard.class_of(host, now=now) != "stranger":
            return Admitted()
        if is_scanner(request.headers.get_raw("User-Agent")):
            self.guard.tell(host, "scanner", now=now)
        values = _credentials(request)
        if not values:
            self.guard.got_nowhere(host, method, now=now)
            if self._strangers == "forbid" and method != "REGISTER":
                return Refused(self._answer(request, 403), "stranger")
        return self._prove(request, values, flow, now)

    def check_usage(
        self, request: Request, flow: Flow, usage: Usage, *, now: float
    ) -> Admitted | Refused | Dropped:
        """Decide about a request in the dialog of `usage`, and about the CANCEL of its INVITE.

        An ACK passes unless it brings a description; it is never answered.
        """
        admitted = getattr(usage, "admitted", None)
        if isinstance(admitted, Admitted) and admitted.source == flow.remote:
            return Admitted()
        if request.method == "ACK" and not request.body:
            return Admitted()
        verdict = self.check_in_dialog(request, flow, peer=usage.flow, user=_party_of(usage), now=now)
        if request.method == "ACK" and isinstance(verdict, Refused):
            return Dropped(verdict.reason)
        return verdict

    def check_in_dialog(
        self, request: Request, flow: Flow, *, peer: Flow, user: str, now: float
    ) -> Admitted | Refused | Dropped:
        """Decide about a request in a dialog whose peer is at `peer`.

        It passes from there, from the same trunk, from an address where `user`, the other party of the
        dialog, is registered, or with his digest. Who can prove nothing gets 481, as if there were no
        such dialog.
        """
        if is_peer(flow, peer):
            return Admitted()
        trunk = self.trunks.match(flow)
        if trunk is not None and trunk is self.trunks.match(peer):
            return Admitted(trunk=trunk)
        if user not in self._users:
            if is_host(flow, peer) or self._was_one_trunk(flow, peer):
                return Admitted()
        elif self._is_bound(user, flow.remote):
            return Admitted(user=user)
        elif request.method not in {"ACK", "CANCEL"}:
            verdict = self._prove(request, _credentials(request), flow, now)
            if not isinstance(verdict, Admitted) or verdict.user == user:
                return verdict
        self.guard.tell(flow.remote.host, "forged", now=now)
        return Refused(self._answer(request, 481), "forged")

    def _was_one_trunk(self, flow: Flow, peer: Flow) -> bool:
        """True for two addresses of a carrier that was there when the dialog began."""
        pairs = ((table.match(flow), table.match(peer)) for table in self._former)
        return any(one is not None and one is other for one, other in pairs)

    def _prove(
        self, request: Request, values: Sequence[str], flow: Flow, now: float
    ) -> Admitted | Refused | Dropped:
        host = flow.remote.host
        verdict = self.digest.verify(
            request.method,
            values,
            self._lookup,
            source=host,
            now=now,
            uri=request.uri,
            may_try=lambda user: self.guard.may_try(host, user, now=now) or self._is_bound(user, flow.remote),
        )
        if isinstance(verdict, Verified):
            self.guard.welcome(host, now=now)
            user = self._users[verdict.user].name  # the same object each time: it is kept with bindings
            return Admitted(user=user, source=_apart(request, flow))
        return self._refuse(request, verdict, host, now)

    def _refuse(self, request: Request, verdict: Rejected, host: str, now: float) -> Refused | Dropped:
        offence = _OFFENCES.get(verdict.reason)
        if offence is not None:
            guessed = verdict.user if verdict.reason in {"wrong", "unknown"} else ""
            self.guard.tell(host, offence, now=now, account=guessed)
        if verdict.reason == "exhausted":
            return Dropped(verdict.reason)
        challenge = self.digest.challenge(source=host, now=now, stale=verdict.stale)
        headers = [("WWW-Authenticate", value) for value in challenge]
        return Refused(self._answer(request, 401, headers), verdict.reason)

    def _lookup(self, user: str, realm: str, algorithm: str) -> str | None:
        return self._ha1.get((user, algorithm))

    def _answer(self, request: Request, status: int, headers: Iterable[tuple[str, str]] = ()) -> Response:
        """A stateless answer; its tag is made from the request, so that a retransmission gets the same."""
        tag = self.digest.stateless_tag(request)
        return response(request, status, to_tag=tag, headers=headers)


def _credentials(request: Request) -> list[str]:
    headers = request.headers
    return headers.get_all("Authorization") + headers.get_all("Proxy-Authorization")


def _party_of(usage: Usage) -> str:
    """The user at the other end of a dialog: who was admitted, or whom we called; empty for a carrier."""
    admitted = getattr(usage, "admitted", None)
    if isinstance(admitted, Admitted):
        return admitted.user or ""
    initial: Request | None = getattr(usage, "request", None)
    return "" if initial is None else initial.to.uri.user


def _apart(request: Request, flow: Flow) -> Address | None:
    """The source of a datagram whose sender wants answers at another port (see `response_address`)."""
    if flow.reliable or response_address(request.via, flow.remote) == flow.remote:
        return None
    return flow.remote
