"""Where to send a request, as a core: RFC 3263 §4 from a URI to an order of hops, RFC 2782 among servers.

`plan` is asked again and again with the answers that are known so far: it says what it misses, or gives
the hops in their order. It asks nobody and remembers nothing, so a cached zone still spreads the load: the
chance is drawn anew each time. `HopHealth` remembers which hops failed and puts them behind the others.

Two rules learned in the field: SRV is asked before any address, also where the domain itself has one
(livekit/sip #810), and TLS is looked up under ``_sips._tcp``, never under ``_sip._tcp``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from sipcc.sip.nat import default_port, is_address
from sipcc.sip.transport.base import TransportName

MAX_HOPS = 16
"""Hops of one target; a zone with more gets its first ones only."""

MAX_NAMES = 12
"""Names that one target may lead to: an answer full of names must not make us ask for ever."""

MAX_PENALTY = 3600.0
"""Seconds that a hop is put back at most, whatever a Retry-After says."""

_MAX_REMEMBERED = 4096

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]
T = TypeVar("T")


class Hop(NamedTuple):
    """One place to send a request to."""

    transport: TransportName
    host: str
    """An IP address in text."""
    port: int
    name: str
    """The name that was asked for: what the certificate of a TLS peer must show (RFC 5922 §7.1)."""


class Query(NamedTuple):
    """One question to the DNS."""

    name: str
    """Without the last dot, in lower case."""
    kind: Kind


class Naptr(NamedTuple):
    """A naming authority pointer (RFC 3403 §4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """A server (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Answer: TypeAlias = Sequence[Naptr] | Sequence[Srv] | Sequence[str]
"""The records of a name, of the kind that was asked for; empty when there are none."""

Answers: TypeAlias = Callable[[Query], Answer | None]
"""What is known about a question; None for not yet asked."""


class Wanted(NamedTuple):
    """What a request is for: the parts of a URI, or of a trunk's settings, that RFC 3263 looks at."""

    host: str
    port: int | None = None
    transport: TransportName | None = None
    """None lets the DNS choose."""
    sips: bool = False


class Plan(NamedTuple):
    """As far as the answers lead: `hops` are complete when nothing is `missing`."""

    hops: list[Hop]
    missing: list[Query]


class Resolver(Protocol):
    """Gives the hops for a target; `sipcc.sip.dns.DnsResolver` asks the DNS."""

    def hops_now(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop] | None:
        """The hops in order when nobody has to be asked: an IP address, or a fresh memory."""
        ...

    async def hops(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop]:
        """The hops in order, never empty.

        Raises:
            ResolveError: the name leads nowhere.
        """
        ...


SERVICES: dict[str, TransportName] = {
    "sip+d2u": "udp",
    "sip+d2t": "tcp",
    "sips+d2t": "tls",
    "sip+d2w": "ws",
    "sips+d2w": "wss",
}
"""NAPTR services (RFC 3263 §4.1, RFC 7118 §6) and the transports they stand for."""

_SRV_PREFIX: dict[TransportName, str] = {
    "udp": "_sip._udp",
    "tcp": "_sip._tcp",
    "tls": "_sips._tcp",
    "ws": "_sip._ws",
    "wss": "_sips._ws",
}

_SECURE: dict[TransportName, TransportName] = {"udp": "tls", "tcp": "tls", "ws": "wss"}

DEFAULT_SUPPORTED: tuple[TransportName, ...] = ("udp", "tcp", "tls")
"""The transports that we ask SRV records for when no NAPTR says better, in this order."""


def plan(
    wanted: Wanted,
    answers: Answers,
    *,
    chance: Callable[[], float],
    supported: Sequence[TransportName] = DEFAULT_SUPPORTED,
    families: Sequence[Literal["A", "AAAA"]] = ("A", "AAAA"),
) -> Plan:
    """The hops for `wanted` in their order (RFC 3263 §4), or what must be asked first.

    Args:
        wanted: the target.
        answers: what is known; an empty answer also stands for a question that failed.
        chance: a number from 0 up to 1, drawn for each choice by weight.
        supported: our transports, the preferred first; a NAPTR of another is passed over.
        families: which addresses to ask for, the preferred first.
    """
    transport = _secured(wanted.transport, wanted.sips)
    if is_address(wanted.host):
        chosen = transport or ("tls" if wanted.sips else "udp")
        port = default_port(chosen) if wanted.port is None else wanted.port
        return Plan([Hop(chosen, wanted.host, port, wanted.host)], [])
    search = _Search(answers, chance, families)
    host = wanted.host.rstrip(".").lower()
    usable = [name for name in supported if not wanted.sips or name in ("tls", "wss")] or ["tls"]
    if wanted.port is not None:
        search.addresses(host, transport or ("tls" if wanted.sips else "udp"), wanted.port, host)
    elif transport is not None:
        if not search.servers(f"{_SRV_PREFIX[transport]}.{host}", transport, host):
            search.addresses(host, transport, default_port(transport), host)
    else:
        _choose_transport(search, host, usable, "tls" if wanted.sips else "udp")
    return Plan(search.hops[:MAX_HOPS], search.missing)


def _choose_transport(
    search: _Search, host: str, usable: Sequence[TransportName], fallback: TransportName
) -> None:
    """RFC 3263 §4.1: NAPTR; without any, SRV for each transport of ours; without any, an address."""
    pointers = search.ask(Query(host, "NAPTR"))
    if pointers is None:
        return
    useful = sorted(
        (pointer for pointer in pointers if isinstance(pointer, Naptr) and _leads(pointer, usable)),
        key=lambda pointer: (pointer.order, pointer.preference),
    )
    found = False
    for pointer in useful[:MAX_NAMES]:
        transport = SERVICES[pointer.service.lower()]
        found = search.servers(pointer.replacement.rstrip(".").lower(), transport, host) or found
    if not found:
        for transport in usable:
            found = search.servers(f"{_SRV_PREFIX[transport]}.{host}", transport, host) or found
    if not found and not search.missing:
        search.addresses(host, fallback, default_port(fallback), host)


def _leads(pointer: Naptr, usable: Sequence[TransportName]) -> bool:
    """Only terminal ``s`` pointers to a transport of ours count (RFC 3263 §4.1)."""
    return pointer.flags.lower() == "s" and SERVICES.get(pointer.service.lower()) in usable


def _secured(transport: TransportName | None, sips: bool) -> TransportName | None:
    """The transport of a SIPS URI is the secure one of its kind: ``transport=tcp`` there means TLS."""
    return _SECURE.get(transport, transport) if sips and transport is not None else transport


class _Search:
    """One walk through the answers."""

    def __init__(
        self, answers: Answers, chance: Callable[[], float], families: Sequence[Literal["A", "AAAA"]]
    ) -> None:
        self.hops: list[Hop] = []
        self.missing: list[Query] = []
        self._answers = answers
        self._chance = chance
        self._families = families
        self._names = 0

    def ask(self, query: Query) -> Answer | None:
        """What is known about `query`; notes that it is missing when nothing is."""
        answer = self._answers(query)
        if answer is None and query not in self.missing:
            self.missing.append(query)
        return answer

    def servers(self, name: str, transport: TransportName, domain: str) -> bool:
        """Take the servers of an SRV name; True when it has some, or is not known yet."""
        answer = self.ask(Query(name, "SRV"))
        if answer is None:
            return True
        records = [record for record in answer if isinstance(record, Srv)]
        if len(records) == 1 and records[0].target in ("", "."):
            return True  # RFC 2782: a target of "." says that the service is decidedly not there
        for record in srv_order(records, self._chance):
            target = record.target.rstrip(".").lower()
            if target and 0 < record.port < 65536:
                self.addresses(target, transport, record.port, domain)
        return bool(records)

    def addresses(self, name: str, transport: TransportName, port: int, domain: str) -> None:
        """Take every address of `name`."""
        if is_address(name):  # RFC 2782 forbids it as a target, and zones have it
            self._add(Hop(transport, name, port, domain))
            return
        self._names += 1
        if self._names > MAX_NAMES:
            return
        for family in self._families:
            for address in self.ask(Query(name, family)) or ():
                if isinstance(address, str):
                    self._add(Hop(transport, address, port, domain))

    def _add(self, hop: Hop) -> None:
        if hop not in self.hops:
            self.hops.append(hop)


def srv_order(records: Sequence[Srv], chance: Callable[[], float]) -> list[Srv]:
    """Servers by priority, and by weighted chance within one priority (RFC 2782 page 3).

    Those of weight 0 stand first in the running sum, and so have a very small chance, not none.
    """
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        group = sorted((r for r in records if r.priority == priority), key=lambda r: r.weight > 0)
        ordered += weighted_order(group, [record.weight for record in group], chance)
    return ordered


def weighted_order(items: Sequence[T], weights: Sequence[int], chance: Callable[[], float]) -> list[T]:
    """`items` in an order drawn by weight: each next one with the chance that its weight has of the rest."""
    left = list(zip(items, weights, strict=True))
    ordered = []
    while left:
        ordered.append(left.pop(_pick([weight for _item, weight in left], chance))[0])
    return ordered


def _pick(weights: Sequence[int], chance: Callable[[], float]) -> int:
    """The index that falls out when a mark is set by chance within the running sum of `weights`."""
    total = sum(weights)
    if total == 0:
        return int(chance() * len(weights))
    mark = int(chance() * (total + 1)) if weights[0] == 0 else int(chance() * total) + 1
    running = 0
    for index, weight in enumerate(weights):
        running += weight
        if running >= mark:
            return index
    return len(weights) - 1


class HopHealth:
    """Which hops failed lately: they are tried last, and are as good as any once their time is over."""

    def __init__(self, penalty: float) -> None:
        self._penalty = penalty
        self._until: dict[tuple[str, str, int], float] = {}

    def failed(self, hop: Hop, *, now: float, seconds: float | None = None) -> None:
        """Put `hop` back for `seconds`, those of a Retry-After, or for the usual time."""
        if len(self._until) >= _MAX_REMEMBERED:
            self._until = {key: until for key, until in self._until.items() if until > now}
            if len(self._until) >= _MAX_REMEMBERED:
                self._until.pop(min(self._until, key=self._until.__getitem__))
        wait = self._penalty if seconds is None else min(seconds, MAX_PENALTY)
        self._until[hop[:3]] = now + wait

    def worked(self, hop: Hop) -> None:
        """`hop` has answered: forget what it did."""
        if self._until:
            self._until.pop(hop[:3], None)

    def is_back(self, hop: Hop, *, now: float) -> bool:
        """True when nothing is held against `hop`."""
        return not self._until or self._until.get(hop[:3], 0.0) <= now

    def order(self, hops: Sequence[Hop], *, now: float) -> list[Hop]:
        """`hops` with those that failed behind the others, the one that is back first before the rest."""
        if not self._until:
            return list(hops)
        return sorted(hops, key=lambda hop: 0.0 if self.is_back(hop, now=now) else self._until[hop[:3]])


class Memory(NamedTuple):
    """A remembered answer."""

    answer: Answer
    fresh_until: float
    kept_until: float


class AnswerCache:
    """Answers with the time they are good for (RFC 2308 for those without records), bounded in number.

    What has run out is kept for a while: when the DNS is dead, an old answer is better than none
    (RFC 8767).
    """

    def __init__(self, *, entries: int, max_ttl: float, negative_ttl: float, stale: float) -> None:
        self._entries = entries
        self._max_ttl = max_ttl
        self._negative_ttl = negative_ttl
        self._stale = stale
        self._memories: dict[Query, Memory] = {}

    def __len__(self) -> int:
        return len(self._memories)

    def put(self, query: Query, answer: Answer, ttl: float, *, now: float) -> None:
        """Remember `answer` for `ttl` seconds, or as long as the limits allow."""
        self._memories.pop(query, None)
        if len(self._memories) >= self._entries:
            self._memories.pop(next(iter(self._memories)))  # dicts keep their order: the oldest goes
        life = max(0.0, min(ttl, self._max_ttl if answer else self._negative_ttl))
        stale = self._stale if answer else 0.0
        self._memories[query] = Memory(answer, now + life, now + life + stale)

    def fresh(self, query: Query, *, now: float) -> Answer | None:
        """A remembered answer that is still good."""
        memory = self._memories.get(query)
        return memory.answer if memory is not None and now < memory.fresh_until else None

    def stale(self, query: Query, *, now: float) -> Answer | None:
        """A remembered answer, good or not, for when nobody can be asked."""
        memory = self._memories.get(query)
        return memory.answer if memory is not None and now < memory.kept_until else None


def plain_address(text: str) -> str | None:
    """An address as a hop has it, or None for what is no address that can be sent to."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if address.is_unspecified or address.is_multicast else str(address)
