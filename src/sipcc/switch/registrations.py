"""REGISTER in both directions: phones that register with us, and trunks that we register at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipcc.clock import Clock
from sipcc.driver import Driver
from sipcc.errors import SipccError
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.sip import (
    Credentials,
    Endpoint,
    InboundRequest,
    NameAddr,
    Registrar,
    Registration,
    SipUri,
    TrunkSettings,
    response,
)
from sipcc.sip.transport.base import Address
from sipcc.tasks import TaskScope

_log = get_logger("sipcc.registrations")


class PhoneRegistrations:
    """Feeds REGISTER requests to the registrar, and tells when a user's phones come and go."""

    def __init__(
        self, endpoint: Endpoint, registrar: Registrar, clock: Clock, on_change: Callable[[str, int], None]
    ) -> None:
        self._registrar = registrar
        self._clock = clock
        self._on_change = on_change
        self._driver = Driver(registrar, self._flush)
        endpoint.on_request["REGISTER"] = self._on_register

    def close(self) -> None:
        """Stop watching expiry."""
        self._driver.close()

    def _on_register(self, inbound: InboundRequest) -> None:
        request = inbound.request
        user = getattr(inbound.admitted, "user", None)
        # whoever proved to be 1001 may move the phones of 1001 and of nobody else (RFC 3261 §10.3 step 4)
        if user is None or request.to.uri.user != user:
            inbound.respond(response(request, 403))
            return
        answer = self._registrar.receive(
            request, user, flow=inbound.flow, received=inbound.flow.remote, now=self._clock.now()
        )
        inbound.respond(answer)
        self._driver.pump()

    def _flush(self) -> None:
        for event in self._registrar.events():
            _log.info("registration.changed", user=event.aor, contacts=event.count)
            self._on_change(event.aor, event.count)
