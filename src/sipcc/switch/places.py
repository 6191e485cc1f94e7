"""Where a party can be rung: registered phones, numbers behind a trunk, or a SIP URI as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.call import Target
from sipcc.call.routing import normalise
from sipcc.clock import Clock
from sipcc.errors import ParseError
from sipcc.sip import Credentials, Registrar, SipUri, TrunkSettings
from sipcc.sip.transport.base import Address, TransportName


class Places:
    """Finds targets; `sipcc.call.context.Locator` is its face towards calls.

    | target | place |
    |---|---|
    | ``1001`` or ``sip:1001@our-domain`` of a known user | every registered contact, over its flow |
    | ``tel:NUMBER`` | the first trunk with a host |
    | ``NAME/NUMBER`` | that number on the trunk called NAME |
    | any other SIP URI | that URI |
    """

    def __init__(
        self,
        *,
        registrar: Registrar,
        users: Sequence[str],
        trunks: Sequence[TrunkSettings],
        domain: str,
        clock: Clock,
    ) -> None:
        self._registrar = registrar
        self._users = frozenset(users)
        self._trunks = {trunk.name: trunk for trunk in trunks if trunk.host or trunk.addresses}
        self._domain = domain
        self._clock = clock

    def registered(self, user: str) -> bool:
        """True when at least one phone of `user` is registered now."""
        return bool(self._registrar.bindings(user, now=self._clock.now()))

    def locate(self, target: str) -> list[Target]:
        """The places for `target`; empty when it is a user without a phone, or cannot be read."""
        if target in self._users:
            return self._phones(target)
        trunk_name, slash, number = target.partition("/")
        if slash and trunk_name in self._trunks:
            return [self._behind(self._trunks[trunk_name], number)]
        try:
            uri = SipUri.parse(target)
        except ParseError:
            return []
        if uri.scheme == "tel":
            trunks = list(self._trunks.values())
            return [self._behind(trunks[0], uri.user or "")] if trunks else []
        if uri.user in self._users and uri.host == self._domain and uri.port is None:
            return self._phones(uri.user)
        transport: TransportName = "tcp" if uri.params.get("transport") == "tcp" else "udp"
        return [Target(uri=uri, transport=transport)]

    def _phones(self, user: str) -> list[Target]:
        return [
            Target(
                uri=binding.uri,
                user=user,
                flow=binding.flow,
                transport=binding.flow.transport if binding.flow is not None else "udp",
                headers=tuple(("Route", str(hop)) for hop in binding.path),
            )
            for binding in self._registrar.bindings(user, now=self._clock.now())
        ]

    def _behind(self, trunk: TrunkSettings, number: str) -> Target:
        host = trunk.host or trunk.addresses[0].partition(":")[0]
        uri = SipUri(user=normalise(number), host=host, port=trunk.port)
        credentials = Credentials(trunk.username, trunk.password) if trunk.username else None
        return Target(
            uri=uri,
            destination=Address(host, trunk.port),
            transport=trunk.transport,
            credentials=credentials,
            caller_id=trunk.caller_id,
            trunk=trunk,
        )
