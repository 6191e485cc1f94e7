"""Asks the DNS for the hops of a target, and remembers what it said. The shell around `resolve.plan`.

dnspython does the wire: whatever a name server sends (lengths that lie, names that loop, CNAMEs that never
end) comes out as an error of that server, and the next one is asked. Nothing here blocks the loop; a
name without a dot, which only this machine's hosts file knows, is looked up in a thread.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from sipcc.clock import Clock, LoopClock
from sipcc.errors import ConfigError, ResolveError
from sipcc.log import get_logger
from sipcc.sip.nat import is_address, only_by_flow
from sipcc.sip.resolve import (
    DEFAULT_SUPPORTED,
    Answer,
    AnswerCache,
    Hop,
    Naptr,
    Query,
    Srv,
    Wanted,
    plain_address,
    plan,
)
from sipcc.sip.settings import DnsSettings
from sipcc.sip.transport.base import Listener, TransportName
from sipcc.tasks import SharedTasks

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as DnsClient

MAX_ROUNDS = 8
"""Questions that follow from answers: NAPTR, SRV and addresses are three; a zone of many names takes more."""

MAX_RECORDS = 64
"""Records of one answer that are read."""

STALE = 86400.0
"""Seconds that an answer is kept beyond its time, for when no name server answers (RFC 8767 §4)."""

RETRY_STALE = 30.0
"""Seconds that an old answer serves before the DNS is asked again (RFC 8767 §4)."""

_log = get_logger("sipcc.sip.dns")


class DnsResolver:
    """A `sipcc.sip.resolve.Resolver` on the name servers of the settings, or of this machine."""

    def __init__(
        self,
        settings: DnsSettings,
        *,
        clock: Clock,
        chance: Callable[[], float],
        supported: Sequence[TransportName] = DEFAULT_SUPPORTED,
    ) -> None:
        self.families: Sequence[Literal["A", "AAAA"]] = ("A", "AAAA")
        """The addresses that are asked for, the preferred first: what our listeners can send to."""
        self.asked = 0
        """Questions that went to a name server."""
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._supported = supported
        self._client: DnsClient | None = None
        self._asking: SharedTasks[Answer] = SharedTasks()
        self._cache = AnswerCache(
            entries=settings.cache, max_ttl=settings.max_ttl, negative_ttl=settings.negative_ttl, stale=STALE
        )

    def suit(self, listeners: Iterable[Listener]) -> None:
        """Ask only for what can be sent to from `listeners`: families of addresses, and UDP or not."""
        found = list(listeners)
        if not found:
            return
        six = [":" in listener.local.host for listener in found]
        if not all(six):
            self.families = ("A", "AAAA") if any(six) else ("A",)
        else:
            self.families = ("AAAA",)
        if not any(listener.transport == "udp" for listener in found):
            self._supported = [name for name in self._supported if name != "udp"]

    def hops_now(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop] | None:
        """The hops when nobody has to be asked; see `sipcc.sip.resolve.Resolver`."""
        now = self._clock.now()
        found = plan(
            Wanted(host, port, transport, sips),
            lambda query: self._cache.fresh(query, now=now),
            chance=self._chance,
            supported=self._supported,
            families=self.families,
        )
        return None if found.missing or not found.hops else found.hops

    async def hops(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop]:
        """The hops in order, never empty. Raises ResolveError."""
        if not host:
            raise ResolveError("a URI without a host leads nowhere")
        if only_by_flow(host):
            raise ResolveError(f"{host} can be reached on its own connection only")
        wanted = Wanted(host, port, transport, sips)
        known: dict[Query, Answer] = {}

        def answer(query: Query) -> Answer | None:
            found = known.get(query)
            return self._cache.fresh(query, now=self._clock.now()) if found is None else found

        for _round in range(MAX_ROUNDS):
            found = plan(
                wanted, answer, chance=self._chance, supported=self._supported, families=self.families
            )
            if not found.missing:
                break
            answers = await asyncio.gather(*(self._answer(query) for query in found.missing))
            known.update(zip(found.missing, answers, strict=True))
        if not found.hops:
            raise ResolveError(f"{host} has no address")
        return found.hops

    async def close(self) -> None:
        """Give up what is being asked; who waits for it gets ResolveError."""
        await self._asking.close()

    async def _answer(self, query: Query) -> Answer:
        """The answer to `query`, asked for once however many wait for it; empty when nobody knows."""
        return await self._asking.join(
            query,
            lambda: self._ask(query),
            name=f"dns/{query.name}",
            closed=lambda: ResolveError(f"nobody is asked for {query.name} any more"),
        )

    async def _ask(self, query: Query) -> Answer:
        if "." not in query.name or query.name.endswith(".localhost"):
            return await self._from_machine(query)
        self.asked += 1
        try:
            answer, ttl = await self._from_servers(query)
        except (_Failed, ConfigError) as error:
            answer = self._cache.stale(query, now=self._clock.now()) or ()
            _log.warning("dns.failed", name=query.name, kind=query.kind, error=str(error), old=bool(answer))
            ttl = RETRY_STALE if answer else min(1.0, self._settings.negative_ttl)
        if not answer and query.kind in ("A", "AAAA") and not self._settings.servers:
            return await self._from_machine(query)
        self._cache.put(query, answer, ttl, now=self._clock.now())
        return answer

    async def _from_machine(self, query: Query) -> Answer:
        """What the hosts file of this machine says, by way of a thread; it has only addresses."""
        if query.kind not in ("A", "AAAA"):
            return ()
        family = socket.AF_INET if query.kind == "A" else socket.AF_INET6
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                query.name, None, family=family, type=socket.SOCK_DGRAM
            )
        except (OSError, UnicodeError):  # the latter for a label of more than 63 characters
            found = []
        answer = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._cache.put(query, answer, 60.0, now=self._clock.now())
        return answer

    async def _from_servers(self, query: Query) -> tuple[Answer, float]:
        """Records and their time to live; without records the time that this may be believed."""
        import dns.exception
        import dns.resolver

        client = self._open_client()
        try:
            found = await client.resolve(
                query.name, query.kind, raise_on_no_answer=False, lifetime=self._settings.timeout
            )
        except dns.resolver.NXDOMAIN as error:
            responses: dict[Any, Any] = error.kwargs["responses"]
            return (), _negative_ttl(next(iter(responses.values()), None))
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise _Failed(str(error)) from error
        if found.rrset is None:
            return (), _negative_ttl(found.response)
        records = [_record(rdata, query.kind) for rdata in list(found.rrset)[:MAX_RECORDS]]
        return tuple(record for record in records if record is not None), float(found.rrset.ttl)

    def _open_client(self) -> DnsClient:
        if self._client is not None:
            return self._client
        import dns.asyncresolver
        import dns.exception
        import dns.nameserver

        servers = [parse_server(text) for text in self._settings.servers]
        try:
            client = dns.asyncresolver.Resolver(configure=not servers)
        except (dns.exception.DNSException, OSError) as error:
            raise ConfigError("sip.dns.servers", f"this machine names no name server: {error}") from error
        if servers:
            client.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        client.timeout = max(0.2, self._settings.timeout / 2)
        self._client = client
        return client


def lookup(host: str, port: int | None, transport: TransportName | None, settings: DnsSettings) -> list[Hop]:
    """The hops of a target for who has no loop, such as a check of settings; empty for none."""

    async def ask() -> list[Hop]:
        resolver = DnsResolver(settings, clock=LoopClock(), chance=lambda: 0.0)
        try:
            return await resolver.hops(host, port, transport)
        except ResolveError:
            return []

    return asyncio.run(ask())


class _Failed(Exception):
    """No name server gave an answer that can be used."""


def parse_server(text: str) -> tuple[str, int]:
    """Read ``192.0.2.53``, ``192.0.2.53:5353`` or ``[2001:db8::53]:53``.

    Raises:
        ConfigError: it is none of these.
    """
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else "53" if not rest else ""
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not is_address(host) or not digits or not 0 < int(port) < 65536:
        raise ConfigError("sip.dns.servers", f"{text!r} is no name server", hint="an IP, or IP:port")
    return host, int(port)


def _record(rdata: Any, kind: str) -> Any:
    """A record of dnspython as one of ours; None for one that no hop can be made of."""
    if kind == "SRV":
        return Srv(rdata.priority, rdata.weight, rdata.port, rdata.target.to_text(omit_final_dot=True))
    if kind == "NAPTR":
        return Naptr(
            rdata.order,
            rdata.preference,
            rdata.flags.decode("latin-1"),
            rdata.service.decode("latin-1"),
            rdata.replacement.to_text(omit_final_dot=True),
        )
    return plain_address(rdata.address)


def _negative_ttl(response: Any) -> float:
    """How long the absence of a record may be believed (RFC 2308 §5): the lesser of SOA's two times."""
    import dns.rdatatype

    for rrset in response.authority if response is not None else ():
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum))
    return 60.0
