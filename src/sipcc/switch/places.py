"""Where a party can be rung: registered phones, numbers behind a trunk, or a SIP URI as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sipcc.call import Target
from sipcc.call.numbering import Numbering
from sipcc.call.trunkroutes import TrunkRoutes
from sipcc.clock import Clock
from sipcc.errors import ParseError
from sipcc.sip import Binding, Credentials, Registrar, SipUri, TrunkSettings
from sipcc.sip.gruu import is_gruu
from sipcc.sip.nat import DEFAULT_PORT, is_address
from sipcc.sip.transport.base import Address, Flow
from sipcc.sip.trunk import destination_of, leads_to


class Places:
    """Finds targets; `sipcc.call.context.Locator` is its face towards calls.

    | target | place |
    |---|---|
    | ``1001`` or ``sip:1001@our-domain`` of a known user | every registered contact, over its flow |
    | a GRUU of our domain | the one device that it names, if it is registered |
    | ``tel:NUMBER`` or ``NUMBER`` | it, by the first route that fits; without any route, the first trunk |
    | ``NAME/NUMBER`` | that number on the trunk, or by the route, called NAME |
    | a SIP URI at the address of a trunk | its user part as a number on that trunk |
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
        numbering: Numbering | None = None,
        routes: TrunkRoutes | None = None,
        media: Mapping[str, str] | None = None,
    ) -> None:
        """`media` is the setting of that name of each user; who is not in it has ``auto``."""
        self._numbering = numbering or Numbering()
        self._registrar = registrar
        self._domain = domain
        self._clock = clock
        self.load(users, media or {}, trunks, routes or TrunkRoutes((), chance=lambda: 0.0))

    def load(
        self,
        users: Sequence[str],
        media: Mapping[str, str],
        trunks: Sequence[TrunkSettings],
        routes: TrunkRoutes,
    ) -> None:
        """Go by other users, trunks and routes from now on."""
        self._users = frozenset(users)
        self._media = media
        self._trunks = {trunk.name: trunk for trunk in trunks if destination_of(trunk)[0]}
        self._routes = routes

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
        if slash and trunk_name in self._routes:
            return self._by_trunks(self._routes.by_name(trunk_name), number)
        try:
            uri = SipUri.parse(target)
        except ParseError:
            return [] if self._numbering.dialled(target) is None else self._by_route(target)
        if uri.scheme == "tel":
            return self._by_route(uri.subscriber)
        if uri.host == self._domain and uri.port is None:
            if is_gruu(uri):
                return self._device(uri)
            if uri.user in self._users:
                return self._phones(uri.user)
        if (trunk := self._trunk_at(uri)) is not None:
            # a carrier's address is no way round the rules for its trunk
            return [self._behind(trunk, uri.subscriber)]
        return [Target(uri=uri)]

    def _phones(self, user: str) -> list[Target]:
        return self._at(user, self._registrar.bindings(user, now=self._clock.now()))

    def _device(self, gruu: SipUri) -> list[Target]:
        device = self._registrar.device_of_gruu(gruu)
        binding = self._registrar.binding_of_gruu(gruu, now=self._clock.now())
        return [] if device is None or binding is None else self._at(device.aor, [binding])

    def _at(self, user: str, bindings: Sequence[Binding]) -> list[Target]:
        return [
            Target(
                uri=binding.uri,
                user=user,
                flow=binding.flow,
                transport=binding.flow.transport if binding.flow is not None else None,
                browser=self._is_browser(user, binding.flow),
                headers=tuple(("Route", str(hop)) for hop in binding.path),
            )
            for binding in bindings
            if not self._is_carrier(binding.uri, binding.flow)
        ]

    def _is_browser(self, user: str, flow: Flow | None) -> bool:
        media = self._media.get(user, "auto")
        if media == "auto":
            return flow is not None and flow.transport in ("ws", "wss")
        return media == "webrtc"

    def _is_carrier(self, contact: SipUri, flow: Flow | None) -> bool:
        """True when a phone registered a carrier as its place: to ring it would be a call past the rules.

        A name that only the DNS can read counts too: it may be the carrier's, and a phone whose stream is
        closed is where its stream came from, or nowhere.
        """
        if flow is not None and not flow.closed:
            return False
        return not is_address(contact.host) or self._trunk_at(contact) is not None

    def _by_route(self, number: str) -> list[Target]:
        if not self._routes:
            return self._by_trunks(list(self._trunks)[:1], number)
        numbering = self._numbering
        return self._by_trunks(self._routes.find(numbering.dialled(number), numbering.home), number)

    def _by_trunks(self, names: Sequence[str], number: str) -> list[Target]:
        """One place with the first of these trunks, and the others for when it fails."""
        found = [self._behind(self._trunks[name], number) for name in names if name in self._trunks]
        return [msgspec.structs.replace(found[0], instead=tuple(found[1:]))] if found else []

    def _behind(self, trunk: TrunkSettings, number: str) -> Target:
        host, port, transport = destination_of(trunk)
        dialled = self._numbering.dialled(number)
        # only digits that were judged leave: what is no number is written as it is, for the record
        user = number if dialled is None else self._numbering.outgoing(dialled, trunk)
        uri = SipUri(user=user, host=host, port=port or None)
        credentials = Credentials(trunk.username, trunk.password) if trunk.username else None
        return Target(
            uri=uri,
            destination=Address(host, port),
            transport=transport,
            credentials=credentials,
            trunk=trunk,
            number=dialled,
        )

    def _trunk_at(self, uri: SipUri) -> TrunkSettings | None:
        """The trunk that a SIP URI leads to, if any: by its host or a source address, at its port."""
        port = uri.port or DEFAULT_PORT
        return next((one for one in self._trunks.values() if leads_to(one, uri.host, port)), None)
