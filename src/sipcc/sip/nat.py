"""What NATs need (RFC 3581, RFC 5626 in part): where responses go, and when to keep to a flow.

Pure rules over addresses.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Literal

from sipcc.sip.fields import Via
from sipcc.sip.transport.base import Address

Reach = Literal["public", "private", "loopback", "none"]

_SHARED = ipaddress.ip_network("100.64.0.0/10")
DEFAULT_PORT = 5060


@lru_cache(maxsize=4096)
def reach_of(host: str) -> Reach:
    """How far an address can be reached from; a host name counts as ``none``, since nobody resolved it."""
    try:
        address = ipaddress.ip_address(host)
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
    """True for an IP address in text, False for a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def prefers_flow(contact_host: str, source_host: str) -> bool:
    """True when a peer that wrote from `source_host` is better answered there than at its Contact.

    A Contact with another address than the source, and that is private, unspecified, ``.invalid`` or
    only a name, is one that a NAT hides. Two loopback addresses reach each other.
    """
    if contact_host.lower() == source_host.lower():
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
    if "rport" in via.params or via.host.lower() != source.host.lower():
        return source
    return Address(source.host, via.port or DEFAULT_PORT)
