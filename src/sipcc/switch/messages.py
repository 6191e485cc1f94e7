"""Text messages (RFC 3428) between users, and between users and the application.

A message is handed on to every phone of its target, and the sender learns what the first phone said that
took it. Nothing is stored, and a text is never looked at: no word in it commands anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from sipcc.clock import Clock
from sipcc.errors import SipccError
from sipcc.log import get_logger
from sipcc.sip import Admitted, Binding, Endpoint, InboundRequest, NameAddr, Registrar, SipUri, UserSettings
from sipcc.sip.nat import plain_host
from sipcc.tasks import TaskScope

MAX_DATAGRAM_BYTES = 1300
"""The longest MESSAGE over UDP (RFC 3428 §8)."""
MAX_BYTES = 16_384
"""The longest MESSAGE over anything else."""
MAX_UNDER_WAY = 500
"""Messages that are being handed on; more earn 503."""
ANSWER_TIMEOUT = 20.0
"""Seconds that phones have to take a message; the sender waits no longer than 32 (RFC 4320 §4)."""
_HEADERS_BYTES = 500
"""What our headers may add to a body."""

_KEPT = ("Content-Type", "Content-Disposition", "Content-Language", "Date", "Subject", "In-Reply-To")

_log = get_logger("sipcc.messages")


class TextMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A MESSAGE as an application sees it."""

    sender: str
    """The user who sent it, or the number that a carrier says it comes from."""
    trunk: str
    """The trunk it came over, or ``""`` for one of our users."""
    target: str
    """The user part of the address that it was sent to."""
    content_type: str
    """``type/subtype`` in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")


MessageHandler = Callable[[TextMessage], Awaitable[bool | None]]


class Messages:
    """Takes MESSAGE outside of dialogs and hands it on.

    The application's `handler` sees each one first; what it returns True for goes no further.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        registrar: Registrar,
        users: Sequence[UserSettings],
        domain: str,
        clock: Clock,
    ) -> None:
        self.handler: MessageHandler | None = None
        self._endpoint = endpoint
        self._registrar = registrar
        self.load(users)
        self._domain = domain
        self._clock = clock
        self._scope = TaskScope("messages")
        endpoint.on_request["MESSAGE"] = self._on_message
        endpoint.outbound.allow_also("MESSAGE")

    def load(self, users: Sequence[UserSettings]) -> None:
        """Know other users from now on."""
        self._users = {user.name: user for user in users}
        self._names = {user.number: user.name for user in users if user.number}

    async def close(self) -> None:
        """Stop handing on; senders that still wait get no answer."""
        await self._scope.close()

    async def send(self, user: str, text: str, *, sender: str = "", display: str = "") -> int:
        """Send a text to all phones of `user`; the status of the first that took it, else of a refusal.

        404 is an unknown user, 480 one without phones, 413 a text too long for all of them. `sender` is
        the user part of From; empty sends it as the domain.
        """
        status = self._why_not(user)
        if status:
            return status
        from_ = NameAddr(SipUri(user=sender, host=self._domain), display)
        return await self._deliver(
            user, from_, [("Content-Type", "text/plain;charset=utf-8")], text.encode("utf-8")
        )

    # -- what comes in --------------------------------------------------------------------------------

    def _on_message(self, inbound: InboundRequest) -> None:
        request = inbound.request
        admitted = inbound.admitted
        if not isinstance(admitted, Admitted) or (admitted.user is None and admitted.trunk is None):
            inbound.reply(403)
        elif request.max_forwards <= 0:
            inbound.reply(483)
        elif len(bytes(request)) > (MAX_DATAGRAM_BYTES if inbound.flow.transport == "udp" else MAX_BYTES):
            inbound.reply(413)
        elif request.body and not request.content_type:
            inbound.reply(400, "Missing Content-Type")
        elif len(self._scope) >= MAX_UNDER_WAY:
            inbound.reply(503, headers=[("Retry-After", "5")])
        else:
            self._scope.spawn(self._treat(inbound, admitted), name=request.call_id)

    async def _treat(self, inbound: InboundRequest, admitted: Admitted) -> None:
        try:
            status = await self._status_of(inbound, admitted)
        except Exception:
            _log.exception("message.handler_crashed")
            status = 500
        inbound.reply(status)

    async def _status_of(self, inbound: InboundRequest, admitted: Admitted) -> int:
        request = inbound.request
        target = request.uri.user or ""
        target = self._names.get(target, target)
        sender = admitted.user or request.from_.uri.user or "anonymous"
        if self.handler is not None:
            trunk = admitted.trunk.name if admitted.trunk is not None else ""
            message = TextMessage(
                sender=sender,
                trunk=trunk,
                target=target,
                content_type=request.content_type,
                body=request.body,
            )
            if await self.handler(message):
                return 200
        status = self._why_not(target)
        if status:
            return status
        account = self._users.get(admitted.user or "")
        display = account.display if account is not None else ""
        headers = [(name, value) for name in _KEPT for value in request.headers.get_all(name)]
        headers.append(("Max-Forwards", str(request.max_forwards - 1)))
        # whoever proved to be 1001 speaks as 1001, whatever From said
        return await self._deliver(
            target, NameAddr(SipUri(user=sender, host=self._domain), display), headers, request.body
        )

    # -- what goes out --------------------------------------------------------------------------------

    def _why_not(self, user: str) -> int:
        """The status for a target that cannot be reached, 0 when it can."""
        if user not in self._users:
            return 404
        return 0 if self._phones(user) else 480

    def _phones(self, user: str) -> list[Binding]:
        """The phones of a user; one whose stream is closed is at its own address or nowhere.

        Its Contact may name anybody, and what we send there is believed to be ours, by a carrier above all.
        """
        return [
            binding
            for binding in self._registrar.bindings(user, now=self._clock.now())
            if (binding.flow is not None and not binding.flow.closed)
            or plain_host(binding.uri.host) == plain_host(binding.received.host)
        ]

    async def _deliver(self, user: str, from_: NameAddr, headers: list[tuple[str, str]], body: bytes) -> int:
        """Send to all phones at once; the first 2xx, else the best refusal."""
        to = NameAddr(SipUri(user=user, host=self._domain))
        waiting: set[asyncio.Task[int]] = {
            asyncio.ensure_future(self._ask(binding, from_, to, headers, body))
            for binding in self._phones(user)
        }
        refusals: list[int] = []
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                while waiting:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    statuses = [task.result() for task in done]
                    taken = [status for status in statuses if 200 <= status < 300]
                    if taken:
                        # the other phones get their copy all the same
                        for task in waiting:
                            self._scope.spawn(_wait_for(task), name="copy")
                        waiting = set()
                        return taken[0]
                    refusals += statuses
        except TimeoutError:
            refusals.append(480)
        finally:
            for task in waiting:
                task.cancel()
        return min(refusals, default=480, key=lambda status: (status == 480, status >= 500, status))

    async def _ask(
        self,
        binding: Binding,
        from_: NameAddr,
        to: NameAddr,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> int:
        transport = binding.flow.transport if binding.flow is not None else "udp"
        limit = MAX_DATAGRAM_BYTES - _HEADERS_BYTES if transport == "udp" else MAX_BYTES
        if len(body) > limit:
            return 413
        try:
            answer = await self._endpoint.request(
                "MESSAGE",
                binding.uri,
                from_=from_,
                to=to,
                headers=[*(("Route", str(hop)) for hop in binding.path), *headers],
                body=body,
                route=binding.flow,
                transport=transport,
            )
        except SipccError:
            return 480
        return answer.status if answer.status not in (401, 407, 408) else 480


async def _wait_for(task: asyncio.Task[int]) -> None:
    await task
