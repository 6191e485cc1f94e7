"""Who is listened to at all: rates by source, bans, and the search for passwords, as a core.

A source is one IPv4 address or one IPv6 /64. There are three classes of them:

| class | who | limit | may be banned |
|---|---|---|---|
| trunk | addresses of the trunks, hosts with a carrier's certificate | ``trunk_rate`` each | no |
| agent | hosts that proved a password within a day | ``agent_rate`` per bound address, and the rest | no |
| stranger | everybody else | ``stranger_rate`` each, ``strangers_rate`` all together | yes |

An offence costs a stranger points of its patience, which comes back with time; who has used it up is
banned, and longer each time. A datagram's source can be forged, so nothing that a stranger does in the
name of an agent's host can shut the agent out: the agent's address, his host and his right password
always pass.

Unknown users and wrong passwords weigh the same, here too: a ban that came sooner for one of them would
tell which names exist.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from sipcc.bucket import TokenBucket
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.sip.lru import Lru
from sipcc.sip.settings import GuardSettings, TrunkSettings
from sipcc.sip.transport.base import Address, Flow

SourceClass = Literal["trunk", "agent", "stranger"]
Offence = Literal[
    "malformed", "stray", "stranger", "wrong_password", "unknown_user", "replay", "scanner", "spray",
    "accounts", "rate", "forged",
]  # fmt: skip
"""What a source can do wrong.

``stray`` is a response that nobody asked for, ``stranger`` a request without credentials, ``spray`` the
sixth method that got no further, ``accounts`` the tenth account tried, ``forged`` a request in a dialog
of somebody else.
"""

POINTS: dict[Offence, float] = {
    "malformed": 2.0,
    "stray": 1.0,
    "stranger": 0.25,
    "wrong_password": 5.0,
    "unknown_user": 5.0,
    "replay": 5.0,
    "scanner": 25.0,
    "spray": 40.0,
    "accounts": 100.0,
    "rate": 0.5,
    "forged": 10.0,
}
"""The points that each offence costs."""

PATIENCE = 100.0
"""Points that a stranger has; at none it is banned."""
PATIENCE_TIME = 600.0
"""Seconds in which they all come back."""
BURST_SECONDS = 3.0
"""A bucket holds what its rate gives in this time: 50 phones behind one address start together."""
KNOWN_FOR = 86_400.0
"""Seconds that a host is an agent's after its last right password."""
HOUR = 3600.0
SPRAY = 6
"""Methods of one stranger that got no further, at which it counts as a scanner."""
MANY_ACCOUNTS = 10
"""Accounts that one stranger may fail at."""
SIEGE = 50
"""Failed tries on one account within an hour that are told as an attack on it."""
SOURCES = 20_000
"""Strangers that are remembered."""
BANS = 50_000
KNOWN = 100_000
NAME_CHARS = 64
"""Of an account or a method no more is remembered; a name of 4,000 characters is somebody's who attacks."""
PAIRS = 50_000
"""Pairs of source and account whose tries are counted."""

_SCANNERS = re.compile(
    rb"friendly-scanner|sipvicious|sundayddr|sip-scan|sipcli|siparmyknife|iwar|vaxsipuseragent|pplsip|sipptk|"
    rb"smap/|sipsak",
    re.IGNORECASE,
)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class GuardBanned(Event, frozen=True, kw_only=True):
    """A source is not listened to for a while."""

    source: str
    """An IPv4 address, or an IPv6 network of 64 bits."""
    offence: Offence
    """The one that was too much."""
    seconds: float
    times: int
    """How often it was banned, this time included."""


class AccountAttacked(Event, frozen=True, kw_only=True):
    """Many wrong passwords for one account, told at most once an hour. Its owner is not locked out."""

    user: str
    sources: int
    """From how many sources, counted up to 256."""


class Ban(NamedTuple):
    """A ban; times in seconds of the clock that `now` comes from."""

    source: str
    offence: Offence
    since: float
    until: float
    times: int


class _Stranger:
    """What is remembered of one stranger."""

    __slots__ = ("accounts", "bucket", "methods", "patience")

    def __init__(self, rate: float) -> None:
        self.bucket = TokenBucket(rate, max(1.0, rate * BURST_SECONDS))
        self.patience = TokenBucket(PATIENCE / PATIENCE_TIME, PATIENCE)
        self.methods: frozenset[str] = frozenset()
        self.accounts: frozenset[str] = frozenset()


class _Siege:
    """The failed tries on one account."""

    __slots__ = ("quiet", "sources", "told_at")

    def __init__(self) -> None:
        self.quiet = TokenBucket(SIEGE / HOUR, SIEGE)
        self.sources: set[str] = set()
        self.told_at: float | None = None


@lru_cache(maxsize=65_536)
def _network_of(host: str) -> str:
    """The /64 of an IPv6 address, or the IPv4 address that it maps; anything else as it is."""
    try:
        ip = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)))


