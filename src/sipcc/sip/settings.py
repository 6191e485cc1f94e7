"""Settings of the signalling: what the operator writes under ``[sip]``, ``[[users]]`` and ``[[trunks]]``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sipcc.sip.timers import Timers

Option = Literal["off", "supported", "required"]
"""How an extension is treated: not offered, used when the peer has it, demanded."""

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86400 * 30)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class SipSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SIP endpoint."""

    listen: tuple[str, ...] = ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
    """Sockets, as ``transport:host:port``; an IPv6 host stands in brackets."""
    domain: str = ""
    """Domain of our users and realm of our digests; empty takes the host of the first listener."""
    nonce_life: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """Seconds that a digest nonce may be used."""
    digest: tuple[Literal["SHA-512-256", "SHA-256", "MD5"], ...] = ("SHA-256", "MD5")
    """Digest algorithms that users are challenged with, strongest first (RFC 8760). Some old phones give
    up at a challenge that they do not know, wherever it stands: they need ``["MD5"]``."""
    min_expires: Seconds = 60
    """Shortest registration in seconds; a shorter wish earns 423 (RFC 3261 §10.3)."""
    max_expires: Seconds = 3600
    """Longest registration in seconds; a longer wish is cut."""
    default_expires: Seconds = 600
    """Registration in seconds when the phone names none."""
    max_contacts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    """Bindings for one user at a time; one more earns 403."""
    user_agent: str = "sipcc"
    """Value of User-Agent and Server; empty sends neither."""
    session_timer: Option = "off"
    """Session timers (RFC 4028). With ``off`` a caller may still refresh by itself; ``required`` refuses
    peers that know none."""
    session_expires: Seconds = 1800
    """Session-Expires that we ask for, in seconds."""
    min_se: Seconds = 90
    """Shortest session interval that we accept, in seconds (RFC 4028 §5)."""
    timers: Timers = Timers()
    """The section ``[sip.timers]``."""


class UserSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account that may register and call."""

    name: Name
    """User part of the address of record, and digest user name."""
    password: str
    """Digest password, in the clear once the settings are loaded."""
    display: str = ""
    """Name shown to the called party."""
    number: str = ""
    """Telephone number shown to the called party; empty takes `name`."""


class TrunkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One carrier."""

    name: Name
    """Unique among trunks; the name in records and in ``dial:NAME/NUMBER``."""
    addresses: tuple[str, ...] = ()
    """Source addresses that are this carrier: an IP, ``IP:port``, or a network in CIDR form."""
    host: str = ""
    """Where calls to this carrier are sent; empty takes the first of `addresses`."""
    port: Port = 5060
    """Port that calls to this carrier are sent to."""
    transport: Literal["udp", "tcp"] = "udp"
    """Transport of calls to this carrier."""
    username: str = ""
    """Digest user name for this carrier's challenges; empty means no credentials."""
    password: str = ""
    """Digest password of `username`."""
    register: bool = False
    """True registers `username` at `host`."""
    expires: Seconds = 300
    """Registration in seconds that we ask for."""
    codecs: tuple[str, ...] = ()
    """Codecs in order of preference; empty takes those of ``[media]``."""
    max_calls: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Calls at a time, 0 for no limit."""
    caller_id: str = ""
    """Calling number for calls to this carrier; empty keeps the caller's."""
