"""A phone: registers as a user, and treats the calls it gets as it was told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from sipcc.rtp.flow import CodecName
from sipcc.sip import Credentials, InviteSession, NameAddr, SipUri
from sipcc.sip.nat import contact_transport
from sipcc.sip.settings import TlsSettings
from sipcc.sip.transport.base import Address, TransportName
from sipcc.tasks import TaskScope
from sipcc.testing.fakecall import FakeCall, NotSeenError
from sipcc.testing.network import HostNetwork
from sipcc.testing.party import FakeParty


class Answer(msgspec.Struct, frozen=True):
    """Ring, and answer after `after` seconds."""

    after: float = 0.5


class Decline(msgspec.Struct, frozen=True):
    """Ring, unless `rings` is False, and refuse with `status` after `after` seconds; 486 is busy."""

    status: int = 603
    after: float = 0.0
    rings: bool = True


class Ignore(msgspec.Struct, frozen=True):
    """Ring until the caller gives up."""


class Deaf(msgspec.Struct, frozen=True):
    """Take the INVITE, and send nothing but the 100 that any endpoint sends."""


Behaviour = Answer | Decline | Ignore | Deaf


class FakePhone(FakeParty):
    """A softphone of one user, by digest.

    `instance` is the URN that its device has for all its life, such as ``urn:uuid:...`` (RFC 5626 §4.1).
    """

    def __init__(
        self,
        user: str,
        password: str,
        *,
        server: Address,
        host: str = "127.0.0.1",
        domain: str = "",
        network: HostNetwork | None = None,
        transport: TransportName = "udp",
        codecs: tuple[CodecName, ...] = ("PCMU", "PCMA"),
        tone_hz: float = 0.0,
        behaviour: Behaviour | None = None,
        port: int = 0,
        seed: int | None = None,
        tls: TlsSettings = TlsSettings(),  # noqa: B008  # frozen
        instance: str = "",
    ) -> None:
        super().__init__(
            user,
            host,
            server=server,
            network=network,
            transport=transport,
            codecs=codecs,
            tone_hz=tone_hz,
            port=port,
            seed=seed,
            tls=tls,
        )
        self.user = user
        self.behaviours: list[Behaviour] = [behaviour or Answer()]
        """How the next calls are treated, in order; the last one stays for all that follow."""
        self.registered = False
        self._credentials = Credentials(user, password)
        self._domain = domain or server.host
        self._device = f';+sip.instance="<{instance}>"' if instance else ""
        self._scope = TaskScope(f"phone-{user}")
        self._register_call_id = self._ids.call_id()
        self._cseq = 0
        self._arrived: asyncio.Future[FakeCall] | None = None
        self._taken = 0

    async def start(self) -> None:
        """Open the SIP socket; call `register` next."""
        await super().start()
        self.endpoint.on_invite = self._rung

    async def stop(self) -> None:
        """Stop ringing and close; a registration is left as it is."""
        await self._scope.close()
        await super().stop()

    async def register(self, expires: int = 300, *, keep: bool = True) -> int:
        """Register and return the status; with `keep` it is renewed at half its life."""
        status = await self._send_register(expires)
        self.registered = status == 200 and expires > 0
        if self.registered and keep:
            self._scope.spawn(self._renew(expires), name="renew")
        return status

    async def unregister(self) -> int:
        """Take the registration back; the status."""
        await self._scope.close()
        return await self.register(0)

    async def next_call(self, timeout: float = 20.0) -> FakeCall:
        """The next call that comes in, or has come in and was not asked for yet."""
        try:
            async with asyncio.timeout(timeout):
                while len(self._incoming) <= self._taken:
                    self._arrived = asyncio.get_running_loop().create_future()
                    await self._arrived
        except TimeoutError:
            raise NotSeenError(f"phone {self.user}: no call within {timeout:g} s") from None
        self._taken += 1
        return self._incoming[self._taken - 1]

    async def call(
        self, number: str, *, tone_hz: float | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> FakeCall:
        """Call somebody through the server, with credentials; returns at once."""
        call = self.make_call("caller", what=f"to {number}")
        if tone_hz is not None:
            call.media.say_tone(tone_hz)
        host, port = self.server
        session = self.endpoint.invite(
            SipUri(user=number, host=host, port=port),
            from_=NameAddr(SipUri(user=self.user, host=self._domain)),
            to=NameAddr(SipUri(user=number, host=self._domain)),
            body=call.offer(),
            listener=call,
            headers=headers,
            destination=self.server,
            transport=self.transport,
            credentials=self._credentials,
            contact_user=self.user,
        )
        call.attach(session)
        return call

    @property
    def _incoming(self) -> list[FakeCall]:
        return [call for call in self.calls if call.role == "callee"]

    async def _send_register(self, expires: int) -> int:
        aor = NameAddr(SipUri(user=self.user, host=self._domain))
        contact = await self._contact()
        self._cseq += 10  # room for the repetition with credentials
        response = await self.endpoint.request(
            "REGISTER",
            SipUri(host=self._domain, port=self.server.port),
            from_=aor,
            to=aor,
            headers=[("Contact", f"<{contact}>{self._device}"), ("Expires", str(expires))],
            destination=self.server,
            transport=self.transport,
            credentials=self._credentials,
            call_id=self._register_call_id,
            cseq=self._cseq,
        )
        return response.status

    async def _contact(self) -> SipUri:
        """Where the server reaches this phone; a browser, or who does not listen, only on its connection."""
        host, port = self.address
        if not port:
            manager = self.endpoint.manager
            flow = manager.open_flow(self.transport, self.server)
            flow = flow or await manager.connect(self.server, transport=self.transport)
            host, port = self.endpoint.manager.sent_by(flow)
        contact = SipUri(user=self.user, host=host, port=port)
        if self.transport == "udp":
            return contact
        return contact.with_params(transport=contact_transport(self.transport))

    async def _renew(self, expires: int) -> None:
        while True:
            await asyncio.sleep(expires / 2)
            self.registered = await self._send_register(expires) == 200

    def _rung(self, session: InviteSession) -> None:
        behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        call = self.make_call("callee", what="called")
        call.attach(session)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(call)
        if not isinstance(behaviour, Deaf):
            self._scope.spawn(self._treat(call, behaviour), name="treat")

    async def _treat(self, call: FakeCall, behaviour: Answer | Decline | Ignore) -> None:
        if not isinstance(behaviour, Decline) or behaviour.rings:
            call.ring()
        if isinstance(behaviour, Ignore):
            return
        await asyncio.sleep(behaviour.after)
        if isinstance(behaviour, Answer):
            call.answer()
        else:
            call.decline(behaviour.status)
