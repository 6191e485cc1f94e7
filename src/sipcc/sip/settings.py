"""Settings of the signalling: what the operator writes under ``[sip]``, ``[[users]]`` and ``[[trunks]]``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sipcc.sip.overload import OverloadSettings
from sipcc.sip.subscription import SubscriptionSettings
from sipcc.sip.timers import Timers
from sipcc.sip.trace import TraceSettings

Option = Literal["off", "supported", "required"]
"""How an extension is treated: not offered, used when the peer has it, demanded."""

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86400 * 30)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS 1.2 and later, for the listeners ``tls:`` and ``wss:`` and for what we connect to."""

    certificate: str = ""
    """PEM file with our certificate and those between it and its authority. Needed for listeners; carriers
    that ask for one get it too. A relative path starts at the settings file."""
    key: str = ""
    """PEM file with the private key, without a password; empty when it stands in `certificate`."""
    authorities: str = ""
    """PEM file with the authorities that we trust; empty takes those of the operating system."""
    verify: Literal["none", "optional", "required"] = "optional"
    """Certificates of those who connect to us: not asked for, checked where there is one, or demanded. For
    ``wss`` optional is none: browsers do not connect to a WebSocket that asks.
    Servers that we connect to must always prove their name (RFC 5922)."""


class WebSocketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SIP over WebSocket, for the listeners ``ws:`` and ``wss:`` (RFC 7118)."""

    path: str = "/ws"
    """Path of the URL at which browsers connect; all others get 404."""
    origins: tuple[str, ...] = ()
    """Pages that may connect besides those of the same host and port, as in ``https://desk.example.com``;
    ``"*"`` lets every page."""
    ping: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 30.0
    """Seconds between our pings to a browser that is silent; two without an answer close the connection,
    and the agent counts as gone. 0 sends none."""


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many connections others may hold to us, and how long; over TCP, TLS and WebSocket."""

    per_source: Annotated[int, msgspec.Meta(ge=1)] = 50
    """At a time from one address (IPv6: from one /64). An office behind one NAT needs one for each phone."""
    total: Annotated[int, msgspec.Meta(ge=1)] = 4000
    """At a time from all together."""
    idle: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    """Seconds without a byte after which a connection is closed."""


class DnsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the addresses of carriers and of other domains are found (RFC 3263)."""

    servers: tuple[str, ...] = ()
    """Name servers, as an IP or ``IP:port``; empty takes those of this machine."""
    timeout: Annotated[float, msgspec.Meta(gt=0, le=30)] = 3.0
    """Seconds that one question may take, over all name servers."""
    cache: Annotated[int, msgspec.Meta(ge=16, le=1_000_000)] = 4096
    """Answers that are remembered at most."""
    max_ttl: Annotated[float, msgspec.Meta(ge=0)] = 3600.0
    """Seconds that an answer is believed at most, whatever its zone says. When no name server answers, one
    that has run out serves for a day."""
    negative_ttl: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """Seconds that it is believed at most that a name has no records."""


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much anybody may send, and who is shut out.

    Rates are messages per second; a source may send what its rate gives in 3 s at once. A source is an
    IPv4 address or an IPv6 /64.
    """

    enabled: bool = True
    """False limits and bans nobody."""
    trusted: tuple[str, ...] = ("127.0.0.0/8", "::1")
    """Addresses and networks that are neither limited nor banned; they still have to prove who they are.
    Programs on this machine are among them, since a proxy in front of us would speak for everybody."""
    stranger_rate: Rate = 20.0
    """For one source that is no trunk and has proved no password within a day."""
    strangers_rate: Rate = 500.0
    """For all these sources together."""
    agent_rate: Rate = 50.0
    """For one registered phone, and for the rest of its host."""
    trunk_rate: Rate = 3000.0
    """For one address of a trunk."""
    tries: Annotated[int, msgspec.Meta(ge=2)] = 20
    """Wrong passwords for one account from one source within an hour; more are not looked at."""
    ban: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    """Seconds of the first ban of a source; each further one is twice as long."""
    max_ban: Annotated[float, msgspec.Meta(gt=0)] = 86400.0
    """Seconds of the longest ban."""


class SipSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SIP endpoint."""

    listen: tuple[str, ...] = ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
    """Sockets, as ``transport:host:port``, with udp, tcp, tls, ws or wss; an IPv6 host stands in brackets.
    ``tls`` and ``wss`` need a certificate in ``[sip.tls]``."""
    advertise: str = ""
    """The address, an IP or a name, that stands in Via and Contact for peers with public addresses, where a
    NAT is between them and us (a cloud's elastic address). Private networks are told our own."""
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
    probe_phones: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 30.0
    """Seconds within which the registered phone of an agent that has died is found out, by OPTIONS; 0 asks
    none. An agent without a living phone is offline until one answers or registers. Phones on WebSocket are
    not asked, because their connection tells."""
    probe_losses: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2
    """Requests in a row, of 4 s each, that a phone must leave without an answer to count as dead."""
    user_agent: str = "sipcc"
    """Value of User-Agent and Server; empty sends neither."""
    reliable: Option = "off"
    """Reliable provisional answers (RFC 3262): PRACK for each 18x. ``required`` refuses peers without it."""
    session_timer: Option = "off"
    """Session timers (RFC 4028). With ``off`` a caller may still refresh by itself; ``required`` refuses
    peers that know none."""
    session_expires: Seconds = 1800
    """Session-Expires that we ask for, in seconds."""
    min_se: Seconds = 90
    """Shortest session interval that we accept, in seconds (RFC 4028 §5)."""
    overload: OverloadSettings = OverloadSettings()
    """The section ``[sip.overload]``."""
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    """The section ``[sip.subscriptions]``."""
    timers: Timers = Timers()
    """The section ``[sip.timers]``."""
    trace: TraceSettings = TraceSettings()
    """The section ``[sip.trace]``."""
    guard: GuardSettings = GuardSettings()
    """The section ``[sip.guard]``."""
    hop_timeout: Annotated[float, msgspec.Meta(gt=0, le=32)] = 1.4
    """Seconds that a request waits for a first answer while there is another server to try (RFC 3263 §4.3).
    The last one has until Timer B or F."""
    hop_penalty: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 60.0
    """Seconds that a server which failed is tried after all others; a Retry-After counts instead."""
    dns: DnsSettings = DnsSettings()
    """The section ``[sip.dns]``."""
    tls: TlsSettings = TlsSettings()
    """The section ``[sip.tls]``."""
    websocket: WebSocketSettings = WebSocketSettings()
    """The section ``[sip.websocket]``."""
    connections: ConnectionSettings = ConnectionSettings()
    """The section ``[sip.connections]``."""


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
    srtp: Literal["", "off", "optional", "required"] = ""
    """Encrypted audio of this user's phones; empty is as in ``[media]``."""
    dtmf: Literal["", "auto", "events", "inband", "info"] = ""
    """How keys travel of this user's phones; empty is as in ``[media]``."""
    media: Literal["auto", "rtp", "webrtc"] = "auto"
    """How calls to this user are offered: as ``rtp`` for a telephone, as ``webrtc`` for a browser, and with
    ``auto`` by how the device registered: over WebSocket it is a browser. What it offers itself decides
    for its own calls."""


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a carrier counts as down. While it is, calls go to the other trunks of their route at once."""

    ping: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    """Seconds between OPTIONS to the carrier; 0 sends none."""
    up_after: Annotated[int, msgspec.Meta(ge=1, le=100)] = 2
    """Answered OPTIONS in a row after which it is up again."""
    down_after: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    """OPTIONS in a row without an answer, or with 408 or 503, after which it is down."""
    break_after: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 5
    """Calls in a row that failed for the carrier's sake (503, 408, nothing at all) after which it gets no
    calls for a while; 0 for never."""
    break_for: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0
    """Seconds of that while. Then one call is a trial: when it fails too, the next while is twice as long,
    up to ten times."""


class TrunkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One carrier."""

    name: Name
    """Unique among trunks; the name in records and in ``dial:NAME/NUMBER``."""
    addresses: tuple[str, ...] = ()
    """Source addresses that are this carrier: an IP, ``IP:port``, or a network in CIDR form."""
    host: str = ""
    """Where calls to this carrier are sent; empty takes the first of `addresses`."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """Port that calls to this carrier are sent to; 0 takes the SRV records of `host`, or else the usual
    port of the transport."""
    transport: Literal["udp", "tcp", "tls", "auto"] = "udp"
    """Transport of calls to this carrier; ``auto`` leaves it to the NAPTR and SRV records of `host`."""
    tls_names: tuple[str, ...] = ()
    """Names that the certificate of this carrier may show: a connection over TLS whose certificate proves
    one of them is this carrier, wherever it comes from."""
    profile: Literal["strict", "tolerant"] = "strict"
    """How its messages are read. ``tolerant`` forgives what some carriers send: lines that end in LF alone,
    a wrong Content-Length on UDP, answers without a To tag, a missing Max-Forwards. All others get strict."""
    reliable: Literal["", "off", "supported", "required"] = ""
    """Reliable provisional answers (RFC 3262) on calls with this carrier; empty is as in ``[sip]``."""
    session_timer: Literal["", "off", "supported", "required"] = ""
    """Session timers (RFC 4028) on calls with this carrier; empty is as in ``[sip]``."""
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
    srtp: Literal["", "off", "optional", "required"] = ""
    """Encrypted audio on calls with this carrier; empty is as in ``[media]``."""
    dtmf: Literal["", "auto", "events", "inband", "info"] = ""
    """How keys travel on calls with this carrier; empty is as in ``[media]``."""
    max_calls: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Calls at a time, 0 for no limit."""
    calls_per_second: Annotated[float, msgspec.Meta(ge=0, le=10000)] = 0.0
    """New calls per second to this carrier, 0 for no limit."""
    health: HealthSettings = HealthSettings()
    """The section ``[trunks.health]``."""
    caller_id: str = ""
    """Calling number for calls to this carrier; empty keeps the caller's. With `numbers` it is what a caller
    is shown as whose number is none of them."""
    numbers: tuple[str, ...] = ()
    """Numbers that this carrier gave us, also as beginnings such as ``0108123*``. A call to this carrier
    never shows another one as its caller; empty knows no such rule."""
    trusted: bool = False
    """True believes the caller that this carrier asserts (P-Asserted-Identity, Remote-Party-ID) rather than
    From, and its redirections (Diversion, History-Info)."""
    identity: Literal["from", "pai", "ppi", "rpid"] = "from"
    """The header that tells this carrier who calls: From alone, or also P-Asserted-Identity,
    P-Preferred-Identity or Remote-Party-ID."""
    diversion: Literal["none", "diversion", "history-info"] = "none"
    """How this carrier is told that a call was redirected to it."""
    country: str = ""
    """Country code of numbers on this trunk, such as ``86``; empty takes that of ``[dialling]``."""
    area_code: str = ""
    """Area code of numbers without one on this trunk; empty takes that of ``[dialling]``."""
    number_format_in: Literal["e164", "national", "as_is"] = "national"
    """How this carrier writes numbers. ``national`` reads all the usual ways; ``e164`` takes digits without
    any prefix for country code and number; ``as_is`` changes nothing."""
    number_format_out: Literal["e164", "national", "as_is"] = "as_is"
    """How numbers are written to this carrier: ``+8613800138000``, ``13800138000``, or as dialled."""
    strip_in: str = ""
    """A beginning that is taken off called and calling numbers from this carrier, before they are read."""
    prepend_in: str = ""
    """What is put before called and calling numbers from this carrier, before they are read."""
    strip_out: str = ""
    """A beginning that is taken off numbers to this carrier, after they were written, such as the ``+``."""
    prepend_out: str = ""
    """What is put before called numbers to this carrier, after they were written, such as an access code."""
    from_host: str = ""
    """Host part of From and identities to this carrier; empty takes our own domain."""
    pass_headers: tuple[str, ...] = ()
    """``X-`` and ``P-`` headers that may be put on calls to this carrier; all others stay inside."""
    allow: tuple[str, ...] = ()
    """Numbers that may be called over this trunk, as in ``[toll]``; empty takes the list there."""
    deny: tuple[str, ...] = ()
    """Numbers that may not be called over this trunk, besides those denied in ``[toll]``."""
