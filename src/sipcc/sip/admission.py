"""Who may come in: carriers by their address, users by digest, nobody else.

The core keeps nothing for strangers. A request without proof gets a challenge that is built from the
request and a secret alone; the endpoint sends it once, without a transaction, so that a forged source
address gains an attacker one small packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from sipcc.sip.auth import DigestServer, Rejected, make_ha1
from sipcc.sip.build import response
from sipcc.sip.message import Request, Response
from sipcc.sip.settings import TrunkSettings, UserSettings
from sipcc.sip.transport.base import Address
from sipcc.sip.trunk import TrunkTable


class Admitted(msgspec.Struct, frozen=True):
    """The request may come in, from a trunk, as a user, or (both None) as open to all."""

    trunk: TrunkSettings | None = None
    user: str | None = None
    """Name of the user who proved to be that one."""


class Refused(msgspec.Struct, frozen=True):
    """The request stays out; `response` is to be sent once. `reason` is for counters and logs.

    `reason` is ``stranger`` or one of `Rejected.reason`; ``wrong`` alone is worth counting for a ban.
    """

    response: Response
    reason: str


class Admission:
    """Decides about each request that opens something.

    ACK and CANCEL are always let through: they can only reach what was admitted (RFC 3261 §22.1), as are
    OPTIONS, which tell a stranger no more than that somebody listens. With `strangers` ``forbid``, a
    request from outside the trunks that carries no credentials gets 403 instead of a challenge, unless
    it is a REGISTER.
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
    ) -> None:
        self.trunks = trunks
        self.digest = DigestServer(realm, secret, nonce_life, algorithms=tuple(algorithms))
        self._strangers = strangers
        self._ha1 = {
            (user.name, algorithm): make_ha1(user.name, realm, user.password, algorithm)
            for user in users
            for algorithm in self.digest.algorithms
        }

    def check(self, request: Request, source: Address, *, now: float) -> Admitted | Refused:
        """Decide about `request`, which came from `source`; never raises for a parsed request."""
        if request.method in {"ACK", "CANCEL"}:
            return Admitted()
        trunk = self.trunks.match(source)
        if trunk is not None and request.method != "REGISTER":
            return Admitted(trunk=trunk)
        if request.method == "OPTIONS":
            return Admitted()
        values = request.headers.get_all("Authorization") + request.headers.get_all("Proxy-Authorization")
        if not values and self._strangers == "forbid" and request.method != "REGISTER":
            return Refused(self._answer(request, 403), "stranger")
        verdict = self.digest.verify(
            request.method, values, self._lookup, source=source.host, now=now, uri=request.uri
        )
        if isinstance(verdict, Rejected):
            challenge = self.digest.challenge(source=source.host, now=now, stale=verdict.stale)
            headers = [("WWW-Authenticate", value) for value in challenge]
            return Refused(self._answer(request, 401, headers), verdict.reason)
        return Admitted(user=verdict.user)

    def _lookup(self, user: str, realm: str, algorithm: str) -> str | None:
        return self._ha1.get((user, algorithm))

    def _answer(self, request: Request, status: int, headers: Iterable[tuple[str, str]] = ()) -> Response:
        """A stateless answer; its tag is made from the request, so that a retransmission gets the same."""
        tag = self.digest.stateless_tag(request)
        return response(request, status, to_tag=tag, headers=headers)
