"""Who may be fetched from: hosts that are allowed, and addresses that are refused.

A URL is checked before anything is looked up, and every address once more when a connection is made, by
whoever makes it: what a name means may have changed in between (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from sipcc.ivr.fetch import FetchError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = {"http": 80, "https": 443}

_NUMBER = r"(?:0x[0-9a-f]*|[0-9]+)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:\.{_NUMBER})*\.?", re.IGNORECASE)
_HIDDEN_STEP = re.compile(r"%2e|%2f|%5c|\\", re.IGNORECASE)

_PROTOCOLS_V4 = ipaddress.ip_network("192.0.0.0/24")  # Python has it otherwise in each version
_HOST = re.compile(r"[^\s/?#@%\\<>\[\]^`{|}\"]+")
_INSIDE_V6 = [
    ipaddress.ip_network(block)
    for block in ("64:ff9b:1::/48", "fec0::/10", "100::/64", "2001:db8::/32", "::/96")
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def inside(address: Address) -> bool:
    """Whether `address` is none of the open Internet: private, loopback, link-local, multicast and so on.

    An IPv6 address with an IPv4 one in it (mapped, 6to4, Teredo, NAT64) counts as that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return inside(address.ipv4_mapped)
        if address.sixtofour is not None:
            return inside(address.sixtofour)
        if address.teredo is not None:
            return True
        if address in _NAT64:
            return inside(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(address in block for block in _INSIDE_V6):
            return True
    elif address in _PROTOCOLS_V4:
        return True
    return not address.is_global or address.is_multicast or address.is_reserved


class Rule(NamedTuple):
    """One entry of the list of what is allowed; what is empty or None is not looked at."""

    scheme: str
    host: str
    port: int | None
    path: str
    network: Network | None

    def fits_place(self, host: str, port: int) -> bool:
        """Whether it allows a connection with `host`, whatever for."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            address = address_of(host)
            return address is not None and _within(address, self.network)
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return self.host == host

    def fits(self, scheme: str, host: str, port: int, path: str) -> bool:
        """Whether it allows a URL."""
        if self.scheme and self.scheme != scheme:
            return False
        if self.path and (not path.startswith(self.path) or _HIDDEN_STEP.search(path)):
            return False
        return self.fits_place(host, port)


def rule_of(entry: str) -> Rule:
    """The rule that `entry` of the settings stands for; ValueError says what is wrong with it."""
    scheme, mark, rest = entry.strip().lower().partition("://")
    if not mark:
        scheme, rest = "", entry.strip().lower()
        network = _network_of(rest)
        if network is not None:
            return Rule("", "", None, "", network)
    elif scheme not in PORTS:
        raise ValueError(f"{scheme}: is fetched from by nobody; http: and https: are")
    place, slash, _ = rest.partition("/")
    path = slash + entry.strip()[len(entry.strip()) - len(rest) + len(place) + 1 :] if slash else ""
    if slash and not mark:
        raise ValueError("what has a path needs http:// or https:// before it")
    host, port = _split(place)
    if not host or any(char in host for char in " @?#%\\"):
        raise ValueError("it has no host")
    if port is None and scheme:
        port = PORTS[scheme]
    address = address_of(host)
    if address is not None:
        return Rule(scheme, host, port, path, ipaddress.ip_network(address))
    if _NUMBERS.fullmatch(host):
        raise ValueError("an address is written as in 192.0.2.1")
    return Rule(scheme, host.rstrip("."), port, path, None)


def _network_of(text: str) -> Network | None:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        if text[:1].isdigit() or text.count(":") > 1:
            raise ValueError(str(error)) from None
        return None


def _split(place: str) -> tuple[str, int | None]:
    """Host and port of ``host``, ``host:port``, ``::1`` and ``[::1]:port``."""
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        digits = rest.removeprefix(":")
    elif place.count(":") == 1:
        host, _, digits = place.partition(":")
    else:
        host, digits = place, ""
    if not digits:
        return host, None
    if not digits.isdecimal() or not 0 < int(digits) < 65536:
        raise ValueError(f"{digits!r} is no port")
    return host, int(digits)


def address_of(host: str) -> Address | None:
    """The address that `host` is, when it is written as one; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _within(address: Address, network: Network) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return address in network or (mapped is not None and mapped in network)


class Guard:
    """Says what may be fetched. See `sipcc.ivr.fetch.FetchSettings` for the rules."""

    def __init__(self, allow: Iterable[str] = (), *, only_allowed: bool = False) -> None:
        self._rules = [rule_of(entry) for entry in allow]
        self._own: dict[str, Rule] = {}
        self._only_allowed = only_allowed

    def allow(self, url: str) -> None:
        """Allow the server of `url`: it stands in the operator's own configuration."""
        scheme, mark, rest = url.partition("://")
        origin = scheme + mark + re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
        self._own[origin] = rule_of(origin)

    def check_url(self, url: str, scheme: str, host: str, port: int, path: str) -> None:
        """Refuse a URL by what it says.

        Raises:
            FetchError: it is refused.
        """
        if scheme not in PORTS:
            raise FetchError(url, "refused", f"{scheme or 'no scheme'}: is not fetched")
        host = host.lower().rstrip(".")
        if not _HOST.fullmatch(host) or not 0 < port < 65536:
            raise FetchError(url, "refused", "it has no host, or no port that there is")
        if _NUMBERS.fullmatch(host) and address_of(host) is None:
            raise FetchError(url, "refused", "an address is written in another way than 192.0.2.1")
        rules = [*self._rules, *self._own.values()]
        if any(rule.fits(scheme, host, port, path) for rule in rules):
            return
        if self._only_allowed:
            raise FetchError(url, "refused", "it is not among what may be fetched")
        address = address_of(host)
        if address is not None and inside(address):
            raise FetchError(url, "refused", "the address is inside, and not allowed")
        if any(rule.path and rule.fits_place(host, port) for rule in rules):
            raise FetchError(url, "refused", "only other paths of this host may be fetched")

    def check_address(self, host: str, port: int, address: str) -> None:
        """Refuse an address that the name `host` has led to.

        Raises:
            FetchError: it is refused.
        """
        where = address_of(address)
        if where is None:
            raise FetchError(f"//{host}", "refused", "its address cannot be read")
        if not inside(where):
            return
        name = host.lower().rstrip(".")
        rules = [*self._rules, *self._own.values()]
        if not any(rule.fits_place(name, port) or rule.fits_place(address, port) for rule in rules):
            raise FetchError(f"//{host}", "refused", "its address is inside, and not allowed")
