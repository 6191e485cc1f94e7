"""Our registration at a carrier: when to send which REGISTER (RFC 3261 §10.2).

      IDLE --start()--> TRYING --2xx--> REGISTERED --refresh time--> TRYING
      TRYING --401/407 with a new nonce--> TRYING      --423--> TRYING with the carrier's interval
      TRYING --other answers, no answer--> WAITING --back-off--> TRYING
      any --stop()--> STOPPING --any answer--> IDLE

The core makes whole requests but for Via; `Endpoint.request` sends them and its result comes back
through `receive` or `failed`. A refresh goes out at 0.5 to 0.9 of the interval, chosen anew each time, so
that many trunks do not knock at once.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from sipcc.sip.auth import Challenge, Credentials, authorization, challenges
from sipcc.sip.fields import delta_seconds
from sipcc.sip.message import Request, Response
from sipcc.sip.uri import NameAddr, SipUri

_FIRST_WAIT = 5.0
_LONGEST_WAIT = 300.0
_REFUSED_WAIT = 300.0
_MAX_PROOFS = 2
"""Times that the password is shown for one registration, unless a nonce was only stale."""
_MAX_ROUNDS = 4
"""Challenges and 423s in a row before we wait: a server that always asks again must not make a loop."""


class RegistrationState(enum.Enum):
    """Where the registration stands."""

    IDLE = "idle"
    TRYING = "trying"
    REGISTERED = "registered"
    WAITING = "waiting"
    STOPPING = "stopping"


class RegistrationChanged(NamedTuple):
    """The registration was won or lost. `status` is the answer that did it, 0 for no answer."""

    registered: bool
    status: int
    reason: str


class Registration:
    """One address of record at one registrar.

    Args:
        aor: the address that we register, in From and To.
        registrar: the Request-URI, such as ``sip:carrier.example.net``.
        contact: where the carrier shall send calls.
        credentials: for its challenges, or None.
        call_id: stays the same for all refreshes (RFC 3261 §10.2).
        tag: our From tag.
        expires: the interval that we ask for, in seconds.
        chance: a number in 0..1 at each call; spreads refreshes and back-off.
        cnonce: a fresh client nonce at each call.
    """

    def __init__(
        self,
        *,
        aor: SipUri,
        registrar: SipUri,
        contact: SipUri,
        credentials: Credentials | None,
        call_id: str,
        tag: str,
        expires: int = 300,
        chance: Callable[[], float],
        cnonce: Callable[[], str],
    ) -> None:
        self.state = RegistrationState.IDLE
        self.registered = False
        self.expires_at: float | None = None
        """When the carrier forgets us, in seconds of the clock."""
        self._aor = aor
        self._registrar = registrar
        self._contact = contact
        self._credentials = credentials
        self._call_id = call_id
        self._tag = tag
        self._wanted = expires
        self._chance = chance
        self._cnonce = cnonce
        self._cseq = 0
        self._challenge: tuple[Challenge, bool] | None = None
        self._nonce_count = 0
        self._rounds = 0
        self._proofs = 0
        self._failures = 0
        self._deadline: float | None = None
        self._to_send: list[Request] = []
        self._events: list[RegistrationChanged] = []

    def start(self) -> None:
        """Begin to register; no effect when begun already."""
        if self.state is RegistrationState.IDLE:
            self._try()

    def stop(self) -> None:
        """Take the registration back, if there is one."""
        registered = self.registered
        self._lost(0, "stopped")
        self._deadline = None
        self.state = RegistrationState.IDLE
        if registered:
            self.state = RegistrationState.STOPPING
            self._rounds = self._proofs = 0
            self._send(0)

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None while an answer is awaited."""
        return self._deadline

    def expire(self, *, now: float) -> None:
        """Refresh, or try again, when it is time."""
        if self._deadline is not None and now >= self._deadline:
            if self.expires_at is not None and now >= self.expires_at:
                self._lost(0, "expired")
            self._try()

    def to_send(self) -> list[Request]:
        """REGISTER requests to send now, without Via."""
        out, self._to_send = self._to_send, []
        return out

    def events(self) -> list[RegistrationChanged]:
        """What changed since the last call."""
        events, self._events = self._events, []
        return events

    def failed(self, reason: str, *, now: float) -> None:
        """No answer came: time-out or a broken transport."""
        if self.state is RegistrationState.STOPPING:
            self.state = RegistrationState.IDLE
        elif self.state is RegistrationState.TRYING:
            self._wait(0, reason, None, now)

    def receive(self, response: Response, *, now: float) -> None:
        """The final answer to the last REGISTER."""
        status = response.status
        if self.state not in {RegistrationState.TRYING, RegistrationState.STOPPING} or status < 200:
            return
        self._rounds += 1
        again = self._rounds <= _MAX_ROUNDS
        stopping = self.state is RegistrationState.STOPPING
        if status in {401, 407} and again and self._take_challenge(response):
            self._send(0 if stopping else self._wanted)
        elif stopping:
            self.state = RegistrationState.IDLE
        elif status < 300:
            self._won(response, now)
        elif status == 423 and again and self._take_minimum(response):
            self._send(self._wanted)
        else:
            self._wait(status, response.reason, delta_seconds(response.headers.get_raw("Retry-After")), now)

    def _take_challenge(self, response: Response) -> bool:
        """Remember the challenge; False when it asks again for what was just answered.

        Registrars are seen that change the nonce without ``stale=true``, so a new nonce alone is reason
        to try again; the same nonce means that the password is wrong.
        """
        credentials = self._credentials
        if credentials is None:
            return False
        for challenge in challenges(response):
            if credentials.realm is None or credentials.realm == challenge.realm:
                if self._proofs >= _MAX_PROOFS and not challenge.stale:
                    return False
                self._proofs += 1
                if self._challenge is not None and self._challenge[0].nonce == challenge.nonce:
                    return False
                self._challenge = (challenge, response.status == 407)
                self._nonce_count = 0
                return True
        return False

    def _take_minimum(self, response: Response) -> bool:
        minimum = delta_seconds(response.headers.get_raw("Min-Expires"))
        if minimum is None or not self._wanted < minimum <= 86400:
            return False
        self._wanted = minimum
        return True

    def _won(self, response: Response, now: float) -> None:
        granted = self._granted(response)
        self.state = RegistrationState.REGISTERED
        self.expires_at = now + granted
        self._deadline = now + granted * (0.5 + 0.4 * self._chance())
        self._failures = 0
        if not self.registered:
            self.registered = True
            self._events.append(RegistrationChanged(True, response.status, response.reason))

    def _granted(self, response: Response) -> int:
        """The interval of our Contact in the 200, at least 10 s so that a silly answer makes no flood."""
        granted = delta_seconds(response.headers.get_raw("Expires"))
        for contact in response.contacts:
            if contact.uri.matches(self._contact) and "expires" in contact.params:
                own = delta_seconds(contact.params["expires"].encode("utf-8", "surrogateescape"))
                granted = granted if own is None else own
        return max(10, min(granted or self._wanted, 86400))

    def _wait(self, status: int, reason: str, retry_after: int | None, now: float) -> None:
        self.state = RegistrationState.WAITING
        self._failures += 1
        self._challenge = None
        if retry_after is not None:
            pause = float(min(retry_after, 3600)) + self._chance()
        elif 400 <= status < 500 and status not in {408, 480}:
            pause = _REFUSED_WAIT  # a wrong password does not get right by knocking
        else:
            pause = min(_FIRST_WAIT * 2.0 ** (self._failures - 1), _LONGEST_WAIT)
        if retry_after is None:
            pause *= 0.75 + 0.5 * self._chance()
        self._deadline = now + pause
        held = self.expires_at
        if held is not None and now < held and (status >= 500 or status in {0, 408}):
            self._deadline = min(self._deadline, held)  # it still counts until then; the carrier is only ill
        else:
            self._lost(status, reason)

    def _lost(self, status: int, reason: str) -> None:
        if self.registered:
            self.registered = False
            self._events.append(RegistrationChanged(False, status, reason))
        self.expires_at = None

    def _try(self) -> None:
        self.state = RegistrationState.TRYING
        self._deadline = None
        self._rounds = self._proofs = 0
        self._send(self._wanted)

    def _send(self, expires: int) -> None:
        self._cseq += 1
        me = NameAddr(self._aor)
        request = Request.build(
            "REGISTER",
            self._registrar,
            [
                ("Max-Forwards", "70"),
                ("From", str(me.with_tag(self._tag))),
                ("To", str(me)),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                ("Contact", f"<{self._contact}>"),
                ("Expires", str(expires)),
            ],
        )
        if self._challenge is not None and self._credentials is not None:
            challenge, proxy = self._challenge
            self._nonce_count += 1
            value = authorization(challenge, request, self._credentials, self._nonce_count, self._cnonce())
            request.headers.add("Proxy-Authorization" if proxy else "Authorization", value)
        self._to_send.append(request)