def source_of(host: str) -> str:
    """The source that `host` belongs to: itself, or its IPv6 network of 64 bits."""
    return _network_of(host) if ":" in host else host


class Guard:
    """All rates and bans of one endpoint.

    `trunks` and ``[sip.guard] trusted`` are never banned; what is trusted is not limited either.

    Raises:
        ConfigError: a trusted entry is no address and no network.
    """

    def __init__(self, settings: GuardSettings, trunks: Iterable[TrunkSettings] = ()) -> None:
        self.on_event: Callable[[Event], None] = lambda _event: None
        """Told of each ban and of each attack on an account."""
        self.is_bound: Callable[[Address], bool] = lambda _address: False
        """True for the source address of a live registration."""
        self._settings = settings
        self._trusted = networks_of(settings.trusted)
        self._static: dict[str, SourceClass | Literal["trusted", ""]] = {}
        self.load(trunks)
        self._banned: dict[str, Ban] = {}
        self._times: Lru[str, int] = Lru(BANS)
        self._known: Lru[str, float] = Lru(KNOWN)
        self._certified: Lru[str, float] = Lru(SOURCES)
        self._buckets: Lru[str | Address, TokenBucket] = Lru(SOURCES)
        self._strangers: Lru[str, _Stranger] = Lru(SOURCES)
        self._tries: Lru[tuple[str, str], TokenBucket] = Lru(PAIRS)
        self._sieges: Lru[str, _Siege] = Lru(1000)
        rate = settings.strangers_rate
        self._all_strangers = TokenBucket(rate, max(1.0, rate * BURST_SECONDS))

    def load(self, trunks: Iterable[TrunkSettings]) -> None:
        """Know other carriers from now on."""
        self._carriers = networks_of(
            host for trunk in trunks for host in map(_host_of, (*trunk.addresses, trunk.host)) if host
        )
        self._static.clear()

    # -- for each packet ------------------------------------------------------------------------------

    def blocked(self, host: str, *, now: float) -> bool:
        """True for a banned source: one probe of a dict."""
        ban = self._banned.get(host if ":" not in host else _network_of(host))
        return ban is not None and now < ban.until

    def allow(self, flow: Flow, *, now: float) -> bool:
        """Take one message of `flow` from its buckets; False when it is one too many, and is dropped."""
        settings = self._settings
        host = flow.remote.host
        kind = self._class(host, now)
        if kind == "stranger":
            key = source_of(host)
            stranger = self._stranger(key)
            if not stranger.bucket.take(now):
                self.tell(host, "rate", now=now)
                return False
            return self._all_strangers.take(now)
        if kind == "trusted" or not settings.enabled:
            return True
        rate = settings.trunk_rate if kind == "trunk" else settings.agent_rate
        key_of = flow.remote if kind == "agent" and self.is_bound(flow.remote) else source_of(host)
        bucket = self._buckets.get(key_of)
        if bucket is None:
            bucket = self._buckets.put(key_of, TokenBucket(rate, max(1.0, rate * BURST_SECONDS)))
        return bucket.take(now)

    def class_of(self, host: str, *, now: float) -> SourceClass:
        """The class of a host; what is trusted counts as an agent's."""
        kind = self._class(host, now)
        return "agent" if kind == "trusted" else kind

    def _class(self, host: str, now: float) -> SourceClass | Literal["trusted"]:
        static = self._static.get(host)
        if static is None:
            static = self._look_up(host)
        if static:
            return static
        key = source_of(host)
        until = self._certified.peek(key) if len(self._certified) else None
        if until is not None and now < until:
            return "trunk"
        until = self._known.peek(key)
        if until is not None and now < until:
            return "agent"
        return "stranger" if self._settings.enabled else "trusted"

    def _look_up(self, host: str) -> SourceClass | Literal["trusted", ""]:
        found: SourceClass | Literal["trusted", ""] = ""
        try:
            ip = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return found
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if any(ip in network for network in self._carriers):
            found = "trunk"
        elif any(ip in network for network in self._trusted):
            found = "trusted"
        if len(self._static) >= SOURCES:
            self._static.clear()
        self._static[host] = found
        return found

    def _stranger(self, key: str) -> _Stranger:
        stranger = self._strangers.get(key)
        if stranger is None:
            stranger = self._strangers.put(key, _Stranger(self._settings.stranger_rate))
        return stranger

    # -- for what was found ---------------------------------------------------------------------------

    def tell(self, host: str, offence: Offence, *, now: float, account: str = "") -> None:
        """`host` has done wrong; `account` is the one whose password it tried.

        A stranger that has no patience left is banned. Tries are counted for every class.
        """
        account = account[:NAME_CHARS]
        if account:
            self._count_try(source_of(host), account, now)
        if self._class(host, now) != "stranger":
            return
        stranger = self._stranger(source_of(host))
        if account and account not in stranger.accounts:
            stranger.accounts |= {account}
            if len(stranger.accounts) >= MANY_ACCOUNTS:
                offence = "accounts"
        level = stranger.patience.level(now) - POINTS[offence]
        if level <= 0:
            self.ban(host, offence, now=now)
        else:
            stranger.patience.take(now, POINTS[offence])

    def got_nowhere(self, host: str, method: str, *, now: float) -> None:
        """A request of that method had no credentials, or was for nothing that we answer."""
        if self._class(host, now) != "stranger":
            return
        stranger, method = self._stranger(source_of(host)), method[:NAME_CHARS]
        if method in stranger.methods or len(stranger.methods) >= SPRAY:
            self.tell(host, "stranger", now=now)
            return
        stranger.methods |= {method}
        self.tell(host, "spray" if len(stranger.methods) == SPRAY else "stranger", now=now)

    def welcome(self, host: str, *, now: float, trunk: bool = False) -> None:
        """`host` proved a password, or, with `trunk`, a carrier's certificate: it is known for a day."""
        key = source_of(host)
        (self._certified if trunk else self._known).put(key, now + KNOWN_FOR)
        self._banned.pop(key, None)

    def may_try(self, host: str, account: str, *, now: float) -> bool:
        """False when `host` has failed too often at `account`: its password is not even looked at."""
        tries = self._tries.get((source_of(host), account[:NAME_CHARS]))
        return tries is None or tries.level(now) >= 1.0 or not self._settings.enabled

    def _count_try(self, key: str, account: str, now: float) -> None:
        allowed = self._settings.tries / 2  # half at once and half over the hour are never more in an hour
        pair = (key, account)
        tries = self._tries.get(pair) or self._tries.put(pair, TokenBucket(allowed / HOUR, allowed))
        tries.take(now)
        siege = self._sieges.get(account) or self._sieges.put(account, _Siege())
        if len(siege.sources) < 256:
            siege.sources.add(key)
        if not siege.quiet.take(now) and (siege.told_at is None or now - siege.told_at >= HOUR):
            siege.told_at = now
            self.on_event(AccountAttacked(at=now, user=account, sources=len(siege.sources)))

    # -- bans -----------------------------------------------------------------------------------------

    def ban(self, host: str, offence: Offence, *, now: float) -> bool:
        """Listen to a stranger no more, for twice as long as the last time; False for who is no stranger."""
        if self._class(host, now) != "stranger":
            return False
        key = source_of(host)
        times = (self._times.get(key) or 0) + 1
        self._times.put(key, times)
        settings = self._settings
        seconds = min(settings.max_ban, settings.ban * 2.0 ** min(times - 1, 30))
        if len(self._banned) >= BANS:
            self._drop_bans(now)
        self._banned[key] = Ban(key, offence, now, now + seconds, times)
        self._strangers.drop(key)
        self.on_event(GuardBanned(at=now, source=key, offence=offence, seconds=seconds, times=times))
        return True

    def _drop_bans(self, now: float) -> None:
        """Forget what is over; when that is nothing, the tenth that ends first."""
        self._banned = {key: ban for key, ban in self._banned.items() if ban.until > now}
        if len(self._banned) >= BANS:
            for key in sorted(self._banned, key=lambda key: self._banned[key].until)[: BANS // 10]:
                del self._banned[key]

    def unban(self, source: str) -> bool:
        """Forgive a source, and how often it was banned; False when it was not banned."""
        key = source_of(source) if "/" not in source else source
        self._times.drop(key)
        return self._banned.pop(key, None) is not None

    def bans(self, *, now: float) -> list[Ban]:
        """The bans that last."""
        return [ban for ban in self._banned.values() if ban.until > now]

    def __len__(self) -> int:
        """How many records are kept, all kinds together; it has a fixed bound."""
        kept = (self._known, self._certified, self._buckets, self._strangers, self._tries, self._sieges)
        return len(self._banned) + len(self._times) + len(self._static) + sum(len(one) for one in kept)


def is_scanner(user_agent: bytes | None) -> bool:
    """True for the User-Agent of a known scanner that does not hide; a weak hint."""
    return user_agent is not None and _SCANNERS.search(user_agent) is not None


def networks_of(entries: Iterable[str]) -> list[_Network]:
    """Addresses and networks as networks.

    Raises:
        ConfigError: one is neither, or is everybody.
    """
    found: list[_Network] = []
    for entry in entries:
        try:
            network = ipaddress.ip_network(entry)
        except ValueError as error:
            raise ConfigError(
                "sip.guard.trusted", f"{entry!r}: {error}", hint="an IP or a network"
            ) from error
        if network.prefixlen == 0:
            raise ConfigError(
                "sip.guard.trusted", f"{entry} is everybody", hint="enabled = false switches the guard off"
            )
        found.append(network)
    return found


def _host_of(text: str) -> str:
    """The address or network of a trunk's entry, without a port; empty for a host name."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return ""
    return text
