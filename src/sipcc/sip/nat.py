"""What NATs need (RFC 3581, RFC 5626 in part): where responses go, and when to keep to a flow.

Pure rules over addresses.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Literal

from sipcc.sip.fields import Via
from sipcc.sip.transport.base import Address, TransportName
from sipcc.sip.uri import SipUri

Reach = Literal["public", "private", "loopback", "none"]

_SHARED = ipaddress.ip_network("100.64.0.0/10")
DEFAULT_PORT = 5060

_TRANSPORTS: dict[str, TransportName] = {"udp": "udp", "tcp": "tcp", "tls": "tls", "ws": "ws", "wss": "wss"}
_PORTS: dict[TransportName, int] = {"tls": 5061, "ws": 80, "wss": 443}


def default_port(transport: TransportName) -> int:
    """The port of a URI that names none (RFC 3261 §19.1.2, RFC 7118 §5)."""
    return _PORTS.get(transport, DEFAULT_PORT)


def transport_of(uri: SipUri, otherwise: TransportName) -> TransportName:
    """The transport that `uri` asks for; `otherwise` where it names none, or none that we know.

    ``sips`` lifts TCP to TLS, and WS to WSS (RFC 3261 §26.2.2, RFC 7118 §5.3).
    """
    wanted = _TRANSPORTS.get((uri.param("transport") or "").lower(), otherwise)
    if wanted == "ws" and otherwise == "wss":
        return "wss"  # both are written ``transport=ws``
    if uri.scheme == "sips":
        return "wss" if wanted in ("ws", "wss") else "tls"
    return wanted


def contact_transport(transport: TransportName) -> str:
    """The transport parameter of our Contact on a flow (RFC 7118 §5: both WebSocket kinds are ``ws``)."""
    return "ws" if transport == "wss" else transport


@lru_cache(maxsize=4096)
def plain_host(host: str) -> str:
    """`host` in the one spelling that we compare and show.

    An address loses its brackets, its zone, and the prefix under which a socket for both families shows
    an IPv4 peer (RFC 4291 §2.5.5.2); IPv6 is written as RFC 5952 says. A name comes back in lower case.
    """
    bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return host.lower()
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def only_by_flow(host: str) -> bool:
    """True for the host of a browser: no name server knows it, only its flow leads there (RFC 7118 §5)."""
    return host.lower().rstrip(".").endswith(".invalid")


@lru_cache(maxsize=4096)
def reach_of(host: str) -> Reach:
    """How far an address can be reached from; a host name counts as ``none``, since nobody resolved it."""
    try:
        address = ipaddress.ip_address(plain_host(host))
    except ValueError:
        return "none"
    if address.is_unspecified or address.is_multicast:
        return "none"
    if address.is_loopback:
        return "loopback"
    if address.is_private or address.is_link_local or (address.version == 4 and address in _SHARED):
        return "private"
    return "public"


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """True for an IP address in text, also in brackets; False for a name."""
    try:
        ipaddress.ip_address(plain_host(host))
    except ValueError:
        return False
    return True


def prefers_flow(contact_host: str, source_host: str) -> bool:
    """True when a peer that wrote from `source_host` is better answered there than at its Contact.

    A Contact with another address than the source, and that is private, unspecified, ``.invalid`` or
    only a name, is one that a NAT hides. Two loopback addresses reach each other.
    """
    if plain_host(contact_host) == plain_host(source_host):
        return False
    reach = reach_of(contact_host)
    if reach == "loopback":
        return reach_of(source_host) != "loopback"
    return reach != "public"


def response_address(via: Via, source: Address) -> Address:
    """Where the response to a datagram goes (RFC 3261 §18.2.2, RFC 3581 §4).

    With rport, back to the source port. Without it, to the port of the Via, since some gateways send
    from one port and listen on another; unless the Via names another host than the source, which
    means that a NAT is between and its port is the only one that leads back.
    """
    if via.wants_rport or plain_host(via.host) != plain_host(source.host):
        return source
    return Address(source.host, via.port or DEFAULT_PORT)
