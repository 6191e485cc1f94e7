"""Carriers, told apart by the address that a request comes from, or by the certificate of its connection.

Nothing in a message, neither From nor Via nor credentials, makes somebody a carrier. One with names for its
certificate must prove one of them on each connection with TLS: there, its address is not enough.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache

from sipcc.errors import ConfigError
from sipcc.sip.nat import DEFAULT_PORT, plain_host
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.transport.base import Address, Flow, TransportName

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrunkTable:
    """The trunks of a configuration.

    Raises:
        ConfigError: an address cannot be read, belongs to two trunks, or a name is used twice.
    """

    def __init__(self, trunks: Iterable[TrunkSettings]) -> None:
        self._trunks: dict[str, TrunkSettings] = {}
        self._exact: dict[tuple[_Ip, int], TrunkSettings] = {}
        self._networks: list[tuple[_Network, TrunkSettings]] = []
        self._names: dict[str, TrunkSettings] = {}
        for trunk in trunks:
            if trunk.name in self._trunks:
                raise ConfigError("trunks", f"two trunks are named {trunk.name!r}")
            self._trunks[trunk.name] = trunk
            for address in trunk.addresses:
                self._add(trunk, address)
            for name in trunk.tls_names:
                if self._names.setdefault(name.lower(), trunk) is not trunk:
                    raise ConfigError(f"trunks.{trunk.name}.tls_names", f"{name!r} belongs to two trunks")
        self._networks.sort(key=lambda entry: entry[0].prefixlen, reverse=True)

    def _add(self, trunk: TrunkSettings, text: str) -> None:
        where = f"trunks.{trunk.name}.addresses"
        try:
            if "/" in text:
                self._add_network(trunk, ipaddress.ip_network(text), where)
                return
            host, port = _host_port(text)
            key = (_plain(ipaddress.ip_address(host)), port)
        except ValueError as error:
            raise ConfigError(where, f"{text!r}: {error}", hint="an IP, IP:port or a network") from error
        if self._exact.setdefault(key, trunk) is not trunk:
            raise ConfigError(where, f"{text!r} belongs to trunk {self._exact[key].name!r} too")

    def _add_network(self, trunk: TrunkSettings, network: _Network, where: str) -> None:
        if network.prefixlen == 0:
            # it would make a carrier of everybody, and so switch authentication off (GHSA-qqxj-v78h-hrf9)
            raise ConfigError(where, f"{network} is everybody", hint="name the networks of the carrier")
        if any(network == other and trunk is not owner for other, owner in self._networks):
            raise ConfigError(where, f"{network} belongs to two trunks")
        self._networks.append((network, trunk))

    def match(self, flow: Flow) -> TrunkSettings | None:
        """The trunk that `flow` comes from: by a proved name, or else by its address."""
        for name in flow.peer_names:
            trunk = self._names.get(name)
            if trunk is not None:
                return trunk
        trunk = self.match_address(flow.remote)
        if trunk is not None and trunk.tls_names and flow.transport in ("tls", "wss"):
            return None
        return trunk

    def match_address(self, source: Address) -> TrunkSettings | None:
        """The trunk at `source`: by address and port, by address, or by the smallest network."""
        ip = _ip_of(source.host)
        if ip is None:
            return None
        trunk = self._exact.get((ip, source.port)) or self._exact.get((ip, 0))
        if trunk is not None:
            return trunk
        return next((owner for network, owner in self._networks if ip in network), None)

    def by_name(self, name: str) -> TrunkSettings | None:
        """The trunk of that name, or None."""
        return self._trunks.get(name)

    def __iter__(self) -> Iterator[TrunkSettings]:
        return iter(self._trunks.values())

    def __len__(self) -> int:
        return len(self._trunks)


def destination_of(trunk: TrunkSettings) -> tuple[str, int, TransportName | None]:
    """Where calls to a carrier go: host, port (0 for what the DNS says), transport (None for the same).

    The host is empty for a carrier of which only networks are known: it calls us, and nobody calls it.
    """
    transport: TransportName | None = None if trunk.transport == "auto" else trunk.transport
    single = next((address for address in trunk.addresses if "/" not in address), "")
    if trunk.host or not single:
        return trunk.host, trunk.port, transport
    host, port = _host_port(single)
    return host, trunk.port or port, transport


def leads_to(trunk: TrunkSettings, host: str, port: int) -> bool:
    """True when a SIP URI with that host and port means the carrier, however the host is spelt."""
    host = plain_host(host).rstrip(".")
    usual = trunk.port or DEFAULT_PORT
    if port == usual and trunk.host and host == plain_host(trunk.host).rstrip("."):
        return True
    ip = _ip_of(host)
    if ip is None:
        return False
    for text in trunk.addresses:
        if "/" in text:
            if port == usual and ip in ipaddress.ip_network(text):
                return True
            continue
        known, own = _host_port(text)
        if ip == _ip_of(known) and port in (usual, own or usual):
            return True
    return False


def _host_port(text: str) -> tuple[str, int]:
    """``192.0.2.1``, ``192.0.2.1:5060``, ``2001:db8::1`` or ``[2001:db8::1]:5060``; port 0 is any port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        return text, 0
    if not port:
        return host, 0
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{port!r} is no port")
    return host, int(port)


@lru_cache(maxsize=4096)
def _ip_of(host: str) -> _Ip | None:
    """The address that `host` writes, or None for a name; every request asks this."""
    try:
        return _plain(ipaddress.ip_address(host))
    except ValueError:
        return None


def _plain(ip: _Ip) -> _Ip:
    """An IPv4 address that a dual-stack socket shows as ``::ffff:192.0.2.1`` is that IPv4 address."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip
